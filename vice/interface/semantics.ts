/**
 * What a record means: whether it may be applied to a tree and what it changes. Pure; the one implementation that
 * the servers (authoritative) and Venus (its cached view) share, so that both always agree.
 *
 * Not here: version vectors (each side counts its own way), rights, quota and certification (vice/volume).
 */
import { volumeOf, type Fid } from './fid.js';
import { Failure } from './failure.js';
import type { CreateRecord, MakeDirRecord, Mutation, RenameRecord, SymlinkRecord } from './mutation.js';
import { withStoreId } from './store-id.js';
import { emptyDigest, limits, nameFault, type DirectoryEntry, type VnodeStatus } from './vnode.js';

/** A readable tree: one volume replica inside a transaction, or a cached view. Reads never wait. */
export interface Tree {
  status(fid: Fid): VnodeStatus | undefined;
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

const operation = 'semantics.apply';

/**
 * The effect of `record` on `tree`.
 * @throws Failure not-found, exists, not-directory, is-directory, not-empty, loop, cross-volume, invalid,
 * too-large
 */
export function applyRecord(tree: Tree, record: Mutation): Effect {
  switch (record.op) {
    case 'create':
    case 'mkdir':
    case 'symlink':
      return applyCreation(tree, record);
    case 'remove':
    case 'rmdir': {
      const parent = directoryOf(tree, record.parent);
      const object = boundObject(tree, record.parent, record.name, record.fid);
      if (record.op === 'remove' && object.kind === 'directory') throw failure('is-directory', object.fid);
      if (record.op === 'rmdir') {
        if (object.kind !== 'directory') throw failure('not-directory', object.fid);
        if (!tree.isEmpty(object.fid)) throw failure('not-empty', object.fid);
      }
      return {
        changed: [entryChanged(parent, record)],
        removed: [touched(object, record)],
        unbound: [{ directory: record.parent, name: record.name }],
        bound: [],
      };
    }
    case 'rename':
      return applyRename(tree, record);
    case 'store': {
      const file = existing(tree, record.fid);
      if (file.kind !== 'file')
        throw failure(file.kind === 'directory' ? 'is-directory' : 'invalid', file.fid);
      const data = { storeId: record.storeId, length: record.length, digest: record.digest };
      return changedOnly({ ...touched(file, record), data, modified: record.modified });
    }
    case 'utimes':
      return changedOnly({ ...touched(existing(tree, record.fid), record), modified: record.modified });
    case 'chmod':
      return changedOnly({ ...touched(existing(tree, record.fid), record), mode: record.mode & 0o7777 });
    case 'chown':
      return changedOnly({ ...touched(existing(tree, record.fid), record), owner: record.owner });
    case 'setprops': {
      const object = existing(tree, record.fid);
      const properties: Record<string, string> = { ...object.properties };
      for (const name of record.remove) delete properties[name];
      Object.assign(properties, record.set);
      if (propertyBytes(properties) > limits.propertyBytes) throw failure('too-large', object.fid);
      return changedOnly({ ...touched(object, record), properties });
    }
  }
}

function applyCreation(tree: Tree, record: CreateRecord | MakeDirRecord | SymlinkRecord): Effect {
  const parent = directoryOf(tree, record.parent);
  if (volumeOf(record.fid) !== volumeOf(record.parent)) throw failure('cross-volume', record.fid);
  mustBeName(record.name, record.parent);
  if (tree.entry(record.parent, record.name) !== undefined) throw failure('exists', record.parent);
  if (tree.status(record.fid) !== undefined) throw failure('exists', record.fid);
  if (record.op === 'symlink' && Buffer.byteLength(record.target) > limits.targetBytes) {
    throw failure('too-large', record.fid);
  }
  const kind = record.op === 'mkdir' ? 'directory' : record.op === 'create' ? 'file' : 'symlink';
  const status: VnodeStatus = {
    fid: record.fid,
    kind,
    parent: record.parent,
    vv: {},
    storeId: record.storeId,
    known: withStoreId({}, record.storeId),
    data: kind === 'file' ? { storeId: record.storeId, length: 0, digest: emptyDigest } : null,
    target: record.op === 'symlink' ? record.target : null,
    created: record.time,
    modified: record.time,
    mode: record.op === 'symlink' ? 0o777 : record.mode & 0o7777,
    owner: record.author,
    author: record.author,
    properties: {},
  };
  return {
    changed: [entryChanged(parent, record), status],
    removed: [],
    unbound: [],
    bound: [{ directory: record.parent, entry: { name: record.name, fid: record.fid, kind } }],
  };
}

function applyRename(tree: Tree, record: RenameRecord): Effect {
  const from = directoryOf(tree, record.fromParent);
  const to = directoryOf(tree, record.toParent);
  if (volumeOf(record.fid) !== volumeOf(record.toParent)) throw failure('cross-volume', record.fid);
  mustBeName(record.toName, record.toParent);
  const object = boundObject(tree, record.fromParent, record.fromName, record.fid);
  if (tree.entry(record.toParent, record.toName) !== undefined) throw failure('exists', record.toParent);
  if (object.kind === 'directory') mustNotLoop(tree, object.fid, record.toParent);
  const moved = { ...touched(object, record), parent: record.toParent };
  const directories = from.fid === to.fid ? [from] : [from, to];
  return {
    changed: [...directories.map((directory) => entryChanged(directory, record)), moved],
    removed: [],
    unbound: [{ directory: record.fromParent, name: record.fromName }],
    bound: [
      { directory: record.toParent, entry: { name: record.toName, fid: record.fid, kind: object.kind } },
    ],
  };
}

/** A directory must not become its own descendant (invariant I6: the tree is acyclic). */
function mustNotLoop(tree: Tree, directory: Fid, newParent: Fid): void {
  let ancestor: Fid | null = newParent;
  for (let depth = 0; ancestor !== null; depth += 1) {
    if (ancestor === directory) throw failure('loop', directory);
    if (depth > limits.depth) throw failure('too-large', directory);
    ancestor = existing(tree, ancestor).parent;
  }
}

function touched(status: VnodeStatus, record: Mutation): VnodeStatus {
  return {
    ...status,
    storeId: record.storeId,
    known: withStoreId(status.known, record.storeId),
    author: record.author,
  };
}

function entryChanged(directory: VnodeStatus, record: Mutation): VnodeStatus {
  return { ...touched(directory, record), modified: record.time };
}

function changedOnly(status: VnodeStatus): Effect {
  return { changed: [status], removed: [], unbound: [], bound: [] };
}

function existing(tree: Tree, fid: Fid): VnodeStatus {
  const status = tree.status(fid);
  if (status === undefined) throw failure('not-found', fid);
  return status;
}

function directoryOf(tree: Tree, fid: Fid): VnodeStatus {
  const status = existing(tree, fid);
  if (status.kind !== 'directory') throw failure('not-directory', fid);
  return status;
}

/** The object that `name` must be bound to for the record to make sense. */
function boundObject(tree: Tree, directory: Fid, name: string, fid: Fid): VnodeStatus {
  if (tree.entry(directory, name)?.fid !== fid) throw failure('not-found', fid);
  return existing(tree, fid);
}

function mustBeName(name: string, directory: Fid): void {
  const fault = nameFault(name);
  if (fault !== undefined) throw new Failure('invalid', operation, `the name ${fault}`, { fid: directory });
}

function propertyBytes(properties: Readonly<Record<string, string>>): number {
  let bytes = 0;
  for (const [name, value] of Object.entries(properties)) {
    bytes += Buffer.byteLength(name) + Buffer.byteLength(value);
  }
  return bytes;
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
};

function failure(kind: Failure['kind'], fid: Fid): Failure {
  return new Failure(kind, operation, sentences[kind] ?? 'the record makes no sense here', { fid });
}
