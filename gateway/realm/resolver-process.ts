/**
 * A resolver's process (gateway/resolver): in a private temporary folder, with an environment of its own, in a process
 * group of its own that is killed as a whole, under a limit of time and of what it writes. Where the gateway runs as
 * root it runs as nobody.
 *
 *     COMMAND ARGUMENT... OUTPUT PATH VERSION...
 */
import { spawn } from 'node:child_process';
import { chown, lstat, mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../../vice/seam/clock.js';
import { messageOf, systemCode } from '../config/operator-error.js';
import type { ResolverJob, ResolverOutcome, ResolverRun } from '../resolver/resolver-run.js';

/** nobody and nogroup, wherever they have a name. */
const nobody = 65_534;
/** Of what it says on stderr, for the log. */
const saidMost = 500;
const blockBytes = 512;
/** For the last of what it said, where something that has left its group holds stderr open. */
const drainMs = 500;

export function resolverProcesses(clock: Clock): ResolverRun {
  return async (job) => {
    const folder = await mkdtemp(join(tmpdir(), 'coda-resolver-'));
    try {
      return await runIn(folder, job, clock);
    } catch (error) {
      if (systemCode(error) === undefined) throw error;
      return { failure: `could not be run: ${messageOf(error)}` };
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  };
}

async function runIn(folder: string, job: ResolverJob, clock: Clock): Promise<ResolverOutcome> {
  const isRoot = process.getuid?.() === 0;
  if (isRoot) await chown(folder, nobody, nobody);
  const versions: string[] = [];
  for (const [index, contents] of job.versions.entries()) {
    const file = join(folder, `version-${index + 1}`);
    const handle = await open(file, 'wx', 0o600);
    try {
      for await (const chunk of contents) await handle.writeFile(chunk);
      if (isRoot) await handle.chown(nobody, nobody);
    } finally {
      await handle.close();
    }
    versions.push(file);
  }
  const output = join(folder, 'output');
  const failure = await processFailure(folder, job, [output, job.path, ...versions], isRoot, clock);
  if (failure !== null) return { failure };
  const made = await lstat(output).catch(() => undefined);
  if (made?.isFile() !== true) return { failure: 'made no output' };
  if (made.size > job.rule.outputBytes) return { failure: 'made too much output' };
  return { contents: await readFile(output) };
}

/** Null: it ended well. */
function processFailure(
  folder: string,
  { rule, signal: ending }: ResolverJob,
  args: readonly string[],
  isRoot: boolean,
  clock: Clock,
): Promise<string | null> {
  // The shell sets limits, which Node cannot: of a file's size, and of processor time, which holds also when the
  // gateway was killed. Nothing of the command goes through it.
  const seconds = Math.ceil(rule.timeLimitMs / 1000) + 1;
  const limit = `ulimit -f ${Math.ceil(rule.outputBytes / blockBytes)} && ulimit -t ${seconds} && exec "$@"`;
  const child = spawn('/bin/sh', ['-c', limit, 'sh', ...rule.command, ...args], {
    cwd: folder,
    env: { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: folder, TMPDIR: folder, LANG: 'C.UTF-8' },
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
    ...(isRoot && { uid: nobody, gid: nobody }),
  });
  const killAll = (): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    } catch (error) {
      if (systemCode(error) !== 'ESRCH') throw error;
    }
  };
  return new Promise((resolve) => {
    let said = '';
    let cut: string | undefined;
    let ended = 'exit code 0';
    const end = (why: string): void => {
      cut = why;
      killAll();
    };
    const stop = (): void => end('was ended with the gateway');
    const timer = clock.after(rule.timeLimitMs, () => end(`did not end within ${rule.timeLimitMs / 1000} s`));
    const settle = (failure: string | null): void => {
      timer.cancel();
      ending.removeEventListener('abort', stop);
      child.stderr.destroy();
      resolve(failure);
    };
    ending.addEventListener('abort', stop);
    if (ending.aborted) stop();
    child.stderr.on('data', (chunk: Buffer) => (said = `${said}${chunk.toString()}`.slice(0, saidMost)));
    child.once('error', (error) => settle(`could not be run: ${error.message}`));
    const done = (): void => {
      const words = said.trim() === '' ? '' : `: ${said.trim()}`;
      if (cut !== undefined) settle(cut);
      else if (ended === 'SIGXFSZ') settle('made too much output');
      else settle(ended === 'exit code 0' ? null : `failed (${ended})${words}`);
    };
    child.once('exit', (code, signal) => {
      timer.cancel();
      ended = signal ?? `exit code ${code}`;
      // What it has started must not outlive it, nor hold its stderr open.
      killAll();
      clock.after(drainMs, done);
    });
    child.once('close', done);
  });
}
