/**
 * One volume replica inside one transaction: reads see the transaction's own writes, each object is decoded
 * at most once and written at most once, and whatever follows from the objects (stamp rows, children digests,
 * container counts, bytes used) is worked out once at the end, from how each object was before and is after.
 */
import {
  counterOf,
  emptyDigest,
  Failure,
  isFailure,
  seal,
  type DirectoryEntry,
  type Fid,
  type StoreId,
  type Tree,
  venusOf,
  volumeOf,
  type VnodeStatus,
  type VolumeId,
} from '../interface/index.js';
import type { StoreTransaction } from '../seam/store.js';
import { childDigest, digestOf, digestText, noChildren, toggled } from './children-digest.js';
import { countReferences } from './container-references.js';
import type { RowCache } from './row-cache.js';
import { VolumeReader, type Binding, type MetaRow, type ObjectRow, type VolumeKeys } from './volume-store.js';

interface Working {
  readonly before: ObjectRow | undefined;
  after: ObjectRow | undefined;
}

/** What a finished transaction leaves to be done after the flush. */
export interface Finished {
  /** Of the last change, in this transaction or before. */
  readonly stamp: number;
  /** Objects that took a stamp. */
  readonly changed: readonly Fid[];
  readonly rows: ReadonlyMap<Fid, ObjectRow>;
  /** Digests that no file of this volume names any more. */
  readonly unnamed: readonly string[];
}

const present = seal(1);

export class VolumeTransaction implements Tree {
  readonly #transaction: StoreTransaction;
  readonly #reader: VolumeReader;
  readonly #keys: VolumeKeys;
  readonly #cache: RowCache;
  readonly #working = new Map<Fid, Working>();
  readonly #changed = new Set<Fid>();
  /** Directories whose digest cannot be continued because the row of a child was damaged. */
  readonly #recount = new Set<Fid>();
  readonly #meta: MetaRow;
  #stamp: number;

  constructor(transaction: StoreTransaction, keys: VolumeKeys, cache: RowCache) {
    this.#transaction = transaction;
    this.#keys = keys;
    this.#reader = new VolumeReader(transaction, keys);
    this.#cache = cache;
    const meta = this.#reader.meta();
    if (meta === undefined) throw new Error(`volume ${keys.volume} has no meta record`);
    this.#meta = meta;
    this.#stamp = meta.stamp;
  }

  /** Of the last change so far. */
  get stamp(): number {
    return this.#stamp;
  }

  /** Begins the next change: objects put from now on take its stamp. */
  nextStamp(): void {
    this.#stamp += 1;
  }

  /** The living object or its tombstone. @throws Failure damaged */
  object(fid: Fid): ObjectRow | undefined {
    const working = this.#working.get(fid);
    if (working !== undefined) return working.after;
    const row = this.#cache.get(fid) ?? this.#reader.object(fid);
    this.#working.set(fid, { before: row, after: row });
    return row;
  }

  /**
   * `object`, but a damaged row counts as missing: for whoever brings a good one. What the lost row said of
   * the object's name is found again in `directory`.
   */
  objectToReplace(fid: Fid, directory: Fid | null): ObjectRow | undefined {
    try {
      return this.object(fid);
    } catch (error) {
      if (!isFailure(error, 'damaged')) throw error;
      this.#working.set(fid, { before: undefined, after: undefined });
      if (directory !== null) this.#recount.add(directory);
      return undefined;
    }
  }

  status(fid: Fid): VnodeStatus | undefined {
    const row = this.object(fid);
    return row?.removed === false ? row.status : undefined;
  }

  entry(directory: Fid, name: string): DirectoryEntry | undefined {
    return this.#reader.entry(directory, name);
  }

  isEmpty(directory: Fid): boolean {
    return this.#reader.isEmpty(directory);
  }

  entries(directory: Fid): ReturnType<VolumeReader['entries']> {
    return this.#reader.entries(directory);
  }

