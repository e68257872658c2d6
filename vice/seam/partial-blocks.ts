/** Which blocks of contents in part are here, and how many bytes they are: what both sides of the seam count by. */
import { Failure } from '../interface/index.js';
import { blockCount, blockLength, containerDigest, digestBytes, isBlock } from './block-digests.js';
import { blockBytes } from './containers.js';
import type { PartialBeginning } from './partial-container.js';

export class PartialBlocks {
  readonly length: number;
  readonly digest: string;
  readonly blockDigests: Uint8Array;
  readonly segmentBlocks: number | undefined;
  /** One byte for each block: 1, it is here. */
  readonly here: Uint8Array;
  #bytes = 0;

  /** @throws Failure damaged: these are not the digests of its blocks */
  constructor(beginning: PartialBeginning, here?: Uint8Array) {
    const { digest, length, blockDigests, segmentBlocks } = beginning;
    this.digest = digest;
    this.length = length;
    this.blockDigests = blockDigests;
    this.segmentBlocks = segmentBlocks;
    if (blockDigests.length !== this.count * digestBytes || containerDigest(blockDigests) !== digest) {
      throw new Failure('damaged', 'containers.partial', 'these are not the digests of its blocks');
    }
    this.here = new Uint8Array(this.count);
    for (const [block, value] of here?.entries() ?? [])
      if (value === 1 && block < this.count) this.add(block);
  }

  get count(): number {
    return blockCount(this.length);
  }

  get bytes(): number {
    return this.#bytes;
  }

  has(block: number): boolean {
    return this.here[block] === 1;
  }

  lengthOf(block: number): number {
    return blockLength(block, this.length);
  }

  isBlock(block: number, bytes: Uint8Array): boolean {
    return bytes.length === this.lengthOf(block) && isBlock(block, bytes, this.blockDigests);
  }

  /** @throws Failure damaged */
  mustBeBlock(block: number, bytes: Uint8Array): void {
    if (this.isBlock(block, bytes)) return;
    throw new Failure('damaged', 'containers.partial', `block ${block} does not match its digest`);
  }

  add(block: number): void {
    if (this.has(block)) return;
    this.here[block] = 1;
    this.#bytes += this.lengthOf(block);
  }

  remove(block: number): void {
    if (!this.has(block)) return;
    this.here[block] = 0;
    this.#bytes -= this.lengthOf(block);
  }

  /** Blocks of a segment, from the first up to but not including the second. */
  segment(segment: number): readonly [number, number] {
    const size = this.segmentBlocks ?? this.count;
    return [segment * size, Math.min(this.count, (segment + 1) * size)];
  }

  segmentOf(block: number): number {
    return this.segmentBlocks === undefined ? 0 : Math.floor(block / this.segmentBlocks);
  }

  /** Bytes before the block in the file of its segment. */
  offsetOf(block: number): number {
    const [first] = this.segment(this.segmentOf(block));
    return (block - first) * blockBytes;
  }

  isWhole(): boolean {
    return this.#bytes === this.length;
  }
}

/** Bytes in the blocks that are here, by one byte for each block. */
export function bytesHere(here: Uint8Array, length: number): number {
  return here.reduce((sum, value, block) => (value === 1 ? sum + blockLength(block, length) : sum), 0);
}
