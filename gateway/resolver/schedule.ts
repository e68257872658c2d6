/** When a resolver runs: who goes first where several gateways see the conflict, and how often at all. Pure. */
import { hash } from 'node:crypto';
import type { ConflictReport } from '../../venus/interface.js';

/** What one gateway remembers of a file in conflict. */
export interface Memory {
  /** Of the versions that it knows now. */
  readonly versions: string;
  /** When they were first seen together, by the monotonic clock. */
  readonly since: number;
  /** A resolver has been run for exactly these versions: it is not run again. */
  readonly isTried: boolean;
  /** Failures, one after the other, for this file. */
  readonly failures: number;
  readonly lastFailure: number;
}

/** Others may still be on their way to tell of more versions. */
const settleMs = 2_000;
/** Coda's ASR_INTERVAL (coda-src/venus/venus.private.h). */
const intervalMs = 300_000;
const longestMs = 24 * 3_600_000;
/** Gateways that have made none of the versions come after those that have. */
const otherRanks = 8;

/** The same for the same versions, on every gateway. */
export function versionsKey({ versions }: ConflictReport): string {
  return versions
    .map(({ storeId }) => storeId)
    .sort()
    .join(' ');
}

/** Who has made the version that is shown goes first, then who has made the others, then all else. */
export function rankOf({ versions, fid }: ConflictReport, gateway: string): number {
  const own = versions.findIndex(({ host }) => host === gateway);
  if (own >= 0) return own;
  return (
    versions.length +
    (Number.parseInt(hash('sha256', `${fid} ${gateway}`, 'hex').slice(0, 8), 16) % otherRanks)
  );
}

/** What is remembered when `report` is seen at `now`. */
export function seen(before: Memory | undefined, report: ConflictReport, now: number): Memory {
  const versions = versionsKey(report);
  if (before?.versions === versions) return before;
  const { failures = 0, lastFailure = 0 } = before ?? {};
  return { versions, since: now, isTried: false, failures, lastFailure };
}

/** Whether its turn has come. `timeLimitMs`: in which those before it are done. */
export function isDue(memory: Memory, rank: number, timeLimitMs: number, now: number): boolean {
  if (memory.isTried) return false;
  if (now < memory.since + settleMs + rank * (timeLimitMs + settleMs)) return false;
  if (memory.failures === 0) return true;
  return now >= memory.lastFailure + Math.min(intervalMs * 2 ** (memory.failures - 1), longestMs);
}

export function tried(memory: Memory, hasFailed: boolean, now: number): Memory {
  if (!hasFailed) return { ...memory, isTried: true, failures: 0 };
  return { ...memory, isTried: true, failures: memory.failures + 1, lastFailure: now };
}
