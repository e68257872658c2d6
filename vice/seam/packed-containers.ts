/**
 * Small contents in rows of the store, all others in the containers below. A file of their own costs two flushes of
 * the file system's journal, its own and its folder's name; a row shares the flush of what else is being committed.
 *
 * Rows: `contents/<digest>` the bytes, checked against their name at every read; `contents-length/<digest>` how many;
 * `contents-damaged/<digest>` bytes that did not match, for a person to look at.
 *
 * PC-1  Contents are in rows before anything that names them is on the disk: either in the same transaction
 *       (`packContents`), or by what `ContentRows.write` promises.
 * PC-2  A disk without room takes no small contents either: what the store holds in reserve is for removing.
 * PC-3  Whatever `packedBytes` was when contents were stored, they are found: both places are looked into.
 */
import { Failure, intact, seal } from '../interface/index.js';
import { blockDigest, blockDigestsOf, containerDigest, digestPattern } from './block-digests.js';
import type { Containers, Spool } from './containers.js';
import type { PartialBeginning, PartialContainer } from './partial-container.js';
import { endOf, type Store, type StoreTransaction } from './store.js';

/** The part of a store that the contents are in. */
export interface ContentRows {
  get(key: string): Uint8Array | undefined;
  /** Rows whose keys begin with `prefix`, in order; others may write between two of them. */
  walk(prefix: string): Iterable<{ readonly key: string; readonly value: Uint8Array }>;
  /**
   * Writes all or nothing; null removes. Visible at once; resolves when nothing that is written later can be on the
   * disk without it. @throws Failure no-space, damaged
   */
  write(rows: ReadonlyMap<string, Uint8Array | null>): Promise<void>;
}

export interface PackedContainersOptions {
  readonly rows: ContentRows;
  readonly containers: Containers;
  /** Contents of at most so many bytes go into rows; not more than a block. */
  readonly packedBytes: number;
  /** Lets others run in the middle of a long listing. */
  readonly pause: () => Promise<void>;
}

/**
 * What real stores take. Larger values need runs of pages in LMDB, which a store that has forgotten much has to look
 * for; and of a larger file the flushes are no longer the greatest part.
 */
export const packedBytesMost = 32 * 1024;

/**
 * Asking a disk for its space costs as much as storing little: what was heard is believed for so many bytes, which is a
 * small part of what a store holds in reserve ...
 */
const believedBytes = 256 * 1024;
/** ... and not at all below so many. */
const ampleBytes = 64 * 1024 * 1024;
/** Free bytes that a disk without room still has. */
const spareBytes = 64 * 1024;

/** Rows of a listing between two pauses. */
const listedAtOnce = 250;

export class PackedContainers implements Containers {
  readonly #rows: ContentRows;
  readonly #containers: Containers;
  readonly #packedBytes: number;
  readonly #pause: () => Promise<void>;
  /** Free bytes when the disk was asked, and what has been stored since. */
  #space = { heard: 0, taken: 0 };

  constructor({ rows, containers, packedBytes, pause }: PackedContainersOptions) {
    this.#rows = rows;
    this.#containers = containers;
    this.#packedBytes = packedBytes;
    this.#pause = pause;
  }

