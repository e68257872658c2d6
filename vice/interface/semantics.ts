/**
 * What a record means: whether it may be applied to a tree and what it changes. Pure; the one implementation that
 * the servers (authoritative) and Venus (its cached view) share, so that both always agree.
 *
 * A settled record (mutation.ts) is not refused for what others did meanwhile: it adds its alternative to theirs, and
 * is applied to what was removed, too. What that comes to in the tree (names that two objects want, circles) only a
 * replica works out (vice/volume/settle.ts).
 *
 * Not here: version vectors (each side counts its own way), rights, quota and certification (vice/volume).
 */
import { attributesSet, contents } from './attributes.js';
import { applyAccess, applyAttributes } from './attribute-effect.js';
import { baseOf, changedOnly, existing, failure, touched, type Effect, type Tree } from './effect.js';
import { Failure } from './failure.js';
import { rootFid, volumeOf, type Fid } from './fid.js';
import { arranged, isRemoved } from './merge.js';
import type {
  CreateRecord,
  MakeDirRecord,
  Mutation,
  RemoveDirRecord,
  RemoveRecord,
  RenameRecord,
  RepairRecord,
  StoreRecord,
  SymlinkRecord,
} from './mutation.js';
import { noNames, toggledName } from './names-digest.js';
import { counterOf, isWithin, knows, unionOf, withStoreId, type StoreIdVector } from './store-id.js';
import { isGivenUp, repaired, versionsOf } from './versions.js';
import { emptyDigest, limits, nameFault, type FileData, type Placement, type VnodeStatus } from './vnode.js';

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
    case 'rmdir':
      return applyRemoval(tree, record);
    case 'rename':
      return applyRename(tree, record);
    case 'store':
      return applyStore(tree, record);
    case 'repair':
      return applyRepair(tree, record);
    case 'utimes':
    case 'chmod':
    case 'chown':
    case 'setprops':
      return applyAttributes(tree, record);
    case 'setacl':
      return applyAccess(tree, record);
  }
}

function applyCreation(tree: Tree, record: CreateRecord | MakeDirRecord | SymlinkRecord): Effect {
  const parent = directoryOf(tree, record, record.parent);
  if (volumeOf(record.fid) !== volumeOf(record.parent)) throw failure('cross-volume', record.fid);
  mustBeName(record.name, record.parent);
  mustBeFree(tree, record, record.parent, record.name);
  if (tree.status(record.fid) !== undefined) throw failure('exists', record.fid);
  if (record.op === 'symlink' && Buffer.byteLength(record.target) > limits.targetBytes) {
    throw failure('too-large', record.fid);
  }
  const kind = record.op === 'mkdir' ? 'directory' : record.op === 'create' ? 'file' : 'symlink';
  const empty = { length: 0, digest: emptyDigest, modified: record.time, saved: record.time };
  const status: VnodeStatus = {
    fid: record.fid,
    kind,
    parent: record.parent,
    vv: {},
    storeId: record.storeId,
    rank: counterOf(record.storeId),
    known: withStoreId({}, record.storeId),
    data: kind === 'file' ? versionBy(record, empty) : null,
    siblings: [],
    places: [placement(record, record.parent, record.name)],
    gone: {},
    revived: {},
    names: kind === 'directory' ? noNames : '',
    target: record.op === 'symlink' ? record.target : null,
    created: record.time,
    modified: record.time,
    mode: record.op === 'symlink' ? 0o777 : record.mode & 0o7777,
    owner: record.author,
    author: record.author,
    properties: {},
    setters: {},
  };
  const entry = { name: record.name, fid: record.fid, kind } as const;
  return {
    changed: [named(entryChanged(parent, record), [entry]), status],
    removed: [],
    unbound: [],
    bound: [{ directory: record.parent, entry }],
  };
}

