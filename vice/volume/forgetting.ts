/** Tombstones, and the contents of removed files, that nobody needs any more: some of them at a time. */
import type { Fid } from '../interface/index.js';
import { putTwice } from '../seam/kept-twice.js';
import type { StoreTransaction } from '../seam/store.js';
import { bucketOf } from '../store/state-digest.js';
import { VolumeReader, type ObjectRow, type VolumeKeys } from '../store/volume-store.js';
import type { VolumeTransaction } from '../store/volume-transaction.js';

/** Tombstones forgotten in one transaction. */
const forgottenAtOnce = 1000;

export interface ForgettingWorld {
  readonly reader: VolumeReader;
  /** From memory, or from the disk; undefined where it cannot be read. */
  row(fid: Fid): ObjectRow | undefined;
  change(work: (volume: VolumeTransaction) => void): Promise<unknown>;
  transact(work: (transaction: StoreTransaction) => void): Promise<unknown>;
}

interface Grave {
  readonly stamp: number;
  readonly fid: Fid;
}

/** Contents of files that were removed up to `stamp`; the answer is of how many. */
export async function dropRemoved({ reader, row, change }: ForgettingWorld, stamp: number): Promise<number> {
  const fids: Fid[] = [];
  for (const { fid } of reader.removedUpTo(stamp)) {
    if (row(fid)?.keeps === true && fids.push(fid) >= forgottenAtOnce) break;
  }
  if (fids.length === 0) return 0;
  await change((volume) => {
    for (const fid of fids) volume.dropContents(fid);
  });
  return fids.length;
}

/** Objects that were removed up to `stamp` without contents; the answer is how many are forgotten. */
export async function forgetRemoved(world: ForgettingWorld, stamp: number): Promise<number> {
  const { reader, row } = world;
  const graves: Grave[] = [];
  for (const grave of reader.removedUpTo(stamp)) {
    if (row(grave.fid)?.keeps !== true && graves.push(grave) >= forgottenAtOnce) break;
  }
  if (graves.length === 0) return 0;
  let forgotten = 0;
  await world.transact((transaction) => {
    const gone = graves.filter((grave) => forget(transaction, world, grave, stamp));
    forgotten = gone.length;
    const meta = new VolumeReader(transaction, reader.keys).meta();
    const last = Math.max(meta?.forgotten ?? 0, ...gone.map((grave) => grave.stamp));
    if (meta !== undefined && forgotten > 0)
      putTwice(transaction, reader.keys.meta, { ...meta, forgotten: last });
  });
  return forgotten;
}

/**
 * For good: only once every replica of the group has read past its stamp. A peer that missed the removal would bring
 * the object back.
 */
function forget(
  transaction: StoreTransaction,
  { reader: { keys }, row: rowOf }: ForgettingWorld,
  { fid, stamp }: Grave,
  most: number,
): boolean {
  const row = rowOf(fid);
  const isAlive = row === undefined ? wasAlive(transaction, keys, fid) : !row.removed;
  if (row === undefined && isAlive) return false;
  // What damage has left of an earlier removal is no word on what the object is now.
  const isStale = row !== undefined && (isAlive || row.stamp !== stamp);
  if (row !== undefined && !isStale && (row.stamp > most || row.keeps === true)) return false;
  transaction.remove(keys.grave(stamp, fid));
  if (row?.stamp !== stamp || !isAlive) transaction.remove(keys.stamp(stamp, fid));
  if (!isStale) transaction.remove(keys.object(fid));
  return true;
}

/** Of one whose row cannot be read: only living objects have their digest among the others'. */
function wasAlive(transaction: StoreTransaction, keys: VolumeKeys, fid: Fid): boolean {
  return transaction.get(keys.member(bucketOf(fid), fid)) !== undefined;
}
