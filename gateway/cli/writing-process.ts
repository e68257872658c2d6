/**
 * Whose a temporary file is, or a snapshot for the time of a dump: a mark in its name, of this machine and process. So
 * a command can take away what one has left that was killed, and leaves alone what one is at that works beside it.
 *
 * WP-1  A process is its number and the moment when it began: another one that has come to the same number is not it.
 *       Where the system does not tell that (no /proc), the number must do, and a leftover may stay for longer.
 * WP-2  Numbers mean something among those who share them: containers under one host name are machines of their own.
 * WP-3  Whom one cannot see one does not call dead: others' things count as left when they are very old.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { systemCode } from '../config/operator-error.js';

/** Twelve hexadecimal digits: six of the machine, six of the process. */
export const writerMark = /^[0-9a-f]{12}$/;

/** What somebody on another machine writes nobody can tell from here. A dump of many terabytes may take days. */
const foreignMs = 7 * 24 * 60 * 60 * 1000;

export function ownMark(): string {
  return markOf(process.pid, startOf(process.pid));
}

/** `start`: when the process began, as the system says it; undefined: it does not. */
export function markOf(pid: number, start: string | undefined): string {
  const process =
    start === undefined ? pid.toString(16).padStart(6, '0').slice(-6) : hashed(`${pid} ${start}`);
  return `${hashed(`${hostname()} ${numbering()}`)}${process}`;
}

/** Whether nobody is at it any more who has made something under `mark`; `ageMs`: since then. */
export function isLeft(mark: string, ageMs: number): boolean {
  if (!writerMark.test(mark)) return false;
  const own = ownMark();
  if (mark === own) return true;
  if (mark.slice(0, 6) !== own.slice(0, 6)) return ageMs > foreignMs;
  if (startOf(process.pid) === undefined) return !isRunning(Number.parseInt(mark.slice(6), 16));
  // Other users' processes may be hidden.
  if (startOf(1) === undefined) return ageMs > foreignMs;
  const numbers = readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name));
  return !numbers.some((number) => {
    const start = startOf(Number(number));
    return start !== undefined && markOf(Number(number), start) === mark;
  });
}

/** When a process began: which start of the machine, and how long after it. */
export function startOf(pid: number): string | undefined {
  const stat = textOf(`/proc/${pid}/stat`);
  // The name of the program, in brackets, may have anything in it.
  const ticks = stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  return ticks === undefined ? undefined : `${textOf('/proc/sys/kernel/random/boot_id') ?? ''} ${ticks}`;
}

/** Who counts processes as this one does (WP-2). */
function numbering(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return '';
  }
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return undefined;
  }
}

function hashed(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 6);
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
