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
  /** Milliseconds after which a run is taken to hang. */
  readonly hangsMs?: number;
  /** Called with each verdict; the answer false ends the work. */
  readonly take: (verdict: SeedVerdict) => boolean;
}

/** In the place of a hash. */
export const hangs = 'hangs';
/** Of real time: a run takes a fraction of a second, ten of them on a machine that is busy. */
const hangsMs = 180_000;

/**
 * Settles when all is done. A run that does not end breaks a law, too: it is broken off, and the next ones go on.
 * @throws Error when a process ends before its work
 */
export async function runSeeds(seeds: Iterable<Work>, options: WorkersOptions): Promise<void> {
  const queue = seeds[Symbol.iterator]();
  let isOver = false;
  const begin = (): ChildProcess =>
    fork(new URL('./worker.js', import.meta.url), {
      execArgv: ['--enable-source-maps', ...(options.execArgv ?? [])],
      env: { ...process.env, ...options.environment },
      serialization: 'advanced',
    });
  const work = async (): Promise<void> => {
    let child = begin();
    try {
      while (!isOver) {
        const next = queue.next();
        if (next.done === true) break;
        const verdict = await ask(child, next.value, options.hangsMs ?? hangsMs);
        if (!options.take(verdict ?? hanging(next.value))) isOver = true;
        if (verdict === undefined) {
          child.kill('SIGKILL');
          child = begin();
        }
      }
    } finally {
      child.kill();
    }
  };
  await Promise.all(Array.from({ length: options.jobs }, work));
}

/** undefined: there is no answer in time. */
function ask(child: ChildProcess, work: Work, mostMs: number): Promise<SeedVerdict | undefined> {
  return new Promise((resolve, reject) => {
    const ended = (code: number | null): void =>
      reject(new Error(`seed ${work.seed}: the process ended with ${code}`));
    const done = (verdict: SeedVerdict | undefined): void => {
      clearTimeout(timer);
      child.off('exit', ended);
      resolve(verdict);
    };
    const timer = setTimeout(() => done(undefined), mostMs);
    child.once('exit', ended);
    child.once('message', (message) => done(message as SeedVerdict));
    child.send(work);
  });
}

function hanging({ seed }: Work): SeedVerdict {
  const nothing = { deeds: 0, acknowledged: 0, steps: 0, settledMs: undefined, situations: {}, cpuMs: 0 };
  const violations = [{ law: 'answers', text: 'the run does not end: something goes round for ever' }];
  return { seed, hash: hangs, ...nothing, violations };
}
