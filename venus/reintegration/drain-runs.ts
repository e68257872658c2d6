/**
 * When the log of a volume is drained: one run at a time, since batches of a volume never overlap (ML-2), and one more
 * waiting at most, which sees everything that is in the log when it starts.
 */
import PQueue from 'p-queue';
import type { VolumeId } from '../../vice/interface/index.js';
import type { Clock, Timer } from '../../vice/seam/clock.js';
import type { Volume } from '../volume/volume.js';

export class DrainRuns {
  readonly #clock: Clock;
  readonly #drain: (volume: Volume) => Promise<void>;
  readonly #queues = new Map<VolumeId, PQueue>();
  readonly #timers = new Map<VolumeId, Timer>();
  #closed = false;

  constructor(clock: Clock, drain: (volume: Volume) => Promise<void>) {
    this.#clock = clock;
    this.#drain = drain;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  /** Something may have become possible. */
  kick(volume: Volume): void {
    if (this.#closed) return;
    let queue = this.#queues.get(volume.id);
    if (queue === undefined) {
      queue = new PQueue({ concurrency: 1 });
      this.#queues.set(volume.id, queue);
    }
    if (queue.size === 0) void queue.add(() => this.#drain(volume));
  }

  /** One timer per volume, the latest: every run says anew when the next one is due. */
  lookAgain(volume: Volume, ms: number): void {
    this.#timers.get(volume.id)?.cancel();
    // A timer may run a moment early.
    const timer = this.#clock.after(Math.ceil(ms) + 1, () => this.kick(volume));
    this.#timers.set(volume.id, timer);
  }

  /** No further run begins; resolves when the last one has ended. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const timer of this.#timers.values()) timer.cancel();
    await Promise.all([...this.#queues.values()].map((queue) => queue.onIdle()));
  }
}
