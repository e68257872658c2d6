/**
 * Loaded before a process's own program (`node --import`): notes the turns of its event loop in which the main thread
 * computed for long, one line each, in a file of `CODA_TURNS`.
 *
 * Processor time of the main thread alone, as Linux counts it: on a machine that others use, too, the time on the wall
 * would be theirs. It is looked at every millisecond, so a figure is at most that much too large.
 */
import { openSync, readSync, writeSync } from 'node:fs';
import { basename, join } from 'node:path';

const folder = process.env['CODA_TURNS'];
const everyMs = 1;
/** Shorter turns are not noted. */
const notedMs = 3;

/** Processor nanoseconds of the main thread so far: the first field of its schedstat. */
function mainThread(): () => number {
  const stat = openSync(`/proc/self/task/${process.pid}/schedstat`, 'r');
  const buffer = Buffer.alloc(100);
  return () => Number(buffer.toString('latin1', 0, readSync(stat, buffer, 0, 100, 0)).split(' ', 1)[0]);
}

if (folder !== undefined) {
  const role = process.argv[2] ?? basename(process.argv[1] ?? 'node');
  const notes = openSync(join(folder, `${role}-${process.pid}`), 'a');
  const used = mainThread();
  let last = used();
  setInterval(() => {
    const now = used();
    const ms = (now - last) / 1e6;
    last = now;
    if (ms < notedMs) return;
    writeSync(notes, `${Date.now()} ${ms.toFixed(1)}\n`);
    // What was spent on the note is nobody's.
    last = used();
  }, everyMs).unref();
}
