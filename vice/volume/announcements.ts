/** Changes that readers see and listeners have not heard of yet, because they are not on the disk. */
import type { Fid } from '../interface/index.js';
import type { Change } from './replica.js';

export class Announcements {
  readonly #listeners: ((change: Change) => void)[] = [];
  /** In stamp order. */
  #waiting: Change[] = [];

  /** Must not throw. */
  onChange(listener: (change: Change) => void): void {
    this.#listeners.push(listener);
  }

  /** Readers see it from now on. */
  add(change: Change): void {
    this.#waiting.push(change);
  }

  /** It was taken back. */
  drop(change: Change | undefined): void {
    this.#waiting = this.#waiting.filter((other) => other !== change);
  }

  isFlushed(fid: Fid): boolean {
    return !this.#waiting.some(({ fids }) => fids.includes(fid));
  }

  /** With `last` all changes before it are flushed too (ST-2), whether their callers have been resumed or not. */
  flushed(last: Change): void {
    const flushed = this.#waiting.filter(({ stamp }) => stamp <= last.stamp);
    this.#waiting = this.#waiting.filter(({ stamp }) => stamp > last.stamp);
    for (const change of flushed) for (const listener of this.#listeners) listener(change);
  }
}
