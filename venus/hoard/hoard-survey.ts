/**
 * What the hoard comes to, as far as it is known: the entries with what they mean, the objects with their priorities,
 * and what has gone wrong on the way.
 */
import { emptyDigest, right, type FileData, type Fid } from '../../vice/interface/index.js';
import type { AccessGuard } from '../access/access-guard.js';
import type { ObjectCache } from '../cache/object-cache.js';
import { seenVersions } from '../conflict/sibling.js';
import type { MissingReason } from '../hoarding.js';
import type { StoredEntry } from './hoard-database.js';
import type { Mounts } from '../volume/mounts.js';
import { planning, type Extent, type Known, type Plan, type Wanted } from './hoard-plan.js';
import type { Bound } from './name-context.js';

export interface SurveyWorld {
  readonly cache: ObjectCache;
  readonly guard: AccessGuard;
  readonly mounts: Mounts;
  /** Whether the names of a cached directory count without asking anybody. */
  readonly areNamesValid: (directory: Fid) => boolean;
  readonly pause: () => Promise<void>;
}

export interface Survey {
  readonly bound: readonly Bound[];
  readonly plan: Plan;
}

export const nothingSurveyed: Survey = {
  bound: [],
  plan: { priorities: new Map(), unlisted: [], denied: [] },
};

/** Objects looked at in one turn. */
const turnObjects = 250;

/** What an entry meant when it was last bound. */
export function remembered(entry: StoredEntry): Bound {
  return { entry, fid: entry.fid, way: [], fault: entry.fid === null ? 'not-walked' : null };
}

/** `isTrusting`: names that would have to be looked at again count all the same. */
export async function survey(
  world: SurveyWorld,
  bound: readonly Bound[],
  isTrusting: (directory: Fid) => boolean,
): Promise<Survey> {
  const rights = new Map<string, boolean>();
  const may = (user: string, directory: Fid, needed: number): boolean => {
    const key = `${needed} ${directory} ${user}`;
    let answer = rights.get(key);
    if (answer === undefined) rights.set(key, (answer = world.guard.allows(user, directory, needed)));
    return answer;
  };
  const look = (fid: Fid, user: string): Known | undefined => {
    const object = world.cache.get(fid);
    // The root of a volume is in no listing that would have brought it.
    const isMounted = world.mounts.under(fid) !== fid;
    if (object === undefined) return isMounted ? { isDenied: false, children: null } : undefined;
    const { kind, parent } = object.status;
    if (kind !== 'directory')
      return { isDenied: parent !== null && !may(user, parent, right.read), children: [] };
    const isKnown = object.complete && (world.areNamesValid(fid) || isTrusting(fid));
    return {
      isDenied: !may(user, fid, right.lookup),
      children: isKnown ? childrenOf(world, fid) : null,
    };
  };
  const steps = planning(bound.flatMap(wantedOf), look);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return { bound, plan: step.value };
    await world.pause();
  }
}

function* childrenOf({ cache, mounts }: SurveyWorld, directory: Fid): Generator<Fid> {
  for (const { fid } of cache.names(directory)?.values() ?? []) yield mounts.over(fid);
}

/** The object of an entry, with what is below it as far as is meant, and what is on the way to it. */
function wantedOf({ entry, fid, way }: Bound): readonly Wanted[] {
  const { user, priority, attributes } = entry;
  const extent: Extent = attributes === 'c+' ? 'children' : attributes === 'd+' ? 'descendants' : 'object';
  const alone = way.map((each): Wanted => ({ user, priority, fid: each, extent: 'object' }));
  return fid === null ? alone : [...alone, { user, priority, fid, extent }];
}

export interface HoardedFile {
  readonly fid: Fid;
  readonly priority: number;
  /** All of its versions that are seen, but for empty ones. */
  readonly versions: readonly FileData[];
}

/** The files among the planned objects, in batches, those of the highest priority first. */
export async function* hoardedFiles(
  { cache, pause }: Pick<SurveyWorld, 'cache' | 'pause'>,
  { priorities }: Plan,
): AsyncGenerator<readonly HoardedFile[]> {
  const sorted = [...priorities].sort(([, a], [, b]) => b - a);
  for (let start = 0; start < sorted.length; start += turnObjects) {
    yield sorted.slice(start, start + turnObjects).flatMap(([fid, priority]) => {
      const versions = versionsIn(cache, fid);
      return versions.length === 0 ? [] : [{ fid, priority, versions }];
    });
    await pause();
  }
}

/** The contents of a file as it is cached now; none of what is no file, or empty. */
export function versionsIn(cache: ObjectCache, fid: Fid): readonly FileData[] {
  const status = cache.get(fid)?.status;
  if (status === undefined) return [];
  return seenVersions(status).filter(({ length, digest }) => length > 0 && digest !== emptyDigest);
}

/** Why something is missing, where nothing was noted about it. */
export function reasonWithout(isReachable: boolean): MissingReason {
  return isReachable ? 'not-walked' : 'unreachable';
}
