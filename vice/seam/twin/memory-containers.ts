import { Failure } from '../../interface/index.js';
import { blockDigest, containerDigest, digestBytes, digestPattern } from '../block-digests.js';
import type { Clock } from '../clock.js';
import { blockBytes, type Containers, type Spool } from '../containers.js';
import { PartialBlocks } from '../partial-blocks.js';
import type { PartialBeginning, PartialContainer } from '../partial-container.js';
import type { Random } from '../random.js';
import { FlushTime } from './flush-time.js';
import { diskFault, type DiskFault } from './memory-store.js';
import { MemorySpool, type MemoryFile } from './memory-spool.js';
import { MemoryPartial, spoil, tear, type MemoryBlocks } from './memory-partial.js';

export interface MemoryContainersOptions {
  /** What flushes are timed with; without it they take no time. */
  readonly clock?: Clock;
  /** Milliseconds that one commit takes; 0 by default. */
  readonly flushMs?: number;
  /** Bytes of contents that the disk holds, spools included; more is refused with no-space. */
  readonly capacity?: number;
  /** Told of each fault that was asked for when it strikes. */
  readonly onFault?: ((fault: string) => void) | undefined;
}

/** Containers in memory that can lose power and bits. */
export class MemoryContainers implements Containers {
  readonly #options: MemoryContainersOptions;
  readonly #files: Map<string, MemoryFile>;
  readonly #spools = new Set<MemorySpool>();
  readonly #partials: Map<string, MemoryBlocks>;
  readonly #openPartials = new Set<string>();
  #state: 'open' | 'closed' | 'crashed' = 'open';
  /** Of the next commits; undefined: it does well. */
  readonly #commitFaults: (DiskFault | undefined)[] = [];
  /** A flush has failed. */
  #isBroken = false;
  readonly #time: FlushTime;
  #capacity: number | undefined;
  /** Removed, and whether that has reached the disk nobody has asked: a power cut may bring them back. */
  readonly #unlinked = new Map<string, MemoryFile>();
  /** Commits whose flush is under way. */
  readonly #running = new Map<string, MemoryFile>();

  constructor(
    options: MemoryContainersOptions = {},
    files: Iterable<readonly [string, MemoryFile]> = [],
    partials: Iterable<readonly [string, MemoryBlocks]> = [],
  ) {
    this.#options = options;
    this.#time = new FlushTime(options.clock, options.flushMs);
    this.#files = new Map(files);
    this.#capacity = options.capacity;
    this.#partials = new Map(partials);
  }

