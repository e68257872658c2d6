/**
 * What damage has left in doubt at one replica, counted again: the digests of directories, and what the volume uses.
 * Which are in doubt is in rows (`V/doubt`), so a crash forgets none.
 */
import { parseFid, type Fid } from '../interface/index.js';
import { endOf, type StoreTransaction } from '../seam/store.js';
import { DirectoryCount, SpaceCount, type Count, type Heard } from '../store/recounting.js';
import type { VolumeTransaction } from '../store/volume-transaction.js';
import type { RowWalk, RowWalkWorld } from './row-walk.js';

/** A count that is made void again and again is left for the next time. */
const attemptsMost = 5;
/** Directories that are counted in one go. */
const doubtsAtOnce = 1000;

export interface RecountsWorld extends RowWalkWorld {
  change(work: (volume: VolumeTransaction, transaction: StoreTransaction) => void): Promise<unknown>;
}

export class Recounts {
  readonly #world: RecountsWorld;
  readonly #walk: RowWalk;
  readonly #counts = new Set<Count>();
  /** Directories in doubt in which a name cannot be read. */
  readonly #uncountable = new Set<Fid>();
  #settling: Promise<void> = Promise.resolve();
  /** A crash may have left some doubts. */
  #isInDoubt = true;

  constructor(world: RecountsWorld, walk: RowWalk) {
    this.#world = world;
    this.#walk = walk;
  }

  /** Of every transaction, inside it. */
  hear(heard: Heard & { readonly isInDoubt: boolean }): void {
    if (heard.isInDoubt || heard.replaced.length > 0) this.#isInDoubt = true;
    for (const directory of heard.doubtful) this.#uncountable.delete(directory);
    for (const count of this.#counts) count.hear(heard);
  }

  /** A transaction was taken back. */
  spoil(): void {
    for (const count of this.#counts) count.spoil();
  }

  /** One after the other: two at once would only count the same. */
  settle(isRound = false): Promise<void> {
    this.#settling = this.#settling.catch(() => undefined).then(() => this.#settle(isRound));
    return this.#settling;
  }

  async space(walk: (count: SpaceCount) => Promise<void>): Promise<boolean> {
    const count = new SpaceCount();
    this.#counts.add(count);
    try {
      await walk(count);
      let isOther = false;
      await this.#world.change((volume) => {
        if (!count.isVoid) isOther = volume.putSpace(count);
      });
      return isOther;
    } finally {
      this.#counts.delete(count);
    }
  }

  async #settle(isRound: boolean): Promise<void> {
    if (!this.#isInDoubt) return;
    this.#isInDoubt = false;
    for (const directory of this.#doubtful()) {
      // Until its names can be read it would only be walked again.
      if (!isRound && this.#uncountable.has(directory)) continue;
      const isCounted = await this.#countDirectory(directory);
      if (isCounted) this.#uncountable.delete(directory);
      else this.#uncountable.add(directory);
    }
    if (this.#uncountable.size > 0) this.#isInDoubt = true;
    if (this.#world.store.get(this.#world.keys.doubt('space')) === undefined) return;
    if (isRound) {
      await this.space((count) => {
        return this.#walk.objects(
          (fid, row) => count.take(fid, row),
          () => count.end(),
        );
      });
    }
    this.#isInDoubt = true;
  }

  #doubtful(): readonly Fid[] {
    const start = this.#world.keys.doubtPrefix;
    const rows = [...this.#world.store.range({ start, end: endOf(start), limit: doubtsAtOnce })];
    if (rows.length === doubtsAtOnce) this.#isInDoubt = true;
    return rows.flatMap(({ key }) => parseFid(key.slice(start.length)) ?? []);
  }

  /** False: a name in it cannot be read. */
  async #countDirectory(directory: Fid): Promise<boolean> {
    for (let attempt = 0; attempt < attemptsMost; attempt += 1) {
      const row = this.#world.row(directory);
      if (row?.removed !== false) {
        // One that cannot be read is doubted again by whoever brings it.
        await this.#world.change((_volume, transaction) =>
          transaction.remove(this.#world.keys.doubt(directory)),
        );
        return true;
      }
      const count = new DirectoryCount(directory);
      this.#counts.add(count);
      try {
        if (!(await this.#takeNames(directory, count))) return false;
        if (await this.#putDigests(directory, count)) return true;
      } finally {
        this.#counts.delete(count);
      }
    }
    return false;
  }

  async #takeNames(directory: Fid, count: DirectoryCount): Promise<boolean> {
    let isWhole = true;
    await this.#walk.names(
      directory,
      (entry) => {
        if (entry === undefined) isWhole = false;
        else count.take(entry, this.#world.row(entry.fid));
      },
      () => count.end(),
    );
    return isWhole;
  }

  async #putDigests(directory: Fid, count: DirectoryCount): Promise<boolean> {
    let isDone = false;
    await this.#world.change((volume) => {
      if (count.isVoid) return;
      isDone = count.strays.length === 0;
      if (isDone) volume.putDigests(directory, count.names, count.children);
      for (const name of count.strays) {
        const entry = volume.entry(directory, name);
        const row = entry && this.#world.row(entry.fid);
        const isStray = row !== undefined && (row.bound?.directory !== directory || row.bound.name !== name);
        if (isStray) volume.removeEntry(directory, name);
      }
    });
    return isDone;
  }
}
