/** Which objects a snapshot may have, in the order of their Fids: living ones, and those of which a row is saved. */
import type { Fid } from '../interface/index.js';
import { endOf, type StoreReader } from '../seam/store.js';
import { partsOf, type SnapshotKeys } from '../store/snapshot-rows.js';
import type { VolumeKeys } from '../store/volume-store.js';

/** Looked at in one turn of the event loop. */
const turnRows = 100;

export interface FidsAfter {
  /** Perhaps of objects that the snapshot does not have. */
  readonly fids: readonly Fid[];
  /** There are no more behind them. */
  readonly isLast: boolean;
}

/** Some of those after `after`: none in between is left out. */
export function fidsAfter(
  reader: StoreReader,
  rows: SnapshotKeys,
  keys: VolumeKeys,
  after: Fid | null,
): FidsAfter {
  const living = keys.object('' as Fid);
  const saved = `${rows.savedPrefix}${living.slice(keys.volume.length + 1)}`;
  const livingFids = read(reader, after === null ? living : `${living}${after}\0`, living, (key) =>
    key.slice(living.length),
  );
  // U+0001 ends the Fid of a saved row: behind all rows of this one.
  const savedFids = read(reader, after === null ? saved : `${saved}${after}\u0002`, saved, (key) =>
    partsOf(key).row.slice(saved.length, -1),
  );
  const ends = [livingFids, savedFids].flatMap((fids) => (fids.length < turnRows ? [] : [fids.at(-1) ?? '']));
  const end = ends.sort()[0];
  const all = [...new Set([...livingFids, ...savedFids])].sort();
  return {
    fids: all.filter((fid) => end === undefined || fid <= end) as Fid[],
    isLast: end === undefined,
  };
}

function read(
  reader: StoreReader,
  start: string,
  prefix: string,
  fidIn: (key: string) => string,
): readonly string[] {
  return [...reader.range({ start, end: endOf(prefix), limit: turnRows })].map(({ key }) => fidIn(key));
}
