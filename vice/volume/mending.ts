/**
 * Puts right what is damaged of one replica's rows, as far as other rows of this disk say it. Whatever looks through
 * many rows does so some at a time (RC-1), and only where something is wrong.
 *
 * MD-1  Nothing is taken for removed because its row cannot be read. The damaged row of an object stays until another
 *       replica brings the object; that of a name until an object that can be read says that it is its own, until a
 *       replica brings the object, or until every object can be read and none bears the name.
 */
import {
  intact,
  isFailure,
  relate,
  rootFid,
  type DirectoryEntry,
  type Fid,
  type VnodeStatus,
} from '../interface/index.js';
import type { Log } from '../seam/log.js';
import { KnownDamage } from '../store/known-damage.js';
import { countedBucket, recount, recountBucket } from '../store/recount.js';
import { recountedWithin, type SpaceCount } from '../store/recounting.js';
import { digestOfRow } from '../store/row-figures.js';
import { bucketDigits, bucketOf } from '../store/state-digest.js';
import { VolumeReader, type ObjectRow, type VolumeKeys } from '../store/volume-store.js';
import { freeName, nameAgain } from './naming.js';
import { Recounts, type RecountsWorld } from './recounts.js';
import type { Mending } from './replica.js';
import { RowWalk, turnObjects } from './row-walk.js';

/** Of a million objects each bucket has 250. */
const turnBuckets = 4;

export interface MendingWorld extends RecountsWorld {
  readonly log: Log;
}

export class RowMending implements Mending {
  readonly damage = new KnownDamage();
  readonly #world: MendingWorld;
  readonly #keys: VolumeKeys;
  readonly #reader: VolumeReader;
  readonly #walk: RowWalk;
  readonly recounts: Recounts;

