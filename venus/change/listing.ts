/** What is in a directory, as it is seen. */
import { Failure, type Fid } from '../../vice/interface/index.js';
import { siblingView } from '../conflict/sibling.js';
import { siblingsBeside } from '../conflict/siblings.js';
import type { Entry } from '../interface.js';
import type { Volume } from '../volume/volume.js';
import { coveringView, type WalkWorld } from './namespace.js';

export interface ListingWorld extends WalkWorld {
  readonly volume: (fid: Fid) => Volume;
  /** Gives other requests a turn. */
  readonly pause: () => Promise<void>;
}

/** Names in one batch of a listing, by whether its objects are in memory. */
const listBatch = { hot: 500, cold: 100 } as const;

/** Of `directory`, whose names are cached and valid. @see Venus.list */
export async function* listing(world: ListingWorld, directory: Fid): AsyncGenerator<readonly Entry[]> {
  const { cache, fetcher, pause } = world;
  const entries = [...(cache.names(directory)?.values() ?? [])];
  for (let start = 0, most = 0; start < entries.length; start += most) {
    most = cache.isHot(entries[start]?.fid ?? directory) ? listBatch.hot : listBatch.cold;
    const batch = entries.slice(start, start + most);
    await fetcher.freshen(batch.map(({ fid }) => fid));
    const shown: Entry[] = [];
    for (const { name, fid } of batch) {
      const mounted = world.mounts.on(fid) && (await mountedAt(world, name, fid));
      if (mounted === undefined) shown.push(...seenUnder(world, name, fid));
      else shown.push(mounted);
    }
    yield shown;
    await pause();
  }
}

async function mountedAt(world: ListingWorld, name: string, fid: Fid): Promise<Entry | undefined> {
  const covered = world.cache.get(fid);
  const status = covered && (await coveringView(world, covered));
  return status && { name, status };
}

/** The object, and the versions beside it. */
function seenUnder({ cache, hidesVersions, volume }: ListingWorld, name: string, fid: Fid): readonly Entry[] {
  const object = cache.get(fid);
  if (object !== undefined) {
    const siblings = hidesVersions(fid) ? [] : siblingsBeside(cache, object, name);
    const beside = siblings.map((each) => ({ name: each.name, status: siblingView(object, each.version) }));
    return [{ name, status: object.view }, ...beside];
  }
  // Gone meanwhile, if servers can be asked; else a listing is whole or none.
  if (volume(fid).avsg.length > 0) return [];
  throw new Failure('unreachable', 'venus.list', 'not all of this directory is in the cache', { fid });
}
