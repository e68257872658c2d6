/** Contents told by their chunks: the length and the digest of each, in order. */
import { createHash, type Hash } from 'node:crypto';
import { chunkBytes, Cutter } from './cutter.js';

/**
 * Of the SHA-256 of a chunk. 160 bits: nobody makes two chunks of one digest by accident, nor on purpose with less
 * work than 2^80; and who did would gain nothing, since what is put together is held against the digest of the whole.
 */
export const chunkDigestBytes = 20;

export class Recipe {
  readonly #lengths: number[] = [];
  #digests = Buffer.alloc(64 * chunkDigestBytes);
  #bytes = 0;

  /** Chunks. */
  get count(): number {
    return this.#lengths.length;
  }

  /** Of the contents so far. */
  get bytes(): number {
    return this.#bytes;
  }

  lengthOf(chunk: number): number {
    return this.#lengths[chunk] ?? 0;
  }

  /** The digest of a chunk; do not keep it, nor change it. */
  digestOf(chunk: number): Uint8Array {
    return this.#digests.subarray(chunk * chunkDigestBytes, (chunk + 1) * chunkDigestBytes);
  }

  /** The digest as a key of a map. */
  keyOf(chunk: number): string {
    return this.#digests.toString('latin1', chunk * chunkDigestBytes, (chunk + 1) * chunkDigestBytes);
  }

  add(length: number, digest: Uint8Array): void {
    const end = (this.count + 1) * chunkDigestBytes;
    if (end > this.#digests.length) {
      const grown = Buffer.alloc(this.#digests.length * 2);
      this.#digests.copy(grown);
      this.#digests = grown;
    }
    this.#digests.set(digest.subarray(0, chunkDigestBytes), end - chunkDigestBytes);
    this.#lengths.push(length);
    this.#bytes += length;
  }

  /** Bytes that it takes in memory, about. */
  get weight(): number {
    return this.#digests.length + 8 * this.count + 200;
  }
}

/** Makes the recipe of contents that come in pieces, of whatever sizes. */
export class RecipeMaker {
  readonly recipe = new Recipe();
  readonly #cutter = new Cutter();
  #hash: Hash = createHash('sha256');
  #length = 0;

  /**
   * Takes the next piece; `part` is told of each run of its bytes that lies in one chunk, and whether that chunk ends
   * with it: then it is the last one of the recipe. A piece of 256 KiB takes a millisecond or two.
   */
  push(piece: Uint8Array, part?: (bytes: Uint8Array, isEnd: boolean) => void): void {
    for (let start = 0; start < piece.length;) {
      const cut = this.#cutter.next(piece, start);
      const end = cut < 0 ? piece.length : cut;
      const bytes = piece.subarray(start, end);
      this.#hash.update(bytes);
      this.#length += bytes.length;
      if (cut >= 0) this.#chunk();
      part?.(bytes, cut >= 0);
      start = end;
    }
  }

  /** The contents are whole: what is open is the last chunk. Whether there was one. */
  end(): boolean {
    if (this.#length === 0) return false;
    this.#chunk();
    return true;
  }

  #chunk(): void {
    this.recipe.add(this.#length, this.#hash.digest());
    this.#hash = createHash('sha256');
    this.#length = 0;
  }
}

/** Chunks that contents of `length` bytes have at most. */
export function chunksMost(length: number): number {
  return Math.ceil(length / chunkBytes.least);
}
