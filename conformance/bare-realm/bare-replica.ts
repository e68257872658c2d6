/** One replica on memory twins, and a client that talks to it: what the tests of vice/volume share. */
import {
  administrators,
  anyUser,
  compare,
  comparePlaces,
  conflictName,
  conflictsOf,
  isFailure,
  isRemoved,
  isRunt,
  makeFid,
  makeStoreId,
  noNames,
  rootFid,
  toggledName,
  versionsOf,
  type Fid,
  type Mutation,
  type StoreIdVector,
  type VenusId,
  type VersionVector,
  type VnodeStatus,
  type VolumeId,
} from '../../vice/interface/index.js';
import { silentLog } from '../../vice/seam/log.js';
import { endOf, type Store } from '../../vice/seam/store.js';
import { MemoryContainers } from '../../vice/seam/twin/memory-containers.js';
import { MemoryStore } from '../../vice/seam/twin/memory-store.js';
import { seededRandom } from '../../vice/seam/twin/seeded-random.js';
import { SimulatedClock } from '../../vice/seam/twin/simulated-clock.js';
import { digestText, noChildren, toggled } from '../../vice/store/children-digest.js';
import { childDigest } from '../../vice/store/state-digest.js';
import { bucketOf, stateDigest } from '../../vice/store/state-digest.js';
import { openReplica } from '../../vice/volume/open-replica.js';
import type { Merged, Mutated, Replica } from '../../vice/volume/replica.js';
export const volume = '7f000001' as VolumeId;
export const root = rootFid(volume);
export const group = ['a', 'b', 'c'];
export const speaker = { session: 1, groups: { [administrators]: [anyUser] } };

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
  /** The gateway's clock. */
  time: () => number = () => 1000;

  constructor(digit: string) {
    this.id = digit.repeat(16) as VenusId;
  }

  newFid(): Fid {
    return makeFid(volume, (this.counter += 1), this.id);
  }

  common(
    replica: Replica,
    ...fids: readonly Fid[]
  ): Pick<Mutation, 'storeId' | 'time' | 'author' | 'host' | 'base'> {
    const base: Record<Fid, StoreIdVector> = {};
    for (const fid of fids) {
      const status = replica.status(fid);
      if (status !== undefined) base[fid] = status.known;
    }
    const storeId = makeStoreId(this.id, (this.counter += 1));
    return { storeId, time: this.time(), author: this.id.slice(0, 1), host: `g-${this.id[0]}`, base };
  }

  make(replica: Replica, op: 'create' | 'mkdir', parent: Fid, name: string): Creation {
    const fid = this.newFid();
    return { op, ...this.common(replica, parent), parent, name, fid, mode: 0o644 };
  }

  store(replica: Replica, fid: Fid, digest: string, length: number): Mutation {
    const common = this.common(replica, fid);
    const saved = Math.max(common.time, (replica.status(fid)?.data?.saved ?? 0) + 1);
    return { op: 'store', ...common, fid, digest, length, modified: 2000, saved };
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
 * What must hold after any history: every living object has one name, in its parent; names follow from the objects
 * alone; digests, bytes used and the index of conflicts are as a recount has them; nothing dangles in the store.
 * @throws Error
 */
export async function check(replica: Replica, store?: Store): Promise<void> {
  const seen = new Set<Fid>();
  const conflicts: Fid[] = [];
  let used = 0;
  let besides = 0;
  const meet = (status: VnodeStatus, name: string | null): void => {
    if (seen.has(status.fid)) throw new Error(`${status.fid} has two names`);
    seen.add(status.fid);
    if (conflictsOf(status, name).length > 0) conflicts.push(status.fid);
    if (isRemoved(status)) throw new Error(`${status.fid} is removed and has a name`);
    for (const { length } of versionsOf(status)) used += length;
  };
  const walk = (directory: Fid): void => {
    const entries = [...(replica.list(directory)?.entries ?? [])];
    let digest = noChildren;
    let names: string = noNames;
    const wanted = wantedNames(entries.map(({ status }) => status));
    for (const { name, status } of entries) {
      digest = toggled(digest, childDigest(status));
      names = toggledName(names, status.fid, name);
      meet(status, name);
      if (status.parent !== directory) throw new Error(`${status.fid} is not in ${directory}`);
      const due = wanted.get(status.fid);
      if (due !== name) throw new Error(`${status.fid} bears ${name} instead of ${String(due)}`);
      if (status.places[0]?.name !== name) besides += 1;
      if (status.kind === 'directory') walk(status.fid);
    }
    const listing = replica.list(directory);
    if (listing?.digest !== digestText(digest))
      throw new Error(`digest of ${directory} is ${listing?.digest}`);
    if (listing.status.names !== names) throw new Error(`names of ${directory} are ${listing.status.names}`);
  };
  const top = replica.status(root);
  if (top !== undefined) meet(top, null);
  walk(root);
  for (const { fid } of [...heldBy(replica).values()].filter((status) => !isRemoved(status))) {
    if (!seen.has(fid) && replica.status(fid) !== undefined) throw new Error(`${fid} lives and has no name`);
  }
  const space = await replica.space();
  if (space.used !== used) throw new Error(`${space.used} bytes used instead of ${used}`);
  const indexed = replica.conflicts(null, 1000).conflicts.map(({ status }) => status.fid);
  if (!sameJson(indexed, conflicts.sort()))
    throw new Error(`conflicts are ${indexed} instead of ${conflicts}`);
  checkDigests(replica, seen);
  if (store === undefined) return;
  const rows = (table: string): number => {
    const start = `${volume}/${table}/`;
    return [...store.range({ start, end: endOf(start) })].length;
  };
  if (rows('entry') !== seen.size - 1) throw new Error(`${rows('entry')} entries for ${seen.size} objects`);
  if (rows('beside') !== besides) throw new Error(`${rows('beside')} rows for ${besides} names beside`);
}

/** What replicas compare themselves by (vice/store/state-digest.ts). @throws Error */
function checkDigests(replica: Replica, living: ReadonlySet<Fid>): void {
  const counted = new Map<string, bigint>();
  for (const fid of living) {
    const status = replica.status(fid);
    // A root that nobody has changed yet is no object of anybody's.
    const kept = replica.digests(bucketOf(fid)).get(fid);
    if (status === undefined || (kept === undefined && fid === root && isRunt(status))) continue;
    const digest = stateDigest(status);
    const first = bucketOf(fid).slice(0, 1);
    counted.set(first, toggled(counted.get(first) ?? noChildren, digest));
    if (kept !== digestText(digest)) throw new Error(`state digest of ${fid} is ${String(kept)}`);
  }
  for (const [part, digest] of replica.digests('')) {
    const due = digestText(counted.get(part) ?? noChildren);
    if (digest !== due) throw new Error(`state digest of ${part} is ${digest} instead of ${due}`);
  }
}

/** The dumb twin of naming: which name each of the objects in one directory bears. */
function wantedNames(objects: readonly VnodeStatus[]): ReadonlyMap<Fid, string> {
  const byPlace = objects
    .flatMap(({ fid, places: [place] }) => (place === undefined ? [] : [{ fid, place }]))
    .sort((a, b) => comparePlaces(a.place, b.place));
  const names = new Map<string, Fid>();
  for (const { fid, place } of byPlace) if (!names.has(place.name)) names.set(place.name, fid);
  for (const { fid, place } of byPlace) {
    if (names.get(place.name) === fid) continue;
    const plain = conflictName(place.name, place);
    names.set(names.has(plain) ? conflictName(place.name, place, true) : plain, fid);
  }
  return new Map([...names].map(([name, fid]) => [fid, name]));
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

/** How `replica` holds these objects, removed ones too: what a peer would be told. */
export function held(replica: Replica, ...fids: readonly Fid[]): VnodeStatus[] {
  return fids.map((fid) => {
    const status = replica.held(fid);
    if (status === undefined) throw new Error(`${fid} was never there`);
    return status;
  });
}

/** Merges these objects as `peer` holds them, and nothing else. */
export function take(replica: Replica, peer: Replica, ...fids: readonly Fid[]): Promise<Merged> {
  return replica.merge({ objects: held(peer, ...fids), withoutKnown: false });
}

/** Every object and tombstone. */
export function heldBy(replica: Replica): ReadonlyMap<Fid, VnodeStatus> {
  const all = new Map<Fid, VnodeStatus>();
  for (let since = 0, more = true; more;) {
    const page = replica.changes(since, 1000);
    for (const { status } of page.changes) all.set(status.fid, status);
    since = page.upTo;
    more = page.more;
  }
  return all;
}

/** Merges what `peer` holds of all that it ever had, as a catch-up does. */
export async function mergeAll(replica: Replica, peer: Replica): Promise<Merged> {
  return mergeWhole(replica, [...heldBy(peer).values()]);
}

/** Merges `objects`: what directories have known, and that they were removed, last and from below. */
export async function mergeWhole(replica: Replica, objects: readonly VnodeStatus[]): Promise<Merged> {
  const depths = new Map(objects.map(({ fid, parent }) => [fid, parent]));
  const depth = (fid: Fid): number => {
    let steps = 0;
    for (let next = depths.get(fid) ?? null; next !== null && steps < 100; steps += 1)
      next = depths.get(next) ?? null;
    return steps;
  };
  const down = objects.toSorted((a, b) => depth(a.fid) - depth(b.fid));
  const first = await replica.merge({ objects: down, withoutKnown: true });
  const alive = down.filter((status) => !isRemoved(status));
  const second = await replica.merge({ objects: alive, withoutKnown: false });
  const removed = down.filter(isRemoved).reverse();
  const third = await replica.merge({ objects: removed, withoutKnown: false });
  const changed = new Set([...first.changed, ...second.changed, ...third.changed]);
  return { changed: [...changed], skipped: [...second.skipped, ...third.skipped] };
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
