/** The records of a replica that is new, and of one whose own record was lost. */
import { emptyRoot, isFailure, rootFid, seal, withEpoch, type History } from '../interface/index.js';
import { mendTwice, putTwice } from '../seam/kept-twice.js';
import type { Log } from '../seam/log.js';
import { randomHex, type Random } from '../seam/random.js';
import type { Store } from '../seam/store.js';
import { bytesOf, livingOf } from '../store/row-figures.js';
import { VolumeReader, type MetaRow, type ObjectRow, type VolumeKeys } from '../store/volume-store.js';

export interface FirstRecordsWorld {
  /** Of the replica. */
  readonly id: string;
  readonly store: Store;
  readonly random: Random;
  readonly log: Log;
}

/** The volume's own record, made where there is none, and made again where it is damaged. */
export async function openMeta(
  { id, store, random, log }: FirstRecordsWorld,
  keys: VolumeKeys,
): Promise<{ readonly meta: MetaRow; readonly isNew: boolean }> {
  const { volume } = keys;
  const reader = new VolumeReader(store, keys);
  const own = (): Pick<MetaRow, 'incarnation' | 'replica'> => {
    return { incarnation: randomHex(random, 8), replica: id };
  };
  try {
    const meta = reader.meta();
    if (await mendTwice(store, keys.meta)) log.warn('damaged volume record taken from its copy', { volume });
    if (meta === undefined) {
      return { meta: await writeMeta(store, keys, { stamp: 0, used: 0, objects: 0, ...own() }), isNew: true };
    }
    if (meta.objects !== undefined) return { meta, isNew: false };
    return { meta: await writeMeta(store, keys, { ...meta, objects: living(reader) }), isNew: false };
  } catch (error) {
    if (!isFailure(error, 'damaged')) throw error;
    log.error('volume record damaged: peers and clients must look at everything again', { volume });
    return { meta: await writeMeta(store, keys, { ...recovered(reader), ...own() }), isNew: false };
  }
}

/**
 * Stamps left out before the first change after an opening. Before a crash somebody may have been told of
 * stamps that were not flushed yet; were they given out again, for other changes, he would never hear of
 * those (VR-2). More than what waits for a flush at any time.
 */
const restartGap = 1_000_000;

/** Writes the volume's own record, and its root if there is none. */
async function writeMeta(store: Store, keys: VolumeKeys, meta: MetaRow): Promise<MetaRow> {
  const root = rootFid(keys.volume);
  await store.transact((transaction) => {
    putTwice(transaction, keys.meta, meta);
    const row: ObjectRow = { status: emptyRoot(root), removed: false, stamp: 0, forced: 0, bound: null };
    if (transaction.get(keys.object(root)) === undefined) transaction.put(keys.object(root), seal(row));
  });
  return meta;
}

/** What the objects themselves still say of a volume whose meta record is lost. */
function recovered(reader: VolumeReader): Pick<MetaRow, 'stamp' | 'used' | 'objects' | 'forgotten'> {
  let stamp = 0;
  let used = 0;
  for (const change of reader.changedAfter(0)) {
    stamp = change.stamp;
    used += bytesOf(reader.readableObject(change.fid));
  }
  return { stamp, used, objects: living(reader), forgotten: stamp };
}

function living(reader: VolumeReader): number {
  let objects = 0;
  for (const row of reader.objects()) objects += livingOf(row);
  return objects;
}

/** What the volume's own record becomes before the first change after an opening (VR-2): `epoch` begins. */
export function afterRestart(meta: MetaRow, epoch: string): MetaRow {
  const epochs = withEpoch(historyOf(meta), epoch, meta.stamp);
  return { ...meta, epochs, stamp: meta.stamp + restartGap };
}

export function historyOf({ epochs, incarnation }: MetaRow): History {
  return epochs ?? [{ id: incarnation, after: 0 }];
}
