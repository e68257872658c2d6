/**
 * Snapshots of a volume that were deleted, by name and time: `V/dropped/TIME/NAME`. Servers tell each other, so that
 * one that was away deletes its own, too, instead of giving it back to those that have none any more.
 *
 * DS-1  They are forgotten when no server of the volume has the snapshot, and none is getting it; and the oldest of
 *       them where there are too many.
 */
import { droppedMost, isOfDump, seal } from '../interface/index.js';
import { endOf, type StoreReader, type StoreTransaction } from '../seam/store.js';
import type { Snapshot, SnapshotKeys } from './snapshot-rows.js';

/** Oldest snapshots first. */
export function droppedOf(reader: StoreReader, { volume }: SnapshotKeys): readonly Snapshot[] {
  const prefix = `${volume}/dropped/`;
  return [...reader.range({ start: prefix, end: endOf(prefix) })].map(({ key }) => {
    const [time = '', ...name] = key.slice(prefix.length).split('/');
    return { name: name.join('/'), time: Number(time) };
  });
}

export function wasDropped(reader: StoreReader, keys: SnapshotKeys, snapshot: Snapshot): boolean {
  return reader.get(key(keys, snapshot)) !== undefined;
}

/** One that was never brought anywhere needs no word. */
export function noteDropped(transaction: StoreTransaction, keys: SnapshotKeys, snapshot: Snapshot): void {
  if (isOfDump(snapshot.name)) return;
  transaction.put(key(keys, snapshot), seal(true));
  const all = droppedOf(transaction, keys);
  for (const oldest of all.slice(0, Math.max(0, all.length - droppedMost))) {
    transaction.remove(key(keys, oldest));
  }
}

export function forgetDropped(transaction: StoreTransaction, keys: SnapshotKeys, snapshot: Snapshot): void {
  transaction.remove(key(keys, snapshot));
}

function key({ volume }: SnapshotKeys, { name, time }: Snapshot): string {
  return `${volume}/dropped/${String(time).padStart(16, '0')}/${name}`;
}
