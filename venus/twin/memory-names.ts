/**
 * What is seen in a MemoryTree: names, those of the versions beside a file included. The Fid of such a version is the
 * file's, '@', and its StoreId.
 */
import {
  conflictName,
  conflictsOf,
  Failure,
  siblingsOf,
  versionsOf,
  type DirectoryEntry,
  type Fid,
  type FileData,
  type StoreId,
  type VnodeStatus,
} from '../../vice/interface/index.js';
import type { Conflict, ConflictKind, Entry, ObjectStatus } from '../interface.js';
import type { MemoryTree } from './memory-tree.js';

/** Something under a name. */
export interface Seen {
  readonly name: string;
  /** Its own: of a version beside a file not the file's. */
  readonly fid: Fid;
  /** The object; of a version beside a file the file. */
  readonly status: VnodeStatus;
  /** Of a version beside a file; else null. */
  readonly sibling: FileData | null;
}

/** The versions beside the file `fid` that bears `name` in `directory`. */
export function siblingsSeen(
  tree: MemoryTree,
  directory: Fid,
  { name, fid }: DirectoryEntry,
): readonly Seen[] {
  const status = tree.status(fid);
  if (status === undefined || status.siblings.length === 0) return [];
  const taken = new Set<string>();
  return siblingsOf(status).map((sibling) => {
    const origin = { ...sibling, time: sibling.saved };
    const plain = conflictName(name, origin);
    const isFree = tree.entry(directory, plain) === undefined && !taken.has(plain);
    const own = isFree ? plain : conflictName(name, origin, true);
    taken.add(own);
    return { name: own, fid: siblingFid(fid, sibling.storeId), status, sibling };
  });
}

/** What a listing shows of one entry: the object, and the versions beside it. */
export function entriesSeen(tree: MemoryTree, directory: Fid, entry: DirectoryEntry): readonly Entry[] {
  const status = tree.status(entry.fid);
  if (status === undefined) return [];
  const own = { name: entry.name, status: viewOf(tree, { status, sibling: null }) };
  const beside = tree.hidesVersions ? [] : siblingsSeen(tree, directory, entry);
  return [own, ...beside.map((seen) => ({ name: seen.name, status: viewOf(tree, seen) }))];
}

/** What bears `name`, byte for byte or else in the other Unicode form. */
export function findSeen(tree: MemoryTree, directory: Fid, name: string): Seen | undefined {
  for (const form of [name, name.normalize('NFC'), name.normalize('NFD')]) {
    const entry = tree.entry(directory, form);
    const status = entry && tree.status(entry.fid);
    if (status !== undefined) return { name: form, fid: status.fid, status, sibling: null };
  }
  if (!name.includes(' (conflict ') || tree.hidesVersions) return undefined;
  return tree
    .entries(directory)
    .flatMap((entry) => siblingsSeen(tree, directory, entry))
    .find((seen) => seen.name === name);
}

/** @throws Failure not-found */
export function seenByFid(tree: MemoryTree, fid: Fid, operation: string): Pick<Seen, 'status' | 'sibling'> {
  const [file = '', version] = fid.split('@');
  const status = tree.status(file as Fid);
  const sibling =
    version === undefined || status === undefined
      ? null
      : siblingsOf(status).find(({ storeId }) => storeId === version);
  if (status !== undefined && sibling !== undefined) return { status, sibling };
  throw new Failure('not-found', `memory.${operation}`, 'the object is gone', { fid });
}

/** What gateways see of it. */
export function viewOf(
  tree: MemoryTree,
  { status, sibling }: Pick<Seen, 'status' | 'sibling'>,
): ObjectStatus {
  const data = sibling ?? status.data;
  return {
    fid: sibling === null ? status.fid : siblingFid(status.fid, sibling.storeId),
    kind: status.kind,
    length: data?.length ?? 0,
    version: data?.storeId ?? null,
    digest: data?.digest ?? null,
    created: status.created,
    modified: sibling?.modified ?? status.modified,
    mode: status.mode,
    owner: status.owner,
    author: sibling?.author ?? status.author,
    properties: status.properties,
    target: status.target,
    conflict: conflictOf(tree, status, sibling),
  };
}

/** Marks of all versions with these contents. */
export function marksLike(status: VnodeStatus, digest: string | undefined): readonly StoreId[] {
  return versionsOf(status)
    .filter((version) => version.digest === digest)
    .map(({ mark }) => mark);
}

export function siblingFid(file: Fid, version: StoreId): Fid {
  return `${file}@${version}` as Fid;
}

/** Whether a conflict of this kind is there for people to decide. */
export function isSeen(tree: MemoryTree, kind: ConflictKind): boolean {
  return kind !== 'versions' || !tree.hidesVersions;
}

function conflictOf(tree: MemoryTree, status: VnodeStatus, sibling: FileData | null): Conflict | null {
  const [kind] = conflictsOf(status, tree.nameOf(status.fid)).filter(
    (each) => sibling !== null || isSeen(tree, each),
  );
  const [place] = status.places;
  if (kind === undefined || place === undefined) return null;
  const version = sibling ?? (kind === 'versions' ? status.data : null);
  const { author, host, time } = version === null ? place : { ...version, time: version.saved };
  const seen = sibling === null ? kind : 'sibling';
  return { kind: seen, author, host, time, wanted: place.name, vector: status.vv };
}
