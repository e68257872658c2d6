/**
 * Whether it pays to find out what has changed instead of moving all of it. A decision; no clock, no link.
 *
 * WO-1  Comparing takes this gateway's processor: each byte of both contents is looked at once. On a fast link all of
 *       it is moved sooner.
 * WO-2  Of a link of which nothing is known the worse is feared: comparing in vain makes one file's transfer some times
 *       slower, moving all of a large file over a slow link takes a quarter of an hour. After three transfers it is
 *       known.
 */

/** What the operator wants: as the links are; for a line that is paid by the byte; or not at all. */
export const differenceModes = ['measured', 'always', 'never'] as const;
export type DifferenceMode = (typeof differenceModes)[number];

/**
 * Bytes below which nothing is compared: of a smaller file the call that asks what the server has, the two chunks that
 * a change touches and the recipe are a good part of it.
 */
export const leastBytes = 1024 * 1024;

/**
 * Bytes a second that are compared, about, with reading them from a disk; a low guess, so that a link which is faster
 * than half of it is surely better used as it is.
 */
const comparedRate = 80_000_000;

/** Steps that would move more than this part of the contents are not worth their price. */
export const mostMoved = 0.75;

export interface Comparison {
  readonly mode: DifferenceMode;
  readonly oldLength: number;
  readonly newLength: number;
  /** Of the link, undefined: not known. */
  readonly bytesPerSecond: number | undefined;
}

/** Whether contents of `newLength` should be compared with older ones. */
export function isWorth({ mode, oldLength, newLength, bytesPerSecond }: Comparison): boolean {
  const atBest = Math.min(oldLength, newLength);
  if (mode === 'never' || atBest < leastBytes) return false;
  // What a much shorter old version can save is less than what is moved anyway.
  if (atBest < newLength * (1 - mostMoved)) return false;
  if (mode === 'always' || bytesPerSecond === undefined) return true;
  return atBest / bytesPerSecond > (oldLength + newLength) / comparedRate;
}
