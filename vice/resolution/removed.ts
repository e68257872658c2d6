/** What was removed here: its contents go when there is no room for them, its tombstones when all have heard. */
import { isFailure } from '../interface/index.js';
import { sleep } from '../seam/clock.js';
import type { Replica } from '../volume/replica.js';
import { Graves } from './graves.js';
import type { ResolverWorld } from './resolver-world.js';

/** Milliseconds between two looks at the space, and free bytes below which removed files keep nothing. */
const spaceMs = 5000;
const ampleBytes = 1024 ** 3;

export class Removed {
  readonly #world: ResolverWorld;
  readonly #signal: AbortSignal;
  readonly #gravesOf = new Map<string, Graves>();

  /** `signal` ends it. */
  constructor(world: ResolverWorld, signal: AbortSignal) {
    this.#world = world;
    this.#signal = signal;
  }

  /** Replica `reader` has merged all changes of `replica` up to `stamp`. */
  wasRead(replica: Replica, reader: string, stamp: number): void {
    this.#graves(replica).wasRead(reader, stamp);
  }

  /** Removed objects of which all `others`, every other replica, have heard. */
  forget(replica: Replica, others: readonly string[]): Promise<void> {
    const stamp = this.#graves(replica).ripe(others, replica.stamp);
    return this.untilNone(replica, 'tombstones not forgotten', () => replica.forgetRemoved(stamp));
  }

  /** Removed files keep their contents only while there is room. Ends by an error when it is aborted. */
  async watchSpace(): Promise<void> {
    for (let wasAmple = true; ;) {
      const isAmple = (await this.#world.containers.space()) > ampleBytes;
      for (const replica of [...this.#world.replicas()]) {
        replica.keepsRemoved = isAmple;
        if (wasAmple && !isAmple) await this.#drop(replica);
      }
      wasAmple = isAmple;
      await sleep(this.#world.clock, spaceMs, this.#signal);
    }
  }

  /** Some at a time, until none is left; what hinders is told, and it is tried again in time. */
  async untilNone(replica: Replica, hindered: string, some: () => Promise<number>): Promise<void> {
    try {
      while ((await some()) > 0);
    } catch (error) {
      if (!isFailure(error)) throw error;
      this.#world.log.warn(hindered, { volume: replica.volume, reason: error.message });
    }
  }

  #drop(replica: Replica): Promise<void> {
    const all = Number.MAX_SAFE_INTEGER - 1;
    return this.untilNone(replica, 'contents of removed files not dropped', () => replica.dropRemoved(all));
  }

  #graves(replica: Replica): Graves {
    const key = `${replica.volume}/${replica.id}`;
    let graves = this.#gravesOf.get(key);
    if (graves === undefined) this.#gravesOf.set(key, (graves = new Graves(this.#world)));
    return graves;
  }
}
