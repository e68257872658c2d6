/**
 * The client modify log (CML): every change is an entry here before it is anything else, and stays until it is
 * durable on enough replicas. Rows: `l/<sequence>`, sealed, and each a second time (LR-1 in log-rows.ts); the store's
 * transactions keep a torn tail out.
 *
 * ML-1  An entry is one operation of a user: its records are applied together or not at all.
 * ML-2  Entries leave the log in any order, but are sent in the order of their sequence numbers, those of one user at
 *       least: another user's may wait (HL-1, ../reintegration/overtaking.ts).
 * ML-3  An acknowledged entry leaves the log only when `enoughReplicas` have it on disk; until then the gateway's
 *       own disk is one of the places that hold it, its containers included (they are pinned).
 * ML-4  Of an entry that may have reached a server (`offered`, written before it is sent) nothing is cancelled.
 * ML-5  An acknowledged entry that servers refuse for good, or whose volume is deleted, becomes a kept one
 *       (`k/<sequence>`), contents included, until a person gives it up.
 */
import { z } from 'zod';
import {
  counterOf,
  fidsOf,
  isFailure,
  venusOf,
  volumeId,
  type Fid,
  type Mutation,
  type VolumeId,
} from '../../vice/interface/index.js';
import type { WriteBuffer } from '../store/write-buffer.js';
import { storedRecordSchema } from './earlier-record.js';
import { foreign, LogRows } from './log-rows.js';
import type { LogView, Plan } from './optimize.js';

export interface LogEntry {
  readonly sequence: number;
  readonly volume: VolumeId;
  readonly records: readonly Mutation[];
  /** Replica ids that have applied it. */
  readonly appliedBy: readonly string[];
  /** Its effect is in the cache: somebody has been told that it is done. */
  readonly acknowledged: boolean;
  /** It has been in a call to a server, whose outcome may be unknown (ML-4). */
  readonly offered: boolean;
}

/** What people knew a deleted volume by: nothing else is left that would tell. */
export interface Remains {
  /** Its name. */
  readonly volume: string;
  /** Of its objects, from the realm's root, as far as they are known. */
  readonly paths: Readonly<Record<string, string>>;
}

/** An entry that no server will take. */
export interface KeptEntry {
  readonly entry: LogEntry;
  /** Why, in words. */
  readonly reason: string;
  /** Its volume is deleted. */
  readonly remains?: Remains | undefined;
}

/** What waits in the log of one volume. */
export interface Pending {
  readonly records: number;
  readonly bytes: number;
  /** Entries that are acknowledged and on no server yet. */
  readonly local: number;
}

/** No log comes near it, and numbers can still be counted behind it. */
const sequenceMost = 2 ** 52;
const entryRow = z.strictObject({
  sequence: z.number().int().positive().max(sequenceMost),
  volume: z.custom<VolumeId>((value) => typeof value === 'string' && volumeId(value) !== undefined),
  records: z.array(storedRecordSchema),
  appliedBy: z.array(z.string()),
  acknowledged: z.boolean(),
  // Logs of the first version did not say.
  offered: z.boolean().default(true),
});
const remains = z.strictObject({ volume: z.string(), paths: z.record(z.string(), z.string()) });
const keptRow = z.strictObject({ entry: entryRow, reason: z.string(), remains: remains.optional() });
/** Records parsed in one turn of the event loop: some milliseconds. */
const turnRecords = 64;
const nothing: Pending = { records: 0, bytes: 0, local: 0 };

export class ModifyLog implements LogView {
  /** Told of contents that nothing here needs any more. */
  onSpared: (digest: string) => void = () => undefined;
  readonly #buffer: WriteBuffer;
  readonly #rows: LogRows;
  readonly #entries = new Map<number, LogEntry>();
  readonly #kept = new Map<number, KeptEntry>();
  /** Digest -> how many records here name it. */
  readonly #contents = new Map<string, number>();
  readonly #pending = new Map<VolumeId, Pending>();
  /** Sequence numbers, in order: entries are added at the end, and never to a Fid that they did not touch before. */
  readonly #byFid = new Map<Fid, Set<number>>();
  #next = 1;

  private constructor(buffer: WriteBuffer) {
    this.#buffer = buffer;
    this.#rows = new LogRows(buffer);
  }

