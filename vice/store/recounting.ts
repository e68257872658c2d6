/**
 * What follows from many rows, counted some rows at a time while others write.
 *
 * RC-1  A count holds for the moment at which it is asked for: what is changed of a row that was read already is heard
 *       (`hear`), what is changed of another one is read later.
 * RC-2  What no change of an object tells of (a name mended, a transaction taken back) makes the count void: it begins
 *       anew.
 */
import { noNames, toggledName, type DirectoryEntry, type Fid } from '../interface/index.js';
import { compareKeys } from '../seam/ordered-map.js';
import { digestText, noChildren, toggled } from './children-digest.js';
import { bytesOf, livingOf } from './row-figures.js';
import { childDigest } from './state-digest.js';
import type { ObjectRow, VolumeReader } from './volume-store.js';

/** What a count is told of a transaction. */
export interface Heard {
  readonly working: ReadonlyMap<
    Fid,
    { readonly before: ObjectRow | undefined; readonly after: ObjectRow | undefined }
  >;
  /** Directories in which names were written that no object's change tells of. */
  readonly doubtful: ReadonlySet<Fid>;
  /** Objects whose damaged rows were replaced: what these counted for is not known. */
  readonly replaced: readonly Fid[];
}

export interface Count {
  hear(heard: Heard): void;
  spoil(): void;
}

/** The digests of a directory's names and of its children. */
export class DirectoryCount implements Count {
  readonly #directory: Fid;
  /** Names up to this one were read; null: all. */
  #passed: string | null = '';
  #names: string = noNames;
  #children = noChildren;
  /** Names whose object bears another one, or was removed. */
  readonly strays: string[] = [];
  isVoid = false;

  constructor(directory: Fid) {
    this.#directory = directory;
  }

  get names(): string {
    return this.#names;
  }

  get children(): string {
    return digestText(this.#children);
  }

  /** The next name in the order of the rows; `child`: its object, where that can be read. */
  take({ name, fid }: DirectoryEntry, child: ObjectRow | undefined): void {
    this.#passed = name;
    const isHere = child?.bound?.directory === this.#directory && child.bound.name === name;
    // Of an object that cannot be read here the name stays: a peer may bring the object.
    if (child !== undefined && !isHere) this.strays.push(name);
    this.#names = toggledName(this.#names, fid, name);
    if (isHere) this.#children = toggled(this.#children, childDigest(child.status));
  }

  /** There are no more names. */
  end(): void {
    this.#passed = null;
  }

  hear({ working, doubtful }: Heard): void {
    if (doubtful.has(this.#directory)) this.spoil();
    for (const { before, after } of working.values()) {
      for (const row of [before, after]) {
        if (row?.bound?.directory !== this.#directory || !this.#hasPassed(row.bound.name)) continue;
        this.#names = toggledName(this.#names, row.status.fid, row.bound.name);
        this.#children = toggled(this.#children, childDigest(row.status));
      }
    }
  }

  spoil(): void {
    this.isVoid = true;
  }

  #hasPassed(name: string): boolean {
    return this.#passed === null || compareKeys(name, this.#passed) <= 0;
  }
}

/** Bytes and living objects of a whole volume. */
export class SpaceCount implements Count {
  #passed = '';
  used = 0;
  objects = 0;
  isVoid = false;

  /** The next object in the order of the rows; undefined: it cannot be read. */
  take(fid: Fid, row: ObjectRow | undefined): void {
    this.#passed = fid;
    this.#add(row, 1);
  }

  /** There are no more objects. */
  end(): void {
    this.#passed = '~';
  }

  hear({ working, replaced }: Heard): void {
    if (replaced.some((fid) => fid <= this.#passed)) this.spoil();
    for (const [fid, { before, after }] of working) {
      if (fid > this.#passed || before === after) continue;
      this.#add(before, -1);
      this.#add(after, 1);
    }
  }

  spoil(): void {
    this.isVoid = true;
  }

  #add(row: ObjectRow | undefined, change: 1 | -1): void {
    this.used += change * bytesOf(row);
    this.objects += change * livingOf(row);
  }
}

/**
 * Both digests of a small directory, now; undefined: it has more than `most` names, or one that cannot be read, or that
 * does not belong here.
 * `rowOf`: an object as it is, where it can be read.
 */
export function recountedWithin(
  reader: VolumeReader,
  directory: Fid,
  rowOf: (fid: Fid) => ObjectRow | undefined,
  most: number,
): { readonly names: string; readonly children: string; readonly entries: number } | undefined {
  const count = new DirectoryCount(directory);
  let entries = 0;
  for (const { entry } of reader.entries(directory)) {
    if (entry === undefined || (entries += 1) > most) return undefined;
    count.take(entry, rowOf(entry.fid));
  }
  if (count.strays.length > 0) return undefined;
  return { names: count.names, children: count.children, entries };
}