  async spool(): Promise<Spool> {
    await this.#alive();
    if (this.#isBroken) throw diskFault('damaged', 'containers');
    const spool = new MemorySpool({
      claim: (bytes) => this.#claim(bytes),
      publish: (file) => this.#publish(file),
      closed: () => this.#spools.delete(spool),
    });
    this.#spools.add(spool);
    return spool;
  }

  async has(digest: string): Promise<boolean> {
    await this.#alive();
    mustBeDigest(digest);
    return this.#files.has(digest);
  }

  async length(digest: string): Promise<number> {
    await this.#alive();
    return this.#file(digest).contents.length;
  }

  async read(digest: string, start = 0, end = Infinity): Promise<AsyncIterable<Uint8Array>> {
    await this.#alive();
    if (!(start >= 0) || !(end >= 0))
      throw new Error('a range of a container must not begin or end before 0');
    const file = this.#file(digest);
    return this.#blocks(digest, file, start, Math.min(end, file.contents.length));
  }

  async blockDigests(digest: string): Promise<Uint8Array> {
    await this.#alive();
    const file = this.#file(digest);
    if (containerDigest(file.blockDigests) !== digest) throw this.#quarantined(digest, file);
    return file.blockDigests;
  }

  async remove(digest: string): Promise<void> {
    await this.#alive();
    mustBeDigest(digest);
    const file = this.#files.get(digest);
    if (file !== undefined) this.#unlinked.set(digest, file);
    this.#files.delete(digest);
  }

  async beginPartial(beginning: PartialBeginning): Promise<PartialContainer> {
    await this.#alive();
    mustBeDigest(beginning.digest);
    const held = {
      blocks: new PartialBlocks(beginning),
      bytes: new Map<number, Uint8Array>(),
      latest: undefined,
    };
    return this.#openPartial(held);
  }

  async openPartial(digest: string): Promise<PartialContainer | undefined> {
    await this.#alive();
    mustBeDigest(digest);
    const held = this.#partials.get(digest);
    return held === undefined ? undefined : this.#openPartial(held);
  }

  async *partials(): AsyncIterableIterator<{
    readonly digest: string;
    readonly length: number;
    bytes: number;
  }> {
    for (const [digest, { blocks }] of [...this.#partials]) {
      await this.#alive();
      yield { digest, length: blocks.length, bytes: blocks.bytes };
    }
  }

  async removePartial(digest: string): Promise<void> {
    await this.#alive();
    mustBeDigest(digest);
    if (this.#openPartials.has(digest)) throw new Error(`contents in part of ${digest} are open`);
    this.#partials.delete(digest);
  }

  async *list(): AsyncIterableIterator<{ readonly digest: string; readonly length: number }> {
    for (const digest of [...this.#files.keys()]) {
      await this.#alive();
      const file = this.#files.get(digest);
      if (file !== undefined) yield { digest, length: file.contents.length };
    }
  }

  async space(): Promise<number> {
    await this.#alive();
    return Math.max(0, (this.#capacity ?? 2 ** 40) - this.#used());
  }

  async close(): Promise<void> {
    if (this.#state === 'crashed') return;
    await Promise.all([...this.#spools].map((spool) => spool.abort()));
    this.#state = 'closed';
  }

  /**
   * The power fails: these containers answer nobody any more, the returned ones hold what was committed. A commit that
   * was under way is lost, or, with `keepsRunning`, it has reached the disk although nobody was told. What was removed
   * after the last commit (which flushes the directory) is there again when the directory was not flushed since
   * (`revives`). `tears` chooses what is left of contents in part, which nobody flushes: some blocks, or beginnings of
   * them; or nothing, where their list of digests is torn, too.
   */
  crash(keepsRunning = false, revives = false, tears?: Random): MemoryContainers {
    this.#state = 'crashed';
    if (keepsRunning) for (const [digest, file] of this.#running) this.#files.set(digest, file);
    if (tears !== undefined) tear(this.#partials, tears);
    else if (!keepsRunning) for (const held of this.#partials.values()) spoil(held, held.latest);
    if (revives) {
      for (const [digest, file] of this.#unlinked)
        if (!this.#files.has(digest) && (tears === undefined || tears.fraction() < 0.5))
          this.#files.set(digest, file);
    }
    return this.reopen();
  }

  /** What a restart after `close` finds. */
  reopen(): MemoryContainers {
    return new MemoryContainers(this.#options, this.#files, this.#partials);
  }

  /** Flips one bit of the contents of a container that is not empty. */
  damage(digest: string, byte = 0): void {
    const file = this.#file(digest);
    const contents = Uint8Array.from(file.contents);
    if (byte >= contents.length) throw new Error('there is no such byte to damage');
    contents[byte] = (contents[byte] ?? 0) ^ 1;
    this.#files.set(digest, { ...file, contents });
  }

  /** Flips one bit of contents in part. */
  damagePartial(digest: string, byte: number): void {
    spoil(this.#partials.get(digest), Math.floor(byte / blockBytes), byte % blockBytes);
  }

  /**
   * Makes the next `count` commits fail, or those that come when `after` more have done well: for want of room; or one
   * is not flushed, and the disk not trusted any more until a restart.
   */
  failNext(count = 1, fault: DiskFault = 'no-space', after = 0): void {
    for (let commit = 0; commit < after; commit += 1) this.#commitFaults.push(undefined);
    for (let commit = 0; commit < count; commit += 1) this.#commitFaults.push(fault);
  }

  /** Whether a commit is to fail that has not come yet. */
  get isToFail(): boolean {
    return this.#commitFaults.length > 0;
  }

  /** From now on the disk has room for so many bytes more. */
  leave(bytes: number): void {
    this.#capacity = Infinity;
    this.#capacity = this.#used() + bytes;
  }

  /** From now on each commit takes so many milliseconds more, if there is a clock; 0: no more. */
  slow(ms: number): void {
    this.#time.late(ms);
  }

  /** The disk is well again: no commit is going to fail or to be late, and there is room as at the beginning. */
  mend(): void {
    this.#commitFaults.length = 0;
    this.#time.late(0);
    this.#isBroken = false;
    this.#capacity = this.#options.capacity;
  }

  /** Bodies that somebody is writing, or has forgotten to give up. */
  get openSpools(): number {
    return this.#spools.size;
  }

  /** Contents that are here in part. */
  get inPart(): number {
    return this.#partials.size;
  }

  /** What is on the disk, for other containers to be made of. */
  files(): Iterable<readonly [string, MemoryFile]> {
    return this.#files;
  }

  /** Digests of what is stored, in the order in which it was. */
  get digests(): readonly string[] {
    return [...this.#files.keys()];
  }

  async *#blocks(
    digest: string,
    file: MemoryFile,
    start: number,
    end: number,
  ): AsyncIterableIterator<Uint8Array> {
    if (start >= end) return;
    if (containerDigest(file.blockDigests) !== digest) throw this.#quarantined(digest, file);
    for (let block = Math.floor(start / blockBytes); block * blockBytes < end; block += 1) {
      const offset = block * blockBytes;
      const bytes = Buffer.from(file.contents.subarray(offset, offset + blockBytes));
      const expected = file.blockDigests.subarray(block * digestBytes, (block + 1) * digestBytes);
      if (!blockDigest(bytes).equals(expected)) throw this.#quarantined(digest, file);
      yield bytes.subarray(Math.max(0, start - offset), end - offset);
    }
  }

  #quarantined(digest: string, file: MemoryFile): Failure {
    if (this.#files.get(digest) === file) this.#files.delete(digest);
    const message = `container ${digest} is damaged: fetch it again from another replica`;
    return new Failure('damaged', 'containers.read', message);
  }

  #openPartial(held: MemoryBlocks): PartialContainer {
    const { digest } = held.blocks;
    if (this.#isBroken) throw diskFault('damaged', 'containers');
    if (this.#openPartials.has(digest)) throw new Error(`contents in part of ${digest} are open`);
    this.#openPartials.add(digest);
    this.#partials.set(digest, held);
    return new MemoryPartial(held, {
      claim: (bytes) => this.#claim(bytes),
      publish: async (contents) => {
        await this.#publish({ contents, blockDigests: held.blocks.blockDigests });
      },
      closed: (removes) => {
        this.#openPartials.delete(digest);
        if (removes) this.#partials.delete(digest);
      },
      alive: () => this.#alive(),
    });
  }

  async #publish(file: MemoryFile): Promise<string> {
    const digest = containerDigest(file.blockDigests);
    this.#running.set(digest, file);
    await this.#time.pass();
    if (this.#state === 'crashed') return new Promise(() => {});
    this.#running.delete(digest);
    const fault = this.#commitFaults.shift();
    if (fault !== undefined) this.#options.onFault?.(`commit ${fault}`);
    if (fault === 'damaged') this.#isBroken = true;
    if (this.#isBroken) throw diskFault('damaged', 'containers');
    if (fault !== undefined) throw full();
    this.#files.set(digest, file);
    this.#unlinked.clear();
    return digest;
  }

  #claim(bytes: number): void {
    if (this.#used() + bytes > (this.#capacity ?? Infinity)) throw full();
  }

  #used(): number {
    let used = 0;
    if (this.#capacity === undefined) return used;
    for (const file of this.#files.values()) used += file.contents.length;
    for (const spool of this.#spools) used += spool.length;
    for (const { blocks } of this.#partials.values()) used += blocks.bytes;
    return used;
  }

  #file(digest: string): MemoryFile {
    mustBeDigest(digest);
    const file = this.#files.get(digest);
    if (file === undefined)
      throw new Failure('not-found', 'containers.read', `container ${digest} is not here`);
    return file;
  }

  /** Never settles after a crash: nobody is left who could answer, and nobody who could be answered. */
  async #alive(): Promise<void> {
    if (this.#state === 'closed') throw new Error('the containers are closed');
    if (this.#state === 'crashed') await new Promise(() => {});
  }
}

function full(): Failure {
  return new Failure('no-space', 'containers.spool', 'the disk is full: free some space');
}

function mustBeDigest(digest: string): void {
  if (!digestPattern.test(digest)) throw new Failure('invalid', 'containers', 'this is no container digest');
}
