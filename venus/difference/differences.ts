/** The parts of this folder, put together for one gateway. */
import { isFailure } from '../../vice/interface/index.js';
import type { Log } from '../../vice/seam/log.js';
import type { AccessGuard } from '../access/access-guard.js';
import type { ContainerCache } from '../cache/container-cache.js';
import type { ObjectCache } from '../cache/object-cache.js';
import type { Caller, ExpectedTarget } from '../interface.js';
import { Bases } from './bases.js';
import { FetchDifferences } from './fetched-difference.js';
import { KnownRecipes } from './known-recipes.js';
import { LatelyUsed } from './lately-used.js';
import { StaleContents } from './stale-contents.js';
import { UploadDifferences, type Replaced } from './upload-differences.js';
import { leastBytes, type DifferenceMode } from './worth.js';

export interface DifferencesOptions {
  readonly containers: ContainerCache;
  readonly cacheBytes: number;
  readonly mode: DifferenceMode | undefined;
  readonly log: Log;
}

export class Differences {
  readonly stale: StaleContents;
  readonly uploads: UploadDifferences;
  readonly fetches: FetchDifferences;
  readonly lately = new LatelyUsed();

  constructor({ containers, cacheBytes, mode = 'measured', log }: DifferencesOptions) {
    const recipes = new KnownRecipes(containers);
    const bases = new Bases(containers, mode, log);
    this.stale = new StaleContents(containers, cacheBytes);
    this.uploads = new UploadDifferences({ bases, recipes, containers });
    this.fetches = new FetchDifferences({ bases, recipes, containers, log, stale: this.stale });
  }
}

export interface ReplacedWorld {
  readonly cache: ObjectCache;
  readonly guard: AccessGuard;
  readonly lately: LatelyUsed;
}

/**
 * What is to be known of the file that `caller` replaces, or probably makes a new version of, so that only what is new is
 * moved. Of a file that he may not read nothing: how long his writing takes would tell him what is in it.
 */
export async function replacedFile(
  { cache, guard, lately }: ReplacedWorld,
  caller: Caller,
  { into, replaces }: ExpectedTarget,
  announced: number | undefined,
): Promise<Replaced | undefined> {
  const fid = replaces ?? (into && lately.likely(caller.user, into, announced));
  const status = fid === undefined ? undefined : cache.status(fid);
  const length = status?.data?.length ?? 0;
  if (status === undefined || length < leastBytes) return undefined;
  try {
    await guard.mayRead(caller, status);
    return { fid: status.fid, length };
  } catch (error) {
    if (!isFailure(error)) throw error;
    return undefined;
  }
}
