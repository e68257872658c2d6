/**
 * One volume replica inside one transaction: reads see the transaction's own writes, each object is decoded
 * at most once and written at most once, and whatever follows from the objects (stamp rows, children digests,
 * container counts, bytes used) is worked out once at the end, from how each object was before and is after.
 */
import {
  emptyDigest,
  isFailure,
  noNames,
  seal,
  type DirectoryEntry,
  type Fid,
  type Tree,
  type VnodeStatus,
} from '../interface/index.js';
import { putTwice } from '../seam/kept-twice.js';
import type { StoreTransaction } from '../seam/store.js';
import { noChildren } from './children-digest.js';
import { countReferences, isNamed } from './container-references.js';
import { FollowingRows } from './following-rows.js';
import type { KnownDamage } from './known-damage.js';
import { nameChanges, toggledNames, type NameStep } from './name-news.js';
import { NameRows } from './name-rows.js';
import { recountedWithin, type Heard } from './recounting.js';
import { bytesOf, count, livingOf, toggleChild } from './row-figures.js';
import type { RowCache } from './row-cache.js';
import { UpdateRows } from './update-rows.js';
import { VolumeReader, type Binding, type MetaRow, type ObjectRow, type VolumeKeys } from './volume-store.js';

interface Working {
  readonly before: ObjectRow | undefined;
  after: ObjectRow | undefined;
  /** Of one whose row was damaged: the name that it has here. */
  readonly found?: Binding | null;
}

export interface TransactionOptions {
  /** Removed files keep their contents for a while (graves.ts). */
  readonly keepsRemoved?: boolean;
  readonly damage?: KnownDamage;
}

/** Names of directories that are counted anew in the transaction itself: a few milliseconds. */
const recountedMost = 200;

/** What a finished transaction leaves to be done after the flush. */
export interface Finished extends Heard {
  /** Of the last change, in this transaction or before. */
  readonly stamp: number;
  /** Objects that took a stamp. */
  readonly changed: readonly Fid[];
  readonly rows: ReadonlyMap<Fid, ObjectRow>;
  /** Digests that no file of this volume names any more. */
  readonly unnamed: readonly string[];
  readonly renamed: readonly NameStep[];
  /** Some digests are still to be worked out (`V/doubt`). */
  readonly isInDoubt: boolean;
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
  readonly #names: NameRows;
  readonly #following: FollowingRows;
  #isInDoubt = false;
  readonly #options: TransactionOptions;
  readonly #meta: MetaRow;
  #used: number;
  #objects: number;
  /** Which updates are here, and which wait for their second phase. */
  readonly updates: UpdateRows;
  #stamp: number;
  #isTaken = true;

