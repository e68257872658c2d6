/** Who was refused, and why, in the log of the one that refuses: each host with each reason once a minute. */
import type { Clock } from '../clock.js';
import type { Log } from '../log.js';

const repeatMs = 60_000;
const rememberedMost = 1000;

export class Refusals {
  readonly #world: { readonly clock: Clock; readonly log: Log };
  readonly #told = new Map<string, number>();

  constructor(world: { readonly clock: Clock; readonly log: Log }) {
    this.#world = world;
  }

  tell(remote: string | undefined, reason: string): void {
    const { clock, log } = this.#world;
    const key = `${remote ?? ''} ${reason}`;
    const now = clock.monotonic();
    if (now - (this.#told.get(key) ?? Number.NEGATIVE_INFINITY) < repeatMs) return;
    if (this.#told.size >= rememberedMost) this.#told.clear();
    this.#told.set(key, now);
    log.warn('peer refused', { remote, reason });
  }
}
