/**
 * What an export that was broken off has left of a tar, beside where the tar shall be. As the tree is walked in the
 * same order again, it is a beginning of the new tar, as long as each member is what would be written now.
 */
import { open, readdir, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { systemCode } from '../../config/operator-error.js';
import { isLeft, ownMark, writerMark } from '../writing-process.js';
import { ContentsDigest } from '../../../venus/archive/contents-digest.js';
import { padding } from './tar-header.js';

const chunkBytes = 256 * 1024;

/** Under this name somebody writes `target` before it is whole. */
export function partOf(target: string, mark = ownMark()): string {
  return `${target}.${mark}.part`;
}

/**
 * Takes over what the last export of `target` has left, if nobody is at it; other leftovers go. Undefined: there is
 * nothing.
 */
export async function takenOver(target: string): Promise<FileHandle | undefined> {
  const left: { readonly path: string; readonly written: number }[] = [];
  for (const name of await readdir(dirname(target)).catch(() => [])) {
    const mark = name.slice(basename(target).length + 1, -'.part'.length);
    if (!writerMark.test(mark) || name !== basename(partOf(target, mark))) continue;
    const path = join(dirname(target), name);
    const written = (await stat(path).catch(() => undefined))?.mtimeMs;
    if (written !== undefined && isLeft(mark, Date.now() - written)) left.push({ path, written });
  }
  const [last, ...others] = left.sort((a, b) => b.written - a.written);
  for (const { path } of others) await rm(path, { force: true });
  if (last === undefined) return undefined;
  const own = partOf(target);
  try {
    await rename(last.path, own);
    return await open(own, 'r+');
  } catch (error) {
    // Somebody else was faster.
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

export interface LeftMember {
  readonly header: Uint8Array;
  readonly length: number;
  /** Of its contents; null: it has none. */
  readonly digest: string | null;
}

export class TarLeft {
  readonly #handle: FileHandle;
  readonly #size: number;
  readonly #check: () => void;

  /** `check` may stop long comparisons. */
  constructor(handle: FileHandle, size: number, check: () => void) {
    this.#handle = handle;
    this.#size = size;
    this.#check = check;
  }

  /** Where the member that begins at `start` ends; undefined: it is another one, or not whole. */
  async endOf(start: number, { header, length, digest }: LeftMember): Promise<number | undefined> {
    const contents = start + header.length;
    const tail = padding(length);
    const end = contents + length + tail.length;
    if (end > this.#size) return undefined;
    if (!(await this.#holds(start, header)) || !(await this.#holds(contents + length, tail)))
      return undefined;
    if (length > 0 && (await this.#digest(contents, length)) !== digest) return undefined;
    return end;
  }

  async #holds(start: number, bytes: Uint8Array): Promise<boolean> {
    for await (const chunk of this.#chunks(start, bytes.length)) {
      const at = chunk.at - start;
      if (Buffer.compare(chunk.bytes, bytes.subarray(at, at + chunk.bytes.length)) !== 0) return false;
    }
    return true;
  }

  async #digest(start: number, length: number): Promise<string> {
    const sum = new ContentsDigest();
    for await (const { bytes } of this.#chunks(start, length)) sum.add(bytes);
    return sum.end();
  }

  async *#chunks(start: number, length: number): AsyncGenerator<{ at: number; bytes: Uint8Array }> {
    for (let at = start; at < start + length;) {
      this.#check();
      const wanted = Math.min(chunkBytes, start + length - at);
      const { bytesRead, buffer } = await this.#handle.read(Buffer.allocUnsafe(wanted), 0, wanted, at);
      // It has become shorter under our hands: then it is no member.
      if (bytesRead === 0) return yield { at, bytes: new Uint8Array(wanted).fill(0xff) };
      yield { at, bytes: buffer.subarray(0, bytesRead) };
      at += bytesRead;
    }
  }
}
