/**
 * One volume replica inside one transaction: reads see the transaction's own writes, each object is decoded
 * at most once and written at most once, and whatever follows from the objects (stamp rows, children digests,
 * container counts, bytes used) is worked out once at the end, from how each object was before and is after.
 */
import {
  conflictsOf,
  emptyDigest,
  isFailure,
  noNames,
  seal,
  type DirectoryEntry,
  type Fid,
  type Tree,
  type VnodeStatus,
} from '../interface/index.js';
import type { StoreTransaction } from '../seam/store.js';
import { digestOf, digestText, noChildren, toggled } from './children-digest.js';
import { countReferences, isNamed } from './container-references.js';
import { nameChanges, toggledNames, type NameStep } from './name-news.js';
import { bytesOf, count, digestOfRow, livingOf, toggleChild } from './row-figures.js';
import type { RowCache } from './row-cache.js';
import { bucketOf } from './state-digest.js';
import { UpdateRows } from './update-rows.js';
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
  readonly renamed: readonly NameStep[];
}

const present = seal(1);

export class VolumeTransaction implements Tree {
  readonly #transaction: StoreTransaction;
  readonly #reader: VolumeReader;
  readonly #keys: VolumeKeys;
  readonly #cache: RowCache;
  readonly #working = new Map<Fid, Working>();
  readonly #changed = new Set<Fid>();
  readonly #renamed: NameStep[] = [];
  /** Directories whose digest cannot be continued because the row of a child was damaged. */
  readonly #recount = new Set<Fid>();
  readonly #keepsRemoved: boolean;
  readonly #meta: MetaRow;
  #used: number;
  /** Which updates are here, and which wait for their second phase. */
  readonly updates: UpdateRows;
  #stamp: number;

