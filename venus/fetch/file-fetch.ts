/**
 * One cold file on its way: all who want it share it. What comes is checked block by block, kept on the disk and handed
 * on at once; where a transfer breaks, the next one goes on, from another server if need be, also after a restart.
 *
 * FF-1  Nobody gets a byte of a block that does not match the file's digest.
 * FF-2  A block that is here or on its way is not asked for again, unless it is late: then of another source, too.
 * FF-3  When the last one who wants something has gone, what runs stops after `lingerMs`; what has come stays.
 * FF-4  Memory is bounded by blocks that are being moved, whatever the size of the file.
 */
import { Failure, isFailure, type FileData } from '../../vice/interface/index.js';
import { blockCount } from '../../vice/seam/block-digests.js';
import type { Timer } from '../../vice/seam/clock.js';
import { blockBytes } from '../../vice/seam/containers.js';
import { unknownQuality } from '../remote/link-quality.js';
import type { BlockSource } from './block-source.js';
import { lateAfter } from './choice.js';
import { Demand } from './demand.js';
import type { FetchWorld } from './fetch-world.js';
import { SharedPartial } from './shared-partial.js';
import type { Transfer } from './transfer.js';
import { Transfers, type Keeper } from './transfers.js';

/** Milliseconds that a file nobody wants any more is kept open: a player that seeks hangs up and comes back. */
const lingerMs = 1000;
/** Contents beyond this would need too much memory for the digests of their blocks. */
const lengthMost = 2 ** 40;

export class FileFetch {
  readonly contents: Pick<FileData, 'digest' | 'length'>;
  readonly #world: FetchWorld;
  readonly #ended: () => void;
  readonly #transfers: Transfers;
  readonly #demands = new Set<Demand>();
  #partial: SharedPartial | undefined;
  #users = 0;
  /** Somebody has opened it; the hoard walk does not. */
  #isUsed = false;
  #linger: Timer | undefined;
  #beginning: Promise<void> | undefined;
  #finishing: Promise<void> | undefined;
  #ending: Promise<void> | undefined;
  /** Ends the stay of the whole contents in the cache. */
  #release: (() => void) | undefined;
  readonly #woken = new Set<() => void>();
  /** Where the last reader ended, and how far he was ahead: whoever goes on there is he. */
  #left = { block: -1, ahead: 0 };

  constructor(contents: Pick<FileData, 'digest' | 'length'>, world: FetchWorld, ended: () => void) {
    this.contents = { digest: contents.digest, length: contents.length };
    this.#world = world;
    this.#ended = ended;
    this.#transfers = new Transfers(this.contents, this.#keeper(), world);
  }

