/**
 * Rows of a volume's snapshots. Taking one writes two rows, however large the volume is; what it held is put aside row
 * by row, when it is changed for the first time after (copy on write, as Coda's backup clone does it with vnodes).
 *
 *   V/snapshots                        the number that was given last, and deletions that were not swept up yet
 *   V/snapshot/NUMBER                  its name and time; of one that is being brought here, how far that has come
 *   V/saved/object/FID<1>NUMBER        the row V/object/FID as it was when snapshot NUMBER was taken
 *   V/saved/entry/DIRECTORY/NAME<1>NUMBER  the same of a name
 *
 * <1> is U+0001, which no name may have: rows of one name are together, and not among those of a longer one.
 *
 * SN-1  A row in snapshot n is the first of its saved ones whose number is n or greater; where there is none, the
 *       living one.
 * SN-2  A number is never given again: a saved row may outlive its snapshot, for the sake of an earlier one.
 * SN-3  A saved row stays while a snapshot needs it: one with its number or a smaller one, but a greater one than that
 *       of the row that was saved before it.
 *       That holds whichever of two numbers is the older snapshot: one that is brought from another server has the
 *       number of the day on which it comes (vice/volume/snapshot-copies.ts).
 * SN-4  What a saved row names is counted (container-references.ts), so contents live as long as a snapshot needs them.
 */
import { emptyDigest, intact, seal, versionsOf, type VolumeId } from '../interface/index.js';
import { endOf, type RangeOptions, type StoreReader, type StoreTransaction } from '../seam/store.js';
import { countReferences } from './container-references.js';
import type { ObjectRow } from './volume-store.js';

export interface Snapshot {
  readonly name: string;
  /** Milliseconds since 1970, as whoever took it says: the same at all servers. */
  readonly time: number;
}

export interface NumberedSnapshot extends Snapshot {
  readonly number: number;
  /** It is being brought here: rows are put aside for it like for any other, but it is none yet for whoever asks. */
  readonly copy?: CopyMark;
}

export interface CopyMark {
  /** The replica whose snapshot is copied. */
  readonly from: string;
  /** Up to here the rows are as they are there (vice/volume/snapshot-pages.ts). */
  readonly after: string;
  /**
   * It was whole here before, but for damage (vice/scrub), and is put right from another replica: if that cannot be
   * done, it is again what it was.
   */
  readonly heals?: true;
}

/** Of one volume: reading an old one looks through no more rows than that, and nobody fills a disk by a mistake. */
export const snapshotsMost = 200;

interface CounterRow {
  readonly last: number;
  /** Deletions since saved rows were swept the last time. */
  readonly unswept: number;
}

/** Stands for a row that was not there. */
export const absent = null;
const separator = '\u0001';

export class SnapshotKeys {
  readonly volume: VolumeId;
  readonly counter: string;
  readonly prefix: string;
  readonly savedPrefix: string;
  readonly #kept: readonly string[];

  constructor(volume: VolumeId) {
    this.volume = volume;
    this.counter = `${volume}/snapshots`;
    this.prefix = `${volume}/snapshot/`;
    this.savedPrefix = `${volume}/saved/`;
    this.#kept = [`${volume}/object/`, `${volume}/entry/`];
  }

  snapshot(number: number): string {
    return `${this.prefix}${padded(number)}`;
  }

