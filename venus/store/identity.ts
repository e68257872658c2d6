/**
 * Who this Venus is, and the Fids and StoreIds that it makes. Both counters are reserved on disk in blocks ahead of
 * use, so that a crash at any point may skip numbers but never repeats one.
 */
import {
  Failure,
  makeFid,
  makeStoreId,
  seal,
  unseal,
  venusId,
  type Fid,
  type StoreId,
  type VenusId,
  type VolumeId,
} from '../../vice/interface/index.js';
import { randomHex, type Random } from '../../vice/seam/random.js';
import { z } from 'zod';
import type { WriteBuffer } from './write-buffer.js';

const key = 'identity';
const block = 100_000;
const row = z.strictObject({ venus: z.string(), limit: z.number().int().nonnegative() });

export class Identity {
  readonly venus: VenusId;
  readonly #buffer: WriteBuffer;
  #next: number;
  /** Durably reserved up to here. */
  #limit: number;
  #extending = false;

  private constructor(buffer: WriteBuffer, venus: VenusId, limit: number) {
    this.#buffer = buffer;
    this.venus = venus;
    this.#next = limit + 1;
    this.#limit = limit;
  }

  /** The identity of this data folder; made at its first opening. */
  static async open(buffer: WriteBuffer, random: Random): Promise<Identity> {
    const stored = buffer.get(key);
    const parsed = stored === undefined ? undefined : row.parse(unseal(stored));
    const venus = venusId(parsed?.venus ?? randomHex(random, 8));
    if (venus === undefined) throw new Error('identity: stored VenusId is malformed');
    const identity = new Identity(buffer, venus, parsed?.limit ?? 0);
    await identity.#extend();
    return identity;
  }

  /** A Fid for a new object: never made before, by anybody. */
  newFid(volume: VolumeId): Fid {
    return makeFid(volume, this.#take(), this.venus);
  }

  /** The StoreId of the next update; later ones are larger. */
  newStoreId(): StoreId {
    return makeStoreId(this.venus, this.#take());
  }

  /** No counter below this will be made any more. */
  get nextCounter(): number {
    return this.#next;
  }

  #take(): number {
    if (this.#next > this.#limit) {
      throw new Failure(
        'busy',
        'venus.identity',
        'the disk is too slow to reserve new identifiers; try again',
      );
    }
    if (this.#limit - this.#next < block / 2) void this.#extend().catch(() => undefined);
    return this.#next++;
  }

  async #extend(): Promise<void> {
    if (this.#extending) return;
    this.#extending = true;
    try {
      const limit = this.#next + block;
      this.#buffer.put(key, seal({ venus: this.venus, limit }));
      await this.#buffer.flush();
      this.#limit = limit;
    } finally {
      this.#extending = false;
    }
  }
}
