/** What a test may wish of a MemoryVenus. */
import type { ConflictPolicy, Groups } from '../../vice/interface/index.js';

export const unbounded = 2 ** 40;

export interface MemoryOptions {
  /** Milliseconds since 1970. Default: a clock that stands still. */
  readonly wall?: () => number;
  /** Bytes that the disk may hold, and that the volume may; counting costs a walk, so only when given. */
  readonly capacity?: number;
  readonly quota?: number;
  /** Names of servers that can be disconnected from; while all are, changes enter the log. */
  readonly servers?: readonly string[];
  /** Of access lists. */
  readonly groups?: Groups;
  /** Default: `keep`. */
  readonly conflicts?: ConflictPolicy;
}
