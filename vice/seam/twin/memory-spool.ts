/** Contents on their way into containers in memory. */
import { blockDigestsOf } from '../block-digests.js';
import type { Spool } from '../containers.js';

/** What a container's file holds. */
export interface MemoryFile {
  readonly contents: Uint8Array;
  readonly blockDigests: Uint8Array;
}

interface MemorySpoolPlace {
  readonly claim: (bytes: number) => void;
  readonly publish: (file: MemoryFile) => Promise<string>;
  readonly closed: () => void;
}

export class MemorySpool implements Spool {
  readonly #place: MemorySpoolPlace;
  #chunks: Buffer[] = [];
  #length = 0;
  #fault: unknown;
  #open = true;

  constructor(place: MemorySpoolPlace) {
    this.#place = place;
  }

  get length(): number {
    return this.#length;
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.#mustBeOpen();
    try {
      this.#place.claim(chunk.length);
    } catch (error) {
      this.#fault = error;
      this.#end();
      throw error;
    }
    this.#chunks.push(Buffer.from(chunk));
    this.#length += chunk.length;
  }

  async commit(): Promise<{ readonly digest: string; readonly length: number }> {
    this.#mustBeOpen();
    const contents = Buffer.concat(this.#chunks);
    this.#open = false;
    try {
      const digest = await this.#place.publish({ contents, blockDigests: blockDigestsOf(contents) });
      return { digest, length: contents.length };
    } catch (error) {
      this.#fault = error;
      throw error;
    } finally {
      this.#end();
    }
  }

  async abort(): Promise<void> {
    if (this.#open) this.#end();
  }

  #mustBeOpen(): void {
    if (this.#fault !== undefined) throw this.#fault as Error;
    if (!this.#open) throw new Error('a closed spool was used');
  }

  #end(): void {
    this.#open = false;
    this.#chunks = [];
    this.#place.closed();
  }
}
