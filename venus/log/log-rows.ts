/**
 * The log's rows on the disk: the one thing there that nobody else has.
 *
 * LR-1  Each row stands twice, written in one transaction, in two places of the store: a copy that cannot be read any
 *       more is written anew from the other one when the log is opened.
 */
import { Failure, seal } from '../../vice/interface/index.js';
import { intact } from '../store/intact.js';
import type { WriteBuffer } from '../store/write-buffer.js';

export class LogRows {
  readonly #buffer: WriteBuffer;

  constructor(buffer: WriteBuffer) {
    this.#buffer = buffer;
  }

  put(key: string, row: unknown): void {
    const sealed = seal(row);
    this.#buffer.put(key, sealed);
    this.#buffer.put(copyOf(key), sealed);
  }

  remove(key: string): void {
    this.#buffer.remove(key);
    this.#buffer.remove(copyOf(key));
  }

  /** All rows whose keys start with `prefix`, in order. Others may run between two of them. @throws Failure damaged */
  *walk(prefix: string): Generator<unknown> {
    for (const { key, value } of this.#buffer.walk(prefix)) yield this.#whole(key, value);
  }

  #whole(key: string, value: Uint8Array): unknown {
    const copy = this.#buffer.get(copyOf(key));
    const row = intact(value);
    if (row !== undefined) {
      if (copy === undefined || Buffer.compare(copy, value) !== 0) this.#buffer.put(copyOf(key), value);
      return row;
    }
    const other = intact(copy);
    if (copy === undefined || other === undefined) throw unreadable(key);
    this.#buffer.put(key, copy);
    return other;
  }
}

function copyOf(key: string): string {
  return `copy/${key}`;
}

function unreadable(key: string): Failure {
  const what = `change ${key} of the log cannot be read, nor its copy, and what comes after it may build on it`;
  const next =
    'Put a backup of this data folder on another disk, or start with an empty folder and what servers have.';
  return new Failure('damaged', 'log.open', `${what}: this disk loses data. ${next}`);
}
