/** Rows that follow from one object's row alone, in one transaction: its stamp, its digest, that it is in conflict. */
import { conflictsOf, seal, type Fid } from '../interface/index.js';
import type { StoreTransaction } from '../seam/store.js';
import { digestOf, digestText, noChildren, toggled } from './children-digest.js';
import { digestOfRow } from './row-figures.js';
import { bucketOf } from './state-digest.js';
import type { ObjectRow, VolumeKeys, VolumeReader } from './volume-store.js';

const present = seal(1);

export class FollowingRows {
  readonly #transaction: StoreTransaction;
  readonly #keys: VolumeKeys;
  readonly #reader: VolumeReader;
  readonly #buckets = new Map<string, bigint>();

  constructor(transaction: StoreTransaction, keys: VolumeKeys, reader: VolumeReader) {
    this.#transaction = transaction;
    this.#keys = keys;
    this.#reader = reader;
  }

  digest(fid: Fid, after: ObjectRow): void {
    const bucket = bucketOf(fid);
    const key = this.#keys.member(bucket, fid);
    // What it counts for now is what is written, whatever its row was: that may have been lost.
    const [was, is] = [this.#reader.memberDigest(bucket, fid), digestOfRow(after)];
    // Removed ones are forgotten by each replica in its own time.
    if (after.removed) this.#transaction.remove(key);
    else this.#transaction.put(key, seal(digestText(is)));
    const change = this.#buckets.get(bucket) ?? noChildren;
    this.#buckets.set(bucket, toggled(change, toggled(was, is)));
  }

  /** Those that digests have changed. The last call. */
  buckets(): void {
    for (const [bucket, change] of this.#buckets) {
      const digest = digestText(toggled(this.#reader.bucketDigest(bucket), change));
      this.#transaction.put(this.#keys.bucket(bucket), seal(digest));
    }
  }

  /** False: the digest of the children of `directory` cannot be read. */
  children(directory: Fid, change: bigint): boolean {
    const digest = this.#reader.readableChildren(directory);
    if (digest === undefined) return false;
    this.#transaction.put(
      this.#keys.children(directory),
      seal(digestText(toggled(digestOf(digest), change))),
    );
    return true;
  }

  conflict(fid: Fid, { status, removed, bound }: ObjectRow): void {
    const key = this.#keys.conflict(fid);
    const isOne = !removed && conflictsOf(status, bound?.name ?? null).length > 0;
    if (isOne === (this.#transaction.get(key) !== undefined)) return;
    if (isOne) this.#transaction.put(key, present);
    else this.#transaction.remove(key);
  }

  stamp(fid: Fid, before: ObjectRow | undefined, after: ObjectRow): void {
    if (before?.stamp === after.stamp) return;
    const stamp = before?.stamp ?? 0;
    if (stamp > 0) this.#transaction.remove(this.#keys.stamp(stamp, fid));
    this.#transaction.put(this.#keys.stamp(after.stamp, fid), present);
    if (before?.removed === true) this.#transaction.remove(this.#keys.grave(stamp, fid));
    if (after.removed) this.#transaction.put(this.#keys.grave(after.stamp, fid), present);
  }
}
