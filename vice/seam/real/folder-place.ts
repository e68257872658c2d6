/**
 * Where a data folder is, so that a copy of it can be told from it: its number and time of birth in its file system
 * (a copy, or what comes back from a backup, is made anew), and the machine (an image of a whole disk has the same
 * numbers). To move a folder within its file system, or to start the machine anew, changes none of them.
 */
import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { hostname } from 'node:os';

/** @throws Error as `stat` does */
export async function placeOf(folder: string): Promise<string> {
  // A container has its own name and mostly no machine id; a machine made from an image of another gets a new one.
  const machine = await readFile('/etc/machine-id', 'utf8').catch(() => '');
  const { ino, birthtimeNs, ctimeNs } = await stat(folder, { bigint: true });
  // Where the system tells no birth, libuv says when the folder last changed: that is now, as it has just been claimed.
  const birth = birthtimeNs === ctimeNs ? 0n : birthtimeNs;
  const told = [ino, birth, hostname(), machine.trim()].join('\n');
  return createHash('sha256').update(told).digest('hex').slice(0, 32);
}
