/** Finds versions beside files in conflict, by name or Fid. Where nothing is in conflict this costs nothing. */
import {
  conflictName,
  Failure,
  limits,
  type DirectoryEntry,
  type Fid,
  type FileData,
} from '../../vice/interface/index.js';
import { findEntry } from '../cache/find-entry.js';
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
  /** Whether the volume of an object shows one version of a file alone. */
  readonly hidesVersions: (fid: Fid) => boolean;
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
  { cache, fetcher, hidesVersions }: SiblingsWorld,
  directory: Fid,
  name: string,
): Promise<NamedSibling | undefined> {
  if (hidesVersions(directory)) return undefined;
  const plain = namesBeside(cache, directory, name);
  if (plain === undefined) return undefined;
  // What stands beside a file that was not looked at since it came into conflict is known from its name alone.
  for (const entry of plain) if (entry.kind === 'file') await fetcher.fresh(entry.fid).catch(passOver);
  const files = cache.conflicts.in(directory);
  if (files === undefined) return undefined;
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
  { cache, fetcher, hidesVersions }: SiblingsWorld,
  directory: Fid,
  name: string,
): Promise<DirectoryEntry | undefined> {
  if (hidesVersions(directory)) return undefined;
  for (const entry of namesBeside(cache, directory, name) ?? []) {
    if (entry.kind !== 'file') continue;
    const { data } = (await fetcher.fresh(entry.fid)).status;
    if (data === null) continue;
    const origin = { ...data, time: data.saved };
    if ([false, true].some((distinct) => conflictName(entry.name, origin, distinct) === name)) return entry;
  }
  return undefined;
}

/**
 * The entries of `directory` beside which a version can stand under `name`, by the form of the name alone; undefined:
 * it has not the form. More than one only where a name is so long that its conflict names are cut.
 */
function namesBeside(
  cache: ObjectCache,
  directory: Fid,
  name: string,
): readonly DirectoryEntry[] | undefined {
  const at = name.lastIndexOf(sign);
  const end = name.indexOf(')', at);
  if (at < 0 || end < 0) return undefined;
  const names = cache.names(directory);
  if (names === undefined) return [];
  const [stem, extension] = [name.slice(0, at), name.slice(end + 1)];
  const entry = findEntry(names, `${stem}${extension}`);
  if (entry !== undefined) return [entry];
  if (Buffer.byteLength(name) < limits.nameBytes - 3) return [];
  return [...names.values()].filter(
    (other) => other.name.startsWith(stem) && other.name.endsWith(extension) && other.name !== name,
  );
}

/** Removed meanwhile, or out of reach: then nothing is known to stand beside it. */
function passOver(error: unknown): void {
  if (!(error instanceof Failure)) throw error;
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