  /** `keepsRemoved`: removed files keep their contents for a while (graves.ts). */
  constructor(transaction: StoreTransaction, keys: VolumeKeys, cache: RowCache, keepsRemoved = false) {
    this.#keepsRemoved = keepsRemoved;
    this.#transaction = transaction;
    this.#keys = keys;
    this.#reader = new VolumeReader(transaction, keys);
    this.updates = new UpdateRows(transaction, keys, this.#reader);
    this.#cache = cache;
    const meta = this.#reader.meta();
    if (meta === undefined) throw new Error(`volume ${keys.volume} has no meta record`);
    this.#meta = meta;
    this.#used = meta.used;
    this.#stamp = meta.stamp;
  }

  /** Of the last change so far. */
  get stamp(): number {
    return this.#stamp;
  }

  /** Bytes of the contents of all objects, as they are so far. */
  get usedBytes(): number {
    return this.#used;
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

  /** As a `Tree`: a removed object, which replicas remember. */
  tombstone(fid: Fid): VnodeStatus | undefined {
    const row = this.object(fid);
    return row?.removed === true ? row.status : undefined;
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
      status: { ...status, names: this.#namesOf(status, row) },
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
    const names = status.kind === 'directory' ? noNames : '';
    this.#set({
      status: { ...status, names },
      removed: true,
      stamp: this.#stamp,
      forced: forcedAt,
      bound: null,
      ...(this.#keepsContents(row) && { keeps: true }),
    });
    this.#changed.add(status.fid);
  }

  #keepsContents(row: ObjectRow | undefined): boolean {
    if (row === undefined || row.status.kind !== 'file') return false;
    return row.removed ? row.keeps === true : this.#keepsRemoved;
  }

  /** Lets the contents of a removed file go. */
  dropContents(fid: Fid): void {
    const row = this.object(fid);
    if (row?.removed !== true || row.keeps !== true) return;
    const { keeps: _kept, ...rest } = row;
    this.#set(rest);
  }

  /** Whether contents are here, as far as rows say. */
  hasContents(digest: string): boolean {
    return digest === emptyDigest || isNamed(this.#transaction, digest);
  }

  /** Another digest of a directory's names: the one that is there does not follow from them. */
  putNames(directory: Fid, names: string): void {
    const row = this.object(directory);
    if (row === undefined) return;
    this.nextStamp();
    this.#set({ ...row, status: { ...row.status, names }, stamp: this.#stamp });
    this.#changed.add(directory);
  }

  /** Sets counts only: no change that anybody else need hear of (cop2.ts). */
  putCounts(row: ObjectRow, vv: VnodeStatus['vv'], forced = false): void {
    const forcedAt = forced ? this.#stamp : row.forced;
    this.#set({ ...row, status: { ...row.status, vv }, forced: forcedAt });
  }

  /** Names an object that has no name; `wanted` where it has to bear another name than it was given. */
  bind(directory: Fid, entry: DirectoryEntry, wanted = entry.name): void {
    const row = this.object(entry.fid);
    if (row === undefined || row.removed) throw new Error(`a name for ${entry.fid}, which is not here`);
    if (row.bound !== null) throw new Error(`a second name for ${entry.fid}`);
    const { name, fid, kind } = entry;
    this.#transaction.put(this.#keys.entry(directory, name), seal({ fid, kind }));
    if (wanted !== name) this.#transaction.put(this.#keys.beside(directory, fid, wanted), present);
    this.#set({ ...row, bound: { directory, name, wanted } });
  }

  unbind(fid: Fid): void {
    const row = this.object(fid);
    const bound = row?.bound ?? null;
    if (row === undefined || bound === null) return;
    const { directory, name, wanted } = bound;
    this.#transaction.remove(this.#keys.entry(directory, name));
    if (wanted !== name) this.#transaction.remove(this.#keys.beside(directory, fid, wanted));
    this.#set({ ...row, bound: null });
  }

  /** Objects in `directory` that bear another name than they want: `name`, or any. */
  besides(directory: Fid, name?: string): Fid[] {
    return [...this.#reader.besides(directory, name)];
  }

  /** Writes entries of `directory` anew that cannot be read: their objects know their names. Reads all objects. */
  mendEntries(directory: Fid): void {
    const lost = new Set<string>();
    for (const { name, entry } of this.entries(directory)) if (entry === undefined) lost.add(name);
    if (lost.size === 0) return;
    for (const name of lost) this.removeEntry(directory, name);
    for (const { bound, status } of this.#reader.objects()) {
      if (bound?.directory !== directory || !lost.has(bound.name)) continue;
      const { fid, kind } = status;
      this.#transaction.put(this.#keys.entry(directory, bound.name), seal({ fid, kind }));
    }
  }

  /** Removes an entry that no object's row answers for (it was damaged). */
  removeEntry(directory: Fid, name: string): void {
    this.#transaction.remove(this.#keys.entry(directory, name));
  }

  /**
   * Forgets a tombstone for good: only once every replica of the group has read past its stamp. A peer that missed the
   * removal would bring the object back.
   */
  forgetTombstone(row: ObjectRow): void {
    if (!row.removed) throw new Error(`${row.status.fid} is alive`);
    const { fid } = row.status;
    this.#transaction.remove(this.#keys.stamp(row.stamp, fid));
    this.#transaction.remove(this.#keys.grave(row.stamp, fid));
    this.#transaction.remove(this.#keys.object(fid));
  }

  /** Writes what the changes amount to. The last call of the transaction. */
  finish(): Finished {
    this.#renameDigests();
    const rows = new Map<Fid, ObjectRow>();
    const digests = new Map<Fid, bigint>();
    const references = new Map<string, number>();
    const buckets = new Map<string, bigint>();
    let { objects = 0 } = this.#meta;
    for (const [fid, { before, after }] of this.#working) {
      if (after === undefined || after === before) continue;
      rows.set(fid, after);
      this.#transaction.put(this.#keys.object(fid), seal(after));
      this.#moveStamp(fid, before, after);
      for (const row of [before, after]) {
        if (row !== undefined && row.bound !== null) toggleChild(digests, row.bound.directory, row.status);
      }
      const { kind } = after.status;
      if (after.removed && kind === 'directory') this.#transaction.remove(this.#keys.children(fid));
      this.#markConflict(fid, after);
      const [bucket, change] = this.#recordDigest(fid, after);
      buckets.set(bucket, toggled(buckets.get(bucket) ?? noChildren, change));
      objects += livingOf(after) - livingOf(before);
      count(references, before, -1);
      count(references, after, 1);
    }
    this.#writeDigests(digests);
    for (const [bucket, change] of buckets) {
      const digest = digestText(toggled(this.#reader.bucketDigest(bucket), change));
      this.#transaction.put(this.#keys.bucket(bucket), seal(digest));
    }
    const changed = [...references].filter(([, change]) => change !== 0);
    const unnamed = changed
      .filter((each) => countReferences(this.#transaction, this.#keys.volume, ...each))
      .map(([digest]) => digest);
    const [stamp, used] = [this.#stamp, this.#used];
    if (stamp !== this.#meta.stamp || used !== this.#meta.used) {
      this.#transaction.put(this.#keys.meta, seal({ ...this.#meta, stamp, used, objects }));
    }
    return { stamp: this.#stamp, changed: [...this.#changed], rows, unnamed, renamed: this.#renamed };
  }

  /** What was (un)bound changes the digest of its directory, which so takes a stamp: others must list again. */
  #renameDigests(): void {
    for (const [directory, changes] of nameChanges(this.#working)) {
      const row = this.object(directory);
      if (row === undefined || row.removed) continue;
      const before = row.status.names;
      const isLost = this.#recount.has(directory);
      const digest = isLost ? this.#reader.recountedNames(directory) : toggledNames(before, changes);
      if (digest === before && !isLost) continue;
      if (!isLost) this.#renamed.push({ directory, before, after: digest, changes });
      const stamp = this.#changed.has(directory) ? row.stamp : this.#stamp;
      this.#set({ ...row, status: { ...row.status, names: digest }, stamp });
      this.#changed.add(directory);
    }
  }

  /** @returns the object's bucket, and how its digest changes */
  #recordDigest(fid: Fid, after: ObjectRow): readonly [string, bigint] {
    const bucket = bucketOf(fid);
    const key = this.#keys.member(bucket, fid);
    // What it counts for now is what is written, whatever its row was: that may have been lost.
    const [was, is] = [this.#reader.memberDigest(bucket, fid), digestOfRow(after)];
    // Removed ones are forgotten by each replica in its own time.
    if (after.removed) this.#transaction.remove(key);
    else this.#transaction.put(key, seal(digestText(is)));
    return [bucket, toggled(was, is)];
  }

  #namesOf(status: VnodeStatus, row: ObjectRow | undefined): string {
    if (status.kind !== 'directory') return '';
    if (row !== undefined) return row.removed ? noNames : row.status.names;
    return this.#reader.recountedNames(status.fid);
  }

  #markConflict(fid: Fid, { status, removed, bound }: ObjectRow): void {
    const key = this.#keys.conflict(fid);
    const isOne = !removed && conflictsOf(status, bound?.name ?? null).length > 0;
    if (isOne === (this.#transaction.get(key) !== undefined)) return;
    if (isOne) this.#transaction.put(key, present);
    else this.#transaction.remove(key);
  }

  #set(row: ObjectRow): void {
    const { fid } = row.status;
    const working = this.#working.get(fid);
    // Reading first is what lets finish() take the old state back out of digests and counts.
    if (working === undefined) throw new Error(`${fid} is written before it is read`);
    this.#used += bytesOf(row) - bytesOf(working.after);
    working.after = row;
  }

  #moveStamp(fid: Fid, before: ObjectRow | undefined, after: ObjectRow): void {
    if (before?.stamp === after.stamp) return;
    const stamp = before?.stamp ?? 0;
    if (stamp > 0) this.#transaction.remove(this.#keys.stamp(stamp, fid));
    this.#transaction.put(this.#keys.stamp(after.stamp, fid), present);
    if (before?.removed === true) this.#transaction.remove(this.#keys.grave(stamp, fid));
    if (after.removed) this.#transaction.put(this.#keys.grave(after.stamp, fid), present);
  }

  /** After the objects: a recount reads them. */
  #writeDigests(changes: ReadonlyMap<Fid, bigint>): void {
    for (const [directory, change] of changes) {
      const isGone = this.#working.get(directory)?.after?.removed === true;
      if (change === noChildren || this.#recount.has(directory) || isGone) continue;
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

  /** Where an object whose row was lost has its name; null for one that is new here. */
  #nameFoundAgain(status: VnodeStatus): Binding | null {
    if (!this.#working.has(status.fid)) throw new Error(`${status.fid} is written before it is read`);
    if (status.parent === null || !this.#recount.has(status.parent)) return null;
    for (const { name, entry } of this.entries(status.parent)) {
      if (entry?.fid !== status.fid) continue;
      return { directory: status.parent, name, wanted: status.places[0]?.name ?? name };
    }
    return null;
  }
}