  async spool(): Promise<Spool> {
    if (this.#packedBytes === 0) return this.#containers.spool();
    await this.mustFit(this.#packedBytes);
    return new PackedSpool(this.#rows, this.#packedBytes, () => this.#containers.spool());
  }

  /** Whether contents of so many bytes go into rows. */
  packs(length: number): boolean {
    return this.#packedBytes > 0 && length <= this.#packedBytes;
  }

  /** To be asked before so many bytes of small contents are stored. @throws Failure no-space */
  async mustFit(bytes: number): Promise<void> {
    if (this.#space.taken >= believedBytes || this.#space.heard < ampleBytes) {
      this.#space = { heard: await this.#containers.space(), taken: 0 };
    }
    this.#space.taken += bytes;
    if (this.#space.heard >= bytes + spareBytes) return;
    throw new Failure('no-space', 'containers.spool', 'the disk is full: free some space');
  }

  async has(digest: string): Promise<boolean> {
    return this.#isPacked(digest) || this.#containers.has(digest);
  }

  async length(digest: string): Promise<number> {
    if (!this.#isPacked(digest)) return this.#containers.length(digest);
    return lengthIn(this.#rows.get(lengthKey(digest))) ?? (await this.#bytes(digest)).length;
  }

  async read(digest: string, start = 0, end = Infinity): Promise<AsyncIterable<Uint8Array>> {
    if (!this.#isPacked(digest)) return this.#containers.read(digest, start, end);
    if (!(start >= 0) || !(end >= 0))
      throw new Error('a range of a container must not begin or end before 0');
    return whole((await this.#bytes(digest)).subarray(start, Math.max(start, end)));
  }

  async blockDigests(digest: string): Promise<Uint8Array> {
    if (!this.#isPacked(digest)) return this.#containers.blockDigests(digest);
    return blockDigestsOf(await this.#bytes(digest));
  }

  beginPartial(beginning: PartialBeginning): Promise<PartialContainer> {
    return this.#containers.beginPartial(beginning);
  }

  openPartial(digest: string): Promise<PartialContainer | undefined> {
    return this.#containers.openPartial(digest);
  }

  partials(): AsyncIterable<{ readonly digest: string; readonly length: number; readonly bytes: number }> {
    return this.#containers.partials();
  }

  removePartial(digest: string): Promise<void> {
    return this.#containers.removePartial(digest);
  }

  async remove(digest: string): Promise<void> {
    // Decided and begun in the turn of the call, so that contents stored again after it stay.
    if (!this.#isPacked(digest)) return this.#containers.remove(digest);
    return this.#rows.write(absent(digest));
  }

  async *list(): AsyncIterableIterator<{ readonly digest: string; readonly length: number }> {
    for await (const digest of this.packed()) {
      const length = this.packedLength(digest);
      if (length !== undefined) yield { digest, length };
    }
    yield* this.#containers.list();
  }

  /** Bytes of contents that lie in rows; undefined: they do not. */
  packedLength(digest: string): number | undefined {
    const row = this.#rows.get(lengthKey(digest));
    if (row === undefined) return undefined;
    return lengthIn(row) ?? this.#rows.get(contentsKey(digest))?.length;
  }

  /** Digests of what lies in rows, in order, or did a moment ago: others run between two of them. */
  async *packed(): AsyncIterableIterator<string> {
    let listed = 0;
    for (const { key } of this.#rows.walk(lengthPrefix)) {
      yield key.slice(lengthPrefix.length);
      if ((listed += 1) % listedAtOnce === 0) await this.#pause();
    }
  }

  /** What has a file of its own. */
  unpacked(): AsyncIterable<{ readonly digest: string; readonly length: number }> {
    return this.#containers.list();
  }

  space(): Promise<number> {
    return this.#containers.space();
  }

  /** The rows are closed by whoever has opened the store. */
  close(): Promise<void> {
    return this.#containers.close();
  }

  #isPacked(digest: string): boolean {
    return digestPattern.test(digest) && this.#rows.get(lengthKey(digest)) !== undefined;
  }

  /** @throws Failure damaged: then they are gone from here (CO-2) */
  async #bytes(digest: string): Promise<Uint8Array> {
    const bytes = this.#rows.get(contentsKey(digest));
    if (bytes !== undefined && digestOfPacked(bytes) === digest) return bytes;
    // Kept for a person to look at, as a damaged file is.
    const kept = bytes === undefined ? [] : [[`${damagedPrefix}${digest}`, bytes] as const];
    await this.#rows.write(new Map<string, Uint8Array | null>([...absent(digest), ...kept]));
    const message = `contents ${digest} are damaged: fetch them again from another replica`;
    throw new Failure('damaged', 'containers.read', message);
  }
}

/** The rows of a Store; what is written is flushed. */
export function storedRows(store: Store): ContentRows {
  return {
    get: (key) => store.get(key),
    *walk(prefix) {
      const end = endOf(prefix);
      for (let start: string | undefined = prefix; start !== undefined;) {
        const page: readonly { readonly key: string; readonly value: Uint8Array }[] = [
          ...store.range({ start, end, limit: listedAtOnce }),
        ];
        yield* page;
        const last = page[listedAtOnce - 1];
        start = last && `${last.key}\0`;
      }
    },
    write: (rows) => {
      return store.transact((transaction) => {
        for (const [key, value] of rows) {
          if (value === null) transaction.remove(key);
          else transaction.put(key, value);
        }
      });
    },
  };
}

/**
 * Stores contents in the transaction that names them (PC-1).
 * @param digest what `bytes` have, checked by the caller
 */
export function packContents(transaction: StoreTransaction, digest: string, bytes: Uint8Array): void {
  if (transaction.get(lengthKey(digest)) !== undefined) return;
  for (const [key, value] of present(digest, bytes)) transaction.put(key, value);
}

/** The digest of contents of at most one block. */
export function digestOfPacked(bytes: Uint8Array): string {
  return containerDigest(bytes.length === 0 ? Buffer.alloc(0) : blockDigest(bytes));
}

/** Gathers bytes in memory until they are too many for a row. */
class PackedSpool implements Spool {
  readonly #rows: ContentRows;
  readonly #packedBytes: number;
  readonly #open: () => Promise<Spool>;
  #chunks: Uint8Array[] = [];
  #length = 0;
  #large: Spool | undefined;
  #state: 'open' | 'closed' = 'open';
  #fault: unknown;
  #committing: Promise<unknown> | undefined;

  constructor(rows: ContentRows, packedBytes: number, open: () => Promise<Spool>) {
    this.#rows = rows;
    this.#packedBytes = packedBytes;
    this.#open = open;
  }

  get length(): number {
    return this.#large?.length ?? this.#length;
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.#mustBeOpen();
    if (this.#large === undefined && this.#length + chunk.length <= this.#packedBytes) {
      this.#chunks.push(Uint8Array.from(chunk));
      this.#length += chunk.length;
      return;
    }
    await this.#failing((async () => (await this.#grown()).write(chunk))());
  }

  async commit(): Promise<{ readonly digest: string; readonly length: number }> {
    this.#mustBeOpen();
    this.#state = 'closed';
    const committed = this.#failing(this.#large === undefined ? this.#pack() : this.#large.commit());
    this.#committing = committed;
    return committed;
  }

  async abort(): Promise<void> {
    this.#state = 'closed';
    this.#chunks = [];
    await this.#large?.abort();
    await this.#committing?.catch(() => undefined);
  }

  async #pack(): Promise<{ readonly digest: string; readonly length: number }> {
    const bytes = Buffer.concat(this.#chunks);
    this.#chunks = [];
    const digest = digestOfPacked(bytes);
    await this.#rows.write(present(digest, bytes));
    return { digest, length: bytes.length };
  }

  async #grown(): Promise<Spool> {
    if (this.#large !== undefined) return this.#large;
    const large = await this.#open();
    this.#large = large;
    const chunks = this.#chunks;
    this.#chunks = [];
    for (const chunk of chunks) await large.write(chunk);
    return large;
  }

  /** What `work` comes to; a failure ends the spool. */
  async #failing<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      this.#fault = error;
      this.#chunks = [];
      throw error;
    }
  }

  #mustBeOpen(): void {
    if (this.#fault !== undefined) throw this.#fault as Error;
    if (this.#state !== 'open') throw new Error('a closed spool was used');
  }
}

const contentsPrefix = 'contents/';
const lengthPrefix = 'contents-length/';
const damagedPrefix = 'contents-damaged/';

function contentsKey(digest: string): string {
  return `${contentsPrefix}${digest}`;
}

function lengthKey(digest: string): string {
  return `${lengthPrefix}${digest}`;
}

function present(digest: string, bytes: Uint8Array): ReadonlyMap<string, Uint8Array> {
  return new Map([
    [contentsKey(digest), bytes],
    [lengthKey(digest), seal(bytes.length)],
  ]);
}

function absent(digest: string): ReadonlyMap<string, null> {
  return new Map([
    [contentsKey(digest), null],
    [lengthKey(digest), null],
  ]);
}

/** Undefined: the row cannot be read. */
function lengthIn(row: Uint8Array | undefined): number | undefined {
  const length = intact(row);
  return typeof length === 'number' ? length : undefined;
}

async function* whole(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  if (bytes.length > 0) yield bytes;
}
