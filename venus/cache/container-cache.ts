/**
 * Cached contents by digest: what is on the disk, what must stay, what it is worth; and small hot bodies in memory, so
 * that a warm GET touches no disk. What goes when space is needed says room.ts.
 *
 * CC-1  What lies in rows is counted behind the start, which does not wait for a million of them. Until that is over,
 *       what was not met yet is looked for where it lies, so everything is found from the beginning; what is evicted
 *       and how much there is comes out when all is counted.
 */
import { Failure, isFailure } from '../../vice/interface/index.js';
import type { Containers, Spool } from '../../vice/seam/containers.js';
import type { Log } from '../../vice/seam/log.js';
import { CacheSpool } from './cache-spool.js';
import { CommitGate } from './commit-gate.js';
import { EvictionOrder, type Kept } from './eviction-order.js';
import { RecentMap } from './recent-map.js';
import { generationShift, isSticky } from './replacement.js';
import { Room, type Beside } from './room.js';

/** Bodies up to this length are kept in memory, all of them together up to `memoryBytes`. */
const smallBytes = 64 * 1024;
const memoryBytes = 64 * 1024 * 1024;

const nothingBeside: Beside = {
  bytes: 0,
  spare: () => 0,
  trim: () => Promise.resolve(),
  came: () => undefined,
};

/** What is cached under one digest, and why it stays or goes. */
export interface CachedContainer {
  readonly digest: string;
  readonly length: number;
  readonly priority: number;
  readonly hoard: number;
  /** `open`, `logged` and `sticky` ones never go; the others in the order of their priorities. */
  readonly stay: 'open' | 'logged' | 'sticky' | null;
}

/** Contents in rows of the store: there may be a million of them, and each is found by itself (CC-1). */
export interface PackedContents {
  /** Whether contents of so many bytes lie in rows. */
  packs(length: number): boolean;
  /** Bytes of contents that do; undefined: these do not. */
  packedLength(digest: string): number | undefined;
  /** All that do, or did a moment ago. */
  packed(): AsyncIterable<string>;
  /** Those that do not. */
  unpacked(): AsyncIterable<{ readonly digest: string; readonly length: number }>;
}

export interface ContainerCacheOptions {
  readonly containers: Containers;
  /** Contents beyond this are evicted, those of the lowest priority first. */
  readonly limitBytes: number;
  /** Whether the modify log needs a container: then it stays. */
  readonly isNeeded: (digest: string) => boolean;
  readonly log: Log;
  /** Contents in rows of the store; none by default. */
  readonly packed?: PackedContents;
  /** Decides between equals. */
  readonly seed?: number;
  /** Lets others run in the middle of long work. */
  readonly pause?: () => Promise<void>;
}

export class ContainerCache {
  readonly #containers: Containers;
  readonly #log: Log;
  readonly #isNeeded: (digest: string) => boolean;
  readonly #packed: PackedContents | undefined;
  readonly #order: EvictionOrder;
  readonly #gate = new CommitGate();
  readonly #room: Room;
  readonly #spools = new Set<CacheSpool>();
  /** Bytes that are to come of contents in part. */
  readonly #reserved = new Set<() => number>();
  #beside: Beside = nothingBeside;
  #isCounted: boolean;
  #counted: Promise<void> = Promise.resolve();
  #isClosing = false;
  /** Hoard priorities of contents, cached or not. */
  #hoarded = new Map<string, number>();
  readonly #bodies = new RecentMap<string, Uint8Array>(memoryBytes, (body) => body.length + 100);

