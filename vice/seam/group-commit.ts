/**
 * Transactions in memory over a slow, durable base: what every Store is made of, whatever its base.
 *
 * A transaction runs at once on layers that lie over the base, so it is visible as soon as its work has
 * returned (ST-3). What ran while one batch is being flushed becomes the next batch: all its transactions
 * share one flush. When a batch cannot be made durable, its transactions and those that ran after it (they
 * may have read what it wrote) are undone and rejected together; the store then stands where the base stands,
 * and goes on.
 */
import { compareKeys, OrderedMap } from './ordered-map.js';
import type { RangeOptions, Store, StoreTransaction } from './store.js';

type Row = readonly [key: string, value: Uint8Array];
type Change = readonly [key: string, value: Uint8Array | undefined];

/** What transactions are flushed to. */
export interface Base {
  /** A copy. */
  get(key: string): Uint8Array | undefined;
  /** Copies, in the range's order; its limit is not applied. The caller ends the iteration early. */
  range(options: RangeOptions): Iterable<Row>;
  /**
   * Applies all changes or none, durably; visible in the base when the promise resolves.
   * @throws Failure when nothing was applied
   */
  commit(changes: OrderedMap<Buffer | undefined>): Promise<void>;
}

interface Waiter {
  readonly flushed: () => void;
  readonly failed: (error: unknown) => void;
}

export const storeLimits = { keyBytes: 1900, valueBytes: 16 * 1024 * 1024 } as const;
/** Transactions wait before they run while so many bytes are unflushed. */
const unflushedBytes = 64 * 1024 * 1024;

export class GroupCommit implements Omit<Store, 'close' | 'place' | 'isBroken'> {
  readonly #base: Base;
  /** What ran since the last batch was closed. */
  #open = new Layer();
  /** The batch that is being flushed. */
  #closed = new Layer();
  #waiters: Waiter[] = [];
  #queue: (() => void)[] = [];
  #running = false;
  #flushing: Promise<void> | undefined;

  constructor(base: Base) {
    this.#base = base;
  }

