/**
 * Seam: contents of which only some blocks are here. The digests of all blocks are known from the beginning and prove
 * themselves by the contents' digest, so every block is as trustworthy alone as the whole is.
 *
 * CO-5  A block is taken, and given out, only if it matches its digest. One that does not is not here.
 * CO-6  Contents in part are no container: `has`, `read` and `list` do not know them before `complete`, and then CO-1
 *       holds. Completing copies nothing.
 * CO-7  What a restart or a crash leaves is some of the blocks that were written.
 * CO-8  Only blocks that are here take room.
 */
export interface PartialBeginning {
  readonly digest: string;
  /** Of the whole contents. */
  readonly length: number;
  /** Of all blocks, concatenated. */
  readonly blockDigests: Uint8Array;
  /**
   * So many blocks lie in a file of their own and can be given up together. Undefined: all lie in one file, which can
   * become a container.
   */
  readonly segmentBlocks?: number | undefined;
}

export interface PartialContainer {
  readonly digest: string;
  /** Of the whole contents. */
  readonly length: number;
  readonly segmentBlocks: number | undefined;
  /** In blocks that are here. */
  readonly bytes: number;
  has(block: number): boolean;
  /** @throws Failure damaged (the bytes do not match), no-space */
  write(block: number, bytes: Uint8Array): Promise<void>;
  /** @throws Failure not-found, damaged: then the block is not here any more */
  read(block: number): Promise<Uint8Array>;
  /** Gives up the blocks of a segment. */
  drop(segment: number): Promise<void>;
  /**
   * Makes a container of contents in one file, and ends this. False: blocks are missing, after a crash perhaps more
   * than before. @throws Failure no-space
   */
  complete(): Promise<boolean>;
  /** Ends this; what is here stays. Idempotent. */
  close(): Promise<void>;
  /** Ends this, and removes it. */
  remove(): Promise<void>;
}
