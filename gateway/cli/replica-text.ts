/** A replica on its way, in words. Pure. */
import type { Amount, OnTheWay } from '../administration/replica-way.js';
import { bytesText } from './output.js';
import { durationText } from './words.js';

/** Where it stood when somebody began to watch. */
export interface Start {
  /** Monotonic milliseconds. */
  readonly at: number;
  readonly done: Amount;
}

/** "s4 is filled: 1200 of 3000 objects, 3 MiB of 9 MiB, 400 objects/s, 1 MiB/s, about 5 s left". */
export function wayText(way: OnTheWay, start: Start | undefined, now: number): string {
  const { server, state, done, all, reason } = way;
  const waits = reason === undefined ? '' : ` (${reason})`;
  if (state === 'leaving') return `${server} leaves when the others have all that it has${waits}`;
  if (state === 'member') return `${server} has everything${waits}`;
  if (done === undefined) return `${server} is to be filled${waits}`;
  if (all === undefined)
    return `${server} is filled: ${done.objects} objects, ${bytesText(done.bytes)}${waits}`;
  const objects = `${Math.min(done.objects, all.objects)} of ${all.objects} objects`;
  const bytes = `${bytesText(Math.min(done.bytes, all.bytes))} of ${bytesText(all.bytes)}`;
  return `${server} is filled: ${objects}, ${bytes}${rateText(done, all, start, now)}${waits}`;
}

function rateText(done: Amount, all: Amount, start: Start | undefined, now: number): string {
  const seconds = start === undefined ? 0 : (now - start.at) / 1000;
  if (start === undefined || seconds < 1) return '';
  const objects = (done.objects - start.done.objects) / seconds;
  const bytes = (done.bytes - start.done.bytes) / seconds;
  if (objects <= 0 && bytes <= 0) return '';
  const left = Math.max(
    remaining(all.objects - done.objects, objects),
    remaining(all.bytes - done.bytes, bytes),
  );
  const end = Number.isFinite(left) ? `, about ${durationText(left * 1000)} left` : '';
  return `, ${Math.round(objects)} objects/s, ${bytesText(bytes)}/s${end}`;
}

function remaining(amount: number, perSecond: number): number {
  return amount <= 0 ? 0 : amount / perSecond;
}
