/**
 * Programs of the system that tests run: finding them, running them with a deadline, starting them for a
 * while.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Debian keeps some programs where ordinary users' PATH does not look. */
const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin', '/usr/local/sbin'];

export function findProgram(name: string): string | undefined {
  return folders
    .map((folder) => join(folder, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/**
 * For the `skip` option of a test that needs programs: false when all are there, else the reason. In CI,
 * where .ci/install-system-packages.sh has installed them, a missing program is a failure.
 */
export function skipWithout(...programs: readonly string[]): string | false {
  const missing = programs.filter((program) => findProgram(program) === undefined);
  if (missing.length === 0) return false;
  const reason = `${missing.join(', ')} not installed (see .ci/install-system-packages.sh)`;
  if (process.env['CI'] === 'true') throw new Error(reason);
  return reason;
}

export interface RunOptions {
  readonly input?: string;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Default one minute; then the program is killed. */
  readonly timeoutMs?: number;
}

export interface Ended {
  /** Null when a signal ended it. */
  readonly code: number | null;
  /** Standard output and error, as they came. */
  readonly output: string;
  readonly stdout: string;
  readonly seconds: number;
}

const keptBytes = 4 * 1024 * 1024;

/** Runs a program to its end. @throws Error when it cannot be started or is not done in time */
export async function run(
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Ended> {
  const { input = '', cwd, env = {}, timeoutMs = 60_000 } = options;
  const started = performance.now();
  const child = spawn(program, args, {
    ...(cwd !== undefined && { cwd }),
    env: { ...process.env, LC_ALL: 'C.UTF-8', ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let output = '';
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout = (stdout + text).slice(-keptBytes);
    output = (output + text).slice(-keptBytes);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    output = (output + text).slice(-keptBytes);
  });
  // A program that ends without reading all of its input is judged by its exit code.
  child.stdin.on('error', () => undefined).end(input);
  const end = await endWithin(child, timeoutMs);
  if (end === 'late')
    throw new Error(`${program} ${args.join(' ')} was not done in ${timeoutMs} ms:\n${output}`);
  return { code: end.code, output, stdout, seconds: (performance.now() - started) / 1000 };
}

async function endWithin(child: ChildProcess, ms: number): Promise<{ code: number | null } | 'late'> {
  let late = false;
  const deadline = setTimeout(() => {
    late = true;
    child.kill('SIGKILL');
    // What it left running may hold the pipes open.
    child.stdout?.destroy();
    child.stderr?.destroy();
  }, ms);
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    return late ? 'late' : { code };
  } finally {
    clearTimeout(deadline);
  }
}

/**
 * Asks `question` every `everyMs` until it answers something, at most `ms` long.
 * @throws Error that says what was waited for
 */
export async function until<T>(
  what: string,
  ms: number,
  question: () => Promise<T | undefined> | T | undefined,
  everyMs = 50,
): Promise<T> {
  const deadline = performance.now() + ms;
  for (;;) {
    const answer = await question();
    if (answer !== undefined) return answer;
    if (performance.now() > deadline) throw new Error(`waited ${ms} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
