/**
 * The client modify log (CML): every change is an entry here before it is anything else, and stays until it is
 * durable on enough replicas. Rows: `l/<sequence>`, sealed; the store's transactions keep a torn tail out.
 *
 * ML-1  An entry is one operation of a user: its records are applied together or not at all.
 * ML-2  Entries leave the log in any order, but are sent in the order of their sequence numbers.
 * ML-3  An acknowledged entry leaves the log only when `enoughReplicas` have it on disk; until then the gateway's
 *       own disk is one of the places that hold it, its containers included (they are pinned).
 */
import { z } from 'zod';
import {
  counterOf,
  mutationSchema,
  seal,
  unseal,
  volumeId,
  type Mutation,
  type VolumeId,
} from '../../vice/interface/index.js';
import type { WriteBuffer } from '../store/write-buffer.js';

export interface LogEntry {
  readonly sequence: number;
  readonly volume: VolumeId;
  readonly records: readonly Mutation[];
  /** Replica ids that have applied it. */
  readonly appliedBy: readonly string[];
  /** Its effect is in the cache: somebody has been told that it is done. */
  readonly acknowledged: boolean;
}

const row = z.strictObject({
  sequence: z.number(),
  volume: z.custom<VolumeId>((value) => typeof value === 'string' && volumeId(value) !== undefined),
  records: z.array(mutationSchema),
  appliedBy: z.array(z.string()),
  acknowledged: z.boolean(),
});

/** Entries that may wait; beyond it writers are told to wait (`busy`). */
export const logBound = 100_000;

export class ModifyLog {
  readonly #buffer: WriteBuffer;
  readonly #entries = new Map<number, LogEntry>();
  /** Digest -> how many records here name it. */
  readonly #contents = new Map<string, number>();
  #next = 1;

  constructor(buffer: WriteBuffer) {
    this.#buffer = buffer;
    for (const { value } of buffer.scan('l/')) {
      const entry = row.parse(unseal(value));
      this.#entries.set(entry.sequence, entry);
      this.#count(entry, 1);
      this.#next = entry.sequence + 1;
    }
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Adds an entry; `durable` resolves when it is on the disk. */
  append(volume: VolumeId, records: readonly Mutation[]): { entry: LogEntry; durable: Promise<void> } {
    const entry: LogEntry = {
      sequence: this.#next,
      volume,
      records,
      appliedBy: [],
      acknowledged: false,
    };
    this.#next += 1;
    this.#count(entry, 1);
    this.#set(entry);
    return { entry, durable: this.#buffer.flush() };
  }

  /** Notes who has applied an entry, and that its effect is in the cache. */
  note(entry: LogEntry, appliedBy: readonly string[], acknowledged: boolean): void {
    if (this.#entries.has(entry.sequence)) this.#set({ ...entry, appliedBy, acknowledged });
  }

  /** Removes an entry: enough replicas have it, or it was refused and its author told. */
  remove(entry: LogEntry): void {
    if (!this.#entries.delete(entry.sequence)) return;
    this.#count(entry, -1);
    this.#buffer.remove(key(entry.sequence));
  }

  get(sequence: number): LogEntry | undefined {
    return this.#entries.get(sequence);
  }

  /** All entries of `volume` in order. */
  *of(volume: VolumeId): Generator<LogEntry> {
    for (const entry of this.#entries.values()) if (entry.volume === volume) yield entry;
  }

  /** The counter of the oldest StoreId that waits here; undefined when the log is empty. */
  oldestCounter(): number | undefined {
    for (const { records } of this.#entries.values()) {
      const [first] = records;
      if (first !== undefined) return counterOf(first.storeId);
    }
    return undefined;
  }

  /** Whether an entry still needs these contents: then they stay in the cache (ML-3). */
  needs(digest: string): boolean {
    return this.#contents.has(digest);
  }

  #count({ records }: LogEntry, by: number): void {
    for (const record of records) {
      if (record.op !== 'store') continue;
      const count = (this.#contents.get(record.digest) ?? 0) + by;
      if (count > 0) this.#contents.set(record.digest, count);
      else this.#contents.delete(record.digest);
    }
  }

  #set(entry: LogEntry): void {
    this.#entries.set(entry.sequence, entry);
    this.#buffer.put(key(entry.sequence), seal(entry));
  }
}

function key(sequence: number): string {
  return `l/${sequence.toString().padStart(16, '0')}`;
}
