/**
 * Where a volume replica's records are in the server's store, and what they hold. Every value is sealed;
 * every key begins with its volume, so that one store (one flush, one backup) serves all volumes of a server.
 *
 *   V/meta                      incarnation, last stamp, bytes used; stands twice (seam/kept-twice.ts)
 *   V/object/FID                status of a living object, or its tombstone; where its name is
 *   V/entry/DIRECTORY/NAME      one name, so that a directory has no size limit
 *   V/beside/DIRECTORY/FID/NAME an object that wants NAME and bears another one (volume/naming.ts)
 *   V/conflict/FID              a person has to decide about the object
 *   V/bucket/NUMBER             digest of all objects in the bucket (state-digest.ts)
 *   V/member/NUMBER/FID         digest of one of them
 *   V/children/DIRECTORY        children digest (children-digest.ts)
 *   V/doubt/DIRECTORY           its digests have to be worked out anew (recounting.ts); `space`: what the volume uses
 *   V/stamp/STAMP/FID           the object's last change: one row per object
 *   V/grave/STAMP/FID           of a removed object: the same, to find those that may be forgotten
 *   V/applied/VENUS/COUNTER     records applied at or above the Venus' watermark
 *   V/watermark/VENUS           no counter below will come again
 *   V/cop2/STOREID              objects of an update whose COP2 has not come
 *   V/peer/REPLICA              how far this replica has caught up with a peer
 *   container/DIGEST/V          how many files of V hold these contents
 */
import {
  Failure,
  intact,
  nameFault,
  unseal,
  type DirectoryEntry,
  type Fid,
  type History,
  type Mark,
  type StoreId,
  type VnodeKind,
  type VnodeStatus,
  type VolumeId,
} from '../interface/index.js';
import { readTwice } from '../seam/kept-twice.js';
import { endOf, type StoreReader } from '../seam/store.js';
import { pagesOf } from './row-pages.js';
import { seenCounters } from './seen-counters.js';
import { digestOf, digestText, noChildren, toggled } from './children-digest.js';
import { bucketDigits } from './state-digest.js';

export interface MetaRow {
  readonly incarnation: string;
  /** How stamps were given out (history.ts); absent: in one go, under the incarnation. */
  readonly epochs?: History;
  /** Whose rows these are; absent in those of earlier builds. */
  readonly replica?: string;
  /** Living objects beside the root; about, after damage. Absent in rows of earlier builds. */
  readonly objects?: number;
  /** Of the last change. */
  readonly stamp: number;
  /** Bytes of all files' contents. */
  readonly used: number;
  /** Of removals with a stamp up to this one some are forgotten; absent: none is. */
  readonly forgotten?: number;
}

export interface ObjectRow {
  readonly status: VnodeStatus;
  /** A tombstone: `status` is how the object was when it was removed, that update included. */
  readonly removed: boolean;
  /** Of the object's last change; 0 before the first. */
  readonly stamp: number;
  /**
   * Replica stamp when resolution last set the object's counts; COP2s of earlier updates are void (cop2.ts).
   */
  readonly forced: number;
  /** Of a removed file: its contents are still here, for an update that did not know of the removal. */
  readonly keeps?: boolean;
  /** Its only name; null for the root and a tombstone. */
  readonly bound: Binding | null;
}

export interface Binding {
  readonly directory: Fid;
  readonly name: string;
  /** The name that it was given; another one (`name`) where another object keeps that. */
  readonly wanted: string;
}

export interface EntryRow {
  readonly fid: Fid;
  readonly kind: VnodeKind;
}

export interface Cop2Row {
  /** That the update took here. */
  readonly stamp: number;
  readonly fids: readonly Fid[];
}

/** A mark; of earlier builds with the peer's incarnation in place of its epochs. */
type PeerRow = Mark | { readonly incarnation: string; readonly stamp: number };

/** The keys of one volume. */
export class VolumeKeys {
  readonly volume: VolumeId;
  readonly meta: string;

  constructor(volume: VolumeId) {
    this.volume = volume;
    this.meta = `${volume}/meta`;
  }

  object(fid: Fid): string {
    return `${this.volume}/object/${fid}`;
  }

  entry(directory: Fid, name: string): string {
    return `${this.volume}/entry/${directory}/${name}`;
  }

  /** The name comes last: it may be anything. */
  beside(directory: Fid, fid: Fid, wanted: string): string {
    return `${this.besidePrefix(directory)}${fid}/${wanted}`;
  }

  besidePrefix(directory: Fid): string {
    return `${this.volume}/beside/${directory}/`;
  }

  conflict(fid: Fid): string {
    return `${this.conflictPrefix}${fid}`;
  }

  bucket(number: string): string {
    return `${this.volume}/bucket/${number}`;
  }

  member(number: string, fid: Fid): string {
    return `${this.volume}/member/${number}/${fid}`;
  }

  get conflictPrefix(): string {
    return `${this.volume}/conflict/`;
  }

