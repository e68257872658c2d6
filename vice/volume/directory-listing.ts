/**
 * What a directory holds, however much that is: its names as they were at one moment, the objects as they are when
 * their turn comes. Lazy, and past the cache of rows: a long listing shall not push out what is in use.
 */
import { Failure, type Fid, type VnodeStatus } from '../interface/index.js';
import type { ObjectRow, VolumeReader } from '../store/volume-store.js';
import type { NameNews } from '../store/name-news.js';
import type { ListedEntry, Listing, RecentNames } from './replica.js';

/** Names read in one turn of the event loop: some milliseconds. */
const turnNames = 500;
/** A directory that changes all the time is read in one turn in the end. */
const attemptsMost = 3;

export interface ListingSource {
  readonly reader: VolumeReader;
  readonly news: NameNews;
  /** A living directory with its children's digest, now. @throws Failure damaged, or that the replica is no more */
  directory(): { readonly row: ObjectRow; readonly digest: string } | undefined;
  /** @throws Failure damaged; stale where the rest of the listing is being taken away */
  object(fid: Fid): ObjectRow | undefined;
}

interface Named {
  readonly name: string;
  readonly fid: Fid;
}

export class DirectoryListing implements Listing {
  readonly #fid: Fid;
  readonly #source: ListingSource;
  #row: ObjectRow;
  #digest: string;

  constructor(fid: Fid, source: ListingSource, { row, digest }: { row: ObjectRow; digest: string }) {
    this.#fid = fid;
    this.#source = source;
    this.#row = row;
    this.#digest = digest;
  }

  get status(): VnodeStatus {
    return this.#row.status;
  }

  get digest(): string {
    return this.#digest;
  }

  get entries(): Iterable<ListedEntry> {
    return entriesOf(this.steps);
  }

  get steps(): Iterable<ListedEntry | undefined> {
    return this.#steps();
  }

  since(names: string): RecentNames | undefined {
    const now = this.#source.directory();
    if (now === undefined) return undefined;
    const news = this.#source.news.since(this.#fid, names, now.row.status.names);
    if (news === undefined) return undefined;
    this.#row = now.row;
    this.#digest = now.digest;
    const entries: ListedEntry[] = [];
    const gone: string[] = [];
    for (const [name, fid] of news) {
      if (fid === null) {
        gone.push(name);
        continue;
      }
      const row = this.#source.object(fid);
      if (row === undefined || !this.#isName(row, name)) return undefined;
      entries.push({ name, status: row.status });
    }
    return { entries, gone };
  }

  *#steps(): Generator<ListedEntry | undefined> {
    const names = yield* this.#names();
    for (const { name, fid } of names) {
      const row = this.#source.object(fid);
      // Renamed or removed since the listing began: a change that its reader hears of.
      if (row !== undefined && this.#isName(row, name)) yield { name, status: row.status };
    }
  }

  #isName({ bound }: ObjectRow, name: string): boolean {
    return bound?.directory === this.#fid && bound.name === name;
  }

  /** Of the moment at which they were all read: the directory's own status is of that, too. */
  *#names(): Generator<undefined, readonly Named[]> {
    for (let attempt = 1; ; attempt += 1) {
      const before = this.#source.directory();
      if (before === undefined) return [];
      const names: Named[] = [];
      for (const { name, entry } of this.#source.reader.entries(this.#fid)) {
        if (entry === undefined) throw damaged(this.#fid);
        names.push({ name, fid: entry.fid });
        if (names.length % turnNames === 0 && attempt < attemptsMost) yield undefined;
      }
      // Whatever changes names gives their directory a stamp.
      const after = this.#source.directory();
      if (after?.row.stamp !== before.row.stamp) continue;
      this.#row = after.row;
      this.#digest = after.digest;
      return names;
    }
  }
}

function* entriesOf(steps: Iterable<ListedEntry | undefined>): Generator<ListedEntry> {
  for (const step of steps) if (step !== undefined) yield step;
}

function damaged(directory: Fid): Failure {
  const message = `an entry of ${directory} is damaged; it must be fetched again from another replica`;
  return new Failure('damaged', 'vice.list', message, { fid: directory });
}
