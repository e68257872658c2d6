/** What resolution does to replicas: one thing at a time for each volume, in the order in which it was asked for. */
import type { VolumeId } from '../interface/index.js';

export class Turns {
  readonly #signal: AbortSignal;
  readonly #last = new Map<VolumeId, Promise<unknown>>();

  /** Once `signal` is aborted nothing begins any more. */
  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  take<T>(volume: VolumeId, work: () => Promise<T>): Promise<T> {
    const turn = (this.#last.get(volume) ?? Promise.resolve()).then(() => {
      this.#signal.throwIfAborted();
      return work();
    });
    this.#last.set(
      volume,
      turn.catch(() => undefined),
    );
    return turn;
  }

  /** When all that was asked for is over. */
  async over(): Promise<void> {
    await Promise.allSettled(this.#last.values());
  }
}
