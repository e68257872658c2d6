/**
 * Objects and directories as a snapshot has them. What was read once is kept in memory while there is room: it does not
 * change, so no promise is needed, and it is there when no server is.
 */
import { Failure, isFailure, rootFid, type Fid, type VnodeStatus } from '../../vice/interface/index.js';
import { RecentMap } from '../cache/recent-map.js';
import { membersOf } from '../fetch/server-source.js';
import { shared } from '../volume/shared-call.js';
import type { Member, Volume } from '../volume/volume.js';
import type { HeldSnapshot } from './held-snapshots.js';

/** Names of all directories kept together. */
const keptNames = 100_000;

export interface PastEntry {
  readonly name: string;
  readonly status: VnodeStatus;
}

export type PastNames = ReadonlyMap<string, PastEntry>;

export class PastObjects {
  readonly #roots = new RecentMap<string, VnodeStatus>(1000, () => 1);
  readonly #names = new RecentMap<string, PastNames>(keptNames, ({ size }) => size + 1);
  readonly #running = new Map<string, Promise<PastNames>>();

  /** The root of the volume. @throws Failure not-found (it is deleted meanwhile), unreachable, damaged */
  async root(volume: Volume, snapshot: HeldSnapshot): Promise<VnodeStatus> {
    const fid = rootFid(volume.id);
    const key = keyOf(snapshot, fid);
    const kept = this.#roots.get(key);
    if (kept !== undefined) return kept;
    const { status } = await askedInTurn(volume, snapshot, ({ server, replica }) =>
      server.call('snapshotStatus', { volume: volume.id, replica, snapshot: idOf(snapshot), fid }),
    );
    if (status === null) throw new Failure('not-found', 'venus.snapshots', 'the snapshot has no root');
    this.#roots.set(key, status);
    return status;
  }

  /** What was in a directory. @throws as `root` */
  names(volume: Volume, snapshot: HeldSnapshot, directory: Fid): Promise<PastNames> {
    const key = keyOf(snapshot, directory);
    const kept = this.#names.get(key);
    if (kept !== undefined) return Promise.resolve(kept);
    return shared(this.#running, key, () => this.#list(volume, snapshot, directory, key));
  }

  async #list(volume: Volume, snapshot: HeldSnapshot, fid: Fid, key: string): Promise<PastNames> {
    const { entries } = await askedInTurn(volume, snapshot, ({ server, replica }) =>
      server.call('snapshotList', { volume: volume.id, replica, snapshot: idOf(snapshot), fid }),
    );
    const inOrder = entries.toSorted((a, b) => (a.name < b.name ? -1 : 1));
    const names = new Map(inOrder.map((entry) => [entry.name, entry]));
    this.#names.set(key, names);
    return names;
  }
}

/** From the first server that gives it: two may have taken their snapshots with a change between them. */
async function askedInTurn<R>(
  volume: Volume,
  snapshot: HeldSnapshot,
  ask: (member: Member) => Promise<R>,
): Promise<R> {
  let failure: Failure | undefined;
  for (const member of membersOf(volume)) {
    if (!snapshot.replicas.includes(member.replica)) continue;
    try {
      return await ask(member);
    } catch (error) {
      if (!isFailure(error, 'unreachable', 'timeout', 'damaged', 'not-found', 'stale')) throw error;
      failure = error;
    }
  }
  if (failure !== undefined && isFailure(failure, 'damaged', 'not-found')) throw failure;
  const what = `snapshot ${snapshot.name} of volume ${volume.name}`;
  const message = `no server that has ${what} answers, and this was not read before`;
  throw new Failure(
    'unreachable',
    'venus.snapshots',
    message,
    failure === undefined ? {} : { cause: failure },
  );
}

function idOf({ name, time }: HeldSnapshot): { name: string; time: number } {
  return { name, time };
}

function keyOf({ name, time }: HeldSnapshot, fid: Fid): string {
  return `${fid} ${time} ${name}`;
}
