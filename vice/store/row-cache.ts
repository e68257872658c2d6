/** Decoded rows of the objects in use, least recently used out first. Never older than the store: see `update`. */
import type { Fid } from '../interface/index.js';
import type { ObjectRow } from './volume-store.js';

const most = 10_000;
/** Objects with more properties (characters) than this are decoded anew each time. */
const propertiesMost = 4096;

export class RowCache {
  readonly #rows = new Map<Fid, ObjectRow>();

  get(fid: Fid): ObjectRow | undefined {
    const row = this.#rows.get(fid);
    if (row === undefined) return undefined;
    this.#rows.delete(fid);
    this.#rows.set(fid, row);
    return row;
  }

  add(row: ObjectRow): void {
    const { fid } = row.status;
    this.#rows.delete(fid);
    if (propertySize(row) > propertiesMost) return;
    this.#rows.set(fid, row);
    for (const oldest of this.#rows.keys()) {
      if (this.#rows.size <= most) break;
      this.#rows.delete(oldest);
    }
  }

  /** What a transaction has written; to be called while it is the last one that ran. */
  update(rows: ReadonlyMap<Fid, ObjectRow>): void {
    for (const row of rows.values()) this.add(row);
  }

  clear(): void {
    this.#rows.clear();
  }
}

/** Characters of all properties: what makes a row large. */
export function propertySize({ status }: ObjectRow): number {
  let size = 0;
  for (const name in status.properties) size += name.length + (status.properties[name]?.length ?? 0);
  return size;
}
