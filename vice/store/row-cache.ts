/**
 * Decoded rows of the objects in use; what has not been used for long goes first. Never older than the store:
 * every transaction updates it (`update`), and one that was taken back clears it.
 *
 * Two generations instead of an exact order of use: a Map that is reordered at every hit pays for its holes.
 */
import type { Fid } from '../interface/index.js';
import { NameNews, type NameStep } from './name-news.js';
import type { ObjectRow } from './volume-store.js';

/** Rows of one generation. */
const generation = 5000;
/** Objects with more properties (characters) than this are decoded anew each time. */
const propertiesMost = 4096;

export class RowCache {
  /** What the same transactions did to names. */
  readonly news = new NameNews();
  #young = new Map<Fid, ObjectRow>();
  #old = new Map<Fid, ObjectRow>();

  get(fid: Fid): ObjectRow | undefined {
    const young = this.#young.get(fid);
    if (young !== undefined) return young;
    const old = this.#old.get(fid);
    if (old !== undefined) this.add(old);
    return old;
  }

  add(row: ObjectRow): void {
    const { fid } = row.status;
    if (propertySize(row) > propertiesMost) {
      this.#young.delete(fid);
      this.#old.delete(fid);
      return;
    }
    this.#young.set(fid, row);
    if (this.#young.size < generation) return;
    this.#old = this.#young;
    this.#young = new Map();
  }

  /** What a transaction has written; to be called while it is the last one that ran. */
  update(rows: ReadonlyMap<Fid, ObjectRow>, renamed: readonly NameStep[]): void {
    this.news.take(renamed);
    for (const row of rows.values()) this.add(row);
  }

  clear(): void {
    this.#young.clear();
    this.#old.clear();
    this.news.clear();
  }
}

/** Characters of all properties: what makes a row large. */
function propertySize({ status }: ObjectRow): number {
  let size = 0;
  for (const name in status.properties) size += name.length + (status.properties[name]?.length ?? 0);
  return size;
}
