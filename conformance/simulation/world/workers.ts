/** Seeds in child processes, in order of their numbers, each process one at a time. */
import { fork, type ChildProcess } from 'node:child_process';
import type { Verdict } from './verdict.js';

export interface SeedVerdict extends Omit<Verdict, 'trace'> {
  readonly seed: number;
  /** The same run a second time gave another hash. */
  readonly unlike?: string;
}

export interface Work {
  readonly seed: number;
  /** To be run twice, and compared. */
  readonly twice: boolean;
}

export interface WorkersOptions {
  readonly jobs: number;
  readonly execArgv?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Called with each verdict; the answer false ends the work. */
  readonly take: (verdict: SeedVerdict) => boolean;
}

/** Settles when all is done. @throws Error when a process ends before its work */
export async function runSeeds(seeds: Iterable<Work>, options: WorkersOptions): Promise<void> {
  const queue = seeds[Symbol.iterator]();
  let isOver = false;
  const work = async (): Promise<void> => {
    const child = fork(new URL('./worker.js', import.meta.url), {
      execArgv: ['--enable-source-maps', ...(options.execArgv ?? [])],
      env: { ...process.env, ...options.environment },
      serialization: 'advanced',
    });
    try {
      while (!isOver) {
        const next = queue.next();
        if (next.done === true) break;
        if (!options.take(await ask(child, next.value))) isOver = true;
      }
    } finally {
      child.kill();
    }
  };
  await Promise.all(Array.from({ length: options.jobs }, work));
}

function ask(child: ChildProcess, work: Work): Promise<SeedVerdict> {
  return new Promise((resolve, reject) => {
    const ended = (code: number | null): void =>
      reject(new Error(`seed ${work.seed}: the process ended with ${code}`));
    child.once('exit', ended);
    child.once('message', (message) => {
      child.off('exit', ended);
      resolve(message as SeedVerdict);
    });
    child.send(work);
  });
}
