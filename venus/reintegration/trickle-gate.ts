/**
 * Who goes first on a weak link. While a user waits for a fetch, the contents of replayed changes wait too, and go on
 * a slice at a time, so that the fetch is held up by one slice at most and the log drains all the same (Coda: trickle
 * reintegration sends fragments of one time slice; Mummert 1995).
 *
 * TG-1  While fetches are under way, uploads get together at most `sliceBytes`, or one chunk, in `sliceMs`.
 * TG-2  No chunk waits longer than `waitMost`: less than a server waits for the next byte of an upload.
 * TG-3  After a fetch that took long the next one is awaited for a moment: a folder that is read file by file is not
 *       held up by a chunk between each two of them.
 */
import type { Clock, Timer } from '../../vice/seam/clock.js';
import type { Fetching, Turns } from '../volume/fetching.js';

const sliceBytes = 32 * 1024;
const sliceMs = 2000;
const waitMost = 10_000;
/** What is waited after a fetch: a part of what it took. Where fetches are quick, nothing. */
const grace = { part: 1 / 4, leastMs: 10, mostMs: 250 } as const;

interface Waiting {
  readonly bytes: number;
  readonly since: number;
  readonly go: () => void;
}

export class TrickleGate implements Fetching, Turns {
  readonly #clock: Clock;
  #fetches = 0;
  /** Runs while the next fetch is awaited. */
  #grace: Timer | undefined;
  /** In the order in which they came. */
  #waiting: Waiting[] = [];
  #timer: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  fetching(): () => void {
    this.#fetches += 1;
    this.#grace?.cancel();
    this.#grace = undefined;
    const began = this.#clock.monotonic();
    let under = true;
    return () => {
      if (!under) return;
      under = false;
      this.#fetches -= 1;
      if (this.#fetches === 0) this.#openSoon(this.#clock.monotonic() - began);
    };
  }

  /** Resolves when an upload may send its next `bytes`. */
  turn(bytes: number): Promise<void> {
    if (this.#isOpen) return Promise.resolve();
    return new Promise((go) => {
      this.#waiting.push({ bytes, since: this.#clock.monotonic(), go });
      this.#timer ??= this.#clock.after(sliceMs, () => this.#slice());
    });
  }

  get #isOpen(): boolean {
    return this.#fetches === 0 && this.#grace === undefined;
  }

  /** The last fetch has ended, which took `ms`. */
  #openSoon(ms: number): void {
    const wait = Math.min(grace.mostMs, ms * grace.part);
    if (wait < grace.leastMs) return this.#open();
    this.#grace = this.#clock.after(wait, () => {
      this.#grace = undefined;
      this.#open();
    });
  }

  #slice(): void {
    this.#timer = undefined;
    const now = this.#clock.monotonic();
    let left = sliceBytes;
    const still: Waiting[] = [];
    for (const waiting of this.#waiting) {
      const isFirst = left === sliceBytes;
      // Those that could not wait for another slice are not asked whether there is room.
      if (isFirst || waiting.bytes <= left || now - waiting.since > waitMost - sliceMs) {
        left -= waiting.bytes;
        waiting.go();
      } else still.push(waiting);
    }
    this.#waiting = still;
    if (still.length > 0) this.#timer = this.#clock.after(sliceMs, () => this.#slice());
  }

  #open(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { go } of waiting) go();
  }
}
