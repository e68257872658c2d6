/**
 * The rows of names inside one transaction, also where some are damaged: then the object says what its name is, or
 * whoever brings a good object; never the row that cannot be read. What is written past an object's change leaves its
 * directory in doubt: what was counted for the lost row nobody knows.
 */
import { isFailure, seal, type DirectoryEntry, type Fid } from '../interface/index.js';
import { endOf, type StoreTransaction } from '../seam/store.js';
import type { KnownDamage } from './known-damage.js';
import type { Binding, ObjectRow, VolumeKeys, VolumeReader } from './volume-store.js';

const present = seal(1);

export class NameRows {
  /** Directories whose digests cannot be continued. */
  readonly doubtful = new Set<Fid>();
  readonly #transaction: StoreTransaction;
  readonly #keys: VolumeKeys;
  readonly #reader: VolumeReader;
  readonly #damage: KnownDamage | undefined;

  constructor(
    transaction: StoreTransaction,
    keys: VolumeKeys,
    reader: VolumeReader,
    damage: KnownDamage | undefined,
  ) {
    this.#transaction = transaction;
    this.#keys = keys;
    this.#reader = reader;
    this.#damage = damage;
  }

  /** A damaged one of which nobody is known to bear the name counts as missing. @throws Failure damaged */
  toReplace(directory: Fid, name: string): DirectoryEntry | undefined {
    try {
      return this.#reader.entry(directory, name);
    } catch (error) {
      if (!isFailure(error, 'damaged') || this.#damage?.isUnclaimed(directory, name) !== true) throw error;
      this.doubtful.add(directory);
      return undefined;
    }
  }

  put({ directory, name, wanted }: Binding, { fid, kind }: Pick<DirectoryEntry, 'fid' | 'kind'>): void {
    this.#transaction.put(this.#keys.entry(directory, name), seal({ fid, kind }));
    if (wanted !== name) this.#transaction.put(this.#keys.beside(directory, fid, wanted), present);
  }

  /** Not where another object bears it: then this one's own row of it was lost. */
  remove(fid: Fid, { directory, name, wanted }: Binding): void {
    const bearer = this.#readable(directory, name)?.fid;
    if (bearer === undefined || bearer === fid) this.#transaction.remove(this.#keys.entry(directory, name));
    if (bearer !== fid) this.doubtful.add(directory);
    if (wanted !== name) this.#transaction.remove(this.#keys.beside(directory, fid, wanted));
  }

  /** One that no object's row answers for. */
  drop(directory: Fid, name: string): void {
    this.doubtful.add(directory);
    this.#transaction.remove(this.#keys.entry(directory, name));
  }

  /** What a readable object says of its own name, where no row says it. False: another object has the name. */
  mend({ bound, status }: ObjectRow): boolean {
    if (bound === null) return true;
    const entry = this.#readable(bound.directory, bound.name);
    if (entry !== undefined && entry.fid !== status.fid) return false;
    if (entry === undefined) this.doubtful.add(bound.directory);
    this.put(bound, status);
    return true;
  }

  /** Where an object whose row is damaged has its name; null: nowhere. */
  foundAgain(fid: Fid): Binding | null {
    const known = this.#damage?.names.get(fid);
    if (known === undefined || known === null) return null;
    const { directory, name } = known;
    if (this.#readable(directory, name)?.fid !== fid) return null;
    this.doubtful.add(directory);
    return { directory, name, wanted: this.#wanted(directory, fid) ?? name };
  }

  /** The name that an object would rather bear than the one that it has. */
  #wanted(directory: Fid, fid: Fid): string | undefined {
    const start = this.#keys.beside(directory, fid, '');
    for (const { key } of this.#transaction.range({ start, end: endOf(start), limit: 1 }))
      return key.slice(start.length);
    return undefined;
  }

  #readable(directory: Fid, name: string): DirectoryEntry | undefined {
    try {
      return this.#reader.entry(directory, name);
    } catch (error) {
      if (!isFailure(error, 'damaged')) throw error;
      return undefined;
    }
  }
}
