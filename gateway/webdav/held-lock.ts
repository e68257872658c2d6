/** A lock as the lock table has it, and how those who decide by locks see the table. */
import type { Caller, Fid, Place } from '../../venus/interface.js';
import type { Lock } from './exchange.js';

/** A lock with what is needed to find it. */
export interface HeldLock extends Lock {
  /** Fids of the directories above `root` when it was last seen there, the share's root first. */
  readonly lineage: readonly Fid[];
  /** Whether the locked object is a directory. */
  readonly collection: boolean;
}

/** A lock that is in the way, and the path of its root. */
export interface Obstacle {
  readonly lock: HeldLock;
  readonly path: readonly string[];
}

/** All live locks. */
export interface HeldLocks {
  /** See Locks.covering. */
  covering(place: Place): readonly HeldLock[];
  /** Those whose root is the object itself. */
  locksOn(fid: Fid): readonly HeldLock[];
  /**
   * Those with their root below directory `fid`, now at `path`, that `matters` is true for, at most a few. The
   * tokens of those that turn out to be elsewhere are added to `cleared`.
   */
  obstaclesBelow(
    caller: Caller,
    fid: Fid,
    path: readonly string[],
    matters: (lock: HeldLock) => boolean,
    cleared?: Set<string>,
  ): Promise<readonly Obstacle[]>;
}

/** Path of the root of a lock that covers `place`, from the request's own path: it cannot be stale. */
export function rootOf(lock: Lock, place: Place, path: readonly string[]): readonly string[] {
  if (place.object?.fid === lock.fid) return path;
  const depth = place.ancestors.indexOf(lock.fid);
  return depth < 0 ? lock.root : path.slice(0, depth);
}
