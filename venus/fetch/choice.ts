/**
 * Which source is asked, by what was measured. Pure.
 *
 * FC-1  The first source is the preferred one: data come from it alone as long as it is fast enough (Coda: PickDH).
 * FC-2  Another one takes its place only when it is known to be twice as fast, or when twice in a row a late block came
 *       sooner from it. So two that are alike never take turns.
 * FC-3  A slow one is compared: one of which nothing is known is asked instead, until something is.
 * FC-4  What was measured once may have become better: while the first one is slow, now and then another is asked.
 */
import type { LinkQuality } from '../remote/link-quality.js';
import { bandwidth } from '../remote/link-quality.js';

export interface Measured {
  readonly name: string;
  readonly quality: LinkQuality;
}

const judgedBytes = 16 * 1024 * 1024;
/** A replacement is so many times as fast, and saves so many milliseconds: for `judgedBytes`, or for each call. */
const hysteresis = { times: 2, ms: 1000, latencyMs: 100 } as const;
/** Bytes per second below which another source is tried. */
const slowBelow = 4 * 1024 * 1024;
/** Milliseconds after which a late block is asked of another source, when nothing was measured; and at least. */
const late = { unknown: 1000, least: 300, times: 3 } as const;
/** Of so many requests one goes to another source than a slow first one. */
const triedEvery = 32;
/** Milliseconds for which a request that gives way to users may occupy the link; and the fewest bytes of one. */
const background = { ms: 250, least: 16 * 1024 } as const;
/** Races lost in a row that cost a source its place. */
const lostToReplace = 2;

/** Milliseconds for `bytes`, or undefined when nothing is known. */
export function expectedMs(quality: LinkQuality, bytes: number): number | undefined {
  const rate = bandwidth(quality);
  return rate === undefined ? undefined : (quality.latency ?? 0) + (bytes * 1000) / Math.max(1, rate);
}

/** The source that shall take the place of the first one. */
export function replacement<S extends Measured>([first, ...others]: readonly S[]): S | undefined {
  if (first === undefined) return undefined;
  let best: { readonly source: S; readonly ms: number } | undefined;
  for (const source of others) {
    const ms = expectedMs(source.quality, judgedBytes) ?? Infinity;
    if (!carriesMore(source.quality, first.quality) && !answersSooner(source.quality, first.quality))
      continue;
    if (best === undefined || ms < best.ms) best = { source, ms };
  }
  return best?.source;
}

/** Whether large contents are known to come much sooner from `one` than from `other`. */
function carriesMore(one: LinkQuality, other: LinkQuality): boolean {
  const ms = expectedMs(one, judgedBytes);
  const now = expectedMs(other, judgedBytes);
  return ms !== undefined && now !== undefined && ms * hysteresis.times <= now && now - ms >= hysteresis.ms;
}

/** Whether a call is known to be answered much sooner by `one`, and large contents come not much later. */
function answersSooner(one: LinkQuality, other: LinkQuality): boolean {
  if (one.latency === undefined || other.latency === undefined) return false;
  const isSooner =
    one.latency * hysteresis.times <= other.latency && other.latency - one.latency >= hysteresis.latencyMs;
  return isSooner && (bandwidth(one) ?? Infinity) * hysteresis.times > (bandwidth(other) ?? 0);
}

/**
 * Whom to ask of `sources`, the preferred one first, beside those that are `busy` for the same file. `asked`: how many
 * requests were made before. A user never waits long for a comparison: what is late is asked of the first one, too.
 */
export function chosen<S extends Measured>(
  sources: readonly S[],
  busy: ReadonlySet<string>,
  asked: number,
): S | undefined {
  const [first, ...others] = sources;
  if (first === undefined || (bandwidth(first.quality) ?? Infinity) >= slowBelow) return first;
  const able = others.filter(
    ({ name, quality }) => !busy.has(name) && !answersSooner(first.quality, quality),
  );
  const unknown = able.find(({ quality }) => bandwidth(quality) === undefined);
  if (unknown !== undefined) return unknown;
  const isTurn = asked % triedEvery === triedEvery - 1;
  return (isTurn ? able[Math.floor(asked / triedEvery) % able.length] : undefined) ?? first;
}

/** Bytes of one request that gives way to users: what a server has sent cannot be held back. */
export function backgroundBytes({ quality }: Pick<Measured, 'quality'>, most: number): number {
  const bytes = ((bandwidth(quality) ?? Infinity) * background.ms) / 1000;
  return Math.min(most, Math.max(background.least, Math.floor(bytes)));
}

/** Milliseconds after which a block that was asked of a source of this quality is late. */
export function lateAfter(quality: LinkQuality, bytes: number): number {
  const expected = expectedMs(quality, bytes);
  return expected === undefined ? late.unknown : Math.max(late.least, expected * late.times);
}

/** Late blocks that came sooner from another source, in a row. */
export interface Races {
  readonly loser: string;
  readonly winner: string;
  readonly lost: number;
}

/** One more such race; `replace`: the winner is to be preferred. */
export function raced(
  before: Races | undefined,
  loser: string,
  winner: string,
): { readonly races: Races | undefined; readonly replace: boolean } {
  const isSame = before?.loser === loser && before.winner === winner;
  const lost = (isSame ? before.lost : 0) + 1;
  if (lost >= lostToReplace) return { races: undefined, replace: true };
  return { races: { loser, winner, lost }, replace: false };
}
