/**
 * How fast a link is in one direction, estimated from what is transferred over it anyway (Coda: GetBandwidth, "weakly
 * connected" below 50 kB/s). A value and functions of it; no clock.
 *
 * LQ-1  A small transfer is mostly latency: that it was slow says nothing, that it was fast is proof.
 * LQ-2  The estimate is the median of the last few rates, so that neither one burst (bytes that a buffer took at
 *       once) nor one stall (a server that was busy) turns it. What took long counts twice.
 * LQ-3  Without `verdictSamples` rates nothing is known, and an unknown link is a strong one. Idle time is no sample.
 */
export interface Sample {
  /** Carried from one end to the other. */
  readonly bytes: number;
  /** In which the link, and not a disk or a user, was waited for. */
  readonly milliseconds: number;
}

export interface LinkQuality {
  /** Of the last transfers, oldest first, bytes per second. */
  readonly rates: readonly number[];
  /** Milliseconds of a call that carries next to nothing; undefined while none was seen. */
  readonly latency: number | undefined;
  readonly weak: boolean;
}

/** Bytes per second: weak below the one, strong again above the other. */
export const weakBelow = 50_000;
export const strongAbove = 100_000;

const ratesKept = 7;
const verdictSamples = 3;
/** From here on a transfer has left slow start and latency behind. */
const bulkBytes = 64 * 1024;
/** So long is no latency any more, if it brought at least `leastBytes`. */
const longMs = 2000;
const leastBytes = 4 * 1024;

export const unknownQuality: LinkQuality = { rates: [], latency: undefined, weak: false };

/** The quality after one more transfer. The same value when it says nothing. */
export function observed(quality: LinkQuality, { bytes, milliseconds }: Sample): LinkQuality {
  if (!(bytes >= 0) || !(milliseconds >= 0)) return quality;
  if (bytes < leastBytes) return withLatency(quality, milliseconds);
  // Never below half of the time that was measured: a latency that is wrong must not make a link infinitely fast.
  const busy = Math.max(milliseconds - (quality.latency ?? 0), milliseconds / 2, 1);
  const tells = bytes >= bulkBytes || busy >= longMs || rateOf(bytes, milliseconds) >= strongAbove;
  if (!tells) return quality;
  const rate = rateOf(bytes, busy);
  // Of a very slow link there are few samples, each of them long.
  const said = busy >= 2 * longMs ? [rate, rate] : [rate];
  const rates = [...quality.rates, ...said].slice(-ratesKept);
  return { ...quality, rates, weak: isWeak(rates, quality.weak) };
}

/** Bytes per second, or undefined when nothing is known. */
export function bandwidth({ rates }: LinkQuality): number | undefined {
  return rates.length < verdictSamples ? undefined : median(rates);
}

/**
 * LQ-4  Several links to the same volume are weak when some were measured to be, and none to be strong: of links that
 *       share a slow cable TCP may starve one, and on that one nothing passes that could be measured.
 */
export function areWeak(links: readonly LinkQuality[]): boolean {
  const isWeak = ({ weak }: LinkQuality): boolean => weak;
  return links.some(isWeak) && links.every((link) => link.weak || bandwidth(link) === undefined);
}

function isWeak(rates: readonly number[], was: boolean): boolean {
  if (rates.length < verdictSamples) return was;
  const rate = median(rates);
  return was ? rate <= strongAbove : rate < weakBelow;
}

/** The least that was seen lately: a busy server makes single calls slow, nothing makes them fast. */
function withLatency(quality: LinkQuality, milliseconds: number): LinkQuality {
  const { latency } = quality;
  if (latency === milliseconds) return quality;
  const least = latency === undefined || milliseconds < latency;
  return { ...quality, latency: least ? milliseconds : latency + (milliseconds - latency) / 100 };
}

function rateOf(bytes: number, milliseconds: number): number {
  return (bytes * 1000) / Math.max(1, milliseconds);
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2;
}