  children(directory: Fid): string {
    return `${this.volume}/children/${directory}`;
  }

  doubt(of: Fid | 'space'): string {
    return `${this.doubtPrefix}${of}`;
  }

  get doubtPrefix(): string {
    return `${this.volume}/doubt/`;
  }

  stamp(stamp: number, fid: Fid): string {
    return `${this.volume}/stamp/${padded(stamp)}/${fid}`;
  }

  grave(stamp: number, fid: Fid): string {
    return `${this.volume}/grave/${padded(stamp)}/${fid}`;
  }

  /** All stamp rows after `since`. */
  stampsAfter(since: number): { readonly start: string; readonly end: string } {
    return { start: `${this.volume}/stamp/${padded(since + 1)}`, end: endOf(`${this.volume}/stamp/`) };
  }

  applied(venus: string, counter: number): string {
    return `${this.volume}/applied/${venus}/${padded(counter)}`;
  }

  watermark(venus: string): string {
    return `${this.volume}/watermark/${venus}`;
  }

  cop2(storeId: StoreId): string {
    return `${this.cop2Prefix}${storeId}`;
  }

  get cop2Prefix(): string {
    return `${this.volume}/cop2/`;
  }

  peer(replica: string): string {
    return `${this.volume}/peer/${replica}`;
  }
}

/** Numbers as keys, so that they sort: every safe integer has at most 16 digits. */
function padded(count: number): string {
  return String(count).padStart(16, '0');
}

/** Reads one volume's records, from the store or inside a transaction. */
export class VolumeReader {
  readonly keys: VolumeKeys;
  readonly #reader: StoreReader;

  constructor(reader: StoreReader, keys: VolumeKeys) {
    this.#reader = reader;
    this.keys = keys;
  }

