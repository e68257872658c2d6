/** Which changes of a MemoryTree an operation comes to. */
import { emptyDigest, type DirectoryEntry, type Fid, type FileData } from '../../vice/interface/index.js';
import type { Name } from '../interface.js';
import { marksLike, type Seen } from './memory-names.js';
import type { Change, MemoryTree } from './memory-tree.js';

/** A name, and what is seen under it. */
interface Spot<S extends Seen | undefined> extends Name {
  readonly seen: S;
}

/** The object that a name means afterwards, and how that comes about. */
interface Planned {
  readonly fid: Fid;
  readonly changes: readonly Change[];
}

type Contents = Pick<FileData, 'length' | 'digest' | 'modified'>;

/** What has to be done before it is gone. Of a file in conflict only the version that is shown. */
export function removals(tree: MemoryTree, parent: Fid, { name, status, sibling }: Seen): readonly Change[] {
  const isOne = status.siblings.length > 0 && !tree.hidesVersions;
  const version = sibling ?? (isOne ? status.data : null);
  if (version === null) return wholeRemovals(tree, parent, { name, fid: status.fid, kind: status.kind });
  return [{ op: 'repair', fid: status.fid, dismiss: marksLike(status, version.digest), accept: null }];
}

export function moved(
  tree: MemoryTree,
  source: Spot<Seen>,
  target: Spot<Seen | undefined>,
): readonly Change[] {
  const { status, sibling } = source.seen;
  const { fid } = status;
  const leave: Change =
    sibling === null
      ? { op: 'remove', parent: source.parent, name: source.name, fid }
      : { op: 'repair', fid, dismiss: marksLike(status, sibling.digest), accept: null };
  const data = sibling ?? status.data;
  if (data !== null && isContested(target.seen)) {
    const { length, digest, modified } = data;
    const store = { op: 'store', fid: target.seen.fid, length, digest, modified } as const;
    if (target.seen.fid !== fid) return [store, leave];
    // A version beside the file takes the place of what is shown there.
    const replaced = [digest, status.data?.digest].flatMap((of) => marksLike(status, of));
    const beside = status.siblings.map(({ mark }) => mark).filter((mark) => !replaced.includes(mark));
    return [{ ...store, beside }];
  }
  const { parent, name } = target;
  const before = target.seen === undefined ? [] : removals(tree, parent, target.seen);
  if (sibling !== null) return [...before, ...storedAnew(tree.newFid(), parent, name, sibling), leave];
  const from = { fromParent: source.parent, fromName: source.name };
  return [...before, { op: 'rename', ...from, toParent: parent, toName: name, fid }];
}

export function copied(
  tree: MemoryTree,
  { status, sibling }: Pick<Seen, 'status' | 'sibling'>,
  target: Spot<Seen | undefined>,
  now: number,
): Planned {
  const { parent, name, seen } = target;
  const { kind, mode, properties } = status;
  const data = sibling ?? status.data ?? { length: 0, digest: emptyDigest };
  const isWrite = kind === 'file' && isContested(seen);
  const fid = isWrite ? seen.fid : tree.newFid();
  const changes: Change[] = seen === undefined || isWrite ? [] : [...removals(tree, parent, seen)];
  if (kind === 'directory') changes.push({ op: 'mkdir', parent, name, fid, mode });
  else if (kind === 'symlink')
    changes.push({ op: 'symlink', parent, name, fid, target: status.target ?? '' });
  else {
    if (!isWrite) changes.push({ op: 'create', parent, name, fid, mode });
    changes.push({ op: 'store', fid, length: data.length, digest: data.digest, modified: now });
  }
  changes.push({ op: 'setprops', fid, set: properties, remove: [] });
  return { fid, changes };
}

/** New contents under a name. Written over a version beside a file they are a file of their own, in its place. */
export function written(
  tree: MemoryTree,
  { parent, name, seen }: Spot<Seen | undefined>,
  data: Contents,
): Planned {
  if (seen !== undefined && seen.sibling === null) {
    return { fid: seen.fid, changes: [{ op: 'store', fid: seen.fid, ...data }] };
  }
  const before = seen === undefined ? [] : removals(tree, parent, seen);
  const fid = tree.newFid();
  return { fid, changes: [...before, ...storedAnew(fid, parent, name, data)] };
}

/** What makes a file of its own of a version that is there already. */
export function storedAnew(fid: Fid, parent: Fid, name: string, data: Contents): readonly Change[] {
  const { length, digest, modified } = data;
  return [
    { op: 'create', parent, name, fid, mode: 0o644 },
    { op: 'store', fid, length, digest, modified },
  ];
}

/** Of a directory with all that is below it, children first. */
function wholeRemovals(
  tree: MemoryTree,
  parent: Fid,
  { name, fid, kind }: DirectoryEntry,
): readonly Change[] {
  if (kind !== 'directory') return [{ op: 'remove', parent, name, fid }];
  const below = tree.entries(fid).flatMap((entry) => wholeRemovals(tree, fid, entry));
  return [...below, { op: 'rmdir', parent, name, fid }];
}

/** A file beside which other versions stand: what is written over it leaves them alone. */
function isContested(seen: Seen | undefined): seen is Seen {
  return seen !== undefined && seen.sibling === null && seen.status.siblings.length > 0;
}
