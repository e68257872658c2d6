/** How long a twin's disk takes for a flush: always a little, or for a while much. */
import { sleep, type Clock } from '../clock.js';

export class FlushTime {
  readonly #clock: Clock | undefined;
  readonly #usualMs: number;
  #lateMs = 0;
  #mended = new AbortController();

  /** Without a clock a flush takes no time. */
  constructor(clock: Clock | undefined, usualMs = 0) {
    this.#clock = clock;
    this.#usualMs = usualMs;
  }

  /** From now on each flush takes so many milliseconds more; 0: no more, nor do those that are under way. */
  late(ms: number): void {
    this.#lateMs = ms;
    if (ms > 0) return;
    this.#mended.abort();
    this.#mended = new AbortController();
  }

  /** One flush. */
  async pass(): Promise<void> {
    if (this.#clock === undefined) return;
    const { signal } = this.#mended;
    const lateMs = this.#lateMs;
    if (this.#usualMs > 0) await sleep(this.#clock, this.#usualMs);
    if (lateMs === 0) return;
    try {
      await sleep(this.#clock, lateMs, signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }
}