  /** @throws Failure damaged */
  meta(): MetaRow | undefined {
    try {
      return readTwice(this.#reader, this.keys.meta) as MetaRow | undefined;
    } catch (cause) {
      throw damaged(this.keys.meta, undefined, cause);
    }
  }

  /** The living object or its tombstone. @throws Failure damaged */
  object(fid: Fid): ObjectRow | undefined {
    return this.#read<ObjectRow>(this.keys.object(fid), fid);
  }

  /** @throws Failure damaged */
  entry(directory: Fid, name: string): DirectoryEntry | undefined {
    // A key would take what no name may have (a lone surrogate becomes U+FFFD) for another name.
    if (nameFault(name) !== undefined) return undefined;
    const row = this.#read<EntryRow>(this.keys.entry(directory, name), directory);
    return row === undefined ? undefined : { name, fid: row.fid, kind: row.kind };
  }

  isEmpty(directory: Fid): boolean {
    for (const _ of this.#reader.range({ ...this.#entryRange(directory), limit: 1 })) return false;
    return true;
  }

  /**
   * The names of `directory`, in the order of their UTF-8 bytes; undefined in place of a damaged entry.
   * Lazy: a directory of any size is never in memory as a whole.
   */
  *entries(directory: Fid): Generator<{ readonly name: string; readonly entry: DirectoryEntry | undefined }> {
    const range = this.#entryRange(directory);
    for (const { key, value } of pagesOf(this.#reader, range)) {
      const name = key.slice(range.start.length);
      const row = intact<EntryRow>(value);
      yield { name, entry: row === undefined ? undefined : { name, fid: row.fid, kind: row.kind } };
    }
  }

  /** All objects whose rows can be read, removed ones too. */
  *objects(): Generator<ObjectRow> {
    const start = this.keys.object('' as Fid);
    for (const { value } of pagesOf(this.#reader, { start, end: endOf(start) })) {
      const row = intact<ObjectRow>(value);
      if (row !== undefined) yield row;
    }
  }

  /** Objects in `directory` that bear another name than they want: `name`, or any. */
  *besides(directory: Fid, name?: string): Generator<Fid> {
    const start = this.keys.besidePrefix(directory);
    for (const { key } of pagesOf(this.#reader, { start, end: endOf(start) })) {
      const slash = key.indexOf('/', start.length);
      if (name === undefined || key.slice(slash + 1) === name) yield key.slice(start.length, slash) as Fid;
    }
  }

  /** Objects that a person has to decide about, after `after` in the order of their Fids. */
  *conflicts(after: Fid | null): Generator<Fid> {
    const prefix = this.keys.conflictPrefix;
    const start = after === null ? prefix : `${prefix}${after}\u0000`;
    for (const { key } of pagesOf(this.#reader, { start, end: endOf(prefix) }))
      yield key.slice(prefix.length) as Fid;
  }

  /**
   * What there is under `prefix` of a bucket's number: digests of the longer prefixes, or the objects of one bucket
   * with theirs. Where all was removed there is nothing, as where there never was anything.
   */
  digests(prefix: string): ReadonlyMap<string, string> {
    const digests = new Map<string, bigint>();
    const isBucket = prefix.length === bucketDigits;
    const start = isBucket ? `${this.keys.member(prefix, '' as Fid)}` : this.keys.bucket(prefix);
    for (const { key, value } of pagesOf(this.#reader, { start, end: endOf(start) })) {
      const below = key.slice(start.length);
      const part = isBucket ? below : `${prefix}${below.slice(0, 1)}`;
      const digest = intact<string>(value);
      digests.set(
        part,
        toggled(digests.get(part) ?? noChildren, digest === undefined ? 1n : digestOf(digest)),
      );
    }
    const living = [...digests].filter(([, digest]) => digest !== noChildren);
    return new Map(living.map(([part, digest]) => [part, digestText(digest)]));
  }

  memberDigest(number: string, fid: Fid): bigint {
    const digest = this.#forgettable<string>(this.keys.member(number, fid));
    return digest === undefined ? noChildren : digestOf(digest);
  }

  bucketDigest(number: string): bigint {
    const digest = this.#forgettable<string>(this.keys.bucket(number));
    return digest === undefined ? noChildren : digestOf(digest);
  }

  /** Removed objects whose last change has a stamp up to `most`, oldest first. */
  *removedUpTo(most: number): Generator<{ readonly stamp: number; readonly fid: Fid }> {
    const prefix = `${this.keys.volume}/grave/`;
    const range = { start: prefix, end: this.keys.grave(most + 1, '' as Fid) };
    for (const { key } of pagesOf(this.#reader, range)) {
      const [, , stamp, fid] = key.split('/');
      yield { stamp: Number(stamp), fid: fid as Fid };
    }
  }

  /** Updates whose COP2 has not come. */
  *awaitingCop2(): Generator<StoreId> {
    const start = this.keys.cop2Prefix;
    for (const { key } of pagesOf(this.#reader, { start, end: endOf(start) })) {
      yield key.slice(start.length) as StoreId;
    }
  }

  /** Objects changed after `since`, oldest change first. */
  *changedAfter(since: number): Generator<{ readonly stamp: number; readonly fid: Fid }> {
    for (const { key } of pagesOf(this.#reader, this.keys.stampsAfter(since))) {
      const [, , stamp, fid] = key.split('/');
      yield { stamp: Number(stamp), fid: fid as Fid };
    }
  }

  isMarkedApplied(venus: string, counter: number): boolean {
    return this.#reader.get(this.keys.applied(venus, counter)) !== undefined;
  }

  /** Sixteen hexadecimal digits (children-digest.ts). @throws Failure damaged */
  childrenDigest(directory: Fid): string {
    return this.#read<string>(this.keys.children(directory), directory) ?? digestText(noChildren);
  }

  /** The same; undefined where it is damaged. */
  readableChildren(directory: Fid): string | undefined {
    const value = this.#reader.get(this.keys.children(directory));
    return value === undefined ? digestText(noChildren) : intact<string>(value);
  }

  /** `object`, but undefined also when it is damaged. */
  readableObject(fid: Fid): ObjectRow | undefined {
    return this.#forgettable<ObjectRow>(this.keys.object(fid));
  }

  // What follows may be forgotten at the price of some work: damaged is as good as absent.

  watermark(venus: string): number {
    return this.#forgettable<number>(this.keys.watermark(venus)) ?? 0;
  }

  /** @see seenCounters */
  seenOf(venus: string): readonly number[] {
    return seenCounters(this.#reader, this.keys, venus, (user) => this.watermark(user));
  }

  cop2(storeId: StoreId): Cop2Row | undefined {
    return this.#forgettable<Cop2Row>(this.keys.cop2(storeId));
  }

  peer(replica: string): Mark | undefined {
    const row = this.#forgettable<PeerRow>(this.keys.peer(replica));
    if (row === undefined || 'epochs' in row) return row;
    return { stamp: row.stamp, epochs: [{ id: row.incarnation, after: 0 }] };
  }

  #entryRange(directory: Fid): { readonly start: string; readonly end: string } {
    // '0' is the character after '/': names may begin with any character that is left, U+10FFFF included.
    const prefix = `${this.keys.volume}/entry/${directory}`;
    return { start: `${prefix}/`, end: `${prefix}0` };
  }

  #forgettable<Row>(key: string): Row | undefined {
    const value = this.#reader.get(key);
    return value === undefined ? undefined : intact<Row>(value);
  }

  #read<Row>(key: string, fid: Fid | undefined): Row | undefined {
    const value = this.#reader.get(key);
    if (value === undefined) return undefined;
    try {
      // What the checksum vouches for is what this house wrote.
      return unseal(value) as Row;
    } catch (cause) {
      throw damaged(key, fid, cause);
    }
  }
}

function damaged(key: string, fid: Fid | undefined, cause: unknown): Failure {
  const message = `record ${key} does not match its checksum; it must be fetched again from another replica`;
  return new Failure('damaged', 'vice.read', message, { fid, cause });
}
