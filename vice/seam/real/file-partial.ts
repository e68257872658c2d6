/**
 * Contents in part, in a folder named by their digest:
 *
 *   begun      length, blocks of a segment (0: one file)
 *   digests    of all blocks, proven by the folder's name
 *   here       one byte for each block: 1 when it has been written
 *   0, 1, ...  segments: blocks at their places, with holes
 *
 * Nothing of it is flushed before it is complete: what a power cut spoils does not match its digest, and is fetched
 * again. A killed process loses nothing that it had written.
 */
import { mkdir, open, readdir, readFile, rm, unlink, writeFile, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { Failure } from '../../interface/index.js';
import { digestPattern } from '../block-digests.js';
import { bytesHere, PartialBlocks } from '../partial-blocks.js';
import type { PartialBeginning, PartialContainer } from '../partial-container.js';
import { errorCode } from './disk-failure.js';

export interface PartialPlace {
  readonly digest: string;
  readonly folder: string;
  /** Gives the flushed file at `path` the container's name, flushes the name. */
  readonly publish: (path: string, length: number) => Promise<void>;
  /** Turns an error of the operating system into what callers are told. */
  readonly explain: (error: unknown) => unknown;
  readonly closed: () => void;
}

/** Unflushed bytes of contents that are to become a container: completing must not find minutes of writing to do. */
const unflushedBytes = 16 * 1024 * 1024;

export class FilePartial implements PartialContainer {
  readonly #place: PartialPlace;
  readonly #blocks: PartialBlocks;
  /** Blocks that this process has seen to match; others are looked at before they become part of a container. */
  readonly #seen = new Set<number>();
  readonly #here: FileHandle;
  #unflushed = 0;
  #closing: Promise<void> | undefined;

  private constructor(place: PartialPlace, blocks: PartialBlocks, here: FileHandle) {
    this.#place = place;
    this.#blocks = blocks;
    this.#here = here;
  }

  static async begin(place: PartialPlace, beginning: PartialBeginning): Promise<FilePartial> {
    const blocks = new PartialBlocks(beginning);
    const { folder } = place;
    await removePartialFolder(folder);
    await mkdir(folder, { mode: 0o700 });
    const begun = `${blocks.length} ${blocks.segmentBlocks ?? 0}\n`;
    const files = { digests: blocks.blockDigests, here: blocks.here, begun };
    for (const [name, text] of Object.entries(files))
      await writeFile(join(folder, name), text, { mode: 0o600 });
    return new FilePartial(place, blocks, await open(join(folder, 'here'), 'r+'));
  }

  static async open(place: PartialPlace): Promise<FilePartial | undefined> {
    const { folder, digest } = place;
    const begun = await readBegun(folder);
    if (begun === undefined) return undefined;
    try {
      const blockDigests = await readFile(join(folder, 'digests'));
      const blocks = new PartialBlocks(
        { digest, ...begun, blockDigests },
        await readFile(join(folder, 'here')),
      );
      return new FilePartial(place, blocks, await open(join(folder, 'here'), 'r+'));
    } catch (error) {
      // Half begun, or spoilt by a crash: as good as none.
      if (!(error instanceof Failure) && errorCode(error) !== 'ENOENT') throw error;
      await removePartialFolder(folder);
      return undefined;
    }
  }

  get digest(): string {
    return this.#blocks.digest;
  }

  get length(): number {
    return this.#blocks.length;
  }

  get segmentBlocks(): number | undefined {
    return this.#blocks.segmentBlocks;
  }

  get bytes(): number {
    return this.#blocks.bytes;
  }

  has(block: number): boolean {
    return this.#blocks.has(block);
  }

  async write(block: number, bytes: Uint8Array): Promise<void> {
    this.#mustBeOpen();
    this.#blocks.mustBeBlock(block, bytes);
    if (this.has(block)) return;
    await this.#explained(async () => {
      const file = await this.#file(block, 'write');
      try {
        await writeFully(file, bytes, this.#blocks.offsetOf(block));
        this.#unflushed += bytes.length;
        if (this.segmentBlocks === undefined && this.#unflushed >= unflushedBytes) {
          this.#unflushed = 0;
          await file.datasync();
        }
      } finally {
        await file.close();
      }
      await this.#mark(block, true);
    });
    this.#seen.add(block);
  }

  async read(block: number): Promise<Uint8Array> {
    this.#mustBeOpen();
    if (!this.has(block)) throw new Failure('not-found', 'containers.partial', `block ${block} is not here`);
    const bytes = await this.#explained(() => this.#read(block));
    if (bytes !== undefined && this.#blocks.isBlock(block, bytes)) {
      this.#seen.add(block);
      return bytes;
    }
    await this.#explained(() => this.#mark(block, false));
    throw new Failure('damaged', 'containers.partial', `block ${block} has changed`);
  }

  async drop(segment: number): Promise<void> {
    this.#mustBeOpen();
    const [first, end] = this.#blocks.segment(segment);
    for (let block = first; block < end; block += 1) {
      this.#blocks.remove(block);
      this.#seen.delete(block);
    }
    await this.#explained(async () => {
      await writeFully(this.#here, this.#blocks.here.subarray(first, end), first);
      await unlink(join(this.#place.folder, `${segment}`)).catch(unlessMissing);
    });
  }

  async complete(): Promise<boolean> {
    this.#mustBeOpen();
    if (this.segmentBlocks !== undefined) throw new Error('contents in segments do not become a container');
    if (!this.#blocks.isWhole()) return false;
    for (let block = 0; block < this.#blocks.count; block += 1) {
      if (this.#seen.has(block)) continue;
      await this.read(block).catch((error: unknown) => {
        if (!(error instanceof Failure) || error.kind !== 'damaged') throw error;
      });
    }
    if (!this.#blocks.isWhole()) return false;
    await this.#explained(async () => {
      const path = join(this.#place.folder, '0');
      const file = await open(path, 'r+');
      try {
        await writeFully(file, this.#blocks.blockDigests, this.length);
        await file.datasync();
      } finally {
        await file.close();
      }
      await this.#place.publish(path, this.length);
    });
    await this.remove();
    return true;
  }

  close(): Promise<void> {
    this.#closing ??= this.#here.close().finally(() => this.#place.closed());
    return this.#closing;
  }

  async remove(): Promise<void> {
    await this.close();
    await this.#explained(() => removePartialFolder(this.#place.folder));
  }

  async #file(block: number, how: 'read' | 'write'): Promise<FileHandle> {
    const path = join(this.#place.folder, `${this.#blocks.segmentOf(block)}`);
    if (how === 'read') return open(path, 'r');
    return open(path, 'r+').catch((error: unknown) => {
      unlessMissing(error);
      return open(path, 'wx+', 0o600).catch((raced: unknown) => {
        if (errorCode(raced) !== 'EEXIST') throw raced;
        return open(path, 'r+');
      });
    });
  }

  /** The bytes where the block should be; undefined when they cannot be read. */
  async #read(block: number): Promise<Buffer | undefined> {
    const bytes = Buffer.allocUnsafeSlow(this.#blocks.lengthOf(block));
    let file: FileHandle | undefined;
    try {
      file = await this.#file(block, 'read');
      const offset = this.#blocks.offsetOf(block);
      for (let done = 0; done < bytes.length;) {
        const { bytesRead } = await file.read(bytes, done, bytes.length - done, offset + done);
        if (bytesRead === 0) return undefined;
        done += bytesRead;
      }
      return bytes;
    } catch (error) {
      if (errorCode(error) === 'ENOENT' || errorCode(error) === 'EIO') return undefined;
      throw error;
    } finally {
      await file?.close();
    }
  }

  async #mark(block: number, here: boolean): Promise<void> {
    if (here) this.#blocks.add(block);
    else this.#blocks.remove(block);
    await writeFully(this.#here, this.#blocks.here.subarray(block, block + 1), block);
  }

  async #explained<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw this.#place.explain(error);
    }
  }

  #mustBeOpen(): void {
    if (this.#closing !== undefined) throw new Error('closed contents in part were used');
  }
}

interface Left {
  readonly digest: string;
  readonly length: number;
  readonly bytes: number;
}

/** What an earlier process left in `folder`, as far as it can be used. */
export async function* leftPartials(folder: string): AsyncGenerator<Left> {
  for (const digest of await readdir(folder)) {
    const path = join(folder, digest);
    const begun = digestPattern.test(digest) ? await readBegun(path) : undefined;
    const here = begun && (await readFile(join(path, 'here')).catch(unlessMissing));
    if (begun === undefined || here === undefined) await removePartialFolder(path);
    else yield { digest, length: begun.length, bytes: bytesHere(here, begun.length) };
  }
}

export async function removePartialFolder(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
}

/** Undefined: nothing, or nothing whole, was begun. It is the last file that is written. */
async function readBegun(
  folder: string,
): Promise<{ readonly length: number; readonly segmentBlocks: number | undefined } | undefined> {
  const text = await readFile(join(folder, 'begun'), 'utf8').catch(unlessMissing);
  const [, length, segment] = /^([1-9]\d{0,15}) (\d{1,9})\n$/.exec(text ?? '') ?? [];
  if (length === undefined) return undefined;
  return { length: Number(length), segmentBlocks: segment === '0' ? undefined : Number(segment) };
}

async function writeFully(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}

function unlessMissing(error: unknown): undefined {
  if (errorCode(error) !== 'ENOENT') throw error;
  return undefined;
}
