/** What both gateways show and all disks hold when everything is mended, for the laws. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { systemClock } from '../../vice/seam/real/system-clock.js';
import { systemRandom } from '../../vice/seam/real/system-random.js';
import type { ConflictReport, PendingChange } from '../../venus/interface.js';
import { withDisk } from '../semantics/replica-reader.js';
import { serverNames, untilDrained, type GatewayName } from '../semantics/stage.js';
import { dumpReplica, withoutOrder, type ReplicaDump } from '../simulation/replica-dump.js';
import type { Look, Size, View } from '../simulation/world/outcome.js';
import { keptIn } from '../simulation/world/sizes.js';
import { asSeen, seenFid } from './as-seen.js';
import type { FaultRealm } from './fault-realm.js';
import type { Recording } from './recording.js';
import { Refusal } from './remote-answer.js';
import { RemoteSight } from './remote-sight.js';
import { gateways } from './schedule.js';

export interface LookedAt {
  readonly look: Look;
  readonly sizes: readonly Size[];
  /** From when all was mended to when all replicas were found equal; undefined: they never were. */
  readonly settledMs: number | undefined;
}

interface Disk {
  readonly server: string;
  readonly dump: ReplicaDump | Error;
  readonly size: Size;
}

const looksMost = 6;
/** Of what stands still: no body half written, nothing that it says of itself; nobody asks what needs a container. */
const unseen = { spools: 0, used: undefined, unnamed: 0, hasForgotten: false };

/**
 * Everything, with all processes running before and after. Servers are looked at while they stand still. One that
 * returned later than others is brought up to date in the background, so it is looked again, a few times, before a
 * difference is one.
 */
export async function lookAt(
  realm: FaultRealm,
  recording: Recording,
  when: Look['when'],
  note: (text: string) => void,
): Promise<LookedAt> {
  const begin = performance.now();
  for (let count = 1; ; count += 1) {
    const views: View[] = [];
    const spools = new Map<GatewayName, number>();
    for (const gateway of gateways) {
      views.push(await viewOf(realm, gateway, recording));
      const bodies = await readdir(join(realm.data, 'gateways', gateway, 'containers', 'spool'));
      spools.set(gateway, bodies.length);
    }
    await realm.stopAll();
    const disks = await Promise.all(serverNames.map((server) => diskOf(realm.data, server)));
    const sizes = [
      ...disks.map(({ size }) => size),
      ...(await Promise.all([...spools].map(([gateway, count]) => sizeOf(realm.data, gateway, count)))),
    ];
    await realm.startAll();
    await untilDrained(realm);
    const isSettled = views.every(({ pending }) => pending.length === 0) && areEqual(disks);
    if (isSettled || count === looksMost) {
      const dumps = new Map(disks.map(({ server, dump }) => [server, dump]));
      const settledMs = isSettled ? performance.now() - begin : undefined;
      return { look: { when, dumps, views }, sizes, settledMs };
    }
    note(`${when}, look ${count}: not equal yet`);
    await new Promise((resolve) => setTimeout(resolve, count * 3_000));
  }
}

function areEqual(disks: readonly Disk[]): boolean {
  const all = disks.map(({ dump, server }) =>
    dump instanceof Error ? server : withoutOrder(dump).join('\n'),
  );
  return new Set(all).size === 1;
}

function sizeOf(data: string, gateway: string, spools: number): Promise<Size> {
  return withDisk(data, join('gateways', gateway), ({ store, rootVolume }) => {
    return { host: gateway, isServer: false, ...unseen, spools, ...keptIn(store, rootVolume, false) };
  });
}

function diskOf(data: string, server: string): Promise<Disk> {
  return withDisk(data, join('servers', server), async ({ store, containers, rootVolume }) => {
    const world = { clock: systemClock(), random: systemRandom(), store, containers };
    const size = { host: server, isServer: true, ...unseen, ...keptIn(store, rootVolume, true) };
    try {
      const dump = asSeen(await dumpReplica({ ...world, volume: rootVolume, id: server }));
      return { server, dump, size };
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      return { server, dump: error, size };
    }
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
  const conflicts = (await realm.conflicts(gateway)).map(({ kind, fid }): ConflictReport => {
    return { volume: '', fid: seenFid(fid), path: null, kind, versions: [] };
  });
  // The laws read no more of it than the control door says.
  const pending = (await realm.pending(gateway)) as unknown as readonly PendingChange[];
  return { gateway, paths: paths.sort(), texts, conflicts, pending, leases: [], rights: {}, missing: [] };
}

async function textOf(sight: RemoteSight, path: string): Promise<string> {
  try {
    return (await sight.read(path)).text;
  } catch (error) {
    if (error instanceof Refusal) return `(${error.message})`;
    throw error;
  }
}
