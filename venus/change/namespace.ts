/** Walking names from the realm's root, and on where other volumes are mounted. */
import {
  Failure,
  ifFailed,
  nameFault,
  right,
  type DirectoryEntry,
  type Fid,
} from '../../vice/interface/index.js';
import type { AccessGuard } from '../access/access-guard.js';
import type { CachedObject } from '../cache/cached-object.js';
import { siblingView } from '../conflict/sibling.js';
import { entryShowing, siblingNamed, type SiblingsWorld } from '../conflict/siblings.js';
import type { Caller, ObjectStatus, Place } from '../interface.js';
import { findEntry } from '../cache/find-entry.js';
import type { Mounts } from '../volume/mounts.js';

/** @throws Failure invalid */
export function checkName(name: string): void {
  const fault = nameFault(name);
  if (fault !== undefined) throw new Failure('invalid', 'venus.lookup', `the name ${fault}`);
}

export interface WalkWorld extends SiblingsWorld {
  readonly guard: AccessGuard;
  readonly mounts: Mounts;
}

/** @see Venus.lookup */
export async function walk(world: WalkWorld, caller: Caller, path: readonly string[]): Promise<Place> {
  const { cache, fetcher, guard, mounts } = world;
  const last = path.at(-1);
  if (last === undefined) {
    const { view } = await fetcher.fresh(mounts.root);
    return { parent: null, name: '', object: view, ancestors: [] };
  }
  const ancestors: Fid[] = [];
  let directory = mounts.root;
  for (const [depth, name] of path.entries()) {
    checkName(name);
    await fetcher.directory(directory);
    await guard.require(caller, directory, right.lookup);
    ancestors.push(directory);
    const names = cache.names(directory);
    const entry = names === undefined ? undefined : findEntry(names, name);
    if (depth === path.length - 1) return lastPlace(world, directory, name, entry, ancestors);
    if (entry === undefined) {
      throw new Failure(
        'not-found',
        'venus.lookup',
        `there is no directory ${path.slice(0, depth + 1).join('/')}`,
      );
    }
    if (entry.kind !== 'directory') {
      throw new Failure('not-directory', 'venus.lookup', `${name} is no directory`, { fid: entry.fid });
    }
    directory = mounts.over(entry.fid);
  }
  throw new Error('venus: the walk has no end');
}

async function lastPlace(
  world: WalkWorld,
  parent: Fid,
  name: string,
  entry: DirectoryEntry | undefined,
  ancestors: readonly Fid[],
): Promise<Place> {
  const { cache, fetcher } = world;
  if (entry === undefined) {
    const sibling = await siblingNamed(world, parent, name);
    if (sibling === undefined) {
      const shown = await entryShowing(world, parent, name);
      const object = shown === undefined ? null : (await fetcher.fresh(shown.fid)).view;
      return { parent, name, object, ancestors };
    }
    const { file, version } = sibling;
    return { parent, name: sibling.name, object: siblingView(file, version), ancestors };
  }
  const cached: CachedObject | undefined = await fetcher.fresh(entry.fid).catch((error: unknown) => {
    // Removed between the listing and now: the name is free.
    if (error instanceof Failure && error.kind === 'not-found') return undefined;
    throw error;
  });
  if (cached === undefined || cache.get(entry.fid) === undefined) {
    return { parent, name, object: null, ancestors };
  }
  const object = (await coveringView(world, cached)) ?? cached.view;
  return { parent, name: entry.name, object, ancestors };
}

/**
 * What is seen of the volume that is mounted on `covered`; undefined: none is. While nothing is known of its root, that
 * has the attributes of the directory: so the name is there, and what is in it is out of reach.
 */
export async function coveringView(
  { cache, fetcher, mounts }: Pick<WalkWorld, 'cache' | 'fetcher' | 'mounts'>,
  covered: CachedObject,
): Promise<ObjectStatus | undefined> {
  const { fid, kind } = covered.status;
  const root = mounts.over(fid);
  if (root === fid || kind !== 'directory') return undefined;
  await fetcher.freshen([root]).catch(ifFailed(undefined));
  return cache.get(root)?.view ?? placeholder(covered.view, root);
}

function placeholder(view: ObjectStatus, fid: Fid): ObjectStatus {
  return Object.freeze({ ...view, fid, properties: {}, conflict: null });
}
