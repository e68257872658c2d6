/** The records of a replica that is new, and of one whose own record was lost. */
import { emptyRoot, rootFid, seal } from '../interface/index.js';
import type { Store } from '../seam/store.js';
import type { MetaRow, ObjectRow, VolumeKeys, VolumeReader } from '../store/volume-store.js';
import { bytesOf } from '../store/row-figures.js';

/**
 * Stamps left out before the first change after an opening. Before a crash somebody may have been told of
 * stamps that were not flushed yet; were they given out again, for other changes, he would never hear of
 * those (VR-2). More than what waits for a flush at any time.
 */
const restartGap = 1_000_000;

/** Writes the volume's own record, and its root if there is none. */
export async function writeMeta(store: Store, keys: VolumeKeys, meta: MetaRow): Promise<MetaRow> {
  const root = rootFid(keys.volume);
  await store.transact((transaction) => {
    transaction.put(keys.meta, seal(meta));
    const row: ObjectRow = { status: emptyRoot(root), removed: false, stamp: 0, forced: 0, bound: null };
    if (transaction.get(keys.object(root)) === undefined) transaction.put(keys.object(root), seal(row));
  });
  return meta;
}

/** What the objects themselves still say of a volume whose meta record is lost. */
export function recovered(reader: VolumeReader): Pick<MetaRow, 'stamp' | 'used'> {
  let stamp = 0;
  let used = 0;
  for (const change of reader.changedAfter(0)) {
    stamp = change.stamp;
    used += bytesOf(reader.readableObject(change.fid));
  }
  return { stamp, used };
}

/** What the volume's own record becomes before the first change after an opening (VR-2). */
export function afterRestart(meta: MetaRow): MetaRow {
  return { ...meta, stamp: meta.stamp + restartGap };
}
