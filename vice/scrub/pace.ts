/** How fast a scrub may go: so many bytes a second, and behind whatever else the server is asked. */
import { sleep, type Clock } from '../seam/clock.js';

/** While calls are under way a slice waits for so many milliseconds, but not more often than that. */
const yieldMs = 20;
const yieldsMost = 10;

export interface PaceOptions {
  readonly clock: Clock;
  readonly bytesPerSecond: number;
  /** Whether somebody waits for this server. */
  readonly isBusy: () => boolean;
  readonly signal: AbortSignal;
}

export class Pace {
  readonly #options: PaceOptions;
  /** When the bytes up to now may be over, by the monotonic clock. */
  #due: number;

  constructor(options: PaceOptions) {
    this.#options = options;
    this.#due = options.clock.monotonic();
  }

  /**
   * Resolves when so many bytes more may be read; others run in between, always. Time that was not used is not made
   * up for: a pause is followed by no rush.
   */
  async spend(bytes: number): Promise<void> {
    const { clock, bytesPerSecond, isBusy, signal } = this.#options;
    const now = clock.monotonic();
    this.#due = Math.max(this.#due, now) + (bytes * 1000) / bytesPerSecond;
    // Whole milliseconds: what is less is waited for together with what follows.
    await sleep(clock, Math.floor(this.#due - now), signal);
    for (let waited = 0; isBusy() && waited < yieldsMost; waited += 1) await sleep(clock, yieldMs, signal);
  }
}
