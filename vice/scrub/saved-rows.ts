/**
 * What is wrong with rows that only snapshots read (vice/store/snapshot-rows.ts), as far as the rows of this disk say.
 * A row that no snapshot needs any more is nobody's concern: the sweep takes it.
 */
import { intact, parseFid, statusSchema, type Fid } from '../interface/index.js';
import { endOf, type StoreReader } from '../seam/store.js';
import {
  isTombstone,
  partsOf,
  rowIn,
  wholeOf,
  type NumberedSnapshot,
  type Snapshot,
  type SnapshotKeys,
} from '../store/snapshot-rows.js';
import type { EntryRow, ObjectRow } from '../store/volume-store.js';
import type { Fault, Found } from './finding.js';

/** `fid`: of the object, or of the directory that has the name. */
export interface SavedFault extends Found {
  readonly fid: Fid;
  /** The newest one for which that is so. */
  readonly snapshot: Snapshot;
}

export interface SavedPage {
  readonly rows: number;
  readonly bytes: number;
  readonly faults: readonly SavedFault[];
  /** The last row that was looked at. */
  readonly last: string;
}

/** Rows behind the row `after`. */
export function examineSaved(
  reader: StoreReader,
  keys: SnapshotKeys,
  after: string,
  most: number,
): SavedPage {
  const snapshots = wholeOf(reader, keys);
  const start = after === '' ? keys.savedPrefix : `${after}\0`;
  const page = [...reader.range({ start, end: endOf(keys.savedPrefix), limit: most })];
  const faults = page.flatMap(({ key, value }) => faultOf(reader, keys, snapshots, key, value) ?? []);
  const bytes = page.reduce((sum, { value }) => sum + value.length, 0);
  return { rows: page.length, bytes, faults, last: page.at(-1)?.key ?? after };
}

/** Of one object, and of the names in it if it is a directory. */
export function savedFaultsOf(reader: StoreReader, keys: SnapshotKeys, fid: Fid): readonly SavedFault[] {
  const snapshots = wholeOf(reader, keys);
  const ranges = [
    { start: `${keys.savedPrefix}object/${fid}\u0001`, end: `${keys.savedPrefix}object/${fid}\u0002` },
    // '0' is the character after '/'.
    { start: `${keys.savedPrefix}entry/${fid}/`, end: `${keys.savedPrefix}entry/${fid}0` },
  ];
  return ranges.flatMap((range) =>
    [...reader.range(range)].flatMap(({ key, value }) => faultOf(reader, keys, snapshots, key, value) ?? []),
  );
}

function faultOf(
  reader: StoreReader,
  keys: SnapshotKeys,
  snapshots: readonly NumberedSnapshot[],
  key: string,
  value: Uint8Array,
): SavedFault | undefined {
  const { row, number } = partsOf(key);
  const [kind, part = ''] = row.slice(keys.savedPrefix.length, -1).split('/');
  const fid = parseFid(part);
  const [before] = [...reader.range({ start: row, end: key, reverse: true, limit: 1 })];
  const after = before === undefined ? 0 : partsOf(before.key).number;
  const reading = snapshots.filter((each) => each.number > after && each.number <= number).reverse();
  const [newest] = reading;
  if (fid === undefined || newest === undefined) return undefined;
  const found = (fault: Fault, { name, time }: Snapshot): SavedFault => {
    return { fault, fid, digest: null, peer: null, snapshot: { name, time } };
  };
  const decoded = intact<Partial<ObjectRow & EntryRow> | null>(value);
  if (decoded === null) return undefined;
  if (decoded === undefined) return found('snapshot-damaged', newest);
  if (kind === 'object') {
    const isSound = decoded.status?.fid === fid && statusSchema.safeParse(decoded.status).success;
    return isSound ? undefined : found('snapshot-damaged', newest);
  }
  const child = decoded.fid;
  if (child === undefined) return found('snapshot-damaged', newest);
  const dangling = reading.find((snapshot) => {
    const object = rowIn(reader, keys, snapshot.number, `${keys.volume}/object/${child}`);
    return object === undefined || isTombstone(object);
  });
  return dangling && found('snapshot-dangling', dangling);
}
