/** The end of a story: whoever is asked, and whatever disk is looked at, holds the same. */
import type { Test } from 'tap';
import { readFolder } from '../crash/folder-reader.js';
import { compare, emptyWorld, type World } from '../crash/world.js';
import { isConnected } from '../volume-status.js';
import { readReplica, replicaDifferences } from './replica-reader.js';
import { serverNames, untilVolume, type Stage } from './stage.js';
import { worldOfReplica } from './worlds.js';

/** Both gateways and every replica hold `wanted`, and the replicas are the same. */
export async function isEverywhere(t: Test, stage: Stage, wanted: World): Promise<void> {
  for (const gateway of ['g1', 'g2'] as const) {
    const got = await readFolder(stage.client(gateway), '');
    t.same(compare(wanted, got ?? emptyWorld), [], `${gateway} holds what was made, byte by byte`);
  }
  t.same(await replicaFaults(t, stage, wanted), [], 'and so does every replica, and all are the same');
}

const looks = 5;

/**
 * What is wrong with the replicas. A server that returned later than others is brought up to date in the
 * background; so it is looked again, a few times, before a difference is a fault.
 */
async function replicaFaults(t: Test, stage: Stage, wanted: World): Promise<readonly string[]> {
  for (let look = 1; ; look += 1) {
    await stage.stopServers();
    const replicas = await Promise.all(serverNames.map((name) => readReplica(stage.data, name)));
    const [first = [], ...others] = replicas;
    const faults = [
      ...replicas.flatMap((replica, index) =>
        compare(wanted, worldOfReplica(replica)).map((fault) => `${serverNames[index] ?? ''}: ${fault}`),
      ),
      ...others.flatMap((other, index) =>
        replicaDifferences(first, other).map((fault) => `s1 and s${index + 2} differ in ${fault}`),
      ),
    ];
    if (faults.length === 0 || look === looks) return faults.slice(0, 10);
    t.comment(`look ${look} at the replicas, ${faults.length} differences: ${faults.slice(0, 3).join('; ')}`);
    await stage.startServers();
    for (const gateway of ['g1', 'g2'] as const) {
      await untilVolume(stage, gateway, 'all servers', isConnected);
      await readFolder(stage.client(gateway), '');
    }
    await new Promise((resolve) => setTimeout(resolve, look * 5_000));
  }
}
