/**
 * What is wrong with one object, as far as the rows of this disk say. Reads rows, changes nothing; the contents
 * themselves are read elsewhere (contents-check.ts).
 */
import {
  emptyDigest,
  isFailure,
  limits,
  noNames,
  rootFid,
  statusSchema,
  toggledName,
  versionsOf,
  type Fid,
} from '../interface/index.js';
import type { StoreReader } from '../seam/store.js';
import { digestText, noChildren, toggled } from '../store/children-digest.js';
import { isCounted } from '../store/container-references.js';
import { isUntouchedRoot } from '../store/recount.js';
import { digestOfRow } from '../store/row-figures.js';
import { bucketOf, childDigest } from '../store/state-digest.js';
import { VolumeReader, type ObjectRow, type VolumeKeys } from '../store/volume-store.js';
import type { Fault, Found } from './finding.js';

/** Of the object itself: its record, its name, its place, its digest, the count of its contents. */
export function examineObject(store: StoreReader, keys: VolumeKeys, fid: Fid): readonly Found[] {
  const reader = new VolumeReader(store, keys);
  let row: ObjectRow | undefined;
  try {
    row = reader.object(fid);
  } catch (error) {
    if (!isFailure(error, 'damaged')) throw error;
    return [found('record-damaged', fid)];
  }
  if (row === undefined) return [];
  if (row.status.fid !== fid || !statusSchema.safeParse(row.status).success) {
    return [found('record-invalid', fid)];
  }
  const faults: Found[] = [];
  if (!row.removed) {
    const place = placeFault(reader, keys, row);
    if (place !== undefined) faults.push(found(place, fid));
  }
  const kept = reader.memberDigest(bucketOf(fid), fid);
  if (kept !== digestOfRow(row) && !isUntouchedRoot(row, keys)) faults.push(found('digest-wrong', fid));
  if (row.removed && row.keeps !== true) return faults;
  for (const { digest } of versionsOf(row.status)) {
    if (digest === emptyDigest || isCounted(store, keys.volume, digest)) continue;
    faults.push({ ...found('contents-uncounted', fid), digest });
  }
  return faults;
}

function placeFault(
  reader: VolumeReader,
  keys: VolumeKeys,
  { status: { fid, kind, parent }, bound }: ObjectRow,
): Fault | undefined {
  if (fid === rootFid(keys.volume)) return undefined;
  if (bound === null) return 'no-name';
  const directory = reader.readableObject(bound.directory);
  if (directory?.removed !== false || directory.status.kind !== 'directory') return 'no-directory';
  if (bound.directory !== parent) return 'no-directory';
  try {
    const entry = reader.entry(bound.directory, bound.name);
    if (entry?.fid !== fid || entry.kind !== kind) return 'name-missing';
    // It bears another one than it would, and nobody is in its way any more.
    const isFree = bound.wanted !== bound.name && reader.entry(bound.directory, bound.wanted) === undefined;
    if (isFree) return 'name-missing';
  } catch (error) {
    if (!isFailure(error, 'damaged')) throw error;
    return 'name-damaged';
  }
  return kind === 'directory' && isBelowItself(reader, fid) ? 'circle' : undefined;
}

function isBelowItself(reader: VolumeReader, fid: Fid): boolean {
  let next = reader.readableObject(fid)?.bound?.directory;
  for (let depth = 0; next !== undefined && depth <= limits.depth; depth += 1) {
    if (next === fid) return true;
    next = reader.readableObject(next)?.bound?.directory;
  }
  return false;
}

/** The entries of one directory, taken one after the other, in as many slices as there are. */
export class DirectoryExam {
  readonly #reader: VolumeReader;
  readonly #directory: Fid;
  readonly #found: Found[] = [];
  #children = noChildren;
  #names: string = noNames;
  /** A child cannot be read: then the digest of the children says nothing. */
  #isIncomplete = false;

  constructor(store: StoreReader, keys: VolumeKeys, directory: Fid) {
    this.#reader = new VolumeReader(store, keys);
    this.#directory = directory;
  }

  /** At most `most` faults are told of one directory: more are found when these are mended. */
  take(name: string, most: number): void {
    const fault = this.#faultOf(name);
    if (fault !== undefined && this.#found.length < most) this.#found.push(fault);
  }

  #faultOf(name: string): Found | undefined {
    try {
      const entry = this.#reader.entry(this.#directory, name);
      if (entry === undefined) return undefined;
      this.#names = toggledName(this.#names, entry.fid, name);
      // One that cannot be read is a fault of its own, found where its own row is looked at.
      const child = this.#reader.object(entry.fid);
      if (child === undefined) {
        return { ...found('name-dangling', entry.fid), entry: { directory: this.#directory, name } };
      }
      const isHere = child.bound?.directory === this.#directory && child.bound.name === name;
      if (!isHere) return found('second-name', this.#directory);
      this.#children = toggled(this.#children, childDigest(child.status));
      return undefined;
    } catch (error) {
      if (!isFailure(error, 'damaged')) throw error;
      this.#isIncomplete = true;
      return error.fid === this.#directory ? found('name-damaged', this.#directory) : undefined;
    }
  }

  /** After the last entry. */
  finish(): readonly Found[] {
    if (this.#found.length > 0) return this.#found;
    const { names } = this.#reader.readableObject(this.#directory)?.status ?? {};
    const isNamed = names === undefined || names === this.#names;
    const areChildren = this.#isIncomplete || this.#keptChildren() === digestText(this.#children);
    if (isNamed && areChildren) return [];
    return [found('digest-wrong', this.#directory)];
  }

  #keptChildren(): string | undefined {
    try {
      return this.#reader.childrenDigest(this.#directory);
    } catch (error) {
      if (!isFailure(error, 'damaged')) throw error;
      return undefined;
    }
  }
}

/** Where an object is in its volume: `/docs/letter.txt`; null: it cannot be said. */
export function pathOf(store: StoreReader, keys: VolumeKeys, fid: Fid): string | null {
  const reader = new VolumeReader(store, keys);
  const names: string[] = [];
  for (let next = fid; next !== rootFid(keys.volume);) {
    const bound = reader.readableObject(next)?.bound;
    if (bound === undefined || bound === null || names.length > limits.depth) return null;
    names.unshift(bound.name);
    next = bound.directory;
  }
  return `/${names.join('/')}`;
}

function found(fault: Fault, fid: Fid): Found {
  return { fault, fid, digest: null, peer: null };
}
