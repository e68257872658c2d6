/**
 * New contents on their way, in memory. A call that overlaps another one is a fault of the gateway and
 * throws.
 */
import { Failure } from '../../vice/interface/index.js';
import type { WriteOutcome, Writer, WriteTarget } from '../interface.js';

/** What a writer needs of the volume that it writes to. */
export interface WriterOptions {
  write(): Promise<void>;
  available(): number;
  close(target: WriteTarget, contents: Uint8Array): Promise<WriteOutcome>;
  gone(): void;
}

export class MemoryWriter implements Writer {
  length = 0;
  readonly #chunks: Uint8Array[] = [];
  readonly #options: WriterOptions;
  #state: 'open' | 'writing' | 'done' = 'open';

  constructor(options: WriterOptions) {
    this.#options = options;
  }

  async write(chunk: Uint8Array): Promise<void> {
    if (this.#state !== 'open') throw new Error(`write while the writer is ${this.#state}`);
    this.#state = 'writing';
    try {
      await this.#options.write();
      if (this.length + chunk.length > this.#options.available()) {
        throw new Failure('no-space', 'memory.writer.write', 'the disk is full');
      }
      this.#chunks.push(Uint8Array.from(chunk));
      this.length += chunk.length;
    } finally {
      this.#state = 'open';
    }
  }

  async close(target: WriteTarget): Promise<WriteOutcome> {
    if (this.#state !== 'open') throw new Error(`close while the writer is ${this.#state}`);
    this.#end();
    return this.#options.close(target, Buffer.concat(this.#chunks));
  }

  async abort(): Promise<void> {
    if (this.#state !== 'done') this.#end();
  }

  #end(): void {
    this.#state = 'done';
    this.#options.gone();
  }
}
