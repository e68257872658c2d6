/**
 * Seam: containers, the contents of files. Immutable, named by their digest, flushed before anything names
 * them.
 *
 * The digest of contents is SHA-256 over the concatenated SHA-256 digests of their blocks (blockBytes each,
 * the last one shorter; no block for empty contents, so the empty digest is SHA-256 of nothing). The block
 * digests stand behind the contents in the container's file, so that any range can be verified by reading
 * only its blocks, and a broken transfer or a partly cached file can be trusted block by block.
 *
 * CO-1  A digest that `has` answers true for is whole and flushed, its directory entry included.
 * CO-2  A read yields only bytes of blocks that matched their digests; at the first mismatch it fails with
 *       `damaged` before yielding any byte of that block, and the container is quarantined (`has` is false
 *       then).
 * CO-3  An aborted or forgotten spool, also over a crash, leaves nothing that is listed.
 * CO-4  The same contents stored twice are stored once.
 * CO-5 to CO-8, of contents that are here in part: see partial-container.ts.
 */
import type { PartialBeginning, PartialContainer } from './partial-container.js';

export const blockBytes = 256 * 1024;

export interface Containers {
  /** A new spool, outside everything that has a name. @throws Failure no-space */
  spool(): Promise<Spool>;
  has(digest: string): Promise<boolean>;
  /**
   * Bytes from `start` (0) up to but not including `end` (the length), in chunks of at most 256 KiB.
   * An open read goes on when the container is removed meanwhile. Whoever calls this iterates the result, or
   * calls `return` on its iterator: a long container stays open until then.
   * @throws Failure not-found (at once), damaged (while reading)
   */
  read(digest: string, start?: number, end?: number): Promise<AsyncIterable<Uint8Array>>;
  /** Bytes of the contents. @throws Failure not-found */
  length(digest: string): Promise<number>;
  /** The digests of its blocks, concatenated; they prove themselves by `digest`. @throws Failure not-found, damaged */
  blockDigests(digest: string): Promise<Uint8Array>;
  /** Removes a container that nothing names any more. Idempotent. */
  remove(digest: string): Promise<void>;
  /** Every whole container, in no order. */
  list(): AsyncIterable<{ readonly digest: string; readonly length: number }>;
  /**
   * Begins contents that come block by block, in place of what was here of them before; that must not be open.
   * @throws Failure damaged (other block digests than those of `digest`), no-space
   */
  beginPartial(beginning: PartialBeginning): Promise<PartialContainer>;
  /** Contents in part, as they were left; undefined when nothing usable is here. They must not be open. */
  openPartial(digest: string): Promise<PartialContainer | undefined>;
  /** All contents in part, in no order, with the bytes that are here of them. */
  partials(): AsyncIterable<{ readonly digest: string; readonly length: number; readonly bytes: number }>;
  /** Removes contents in part, which must not be open. Idempotent. */
  removePartial(digest: string): Promise<void>;
  /** Bytes that can still be stored. */
  space(): Promise<number>;
  close(): Promise<void>;
}

export interface Spool {
  /** Bytes written so far. */
  readonly length: number;
  /**
   * Appends; calls do not overlap. The spool owns `chunk` until the promise resolves. After a failure, here or in
   * `commit`, the spool is closed and its bytes are gone; whatever it is asked for then fails as that did.
   * @throws Failure no-space, busy
   */
  write(chunk: Uint8Array): Promise<void>;
  /**
   * Flushes the contents, names them by their digest, flushes the name. The spool is closed then.
   * @throws Failure no-space, busy, damaged
   */
  commit(): Promise<{ readonly digest: string; readonly length: number }>;
  /** Forgets everything. Idempotent; after `commit` it takes nothing back, during it waits. */
  abort(): Promise<void>;
}
