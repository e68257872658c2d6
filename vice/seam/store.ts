/**
 * Seam: a durable, ordered map from keys to bytes with atomic transactions; one folder on disk.
 *
 * ST-1  A transaction is applied whole or not at all, also over a crash at any point.
 * ST-2  When `transact` resolves, its changes are on the disk (flushed), and so are those of all earlier
 *       ones.
 * ST-3  Reads see every transaction whose work function has returned, flushed or not.
 * ST-4  Transactions run one at a time in the order of the calls; `work` is synchronous and sees its own
 *       writes.
 * ST-5  Keys are ordered by their UTF-8 bytes. A key has at most 1,900 bytes, a value at most 16 MiB.
 * ST-6  When nobody can say whether a flush has come to the disk (`isBroken`), no other one does until a restart, after
 *       which it may be there: what its rows may name elsewhere on the disk must stay.
 */
export interface Store extends StoreReader {
  /**
   * Where the folder is: the same text as long as it stays there, over restarts, and another one for a copy of it and
   * on another machine. Nothing else can be read from it.
   */
  readonly place: string;
  /** @see ST-6 */
  readonly isBroken: boolean;
  /**
   * Runs `work` in a transaction and resolves with its result once flushed. When `work` throws, nothing is
   * changed and the promise rejects with what it threw. When a flush fails, the transactions that it was for
   * and all that have run since are undone and rejected together; the store goes on from there.
   * @throws Failure no-space, damaged (the disk fails: nothing is stored until a restart)
   */
  transact<T>(work: (transaction: StoreTransaction) => T): Promise<T>;
  /** Waits for running transactions, flushes, releases the folder. */
  close(): Promise<void>;
}

export interface StoreReader {
  /** A copy of the value, or undefined. @throws Error when the store is closed */
  get(key: string): Uint8Array | undefined;
  /**
   * Keys with `start` <= key < `end` in order (or in reverse order), at most `limit`. The result is a
   * snapshot, read at once: walk what may be long in pages.
   */
  range(options: RangeOptions): Iterable<{ readonly key: string; readonly value: Uint8Array }>;
}

export interface RangeOptions {
  readonly start: string;
  readonly end: string;
  readonly limit?: number;
  readonly reverse?: boolean;
}

/** Valid only inside the work function that it was given to. */
export interface StoreTransaction extends StoreReader {
  put(key: string, value: Uint8Array): void;
  /** Idempotent. */
  remove(key: string): void;
}

/** The end of the range of all keys that start with `prefix`. */
export function endOf(prefix: string): string {
  return `${prefix}\u{10ffff}`;
}
