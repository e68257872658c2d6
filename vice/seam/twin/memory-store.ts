import { Failure } from '../../interface/index.js';
import type { Clock } from '../clock.js';
import { GroupCommit, type Base } from '../group-commit.js';
import { OrderedMap } from '../ordered-map.js';
import type { RangeOptions, Store, StoreReader, StoreTransaction } from '../store.js';
import { FlushTime } from './flush-time.js';

export interface MemoryStoreOptions {
  /** What flushes are timed with; without it they take no time. */
  readonly clock?: Clock;
  /** Milliseconds that one flush takes; 0 by default. */
  readonly flushMs?: number;
  /** Bytes of keys and values that the disk holds; more is refused with no-space. */
  readonly capacity?: number;
  /** Where the folder is; a copy of it is elsewhere. */
  readonly place?: string;
  /** Told of each fault that was asked for when it strikes. */
  readonly onFault?: ((fault: string) => void) | undefined;
}

/** What a disk may do to a flush: refuse it, or fail so that nobody can say whether it is there. */
export type StoreFault = DiskFault | 'in-doubt';

export type DiskFault = 'no-space' | 'damaged';

/**
 * A Store in memory that can lose power: what was flushed is in the store that `crash` returns, nothing else.
 */
export class MemoryStore implements Store {
  readonly #options: MemoryStoreOptions;
  readonly #disk: MemoryDisk;
  readonly #group: GroupCommit;
  #state: 'open' | 'closed' | 'crashed' = 'open';

  constructor(options: MemoryStoreOptions = {}, contents: Iterable<readonly [string, Uint8Array]> = []) {
    this.#options = options;
    this.#disk = new MemoryDisk(options, contents);
    this.#group = new GroupCommit(this.#disk);
  }

  get(key: string): Uint8Array | undefined {
    return this.#group.get(key);
  }

  range(options: RangeOptions): Iterable<{ readonly key: string; readonly value: Uint8Array }> {
    return this.#group.range(options);
  }

  get place(): string {
    return this.#options.place ?? 'here';
  }

