/** A file of a few blocks, sources that have it, and readers. */
import { Failure } from '../../vice/interface/index.js';
import { blockDigestsOf, digestOf } from '../../vice/seam/block-digests.js';
import { blockBytes } from '../../vice/seam/containers.js';
import { silentLog } from '../../vice/seam/log.js';
import { MemoryContainers } from '../../vice/seam/twin/memory-containers.js';
import { SimulatedClock } from '../../vice/seam/twin/simulated-clock.js';
import { ContainerCache } from '../../venus/cache/container-cache.js';
import { TrickleGate } from '../../venus/reintegration/trickle-gate.js';
import { unknownQuality } from '../../venus/remote/link-quality.js';
import type { Arrival, BlockRequest, BlockSource } from '../../venus/fetch/block-source.js';
import { Fetches, type FetchUse } from '../../venus/fetch/fetches.js';
import type { FileFetch } from '../../venus/fetch/file-fetch.js';

export const blocks = 40;
export const contents = contentsOf(blocks, 1);

/** Blocks that differ from each other, and from those of other letters. */
export function contentsOf(count: number, letter: number): Buffer {
  return Buffer.concat(
    Array.from({ length: count }, (_, block) => Buffer.alloc(blockBytes, (block * 7 + letter) % 256)),
  ).subarray(0, -1000);
}

/** Has all contents, and gives a block when it may. */
export class Scripted implements BlockSource {
  readonly name: string;
  readonly quality = unknownQuality;
  readonly requests: BlockRequest[] = [];
  /** Blocks that were given out. */
  readonly given: number[] = [];
  preferred = 0;
  /** Blocks from here on are not given out, until `go`. */
  stopsAt = Infinity;
  /** Fails at this block. */
  breaksAt = Infinity;
  /** Other bytes than the file's are given for this block. */
  liesAt = -1;
  stopped = 0;
  readonly #contents: Buffer;
  #waiting: (() => void)[] = [];

  constructor(name: string, all = contents) {
    this.name = name;
    this.#contents = all;
  }

  async *arrivals(request: BlockRequest, signal: AbortSignal): AsyncGenerator<Arrival> {
    this.requests.push(request);
    signal.addEventListener('abort', () => {
      this.stopped += 1;
      this.#wake();
    });
    if (request.proof) yield { kind: 'proof', blockDigests: blockDigestsOf(this.#contents) };
    for (let block = request.first; block < request.end; block += 1) {
      while (block >= this.stopsAt && !signal.aborted)
        await new Promise<void>((resolve) => this.#waiting.push(resolve));
      if (signal.aborted) throw new Failure('cancelled', 'test', 'stopped');
      if (block >= this.breaksAt) throw new Failure('unreachable', 'test', 'broken');
      this.given.push(block);
      const bytes = Buffer.from(this.#contents.subarray(block * blockBytes, (block + 1) * blockBytes));
      if (block === this.liesAt) bytes.fill(0);
      yield { kind: 'block', block, bytes };
    }
  }

  prefer(): void {
    this.preferred += 1;
  }

  go(): void {
    this.stopsAt = Infinity;
    this.#wake();
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const go of waiting) go();
  }
}

export class Story {
  readonly clock = new SimulatedClock();
  readonly gate = new TrickleGate(this.clock);
  readonly sources: Scripted[];
  readonly data = { digest: digestOf(contents), length: contents.length };
  readonly limitBytes: number;
  containers = new MemoryContainers();
  cache!: ContainerCache;
  fetches!: Fetches;

  private constructor(sources: readonly Scripted[], limitBytes: number) {
    this.sources = [...sources];
    this.limitBytes = limitBytes;
  }

  static async begin(sources: readonly Scripted[], limitBytes = 1e9): Promise<Story> {
    const story = new Story(sources, limitBytes);
    await story.start();
    return story;
  }

  async start(): Promise<void> {
    const { containers, limitBytes, gate, clock } = this;
    this.cache = await ContainerCache.open({ containers, limitBytes, isNeeded: () => false, log: silentLog });
    this.fetches = await Fetches.open({ containers, cache: this.cache, gate, clock, log: silentLog });
  }

  /** The gateway is killed, and starts again. */
  async restart(): Promise<void> {
    this.containers = this.containers.crash();
    await this.start();
  }

  async use(): Promise<FetchUse> {
    const data = { ...this.data, storeId: 'x', saved: 0 } as never;
    return this.fetches.use(data, () => this.sources);
  }

  get given(): number {
    return this.sources.reduce((sum, { given }) => sum + given.length, 0);
  }

  /** Time passes. */
  async pass(milliseconds = 100): Promise<void> {
    await this.clock.advance(milliseconds);
  }
}

/** Reads, and keeps what has come. */
export class Reading {
  readonly chunks: Uint8Array[] = [];
  failure: unknown;
  isOver = false;
  readonly over: Promise<void>;
  readonly #source: AsyncGenerator<Uint8Array>;
  #isGone = false;
  #most: number;
  #more: (() => void) | undefined;

  constructor(fetch: FileFetch, start: number, end: number, most = Infinity) {
    this.#source = fetch.read(start, end);
    this.#most = most;
    this.over = this.#run();
  }

  get bytes(): Buffer {
    return Buffer.concat(this.chunks);
  }

  /** Takes so many chunks more. */
  take(chunks: number): void {
    this.#most += chunks;
    this.#more?.();
  }

  /** The client goes away: its turn comes when it is given something. */
  async hangUp(): Promise<void> {
    this.#isGone = true;
    this.#more?.();
    await this.#source.return(undefined);
  }

  async #run(): Promise<void> {
    try {
      for await (const chunk of this.#source) {
        this.chunks.push(chunk);
        while (this.chunks.length >= this.#most && !this.#isGone)
          await new Promise<void>((resolve) => (this.#more = resolve));
        if (this.#isGone) break;
      }
    } catch (error) {
      this.failure = error;
    }
    this.isOver = true;
  }
}
