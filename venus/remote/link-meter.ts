/**
 * What is known of the speed of one link. Each direction is measured for itself: office lines carry more to the office
 * than from it, and one estimate for both would call a link strong again whenever somebody reads while the log goes
 * out.
 */
import type { Clock } from '../../vice/seam/clock.js';
import { DirectionMeter } from './direction-meter.js';
import { strongAbove, type LinkQuality } from './link-quality.js';

/** A call with so many bytes says how slow a link is. */
const callBytes = 256 * 1024;
/** So does one with half of it that took longer than a server works at that: a batch of small files, say. */
const longCall = { bytes: 128 * 1024, ms: 5000 } as const;

export class LinkMeter {
  /** From the server. */
  readonly #down: DirectionMeter;
  /** To the server. */
  readonly #up: DirectionMeter;

  /** `turned` is called after every change from weak to strong and back, and when a speed becomes known. */
  constructor(clock: Clock, turned: () => void) {
    this.#down = new DirectionMeter(clock, turned);
    this.#up = new DirectionMeter(clock, turned);
  }

  get down(): LinkQuality {
    return this.#down.quality;
  }

  get up(): LinkQuality {
    return this.#up.quality;
  }

  /** @see DirectionMeter.download */
  download(
    source: AsyncIterable<Uint8Array>,
    leastBytes?: number,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    return this.#down.download(source, leastBytes);
  }

  /** @see DirectionMeter.upload */
  upload(
    source: AsyncIterable<Uint8Array>,
    send: (source: AsyncIterable<Uint8Array>) => Promise<void>,
  ): Promise<void> {
    return this.#up.upload(source, send);
  }

  /** A call that was answered, with the bytes of contents that are known to have gone to the server in it. */
  answered(bytes: number, milliseconds: number): void {
    // Beside a transfer its time says nothing about the rest of the link.
    if (this.#up.isBusy || this.#down.isBusy) return;
    if (bytes === 0) {
      this.#down.observe(bytes, milliseconds);
      this.#up.observe(bytes, milliseconds);
      return;
    }
    // The server's own work is in it: only many bytes make that small.
    const isSlow = bytes * 1000 < strongAbove * milliseconds;
    const tells = bytes >= callBytes || (bytes >= longCall.bytes && milliseconds >= longCall.ms);
    if (tells || !isSlow) this.#up.observe(bytes, milliseconds);
  }
}
