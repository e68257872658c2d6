/**
 * What all disks and both gateways have when everything is mended, for the laws.
 */
import { performance } from 'node:perf_hooks';
import type { ConflictReport, PendingChange } from '../../venus/interface.js';
import { serverNames, untilDrained, type GatewayName } from '../semantics/stage.js';
import { withReplica } from '../semantics/replica-reader.js';
import { dumpReplica, withoutOrder, type ReplicaDump } from '../simulation/replica-dump.js';
import type { Look, Size, View } from '../simulation/world/outcome.js';
import { rowsByTable } from '../simulation/world/row-counts.js';
import { systemClock } from '../../vice/seam/real/system-clock.js';
import { systemRandom } from '../../vice/seam/real/system-random.js';
import { asSeen, seenFid } from './as-seen.js';
import type { FaultRealm } from './fault-realm.js';
import { Refusal } from './remote-answer.js';
import type { Recording } from './recording.js';
import { RemoteSight } from './remote-sight.js';
import { gateways } from './schedule.js';

export interface LastLook extends Look {
  readonly sizes: readonly Size[];
  /** From when all was mended to when all replicas were found equal; undefined: they never were. */
  readonly settledMs: number | undefined;
}

const looks = 6;

/**
 * Servers are looked at while they stand still. One that returned later than others is brought up to date in the
 * background, so it is looked again, a few times, before a difference is one.
 */
export async function lookAt(realm: FaultRealm, recording: Recording, note: (text: string) => void) {
  const begin = performance.now();
  for (let look = 1; ; look += 1) {
    const views: View[] = [];
    for (const gateway of gateways) views.push(await viewOf(realm, gateway, recording));
    await realm.stopServers();
    const disks = await Promise.all(serverNames.map((server) => diskOf(realm.data, server)));
    const lines = new Set(
      disks.map(({ dump }) => (dump instanceof Error ? dump : withoutOrder(dump).join('\n'))),
    );
    const isSettled = lines.size === 1 && views.every(({ pending }) => pending.length === 0);
    if (isSettled || look === looks) {
      const dumps = new Map(disks.map(({ server, dump }) => [server, dump]));
      const settledMs = isSettled ? performance.now() - begin : undefined;
      return {
        when: 'healed',
        dumps,
        views,
        sizes: disks.map(({ size }) => size),
        settledMs,
      } satisfies LastLook;
    }
    note(`look ${look}: ${lines.size} different replicas`);
    await realm.startServers();
    await untilDrained(realm);
    await new Promise((resolve) => setTimeout(resolve, look * 5_000));
  }
}

async function diskOf(data: string, server: string) {
  return withReplica(data, server, async ({ store, containers, rootVolume }) => {
    const world = { clock: systemClock(), random: systemRandom(), store, containers };
    let dump: ReplicaDump | Error;
    try {
      dump = asSeen(await dumpReplica({ ...world, volume: rootVolume, id: server }));
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      dump = error;
    }
    // Of a server that stands still: no log, nothing half written that we count, nothing that it says of itself.
    const unseen = { logRows: 0, spools: 0, used: undefined, unnamed: 0 };
    const size: Size = { host: server, isServer: true, ...unseen, ...rowsByTable(store, rootVolume) };
    return { server, dump, size };
  });
}

async function viewOf(realm: FaultRealm, gateway: GatewayName, recording: Recording): Promise<View> {
  const sight = new RemoteSight(realm.client(gateway), gateway, recording);
  const paths: string[] = [];
  const texts: string[] = [];
  const visit = async (path: string): Promise<void> => {
    for (const entry of (await sight.list(path)).entries) {
      if (!entry.isSibling) paths.push(`/${entry.path}`);
      if (entry.kind === 'directory') await visit(entry.path);
      else texts.push(await textOf(sight, entry.path));
    }
  };
  await visit('');
  const reports = await realm.conflicts(gateway);
  const conflicts = reports.map(({ kind, fid }): ConflictReport => {
    return { volume: '', fid: seenFid(fid), path: null, kind, versions: [] };
  });
  const pending = await realm.pending(gateway);
  return {
    gateway,
    paths: paths.sort(),
    texts,
    conflicts,
    pending: pending as unknown as readonly PendingChange[],
    ...{ leases: [], rights: {}, missing: [] },
  };
}

async function textOf(sight: RemoteSight, path: string): Promise<string> {
  try {
    return (await sight.read(path)).text;
  } catch (error) {
    if (error instanceof Refusal) return `(${error.message})`;
    throw error;
  }
}
