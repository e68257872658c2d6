/**
 * From an entry to objects (Coda: name contexts). A name counts first: what was made anew under it is what is meant, as
 * programs that save do. Where nothing bears the name any more, the entry follows the object to where it was moved.
 */
import { Failure, isFailure, right, type Fid } from '../../vice/interface/index.js';
import type { AccessGuard } from '../access/access-guard.js';
import { findEntry } from '../cache/find-entry.js';
import type { ObjectCache } from '../cache/object-cache.js';
import { askedPath } from '../conflict/paths.js';
import type { MissingReason } from '../hoarding.js';
import type { Fetcher } from '../volume/fetch.js';
import type { Mounts } from '../volume/mounts.js';
import { namesIn, type StoredEntry } from './hoard-database.js';

export interface NamingWorld {
  readonly cache: ObjectCache;
  readonly fetcher: Fetcher;
  readonly guard: AccessGuard;
  readonly mounts: Mounts;
}

/** What an entry means now. */
export interface Bound {
  /** As it is to be kept from now on. */
  readonly entry: StoredEntry;
  /** The object; null: there is none, or none that is known. */
  readonly fid: Fid | null;
  /** What is on the way to it: directories and symbolic links. */
  readonly way: readonly Fid[];
  readonly fault: MissingReason | null;
}

/** Symbolic links that are followed on one way. */
const linksMost = 16;

export async function bind(world: NamingWorld, entry: StoredEntry): Promise<Bound> {
  try {
    return await named(world, entry, namesIn(entry.path));
  } catch (error) {
    if (!isFailure(error)) throw error;
    if (isFailure(error, 'not-found', 'not-directory')) return followed(world, entry);
    // Nobody can be asked: what it meant at last is the best guess.
    const fid = isFailure(error, 'access-denied') ? null : entry.fid;
    return { entry, fid, way: [], fault: reasonOf(error) };
  }
}

/** Why what failed so is not cached. */
export function reasonOf(failure: Failure): MissingReason {
  if (isFailure(failure, 'not-found', 'not-directory')) return 'not-found';
  if (isFailure(failure, 'access-denied')) return 'access-denied';
  if (isFailure(failure, 'unreachable', 'timeout')) return 'unreachable';
  return isFailure(failure, 'no-space') ? 'no-room' : 'failed';
}

/** The object at the end of `names`, links followed, in the name of the entry's user. @throws Failure */
async function named(
  { cache, fetcher, guard, mounts }: NamingWorld,
  entry: StoredEntry,
  names: readonly string[],
): Promise<Bound> {
  const left = [...names];
  const way: Fid[] = [];
  let links = 0;
  let at = mounts.root;
  for (let name = left.shift(); name !== undefined; name = left.shift()) {
    if (name === '.') continue;
    await fetcher.directory(at);
    await guard.require({ user: entry.user }, at, right.lookup);
    if (name === '..') {
      at = (await fetcher.fresh(mounts.under(at))).status.parent ?? at;
      continue;
    }
    way.push(at);
    const found = findEntry(cache.names(at) ?? new Map(), name);
    if (found === undefined) throw new Failure('not-found', 'venus.hoard', `there is no ${name}`);
    const { status } = await fetcher.fresh(found.fid);
    if (status.kind !== 'symlink') {
      const shown = mounts.over(found.fid);
      if (shown !== found.fid) way.push(found.fid);
      at = shown;
      continue;
    }
    way.push(found.fid);
    if ((links += 1) > linksMost)
      throw new Failure('not-found', 'venus.hoard', 'the links go round in a circle');
    const target = status.target ?? '';
    if (target.startsWith('/')) at = mounts.root;
    left.unshift(...namesIn(target));
  }
  return { entry: entry.fid === at ? entry : { ...entry, fid: at }, fid: at, way, fault: null };
}

/** Where the object of the entry has gone. */
async function followed(world: NamingWorld, entry: StoredEntry): Promise<Bound> {
  const gone: Bound = { entry, fid: null, way: [], fault: 'not-found' };
  if (entry.fid === null) return gone;
  try {
    await world.fetcher.fresh(entry.fid);
    const path = await askedPath(world, entry.fid);
    if (path === null) return gone;
    const bound = await named(world, { ...entry, path: path.join('/') }, path);
    return bound.fid === entry.fid ? bound : gone;
  } catch (error) {
    if (!isFailure(error)) throw error;
    return isFailure(error, 'not-found', 'not-directory') ? gone : { ...gone, fault: reasonOf(error) };
  }
}