  /** Sets a living object, as a change that has the current stamp. */
  put(status: VnodeStatus, forced = false): void {
    const row = this.#working.get(status.fid)?.after;
    this.#set({
      status,
      removed: false,
      stamp: this.#stamp,
      forced: forced ? this.#stamp : (row?.forced ?? 0),
      bound: row === undefined ? this.#nameFoundAgain(status) : row.bound,
    });
    this.#changed.add(status.fid);
  }

  /** Leaves a tombstone for an object whose name is gone, as a change that has the current stamp. */
  putTombstone(status: VnodeStatus, forced = false): void {
    const row = this.#working.get(status.fid)?.after;
    if ((row?.bound ?? null) !== null) throw new Error(`tombstone of ${status.fid}, which still has a name`);
    const lost = row === undefined ? this.#nameFoundAgain(status) : null;
    if (lost !== null) this.removeEntry(lost.directory, lost.name);
    const forcedAt = forced ? this.#stamp : (row?.forced ?? 0);
    this.#set({ status, removed: true, stamp: this.#stamp, forced: forcedAt, bound: null });
    this.#changed.add(status.fid);
  }

  /** Sets counts only: no change that anybody else need hear of (cop2.ts). */
  putCounts(row: ObjectRow, vv: VnodeStatus['vv'], forced = false): void {
    const forcedAt = forced ? this.#stamp : row.forced;
    this.#set({ ...row, status: { ...row.status, vv }, forced: forcedAt });
  }

  bind(directory: Fid, entry: DirectoryEntry): void {
    const row = this.object(entry.fid);
    if (row === undefined || row.removed) throw new Error(`a name for ${entry.fid}, which is not here`);
    if (row.bound !== null) throw new Error(`a second name for ${entry.fid}`);
    const { name, fid, kind } = entry;
    this.#transaction.put(this.#keys.entry(directory, name), seal({ fid, kind }));
    this.#set({ ...row, bound: { directory, name } });
  }

  unbind(fid: Fid): void {
    const row = this.object(fid);
    const bound = row?.bound ?? null;
    if (row === undefined || bound === null) return;
    this.#transaction.remove(this.#keys.entry(bound.directory, bound.name));
    this.#set({ ...row, bound: null });
  }

  /** Removes an entry that no object's row answers for (it was damaged). */
  removeEntry(directory: Fid, name: string): void {
    this.#transaction.remove(this.#keys.entry(directory, name));
  }

  /**
   * Forgets a tombstone for good. Nobody calls this yet: it is right only once every replica of the group has
   * caught up with this one past the tombstone's stamp (their marks, not ours, and again after each growth of
   * the group), and no log can still hold a record on the object. A peer that missed the removal would bring
   * the object back.
   */
  forgetTombstone(row: ObjectRow): void {
    if (!row.removed) throw new Error(`${row.status.fid} is alive`);
    this.#transaction.remove(this.#keys.stamp(row.stamp, row.status.fid));
    this.#transaction.remove(this.#keys.object(row.status.fid));
  }

  isMarkedApplied(storeId: StoreId): boolean {
    const [venus, counter] = [venusOf(storeId), counterOf(storeId)];
    return counter < this.#reader.watermark(venus) || this.#reader.isMarkedApplied(venus, counter);
  }

  markApplied(storeId: StoreId): void {
    this.#transaction.put(this.#keys.applied(venusOf(storeId), counterOf(storeId)), present);
  }

  /** No counter of `venus` below `watermark` will come again: nothing below need be remembered singly. */
  raiseWatermark(venus: string, watermark: number): void {
    if (watermark <= this.#reader.watermark(venus)) return;
    this.#transaction.put(this.#keys.watermark(venus), seal(watermark));
    const range = { start: this.#keys.applied(venus, 0), end: this.#keys.applied(venus, watermark) };
    // Bounded: what is left over goes with the next raise.
    const rows = [...this.#transaction.range({ ...range, limit: 1000 })];
    for (const { key } of rows) this.#transaction.remove(key);
  }

  cop2(storeId: StoreId): ReturnType<VolumeReader['cop2']> {
    return this.#reader.cop2(storeId);
  }

  awaitCop2(storeId: StoreId, fids: readonly Fid[]): void {
    this.#transaction.put(this.#keys.cop2(storeId), seal({ stamp: this.#stamp, fids }));
  }

  forgetCop2(storeId: StoreId): void {
    this.#transaction.remove(this.#keys.cop2(storeId));
  }

  /** Writes what the changes amount to. The last call of the transaction. */
  finish(): Finished {
    const rows = new Map<Fid, ObjectRow>();
    const digests = new Map<Fid, bigint>();
    const references = new Map<string, number>();
    let used = this.#meta.used;
    for (const [fid, { before, after }] of this.#working) {
      if (after === undefined || after === before) continue;
      rows.set(fid, after);
      this.#transaction.put(this.#keys.object(fid), seal(after));
      this.#moveStamp(fid, before, after);
      for (const row of [before, after]) {
        if (row !== undefined && row.bound !== null) toggle(digests, row.bound, row.status);
      }
      const { kind } = after.status;
      if (after.removed && kind === 'directory') this.#transaction.remove(this.#keys.children(fid));
      used += bytesOf(after) - bytesOf(before);
      count(references, before, -1);
      count(references, after, 1);
    }
    this.#writeDigests(digests);
    const unnamed = [...references]
      .filter(([digest, change]) => this.#countReferences(digest, change))
      .map(([digest]) => digest);
    if (this.#stamp !== this.#meta.stamp || used !== this.#meta.used) {
      this.#transaction.put(this.#keys.meta, seal({ ...this.#meta, stamp: this.#stamp, used }));
    }
    return { stamp: this.#stamp, changed: [...this.#changed], rows, unnamed };
  }

  #countReferences(digest: string, change: number): boolean {
    return change !== 0 && countReferences(this.#transaction, this.#keys.volume, digest, change);
  }

  #set(row: ObjectRow): void {
    const { fid } = row.status;
    const working = this.#working.get(fid);
    // Reading first is what lets finish() take the old state back out of digests and counts.
    if (working === undefined) throw new Error(`${fid} is written before it is read`);
    working.after = row;
  }

  #moveStamp(fid: Fid, before: ObjectRow | undefined, after: ObjectRow): void {
    if (before?.stamp === after.stamp) return;
    const { stamp } = before ?? { stamp: 0 };
    if (stamp > 0) this.#transaction.remove(this.#keys.stamp(stamp, fid));
    this.#transaction.put(this.#keys.stamp(after.stamp, fid), present);
  }

  /** After the objects: a recount reads them. */
  #writeDigests(changes: ReadonlyMap<Fid, bigint>): void {
    for (const [directory, change] of changes) {
      if (change === noChildren || this.#recount.has(directory) || this.#isGone(directory)) continue;
      const digest = this.#childrenBefore(directory);
      if (digest === undefined) this.#recount.add(directory);
      else this.#transaction.put(this.#keys.children(directory), seal(digestText(toggled(digest, change))));
    }
    for (const directory of this.#recount) {
      this.#transaction.put(this.#keys.children(directory), seal(this.#reader.recountedDigest(directory)));
    }
  }

  #childrenBefore(directory: Fid): bigint | undefined {
    try {
      return digestOf(this.#reader.childrenDigest(directory));
    } catch (error) {
      if (!isFailure(error, 'damaged')) throw error;
      return undefined;
    }
  }

  #isGone(directory: Fid): boolean {
    return this.#working.get(directory)?.after?.removed === true;
  }

  /** Where an object whose row was lost has its name; null for one that is new here. */
  #nameFoundAgain(status: VnodeStatus): Binding | null {
    if (!this.#working.has(status.fid)) throw new Error(`${status.fid} is written before it is read`);
    if (status.parent === null || !this.#recount.has(status.parent)) return null;
    for (const { name, entry } of this.entries(status.parent)) {
      if (entry?.fid === status.fid) return { directory: status.parent, name };
    }
    return null;
  }
}

/** @throws Failure invalid when an object of another volume is named. */
export function mustBeIn(volume: VolumeId, fids: readonly Fid[]): void {
  for (const fid of fids) {
    if (volumeOf(fid) !== volume) {
      throw new Failure('cross-volume', 'vice.mutate', `the object is not in volume ${volume}`, { fid });
    }
  }
}

function toggle(digests: Map<Fid, bigint>, { directory }: Binding, { fid, storeId }: VnodeStatus): void {
  digests.set(directory, toggled(digests.get(directory) ?? noChildren, childDigest(fid, storeId)));
}

/** Bytes that an object counts for in its volume's use of space. */
export function bytesOf(row: ObjectRow | undefined): number {
  return row === undefined || row.removed ? 0 : (row.status.data?.length ?? 0);
}

function count(references: Map<string, number>, row: ObjectRow | undefined, change: number): void {
  const digest = row === undefined || row.removed ? undefined : row.status.data?.digest;
  if (digest === undefined || digest === emptyDigest) return;
  references.set(digest, (references.get(digest) ?? 0) + change);
}