function applyRemoval(tree: Tree, record: RemoveRecord | RemoveDirRecord): Effect {
  const { fid, name } = record;
  const parent = directoryOf(tree, record, record.parent, false);
  const object = boundObject(tree, record, record.parent, name, fid);
  if (record.op === 'remove' && object.kind === 'directory') throw failure('is-directory', fid);
  if (record.op === 'rmdir' && object.kind !== 'directory') throw failure('not-directory', fid);
  const isFull = record.op === 'rmdir' && !tree.isEmpty(fid);
  if (isFull && record.settled !== true) throw failure('not-empty', fid);
  // Names decide whether it may be removed; then all of it goes, but what a settled removal did not know of.
  const covers =
    record.settled === true ? baseOf(record, fid) : unionOf(baseOf(record, fid), marksOf(object));
  // The removal itself, too: who takes back another one, that knew the same, has not taken back this one.
  const gone = unionOf(object.gone, withStoreId(covers, record.storeId));
  const revived = isFull ? unionOf(object.revived, gone) : object.revived;
  const after = arranged({ ...touched(object, record), gone, revived }, versionsOf(object), object.places);
  const isBoundHere = tree.entry(record.parent, name)?.fid === fid;
  const isGone = isRemoved(after);
  const unbinds = isGone && isBoundHere;
  return {
    changed: [
      named(entryChanged(parent, record), unbinds ? [{ fid, name }] : []),
      ...(isGone ? [] : [after]),
    ],
    removed: isGone ? [after] : [],
    unbound: unbinds ? [{ directory: record.parent, name }] : [],
    bound: [],
  };
}

function applyRename(tree: Tree, record: RenameRecord): Effect {
  const { fid, fromName, toName } = record;
  const from = directoryOf(tree, record, record.fromParent, false);
  const to = directoryOf(tree, record, record.toParent);
  if (volumeOf(fid) !== volumeOf(record.toParent)) throw failure('cross-volume', fid);
  mustBeName(toName, record.toParent);
  const object = boundObject(tree, record, record.fromParent, fromName, fid);
  mustBeFree(tree, record, record.toParent, toName);
  if (object.kind === 'directory' && record.settled !== true) mustNotLoop(tree, fid, record.toParent);
  const seen = baseOf(record, fid);
  const others = otherPlaces(object, record, seen);
  const places = [placement(record, record.toParent, toName), ...others];
  const moved = arranged(revivedBy(touched(object, record), seen), versionsOf(object), places);
  const isBoundHere = tree.entry(record.fromParent, fromName)?.fid === fid;
  const gone = isBoundHere ? [{ fid, name: fromName }] : [];
  const entry = { name: toName, fid, kind: object.kind };
  const directories =
    from.fid === to.fid
      ? [named(entryChanged(from, record), [...gone, entry])]
      : [named(entryChanged(from, record), gone), named(entryChanged(to, record), [entry])];
  return {
    changed: [...directories, moved],
    removed: [],
    unbound: gone.map(({ name }) => ({ directory: record.fromParent, name })),
    bound: [{ directory: record.toParent, entry }],
  };
}

function applyStore(tree: Tree, record: StoreRecord): Effect {
  const file = existing(tree, record, record.fid);
  if (file.kind !== 'file') throw failure(file.kind === 'directory' ? 'is-directory' : 'invalid', file.fid);
  const seen = baseOf(record, file.fid);
  const versions = versionsOf(file).filter(
    ({ mark }) => !knows(seen, mark) || record.beside?.includes(mark) === true,
  );
  if (versions.length >= limits.alternatives) throw failure('too-large', file.fid);
  const { setters } = attributesSet(file, record, [contents]);
  const after = { ...revivedBy(touched(file, record), seen), setters };
  return changedOnly(arranged(after, [versionBy(record, record), ...versions], file.places));
}

function applyRepair(tree: Tree, record: RepairRecord): Effect {
  const object = existing(tree, record, record.fid);
  const versions = repaired(object, record);
  if (record.settled !== true && versions.length > 0 && versions.every(isGivenUp))
    throw failure('invalid', object.fid);
  const after = touched(object, record);
  const { accept } = record;
  if (accept === null) return changedOnly(arranged(after, versions, object.places));
  const seen = baseOf(record, object.fid);
  const parent = accept.parent ?? object.parent;
  const accepted = revivedBy(after, seen);
  if (parent === null || object.parent === null)
    return changedOnly(arranged(accepted, versions, object.places));
  if (volumeOf(parent) !== volumeOf(object.fid)) throw failure('cross-volume', object.fid);
  mustBeName(accept.name, object.fid);
  const unseen = otherPlaces(object, record, seen);
  const place = { ...placement(record, parent, accept.name), time: accept.since ?? record.time };
  return changedOnly(arranged(accepted, versions, [place, ...unseen]));
}

