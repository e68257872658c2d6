/**
 * The room that contents in part take in the cache, and what of them goes when it is needed.
 *
 * RM-1  Contents in part and whole ones stay within the cache's limit together; none are here both ways.
 * RM-2  What nobody has open may take `idleShare` of it; the least recently used goes first.
 * RM-3  A file that is larger than the cache lies in segments, and may take `segmentShare` of the limit: the segments
 *       that were used least recently go, behind a reader who goes through it: he does not flush the whole cache.
 */
import { blockCount } from '../../vice/seam/block-digests.js';
import { blockBytes, type Containers } from '../../vice/seam/containers.js';
import type { ContainerCache } from '../cache/container-cache.js';
import type { Beside } from '../cache/room.js';
import { readAhead, segmentToDrop } from './plan.js';
import type { SharedPartial } from './shared-partial.js';

const idleShare = 0.25;
const segmentShare = 0.25;
/** Segments of a share, and blocks of one. */
const shareSegments = 4;
const segmentBlocks = { least: 4, most: 256 } as const;

/** Whoever has contents in part open. */
export interface PartialUse {
  readonly isWanted: (segment: number) => boolean;
  /** They are a container by now, which has come another way: what is here in part is to go. */
  readonly cameWhole: () => void;
}

interface Known {
  readonly length: number;
  bytes: number;
  used: number;
  /** While somebody has it open. */
  open: Open | undefined;
}

interface Open {
  readonly partial: SharedPartial;
  readonly use: PartialUse;
  /** Of its segments, when they were used. */
  readonly used: Map<number, number>;
}

export class PartialRoom implements Beside {
  readonly #containers: Containers;
  readonly #cache: ContainerCache;
  readonly #known = new Map<string, Known>();
  /** Digests of what is about to be opened, or is open. */
  readonly #reserved = new Set<string>();
  #bytes = 0;
  /** What the cache knows of. */
  #told = 0;
  #clock = 0;
  #trimming: Promise<void> = Promise.resolve();

  private constructor(containers: Containers, cache: ContainerCache) {
    this.#containers = containers;
    this.#cache = cache;
  }

  /** Takes what an earlier process left. */
  static async open(containers: Containers, cache: ContainerCache): Promise<PartialRoom> {
    const room = new PartialRoom(containers, cache);
    for await (const { digest, length, bytes } of containers.partials()) {
      room.#set(digest, { length, bytes, used: 0, open: undefined });
    }
    cache.share(room);
    await room.make();
    return room;
  }

  /** In blocks that are here. */
  get bytes(): number {
    return this.#bytes;
  }

  has(digest: string): boolean {
    return this.#known.has(digest);
  }

