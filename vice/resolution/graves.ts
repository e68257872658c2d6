/**
 * When a replica may forget what was removed: every other replica of the group has merged its changes past the removal
 * for good (CU-3 in catch-up.ts), and a day has passed, so that a gateway that was away for that long still finds what
 * it must be told.
 */
import type { Clock } from '../seam/clock.js';

/** Milliseconds. */
const graceMs = 24 * 60 * 60 * 1000;
/** How exactly the day is kept. */
const sampleMs = 60 * 60 * 1000;

export class Graves {
  readonly #clock: Clock;
  /** Replica (its id) -> stamp of this replica up to which it has merged. */
  readonly #read = new Map<string, number>();
  /** Stamps of this replica and when they were the last, oldest first. After a restart the day begins anew. */
  readonly #samples: { readonly at: number; readonly stamp: number }[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `replica` has merged all up to `stamp`. One that begins anew, having lost its disk, has nothing. */
  wasRead(replica: string, stamp: number): void {
    this.#read.set(replica, stamp);
  }

  /**
   * Removals with a stamp up to this one may be forgotten. `others` are all other replicas of the volume, those that
   * are being filled and those that leave included: what one of them still has as living, it would bring back. `last`
   * is the last stamp.
   */
  ripe(others: readonly string[], last: number): number {
    const now = this.#clock.monotonic();
    const latest = this.#samples.at(-1);
    if (latest === undefined || now - latest.at >= sampleMs) this.#samples.push({ at: now, stamp: last });
    while ((this.#samples[1]?.at ?? Infinity) <= now - graceMs) this.#samples.shift();
    const [oldest] = this.#samples;
    if (oldest === undefined || now - oldest.at < graceMs) return 0;
    return Math.min(oldest.stamp, ...others.map((id) => this.#read.get(id) ?? 0));
  }
}
