/** The idle timeout of a transfer: it may take for ever, but not stand still. */
import type { Clock, Timer } from '../clock.js';
import { transferTiming } from '../link-bounds.js';

export class IdleWatch {
  readonly #clock: Clock;
  readonly #onIdle: () => void;
  #timer: Timer | undefined;

  constructor(clock: Clock, onIdle: () => void) {
    this.#clock = clock;
    this.#onIdle = onIdle;
  }

  /** From now on the peer is waited for. */
  waiting(limitMs: number = transferTiming.idleMs): void {
    this.#timer?.cancel();
    this.#timer = this.#clock.after(limitMs, this.#onIdle);
  }

  /** The peer is not waited for (any more). */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}