  /**
   * The log as it is in `buffer`. It may be long, and others have the event loop at each `pause`.
   * @throws Failure damaged, incompatible
   */
  static async open(buffer: WriteBuffer, pause: () => Promise<void>): Promise<ModifyLog> {
    const log = new ModifyLog(buffer);
    let parsed = 0;
    const parse = async <T>(
      prefix: string,
      form: z.ZodType<T>,
      keyOf: (sequence: number) => string,
      take: (row: T) => LogEntry,
    ): Promise<void> => {
      for (const [stored, row] of log.#rows.walk(prefix, form)) {
        const { sequence, records } = take(row);
        if (keyOf(sequence) !== stored) throw foreign(stored, `it calls itself change ${sequence}`);
        parsed += records.length;
        if (parsed < turnRecords) continue;
        parsed = 0;
        await pause();
      }
    };
    await parse('l/', entryRow, key, (entry) => log.#restore(entry));
    await parse('k/', keptRow, keptKey, (kept) => log.#restoreKept(kept));
    return log;
  }

  get size(): number {
    return this.#entries.size;
  }

  pending(volume: VolumeId): Pending {
    return this.#pending.get(volume) ?? nothing;
  }

  /**
   * Adds an entry. It is durable after the buffer's next flush. One that is not acknowledged is sent at once, so it
   * counts as offered from the beginning.
   */
  append(volume: VolumeId, records: readonly Mutation[], acknowledged: boolean): LogEntry {
    const sequence = this.#next;
    const offered = !acknowledged;
    const entry: LogEntry = { sequence, volume, records, appliedBy: [], acknowledged, offered };
    this.#next += 1;
    this.#index(entry);
    this.#rows.put(key(sequence), entry);
    return entry;
  }

  /** Resolves when everything here is on the disk. @throws Failure no-space, damaged */
  durable(): Promise<void> {
    return this.#buffer.flush();
  }

  /** Replaces an entry that is still here; its place in the order stays. */
  update(entry: LogEntry): void {
    const before = this.#entries.get(entry.sequence);
    if (before === undefined) return;
    const touched = new Set(entry.records.flatMap(fidsOf));
    this.#unindex(before, touched);
    this.#index(entry);
    this.#rows.put(key(entry.sequence), entry);
  }

  /**
   * Marks entries as about to be sent; resolves when no crash can forget it (ML-4). False: the disk did not take that,
   * and they must not be sent.
   */
  async offer(entries: readonly LogEntry[]): Promise<boolean> {
    const fresh = entries.filter(({ sequence }) => this.#entries.get(sequence)?.offered === false);
    if (fresh.length === 0) return true;
    for (const entry of fresh) this.update({ ...entry, offered: true });
    try {
      await this.#buffer.flush();
      return true;
    } catch (error) {
      if (!isFailure(error)) throw error;
      this.withdraw(fresh);
      return false;
    }
  }

  /** It is certain that no server has these, although they were sent. */
  withdraw(entries: readonly LogEntry[]): void {
    for (const { sequence } of entries) {
      const entry = this.#entries.get(sequence);
      if (entry?.offered === true && entry.acknowledged) this.update({ ...entry, offered: false });
    }
  }

  /** Removes an entry: enough replicas have it, or it was refused and its author told. */
  remove({ sequence }: LogEntry): void {
    const entry = this.#entries.get(sequence);
    if (entry === undefined) return;
    this.#unindex(entry);
    this.#entries.delete(sequence);
    this.#rows.remove(key(sequence));
  }

  /** Carries out what an optimization means for older entries. */
  rewrite({ rewritten }: Plan): void {
    for (const [sequence, records] of rewritten) {
      const entry = this.#entries.get(sequence);
      if (entry === undefined) continue;
      if (records.length === 0) this.remove(entry);
      else this.update({ ...entry, records });
    }
  }

  /** Moves an entry to those that a person must look at (ML-5). */
  keep(entry: LogEntry, reason: string): void {
    this.remove(entry);
    this.#count(entry, 1);
    this.#putKept({ entry, reason });
  }

  /** What is kept of a volume that is deleted says so from now on. */
  describe({ entry: { sequence } }: KeptEntry, remains: Remains): void {
    const kept = this.#kept.get(sequence);
    if (kept !== undefined) this.#putKept({ ...kept, remains });
  }

  /** Gives a kept entry up. */
  forget(sequence: number): void {
    const kept = this.#kept.get(sequence);
    if (kept === undefined) return;
    this.#kept.delete(sequence);
    this.#count(kept.entry, -1);
    this.#rows.remove(keptKey(sequence));
  }

  kept(): readonly KeptEntry[] {
    return [...this.#kept.values()];
  }

  keptCount(volume: VolumeId): number {
    let count = 0;
    for (const { entry } of this.#kept.values()) if (entry.volume === volume) count += entry.records.length;
    return count;
  }

  get(sequence: number): LogEntry | undefined {
    return this.#entries.get(sequence);
  }

  all(): IterableIterator<LogEntry> {
    return this.#entries.values();
  }

  /** All entries of `volume` in order. */
  *of(volume: VolumeId): Generator<LogEntry> {
    for (const entry of this.#entries.values()) if (entry.volume === volume) yield entry;
  }

  /** @see LogView */
  touching(fid: Fid): readonly LogEntry[] {
    const entries: LogEntry[] = [];
    for (const sequence of this.#byFid.get(fid) ?? []) {
      const entry = this.#entries.get(sequence);
      if (entry !== undefined) entries.push(entry);
    }
    return entries;
  }

  /** Whether a change of `fid` waits here that no server has: the cache is then the only one to know it. */
  isDirty(fid: Fid): boolean {
    for (const sequence of this.#byFid.get(fid) ?? []) {
      const entry = this.#entries.get(sequence);
      if (entry !== undefined && isLocal(entry)) return true;
    }
    return false;
  }

  /** The counter of the oldest StoreId that waits here, of those who made `records`; undefined: none waits. */
  oldestCounter(records: readonly Mutation[]): number | undefined {
    const authors = new Set<string>(records.map(({ storeId }) => venusOf(storeId)));
    for (const entry of this.#entries.values()) {
      const [first] = entry.records;
      if (first !== undefined && authors.has(venusOf(first.storeId))) return counterOf(first.storeId);
    }
    return undefined;
  }

  /** Whether an entry still needs these contents: then they stay in the cache (ML-3). */
  needs(digest: string): boolean {
    return this.#contents.has(digest);
  }

  #putKept(kept: KeptEntry): void {
    this.#kept.set(kept.entry.sequence, kept);
    this.#rows.put(keptKey(kept.entry.sequence), kept);
  }

  #restore(entry: LogEntry): LogEntry {
    this.#index(entry);
    this.#next = entry.sequence + 1;
    return entry;
  }

  #restoreKept(kept: KeptEntry): LogEntry {
    this.#kept.set(kept.entry.sequence, kept);
    this.#count(kept.entry, 1);
    this.#next = Math.max(this.#next, kept.entry.sequence + 1);
    return kept.entry;
  }

  #index(entry: LogEntry): void {
    this.#entries.set(entry.sequence, entry);
    this.#count(entry, 1);
    this.#addPending(entry, 1);
    for (const fid of entry.records.flatMap(fidsOf)) {
      const sequences = this.#byFid.get(fid);
      if (sequences === undefined) this.#byFid.set(fid, new Set([entry.sequence]));
      else sequences.add(entry.sequence);
    }
  }

  /** Takes an entry out of all that is counted; where it will be found again it keeps its place. */
  #unindex(entry: LogEntry, staying: ReadonlySet<Fid> = new Set()): void {
    this.#count(entry, -1);
    this.#addPending(entry, -1);
    for (const fid of entry.records.flatMap(fidsOf)) {
      if (staying.has(fid)) continue;
      const sequences = this.#byFid.get(fid);
      sequences?.delete(entry.sequence);
      if (sequences?.size === 0) this.#byFid.delete(fid);
    }
  }

  #addPending(entry: LogEntry, sign: 1 | -1): void {
    const { records, bytes, local } = this.pending(entry.volume);
    this.#pending.set(entry.volume, {
      records: records + sign * entry.records.length,
      bytes: bytes + sign * bytesOf(entry),
      local: local + (isLocal(entry) ? sign : 0),
    });
  }

  #count({ records }: LogEntry, by: number): void {
    for (const record of records) {
      if (record.op !== 'store') continue;
      const count = (this.#contents.get(record.digest) ?? 0) + by;
      if (count > 0) this.#contents.set(record.digest, count);
      else if (this.#contents.delete(record.digest)) this.onSpared(record.digest);
    }
  }
}

/** Whether the entry is acknowledged and on this gateway's disk alone, as far as is known. */
export function isLocal(entry: LogEntry): boolean {
  return entry.acknowledged && entry.appliedBy.length === 0;
}

/** Bytes of contents that the entry brings. */
export function bytesOf({ records }: LogEntry): number {
  return records.reduce((sum, record) => sum + (record.op === 'store' ? record.length : 0), 0);
}

function key(sequence: number): string {
  return `l/${sequence.toString().padStart(16, '0')}`;
}

function keptKey(sequence: number): string {
  return `k/${sequence.toString().padStart(16, '0')}`;
}
