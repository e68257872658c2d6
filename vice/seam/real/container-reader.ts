import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { blockCount, blockDigest, containerDigest, digestBytes } from '../block-digests.js';
import { blockBytes } from '../containers.js';
import { errorCode } from './disk-failure.js';

export interface ContainerFile {
  readonly handle: FileHandle;
  readonly digest: string;
  /** Of the contents. */
  readonly length: number;
  /** Called when bytes do not match, while the file is open; returns the Failure to throw. */
  readonly damaged: (detail: string) => Promise<Error>;
}

/** A file that holds other bytes than its container had. */
class Mismatch extends Error {}

/** A range of contents of at most one block, read and checked at once; nothing stays open behind it. */
export async function readSmall(
  file: ContainerFile,
  start: number,
  end: number,
): Promise<AsyncIterable<Uint8Array>> {
  try {
    const contents = await checkedContents(file);
    return start < end ? only(contents.subarray(start, end)) : nothing;
  } catch (error) {
    if (!(error instanceof Mismatch)) throw error;
    return failing(await file.damaged(error.message));
  } finally {
    // Nobody waits for it: it was only read.
    file.handle.close().catch(() => {});
  }
}

async function checkedContents(file: ContainerFile): Promise<Buffer> {
  const bytes = await readFully(file.handle, 0, file.length + trailerBytes(file));
  const contents = bytes.subarray(0, file.length);
  const trailer = bytes.subarray(file.length);
  const sound = file.length === 0 || blockDigest(contents).equals(trailer);
  if (!sound || containerDigest(trailer) !== file.digest) throw new Mismatch('its bytes have changed');
  return contents;
}

/** Empty contents, or an empty range. */
export const nothing: AsyncIterable<Uint8Array> = { async *[Symbol.asyncIterator]() {} };

async function* only(chunk: Uint8Array): AsyncIterableIterator<Uint8Array> {
  yield chunk;
}

function failing(failure: Error): AsyncIterable<Uint8Array> {
  return { [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(failure) }) };
}

/**
 * Reads a range block by block, each checked before any byte of it is given out; the next block is read while
 * the consumer works on this one. Whoever takes a reader iterates it or calls `return`: it holds an open
 * file.
 */
export class ContainerReader implements AsyncIterableIterator<Uint8Array> {
  readonly #file: ContainerFile;
  readonly #start: number;
  readonly #end: number;
  #block: number;
  #digests: BlockDigests | undefined;
  #ahead: Promise<Buffer> | undefined;
  #finished = false;

  /** `end` is at most the length of the contents, `start` below it. */
  constructor(file: ContainerFile, start: number, end: number) {
    this.#file = file;
    this.#start = start;
    this.#end = end;
    this.#block = Math.floor(start / blockBytes);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (this.#finished) return { done: true, value: undefined };
    const offset = this.#block * blockBytes;
    if (offset >= this.#end) return this.return();
    try {
      const block = await this.#checkedBlock(offset);
      this.#block += 1;
      const value = block.subarray(Math.max(0, this.#start - offset), this.#end - offset);
      if (offset + blockBytes >= this.#end) await this.return();
      return { done: false, value };
    } catch (error) {
      const failure = error instanceof Mismatch ? await this.#file.damaged(error.message) : error;
      await this.return();
      throw failure;
    }
  }

  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (!this.#finished) {
      this.#finished = true;
      await this.#ahead?.catch(() => {});
      await this.#file.handle.close();
    }
    return { done: true, value: undefined };
  }

  async #checkedBlock(offset: number): Promise<Buffer> {
    const reading = this.#ahead ?? this.#readBlock(offset);
    reading.catch(() => {});
    this.#digests ??= await BlockDigests.load(this.#file);
    const block = await reading;
    const next = offset + blockBytes;
    this.#ahead = next < this.#end ? this.#readBlock(next) : undefined;
    this.#ahead?.catch(() => {});
    const expected = await this.#digests.of(this.#block);
    if (!blockDigest(block).equals(expected)) throw new Mismatch(`its block ${this.#block} has changed`);
    return block;
  }

  #readBlock(offset: number): Promise<Buffer> {
    return readFully(this.#file.handle, offset, Math.min(blockBytes, this.#file.length - offset));
  }
}

/** All block digests of `file`, proven by its digest; closes the file. @throws what `damaged` returns */
export async function loadDigests(file: ContainerFile): Promise<Uint8Array> {
  try {
    const segments: Buffer[] = [];
    const whole = createHash('sha256');
    for (let index = 0; index * segmentBytes < trailerBytes(file); index += 1) {
      const segment = await readSegment(file, index);
      whole.update(segment);
      segments.push(segment);
    }
    if (whole.digest('hex') !== file.digest) throw new Mismatch('its block digests have changed');
    return segments.length === 1 && segments[0] !== undefined ? segments[0] : Buffer.concat(segments);
  } catch (error) {
    throw error instanceof Mismatch ? await file.damaged(error.message) : error;
  } finally {
    await file.handle.close();
  }
}

/** Block digests that are loaded together: those of 8 GiB of contents. */
const segmentBytes = 1024 * 1024;

/**
 * The block digests of a container, proven by its digest. Of a huge one only a segment is kept in memory,
 * beside what proves the others when they are read again.
 */
class BlockDigests {
  readonly #file: ContainerFile;
  readonly #proofs: readonly string[];
  #segment: { readonly index: number; readonly bytes: Buffer };

  private constructor(
    file: ContainerFile,
    proofs: readonly string[],
    segment: { index: number; bytes: Buffer },
  ) {
    this.#file = file;
    this.#proofs = proofs;
    this.#segment = segment;
  }

  static async load(file: ContainerFile): Promise<BlockDigests> {
    const whole = createHash('sha256');
    const proofs: string[] = [];
    let segment: { index: number; bytes: Buffer } = { index: 0, bytes: Buffer.alloc(0) };
    for (let index = 0; index * segmentBytes < trailerBytes(file); index += 1) {
      segment = { index, bytes: await readSegment(file, index) };
      whole.update(segment.bytes);
      proofs.push(containerDigest(segment.bytes));
    }
    if (whole.digest('hex') !== file.digest) throw new Mismatch('its block digests have changed');
    return new BlockDigests(file, proofs, segment);
  }

  async of(block: number): Promise<Buffer> {
    const index = Math.floor((block * digestBytes) / segmentBytes);
    if (this.#segment.index !== index) {
      const bytes = await readSegment(this.#file, index);
      if (containerDigest(bytes) !== this.#proofs[index])
        throw new Mismatch('its block digests have changed');
      this.#segment = { index, bytes };
    }
    const start = block * digestBytes - index * segmentBytes;
    return this.#segment.bytes.subarray(start, start + digestBytes);
  }
}

function trailerBytes(file: ContainerFile): number {
  return blockCount(file.length) * digestBytes;
}

function readSegment(file: ContainerFile, index: number): Promise<Buffer> {
  const start = index * segmentBytes;
  return readFully(file.handle, file.length + start, Math.min(segmentBytes, trailerBytes(file) - start));
}

async function readFully(handle: FileHandle, position: number, size: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(size);
  for (let done = 0; done < size;) {
    const { bytesRead } = await handle.read(bytes, done, size - done, position + done).catch(unreadable);
    if (bytesRead === 0) throw new Mismatch('it is shorter than it was');
    done += bytesRead;
  }
  return bytes;
}

function unreadable(error: unknown): never {
  if (errorCode(error) === 'EIO') throw new Mismatch('the disk cannot read it');
  throw error;
}
