/**
 * Whose a temporary file is, or a snapshot for the time of a dump: a mark in its name, of this machine and process. So
 * a command can take away what one has left that was killed, and leaves alone what one is at that works beside it.
 */
import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import { systemCode } from '../config/operator-error.js';

/** Twelve hexadecimal digits: six of the machine, six of the process. */
export const writerMark = /^[0-9a-f]{12}$/;

/** What somebody on another machine writes nobody can tell from here: it counts as left after this time. */
const foreignMs = 24 * 60 * 60 * 1000;

export function ownMark(): string {
  return `${machine()}${process.pid.toString(16).padStart(6, '0').slice(-6)}`;
}

/** Whether nobody is at it any more who has made something under `mark`; `ageMs`: since then. */
export function isLeft(mark: string, ageMs: number): boolean {
  if (!writerMark.test(mark)) return false;
  if (mark === ownMark()) return true;
  if (!mark.startsWith(machine())) return ageMs > foreignMs;
  return !isRunning(Number.parseInt(mark.slice(6), 16));
}

function machine(): string {
  return createHash('sha256').update(hostname()).digest('hex').slice(0, 6);
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Another user's.
    return systemCode(error) === 'EPERM';
  }
}
