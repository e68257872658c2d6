/**
 * What is left for a person to decide about one object, and the names under which it can be seen. Pure.
 *
 * Nothing is ever hidden: every version of a file is a file in the listing, every object has a name.
 */
import { hash } from 'node:crypto';
import { differingLists } from './access.js';
import { isRemoved } from './merge.js';
import type { Fid } from './fid.js';
import { isWithin, type StoreId } from './store-id.js';
import { limits, type FileData, type Placement, type VnodeStatus } from './vnode.js';

/**
 * - `versions`: the contents of a file were changed apart (Coda: write/write).
 * - `name`: two new objects were given one name apart (name/name); this one bears another name meanwhile.
 * - `removal`: somebody removed it without knowing of an update that survives (remove/update).
 * - `place`: it was moved to several places apart, or into itself by two moves (interfering renames).
 * - `protection`: its access list was set apart to different ones (update/update); the stricter holds meanwhile.
 */
export type ConflictKind = 'versions' | 'name' | 'removal' | 'place' | 'protection';

/** The conflicts of an object that bears `name` (null: the root), in this order. */
export function conflictsOf(status: VnodeStatus, name: string | null): readonly ConflictKind[] {
  const kinds: ConflictKind[] = [];
  if (siblingsOf(status).length > 0) kinds.push('versions');
  const [place] = status.places;
  if (place !== undefined && name !== null && place.name !== name) kinds.push('name');
  if (!isWithin(status.gone, status.revived) && !isRemoved(status)) kinds.push('removal');
  if (place !== undefined && (place.isBroken || status.places.some((other) => !isSamePlace(place, other)))) {
    kinds.push('place');
  }
  if (differingLists(status).length > 1) kinds.push('protection');
  return kinds;
}

/** The versions that are seen beside the shown one. Identical contents are no conflict. */
export function siblingsOf({ data, siblings }: Pick<VnodeStatus, 'data' | 'siblings'>): readonly FileData[] {
  const seen = new Set([data?.digest]);
  return siblings.filter(({ digest }) => {
    const isNew = !seen.has(digest);
    seen.add(digest);
    return isNew;
  });
}

/** Who made what could not keep its name, where and when. */
export interface Origin {
  readonly author: string;
  /** Name of the gateway. */
  readonly host: string;
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly storeId: StoreId;
}

/** `name (conflict AUTHOR HOST TIME).ext`; TIME is UTC. `distinct`: where even that is taken. */
export function conflictName(name: string, origin: Origin, distinct = false): string {
  const time = new Date(Math.min(Math.max(origin.time, 0), lastMoment))
    .toISOString()
    .slice(0, 19)
    .replace('T', ' ')
    .replaceAll(':', '.');
  const mark = distinct ? ` ${hash('sha256', origin.storeId, 'hex').slice(0, 6)}` : '';
  const words = [plain(origin.author), plain(origin.host), time].filter((word) => word !== '').join(' ');
  const [stem, extension] = split(name);
  const tail = ` (conflict ${words}${mark})${extension}`;
  return `${clipped(stem, limits.nameBytes - Buffer.byteLength(tail))}${tail}`;
}

/** Whether `name` has the form of those that are given beside others. A person may have given it all the same. */
export function isBeside(name: string): boolean {
  return name.includes(' (conflict ');
}

/**
 * What the object `fid` bears, in this order, where others keep the name of `place` (vice/volume/naming.ts). The last
 * one is taken by nobody: it has the object's own Fid in it.
 */
export function namesBeside(fid: Fid, place: Origin & Pick<Placement, 'name'>): readonly string[] {
  return [
    conflictName(place.name, place),
    conflictName(place.name, place, true),
    conflictName(place.name, { ...place, host: fid }, true),
  ];
}

/** The year 9999 ends: no clock, however wrong, makes a name that is none. */
const lastMoment = Date.UTC(10_000, 0) - 1;

function isSamePlace(a: VnodeStatus['places'][number], b: VnodeStatus['places'][number]): boolean {
  return a.parent === b.parent && a.name === b.name;
}

/** A name's extension is what programs open it by: at most 16 bytes behind the last dot. */
function split(name: string): readonly [string, string] {
  const dot = name.lastIndexOf('.');
  const extension = dot <= 0 ? '' : name.slice(dot);
  return Buffer.byteLength(extension) > 17
    ? [name, '']
    : [name.slice(0, name.length - extension.length), extension];
}

/** A word of a name: without what names, shares or shells stumble over, and short. */
function plain(word: string): string {
  return clipped(
    word
      .toWellFormed()
      .replace(/[\u0000-\u001f\u007f\ufffe\uffff/\\:*?"<>|()]/g, '_')
      .trim(),
    40,
  );
}

function clipped(text: string, bytes: number): string {
  let clip = text;
  while (Buffer.byteLength(clip) > bytes) clip = clip.slice(0, -1);
  return clip.isWellFormed() ? clip : clip.slice(0, -1);
}
