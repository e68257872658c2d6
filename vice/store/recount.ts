/**
 * Writes anew what follows from one object (its name, digests, the count of its contents) where it does not follow. In
 * a sound volume it changes nothing that anybody could see.
 */
import { emptyDigest, isFailure, isRunt, rootFid, seal, versionsOf, type Fid } from '../interface/index.js';
import type { StoreTransaction } from '../seam/store.js';
import { digestOf, digestText, noChildren, toggled } from './children-digest.js';
import { countReferences, isCounted } from './container-references.js';
import { digestOfRow } from './row-figures.js';
import { bucketOf } from './state-digest.js';
import { VolumeReader, type ObjectRow, type VolumeKeys } from './volume-store.js';
import type { VolumeTransaction } from './volume-transaction.js';

/** How many files have contents that nothing counted nobody knows: they stay for good. */
const uncounted = 2 ** 40;

/** False: another object bears its name, or it has none: it has to be named again. */
export function recount(
  volume: VolumeTransaction,
  transaction: StoreTransaction,
  keys: VolumeKeys,
  fid: Fid,
): boolean {
  const reader = new VolumeReader(transaction, keys);
  const row = rowInUse(volume, fid);
  if (row === undefined) return true;
  // What is in memory, whole, replaces what the disk has lost of it.
  if (reader.readableObject(fid) === undefined) transaction.put(keys.object(fid), seal(row));
  let isNamed = true;
  if (!row.removed) {
    if (row.status.kind === 'directory') volume.doubt(fid);
    isNamed = hasItsName(volume, keys, row);
  }
  recountState(reader, transaction, keys, row);
  if (row.removed && row.keeps !== true) return isNamed;
  for (const { digest } of versionsOf(row.status)) {
    if (digest === emptyDigest || isCounted(transaction, keys.volume, digest)) continue;
    countReferences(transaction, keys.volume, digest, uncounted);
  }
  return isNamed;
}

/** Undefined also when it is damaged and not in memory. */
function rowInUse(volume: VolumeTransaction, fid: Fid): ObjectRow | undefined {
  try {
    return volume.object(fid);
  } catch (error) {
    if (!isFailure(error, 'damaged')) throw error;
    return undefined;
  }
}

function hasItsName(volume: VolumeTransaction, keys: VolumeKeys, row: ObjectRow): boolean {
  const { bound, status } = row;
  if (status.fid === rootFid(keys.volume) || status.parent === null) return true;
  const directory = rowInUse(volume, status.parent);
  // It cannot have a name before its directory is here.
  if (directory?.removed !== false) return true;
  if (bound === null || bound.directory !== status.parent) return false;
  return (
    volume.mendName(row) && (bound.wanted === bound.name || isBorne(volume, bound.directory, bound.wanted))
  );
}

/** One that cannot be read may be. */
function isBorne(volume: VolumeTransaction, directory: Fid, name: string): boolean {
  try {
    return volume.entry(directory, name) !== undefined;
  } catch (error) {
    if (!isFailure(error, 'damaged')) throw error;
    return true;
  }
}

function recountState(
  reader: VolumeReader,
  transaction: StoreTransaction,
  keys: VolumeKeys,
  row: ObjectRow,
): void {
  const { fid } = row.status;
  const bucket = bucketOf(fid);
  const key = keys.member(bucket, fid);
  if (row.removed) transaction.remove(key);
  else if (!isUntouchedRoot(row, keys)) transaction.put(key, seal(digestText(digestOfRow(row))));
  recountBucket(reader, transaction, keys, bucket);
}

/** The digest of one bucket, from those of the objects in it. */
export function recountBucket(
  reader: VolumeReader,
  transaction: StoreTransaction,
  keys: VolumeKeys,
  bucket: string,
): void {
  transaction.put(keys.bucket(bucket), seal(digestText(countedBucket(reader, bucket))));
}

export function countedBucket(reader: VolumeReader, bucket: string): bigint {
  let digest = noChildren;
  for (const member of reader.digests(bucket).values()) digest = toggled(digest, digestOf(member));
  return digest;
}

/** A root that nobody has changed yet is no object of anybody's. */
export function isUntouchedRoot({ status }: ObjectRow, { volume }: Pick<VolumeKeys, 'volume'>): boolean {
  return status.fid === rootFid(volume) && isRunt(status);
}
