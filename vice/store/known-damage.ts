/**
 * What was found out about damaged rows of one volume, by looking through many others; in memory, and looked for again
 * after a restart. Believed only as far as the rows still say so (volume-transaction.ts).
 */
import type { Fid } from '../interface/index.js';
import type { Binding } from './volume-store.js';

export class KnownDamage {
  /** Where objects whose rows are damaged have their names; null: nowhere. */
  readonly names = new Map<Fid, Pick<Binding, 'directory' | 'name'> | null>();
  readonly #unclaimed = new Map<Fid, ReadonlySet<string>>();

  /** Of the damaged names of `directory` these are of no object that can be read. */
  nobodyBears(directory: Fid, names: ReadonlySet<string>): void {
    if (names.size === 0) this.#unclaimed.delete(directory);
    else this.#unclaimed.set(directory, names);
  }

  /** Whether whoever brings an object of that name may have it. */
  isUnclaimed(directory: Fid, name: string): boolean {
    return this.#unclaimed.get(directory)?.has(name) === true;
  }
}
