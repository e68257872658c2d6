/**
 * Which large files people have read or written lately, by directory. Many programs save by writing a new file beside the
 * old one, which they then remove (Word: `~WRD0000.tmp` and three renamings): by its name nobody can tell what the new
 * one is a version of, but most of what is in it its author has just read there.
 *
 * A guess decides nothing but what a body is compared with: a wrong one costs work, no correctness.
 */
import type { Fid } from '../../vice/interface/index.js';
import { RecentMap } from '../cache/recent-map.js';
import { leastBytes } from './worth.js';

/** Of one user in one directory, newest first. */
const filesEach = 4;
/** Users and directories that are remembered. */
const placesMost = 1000;
/** A new version is seldom more than so many times as long as the old one, or as much shorter. */
const likeliest = 2;

interface Used {
  readonly fid: Fid;
  readonly length: number;
}

export interface UsedFile {
  readonly fid: Fid;
  readonly parent: Fid | null;
  /** Bytes. */
  readonly length: number;
}

export class LatelyUsed {
  readonly #places = new RecentMap<string, readonly Used[]>(placesMost, () => 1);

  used(user: string, { fid, parent, length }: UsedFile): void {
    if (parent === null || length < leastBytes) return;
    const key = placeOf(user, parent);
    const others = (this.#places.get(key) ?? []).filter((each) => each.fid !== fid);
    this.#places.set(key, [{ fid, length }, ...others].slice(0, filesEach));
  }

  /** What a new file there of `length` bytes (undefined: not known yet) is probably a new version of. */
  likely(user: string, parent: Fid, length: number | undefined): Fid | undefined {
    const files = this.#places.get(placeOf(user, parent)) ?? [];
    if (length === undefined) return files[0]?.fid;
    return files.find((each) => length <= each.length * likeliest && each.length <= length * likeliest)?.fid;
  }
}

function placeOf(user: string, parent: Fid): string {
  return `${parent} ${user}`;
}
