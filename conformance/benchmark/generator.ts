/** Drives a server with the load generator (load.ts), and what workloads ask of it again and again. */
import { join } from 'node:path';
import { z } from 'zod';
import { run } from '../program.js';
import type { Job, Measured } from './load.js';
import type { Running } from './peers.js';

const connections = 16;
const measuredSchema: z.ZodType<Measured> = z.object({
  requests: z.number(),
  seconds: z.number(),
  received: z.number(),
  medianMs: z.number(),
  p95Ms: z.number(),
});

/** Where requests go, and as whom. */
export type Target = Pick<Running, 'url' | 'user' | 'password'>;

/** Runs the load generator. @throws Error when a request is not answered as it should be */
export async function drive(
  target: Target,
  job: Partial<Job> & Pick<Job, 'method' | 'paths'>,
): Promise<Measured> {
  const { url, user, password } = target;
  const whole: Job = { url, user, password, bodyBytes: 0, connections, forMs: 0, ...job };
  const program = join(import.meta.dirname, 'load.js');
  const { code, output, stdout } = await run(process.execPath, [program], {
    input: JSON.stringify(whole),
    timeoutMs: 900_000,
  });
  if (code === null) throw new Error(`the load generator was killed during ${job.method} at ${url}`);
  if (code !== 0) throw new Error(`${job.method} at ${url} failed:\n${output}`);
  return measuredSchema.parse(JSON.parse(stdout));
}

export function names(folder: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `/${folder}/file-${`${index}`.padStart(5, '0')}.txt`);
}

export async function makeFolder(target: Target, folder: string): Promise<void> {
  await drive(target, { method: 'MKCOL', paths: [`/${folder}/`], connections: 1 });
}

export async function fill(target: Target, folder: string, count: number, bodyBytes: number): Promise<void> {
  await makeFolder(target, folder);
  await drive(target, { method: 'PUT', paths: names(folder, count), bodyBytes });
}

export function perSecond({ requests, seconds }: Measured): number {
  return requests / seconds;
}