  /** Blocks that a reader may be ahead of himself. */
  aheadMost(inSegments: boolean): number {
    if (!inSegments) return readAhead.most;
    return Math.max(1, Math.min(readAhead.most, this.#segmentBlocks()));
  }

  /** Somebody is about to open these contents: until `letGo` they are not removed. */
  async reserve(digest: string): Promise<void> {
    this.#reserved.add(digest);
    await this.#trimming;
  }

  letGo(digest: string): void {
    this.#reserved.delete(digest);
    this.#makeSoon();
  }

  /** How contents of this length are kept: undefined in one file that can become a container, else in segments. */
  async segmentBlocks(length: number): Promise<number | undefined> {
    const fits =
      length <= this.#cache.limit && length <= (await this.#containers.space()) + this.#idleBytes();
    return fits ? undefined : this.#segmentBlocks();
  }

  opened(
    { digest, length }: { readonly digest: string; readonly length: number },
    partial: SharedPartial,
    use: PartialUse,
  ): void {
    this.#clock += 1;
    const open = { partial, use, used: new Map<number, number>() };
    this.#set(digest, { length, bytes: partial.bytes, used: this.#clock, open });
    if (partial.segmentBlocks === undefined) return;
    for (let block = 0; block < blockCount(length); block += 1) {
      if (partial.has(block)) this.used(digest, block);
    }
  }

  /** A block has been read. */
  used(digest: string, block: number): void {
    const known = this.#known.get(digest);
    const size = known?.open?.partial.segmentBlocks;
    if (known?.open === undefined) return;
    this.#clock += 1;
    known.used = this.#clock;
    if (size !== undefined) known.open.used.set(Math.floor(block / size), this.#clock);
  }

  /** A block has come. */
  grew(digest: string, block: number): void {
    const known = this.#known.get(digest);
    if (known?.open === undefined) return;
    this.used(digest, block);
    this.#count(known, known.open.partial.bytes);
  }

  closed(digest: string): void {
    const known = this.#known.get(digest);
    if (known?.open === undefined) return;
    this.#count(known, known.open.partial.bytes);
    known.open = undefined;
    if (known.bytes === 0) this.gone(digest);
  }

  /** It has become a container, or was removed. */
  gone(digest: string): void {
    const known = this.#known.get(digest);
    if (known === undefined) return;
    this.#count(known, 0);
    this.#known.delete(digest);
  }

  came(digest: string): void {
    const known = this.#known.get(digest);
    if (known?.open !== undefined) known.open.use.cameWhole();
    else if (known !== undefined) this.#makeSoon();
  }

  /** Makes room until the shares hold. */
  async make(): Promise<void> {
    await this.trim(() => this.#bytes + this.#cache.bytes - this.#cache.limit, this.#cache.limit);
    const grown = this.#bytes - this.#told;
    this.#told = this.#bytes;
    this.#cache.grew(grown);
  }

  spare(limit: number): number {
    return Math.max(0, this.#idleBytes() - limit * idleShare);
  }

  trim(excess: () => number, limit: number): Promise<void> {
    const trimming = this.#trimming.then(() => this.#trim(excess, limit));
    this.#trimming = trimming.catch(() => undefined);
    return trimming;
  }

  #makeSoon(): void {
    // Where that fails the next one tries again.
    this.make().catch(() => undefined);
  }

  async #trim(excess: () => number, limit: number): Promise<void> {
    for (const known of this.#known.values()) await this.#shrink(known, this.#cache.limit * segmentShare);
    for (const [digest] of this.#idle()) if (this.#cache.has(digest)) await this.#remove(digest);
    while (excess() > 0 && this.#idleBytes() > limit * idleShare) {
      const oldest = this.#idle().sort(([, a], [, b]) => a.used - b.used)[0]?.[0];
      if (oldest === undefined) break;
      await this.#remove(oldest);
    }
  }

  async #remove(digest: string): Promise<void> {
    this.gone(digest);
    await this.#containers.removePartial(digest);
  }

  /** What may be removed. */
  #idle(): [string, Known][] {
    return [...this.#known].filter(([digest, { open }]) => open === undefined && !this.#reserved.has(digest));
  }

  async #shrink(known: Known, share: number): Promise<void> {
    const { open } = known;
    while (open !== undefined && open.partial.segmentBlocks !== undefined && known.bytes > share) {
      const segments = [...open.used].map(([index, used]) => ({ index, used }));
      const segment = segmentToDrop(segments, open.use.isWanted);
      if (segment === undefined) return;
      open.used.delete(segment);
      await open.partial.drop(segment);
      this.#count(known, open.partial.bytes);
    }
  }

  #idleBytes(): number {
    let bytes = 0;
    for (const known of this.#known.values()) if (known.open === undefined) bytes += known.bytes;
    return bytes;
  }

  #segmentBlocks(): number {
    const share = Math.floor((this.#cache.limit * segmentShare) / shareSegments / blockBytes);
    return Math.max(segmentBlocks.least, Math.min(segmentBlocks.most, share));
  }

  #set(digest: string, known: Known): void {
    const before = this.#known.get(digest);
    this.#bytes += known.bytes - (before?.bytes ?? 0);
    this.#known.set(digest, known);
  }

  #count(known: Known, bytes: number): void {
    this.#bytes += bytes - known.bytes;
    known.bytes = bytes;
  }
}