  private constructor(options: ContainerCacheOptions) {
    const { containers, limitBytes, isNeeded, packed, log, seed = 0 } = options;
    const { pause = () => Promise.resolve() } = options;
    this.#containers = containers;
    this.#packed = packed;
    this.#isCounted = packed === undefined;
    this.#isNeeded = isNeeded;
    this.#log = log;
    this.#order = new EvictionOrder(generationShift(limitBytes), seed);
    this.#room = new Room(limitBytes, {
      ...{ containers, order: this.#order, gate: this.#gate, isNeeded, log, pause },
      coming: () => this.#coming(),
      beside: () => this.#beside,
      forget: (digest) => this.#bodies.delete(digest),
    });
  }

  static async open(options: ContainerCacheOptions): Promise<ContainerCache> {
    const { packed, containers } = options;
    const cache = new ContainerCache(options);
    const files = packed?.unpacked() ?? containers.list();
    for await (const { digest, length } of files) cache.#note(digest, length);
    if (packed !== undefined) cache.#counted = cache.#count(packed);
    return cache;
  }

  /** Stops counting. */
  async close(): Promise<void> {
    this.#isClosing = true;
    await this.#counted;
  }

  /** Resolves when all that is here is counted (CC-1). */
  get counted(): Promise<void> {
    return this.#counted;
  }

  get count(): number {
    return this.#order.size;
  }

  get bytes(): number {
    return this.#order.bytes;
  }

  get limit(): number {
    return this.#room.limit;
  }

  /** Resolves when what is too much has gone, as far as it may. */
  async setLimit(bytes: number): Promise<void> {
    await this.#room.setLimit(bytes);
    if (this.#isCounted) return;
    await this.#counted;
    await this.#room.setLimit(this.#room.limit);
  }

  /** Shares its room with contents in part from now on. */
  share(beside: Beside): void {
    this.#beside = beside;
  }

  /** Contents in part have come to have so many bytes more. */
  grew(bytes: number): void {
    this.#room.grew(bytes);
  }

  has(digest: string): boolean {
    return this.#kept(digest) !== undefined;
  }

  /** Keeps `digest` until the returned function is called. `isUse`: somebody opens it, the hoard walk does not. */
  pin(digest: string, isUse = true): () => void {
    const kept = this.#kept(digest);
    if (kept === undefined) return () => undefined;
    if (isUse) this.#order.reference(kept);
    kept.pins += 1;
    let pinned = true;
    return () => {
      if (!pinned) return;
      pinned = false;
      kept.pins -= 1;
      this.#freed(kept);
    };
  }

  /** The log does not need `digest` any more. */
  spared(digest: string): void {
    const kept = this.#kept(digest);
    if (kept !== undefined) this.#freed(kept);
  }

  /**
   * A spool for new contents, for which room is made. For a user the limit is no reason to refuse, only the disk is;
   * what is too much goes afterwards. For the background (`request`) room is made by evicting what is worth less, and
   * the margins stay free.
   * @throws Failure no-space: also when `announced` bytes will not fit
   */
  async spool(announced = 0, request?: number): Promise<Spool> {
    const { isMade, space } = await this.#room.make(announced, request);
    if (announced > space) {
      const message = `the gateway's disk has ${space} bytes left, ${announced} are needed`;
      throw new Failure('no-space', 'venus.write', message);
    }
    if (!isMade && request !== undefined) throw noRoom(announced);
    const spool: CacheSpool = new CacheSpool(await this.#containers.spool(), announced, {
      room: (bytes) => this.#room.make(bytes, request),
      commit: (work) =>
        this.#gate.commit(async () => {
          const committed = await work();
          this.#spools.delete(spool);
          this.#note(committed.digest, committed.length);
          return { committed, release: this.pin(committed.digest, false) };
        }),
      closed: () => this.#spools.delete(spool),
    });
    this.#spools.add(spool);
    return spool;
  }

  /**
   * Makes room for contents that come in part, as the background may, and keeps it until the result is called.
   * `missing`: bytes of them that are still to come.
   * @throws Failure no-space
   */
  async reserve(missing: () => number, request: number): Promise<() => void> {
    const bytes = missing();
    const { isMade } = await this.#room.make(bytes, request);
    if (!isMade) throw noRoom(bytes);
    this.#reserved.add(missing);
    return () => this.#reserved.delete(missing);
  }

  /** Notes contents that a spool has committed, pinned; call the result when they need not stay. */
  adopt(digest: string, length: number, isUse = true): () => void {
    this.#note(digest, length);
    const release = this.pin(digest, isUse);
    this.#room.tidy();
    return release;
  }

  /** Forgets contents that nobody has come to need after all. */
  async discard(digest: string): Promise<void> {
    const kept = this.#kept(digest);
    if (kept !== undefined) await this.#room.drop(kept);
  }

  /** What contents are worth to the hoard from now on, all others nothing: the highest of all who share them. */
  setHoarded(priorities: Map<string, number>): void {
    for (const digest of this.#hoarded.keys()) if (!priorities.has(digest)) this.#setHoard(digest, 0);
    this.#hoarded = priorities;
    for (const [digest, priority] of priorities) this.#setHoard(digest, priority);
  }

  /** The same of one that has come up since; never less than before. */
  raiseHoarded(digest: string, priority: number): void {
    if ((this.#hoarded.get(digest) ?? 0) >= priority) return;
    this.#hoarded.set(digest, priority);
    this.#setHoard(digest, priority);
  }

  /** Bytes that could be had for something worth `request`, at most. Looks at all that is cached. */
  async mostRoom(request: number): Promise<number> {
    await this.#counted;
    return this.#room.most(request);
  }

  /** All that is cached and counted, in no order. Do not keep over an await. */
  *all(): Generator<CachedContainer> {
    for (const kept of this.#order.all()) {
      const { digest, length, hoard } = kept;
      yield { digest, length, hoard, priority: this.#order.priority(kept), stay: this.#stayOf(kept) };
    }
  }

  /** Bytes that the disk still has. */
  space(): Promise<number> {
    return this.#containers.space();
  }

  /** The whole body if it is small, from memory when it is hot. @throws Failure not-found, damaged */
  async small(digest: string, length: number): Promise<Uint8Array | undefined> {
    if (length > smallBytes) return undefined;
    const hot = this.#bodies.get(digest);
    if (hot !== undefined) return hot;
    const chunks: Uint8Array[] = [];
    for await (const chunk of await this.#read(digest, 0, length)) chunks.push(chunk);
    const [only] = chunks;
    const body = chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks);
    this.#bodies.set(digest, body);
    return body;
  }

  /** Remembers a small body that has just been written. */
  remember(digest: string, body: Uint8Array): void {
    if (body.length <= smallBytes) this.#bodies.set(digest, body);
  }

  /** @throws Failure not-found, damaged (then it is gone from the cache) */
  async *read(digest: string, start: number, end: number): AsyncGenerator<Uint8Array> {
    try {
      yield* await this.#read(digest, start, end);
    } catch (error) {
      if (isFailure(error, 'damaged', 'not-found')) this.#lost(digest, error);
      throw error;
    }
  }

  async #read(digest: string, start: number, end: number): Promise<AsyncIterable<Uint8Array>> {
    try {
      return await this.#containers.read(digest, start, end);
    } catch (error) {
      if (isFailure(error, 'damaged', 'not-found')) this.#lost(digest, error);
      throw error;
    }
  }

  /** What is here under `digest`. */
  #kept(digest: string): Kept | undefined {
    const kept = this.#order.get(digest);
    if (kept !== undefined || this.#isCounted) return kept;
    const length = this.#packed?.packedLength(digest);
    return length === undefined ? undefined : this.#note(digest, length);
  }

  #note(digest: string, length: number): Kept {
    const before = this.#order.get(digest);
    if (before !== undefined) return before;
    const hoard = this.#hoarded.get(digest) ?? 0;
    const kept = this.#order.add(digest, length, hoard, this.#packed?.packs(length) ?? false);
    this.#room.noted(kept);
    return kept;
  }

  async #count(packed: PackedContents): Promise<void> {
    try {
      for await (const digest of packed.packed()) {
        if (this.#isClosing) return;
        // A copy of its own: a part of a longer string keeps that.
        this.#kept(Buffer.from(digest, 'latin1').toString('latin1'));
      }
      this.#isCounted = true;
    } catch (error) {
      if (!isFailure(error)) throw error;
      // Each of them is still found by itself.
      this.#log.error('cached contents could not be counted', { kind: error.kind, message: error.message });
    }
    this.#room.tidy();
  }

  #freed(kept: Kept): void {
    if (kept.pins > 0) return;
    this.#order.restore(kept);
    this.#room.tidy();
  }

  #setHoard(digest: string, priority: number): void {
    const kept = this.#kept(digest);
    if (kept !== undefined) this.#order.setHoard(kept, priority);
  }

  #stayOf(kept: Kept): CachedContainer['stay'] {
    if (this.#isNeeded(kept.digest)) return 'logged';
    if (isSticky(kept.hoard)) return 'sticky';
    return kept.pins > 0 ? 'open' : null;
  }

  #coming(): { readonly claimed: number; readonly written: number } {
    let [claimed, written] = [0, 0];
    for (const spool of this.#spools) {
      claimed += spool.claimed;
      written += spool.length;
    }
    for (const missing of this.#reserved) claimed += missing();
    return { claimed, written };
  }

  /** A damaged container is forgotten: the next open fetches it again from a replica. */
  #lost(digest: string, failure: Failure): void {
    this.#log.error('container lost', { digest, kind: failure.kind });
    const kept = this.#kept(digest);
    if (kept !== undefined) this.#order.remove(kept);
    this.#bodies.delete(digest);
  }
}

function noRoom(bytes: number): Failure {
  const message = `the cache has no room for ${bytes} bytes: what it has is worth more, or in use`;
  return new Failure('no-space', 'venus.cache', message);
}
