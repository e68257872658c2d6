/**
 * Which replica of a volume the rows in a store are of, and their end. Rows bear the volume's name, not the replica's:
 * those of one that left must be gone before another one of the same volume lives here. What it had removed since, all
 * others may have forgotten, and its old objects would come back to life.
 *
 * DV-1  The volume's own record goes last: until then whoever opens the store finds whose rows these are.
 */
import { isFailure, type VolumeId } from '../interface/index.js';
import { putTwice, removeTwice } from '../seam/kept-twice.js';
import { endOf, type Store, type StoreReader, type StoreTransaction } from '../seam/store.js';
import type { ContainerReferences } from './container-references.js';
import { VolumeKeys, VolumeReader, type MetaRow } from './volume-store.js';

/** Rows in one transaction: a tenth of a second at most. */
const atOnce = 1000;

/**
 * Whose rows the store has of `volume`; undefined: nobody's, those of a replica that never said, or (the record is
 * damaged) nobody knows.
 */
export function ownerOfRows(store: Store, volume: VolumeId): string | undefined {
  return readableMeta(store, new VolumeKeys(volume))?.replica;
}

/** Whether the store has anything of `volume`. */
export function hasRows(store: Store, volume: VolumeId): boolean {
  const start = `${volume}/`;
  return [...store.range({ start, end: endOf(start), limit: 1 })].length > 0;
}

/** Rows of a replica that never said so are `replica`'s from now on. */
export async function claimRows(store: Store, volume: VolumeId, replica: string): Promise<void> {
  const keys = new VolumeKeys(volume);
  await store.transact((transaction) => {
    const meta = readableMeta(transaction, keys);
    if (meta !== undefined && meta.replica === undefined) {
      putTwice(transaction, keys.meta, { ...meta, replica });
    }
  });
}

/** Takes all rows of `volume` away, and lets go of its containers. Nobody may use the replica any more. */
export async function dropRows(
  store: Store,
  references: ContainerReferences,
  volume: VolumeId,
): Promise<void> {
  const keys = new VolumeKeys(volume);
  const suffix = `/${volume}`;
  let start = 'container/';
  for (let more = true; more;) {
    const digests: string[] = [];
    await store.transact((transaction) => {
      const rows = [...transaction.range({ start, end: endOf('container/'), limit: atOnce })];
      for (const { key } of rows) {
        if (!key.endsWith(suffix)) continue;
        transaction.remove(key);
        digests.push(key.slice('container/'.length, -suffix.length));
      }
      start = `${rows.at(-1)?.key ?? start}\u0000`;
      more = rows.length === atOnce;
    });
    references.collect(digests);
  }
  while ((await store.transact((transaction) => removeSome(transaction, keys))) > 0);
  await store.transact((transaction) => removeTwice(transaction, keys.meta));
}

function readableMeta(reader: StoreReader, keys: VolumeKeys): MetaRow | undefined {
  try {
    return new VolumeReader(reader, keys).meta();
  } catch (error) {
    if (!isFailure(error, 'damaged')) throw error;
    return undefined;
  }
}

function removeSome(transaction: StoreTransaction, keys: VolumeKeys): number {
  const start = `${keys.volume}/`;
  const found = [...transaction.range({ start, end: endOf(start), limit: atOnce })].map(({ key }) => key);
  const rows = found.filter((key) => key !== keys.meta);
  for (const key of rows) transaction.remove(key);
  return rows.length;
}
