import { constants } from 'node:fs';
import { open, unlink, type FileHandle } from 'node:fs/promises';
import { blockDigest, containerDigest, digestBytes } from '../block-digests.js';
import { blockBytes, type Spool } from '../containers.js';

export interface SpoolPlace {
  /** The spool's own file; made only when there is something to write to it. */
  readonly path: string;
  /** Gives the flushed file its name, flushes the name. */
  readonly publish: (digest: string, length: number) => Promise<void>;
  /** Turns an error of the operating system into what callers are told. */
  readonly explain: (error: unknown) => unknown;
  /** Called once, when the spool no longer has a file or a claim on anything. */
  readonly closed: () => void;
}

/** Unflushed bytes of a long spool: the commit must not find minutes of writing before it. */
const unflushedBytes = 16 * 1024 * 1024;
const firstBuffer = 16 * 1024;
const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;

/**
 * A spool in a file of its own. One block is gathered in memory while the one before it is being written;
 * contents of at most one block cost one open, one write, one flush.
 */
export class FileSpool implements Spool {
  readonly #place: SpoolPlace;
  #handle: FileHandle | undefined;
  #buffer: Buffer = Buffer.alloc(0);
  #spare: Buffer | undefined;
  /** Bytes of the block that is being gathered. */
  #gathered = 0;
  #written = 0;
  readonly #digests = new DigestList();
  #writing: Promise<void> = Promise.resolve();
  #fault: unknown;
  #state: 'open' | 'committing' | 'closed' = 'open';
  #committing: Promise<{ readonly digest: string; readonly length: number }> | undefined;

  constructor(place: SpoolPlace) {
    this.#place = place;
  }

  get length(): number {
    return this.#written + this.#gathered;
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.#mustBeOpen();
    try {
      for (let offset = 0; offset < chunk.length;) {
        // Only when more comes: the last block goes out together with the digests.
        if (this.#gathered === blockBytes) await this.#writeBlock();
        const end = Math.min(chunk.length, offset + blockBytes - this.#gathered);
        this.#gather(chunk.subarray(offset, end));
        offset = end;
      }
    } catch (error) {
      throw await this.#failed(error);
    }
  }

  async commit(): Promise<{ readonly digest: string; readonly length: number }> {
    this.#mustBeOpen();
    this.#state = 'committing';
    this.#committing = this.#finish();
    return this.#committing;
  }

  async abort(): Promise<void> {
    if (this.#state === 'open') await this.#discard();
    else await this.#committing?.catch(() => {});
  }

  async #finish(): Promise<{ readonly digest: string; readonly length: number }> {
    const length = this.length;
    try {
      const last = this.#buffer.subarray(0, this.#gathered);
      if (last.length > 0) this.#digests.push(blockDigest(last));
      const digests = this.#digests.bytes();
      await this.#writing;
      if (this.#fault !== undefined) throw this.#fault;
      const digest = containerDigest(digests);
      await this.#writeDurably(Buffer.concat([last, digests]));
      await Promise.all([this.#closeFile(), this.#place.publish(digest, length)]);
      this.#end();
      return { digest, length };
    } catch (error) {
      throw await this.#failed(error);
    }
  }

  #mustBeOpen(): void {
    if (this.#fault !== undefined) throw this.#fault;
    if (this.#state !== 'open') throw new Error('a closed spool was used');
  }

  #gather(bytes: Uint8Array): void {
    const needed = this.#gathered + bytes.length;
    if (needed > this.#buffer.length) {
      const room = Math.max(firstBuffer, needed, this.#buffer.length * 4);
      const grown = Buffer.allocUnsafeSlow(Math.min(blockBytes, room));
      this.#buffer.copy(grown, 0, 0, this.#gathered);
      this.#buffer = grown;
    }
    this.#buffer.set(bytes, this.#gathered);
    this.#gathered = needed;
  }

  /** Begins to write the gathered block once the block before it is written. */
  async #writeBlock(): Promise<void> {
    const block = this.#buffer;
    this.#digests.push(blockDigest(block));
    await this.#writing;
    if (this.#fault !== undefined) throw this.#fault;
    this.#buffer = this.#spare ?? Buffer.allocUnsafeSlow(blockBytes);
    this.#spare = block;
    this.#gathered = 0;
    this.#written += block.length;
    this.#writing = this.#append(block, this.#written - block.length).catch((error: unknown) => {
      this.#fault = this.#place.explain(error);
    });
  }

  /**
   * Writes the end of the file and flushes all of it; a file that has no more than this end flushes as it
   * writes.
   */
  async #writeDurably(bytes: Buffer): Promise<void> {
    const flushesItself = this.#handle === undefined;
    this.#handle ??= await open(this.#place.path, flags | constants.O_DSYNC, 0o600);
    await this.#append(bytes, this.#written);
    if (!flushesItself) await this.#handle.datasync();
  }

  async #append(bytes: Buffer, position: number): Promise<void> {
    this.#handle ??= await open(this.#place.path, flags, 0o600);
    for (let done = 0; done < bytes.length;) {
      const { bytesWritten } = await this.#handle.write(bytes, done, bytes.length - done, position + done);
      done += bytesWritten;
    }
    const end = position + bytes.length;
    if (Math.floor(position / unflushedBytes) < Math.floor(end / unflushedBytes))
      await this.#handle.datasync();
  }

  async #failed(error: unknown): Promise<unknown> {
    this.#fault ??= this.#place.explain(error);
    await this.#discard();
    return this.#fault;
  }

  async #discard(): Promise<void> {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    await this.#writing;
    const hadFile = this.#handle !== undefined || this.#written > 0 || this.#fault !== undefined;
    // What is left behind is removed when the folder is opened again.
    await this.#closeFile().catch(() => {});
    if (hadFile) await unlink(this.#place.path).catch(() => {});
    this.#end();
  }

  async #closeFile(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close();
  }

  #end(): void {
    this.#state = 'closed';
    this.#buffer = Buffer.alloc(0);
    this.#spare = undefined;
    this.#place.closed();
  }
}

/** Block digests, concatenated. */
class DigestList {
  #bytes: Buffer = Buffer.alloc(digestBytes);
  #used = 0;

  push(digest: Buffer): void {
    if (this.#used === this.#bytes.length) {
      const grown = Buffer.alloc(this.#bytes.length * 2);
      this.#bytes.copy(grown);
      this.#bytes = grown;
    }
    digest.copy(this.#bytes, this.#used);
    this.#used += digest.length;
  }

  bytes(): Buffer {
    return this.#bytes.subarray(0, this.#used);
  }
}
