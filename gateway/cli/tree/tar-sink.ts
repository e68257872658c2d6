/**
 * An exported tree as a tar.
 *
 * TS-1  The archive has its name when it is whole and flushed. What is in it is whole: a file that breaks off is taken
 *       back, and the next one stands in its place.
 * TS-2  Broken off, the whole members stay beside its name. The next run passes over those that are as they would be
 *       written now, and writes anew from the first one that is not.
 */
import { open, rm, type FileHandle } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { messageOf, OperatorError } from '../../config/operator-error.js';
import { giveName, requireNew } from '../archive-file.js';
import type { TreeObject } from '../../realm/tree-object.js';
import type { Placed, TreeSink } from './export-run.js';
import { TreeRefusal } from './share-tree.js';
import { memberHeader, padding, tarEnd } from './tar-header.js';
import { partOf, takenOver, TarLeft } from './tar-left.js';
import { localNameFault } from './tree-name.js';

export class TarSink implements TreeSink {
  readonly lanes = 1;
  readonly #target: string;
  readonly #part: string;
  readonly #handle: FileHandle;
  readonly #replace: boolean;
  /** What the last run has left, as far as it is not passed. */
  #left: TarLeft | undefined;
  /** Where the next member begins. */
  #end = 0;
  /** Members come one after the other. */
  #last: Promise<unknown> = Promise.resolve();

  private constructor(target: string, handle: FileHandle, replace: boolean, left: TarLeft | undefined) {
    this.#target = target;
    this.#part = partOf(target);
    this.#handle = handle;
    this.#replace = replace;
    this.#left = left;
  }

  /**
   * `check` may stop long comparisons with what the last run has left.
   * @throws OperatorError refused: it is there (without `replace`), or cannot be written
   */
  static async open(file: string, replace: boolean, check: () => void): Promise<TarSink> {
    const target = resolve(file);
    await requireNew(target, replace, '--replace');
    try {
      const handle = await takenOver(target);
      if (handle === undefined)
        return new TarSink(target, await open(partOf(target), 'wx+', 0o600), replace, undefined);
      return new TarSink(target, handle, replace, new TarLeft(handle, (await handle.stat()).size, check));
    } catch (cause) {
      throw new OperatorError('refused', `${file} cannot be written: ${messageOf(cause)}.`, { cause });
    }
  }

  async folder(path: readonly string[], object: TreeObject): Promise<Placed> {
    return path.length > 0 ? this.#member(path, object, nothing()) : 'copied';
  }

  file(path: readonly string[], object: TreeObject, bytes: AsyncIterable<Uint8Array>): Promise<Placed> {
    return this.#member(path, object, bytes);
  }

  link(path: readonly string[], object: TreeObject): Promise<Placed> {
    return this.#member(path, object, nothing());
  }

  async leave(): Promise<void> {
    // The time of a folder stands in its header; whoever unpacks sets it last.
  }

  async end(): Promise<void> {
    await this.#cut();
    await this.#write(tarEnd, this.#end);
    await this.#handle.sync();
    await this.#handle.close();
    try {
      await giveName(this.#part, this.#target, this.#replace);
    } finally {
      await rm(this.#part, { force: true });
    }
    if (process.platform === 'win32') return;
    const folder = await open(dirname(this.#target), 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  }

  async abort(): Promise<void> {
    await this.#handle.close().catch(() => undefined);
    // What was not come to of the last run's members may still be good.
    const isWorth = this.#end > 0 || this.#left !== undefined;
    if (!isWorth) await rm(this.#part, { force: true });
  }

  #member(path: readonly string[], object: TreeObject, bytes: AsyncIterable<Uint8Array>): Promise<Placed> {
    const done = this.#last.then(() => this.#append(path, object, bytes));
    this.#last = done.catch(() => undefined);
    return done;
  }

  async #append(
    path: readonly string[],
    object: TreeObject,
    bytes: AsyncIterable<Uint8Array>,
  ): Promise<Placed> {
    const fault = localNameFault(path.at(-1) ?? '', false, 'linux');
    if (fault !== undefined) throw new TreeRefusal('invalid', fault);
    const { kind, modified, properties, target } = object;
    const length = kind === 'file' ? object.length : 0;
    const header = memberHeader({ path, kind, length, target: target ?? '', modified, properties });
    const kept = await this.#left?.endOf(this.#end, { header, length, digest: object.digest });
    if (kept !== undefined) {
      this.#end = kept;
      return 'same';
    }
    await this.#cut();
    let at = this.#end;
    try {
      at = await this.#write(header, at);
      for await (const chunk of bytes) at = await this.#write(chunk, at);
      this.#end = await this.#write(padding(length), at);
      return 'copied';
    } catch (error) {
      await this.#handle.truncate(this.#end);
      throw error;
    }
  }

  /** From here on it is written. */
  async #cut(): Promise<void> {
    if (this.#left === undefined) return;
    this.#left = undefined;
    await this.#handle.truncate(this.#end);
  }

  /** Where the next byte goes. */
  async #write(bytes: Uint8Array, position: number): Promise<number> {
    for (let at = 0; at < bytes.length;) {
      at += (await this.#handle.write(bytes, at, bytes.length - at, position + at)).bytesWritten;
    }
    return position + bytes.length;
  }
}

async function* nothing(): AsyncGenerator<Uint8Array> {
  // A folder or a link has no contents.
}
