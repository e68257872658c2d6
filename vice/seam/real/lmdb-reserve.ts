/**
 * Room on the disk that a store keeps for itself, allocated behind LMDB's last page. Where contents no longer fit, what
 * needs little goes on: a file is removed, a change is logged.
 *
 * LR-1  It grows only between commits: LMDB extends the file where we do.
 * LR-2  It is taken only where others are left as much, and never insisted on: without it a full disk refuses changes
 *       sooner. A file system that writes every block anew (btrfs, ZFS) keeps no such promise.
 */
import { open, statfs } from 'node:fs/promises';
import { errorCode } from './disk-failure.js';

export const reserveBytes = 4 * 1024 * 1024;
/** It is made whole again when less than this is left of it. */
const lowBytes = reserveBytes / 2;
/** On a disk that had no room for it, so many commits pass before the next look. */
const commitsBetween = 256;

export class LmdbReserve {
  readonly #path: string;
  /** Bytes of the file that LMDB has come to use. */
  readonly #usedBytes: () => number;
  #fileBytes = 0;
  #pass = 0;

  constructor(path: string, usedBytes: () => number) {
    this.#path = path;
    this.#usedBytes = usedBytes;
  }

  /** Sees to it that there is room. No commit may run meanwhile (LR-1). @throws what the disk says but ENOSPC */
  async keep(): Promise<void> {
    const used = this.#usedBytes();
    if (this.#fileBytes - used >= lowBytes) return;
    this.#pass -= 1;
    if (this.#pass > 0) return;
    if (!(await this.#grow(used + reserveBytes))) this.#pass = commitsBetween;
  }

  async #grow(wanted: number): Promise<boolean> {
    const file = await open(this.#path, 'r+');
    try {
      const { size } = await file.stat();
      const { bavail, bsize } = await statfs(this.#path);
      this.#fileBytes = size;
      if (size >= wanted) return true;
      if (bavail * bsize < wanted - size + reserveBytes) return false;
      for (let end = size; end < wanted;) {
        end += (await file.write(zeros, 0, Math.min(zeros.length, wanted - end), end)).bytesWritten;
        this.#fileBytes = end;
      }
      await file.datasync();
      return true;
    } catch (error) {
      if (errorCode(error) === 'ENOSPC' || errorCode(error) === 'EDQUOT') return false;
      throw error;
    } finally {
      await file.close();
    }
  }
}

const zeros = Buffer.alloc(256 * 1024);
