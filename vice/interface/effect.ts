/** What the meanings of all records (semantics.ts) have in common: the tree that they read, and what they change. */
import { Failure } from './failure.js';
import type { Fid } from './fid.js';
import { isRemoved } from './merge.js';
import type { Mutation } from './mutation.js';
import { withStoreId, type StoreIdVector } from './store-id.js';
import type { DirectoryEntry, VnodeStatus } from './vnode.js';

/** A readable tree: one volume replica inside a transaction, or a cached view. Reads never wait. */
export interface Tree {
  status(fid: Fid): VnodeStatus | undefined;
  /** An object that was removed, as far as that is remembered (replicas do). */
  tombstone?(fid: Fid): VnodeStatus | undefined;
  entry(directory: Fid, name: string): DirectoryEntry | undefined;
  isEmpty(directory: Fid): boolean;
}

/** What applying one record changes. Statuses carry the record's StoreId but still their old vector. */
export interface Effect {
  /** New or changed objects. */
  readonly changed: readonly VnodeStatus[];
  /** Removed objects, with the removing record's StoreId: what a tombstone must remember. */
  readonly removed: readonly VnodeStatus[];
  readonly unbound: readonly { readonly directory: Fid; readonly name: string }[];
  readonly bound: readonly { readonly directory: Fid; readonly entry: DirectoryEntry }[];
}

export function touched(status: VnodeStatus, record: Mutation): VnodeStatus {
  const known = withStoreId(status.known, record.storeId);
  let rank = 0;
  for (const venus in known) rank += known[venus] ?? 0;
  return {
    ...status,
    storeId: record.storeId,
    rank: Math.max(rank, (status.rank ?? 0) + 1),
    known,
    author: record.author,
  };
}

export function changedOnly(status: VnodeStatus): Effect {
  return isRemoved(status)
    ? { changed: [], removed: [status], unbound: [], bound: [] }
    : { changed: [status], removed: [], unbound: [], bound: [] };
}

export function baseOf(record: Mutation, fid: Fid): StoreIdVector {
  return record.base[fid] ?? {};
}

/** The object; a settled record also finds one that was removed. */
export function existing(tree: Tree, record: Mutation, fid: Fid): VnodeStatus {
  const status = tree.status(fid) ?? (record.settled === true ? tree.tombstone?.(fid) : undefined);
  if (status === undefined) throw failure('not-found', fid);
  return status;
}

const sentences: Partial<Record<Failure['kind'], string>> = {
  'not-found': 'the object is gone or bears another name',
  exists: 'the name is taken',
  'not-directory': 'it is no directory',
  'is-directory': 'it is a directory',
  'not-empty': 'the directory is not empty',
  loop: 'a directory cannot move into itself',
  'cross-volume': 'both names must be in one volume',
  'too-large': 'a limit of the realm is exceeded',
  invalid: 'the record makes no sense here',
};

export function failure(kind: Failure['kind'], fid: Fid): Failure {
  return new Failure(kind, 'semantics.apply', sentences[kind] ?? 'the record makes no sense here', { fid });
}
