/** Which updates one volume replica has applied, and which wait for their COP2, inside one transaction. */
import { counterOf, seal, venusOf, type Fid, type StoreId } from '../interface/index.js';
import type { StoreTransaction } from '../seam/store.js';
import type { VolumeKeys, VolumeReader } from './volume-store.js';

const present = seal(1);

export class UpdateRows {
  readonly #transaction: StoreTransaction;
  readonly #keys: VolumeKeys;
  readonly #reader: VolumeReader;

  constructor(transaction: StoreTransaction, keys: VolumeKeys, reader: VolumeReader) {
    this.#transaction = transaction;
    this.#keys = keys;
    this.#reader = reader;
  }

  isMarkedApplied(storeId: StoreId): boolean {
    const [venus, counter] = [venusOf(storeId), counterOf(storeId)];
    return counter < this.#reader.watermark(venus) || this.#reader.isMarkedApplied(venus, counter);
  }

  watermark(venus: string): number {
    return this.#reader.watermark(venus);
  }

  markApplied(storeId: StoreId): void {
    this.#transaction.put(this.#keys.applied(venusOf(storeId), counterOf(storeId)), present);
  }

  /** No counter of `venus` below `watermark` will come again: nothing below need be remembered singly. */
  raiseWatermark(venus: string, watermark: number): void {
    if (watermark <= this.#reader.watermark(venus)) return;
    this.#transaction.put(this.#keys.watermark(venus), seal(watermark));
    const range = { start: this.#keys.applied(venus, 0), end: this.#keys.applied(venus, watermark) };
    // Bounded: what is left over goes with the next raise.
    const rows = [...this.#transaction.range({ ...range, limit: 1000 })];
    for (const { key } of rows) this.#transaction.remove(key);
  }

  cop2(storeId: StoreId): ReturnType<VolumeReader['cop2']> {
    return this.#reader.cop2(storeId);
  }

  awaitCop2(storeId: StoreId, stamp: number, fids: readonly Fid[]): void {
    this.#transaction.put(this.#keys.cop2(storeId), seal({ stamp, fids }));
  }

  forgetCop2(storeId: StoreId): void {
    this.#transaction.remove(this.#keys.cop2(storeId));
  }
}
