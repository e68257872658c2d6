/** Finds versions beside files in conflict, by name or Fid. Where nothing is in conflict this costs nothing. */
import {
  conflictName,
  Failure,
  type DirectoryEntry,
  type Fid,
  type FileData,
} from '../../vice/interface/index.js';
import type { CachedObject } from '../cache/cached-object.js';
import type { ObjectCache } from '../cache/object-cache.js';
import type { Fetcher } from '../volume/fetch.js';
import { parseSibling, siblingNames, siblingVersion } from './sibling.js';

export interface NamedSibling {
  readonly name: string;
  readonly file: CachedObject;
  readonly version: FileData;
}

export interface SiblingsWorld {
  readonly cache: ObjectCache;
  readonly fetcher: Fetcher;
}

/** What all names of siblings have in them. */
const sign = ' (conflict ';

/** The name that `object` bears, as far as it is known here; '' for the root. */
export function nameBorne(cache: ObjectCache, { status }: CachedObject): string {
  return cache.conflicts.get(status.fid)?.name ?? status.places[0]?.name ?? '';
}

/** The versions beside `file`, which bears `name`; its directory's names are cached. */
export function siblingsBeside(
  cache: ObjectCache,
  file: CachedObject,
  name: string,
): readonly NamedSibling[] {
  const { status } = file;
  if (status.siblings.length === 0) return [];
  const names = status.parent === null ? undefined : cache.names(status.parent);
  const found = siblingNames(name, status, (other) => names?.has(other) === true);
  return found.map((sibling) => ({ ...sibling, file }));
}

/** The version that is seen as `name` in `directory`, whose names are cached and valid. */
export async function siblingNamed(
  { cache, fetcher }: SiblingsWorld,
  directory: Fid,
  name: string,
): Promise<NamedSibling | undefined> {
  const files = cache.conflicts.in(directory);
  if (files === undefined || !name.includes(sign)) return undefined;
  await fetcher.freshen([...files]);
  const forms = new Set([name, name.normalize('NFC'), name.normalize('NFD')]);
  const candidates = [...files].flatMap((fid) => {
    const file = cache.get(fid);
    if (file?.status.parent !== directory) return [];
    return siblingsBeside(cache, file, nameBorne(cache, file));
  });
  return candidates.find((each) => each.name === name) ?? candidates.find((each) => forms.has(each.name));
}

/**
 * The entry of the file that shows the version which was seen as `name` beside it. Where the shown version was given
 * up, another one has taken the file's name; its own goes on meaning it, unlisted, for programs that delete what they
 * are going to move over, or remove one by one what they have listed.
 */
export async function entryShowing(
  { cache, fetcher }: SiblingsWorld,
  directory: Fid,
  name: string,
): Promise<DirectoryEntry | undefined> {
  const at = name.lastIndexOf(sign);
  const end = name.indexOf(')', at);
  if (at < 0 || end < 0) return undefined;
  const plain = `${name.slice(0, at)}${name.slice(end + 1)}`;
  const entry = cache.names(directory)?.get(plain);
  if (entry?.kind !== 'file') return undefined;
  const { data } = (await fetcher.fresh(entry.fid)).status;
  if (data === null) return undefined;
  const origin = { ...data, time: data.saved };
  return name === conflictName(plain, origin) || name === conflictName(plain, origin, true)
    ? entry
    : undefined;
}

/** The object that `fid` means, valid, and which version, if it is a sibling. @throws Failure not-found, unreachable */
export async function objectOrSibling(
  fetcher: Fetcher,
  fid: Fid,
): Promise<{ readonly object: CachedObject; readonly version: FileData | null }> {
  const sibling = parseSibling(fid);
  if (sibling === undefined) return { object: await fetcher.fresh(fid), version: null };
  const object = await fetcher.fresh(sibling.file);
  const version = siblingVersion(object.status, sibling.version);
  if (version !== undefined) return { object, version };
  throw new Failure('not-found', 'venus.status', 'this version is no more beside its file', { fid });
}
