/** Walks over many rows of a volume, some of them in each turn of the event loop. */
import { intact, type DirectoryEntry, type Fid } from '../interface/index.js';
import { sleep, type Clock } from '../seam/clock.js';
import { endOf, type RangeOptions, type StoreReader } from '../seam/store.js';
import type { EntryRow, ObjectRow, VolumeKeys } from '../store/volume-store.js';

/** Rows read in one turn of the event loop: some milliseconds. */
export const turnObjects = 100;
const turnNames = 500;

export interface RowWalkWorld {
  readonly keys: VolumeKeys;
  readonly store: StoreReader;
  readonly clock: Clock;
  /** The object from memory, or from the disk; undefined where it cannot be read. */
  row(fid: Fid): ObjectRow | undefined;
}

/** `isOver` is called in the turn of the last row: what comes later comes after it. */
export class RowWalk {
  readonly #world: RowWalkWorld;
  readonly #stop = new AbortController();

  constructor(world: RowWalkWorld) {
    this.#world = world;
  }

  /** What goes on ends, with this as its reason. */
  stop(reason: Error): void {
    this.#stop.abort(reason);
  }

  /** Others may have a turn. */
  pause(): Promise<void> {
    return sleep(this.#world.clock, 0, this.#stop.signal);
  }

  /** `entry`: undefined where it is damaged. */
  names(
    directory: Fid,
    take: (entry: DirectoryEntry | undefined, name: string) => void,
    isOver?: () => void,
  ): Promise<void> {
    const prefix = this.#world.keys.entry(directory, '');
    // '0' is the character after '/': names may begin with any character that is left.
    const range = { start: prefix, end: `${prefix.slice(0, -1)}0`, limit: turnObjects };
    const each = (key: string, value: Uint8Array): void => {
      const name = key.slice(prefix.length);
      const row = intact<EntryRow>(value);
      take(row && { name, fid: row.fid, kind: row.kind }, name);
    };
    return this.#rows(range, each, isOver);
  }

  /** Names in all directories, as far as they can be read. */
  allNames(take: (directory: Fid, entry: DirectoryEntry) => void): Promise<void> {
    const prefix = `${this.#world.keys.volume}/entry/`;
    return this.#rows({ start: prefix, end: endOf(prefix), limit: turnNames }, (key, value) => {
      const row = intact<EntryRow>(value);
      if (row === undefined) return;
      const slash = key.indexOf('/', prefix.length);
      take(key.slice(prefix.length, slash) as Fid, {
        name: key.slice(slash + 1),
        fid: row.fid,
        kind: row.kind,
      });
    });
  }

  /** `row`: undefined where it cannot be read. */
  objects(take: (fid: Fid, row: ObjectRow | undefined) => void, isOver?: () => void): Promise<void> {
    const prefix = this.#world.keys.object('' as Fid);
    const each = (key: string): void => {
      const fid = key.slice(prefix.length) as Fid;
      take(fid, this.#world.row(fid));
    };
    return this.#rows({ start: prefix, end: endOf(prefix), limit: turnObjects }, each, isOver);
  }

  /** Each page in one turn, so that what is changed later is either heard of or read (RC-1). */
  async #rows(
    { start, end, limit }: Required<Omit<RangeOptions, 'reverse'>>,
    take: (key: string, value: Uint8Array) => void,
    isOver?: () => void,
  ): Promise<void> {
    for (let from = start; ;) {
      const page: readonly { readonly key: string; readonly value: Uint8Array }[] = [
        ...this.#world.store.range({ start: from, end, limit }),
      ];
      for (const { key, value } of page) take(key, value);
      if (page.length < limit) return isOver?.();
      from = `${page.at(-1)?.key ?? ''}\0`;
      await this.pause();
    }
  }
}
