/**
 * Venus' writes to its store. What is written in one turn of the event loop becomes one transaction, so that a
 * log record and the state that it changes commit together; reads see buffered writes at once.
 *
 * WB-1  `flush` resolves when everything written before the call is on the disk.
 * WB-2  Writes reach the disk in order. A transaction that failed (disk full) is tried again with the next one.
 */
import { compareKeys } from '../../vice/seam/ordered-map.js';
import { endOf, type RangeOptions, type Store } from '../../vice/seam/store.js';

/** null: to be removed. */
type Batch = Map<string, Uint8Array | null>;

interface Unwritten {
  readonly value: Uint8Array | null;
  readonly batch: Batch;
}

interface Row {
  readonly key: string;
  readonly value: Uint8Array;
}

/** Rows that a walk reads at once, at first and later. */
const pageRows = { first: 32, later: 256 } as const;

export class WriteBuffer {
  readonly #store: Store;
  #open: Batch = new Map();
  /** What is not on the disk yet, with the last batch that writes it: a slow disk may have hundreds under way. */
  readonly #latest = new Map<string, Unwritten>();
  #last: Promise<void> = Promise.resolve();
  #scheduled: Promise<void> | undefined;

  constructor(store: Store) {
    this.#store = store;
  }

  put(key: string, value: Uint8Array): void {
    this.#write(key, value);
  }

  remove(key: string): void {
    this.#write(key, null);
  }

  /** Together in one transaction (ContentRows): nothing that is written later reaches the disk without them (WB-2). */
  write(rows: ReadonlyMap<string, Uint8Array | null>): Promise<void> {
    for (const [key, value] of rows) this.#write(key, value);
    return Promise.resolve();
  }

  get(key: string): Uint8Array | undefined {
    const unwritten = this.#latest.get(key);
    if (unwritten !== undefined) return unwritten.value ?? undefined;
    return this.#store.get(key);
  }

  /** All keys that start with `prefix` and their values, in order, buffered writes included. */
  *scan(prefix: string, limit?: number): Generator<Row> {
    yield* this.#range({ start: prefix, end: endOf(prefix), ...(limit !== undefined && { limit }) });
  }

  /** The same for what may be long: read a page at a time, so that others may run and write between two rows. */
  *walk(prefix: string): Generator<Row> {
    const end = endOf(prefix);
    let limit: number = pageRows.first;
    for (let start: string | undefined = prefix; start !== undefined;) {
      const page: readonly Row[] = [...this.#range({ start, end, limit })];
      yield* page;
      const last: Row | undefined = page[limit - 1];
      start = last && `${last.key}\0`;
      limit = pageRows.later;
    }
  }

  /** @throws Failure no-space, damaged: what was written is not durable; it is tried again with the next write */
  flush(): Promise<void> {
    return this.#scheduled ?? this.#last;
  }

  async close(): Promise<void> {
    await this.flush().catch(() => undefined);
    await this.#store.close();
  }

  *#range({ start, end, limit = Infinity }: RangeOptions): Generator<Row> {
    const buffered = new Map<string, Uint8Array | null>();
    for (const [key, { value }] of this.#latest) {
      if (compareKeys(start, key) <= 0 && compareKeys(key, end) < 0) buffered.set(key, value);
    }
    // Each buffered removal may take one of them away.
    const stored = this.#store.range({ start, end, limit: limit + buffered.size });
    if (buffered.size === 0) {
      yield* stored;
      return;
    }
    const rows = new Map<string, Uint8Array>();
    for (const { key, value } of stored) rows.set(key, value);
    for (const [key, value] of buffered) {
      if (value === null) rows.delete(key);
      else rows.set(key, value);
    }
    let left = limit;
    for (const key of [...rows.keys()].sort(compareKeys)) {
      if ((left -= 1) < 0) return;
      const value = rows.get(key);
      if (value !== undefined) yield { key, value };
    }
  }

  #write(key: string, value: Uint8Array | null): void {
    this.#open.set(key, value);
    this.#latest.set(key, { value, batch: this.#open });
    if (this.#scheduled !== undefined) return;
    this.#scheduled = Promise.resolve().then(() => this.#commit());
    // Whoever needs to know waits on flush(); a cache row that could not be written is no event of its own.
    this.#scheduled.catch(() => undefined);
  }

  #commit(): Promise<void> {
    const batch = this.#open;
    this.#open = new Map();
    this.#scheduled = undefined;
    const done = this.#store
      .transact((transaction) => {
        for (const [key, value] of batch) {
          if (value === null) transaction.remove(key);
          else transaction.put(key, value);
        }
      })
      .then(
        () => {
          for (const key of batch.keys())
            if (this.#latest.get(key)?.batch === batch) this.#latest.delete(key);
        },
        (failure: unknown) => {
          // What is newer is written by a later batch.
          for (const [key, value] of batch) {
            if (this.#latest.get(key)?.batch !== batch) continue;
            this.#open.set(key, value);
            this.#latest.set(key, { value, batch: this.#open });
          }
          throw failure;
        },
      );
    this.#last = done;
    done.catch(() => undefined);
    return done;
  }
}
