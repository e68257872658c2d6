/** The objects of a MemoryVenus: maps, changed only by records that vice/interface/semantics.ts accepts. */
import {
  applyRecord,
  Failure,
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
import type { ObjectStatus } from '../interface.js';

/** A record without what every record has. */
export type Change = Mutation extends infer M ? (M extends Mutation ? Omit<M, keyof Stamp> : never) : never;

interface Stamp {
  readonly storeId: StoreId;
  readonly time: number;
  readonly author: string;
  readonly base: Readonly<Record<Fid, StoreIdVector>>;
}

export class MemoryTree implements Tree {
  readonly volume: VolumeId = known(volumeId('7f000001'));
  readonly venus: VenusId = known(venusId('00000000000000aa'));
  readonly root: Fid = rootFid(this.volume);
  readonly #objects = new Map<Fid, VnodeStatus>();
  readonly #names = new Map<Fid, Map<string, DirectoryEntry>>();
  #vnode = 1;
  #counter = 0;

  constructor(now: number) {
    this.#objects.set(this.root, { ...emptyRoot, fid: this.root, created: now, modified: now });
    this.#names.set(this.root, new Map());
  }

  status(fid: Fid): VnodeStatus | undefined {
    return this.#objects.get(fid);
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

  /** Applies all of `changes` or none. @throws Failure of semantics.ts */
  apply(author: string, time: number, changes: readonly Change[]): void {
    const undo: (() => void)[] = [];
    try {
      for (const change of changes)
        this.#applyOne({ ...change, ...this.#stamp(author, time) } as Mutation, undo);
    } catch (error) {
      for (const step of undo.toReversed()) step();
      throw error;
    }
  }

  #stamp(author: string, time: number): Stamp {
    return { storeId: makeStoreId(this.venus, (this.#counter += 1)), time, author, base: {} };
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

/** What gateways see of `status`. */
export function viewOf(status: VnodeStatus): ObjectStatus {
  return {
    fid: status.fid,
    kind: status.kind,
    length: status.data?.length ?? 0,
    version: status.data?.storeId ?? null,
    created: status.created,
    modified: status.modified,
    mode: status.mode,
    owner: status.owner,
    author: status.author,
    properties: status.properties,
    target: status.target,
  };
}

const emptyRoot: Omit<VnodeStatus, 'fid' | 'created' | 'modified'> = {
  kind: 'directory',
  parent: null,
  vv: {},
  storeId: null,
  known: {},
  data: null,
  target: null,
  mode: 0o755,
  owner: 'System:Administrators',
  author: 'System:Administrators',
  properties: {},
};

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