  transact<T>(work: (transaction: StoreTransaction) => T): Promise<T> {
    // After a crash nobody is left who could be answered.
    if (this.#state === 'crashed') return new Promise(() => {});
    if (this.#state === 'closed') return Promise.reject(new Error('the store is closed'));
    return this.#group.transact(work);
  }

  async close(): Promise<void> {
    if (this.#state === 'crashed') return;
    this.#state = 'closed';
    await this.#group.idle();
  }

  /**
   * The power fails: this store answers nobody any more, the returned one holds what was flushed. A flush that was
   * under way, or failed in doubt, is lost, or, with `keepsRunning`, it has reached the disk although nobody was told.
   */
  crash(keepsRunning = false): MemoryStore {
    this.#state = 'crashed';
    this.#disk.loses(keepsRunning);
    return new MemoryStore(this.#options, this.#disk.contents.entries());
  }

  /** What a restart after `close` finds; at another `place`, what a copy of it holds. */
  reopen(place = this.place): MemoryStore {
    return new MemoryStore({ ...this.#options, place }, this.#disk.contents.entries());
  }

  /** Makes the next `count` flushes fail, or those that come when `after` more have done well. */
  failNext(fault: StoreFault, count = 1, after = 0): void {
    for (let flush = 0; flush < after; flush += 1) this.#disk.faults.push(undefined);
    for (let flush = 0; flush < count; flush += 1) this.#disk.faults.push(fault);
  }

  /** Whether a flush is to fail that has not come yet. */
  get isToFail(): boolean {
    return this.#disk.faults.length > 0;
  }

  get isBroken(): boolean {
    return this.#disk.isBroken;
  }

  /** From now on the disk has room for so many bytes more. */
  leave(bytes: number): void {
    this.#disk.capacity = this.#disk.bytes + bytes;
  }

  /** From now on each flush takes so many milliseconds more, if there is a clock; 0: no more. */
  slow(ms: number): void {
    this.#disk.time.late(ms);
  }

  /** The disk is well again: no flush is going to fail or to be late, and there is room as at the beginning. */
  mend(): void {
    this.#disk.faults.length = 0;
    this.#disk.time.late(0);
    this.#disk.capacity = this.#options.capacity ?? Infinity;
  }

  /** One bit of a row on the disk flips, `where` in it (0 to 1). */
  damage(key: string, where = 0): void {
    this.#disk.damage(key, where);
  }

  /** What has been flushed, without what transactions have left for the next flush. */
  get durable(): Pick<StoreReader, 'get'> {
    return { get: (key) => this.#disk.get(key) };
  }

  /** Bytes of keys and values on the disk. */
  get bytes(): number {
    return this.#disk.bytes;
  }
}

class MemoryDisk implements Base {
  readonly contents = new OrderedMap<Uint8Array>();
  /** Of the next flushes; undefined: it does well. */
  readonly faults: (StoreFault | undefined)[] = [];
  readonly time: FlushTime;
  bytes = 0;
  capacity: number;
  #powered = true;
  #running: OrderedMap<Uint8Array | undefined> | undefined;
  /** Its flush was said to have failed. */
  #doubtful: OrderedMap<Uint8Array | undefined> | undefined;
  readonly #options: MemoryStoreOptions;

  constructor(options: MemoryStoreOptions, contents: Iterable<readonly [string, Uint8Array]>) {
    this.#options = options;
    this.time = new FlushTime(options.clock, options.flushMs);
    this.capacity = options.capacity ?? Infinity;
    for (const [key, value] of contents) {
      this.contents.set(key, value);
      this.bytes += key.length + value.length;
    }
  }

  get(key: string): Uint8Array | undefined {
    const value = this.contents.get(key);
    return value === undefined ? undefined : Buffer.from(value);
  }

  damage(key: string, where: number): void {
    const value = this.get(key);
    if (value === undefined || value.length === 0) return;
    const at = Math.min(value.length - 1, Math.floor(where * value.length));
    value[at] = (value[at] ?? 0) ^ 1;
    this.contents.set(key, value);
  }

  *range(options: RangeOptions): IterableIterator<readonly [string, Uint8Array]> {
    for (const [key, value] of this.contents.range(options)) yield [key, Buffer.from(value)];
  }

  async commit(changes: OrderedMap<Uint8Array | undefined>): Promise<void> {
    this.#running = changes;
    await this.time.pass();
    if (!this.#powered) return new Promise(() => {});
    this.#running = undefined;
    if (this.isBroken) throw diskFault('damaged');
    const fault = this.faults.shift();
    if (fault !== undefined) {
      this.#options.onFault?.(`flush ${fault}`);
      if (fault === 'in-doubt') this.#doubtful = changes;
      throw diskFault(fault === 'in-doubt' ? 'damaged' : fault);
    }
    const growth = this.#growth(changes);
    if (growth > 0 && this.bytes + growth > this.capacity) throw diskFault('no-space');
    this.#apply(changes);
  }

  /** The power is gone. */
  loses(keepsRunning: boolean): void {
    this.#powered = false;
    for (const changes of [this.#doubtful, this.#running])
      if (keepsRunning && changes !== undefined) this.#apply(changes);
    this.#running = undefined;
  }

  get isBroken(): boolean {
    return this.#doubtful !== undefined;
  }

  #apply(changes: OrderedMap<Uint8Array | undefined>): void {
    this.bytes += this.#growth(changes);
    for (const [key, value] of changes.entries()) {
      if (value === undefined) this.contents.delete(key);
      else this.contents.set(key, value);
    }
  }

  #growth(changes: OrderedMap<Uint8Array | undefined>): number {
    let growth = 0;
    for (const [key, value] of changes.entries()) {
      const before = this.contents.get(key);
      if (before !== undefined) growth -= key.length + before.length;
      if (value !== undefined) growth += key.length + value.length;
    }
    return growth;
  }
}

export function diskFault(fault: DiskFault, operation = 'store.transact'): Failure {
  const message = fault === 'no-space' ? 'the disk is full: free some space' : 'the disk fails: replace it';
  return new Failure(fault, operation, message);
}