  get(key: string): Uint8Array | undefined {
    for (const layer of [this.#open, this.#closed]) {
      if (layer.changes.has(key)) {
        const value = layer.changes.get(key);
        return value === undefined ? undefined : Buffer.from(value);
      }
    }
    return this.#base.get(key);
  }

  range(options: RangeOptions): readonly { readonly key: string; readonly value: Uint8Array }[] {
    const rows: { key: string; value: Uint8Array }[] = [];
    const { limit = Infinity, reverse = false } = options;
    if (limit <= 0 || compareKeys(options.start, options.end) >= 0) return rows;
    let changes: Iterable<Change> = this.#base.range(options);
    for (const layer of [this.#closed, this.#open]) {
      if (layer.changes.size > 0) changes = overlaid(layer.changes.range(options), changes, reverse);
    }
    for (const [key, value] of changes) {
      if (value === undefined) continue;
      rows.push({ key, value });
      if (rows.length >= limit) break;
    }
    return rows;
  }

  transact<T>(work: (transaction: StoreTransaction) => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#queue.push(() => {
        let result: T;
        try {
          result = this.#run(work);
        } catch (error) {
          reject(error as Error);
          return;
        }
        this.#waiters.push({ flushed: () => resolve(result), failed: reject });
      });
      this.#runQueue();
    });
  }

  /** Waits until everything that was given to `transact` is flushed or has failed. */
  async idle(): Promise<void> {
    while (this.#flushing !== undefined) await this.#flushing;
  }

  /** Runs what waits, in the order of the calls, also when a work function calls `transact` (ST-4). */
  #runQueue(): void {
    if (this.#running) return;
    this.#running = true;
    while (this.#open.bytes < unflushedBytes) {
      const job = this.#queue.shift();
      if (job === undefined) break;
      job();
    }
    this.#running = false;
    if (this.#waiters.length > 0) this.#flushing ??= this.#flush();
  }

  #run<T>(work: (transaction: StoreTransaction) => T): T {
    const undo: (() => void)[] = [];
    let over = false;
    const change = (key: string, value: Buffer | undefined): void => {
      if (over) throw new Error('a transaction was used after its work function had returned');
      undo.push(this.#open.change(key, value));
    };
    const transaction: StoreTransaction = {
      get: (key) => this.get(key),
      range: (options) => this.range(options),
      put: (key, value) => {
        mustFit(key, value);
        // A copy: the caller may go on to use its buffer.
        change(key, Buffer.from(value));
      },
      remove: (key) => {
        mustFit(key);
        change(key, undefined);
      },
    };
    try {
      const result = work(transaction);
      if (result instanceof Promise)
        throw new Error('the work function of a transaction must be synchronous');
      return result;
    } catch (error) {
      for (const step of undo.reverse()) step();
      throw error;
    } finally {
      over = true;
    }
  }

  /** Flushes batch after batch until nobody waits. */
  async #flush(): Promise<void> {
    while (this.#waiters.length > 0) {
      // One turn of the microtask queue gathers all that is about to run for the same cause.
      await Promise.resolve();
      const waiters = this.#waiters;
      this.#waiters = [];
      this.#closed = this.#open;
      this.#open = new Layer();
      try {
        if (this.#closed.changes.size > 0) await this.#base.commit(this.#closed.changes);
        this.#closed = new Layer();
        for (const waiter of waiters) waiter.flushed();
      } catch (error) {
        const undone = [...waiters, ...this.#waiters];
        this.#waiters = [];
        this.#closed = new Layer();
        this.#open = new Layer();
        for (const waiter of undone) waiter.failed(error);
      }
      this.#runQueue();
    }
    this.#flushing = undefined;
  }
}

/** Changes in memory; undefined is a removal. */
class Layer {
  readonly changes = new OrderedMap<Buffer | undefined>();
  bytes = 0;

  /** Returns what undoes this change, provided that every later one has been undone. */
  change(key: string, value: Buffer | undefined): () => void {
    const { changes } = this;
    const known = changes.has(key);
    const before = changes.get(key);
    const growth = key.length + (value?.length ?? 0);
    changes.set(key, value);
    this.bytes += growth;
    return () => {
      this.bytes -= growth;
      if (known) changes.set(key, before);
      else changes.delete(key);
    };
  }
}

/** Both sequences merged in order; of a key in both, the newer change. */
function* overlaid(
  newer: Iterable<Change>,
  older: Iterable<Change>,
  reverse: boolean,
): IterableIterator<Change> {
  const upper = newer[Symbol.iterator]();
  let above = upper.next();
  for (const below of older) {
    let replaced = false;
    while (above.done !== true && !replaced) {
      const order = compareKeys(above.value[0], below[0]);
      if (reverse ? order < 0 : order > 0) break;
      replaced = order === 0;
      yield copyOf(above.value);
      above = upper.next();
    }
    if (!replaced) yield below;
  }
  for (; above.done !== true; above = upper.next()) yield copyOf(above.value);
}

function copyOf([key, value]: Change): Change {
  return [key, value === undefined ? undefined : Buffer.from(value)];
}

/** Keys are made by our own code: one that no base can hold is a broken invariant. */
function mustFit(key: string, value?: Uint8Array): void {
  if (key === '' || !key.isWellFormed()) throw new Error('a key is empty or no well-formed Unicode');
  if (key.length * 3 > storeLimits.keyBytes && Buffer.byteLength(key) > storeLimits.keyBytes) {
    throw new Error(`a key is longer than ${storeLimits.keyBytes} bytes: ${key.slice(0, 80)}`);
  }
  if (value !== undefined && value.length > storeLimits.valueBytes) {
    throw new Error(`the value of ${key.slice(0, 80)} is longer than ${storeLimits.valueBytes} bytes`);
  }
}
