/**
 * Venus' writes to its store. What is written in one turn of the event loop becomes one transaction, so that a
 * log record and the state that it changes commit together; reads see buffered writes at once.
 *
 * WB-1  `flush` resolves when everything written before the call is on the disk.
 * WB-2  Writes reach the disk in order. A transaction that failed (disk full) is tried again with the next one.
 */
import { endOf, type RangeOptions, type Store } from '../../vice/seam/store.js';

type Batch = Map<string, Uint8Array | null>;

export class WriteBuffer {
  readonly #store: Store;
  /** Oldest first: batches in a running transaction, then the open one. */
  readonly #running: Batch[] = [];
  #open: Batch = new Map();
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

  get(key: string): Uint8Array | undefined {
    const open = this.#open.get(key);
    if (open !== undefined) return open ?? undefined;
    for (let index = this.#running.length - 1; index >= 0; index -= 1) {
      const value = this.#running[index]?.get(key);
      if (value !== undefined) return value ?? undefined;
    }
    return this.#store.get(key);
  }

  /** All keys that start with `prefix` and their values, in order, buffered writes included. */
  *scan(prefix: string, limit?: number): Generator<{ readonly key: string; readonly value: Uint8Array }> {
    const buffered = new Map<string, Uint8Array | null>();
    for (const batch of [...this.#running, this.#open]) {
      for (const [key, value] of batch) if (key.startsWith(prefix)) buffered.set(key, value);
    }
    const options: RangeOptions = { start: prefix, end: endOf(prefix) };
    if (buffered.size === 0) {
      yield* this.#store.range(limit === undefined ? options : { ...options, limit });
      return;
    }
    const rows = new Map<string, Uint8Array>();
    for (const { key, value } of this.#store.range(options)) rows.set(key, value);
    for (const [key, value] of buffered) {
      if (value === null) rows.delete(key);
      else rows.set(key, value);
    }
    let left = limit ?? Infinity;
    for (const key of [...rows.keys()].sort()) {
      if ((left -= 1) < 0) return;
      const value = rows.get(key);
      if (value !== undefined) yield { key, value };
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

  #write(key: string, value: Uint8Array | null): void {
    this.#open.set(key, value);
    if (this.#scheduled !== undefined) return;
    this.#scheduled = Promise.resolve().then(() => this.#commit());
    // Whoever needs to know waits on flush(); a cache row that could not be written is no event of its own.
    this.#scheduled.catch(() => undefined);
  }

  #commit(): Promise<void> {
    const batch = this.#open;
    this.#open = new Map();
    this.#scheduled = undefined;
    this.#running.push(batch);
    const done = this.#store
      .transact((transaction) => {
        for (const [key, value] of batch) {
          if (value === null) transaction.remove(key);
          else transaction.put(key, value);
        }
      })
      .then(
        () => this.#finished(batch),
        (failure: unknown) => {
          this.#finished(batch);
          for (const [key, value] of batch) if (!this.#isNewer(key)) this.#open.set(key, value);
          throw failure;
        },
      );
    this.#last = done;
    done.catch(() => undefined);
    return done;
  }

  #isNewer(key: string): boolean {
    return this.#open.has(key) || this.#running.some((batch) => batch.has(key));
  }

  #finished(batch: Batch): void {
    this.#running.splice(this.#running.indexOf(batch), 1);
  }
}
