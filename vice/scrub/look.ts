/** What is wrong with one object or one container, now: its rows, its entries, its contents. */
import {
  emptyDigest,
  Failure,
  isFailure,
  isRemoved,
  parseFid,
  wantedVersions,
  type Fid,
} from '../interface/index.js';
import { endOf, type StoreReader } from '../seam/store.js';
import type { SpaceCount } from '../store/recounting.js';
import { VolumeKeys, VolumeReader } from '../store/volume-store.js';
import type { Replica } from '../volume/replica.js';
import { DirectoryExam, examineObject } from './examine.js';
import type { Found } from './finding.js';
import type { Pace } from './pace.js';
import type { ScrubWorld } from './scrub-world.js';

/** Entries looked at in one turn of the event loop: each is a row and its object's, some 100 microseconds. */
const entriesAtOnce = 50;
/** A directory that changes all the time is left for the next pass. */
const attemptsMost = 3;
const faultsMost = 100;
/** About what an entry and its object come to. */
const entryBytes = 1024;

export class Look {
  readonly #world: ScrubWorld;
  readonly #pace: Pace;

  constructor(world: ScrubWorld, pace: Pace) {
    this.#world = world;
    this.#pace = pace;
  }

  /** With its contents only so far that they are there, and as long as they should be. */
  async object(replica: Replica, fid: Fid): Promise<readonly Found[]> {
    const keys = new VolumeKeys(replica.volume);
    const { store } = this.#world;
    const faults = [...examineObject(store, keys, fid)];
    const row = new VolumeReader(store, keys).readableObject(fid);
    if (row === undefined) return faults;
    if (!row.removed && row.status.kind === 'directory') {
      faults.push(...(await this.#directory(replica, keys, fid)));
    }
    if (isRemoved(row.status) || faults.some(({ fault }) => fault === 'record-invalid')) return faults;
    for (const { digest, length } of wantedVersions(row.status)) {
      if (digest === emptyDigest) continue;
      const found = await this.#lengthOf(digest);
      if (found === length || !replica.names(digest)) continue;
      const fault = found === undefined ? 'contents-missing' : 'contents-length';
      faults.push({ fault, fid, digest, peer: null });
    }
    return faults;
  }

  /** Reads a container from its beginning to its end. */
  async contents(digest: string, read: (bytes: number) => void): Promise<Found | undefined> {
    const found = { fid: null, digest, peer: null };
    try {
      for await (const chunk of await this.#world.containers.read(digest)) {
        read(chunk.length);
        await this.#pace.spend(chunk.length);
      }
      return undefined;
    } catch (error) {
      if (!isFailure(error)) throw error;
      if (isFailure(error, 'not-found')) return { fault: 'contents-missing', ...found };
      if (isFailure(error, 'damaged')) return { fault: 'contents-damaged', ...found };
      return { fault: 'contents-unreadable', ...found };
    }
  }

  async #lengthOf(digest: string): Promise<number | undefined> {
    try {
      return await this.#world.containers.length(digest);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      return undefined;
    }
  }

  async #directory(replica: Replica, keys: VolumeKeys, fid: Fid): Promise<readonly Found[]> {
    for (let attempt = 0; attempt < attemptsMost; attempt += 1) {
      const { stamp } = replica;
      const exam = new DirectoryExam(this.#world.store, keys, fid);
      const prefix = `${keys.volume}/entry/${fid}/`;
      for (let start: string | undefined = prefix; start !== undefined;) {
        // '0' is the character after '/'.
        const range = { start, end: `${keys.volume}/entry/${fid}0`, limit: entriesAtOnce };
        const page: readonly { readonly key: string }[] = [...this.#world.store.range(range)];
        for (const { key } of page) exam.take(key.slice(prefix.length), faultsMost);
        start = page.length < entriesAtOnce ? undefined : `${page.at(-1)?.key ?? ''}\0`;
        if (start !== undefined) await this.#pace.spend(page.length * entryBytes);
      }
      const faults = exam.finish();
      // What has changed meanwhile may look wrong without being so.
      if (faults.length === 0 || replica.stamp === stamp) return faults;
    }
    return [];
  }
}

/** Objects behind `after` in the order of their rows, with the bytes of each row. */
export function objectsAfter(
  { store }: Pick<ScrubWorld, 'store'>,
  keys: VolumeKeys,
  after: string,
  most: number,
): readonly { readonly fid: Fid; readonly bytes: number }[] {
  const prefix = keys.object('' as Fid);
  const start = after === '' ? prefix : `${prefix}${after}\0`;
  const objects: { fid: Fid; bytes: number }[] = [];
  for (const { key, value } of store.range({ start, end: endOf(prefix), limit: most })) {
    const fid = parseFid(key.slice(prefix.length));
    if (fid !== undefined) objects.push({ fid, bytes: value.length });
  }
  return objects;
}

/** Takes the objects behind `after`, up to `last` (null: all of them), into `count`. */
export function countObjects(
  store: StoreReader,
  keys: VolumeKeys,
  { after, last }: { readonly after: string; readonly last: string | null },
  count: SpaceCount,
): void {
  const prefix = keys.object('' as Fid);
  const start = after === '' ? prefix : `${prefix}${after}\0`;
  const reader = new VolumeReader(store, keys);
  for (const { key } of store.range({ start, end: last === null ? endOf(prefix) : `${prefix}${last}\0` })) {
    const fid = key.slice(prefix.length) as Fid;
    count.take(fid, reader.readableObject(fid));
  }
  if (last === null) count.end();
}
