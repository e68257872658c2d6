/** The idle timeout of a transfer: it may take for ever, but not stand still. */
import type { Clock, Timer } from '../clock.js';
import { transferTiming } from '../link-bounds.js';

export class IdleWatch {
  readonly #clock: Clock;
  readonly #onIdle: () => void;
  #timer: Timer | undefined;
  #hasEnded = false;

  constructor(clock: Clock, onIdle: () => void) {
    this.#clock = clock;
    this.#onIdle = onIdle;
  }

  /** From now on the peer is waited for. */
  waiting(limitMs: number = transferTiming.idleMs): void {
    this.#timer?.cancel();
    if (!this.#hasEnded) this.#timer = this.#clock.after(limitMs, this.#onIdle);
  }

  /** The peer is not waited for (any more). */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** The transfer is over: nothing is waited for any more, whatever of it still runs. */
  end(): void {
    this.stop();
    this.#hasEnded = true;
  }
}
