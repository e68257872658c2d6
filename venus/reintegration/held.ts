/**
 * Entries that cannot be sent for a while (a server lacks what they build on, a disk is full, their author is not
 * logged in), and with them later ones that must not overtake them (overtaking.ts). The others go on.
 */
import type { Clock } from '../../vice/seam/clock.js';
import type { LogEntry } from '../log/modify-log.js';
import { WaitingEntries } from './overtaking.js';

interface Hold {
  /** Monotonic time of the next try. */
  readonly until: number;
  readonly tries: number;
}

/**
 * Refusals by the whole group after which no more is waited for: over a quarter of a minute, so servers that were apart
 * have come together by then.
 */
export const refusalsLeast = 4;

const pauseMs = { first: 2000, most: 30_000 } as const;

export class Held {
  readonly #clock: Clock;
  readonly #holds = new Map<number, Hold>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Puts `entry` aside; for longer with each time. */
  hold({ sequence }: LogEntry): void {
    const tries = this.tries(sequence) + 1;
    const pause = Math.min(pauseMs.first * 2 ** (tries - 1), pauseMs.most);
    this.#holds.set(sequence, { until: this.#clock.monotonic() + pause, tries });
  }

  /** Milliseconds after `now` until the next one is tried again; Infinity: none waits. */
  nextMs(now: number): number {
    let soonest = Infinity;
    for (const { until } of this.#holds.values()) if (until > now) soonest = Math.min(soonest, until - now);
    return soonest;
  }

  /** How often it has been put aside. */
  tries(sequence: number): number {
    return this.#holds.get(sequence)?.tries ?? 0;
  }

  release(sequence: number): void {
    this.#holds.delete(sequence);
  }

  /** A server has come back: everything is worth another try. */
  releaseAll(): void {
    for (const [sequence, { tries }] of this.#holds) this.#holds.set(sequence, { until: 0, tries });
  }

  /**
   * Those of `entries` (a volume's, in order) that wait here at `now` or for their author (`awaits`), or may not
   * overtake one that does.
   */
  waiting(
    entries: Iterable<LogEntry>,
    now: number,
    awaits: ((author: string) => boolean) | null = null,
  ): ReadonlySet<number> {
    const waiting = new Set<number>();
    if (this.#holds.size === 0 && awaits === null) return waiting;
    const before = new WaitingEntries();
    for (const entry of entries) {
      const isHeld =
        (this.#holds.get(entry.sequence)?.until ?? 0) > now ||
        awaits?.(entry.records[0]?.author ?? '') === true;
      if (!isHeld && !before.holdsUp(entry)) continue;
      waiting.add(entry.sequence);
      // A server has it, and others refuse what builds on it until they have it too: nothing can overtake it.
      if (entry.appliedBy.length === 0) before.add(entry);
    }
    return waiting;
  }
}
