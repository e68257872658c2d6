/**
 * What turned out to be damaged here while somebody wanted it: first what this disk says, then what the peers have; a
 * search through all objects comes last, and seldom. Each object once at a time, however many want it.
 */
import { isFailure, type Fid } from '../interface/index.js';
import type { Clock } from '../seam/clock.js';
import type { Log } from '../seam/log.js';
import type { Replica } from '../volume/replica.js';

/** Milliseconds between two searches of all objects for those that the damaged names of one directory are of. */
const searchedMs = 60_000;

export interface RestoringWorld {
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
  resolve(replica: Replica, fids: readonly Fid[]): Promise<unknown>;
}

export class Restoring {
  readonly #world: RestoringWorld;
  readonly #running = new Set<string>();
  readonly #searched = new Map<string, number>();

  constructor(world: RestoringWorld) {
    this.#world = world;
  }

  /** False: it is being done already. */
  begin(replica: Replica, fid: Fid): Promise<void> | undefined {
    const key = `${replica.volume}/${fid}`;
    if (this.#running.has(key)) return undefined;
    this.#running.add(key);
    return this.#restore(replica, fid, key).finally(() => this.#running.delete(key));
  }

  async #restore(replica: Replica, fid: Fid, key: string): Promise<void> {
    const { clock, log, signal } = this.#world;
    try {
      await replica.mending.object(fid);
      await this.#world.resolve(replica, [fid]);
      const now = clock.monotonic();
      if (now - (this.#searched.get(key) ?? -Infinity) < searchedMs) return;
      if (await replica.mending.search(fid)) this.#searched.set(key, now);
    } catch (error) {
      signal.throwIfAborted();
      if (!isFailure(error)) throw error;
      log.warn('not restored', { volume: replica.volume, fid, reason: error.message });
    }
  }
}
