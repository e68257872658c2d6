/** The digest of contents that come in pieces (vice/seam/containers.ts says what it is). */
import { createHash, type Hash } from 'node:crypto';
import { blockBytes } from '../../../vice/seam/containers.js';

export class ContentsDigest {
  readonly #all = createHash('sha256');
  #block: Hash = createHash('sha256');
  #inBlock = 0;
  length = 0;

  add(chunk: Uint8Array): void {
    this.length += chunk.length;
    for (let at = 0; at < chunk.length;) {
      const part = chunk.subarray(at, at + blockBytes - this.#inBlock);
      this.#block.update(part);
      this.#inBlock += part.length;
      at += part.length;
      if (this.#inBlock === blockBytes) this.#closeBlock();
    }
  }

  /** Once, at the end. */
  end(): string {
    if (this.#inBlock > 0) this.#closeBlock();
    return this.#all.digest('hex');
  }

  #closeBlock(): void {
    this.#all.update(this.#block.digest());
    this.#block = createHash('sha256');
    this.#inBlock = 0;
  }
}
