/**
 * Which blocks are asked for next. Pure.
 *
 * FP-1  What a reader waits for comes before what is read ahead, and that before what somebody wants whole.
 * FP-2  Reading ahead is bounded, and grows only while a reader goes on in order.
 * FP-3  A block that is here, or on its way, is not asked for.
 */
import type { Run } from './block-source.js';

/** Blocks that somebody wants soon. */
export interface Window {
  /** The first one; a reader stands here. */
  readonly next: number;
  /** Up to but not including this one. */
  readonly end: number;
  /** Where what he wants in the end ends. */
  readonly last: number;
}

/** Blocks read ahead at first, and at most. */
export const readAhead = { first: 4, most: 64 } as const;

/** How far a reader is ahead of himself. */
export interface Pace {
  /** Blocks that are read ahead. */
  readonly ahead: number;
  /** The block at which that began. */
  readonly since: number;
}

export function paceFrom(block: number, ahead: number = readAhead.first): Pace {
  return { ahead, since: block };
}

/** The pace of a reader who has come to `block` in order: twice as far once he has read all that was read ahead. */
export function onward(pace: Pace, block: number, most: number = readAhead.most): Pace {
  if (block - pace.since < pace.ahead) return pace.ahead <= most ? pace : { ...pace, ahead: most };
  return { ahead: Math.min(2 * pace.ahead, most), since: block };
}

/**
 * The next blocks to ask for, at most `most`, by windows in order of urgency. At the far end of a window that moves on
 * a few blocks wait until they are worth a request.
 */
export function nextRun(
  windows: readonly Window[],
  isMissing: (block: number) => boolean,
  most: number,
): Run | undefined {
  for (const { next, end, last } of windows) {
    let first = next;
    while (first < end && !isMissing(first)) first += 1;
    if (first >= end) continue;
    let until = first + 1;
    while (until < end && until - first < most && isMissing(until)) until += 1;
    const isEdge = until === end && end < last && first > next;
    if (isEdge && (until - first) * 2 < end - next) continue;
    return { first, end: until };
  }
  return undefined;
}

/** A part of a huge file that can be given up. */
export interface Segment {
  readonly index: number;
  /** Larger is more recent. */
  readonly used: number;
}

/** The segment to give up: what was used least recently of those that nobody is about to read. */
export function segmentToDrop(
  segments: readonly Segment[],
  isWanted: (segment: number) => boolean,
): number | undefined {
  let oldest: Segment | undefined;
  for (const segment of segments) {
    if (isWanted(segment.index)) continue;
    if (oldest === undefined || segment.used < oldest.used) oldest = segment;
  }
  return oldest?.index;
}
