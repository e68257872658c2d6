/** One replica on memory twins, and a client that talks to it: what the tests of vice/volume share. */
import {
  compare,
  isFailure,
  makeFid,
  makeStoreId,
  rootFid,
  type DirectoryEntry,
  type Fid,
  type Mutation,
  type StoreIdVector,
  type VenusId,
  type VersionVector,
  type VnodeStatus,
  type VolumeId,
} from '../../vice/interface/index.js';
import { silentLog } from '../../vice/seam/log.js';
import { type Store } from '../../vice/seam/store.js';
import { MemoryContainers } from '../../vice/seam/twin/memory-containers.js';
import { MemoryStore } from '../../vice/seam/twin/memory-store.js';
import { seededRandom } from '../../vice/seam/twin/seeded-random.js';
import { SimulatedClock } from '../../vice/seam/twin/simulated-clock.js';
import { childDigest, digestText, noChildren, toggled } from '../../vice/store/children-digest.js';
import { openReplica } from '../../vice/volume/open-replica.js';
import type { ForcedObject, Mutated, Replica } from '../../vice/volume/replica.js';
export const volume = '7f000001' as VolumeId;
export const root = rootFid(volume);
export const group = ['a', 'b', 'c'];
export const speaker = { session: 1 };

export interface Server {
  readonly store: MemoryStore;
  readonly containers: MemoryContainers;
  readonly clock: SimulatedClock;
  readonly open: (options?: { id?: string; store?: Store; volume?: VolumeId }) => Promise<Replica>;
  /** Contents as they arrive by upload; the digest. */
  readonly upload: (text: string) => Promise<string>;
}

export function server(store = new MemoryStore({}), containers = new MemoryContainers({})): Server {
  const clock = new SimulatedClock();
  return {
    store,
    containers,
    clock,
    open: (options = {}) => {
      const world = { store, containers, clock, random: seededRandom(1), log: silentLog };
      return openReplica({ volume, id: 'a', group, ...world, ...options });
    },
    upload: async (text) => {
      const spool = await containers.spool();
      await spool.write(Buffer.from(text));
      return (await spool.commit()).digest;
    },
  };
}

export type Creation = Extract<Mutation, { op: 'create' | 'mkdir' }>;

/** A client: makes records, with what it has last seen at `replica` as their base. */
export class Venus {
  readonly id: VenusId;
  counter = 0;

  constructor(digit: string) {
    this.id = digit.repeat(16) as VenusId;
  }

  newFid(): Fid {
    return makeFid(volume, (this.counter += 1), this.id);
  }

  common(replica: Replica, ...fids: readonly Fid[]): Pick<Mutation, 'storeId' | 'time' | 'author' | 'base'> {
    const base: Record<Fid, StoreIdVector> = {};
    for (const fid of fids) {
      const status = replica.status(fid);
      if (status !== undefined) base[fid] = status.known;
    }
    return { storeId: makeStoreId(this.id, (this.counter += 1)), time: 1000, author: this.id, base };
  }

  make(replica: Replica, op: 'create' | 'mkdir', parent: Fid, name: string): Creation {
    const fid = this.newFid();
    return { op, ...this.common(replica, parent), parent, name, fid, mode: 0o644 };
  }

  store(replica: Replica, fid: Fid, digest: string, length: number): Mutation {
    return { op: 'store', ...this.common(replica, fid), fid, digest, length, modified: 2000 };
  }

  remove(replica: Replica, op: 'remove' | 'rmdir', parent: Fid, name: string, fid: Fid): Mutation {
    return { op, ...this.common(replica, parent, fid), parent, name, fid };
  }

  rename(replica: Replica, fid: Fid, from: readonly [Fid, string], to: readonly [Fid, string]): Mutation {
    const [fromParent, fromName] = from;
    const [toParent, toName] = to;
    const common = this.common(replica, fid, fromParent, toParent);
    return { op: 'rename', ...common, fid, fromParent, fromName, toParent, toName };
  }

  chmod(replica: Replica, fid: Fid, mode: number): Mutation {
    return { op: 'chmod', ...this.common(replica, fid), fid, mode };
  }
}

