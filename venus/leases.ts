/** What gateways keep their locks as. */
import type { Fid } from '../vice/interface/index.js';

/** A lease on an object or a subtree, as gateways use it for their locks: kept over restarts, lapses by itself. */
export interface Lease {
  readonly token: string;
  readonly fid: Fid;
  readonly holder: string;
  /** When it lapses, in milliseconds of the clock's monotonic time: another figure after a restart. */
  readonly ends: number;
  /** The gateway's own words about it, at most 8 KiB. */
  readonly note: string;
}

export interface Leases {
  /** All leases, lapsed ones included; loaded at the start, so this does not wait. */
  all(): readonly Lease[];
  /** Adds or replaces by token; durable when it resolves. @throws Failure busy (too many) */
  put(lease: Lease): Promise<void>;
  /** Idempotent; durable when it resolves. */
  remove(token: string): Promise<void>;
}
