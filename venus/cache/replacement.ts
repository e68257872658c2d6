/**
 * What cached contents are worth (Coda: coda-src/venus/fso1.cc, ComputePriority; Kistler and Satyanarayanan 1992,
 * section 4.3.2). Pure.
 *
 *   priority = 25 * recency (0..1000) + 75 * hoard priority (0..1000)
 *
 * Recency falls by one with every generation since the last reference. A generation is 2^shift references, so that the
 * whole scale is four times as long as the cache has containers. Two things differ from Coda:
 *
 * RP-1  A rank counts whole generations, so that the order of two containers changes only where one of them is at the
 *       end of the scale: that is what lets EvictionOrder keep heaps.
 * RP-2  One open proves nothing about the next: until contents are opened again, a while later, their recency is
 *       1..29. So a scan through any number of files leaves alone what is hoarded at the default priority (10), and
 *       what people come back to.
 */
export const hoardMost = 1000;

const recencyWeight = 25;
const hoardWeight = 75;
const recencyMost = 1000;
/** Of what was opened once: together less than a hoard priority of 10. */
const firstRecencyMost = 29;
/** One generation of what was opened once is so many doublings longer: 29 of them are about 1000 of the others. */
const firstShift = 5;
/** Coda's ssf: so many times the cache's containers are referenced from one end of the scale to the other. */
const scale = 4;
/** Bytes of a usual container (Coda: cachefiles is about cacheblocks / 24). */
const usualBytes = 24 * 1024;
/** References between the first open and one that counts as another: programs open a file several times at once. */
const apart = 64;

/** What a fetch for a user may evict is worth less than this. */
export const foregroundRequest = recencyWeight * 1000 + hoardWeight * 500;
/** What may go to keep the margins is worth less than this: something that is hoarded low, or growing old. */
export const marginRequest = recencyWeight * 1000;

/** How contents were used. References are numbered from 1. */
export interface Usage {
  /** 0: nobody wants it kept. */
  readonly hoard: number;
  /** The last reference; 0: there was none. */
  readonly used: number;
  /** It was opened again after a while. */
  readonly again: boolean;
}

/** The highest level stays whatever comes. */
export function isSticky(hoard: number): boolean {
  return hoard >= hoardMost;
}

/** What the hoard walk may evict for something of this hoard priority is worth less than this. */
export function walkRequest(hoard: number): number {
  return hoardWeight * hoard;
}

/** Doublings of the references in one generation, for a cache of `limitBytes`. */
export function generationShift(limitBytes: number): number {
  const containers = limitBytes / usualBytes;
  return Math.max(0, Math.floor(Math.log2((containers * scale) / recencyMost)));
}

/** How a kind of usage ages: its scale, and the length of its generations. */
export function ageing(again: boolean, shift: number): { readonly most: number; readonly shift: number } {
  return again ? { most: recencyMost, shift } : { most: firstRecencyMost, shift: shift + firstShift };
}

export function generation(reference: number, shift: number): number {
  return Math.floor(reference / 2 ** shift);
}

/** After `references` in all. */
export function recency({ used, again }: Usage, references: number, shift: number): number {
  if (used === 0) return 0;
  const scaled = ageing(again, shift);
  const rank = generation(references, scaled.shift) - generation(used, scaled.shift);
  return scaled.most - Math.min(scaled.most - 1, rank);
}

export function priority(usage: Usage, references: number, shift: number): number {
  return recencyWeight * recency(usage, references, shift) + hoardWeight * usage.hoard;
}

/** Whether an open now, when the first was at reference `since`, shows that people come back. */
export function isAgain(since: number, now: number): boolean {
  return now - since >= apart;
}

/** Room that is kept free: of the cache's limit, or of what the disk can hold where that is less. */
export function marginOf(limitBytes: number, cachedBytes: number, freeBytes: number): number {
  return Math.min(Math.floor(Math.min(limitBytes, cachedBytes + freeBytes) / 64), 256 * 1024 * 1024);
}

/** Between equals chance decides, the same for one seed: a loop over more than the cache holds still finds a part. */
export function tieOf(digest: string, seed: number): number {
  return (parseInt(digest.slice(0, 8), 16) ^ seed) >>> 0;
}
