/**
 * Writes anew what follows from an object and its entries (names, digests, the count of its contents) where it does
 * not follow. In a sound volume it changes nothing. It reads all entries of a directory in one go.
 */
import { emptyDigest, isFailure, isRunt, rootFid, seal, versionsOf, type Fid } from '../interface/index.js';
import type { Store, StoreTransaction } from '../seam/store.js';
import { digestOf, digestText, noChildren, toggled } from './children-digest.js';
import { countReferences, isCounted } from './container-references.js';
import { bytesOf, digestOfRow, livingOf } from './row-figures.js';
import { bucketOf } from './state-digest.js';
import { VolumeReader, type MetaRow, type ObjectRow, type VolumeKeys } from './volume-store.js';
import type { VolumeTransaction } from './volume-transaction.js';

/** How many files have contents that nothing counted nobody knows: they stay for good. */
const uncounted = 2 ** 40;

export function recount(
  volume: VolumeTransaction,
  transaction: StoreTransaction,
  keys: VolumeKeys,
  fid: Fid,
): void {
  const reader = new VolumeReader(transaction, keys);
  volume.mendEntries(fid);
  const row = rowInUse(volume, fid);
  if (row === undefined) return;
  // What is in memory, whole, replaces what the disk has lost of it.
  if (reader.readableObject(fid) === undefined) transaction.put(keys.object(fid), seal(row));
  if (!row.removed) {
    const directory = nameAgain(volume, transaction, keys, row);
    if (directory !== undefined) recountDirectory(volume, reader, transaction, keys, directory);
    if (row.status.kind === 'directory') recountDirectory(volume, reader, transaction, keys, row);
  }
  recountState(reader, transaction, keys, row);
  if (row.removed && row.keeps !== true) return;
  for (const { digest } of versionsOf(row.status)) {
    if (digest === emptyDigest || isCounted(transaction, keys.volume, digest)) continue;
    countReferences(transaction, keys.volume, digest, uncounted);
  }
}

/**
 * What a volume's objects come to, counted while nothing was changed (`stamp`): bytes and living objects. Where a
 * record was damaged, what it counted for before is not known. Whether it was otherwise.
 */
export function recountSpace(
  store: Store,
  keys: VolumeKeys,
  stamp: number,
  { used, objects }: Pick<MetaRow, 'used' | 'objects'>,
): Promise<boolean> {
  return store.transact((transaction) => {
    const meta = new VolumeReader(transaction, keys).meta();
    if (meta === undefined || meta.stamp !== stamp) return false;
    if (meta.used === used && meta.objects === objects) return false;
    transaction.put(keys.meta, seal({ ...meta, used, objects }));
    return true;
  });
}

/** What one object counts for there. */
export function spaceOf(row: ObjectRow): { readonly used: number; readonly objects: number } {
  return { used: bytesOf(row), objects: livingOf(row) };
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

/** The directory whose entry was lost. */
function nameAgain(
  volume: VolumeTransaction,
  transaction: StoreTransaction,
  keys: VolumeKeys,
  { bound, status }: ObjectRow,
): ObjectRow | undefined {
  if (bound === null) return undefined;
  const key = keys.entry(bound.directory, bound.name);
  if (transaction.get(key) !== undefined) return undefined;
  const directory = rowInUse(volume, bound.directory);
  if (directory?.removed !== false) return undefined;
  transaction.put(key, seal({ fid: status.fid, kind: status.kind }));
  return directory;
}

function recountDirectory(
  volume: VolumeTransaction,
  reader: VolumeReader,
  transaction: StoreTransaction,
  keys: VolumeKeys,
  { status: { fid, names } }: ObjectRow,
): void {
  for (const { name, entry } of reader.entries(fid)) {
    const child = entry && reader.readableObject(entry.fid);
    // Of an object that is not here the name stays: a peer may bring the object.
    if (child === undefined) continue;
    if (child.bound?.directory !== fid || child.bound.name !== name) volume.removeEntry(fid, name);
  }
  const recounted = reader.recountedNames(fid);
  if (recounted !== names) volume.putNames(fid, recounted);
  transaction.put(keys.children(fid), seal(reader.recountedDigest(fid)));
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
  let digest = noChildren;
  for (const member of reader.digests(bucket).values()) digest = toggled(digest, digestOf(member));
  transaction.put(keys.bucket(bucket), seal(digestText(digest)));
}

/** A root that nobody has changed yet is no object of anybody's. */
export function isUntouchedRoot({ status }: ObjectRow, { volume }: Pick<VolumeKeys, 'volume'>): boolean {
  return status.fid === rootFid(volume) && isRunt(status);
}