  constructor(
    transaction: StoreTransaction,
    keys: VolumeKeys,
    cache: RowCache,
    options: TransactionOptions = {},
  ) {
    this.#options = options;
    this.#transaction = transaction;
    this.#keys = keys;
    this.#reader = new VolumeReader(transaction, keys);
    this.#following = new FollowingRows(transaction, keys, this.#reader);
    this.#names = new NameRows(transaction, keys, this.#reader, options.damage);
    this.updates = new UpdateRows(transaction, keys, this.#reader);
    this.#cache = cache;
    const meta = this.#reader.meta();
    if (meta === undefined) throw new Error(`volume ${keys.volume} has no meta record`);
    [this.#meta, this.#stamp, this.#used, this.#objects] = [meta, meta.stamp, meta.used, meta.objects ?? 0];
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
    this.#isTaken = false;
  }

  /** The change has come to nothing: unless an object has its stamp all the same, the next one gets it. */
  returnStamp(): void {
    if (!this.#isTaken) this.#stamp -= 1;
    this.#isTaken = true;
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
   * `object`, but a damaged row counts as missing: for whoever brings a good one. The name that the object has here
   * must be known (`KnownDamage.names`).
   */
  objectToReplace(fid: Fid): ObjectRow | undefined {
    try {
      return this.object(fid);
    } catch (error) {
      if (!isFailure(error, 'damaged')) throw error;
      const found = this.#names.foundAgain(fid);
      this.#working.set(fid, { before: undefined, after: undefined, found });
      return undefined;
    }
  }

  /** The digests of `directory` are counted anew, here or soon. */
  doubt(directory: Fid): void {
    this.#names.doubtful.add(directory);
  }

  status(fid: Fid): VnodeStatus | undefined {
    const row = this.object(fid);
    return row?.removed === false ? row.status : undefined;
  }

  entry(directory: Fid, name: string): DirectoryEntry | undefined {
    return this.#reader.entry(directory, name);
  }

  /** `entry`, but a damaged one of which nobody is known to bear the name counts as missing. */
  entryToReplace(directory: Fid, name: string): DirectoryEntry | undefined {
    return this.#names.toReplace(directory, name);
  }

  isEmpty(directory: Fid): boolean {
    return this.#reader.isEmpty(directory);
  }

  entries(directory: Fid): ReturnType<VolumeReader['entries']> {
    return this.#reader.entries(directory);
  }

  /** Sets a living object, as a change that has the current stamp. */
  put(status: VnodeStatus, forced = false): void {
    const { after: row, found = null } = this.#working.get(status.fid) ?? {};
    this.#set({
      status: { ...status, names: this.#namesOf(status, row) },
      removed: false,
      stamp: this.#stamp,
      forced: forced ? this.#stamp : (row?.forced ?? 0),
      bound: row === undefined ? found : row.bound,
    });
    this.#take(status.fid);
  }

  /** The object has the current stamp. */
  #take(fid: Fid): void {
    this.#changed.add(fid);
    this.#isTaken = true;
  }

  /** Leaves a tombstone for an object whose name is gone, as a change that has the current stamp. */
  putTombstone(status: VnodeStatus, forced = false): void {
    const { after: row, found = null } = this.#working.get(status.fid) ?? {};
    if ((row?.bound ?? null) !== null) throw new Error(`tombstone of ${status.fid}, which still has a name`);
    if (row === undefined && found !== null) this.#names.remove(status.fid, found);
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
    this.#take(status.fid);
  }

  #keepsContents(row: ObjectRow | undefined): boolean {
    if (row === undefined || row.status.kind !== 'file') return false;
    return row.removed ? row.keeps === true : this.#options.keepsRemoved === true;
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

  /** What a directory's digests are, counted from its rows. */
  putDigests(directory: Fid, names: string, children: string): void {
    const row = this.object(directory);
    if (row === undefined || row.removed) return;
    this.#transaction.put(this.#keys.children(directory), seal(children));
    this.#transaction.remove(this.#keys.doubt(directory));
    if (names === row.status.names) return;
    if (!this.#changed.has(directory)) this.nextStamp();
    this.#set({ ...row, status: { ...row.status, names }, stamp: this.#stamp });
    this.#changed.add(directory);
  }

  /** What all objects come to; whether it is otherwise than it was. */
  putSpace({ used, objects }: Pick<MetaRow, 'used'> & { readonly objects: number }): boolean {
    this.#transaction.remove(this.#keys.doubt('space'));
    if (used === this.#used && objects === this.#meta.objects) return false;
    this.#used = used;
    this.#objects = objects;
    return true;
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
    const bound = { directory, name, wanted };
    this.#names.put(bound, { fid, kind });
    this.#set({ ...row, bound });
  }

  unbind(fid: Fid): void {
    const row = this.object(fid);
    const bound = row?.bound ?? null;
    if (row === undefined || bound === null) return;
    this.#names.remove(fid, bound);
    this.#set({ ...row, bound: null });
  }

  /** Objects in `directory` that bear another name than they want: `name`, or any. */
  besides(directory: Fid, name?: string): Fid[] {
    return [...this.#reader.besides(directory, name)];
  }

  /** Writes the name of an object that its row alone still tells of. False: another object has the name. */
  mendName(row: ObjectRow): boolean {
    return this.#names.mend(row);
  }

  /** Removes an entry that no object's row answers for (it was damaged). */
  removeEntry(directory: Fid, name: string): void {
    this.#names.drop(directory, name);
  }

  /** Writes what the changes amount to. The last call of the transaction. */
  finish(): Finished {
    this.#recountNames();
    this.#renameDigests();
    const rows = new Map<Fid, ObjectRow>();
    const digests = new Map<Fid, bigint>();
    const references = new Map<string, number>();
    for (const [fid, { before, after }] of this.#working) {
      if (after === undefined || after === before) continue;
      rows.set(fid, after);
      this.#transaction.put(this.#keys.object(fid), seal(after));
      this.#following.stamp(fid, before, after);
      for (const row of [before, after]) {
        if (row !== undefined && row.bound !== null) toggleChild(digests, row.bound.directory, row.status);
      }
      const isDirectory = after.status.kind === 'directory';
      if (after.removed && isDirectory) this.#transaction.remove(this.#keys.children(fid));
      this.#following.conflict(fid, after);
      this.#following.digest(fid, after);
      this.#objects += livingOf(after) - livingOf(before);
      count(references, before, -1);
      count(references, after, 1);
    }
    this.#writeDigests(digests);
    this.#following.buckets();
    const changed = [...references].filter(([, change]) => change !== 0);
    const unnamed = changed
      .filter((each) => countReferences(this.#transaction, this.#keys.volume, ...each))
      .map(([digest]) => digest);
    const found = [...this.#working].filter(([, working]) => working.found !== undefined && working.after);
    const replaced = found.map(([fid]) => fid);
    if (replaced.length > 0) this.#transaction.put(this.#keys.doubt('space'), present);
    const [meta, stamp, used, objects] = [this.#meta, this.#stamp, this.#used, this.#objects];
    if (stamp !== meta.stamp || used !== meta.used || objects !== meta.objects)
      putTwice(this.#transaction, this.#keys.meta, { ...meta, stamp, used, objects });
    const [working, { doubtful }] = [this.#working, this.#names];
    const heard = { working, doubtful, replaced, isInDoubt: this.#isInDoubt };
    return { stamp, changed: [...this.#changed], rows, unnamed, renamed: this.#renamed, ...heard };
  }

  /** What was (un)bound changes the digest of its directory, which so takes a stamp: others must list again. */
  #renameDigests(): void {
    for (const [directory, changes] of nameChanges(this.#working)) {
      const row = this.object(directory);
      if (row === undefined || row.removed || this.#names.doubtful.has(directory)) continue;
      const before = row.status.names;
      const digest = toggledNames(before, changes);
      if (digest === before) continue;
      this.#renamed.push({ directory, before, after: digest, changes });
      const stamp = this.#changed.has(directory) ? row.stamp : this.#stamp;
      this.#set({ ...row, status: { ...row.status, names: digest }, stamp });
      this.#changed.add(directory);
    }
  }

  /** Of directories in doubt: those of small ones here, of all others later. */
  #recountNames(): void {
    const rowOf = (fid: Fid): ObjectRow | undefined => this.#rowInUse(fid);
    let left = recountedMost;
    for (const directory of this.#names.doubtful) {
      // Where its own row is damaged whoever brings that doubts it again.
      if (this.#rowInUse(directory)?.removed !== false) continue;
      const counted = recountedWithin(this.#reader, directory, rowOf, left);
      left -= counted?.entries ?? 0;
      if (counted === undefined) this.#leaveInDoubt(directory);
      else this.putDigests(directory, counted.names, counted.children);
    }
  }

  #leaveInDoubt(directory: Fid): void {
    this.#isInDoubt = true;
    this.#transaction.put(this.#keys.doubt(directory), present);
  }

  /** As it is now; undefined also where it cannot be read. */
  #rowInUse(fid: Fid): ObjectRow | undefined {
    const working = this.#working.get(fid);
    return working === undefined ? (this.#cache.get(fid) ?? this.#reader.readableObject(fid)) : working.after;
  }

  #namesOf(status: VnodeStatus, row: ObjectRow | undefined): string {
    if (status.kind !== 'directory') return '';
    if (row !== undefined) return row.removed ? noNames : row.status.names;
    // Its row was lost, and what is in it is still here.
    if (!this.#reader.isEmpty(status.fid)) this.doubt(status.fid);
    return noNames;
  }

  #set(row: ObjectRow): void {
    const { fid } = row.status;
    const working = this.#working.get(fid);
    // Reading first is what lets finish() take the old state back out of digests and counts.
    if (working === undefined) throw new Error(`${fid} is written before it is read`);
    this.#used += bytesOf(row) - bytesOf(working.after);
    working.after = row;
  }

  #writeDigests(changes: ReadonlyMap<Fid, bigint>): void {
    for (const [directory, change] of changes) {
      const isGone = this.#working.get(directory)?.after?.removed === true;
      if (change === noChildren || this.#names.doubtful.has(directory) || isGone) continue;
      if (!this.#following.children(directory, change)) this.#leaveInDoubt(directory);
    }
  }
}
