/** Contents in part, in memory: what survives a crash is what MemoryContainers keeps of `MemoryBlocks`. */
import { Failure } from '../../interface/index.js';
import type { PartialBlocks } from '../partial-blocks.js';
import type { PartialContainer } from '../partial-container.js';
import type { Random } from '../random.js';

/** What a disk holds of contents in part. */
export interface MemoryBlocks {
  readonly blocks: PartialBlocks;
  readonly bytes: Map<number, Uint8Array>;
  /** The block that was written last: a crash spoils it. */
  latest: number | undefined;
}

/**
 * A power cut takes what it likes of what was never flushed. Each block is there, or its mark is not, or its bytes are
 * not (the file has its length, and zeros), or their end is not.
 */
function tearBlocks({ blocks, bytes }: MemoryBlocks, random: Random): void {
  for (const [block, whole] of [...bytes]) {
    const dice = random.fraction();
    if (dice < 0.4) continue;
    if (dice < 0.6) {
      blocks.remove(block);
      if (dice < 0.5) bytes.delete(block);
      continue;
    }
    const torn = new Uint8Array(whole.length);
    if (dice < 0.8) torn.set(whole.subarray(0, Math.floor(random.fraction() * whole.length)));
    bytes.set(block, torn);
  }
}

/** Of all contents in part; of some their list of digests is torn, so that nothing is left. */
export function tear(partials: Map<string, MemoryBlocks>, random: Random): void {
  for (const [digest, held] of [...partials]) {
    if (random.fraction() < 0.1) partials.delete(digest);
    else tearBlocks(held, random);
  }
}

/** Flips a bit of a block that is here. */
export function spoil(held: MemoryBlocks | undefined, block: number | undefined, byte = 0): void {
  const bytes = block === undefined ? undefined : held?.bytes.get(block);
  if (bytes === undefined || block === undefined) return;
  const spoilt = Uint8Array.from(bytes);
  spoilt[byte] = (spoilt[byte] ?? 0) ^ 1;
  held?.bytes.set(block, spoilt);
}

export interface MemoryPartialPlace {
  /** @throws Failure no-space */
  readonly claim: (bytes: number) => void;
  /** Makes the container. */
  readonly publish: (contents: Buffer) => Promise<void>;
  readonly closed: (removes: boolean) => void;
  /** Never settles after a crash. */
  readonly alive: () => Promise<void>;
}

export class MemoryPartial implements PartialContainer {
  readonly #held: MemoryBlocks;
  readonly #place: MemoryPartialPlace;
  #open = true;

  constructor(held: MemoryBlocks, place: MemoryPartialPlace) {
    this.#held = held;
    this.#place = place;
  }

  get digest(): string {
    return this.#held.blocks.digest;
  }

  get length(): number {
    return this.#held.blocks.length;
  }

  get segmentBlocks(): number | undefined {
    return this.#held.blocks.segmentBlocks;
  }

  get bytes(): number {
    return this.#held.blocks.bytes;
  }

  has(block: number): boolean {
    return this.#held.blocks.has(block);
  }

  async write(block: number, bytes: Uint8Array): Promise<void> {
    await this.#mustBeOpen();
    this.#held.blocks.mustBeBlock(block, bytes);
    if (!this.has(block)) this.#place.claim(bytes.length);
    this.#held.bytes.set(block, Uint8Array.from(bytes));
    this.#held.blocks.add(block);
    this.#held.latest = block;
  }

  async read(block: number): Promise<Uint8Array> {
    await this.#mustBeOpen();
    const bytes = this.#held.bytes.get(block);
    if (bytes === undefined || !this.has(block))
      throw new Failure('not-found', 'containers.partial', `block ${block} is not here`);
    if (this.#held.blocks.isBlock(block, bytes)) return bytes;
    this.#forget(block);
    throw new Failure('damaged', 'containers.partial', `block ${block} has changed`);
  }

  async drop(segment: number): Promise<void> {
    await this.#mustBeOpen();
    const [first, end] = this.#held.blocks.segment(segment);
    for (let block = first; block < end; block += 1) this.#forget(block);
  }

  async complete(): Promise<boolean> {
    await this.#mustBeOpen();
    const { blocks, bytes } = this.#held;
    if (blocks.segmentBlocks !== undefined) throw new Error('contents in segments do not become a container');
    for (const [block, found] of [...bytes]) if (!blocks.isBlock(block, found)) this.#forget(block);
    if (!blocks.isWhole()) return false;
    const contents = Array.from({ length: blocks.count }, (_, block) => bytes.get(block) ?? new Uint8Array());
    await this.#place.publish(Buffer.concat(contents));
    this.#end(true);
    return true;
  }

  async close(): Promise<void> {
    await this.#place.alive();
    this.#end(false);
  }

  async remove(): Promise<void> {
    await this.#place.alive();
    this.#end(true);
  }

  #forget(block: number): void {
    this.#held.bytes.delete(block);
    this.#held.blocks.remove(block);
  }

  #end(removes: boolean): void {
    if (this.#open || removes) this.#place.closed(removes);
    this.#open = false;
  }

  async #mustBeOpen(): Promise<void> {
    await this.#place.alive();
    if (!this.#open) throw new Error('closed contents in part were used');
  }
}
