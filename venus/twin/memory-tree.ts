/** The objects of a MemoryVenus: maps, changed only by records that vice/interface/semantics.ts accepts. */
import {
  applyRecord,
  emptyRoot,
  Failure,
  fidsOf,
  makeFid,
  makeStoreId,
  rootFid,
  venusId,
  volumeId,
  type DirectoryEntry,
  type Fid,
  type Mutation,
  type StoreId,
  type StoreIdVector,
  type Tree,
  type VenusId,
  type VnodeStatus,
  type VolumeId,
} from '../../vice/interface/index.js';

/** A record without what every record has, and of a store when it was saved. */
export type Change = Mutation extends infer M
  ? M extends Mutation
    ? Omit<M, keyof Stamp | 'saved' | 'settled'>
    : never
  : never;

interface Stamp {
  readonly storeId: StoreId;
  readonly time: number;
  readonly author: string;
  readonly host: string;
  readonly base: Readonly<Record<Fid, StoreIdVector>>;
}

/** The gateway where everything is done. */
const host = 'memory';

export class MemoryTree implements Tree {
  readonly volume: VolumeId = known(volumeId('7f000001'));
  readonly venus: VenusId;
  readonly root: Fid = rootFid(this.volume);
  /** Of several versions of a file only one is seen (last-writer-wins). */
  hidesVersions = false;
  readonly #objects = new Map<Fid, VnodeStatus>();
  readonly #names = new Map<Fid, Map<string, DirectoryEntry>>();
  #vnode = 1;
  #counter = 0;

  constructor(now: number, venus = '00000000000000aa') {
    this.venus = known(venusId(venus));
    this.#objects.set(this.root, emptyRoot(this.root, now));
    this.#names.set(this.root, new Map());
  }

  /** The same tree at another Venus, as another gateway of the realm has it in its cache. */
  fork(venus: string): MemoryTree {
    const fork = new MemoryTree(0, venus);
    for (const [fid, status] of this.#objects) fork.#objects.set(fid, status);
    for (const [fid, names] of this.#names) fork.#names.set(fid, new Map(names));
    return fork;
  }

  status(fid: Fid): VnodeStatus | undefined {
    return this.#objects.get(fid);
  }

  statuses(): Iterable<VnodeStatus> {
    return this.#objects.values();
  }

  /** What no record of this Venus could bring about: what others did apart. */
  put(status: VnodeStatus): void {
    this.#objects.set(status.fid, status);
  }

  entry(directory: Fid, name: string): DirectoryEntry | undefined {
    return this.#names.get(directory)?.get(name);
  }

  isEmpty(directory: Fid): boolean {
    return (this.#names.get(directory)?.size ?? 0) === 0;
  }

  /** Entries of a directory in the order in which their names appeared. */
  entries(directory: Fid): readonly DirectoryEntry[] {
    return [...(this.#names.get(directory)?.values() ?? [])];
  }

  newFid(): Fid {
    return makeFid(this.volume, (this.#vnode += 1), this.venus);
  }

  /** The name that an object bears; null: it is the root, or gone. */
  nameOf(fid: Fid): string | null {
    const { parent = null, places = [] } = this.status(fid) ?? {};
    if (parent === null) return null;
    const wanted = places[0]?.name ?? '';
    if (this.entry(parent, wanted)?.fid === fid) return wanted;
    return this.entries(parent).find((bound) => bound.fid === fid)?.name ?? null;
  }

  /** Names from the root; null when it is gone. */
  namesTo(fid: Fid): readonly string[] | null {
    const names: string[] = [];
    for (let at = fid; at !== this.root;) {
      const parent = this.status(at)?.parent ?? null;
      const name = this.nameOf(at);
      if (parent === null || name === null) return null;
      names.unshift(name);
      at = parent;
    }
    return names;
  }

  /** Where an object is, from the root; null when it is gone. */
  pathOf(fid: Fid): string | null {
    const names = this.namesTo(fid);
    return names === null ? null : `/${names.join('/')}`;
  }

  /** Applies all of `changes` or none; returns the records made of them. @throws Failure of semantics.ts, of `check` */
  apply(
    author: string,
    time: number,
    changes: readonly Change[],
    check: (record: Mutation) => void,
  ): readonly Mutation[] {
    const undo: (() => void)[] = [];
    const records: Mutation[] = [];
    try {
      for (const change of changes) {
        const record = this.#stamped(change, author, time);
        check(record);
        this.#applyOne(record, undo);
        records.push(record);
      }
      return records;
    } catch (error) {
      for (const step of undo.toReversed()) step();
      throw error;
    }
  }

  #stamped(change: Change, author: string, time: number): Mutation {
    const storeId = makeStoreId(this.venus, (this.#counter += 1));
    const bare = {
      ...change,
      ...this.#saved(change, time),
      storeId,
      time,
      author,
      host,
      base: {},
    } as Mutation;
    const seen = fidsOf(bare).flatMap((fid) => {
      const status = this.status(fid);
      return status === undefined ? [] : [[fid, status.known]];
    });
    return { ...bare, base: Object.fromEntries(seen) as Stamp['base'] };
  }

  /** A write replaces what is shown and leaves the other versions alone, unless it says otherwise. */
  #saved(change: Change, time: number): object {
    if (change.op !== 'store') return {};
    const { data = null, siblings = [] } = this.status(change.fid) ?? {};
    const beside = change.beside ?? siblings.map(({ mark }) => mark);
    return { saved: Math.max(time, (data?.saved ?? 0) + 1), ...(beside.length > 0 && { beside }) };
  }

  #applyOne(record: Mutation, undo: (() => void)[]): void {
    const effect = applyRecord(this, record);
    for (const { fid } of effect.removed) {
      put(this.#objects, fid, undefined, undo);
      put(this.#names, fid, undefined, undo);
    }
    for (const { directory, name } of effect.unbound) put(this.#namesOf(directory), name, undefined, undo);
    for (const { directory, entry } of effect.bound) put(this.#namesOf(directory), entry.name, entry, undo);
    for (const status of effect.changed) {
      put(this.#objects, status.fid, status, undo);
      if (status.kind === 'directory') put(this.#names, status.fid, this.#namesOf(status.fid), undo);
    }
  }

  #namesOf(directory: Fid): Map<string, DirectoryEntry> {
    return this.#names.get(directory) ?? new Map<string, DirectoryEntry>();
  }
}

/** Sets or, with undefined, removes `key`, and notes in `undo` how to take that back. */
function put<K, V>(map: Map<K, V>, key: K, value: V | undefined, undo: (() => void)[]): void {
  const former = map.get(key);
  undo.push(() => (former === undefined ? map.delete(key) : map.set(key, former)));
  if (value === undefined) map.delete(key);
  else map.set(key, value);
}

function known<T>(value: T | undefined): T {
  if (value === undefined) throw new Failure('invalid', 'memory.tree', 'a constant of the twin is malformed');
  return value;
}
