/** Where an object is, in names from the realm's root. */
import { isFailure, rootFid, volumeOf, type Fid } from '../../vice/interface/index.js';
import type { CachedObject } from '../cache/cached-object.js';
import type { ObjectCache } from '../cache/object-cache.js';
import type { Fetcher } from '../volume/fetch.js';
import type { Mounts } from '../volume/mounts.js';
import { nameBorne } from './siblings.js';

/** Directories above an object that are followed at most; a circle cannot be, but a damaged cache can. */
const depthMost = 1000;

export interface PathWorld {
  readonly cache: ObjectCache;
  readonly fetcher: Fetcher;
  readonly mounts: Mounts;
}

/** The ways up to a root. */
type Ways = Pick<Mounts, 'root' | 'under' | 'above'>;

/** As far as it is cached; null: it cannot be told, or it is not in the tree (its volume is mounted nowhere, say). */
export function cachedPath(cache: ObjectCache, mounts: Ways, fid: Fid): readonly string[] | null {
  const path: string[] = [];
  for (let at: Fid | null = fid; at !== mounts.root;) {
    const object: CachedObject | undefined = at === null ? undefined : cache.get(mounts.under(at));
    if (object === undefined || path.length > depthMost) return null;
    path.unshift(nameBorne(cache, object));
    at = mounts.above(object.status.parent);
  }
  return path;
}

/** The same from the root of the object's own volume, wherever that is mounted. */
export function pathInVolume(cache: ObjectCache, fid: Fid): readonly string[] | null {
  const root = rootFid(volumeOf(fid));
  return cachedPath(cache, { root, under: (at) => at, above: (parent) => parent }, fid);
}

/** As `cachedPath`; what is not cached is asked for. */
export async function askedPath(
  { cache, fetcher, mounts }: PathWorld,
  fid: Fid | null,
): Promise<readonly string[] | null> {
  const path: string[] = [];
  for (let at = fid; at !== mounts.root;) {
    const object =
      at === null || path.length > depthMost ? undefined : await asked(fetcher, mounts.under(at));
    if (object === undefined) return null;
    path.unshift(nameBorne(cache, object));
    at = mounts.above(object.status.parent);
  }
  return path;
}

async function asked(fetcher: Fetcher, fid: Fid): Promise<CachedObject | undefined> {
  try {
    return await fetcher.fresh(fid);
  } catch (error) {
    if (!isFailure(error)) throw error;
    return undefined;
  }
}
