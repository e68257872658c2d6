/**
 * Which snapshots a schedule wants to be taken and which to go. Pure.
 *
 * The names follow from the moment that was due alone, so the servers of a volume, each with its own clock and
 * schedule, take them under the same ones: `daily 2024-05-31`, `weekly 2024-05-27` (a Monday).
 *
 * SS-1  Of snapshots that bear other names none goes.
 * SS-2  What is taken is kept: nothing is due that would go at once.
 */
import type { Snapshot } from '../store/snapshot-rows.js';

export interface SnapshotSchedule {
  /** How many of each kind are kept; 0: none is taken. */
  readonly daily: number;
  readonly weekly: number;
  /** When, in hours of UTC. */
  readonly hour: number;
}

export interface DueSnapshots {
  readonly take: readonly Snapshot[];
  /** Names. */
  readonly drop: readonly string[];
}

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
/** So long after the moment a snapshot still is one of that moment; later it has the time at which it is taken. */
const punctualMs = 10 * 60_000;
/** From the beginning of 1970, a Thursday, to the Monday after. */
const firstMondayMs = 4 * dayMs;

export function dueSnapshots(
  { daily, weekly, hour }: SnapshotSchedule,
  now: number,
  existing: readonly Snapshot[],
): DueSnapshots {
  const shift = hour * hourMs;
  const kinds = [
    { kind: 'daily', kept: daily, due: lastBefore(now, dayMs, shift) },
    { kind: 'weekly', kept: weekly, due: lastBefore(now, 7 * dayMs, firstMondayMs + shift) },
  ];
  const take: Snapshot[] = [];
  const drop: string[] = [];
  for (const { kind, kept, due } of kinds) {
    const name = `${kind} ${new Date(due).toISOString().slice(0, 10)}`;
    const pattern = new RegExp(`^${kind} \\d{4}-\\d\\d-\\d\\d$`);
    const there = existing.flatMap((each) => (pattern.test(each.name) ? [each.name] : []));
    // Dates sort as text.
    const wanted = [...new Set([...there, name])].sort().reverse().slice(0, kept);
    if (wanted.includes(name) && !there.includes(name)) {
      take.push({ name, time: now - due <= punctualMs ? due : now });
    }
    drop.push(...there.filter((each) => !wanted.includes(each)));
  }
  return { take, drop };
}

/** The last moment up to `now` that is a multiple of `period` behind `shift`. */
function lastBefore(now: number, period: number, shift: number): number {
  return Math.floor((now - shift) / period) * period + shift;
}
