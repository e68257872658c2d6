/** Walking names from the realm's root. */
import { Failure, nameFault, right, type DirectoryEntry, type Fid } from '../../vice/interface/index.js';
import type { AccessGuard } from '../access/access-guard.js';
import type { CachedObject } from '../cache/cached-object.js';
import { siblingView } from '../conflict/sibling.js';
import { entryShowing, siblingNamed, type SiblingsWorld } from '../conflict/siblings.js';
import type { Caller, Place } from '../interface.js';
import { findEntry } from '../cache/find-entry.js';

/** @throws Failure invalid */
export function checkName(name: string): void {
  const fault = nameFault(name);
  if (fault !== undefined) throw new Failure('invalid', 'venus.lookup', `the name ${fault}`);
}

export interface WalkWorld extends SiblingsWorld {
  readonly guard: AccessGuard;
}

/** @see Venus.lookup */
export async function walk(
  world: WalkWorld,
  caller: Caller,
  root: Fid,
  path: readonly string[],
): Promise<Place> {
  const { cache, fetcher, guard } = world;
  const last = path.at(-1);
  if (last === undefined) {
    const { view } = await fetcher.fresh(root);
    return { parent: null, name: '', object: view, ancestors: [] };
  }
  const ancestors: Fid[] = [];
  let directory = root;
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
    directory = entry.fid;
  }
  throw new Error('venus: the walk has no end');
}

async function lastPlace(
  world: SiblingsWorld,
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
  return { parent, name: entry.name, object: cached.view, ancestors };
}