/**
 * Those that the author had not seen. Not his own: resolution brings where a directory is before it says that it has
 * known the update (VR-4), and then the record comes, too.
 */
function otherPlaces(object: VnodeStatus, { storeId }: Mutation, seen: StoreIdVector): readonly Placement[] {
  return object.places.filter((place) => place.storeId !== storeId && !knows(seen, place.storeId));
}

/** A directory must not become its own descendant (invariant I6: the tree is acyclic). */
function mustNotLoop(tree: Tree, directory: Fid, newParent: Fid): void {
  let ancestor: Fid | null = newParent;
  for (let depth = 0; ancestor !== null; depth += 1) {
    if (ancestor === directory) throw failure('loop', directory);
    if (depth > limits.depth) throw failure('too-large', directory);
    const status = tree.status(ancestor);
    if (status === undefined) throw failure('not-found', ancestor);
    ancestor = status.parent;
  }
}

/** The time of the last change of a name, as any attribute: of changes made apart the same one everywhere. */
function entryChanged(directory: VnodeStatus, record: Mutation): VnodeStatus {
  const { won, setters } = attributesSet(directory, record, ['modified']);
  return { ...touched(directory, record), setters, ...(won.size > 0 && { modified: record.time }) };
}

/** `directory` after the names `toggled` have come or gone. */
function named(
  directory: VnodeStatus,
  toggled: readonly { readonly fid: Fid; readonly name: string }[],
): VnodeStatus {
  let { names } = directory;
  for (const { fid, name } of toggled) names = toggledName(names, fid, name);
  return names === directory.names ? directory : { ...directory, names };
}

/** Somebody who knew of the removal goes on with the object: it is taken back. */
function revivedBy(status: VnodeStatus, seen: StoreIdVector): VnodeStatus {
  if (isWithin(status.gone, status.revived) || !isWithin(status.gone, seen)) return status;
  return { ...status, revived: unionOf(status.revived, status.gone) };
}

function placement(record: Mutation, parent: Fid, name: string): Placement {
  const { storeId, time, author, host } = record;
  return { parent, name, storeId, time, author, host, isBroken: false };
}

function versionBy(
  { storeId, author, host }: Mutation,
  { length, digest, modified, saved }: Pick<FileData, 'length' | 'digest' | 'modified' | 'saved'>,
): FileData {
  return { storeId, mark: storeId, length, digest, modified, author, host, saved };
}

/** Everything that a removal has to cover. */
function marksOf(object: VnodeStatus): StoreIdVector {
  let marks: StoreIdVector = {};
  for (const { storeId } of object.places) marks = withStoreId(marks, storeId);
  for (const { mark, vouched = {} } of versionsOf(object)) marks = unionOf(withStoreId(marks, mark), vouched);
  return marks;
}

/** The directory; where a settled record needs it alive (to put something into it), it is again. */
function directoryOf(tree: Tree, record: Mutation, fid: Fid, isNeeded = true): VnodeStatus {
  const status = existing(tree, record, fid);
  if (status.kind !== 'directory') throw failure('not-directory', fid);
  if (!isNeeded || !isRemoved(status)) return status;
  return { ...status, revived: unionOf(status.revived, status.gone) };
}

/** The object that `name` must be bound to for the record to make sense; for a settled one it may have moved. */
function boundObject(tree: Tree, record: Mutation, directory: Fid, name: string, fid: Fid): VnodeStatus {
  if (record.settled !== true && tree.entry(directory, name)?.fid !== fid) throw failure('not-found', fid);
  if (fid === rootFid(volumeOf(fid))) throw failure('invalid', fid);
  return existing(tree, record, fid);
}

function mustBeFree(tree: Tree, record: Mutation, directory: Fid, name: string): void {
  if (record.settled !== true && tree.entry(directory, name) !== undefined)
    throw failure('exists', directory);
}

function mustBeName(name: string, directory: Fid): void {
  const fault = nameFault(name);
  if (fault !== undefined)
    throw new Failure('invalid', 'semantics.apply', `the name ${fault}`, { fid: directory });
}
