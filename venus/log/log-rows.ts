/**
 * The log's rows on the disk: the one thing there that nobody else has.
 *
 * LR-1  Each row stands twice, written in one transaction, in two places of the store: a copy that cannot be read any
 *       more is written anew from the other one when the log is opened.
 * LR-2  What can be read and is no row of this program (a newer one's, or one that a fault of a program has made) is
 *       refused like what cannot be read: nothing of the log is used, nothing is thrown away.
 */
import type { z } from 'zod';
import { contractFault, Failure, intact, seal } from '../../vice/interface/index.js';
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

  /**
   * All rows whose keys start with `prefix`, in order, with their keys. Others may run between two of them.
   * @throws Failure damaged, incompatible (LR-2)
   */
  *walk<T>(prefix: string, form: z.ZodType<T>): Generator<readonly [key: string, row: T]> {
    for (const { key, value } of this.#buffer.walk(prefix)) yield [key, this.#whole(key, value, form)];
  }

  #whole<T>(key: string, value: Uint8Array, form: z.ZodType<T>): T {
    const copy = this.#buffer.get(copyOf(key));
    const stored = intact(value);
    if (stored !== undefined) {
      const row = understood(key, stored, form);
      if (copy === undefined || Buffer.compare(copy, value) !== 0) this.#buffer.put(copyOf(key), value);
      return row;
    }
    const other = intact(copy);
    if (copy === undefined || other === undefined) throw unreadable(key);
    const row = understood(key, other, form);
    this.#buffer.put(key, copy);
    return row;
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

function understood<T>(key: string, stored: unknown, form: z.ZodType<T>): T {
  const parsed = form.safeParse(stored);
  if (parsed.success) return parsed.data;
  throw foreign(key, contractFault(parsed.error));
}

/** A row that is whole and none of this program: for LogRows and who finds out later. */
export function foreign(key: string, fault: string): Failure {
  const what = `change ${key} of the log is none that this program understands`;
  // A fault may tell names out of the row, of any length.
  const why = fault.length > 200 ? `${fault.slice(0, 200)}...` : fault;
  const next =
    'If a newer program has used this data folder, start that one. If not, keep a copy of this folder and report ' +
    'this fault; then start with a backup of it, or with an empty folder and what servers have.';
  return new Failure('incompatible', 'log.open', `${what} (${why}). ${next}`);
}