export type Applied = Extract<Mutated, { outcome: 'applied' }>;

export async function apply(replica: Replica, ...records: readonly Mutation[]): Promise<Applied> {
  const reply = await replica.mutate({ records: [...records], watermark: 0 }, speaker);
  if (reply.outcome === 'applied') return reply;
  throw new Error(`record ${reply.index} refused: ${reply.failure.kind} ${reply.failure.message}`);
}

export async function refusal(replica: Replica, ...records: readonly Mutation[]): Promise<string> {
  const reply = await replica.mutate({ records: [...records], watermark: 0 }, speaker);
  return reply.outcome === 'applied' ? 'applied' : `${reply.index} ${reply.failure.kind}`;
}

/** Everything a reader can see of the tree. */
export function tree(replica: Replica, directory: Fid = root): unknown {
  const listing = replica.list(directory);
  if (listing === undefined) return undefined;
  return {
    status: listing.status,
    digest: listing.digest,
    names: [...listing.entries].map(({ name, status }) => [
      name,
      status.kind === 'directory' ? tree(replica, status.fid) : status,
    ]),
  };
}

export function names(replica: Replica, directory: Fid = root): readonly string[] {
  return [...(replica.list(directory)?.entries ?? [])].map(({ name }) => name);
}

/**
 * What must hold after any history: one name each, digests, and, unless resolution is halfway (strays have no
 * name yet, moved objects still the old one): parents, bytes used. @throws Error
 */
export async function check(replica: Replica, halfway = false): Promise<void> {
  const seen = new Set<Fid>();
  let used = 0;
  const walk = (directory: Fid): void => {
    let digest = noChildren;
    for (const { status } of replica.list(directory)?.entries ?? []) {
      digest = toggled(digest, childDigest(status.fid, status.storeId));
      if (seen.has(status.fid)) throw new Error(`${status.fid} has two names`);
      seen.add(status.fid);
      if (!halfway && status.parent !== directory) throw new Error(`${status.fid} is not in ${directory}`);
      used += status.data?.length ?? 0;
      if (status.kind === 'directory') walk(status.fid);
    }
    const kept = replica.list(directory)?.digest;
    if (kept !== digestText(digest)) throw new Error(`digest of ${directory} is ${String(kept)}`);
  };
  walk(root);
  const space = await replica.space();
  if (!halfway && space.used !== used) throw new Error(`${space.used} bytes used instead of ${used}`);
}

/** The kind and object of the failure that `work` ends in. */
export async function failureOf(work: Promise<unknown> | (() => unknown)): Promise<string> {
  try {
    await (typeof work === 'function' ? work() : work);
    return 'none';
  } catch (error) {
    if (!isFailure(error)) throw error;
    return error.fid === undefined ? error.kind : `${error.kind} ${error.fid}`;
  }
}

export function objects(replica: Replica, ...fids: readonly Fid[]): ForcedObject[] {
  return fids.map((fid) => {
    const status = replica.status(fid);
    if (status === undefined) throw new Error(`${fid} is not there`);
    const listing = replica.list(fid);
    const entries: DirectoryEntry[] = [];
    for (const { name, status: child } of listing?.entries ?? []) {
      entries.push({ name, fid: child.fid, kind: child.kind });
    }
    return { status, entries: listing === undefined ? null : entries };
  });
}

export function tombstone(replica: Replica, fid: Fid): VnodeStatus {
  const found = replica.changes(0, 1000).changes.find(({ status, removed }) => removed && status.fid === fid);
  if (found === undefined) throw new Error(`no tombstone of ${fid}`);
  return found.status;
}

export function heldBy(replica: Replica): ReadonlyMap<Fid, VnodeStatus> {
  return new Map(replica.changes(0, 1000).changes.map(({ status }) => [status.fid, status]));
}

/** Inside a property an exception is what shrinks. */
export function fault(message: string): never {
  throw new Error(message);
}

export function notLess(a: VersionVector, b: VersionVector): boolean {
  return ['equal', 'dominant'].includes(compare(a, b));
}

export function sameJson(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
