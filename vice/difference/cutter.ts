/**
 * Where contents are cut into chunks, by what they contain: so an insertion moves the cuts behind it along with the
 * bytes, and all chunks but those that it touches stay what they were.
 *
 * The cut is that of FastCDC (Xia et al., USENIX ATC 2016): a gear hash of the last bytes, a stricter condition before
 * the usual length and a looser one behind it, so that few chunks are very short or very long; nothing is looked at
 * before the least length.
 *
 * CU-1  The cuts follow from the bytes alone: not from the sizes of the pieces in which they come.
 * CU-2  Both sides must cut alike to find anything in common. To change a number or the table here is to change
 *       `recipeVersion` (recipe-codec.ts). Nothing breaks when they differ: then everything is moved.
 */
import { hash } from 'node:crypto';

/**
 * Bytes of a chunk. A change costs about one usual chunk more than it is long, so smaller ones would move less; a
 * recipe is 23 bytes a chunk (0.03 % of contents with these), so larger ones would cost less to speak about.
 */
export const chunkBytes = { least: 16 * 1024, usual: 64 * 1024, most: 256 * 1024 } as const;

/** Each step shifts the hash by one bit: so many bytes back it has forgotten. */
const windowBytes = 32;
/**
 * The upper bits, since these depend on the whole window: 18 of them before the usual length, 14 behind it, where 16
 * would be 64 KiB (normalised chunking, level 2).
 */
const strict = -1 << 14;
const loose = -1 << 18;

/** A random-looking word for each value of a byte; SHA-256 has no second version. */
const gear = Int32Array.from({ length: 256 }, (_, value) =>
  hash('sha256', `coda gear ${value}`, 'buffer').readInt32BE(0),
);

/** Finds the cuts of one file's contents, in order. */
export class Cutter {
  /** Of the chunk that is open. */
  #length = 0;
  #hash = 0;

  /**
   * The index in `bytes` behind the chunk that is open, or -1 when it goes on behind `bytes`. Bytes from `start` on are
   * new; after a cut the next call begins there.
   */
  next(bytes: Uint8Array, start: number): number {
    const { least, usual, most } = chunkBytes;
    const first = start - this.#length;
    // Not looked at: no cut before the least length can follow from them.
    let at = Math.min(bytes.length, Math.max(start, first + least - windowBytes));
    at = this.#warm(bytes, at, Math.min(bytes.length, first + least - 1));
    at = this.#scan(bytes, at, Math.min(bytes.length, first + usual), strict);
    if (at < 0) return this.#cut(-at);
    at = this.#scan(bytes, at, Math.min(bytes.length, first + most), loose);
    if (at < 0) return this.#cut(-at);
    if (at === first + most) return this.#cut(at);
    this.#length = at - first;
    return -1;
  }

  #cut(at: number): number {
    this.#length = 0;
    this.#hash = 0;
    return at;
  }

  /** Takes bytes up to `end` into the hash. The index behind them. */
  #warm(bytes: Uint8Array, start: number, end: number): number {
    let hashed = this.#hash;
    let at = start;
    for (; at < end; at += 1) hashed = ((hashed << 1) + (gear[bytes[at] as number] as number)) | 0;
    this.#hash = hashed;
    return at;
  }

  /** As `warm`; or the negative index behind the first byte with which the hash has no bit of `mask`. */
  #scan(bytes: Uint8Array, start: number, end: number, mask: number): number {
    let hashed = this.#hash;
    let at = start;
    while (at < end) {
      hashed = ((hashed << 1) + (gear[bytes[at] as number] as number)) | 0;
      at += 1;
      if ((hashed & mask) === 0) return -at;
    }
    this.#hash = hashed;
    return at;
  }
}