  /** Finds what an earlier transfer has left. @throws Failure too-large, busy */
  async start(): Promise<void> {
    const { digest, length } = this.contents;
    if (length > lengthMost)
      throw new Failure('too-large', 'venus.fetch', `files of more than ${lengthMost} bytes cannot be read`);
    await this.#world.room.reserve(digest);
    const found = await this.#world.containers.openPartial(digest);
    if (found === undefined) return;
    this.#keep(new SharedPartial(found));
    if (this.#world.cache.has(digest)) await this.#cameWhole();
    else if (this.#partial?.isWhole === true && !this.inSegments) await this.#finish();
  }

  /** The contents are a container in the cache. */
  get isWhole(): boolean {
    return this.#release !== undefined;
  }

  get isEnding(): boolean {
    return this.#ending !== undefined;
  }

  /** They are too large for the cache, and were begun for somebody who did not want them whole. */
  get inSegments(): boolean {
    return this.#partial?.segmentBlocks !== undefined;
  }

  /** Keeps this open, and asks `sources` from now on, until the result is called. */
  use(sources: () => readonly BlockSource[]): () => void {
    this.#transfers.sources = sources;
    this.#users += 1;
    let used = true;
    return () => {
      if (!used) return;
      used = false;
      this.#users -= 1;
      this.#rest();
    };
  }

  hasAll(start: number, end: number): boolean {
    for (let block = Math.floor(start / blockBytes); block * blockBytes < end; block += 1) {
      if (!this.isWhole && this.#partial?.has(block) !== true) return false;
    }
    return true;
  }

  /**
   * Bytes from `start` up to but not including `end`, as they come. It ends early once the contents are whole: the rest
   * is in the cache.
   * @throws Failure damaged, unreachable, no-space
   */
  async *read(start: number, end: number): AsyncGenerator<Uint8Array, void, undefined> {
    const first = Math.floor(start / blockBytes);
    const ahead = this.#left.block === first ? this.#left.ahead : undefined;
    this.#isUsed = true;
    const demand = Demand.reading(first, Math.ceil(end / blockBytes), ahead);
    this.#demands.add(demand);
    let position = start;
    try {
      while (position < end) {
        const block = Math.floor(position / blockBytes);
        demand.advance(block, this.#world.room.aheadMost(this.inSegments));
        const bytes = await this.#block(demand, block);
        if (bytes === undefined) return;
        const offset = block * blockBytes;
        yield bytes.subarray(position - offset, end - offset);
        position = Math.min(end, offset + blockBytes);
      }
    } finally {
      this.#left = { block: Math.floor(position / blockBytes), ahead: demand.ahead };
      this.#demands.delete(demand);
      this.#rest();
    }
  }

  /** Bytes that have not come yet. */
  get missing(): number {
    return this.isWhole ? 0 : this.contents.length - (this.#partial?.bytes ?? 0);
  }

  /**
   * Resolves when the contents are a container in the cache; `came` is told of what comes meanwhile. False: they were
   * begun in segments, and do not become one.
   * @throws Failure damaged, unreachable, no-space
   */
  async whole(urgent: boolean, came: (bytes: number) => void = () => undefined): Promise<boolean> {
    this.#isUsed ||= urgent;
    const demand = Demand.holding(blockCount(this.contents.length), urgent, came);
    const fetched = urgent ? this.#world.gate.fetching() : undefined;
    this.#demands.add(demand);
    try {
      await this.#until(demand, () => this.isWhole || this.inSegments);
      return this.isWhole;
    } finally {
      fetched?.();
      this.#demands.delete(demand);
      this.#rest();
    }
  }

  /** Stops what runs; what has come stays. */
  end(): Promise<void> {
    this.#linger?.cancel();
    this.#ending ??= this.#end();
    return this.#ending;
  }

  /** The block, or undefined when the contents have become whole. */
  async #block(demand: Demand, block: number): Promise<Uint8Array | undefined> {
    const { recent, room } = this.#world;
    for (;;) {
      await this.#finishing;
      if (this.isWhole) return undefined;
      const partial = this.#partial;
      if (partial?.has(block) !== true) {
        await this.#awaited(demand, block);
        continue;
      }
      this.#pump();
      room.used(this.contents.digest, block);
      const found = recent.get(this.#key(block));
      if (found !== undefined) return found;
      try {
        const bytes = await partial.read(block);
        recent.set(this.#key(block), bytes);
        return bytes;
      } catch (error) {
        // It is fetched again.
        if (!isFailure(error, 'damaged', 'not-found')) throw error;
      }
    }
  }

  /** Waits until the block has come. After a time in which it should have, it is asked of another source, too. */
  async #awaited(demand: Demand, block: number): Promise<void> {
    const { clock, gate } = this.#world;
    const fetched = gate.fetching();
    const [first] = this.#transfers.sources();
    const wait = lateAfter(first?.quality ?? unknownQuality, blockBytes);
    const late = clock.after(wait, () => this.#transfers.late(block));
    try {
      await this.#until(demand, () => this.isWhole || this.#partial?.has(block) === true);
    } finally {
      late.cancel();
      fetched();
    }
  }

  /** @throws Failure when nobody who could be asked has it */
  async #until(demand: Demand, holds: () => boolean): Promise<void> {
    demand.waiting = true;
    this.#transfers.resume();
    try {
      while (!holds()) {
        if (this.#ending !== undefined)
          throw new Failure('cancelled', 'venus.fetch', 'the gateway is closing');
        const woken = new Promise<void>((resolve) => this.#woken.add(resolve));
        this.#pump();
        await woken;
        const { failure } = demand;
        demand.failure = undefined;
        if (failure !== undefined && !holds()) throw failure;
      }
    } finally {
      demand.waiting = false;
    }
  }

  #pump(): void {
    if (this.#finishing !== undefined || this.isWhole || this.#ending !== undefined) return;
    if (this.#partial?.isWhole === true && !this.inSegments) void this.#finish();
    else this.#transfers.pump([...this.#demands].sort((a, b) => a.rank - b.rank));
  }

  #keeper(): Keeper {
    const isBegun = (): boolean => this.#partial !== undefined;
    return {
      get isBegun() {
        return isBegun();
      },
      has: (block) => this.#partial?.has(block) === true,
      proved: (blockDigests) => this.#begin(blockDigests),
      turn: (transfer, bytes) => this.#turn(transfer, bytes),
      took: (block, bytes, transfer) => this.#took(block, bytes, transfer),
      failed: (error) => {
        const told = error ?? new Failure('unreachable', 'venus.fetch', 'no server answers');
        for (const demand of this.#demands) if (demand.waiting) demand.failure = told;
        this.#wake();
      },
      changed: () => {
        this.#wake();
        this.#pump();
      },
    };
  }

  /** The digests of the blocks are here: from now on blocks can be kept. Several transfers may bring them. */
  async #begin(blockDigests: Uint8Array): Promise<void> {
    if (this.#partial !== undefined || this.isWhole) return;
    this.#beginning ??= this.#makePartial(blockDigests).finally(() => {
      this.#beginning = undefined;
    });
    await this.#beginning;
  }

  async #makePartial(blockDigests: Uint8Array): Promise<void> {
    const { containers, room } = this.#world;
    const wantsWhole = [...this.#demands].some(({ isWhole }) => isWhole);
    const segmentBlocks = wantsWhole ? undefined : await room.segmentBlocks(this.contents.length);
    this.#keep(
      new SharedPartial(await containers.beginPartial({ ...this.contents, blockDigests, segmentBlocks })),
    );
    if (this.#world.cache.has(this.contents.digest)) await this.#cameWhole();
    else this.#pump();
  }

  #keep(partial: SharedPartial): void {
    this.#partial = partial;
    this.#world.room.opened(this.contents, partial, {
      isWanted: (segment) => {
        const size = partial.segmentBlocks ?? Infinity;
        const run = { first: segment * size, end: (segment + 1) * size };
        return [...this.#demands].some((demand) => demand.wants(run));
      },
      cameWhole: () => void this.#cameWhole(),
    });
  }

  async #took(block: number, bytes: Uint8Array, transfer: Transfer): Promise<void> {
    const { room, recent } = this.#world;
    const partial = this.#partial;
    if (this.isWhole) return;
    if (partial === undefined)
      throw new Failure('incompatible', 'venus.fetch', 'a block came before the digests');
    const isNew = !partial.has(block);
    await partial.write(block, bytes);
    if (isNew) {
      this.#transfers.came(block, transfer);
      for (const demand of this.#demands) demand.came(bytes.length);
    }
    if (isNew && transfer.urgent) recent.set(this.#key(block), bytes);
    room.grew(this.contents.digest, block);
    this.#wake();
    if (partial.isWhole && !this.inSegments) return this.#finish();
    await room.make();
    if (!transfer.urgent) await this.#turn(transfer, blockBytes);
  }

  /** Resolves when a transfer that gives way to users may go on, of which so many bytes have just come. */
  async #turn(transfer: Transfer, bytes: number): Promise<void> {
    await Promise.race([this.#world.gate.turn(bytes), this.#becomesUrgent(transfer)]);
  }

  async #becomesUrgent(transfer: Transfer): Promise<void> {
    while (!transfer.urgent && !transfer.stopped) {
      await new Promise<void>((resolve) => this.#woken.add(resolve));
    }
  }

  /** All blocks are here: they become a container. */
  #finish(): Promise<void> {
    return this.#endWith(() => this.#complete());
  }

  /** The contents are a container that came another way: what is here of them in part goes. */
  async #cameWhole(): Promise<void> {
    await this.#finishing;
    if (!this.isWhole && this.#ending === undefined) await this.#endWith(() => this.#giveUp());
  }

  #endWith(work: () => Promise<void>): Promise<void> {
    this.#finishing ??= work()
      .catch((error: unknown) => this.#transfers.fail(error as Error))
      .finally(() => {
        this.#finishing = undefined;
        this.#wake();
      });
    return this.#finishing;
  }

  async #complete(): Promise<void> {
    const { cache, room } = this.#world;
    const { digest, length } = this.contents;
    if ((await this.#partial?.complete()) !== true) return;
    this.#release = cache.adopt(digest, length, this.#isUsed);
    this.#partial = undefined;
    room.gone(digest);
    this.#transfers.stop();
  }

  async #giveUp(): Promise<void> {
    const { cache, room } = this.#world;
    const { digest } = this.contents;
    if (!cache.has(digest)) return;
    this.#release = cache.pin(digest, this.#isUsed);
    const partial = this.#partial;
    this.#partial = undefined;
    this.#transfers.stop();
    await partial?.remove();
    room.gone(digest);
  }

  #wake(): void {
    const woken = [...this.#woken];
    this.#woken.clear();
    for (const go of woken) go();
  }

  /** Somebody has gone. */
  #rest(): void {
    if (this.#demands.size > 0 || this.#ending !== undefined) return;
    this.#linger?.cancel();
    this.#linger = this.#world.clock.after(lingerMs, () => {
      if (this.#demands.size > 0) return;
      this.#transfers.stop();
      this.#wake();
      if (this.#users === 0) void this.end();
    });
  }

  async #end(): Promise<void> {
    const { room, log } = this.#world;
    this.#transfers.stop();
    this.#wake();
    await this.#transfers.settled();
    await this.#finishing;
    try {
      await this.#partial?.close();
      room.closed(this.contents.digest);
      room.letGo(this.contents.digest);
    } catch (error) {
      log.error('fetch not closed', { digest: this.contents.digest, error: String(error) });
    }
    this.#release?.();
    this.#ended();
  }

  #key(block: number): string {
    return `${this.contents.digest}/${block}`;
  }
}