  /** Where the row `key` is saved, without a number; undefined: snapshots do not need it. */
  savedRow(key: string): string | undefined {
    if (!this.#kept.some((prefix) => key.startsWith(prefix))) return undefined;
    return `${this.savedPrefix}${key.slice(this.volume.length + 1)}${separator}`;
  }

  /** Saved rows of one row, those of snapshot `from` and later ones. */
  savedFrom(row: string, from: number): Pick<RangeOptions, 'start' | 'end'> {
    return { start: `${row}${padded(from)}`, end: endOf(row) };
  }
}

/** The row, without its number, and the number of a saved row's key. */
export function partsOf(savedKey: string): { readonly row: string; readonly number: number } {
  const at = savedKey.lastIndexOf(separator) + 1;
  return { row: savedKey.slice(0, at), number: Number(savedKey.slice(at)) };
}

export function savedUnder(row: string, number: number): string {
  return `${row}${padded(number)}`;
}

/** All snapshots of the volume, oldest first. One whose row is damaged has a name that says so. */
export function snapshotsOf(reader: StoreReader, keys: SnapshotKeys): readonly NumberedSnapshot[] {
  const range = { start: keys.prefix, end: endOf(keys.prefix) };
  return [...reader.range(range)].map(({ key, value }) => {
    const number = Number(key.slice(keys.prefix.length));
    const row = intact<Omit<NumberedSnapshot, 'number'>>(value) ?? { name: `damaged ${number}`, time: 0 };
    return { number, ...row };
  });
}

/** The number of the newest snapshot; 0: there is none. */
function latest(reader: StoreReader, keys: SnapshotKeys): number {
  if (reader.get(keys.counter) === undefined) return 0;
  const range = { start: keys.prefix, end: endOf(keys.prefix), reverse: true, limit: 1 };
  for (const { key } of reader.range(range)) return Number(key.slice(keys.prefix.length));
  return 0;
}

/** As it was written; where it is damaged, what the other rows say. */
export function counterOf(reader: StoreReader, keys: SnapshotKeys): CounterRow {
  const value = reader.get(keys.counter);
  const row = value === undefined ? { last: 0, unswept: 0 } : intact<CounterRow>(value);
  if (row !== undefined) return row;
  let last = latest(reader, keys);
  const range = { start: keys.savedPrefix, end: endOf(keys.savedPrefix) };
  for (const { key } of reader.range(range)) last = Math.max(last, partsOf(key).number);
  return { last, unswept: 1 };
}

export function putCounter(transaction: StoreTransaction, keys: SnapshotKeys, row: CounterRow): void {
  transaction.put(keys.counter, seal(row));
}

/** Those that are all here. */
export function wholeOf(reader: StoreReader, keys: SnapshotKeys): readonly NumberedSnapshot[] {
  return snapshotsOf(reader, keys).filter(({ copy }) => copy === undefined);
}

/** Its number (SN-2). */
export function addSnapshot(
  transaction: StoreTransaction,
  keys: SnapshotKeys,
  snapshot: Snapshot & { readonly copy?: CopyMark },
): number {
  const { last, unswept } = counterOf(transaction, keys);
  const number = last + 1;
  putCounter(transaction, keys, { last: number, unswept });
  transaction.put(keys.snapshot(number), seal(snapshot));
  return number;
}

/** What it alone has needed goes with the next sweep. */
export function removeSnapshot(
  transaction: StoreTransaction,
  keys: SnapshotKeys,
  { number }: NumberedSnapshot,
): void {
  transaction.remove(keys.snapshot(number));
  const { last, unswept } = counterOf(transaction, keys);
  putCounter(transaction, keys, { last, unswept: unswept + 1 });
}

/** A row as snapshot `number` has it, sealed (SN-1); undefined: it was not there. */
export function rowIn(
  reader: StoreReader,
  keys: SnapshotKeys,
  number: number,
  key: string,
): Uint8Array | undefined {
  const row = keys.savedRow(key);
  if (row === undefined) throw new Error(`${key} is no row of snapshots`);
  for (const { value } of reader.range({ ...keys.savedFrom(row, number), limit: 1 })) {
    return isAbsent(value) ? undefined : value;
  }
  return reader.get(key);
}

export function isAbsent(value: Uint8Array): boolean {
  return intact(value) === absent;
}

/** Contents that the row of an object needs while it is saved; none where it is damaged, or no object's. */
export function digestsOf(value: Uint8Array): readonly string[] {
  const row = intact<Partial<ObjectRow> | null>(value);
  if (row?.status === undefined || row.removed === true) return [];
  return versionsOf(row.status).flatMap(({ digest }) => (digest === emptyDigest ? [] : [digest]));
}

/** A transaction that puts aside what snapshots need before it is written over (SN-1, SN-4). */
export class SavingTransaction implements StoreTransaction {
  readonly #transaction: StoreTransaction;
  readonly #keys: SnapshotKeys;
  #latest: number | undefined;

  constructor(transaction: StoreTransaction, keys: SnapshotKeys) {
    this.#transaction = transaction;
    this.#keys = keys;
  }

  get(key: string): Uint8Array | undefined {
    return this.#transaction.get(key);
  }

  range(options: RangeOptions): ReturnType<StoreReader['range']> {
    return this.#transaction.range(options);
  }

  put(key: string, value: Uint8Array): void {
    this.#save(key, false);
    this.#transaction.put(key, value);
  }

  remove(key: string): void {
    this.#save(key, true);
    this.#transaction.remove(key);
  }

  #save(key: string, isRemoval: boolean): void {
    const row = this.#keys.savedRow(key);
    if (row === undefined) return;
    const number = (this.#latest ??= latest(this.#transaction, this.#keys));
    if (number === 0) return;
    for (const _ of this.#transaction.range({ ...this.#keys.savedFrom(row, number), limit: 1 })) return;
    const old = this.#transaction.get(key);
    const isThere = old !== undefined && !isTombstone(old);
    // What is not there neither before nor after needs no word.
    if (!isThere && isRemoval) return;
    this.#transaction.put(savedUnder(row, number), isThere ? old : seal(absent));
    if (!isThere) return;
    for (const digest of digestsOf(old)) countReferences(this.#transaction, this.#keys.volume, digest, 1);
  }
}

export function isTombstone(value: Uint8Array): boolean {
  return intact<Partial<ObjectRow>>(value)?.removed === true;
}

/** Numbers as keys, so that they sort: every safe integer has at most 16 digits. */
function padded(count: number): string {
  return String(count).padStart(16, '0');
}
