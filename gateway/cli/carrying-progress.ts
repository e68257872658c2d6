/** How far a dump or a restore is: objects, bytes, how fast, how long still; on one line, where a person watches. */
import { bytesText } from './output.js';
import { durationText } from './words.js';

const tellEveryMs = 250;

export interface Carried {
  readonly objects: number;
  readonly bytes: number;
}

/** Tells of `carried`, which others keep up to date, until the result is called. `all` is about what it will be. */
export function tellCarrying(what: string, carried: Carried, all: Carried | undefined): () => void {
  if (!process.stderr.isTTY) return () => undefined;
  const started = performance.now();
  const timer = setInterval(() => {
    process.stderr.write(`\r${carryingText(what, carried, all, performance.now() - started)}\x1b[K`);
  }, tellEveryMs);
  return () => {
    clearInterval(timer);
    process.stderr.write('\r\x1b[K');
  };
}

/** `elapsed` in milliseconds. */
export function carryingText(
  what: string,
  carried: Carried,
  all: Carried | undefined,
  elapsed: number,
): string {
  const { objects, bytes } = carried;
  const rate = bytes / Math.max(elapsed / 1000, 0.001);
  const of = (total: number | undefined, text: (count: number) => string): string =>
    total === undefined ? '' : ` of ${text(total)}`;
  const head =
    `${what}: ${objects}${of(all?.objects, String)} objects, ` +
    `${bytesText(bytes)}${of(all?.bytes, bytesText)}, ${bytesText(rate)}/s`;
  if (all === undefined || all.bytes <= bytes || rate === 0) return head;
  return `${head}, ${durationText(((all.bytes - bytes) / rate) * 1000)} left`;
}
