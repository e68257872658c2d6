/**
 * The rows of objects and names that a snapshot may have, in one order that all replicas share: names, by directory,
 * then objects, by their bytes. A position in it is a row without its volume (`entry/DIRECTORY/NAME`, `object/FID`), or
 * the end of a kind of rows; '' is before all.
 */
import type { StoreReader } from '../seam/store.js';
import { partsOf, type SnapshotKeys } from '../store/snapshot-rows.js';

const kinds = ['entry', 'object'] as const;
/** Looked at in one turn of the event loop. */
const turnRows = 200;

export interface RowsAfter {
  /** Living ones, and those of which a row is saved: none in between is left out. */
  readonly rows: readonly string[];
  readonly upTo: string;
  /** There are no more behind it. */
  readonly isLast: boolean;
}

export function rowsAfter(
  reader: StoreReader,
  keys: SnapshotKeys,
  after: string,
  limit: number = turnRows,
): RowsAfter {
  for (const kind of kinds) {
    // '0' is the character after '/'.
    const end = `${kind}0`;
    if (byBytes(after, end) >= 0) continue;
    const isInside = after.startsWith(`${kind}/`);
    const living = read(reader, keys.volume, isInside ? `${after}\0` : `${kind}/`, { end, limit });
    // U+0001 ends a saved row, behind it are the numbers under which it is saved.
    const saved = read(reader, `${keys.volume}/saved`, isInside ? `${after}\u0002` : `${kind}/`, {
      end,
      limit,
    });
    const savedRows = saved.map((row) => partsOf(row).row.slice(0, -1));
    const ends = [living, savedRows].flatMap((rows) => (rows.length < limit ? [] : [rows.at(-1) ?? '']));
    const upTo = ends.sort(byBytes)[0] ?? end;
    const rows = [...new Set([...living, ...savedRows])].sort(byBytes);
    const isLast = upTo === end && kind === kinds.at(-1);
    return { rows: rows.filter((row) => byBytes(row, upTo) <= 0), upTo, isLast };
  }
  return { rows: [], upTo: after, isLast: true };
}

/** As stores order their keys. */
export function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function read(
  reader: StoreReader,
  folder: string,
  start: string,
  { end, limit }: { readonly end: string; readonly limit: number },
): readonly string[] {
  const range = { start: `${folder}/${start}`, end: `${folder}/${end}`, limit };
  return [...reader.range(range)].map(({ key }) => key.slice(folder.length + 1));
}