  constructor(world: MendingWorld) {
    this.#world = world;
    this.#keys = world.keys;
    this.#reader = new VolumeReader(world.store, world.keys);
    this.#walk = new RowWalk(world);
    this.recounts = new Recounts(world, this.#walk);
  }

  async object(fid: Fid): Promise<void> {
    await this.#world.change((volume, transaction) => {
      if (!recount(volume, transaction, this.#keys, fid)) nameAgain(volume, fid);
    });
    if (this.#world.row(fid)?.status.kind === 'directory') await this.settleDoubts();
  }

  async names(directory: Fid, candidates: readonly Fid[]): Promise<boolean> {
    const lost = await this.#damagedNames(directory);
    if (lost.size === 0) return true;
    const claimed = candidates.flatMap((fid) => claim(this.#world.row(fid), directory, lost));
    return (await this.#giveBack(claimed)) === lost.size;
  }

  async search(directory: Fid): Promise<boolean> {
    const lost = new Set(await this.#damagedNames(directory));
    if (lost.size === 0) return false;
    const claimed: ObjectRow[] = [];
    let unreadable = 0;
    await this.#walk.objects((fid, row) => {
      // What was removed bears no name.
      if (row === undefined && this.#wasAlive(fid)) unreadable += 1;
      claimed.push(...claim(row, directory, lost));
    });
    await this.#giveBack(claimed);
    const left = await this.#damagedNames(directory);
    if (unreadable > 0) this.damage.nobodyBears(directory, left);
    else if (left.size > 0) await this.#dropNames(directory, left);
    await this.settleDoubts();
    return true;
  }

  /**
   * `merge` may replace damaged rows of `objects`: first it is known where these have their names here, and, where a
   * name is damaged that is wanted, whether somebody bears it.
   */
  async around<T>(objects: readonly VnodeStatus[], merge: () => Promise<T>): Promise<T> {
    await this.#locate(objects);
    const lost = objects.filter(({ fid }) => this.damage.names.has(fid));
    const before = lost.map(({ fid }) => this.#reader.memberDigest(bucketOf(fid), fid));
    try {
      try {
        return await merge();
      } catch (error) {
        if (!isFailure(error, 'damaged') || error.fid === undefined) throw error;
        if (!(await this.search(error.fid))) throw error;
        return await merge();
      }
    } finally {
      for (const { fid } of objects) this.damage.names.delete(fid);
      for (const [index, { fid }] of lost.entries()) this.#tell(fid, before[index]);
    }
  }

  /** Where it is not what it was, something that only this server had may be lost. */
  #tell(fid: Fid, before: bigint | undefined): void {
    const row = this.#world.row(fid);
    if (row === undefined) return;
    this.#world.log.warn('damaged record replaced by that of a peer', {
      fid,
      isSame: digestOfRow(row) === before,
    });
  }

  /** @throws Failure damaged: it has to be counted, and there are too many to do so now */
  childrenDigest(directory: Fid): string {
    try {
      return this.#reader.childrenDigest(directory);
    } catch (error) {
      if (!isFailure(error, 'damaged')) throw error;
      const counted = recountedWithin(this.#reader, directory, (fid) => this.#world.row(fid), turnObjects);
      if (counted === undefined) throw error;
      return counted.children;
    }
  }

  async figures(fids: readonly Fid[]): Promise<void> {
    const unfit = fids.filter((fid) => {
      const row = this.#world.row(fid);
      return row !== undefined && this.#reader.memberDigest(bucketOf(fid), fid) !== digestOfRow(row);
    });
    for (const fid of unfit) await this.object(fid);
  }

  async bucket(bucket: string): Promise<boolean> {
    const stored = this.#world.store.get(this.#keys.bucket(bucket));
    const isDamaged = stored !== undefined && intact(stored) === undefined;
    if (!isDamaged && countedBucket(this.#reader, bucket) === this.#reader.bucketDigest(bucket)) return false;
    await this.#world.change((_volume, transaction) => {
      recountBucket(new VolumeReader(transaction, this.#keys), transaction, this.#keys, bucket);
    });
    return true;
  }

  async buckets(): Promise<number> {
    let wrong = 0;
    for (let number = 0; number < 16 ** bucketDigits; number += 1) {
      if (await this.bucket(number.toString(16).padStart(bucketDigits, '0'))) wrong += 1;
      if (number % turnBuckets === turnBuckets - 1) await this.#walk.pause();
    }
    return wrong;
  }

  differentNames(own: VnodeStatus, theirs: VnodeStatus): Promise<void> {
    if (own.names === theirs.names || relate(own, theirs) !== 'equal') return Promise.resolve();
    return this.object(own.fid);
  }

  settleDoubts(isRound = false): Promise<void> {
    return this.recounts.settle(isRound);
  }

  space(walk: (count: SpaceCount) => Promise<void>): Promise<boolean> {
    return this.recounts.space(walk);
  }

  stop(): void {
    this.#walk.stop(new Error('the server closes'));
  }

  async #locate(objects: readonly VnodeStatus[]): Promise<void> {
    const lost = new Set<Fid>();
    for (const { fid, places } of objects) {
      if (!this.#isDamaged(fid)) continue;
      const place = places.find(({ parent, name }) => this.#entry(parent, name)?.fid === fid);
      if (place !== undefined) this.damage.names.set(fid, { directory: place.parent, name: place.name });
      else this.damage.names.set(fid, null);
      if (place === undefined && this.#wasAlive(fid)) lost.add(fid);
    }
    if (lost.size === 0) return;
    await this.#walk.allNames((directory, { name, fid }) => {
      if (lost.has(fid)) this.damage.names.set(fid, { directory, name });
    });
  }

  /** The objects that bear them say so. @returns how many */
  async #giveBack(claimed: readonly ObjectRow[]): Promise<number> {
    let mended = 0;
    for (let from = 0; from < claimed.length; from += turnObjects) {
      await this.#world.change((volume) => {
        for (const { status } of claimed.slice(from, from + turnObjects)) {
          const row = volume.object(status.fid);
          if (row !== undefined && volume.mendName(row)) mended += 1;
        }
      });
    }
    return mended;
  }

  async #dropNames(directory: Fid, names: ReadonlySet<string>): Promise<void> {
    this.#world.log.warn('damaged names that no object bears are gone', { directory, names: names.size });
    await this.#world.change((volume) => {
      for (const name of names) {
        if (!isUnreadable(() => volume.entry(directory, name))) continue;
        volume.removeEntry(directory, name);
        freeName(volume, directory, name, new Set());
      }
    });
  }

  async #damagedNames(directory: Fid): Promise<ReadonlySet<string>> {
    const lost = new Set<string>();
    await this.#walk.names(directory, (entry, name) => {
      if (entry === undefined) lost.add(name);
    });
    return lost;
  }

  #entry(directory: Fid, name: string): DirectoryEntry | undefined {
    let entry: DirectoryEntry | undefined;
    isUnreadable(() => (entry = this.#reader.entry(directory, name)));
    return entry;
  }

  #isDamaged(fid: Fid): boolean {
    return this.#world.row(fid) === undefined && this.#world.store.get(this.#keys.object(fid)) !== undefined;
  }

  /** Only living objects have their digest among the others'. The root has no name. */
  #wasAlive(fid: Fid): boolean {
    if (fid === rootFid(this.#keys.volume)) return false;
    return this.#world.store.get(this.#keys.member(bucketOf(fid), fid)) !== undefined;
  }
}

/** The row of a living object that bears one of `lost` in `directory`. */
function claim(row: ObjectRow | undefined, directory: Fid, lost: ReadonlySet<string>): readonly ObjectRow[] {
  const isOne = row?.removed === false && row.bound?.directory === directory && lost.has(row.bound.name);
  return isOne ? [row] : [];
}

function isUnreadable(read: () => unknown): boolean {
  try {
    read();
    return false;
  } catch (error) {
    if (!isFailure(error, 'damaged')) throw error;
    return true;
  }
}
