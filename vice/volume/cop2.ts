/**
 * COP2: which replicas have applied an update. Each counts the others' slots then, so that equal replicas
 * have equal vectors. It is a hint that saves work: a lost one leaves the replicas weakly equal, healed
 * without moving data.
 *
 * It takes no stamp, breaks no callback and is no change to peers: nothing that a client shows or a peer
 * would fetch is different, and every update would else be heard of twice. A peer reads the counts with the
 * next real change.
 *
 * An update is pending until its COP2, for at most `pendingMs`, and only until resolution sets the object's
 * counts: those have the update in them already. Counting it twice would be worse than not at all, for a slot
 * that is too high can hide a later update of that replica (equal vectors, different contents); one that is
 * too low cannot.
 */
import { increment, type StoreId, type UpdateSet } from '../interface/index.js';
import type { VolumeTransaction } from '../store/volume-transaction.js';

/** As Coda's CopPending table (coppend.cc). */
export const pendingMs = 15 * 60 * 1000;
const pendingMost = 10_000;

/** Counts `update` at the objects it touched, if it is pending here. */
export function applyCop2(
  transaction: VolumeTransaction,
  { storeId, replicas }: UpdateSet,
  own: string,
  group: readonly string[],
): void {
  const pending = transaction.updates.cop2(storeId);
  if (pending === undefined) return;
  transaction.updates.forgetCop2(storeId);
  // Never trust a peer: each replica once, and only those that there are.
  const others = [...new Set(replicas)].filter((replica) => replica !== own && group.includes(replica));
  if (others.length === 0) return;
  for (const fid of pending.fids) {
    const row = transaction.object(fid);
    if (row === undefined || row.forced >= pending.stamp) continue;
    transaction.putCounts(row, increment(row.status.vv, others));
  }
}

/** The pending updates, oldest first; what is too old or too many is given up. */
export class PendingUpdates {
  /** Insertion order is age. */
  readonly #since = new Map<StoreId, number>();

  add(storeId: StoreId, now: number): void {
    this.#since.set(storeId, now);
  }

  delete(storeId: StoreId): void {
    this.#since.delete(storeId);
  }

  /** At most `most` updates whose COP2 will not be waited for any longer. */
  takeExpired(now: number, most: number): readonly StoreId[] {
    const expired: StoreId[] = [];
    for (const [storeId, since] of this.#since) {
      const tooMany = this.#since.size - expired.length > pendingMost;
      if (expired.length >= most || (!tooMany && now - since < pendingMs)) break;
      expired.push(storeId);
    }
    for (const storeId of expired) this.#since.delete(storeId);
    return expired;
  }
}
