/** Starts a role of this realm as a process of its own: `coda vice` or `coda gateway`. */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type { ChildReport, Launched } from './child.js';
import type { LogFile } from './log-file.js';

const command = fileURLToPath(new URL('../cli/main.js', import.meta.url));

const reportSchema: z.ZodType<ChildReport> = z.discriminatedUnion('report', [
  z.object({ report: z.literal('ready'), url: z.string() }),
  z.object({
    report: z.literal('failed'),
    kind: z.enum(['usage', 'unreachable', 'refused']),
    message: z.string(),
  }),
]);

/** What the supervisor says to a role process. */
export const stopOrder = { order: 'stop' } as const;

export function launchRole(
  role: 'vice' | 'gateway',
  configFile: string,
  log: LogFile,
  report: (report: ChildReport) => void,
): Launched {
  // The channel is the life line: it breaks when this process ends in whatever way; the child then ends too.
  const child = fork(command, [role, '--config', configFile], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    // With a young generation of 16 MB garbage of large bodies takes 40 MB more (npm test -- clients/memory).
    execArgv: [...process.execArgv, '--max-semi-space-size=2'],
    // Flushes wait in libuv's threads: the default of four would make uploads, commits and reads wait for each other.
    env: { UV_THREADPOOL_SIZE: '16', ...process.env },
  });
  child.stdout?.on('data', (chunk: Buffer) => log.write(chunk));
  child.stderr?.on('data', (chunk: Buffer) => log.write(chunk));
  child.on('message', (message) => {
    const parsed = reportSchema.safeParse(message);
    if (parsed.success) report(parsed.data);
  });
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => {
      resolve(signal === null ? `exit code ${code}` : `signal ${signal}`);
    });
  });
  return {
    pid: child.pid ?? 0,
    ended,
    stop() {
      // A broken channel says the same.
      if (child.connected) child.send(stopOrder, () => undefined);
    },
    kill() {
      child.kill('SIGKILL');
    },
  };
}
