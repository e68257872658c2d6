/** What a refusal of a change by servers comes to. Pure. */
import { Failure, type FailureKind } from '../../vice/interface/index.js';
import type { LogEntry } from '../log/modify-log.js';
import { WaitingEntries } from './overtaking.js';

/** Refusals that time or an administrator may undo: the change is tried again. */
export const passing: readonly FailureKind[] = [
  'no-space',
  'quota',
  'busy',
  'timeout',
  'unreachable',
  'stale',
];

/**
 * Whether `entry`, refused so, is tried again. Not for want of room while it holds up a removal (HL-1, HL-2): who has
 * filled a volume without servers could never make room again. Then it steps out of the log, with its contents.
 */
export function isPassing(kind: FailureKind, entry: LogEntry, entries: Iterable<LogEntry>): boolean {
  return passing.includes(kind) && !(kind === 'quota' && holdsUpRemovals(entry, entries));
}

function holdsUpRemovals(entry: LogEntry, entries: Iterable<LogEntry>): boolean {
  const waiting = new WaitingEntries();
  waiting.add(entry);
  for (const later of entries) {
    if (later.sequence <= entry.sequence) continue;
    const isRemoval = later.records.some(({ op }) => op === 'remove' || op === 'rmdir');
    if (isRemoval && waiting.holdsUp(later)) return true;
  }
  return false;
}

/** A refusal says for sure that nothing was done: nobody may say so whose call to one server came to nothing. */
export function undecided(message: string): Failure {
  const text = `one server refused the change (${message}), another one has not answered: look before you try again`;
  return new Failure('unreachable', 'venus.log', text);
}
