/** Processor time of a process, as Linux counts it. */
import { readFile } from 'node:fs/promises';

/** Of `/proc`: the same on every architecture that Node runs on. */
const ticksPerSecond = 100;

/** In user mode and in the kernel, all threads. */
export async function processorSecondsOf(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8');
  // The name may hold anything but ends with the last bracket; utime and stime are the 14th and 15th field.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}
