/**
 * When a replica may forget what was removed: every other replica of the group has merged its changes past the removal
 * for good (CU-3 in catch-up.ts), and a day has passed, so that a gateway that was away for that long still finds what
 * it must be told.
 */
import type { Clock } from '../seam/clock.js';

/** Milliseconds, where nothing else is said. */
const defaultGraceMs = 24 * 60 * 60 * 1000;
/** Into so many parts the day is divided. */
const samples = 24;

export interface GravesWorld {
  readonly clock: Clock;
  /** Milliseconds for which removed objects are remembered at the least; absent: a day. */
  readonly graceMs?: number | undefined;
}

export class Graves {
  readonly #clock: Clock;
  readonly #graceMs: number;
  /** Replica (its id) -> stamp of this replica up to which it has merged. */
  readonly #read = new Map<string, number>();
  /** Stamps of this replica and when they were the last, oldest first. After a restart the day begins anew. */
  readonly #samples: { readonly at: number; readonly stamp: number }[] = [];

  constructor({ clock, graceMs = defaultGraceMs }: GravesWorld) {
    this.#clock = clock;
    this.#graceMs = graceMs;
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
    if (latest === undefined || now - latest.at >= this.#graceMs / samples)
      this.#samples.push({ at: now, stamp: last });
    while ((this.#samples[1]?.at ?? Infinity) <= now - this.#graceMs) this.#samples.shift();
    const [oldest] = this.#samples;
    if (oldest === undefined || now - oldest.at < this.#graceMs) return 0;
    return Math.min(oldest.stamp, ...others.map((id) => this.#read.get(id) ?? 0));
  }
}
