/**
 * A Store on LMDB: a copy-on-write B+tree in one memory-mapped file; reading needs no system call.
 *
 * A commit is LMDB's own, in another thread: pages, fdatasync, then the meta page through a descriptor with
 * O_DSYNC. Not lmdb-js' default, which makes a commit visible first and flushes behind it: there a failed
 * flush leaves visible what is not durable, and the next flush may succeed without it. Here a failed commit
 * leaves the tree as it was, its pages are free again, and a later commit writes all that it needs anew.
 */
import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { open, type RootDatabase } from 'lmdb';
import { z } from 'zod';
import { Failure } from '../../interface/index.js';
import { GroupCommit, type Base } from '../group-commit.js';
import type { OrderedMap } from '../ordered-map.js';
import type { RangeOptions, Store } from '../store.js';
import { diskFailure, errorCode } from './disk-failure.js';
import { claimFolder, syncFolder } from './folder-claim.js';
import { lmdbFault } from './lmdb-header.js';
import { placeOf } from './folder-place.js';
import { LmdbReserve } from './lmdb-reserve.js';

/** Version 2: small contents are in it (packed-containers.ts). */
const kind = { name: 'coda-store', version: 2 };
/** Address space, not memory and not disk; LMDB maps more when a store outgrows it. */
const mapBytes = 16 * 1024 ** 3;

/**
 * The store in `folder`, created if it is not there.
 * @throws Failure invalid when another live process has it open, incompatible, no-space, damaged
 */
export async function openLmdbStore(folder: string): Promise<Store> {
  const release = await claimFolder(folder, kind);
  try {
    const fault = await lmdbFault(join(folder, 'data.mdb'));
    if (fault !== undefined) throw unreadable(folder, fault);
    const database = open<Buffer, Buffer>({
      path: folder,
      noSubdir: false,
      encoding: 'binary',
      // The keys' bytes as they are: LMDB then orders them by memcmp (ST-5).
      keyEncoding: 'binary',
      overlappingSync: false,
      // With it, lmdb-js leaves a second promise of a failed commit unhandled, which ends the process.
      eventTurnBatching: false,
      mapSize: mapBytes,
    });
    await syncFolder(folder);
    return storeOf(folder, await placeOf(folder), database, release);
  } catch (error) {
    await release();
    throw openFailure(folder, error);
  }
}

function storeOf(
  folder: string,
  place: string,
  database: RootDatabase<Buffer, Buffer>,
  release: () => Promise<void>,
): Store {
  const base = new LmdbBase(folder, database);
  const group = new GroupCommit(base);
  let closed: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    await group.idle();
    await base.idle();
    await database.close();
    await release();
  };
  const mustBeOpen = (): void => {
    if (closed !== undefined) throw new Error(`the store in ${folder} is closed`);
  };
  return {
    place,
    get isBroken() {
      return base.isBroken;
    },
    get(key) {
      mustBeOpen();
      return group.get(key);
    },
    range(options) {
      mustBeOpen();
      return group.range(options);
    },
    async transact(work) {
      mustBeOpen();
      return group.transact(work);
    },
    close: () => (closed ??= close()),
  };
}

class LmdbBase implements Base {
  readonly #folder: string;
  readonly #database: RootDatabase<Buffer, Buffer>;
  /** Set when LMDB itself cannot go on: nothing is committed any more until the process starts anew. */
  #broken: Failure | undefined;
  readonly #reserve: LmdbReserve;
  /** Settles when the reserve is no longer being looked after; commits wait for it (LR-1). Never rejects. */
  #reserving: Promise<void>;

  constructor(folder: string, database: RootDatabase<Buffer, Buffer>) {
    this.#folder = folder;
    this.#database = database;
    this.#reserve = new LmdbReserve(join(folder, 'data.mdb'), () => usedBytes(database));
    this.#reserving = this.#keepReserve();
  }

  idle(): Promise<void> {
    return this.#reserving;
  }

  get isBroken(): boolean {
    return this.#broken !== undefined;
  }

  get(key: string): Uint8Array | undefined {
    return this.#database.getBinary(Buffer.from(key));
  }

  *range({ start, end, reverse = false }: RangeOptions): IterableIterator<readonly [string, Uint8Array]> {
    // An empty key is none to LMDB; no key is below a zero byte.
    const low = Buffer.from(start === '' ? '\0' : start);
    const high = Buffer.from(end);
    const bounds = reverse
      ? { start: high, exclusiveStart: true, end: low, inclusiveEnd: true, reverse }
      : { start: low, end: high };
    for (const { key, value } of this.#database.getRange(bounds)) yield [key.toString(), value];
  }

  async commit(changes: OrderedMap<Buffer | undefined>): Promise<void> {
    await this.#reserving;
    if (this.#broken !== undefined) throw this.#broken;
    try {
      await this.#database.batch(() => {
        for (const [key, value] of changes.entries()) {
          if (value === undefined) void this.#database.remove(Buffer.from(key));
          else void this.#database.put(Buffer.from(key), value);
        }
      });
    } catch (error) {
      throw await this.#commitFailure(error);
    }
    this.#reserving = this.#keepReserve();
  }

  async #keepReserve(): Promise<void> {
    // Only a convenience: a disk that cannot do this will show it at a commit.
    await this.#reserve.keep().catch(() => undefined);
  }

  async #commitFailure(error: unknown): Promise<unknown> {
    const cause = await causeOf(error);
    try {
      // A meta page that could not be written makes LMDB refuse every further transaction.
      this.#database.transactionSync(() => undefined);
    } catch (refusal) {
      const message = `the store in ${this.#folder} stopped after a disk error: mend the disk, then restart`;
      this.#broken = new Failure('damaged', operation, message, { cause: refusal });
      return this.#broken;
    }
    if (await isFull(this.#folder, cause)) {
      const message = `the disk of ${this.#folder} is full: free some space`;
      return new Failure('no-space', operation, message, { cause });
    }
    const message = `a commit to ${this.#folder} failed and was undone: look after its disk`;
    return new Failure('damaged', operation, message, { cause });
  }
}

/** Up to the end of the last page that LMDB has ever used. */
function usedBytes(database: RootDatabase<Buffer, Buffer>): number {
  const { lastPageNumber, pageSize } = statsSchema.parse(database.getStats());
  return (lastPageNumber + 1) * pageSize;
}

/** What lmdb-js gives without saying so in its types. */
const statsSchema = z.object({ lastPageNumber: z.number(), pageSize: z.number() });

const operation = 'store.transact';
const codes = { noSpace: 28, quota: 122, mapFull: -30792 } as const;

/** lmdb-js rejects with a plain message and, beside it, a promise that is rejected with the error itself. */
async function causeOf(error: unknown): Promise<unknown> {
  if (!(error instanceof Error) || !('commitError' in error)) return error;
  try {
    await error.commitError;
    return error;
  } catch (cause) {
    return cause;
  }
}

/** LMDB calls a write that the disk took only in part an I/O error: there the free space decides. */
async function isFull(folder: string, cause: unknown): Promise<boolean> {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  if (code === codes.noSpace || code === codes.quota || code === codes.mapFull) return true;
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize < 1024 * 1024;
}

function openFailure(folder: string, error: unknown): unknown {
  const byLmdb = error instanceof Error && errorCode(error) === undefined && /MDB_/.test(error.message);
  return byLmdb ? unreadable(folder, error.message) : diskFailure('store.open', folder, error);
}

function unreadable(folder: string, fault: string): Failure {
  const message = `the store in ${folder} is unreadable: ${fault}. Restore it, or start with an empty folder`;
  return new Failure('damaged', 'store.open', message);
}
