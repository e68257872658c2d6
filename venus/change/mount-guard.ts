/**
 * A directory on which a volume is mounted stays where its publisher wants it: nothing removes it, by itself or with a
 * tree that it is in. (Servers do not check that: they know their own volume only. Where another gateway has not heard
 * of the mount yet, the volume is in no tree until it is mounted elsewhere.)
 */
import { Failure, ifFailed, limits, volumeOf, type Fid, type Mutation } from '../../vice/interface/index.js';
import type { CachedObject } from '../cache/cached-object.js';
import type { ObjectCache } from '../cache/object-cache.js';
import type { Fetcher } from '../volume/fetch.js';
import type { Mount, Mounts } from '../volume/mounts.js';

export interface MountGuardWorld {
  readonly cache: ObjectCache;
  readonly fetcher: Fetcher;
  readonly mounts: Mounts;
}

/** Before anything in `directory` is removed with it. @throws Failure refused */
export async function mustHoldNoMount(world: MountGuardWorld, directory: Fid): Promise<void> {
  for (const mount of world.mounts.in(volumeOf(directory))) {
    if (await isIn(world, mount.directory, directory)) throw mounted(mount, directory);
  }
}

/** For the records of one entry of the log, in the turn in which it is made. @throws Failure refused */
export function mustRemoveNoMount(mounts: Mounts, records: readonly Mutation[]): void {
  for (const record of records) {
    const mount = record.op === 'rmdir' ? mounts.on(record.fid) : undefined;
    if (mount !== undefined) throw mounted(mount, mount.directory);
  }
}

export function mounted({ directory, volume }: Mount, removed: Fid): Failure {
  const where = directory === removed ? 'on it' : 'in it';
  const message = `volume ${volume} is mounted ${where}; \`coda volume unmount ${volume}\` first`;
  return new Failure('refused', 'venus.change', message, { fid: removed });
}

/**
 * Whether `fid` is `directory`, or below it, as far as can be told now. Where nobody can be asked, what is not known
 * here cannot be removed from here either, but one by one (removals.ts), and each passes `mustRemoveNoMount`.
 */
async function isIn({ cache, fetcher }: MountGuardWorld, fid: Fid, directory: Fid): Promise<boolean> {
  let at: Fid | null = fid;
  for (let depth = 0; at !== null && depth <= limits.depth; depth += 1) {
    if (at === directory) return true;
    const object: CachedObject | undefined = await fetcher.fresh(at).catch(ifFailed(cache.get(at)));
    at = object?.status.parent ?? null;
  }
  return false;
}
