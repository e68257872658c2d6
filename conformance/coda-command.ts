/** The `coda` command as a person runs it: a process of its own, to its end. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';

export const codaCommand = fileURLToPath(new URL('../gateway/cli/main.js', import.meta.url));

export interface CodaEnded {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A test that ends before it kills it. */
export async function coda(t: Test, ...options: readonly string[]): Promise<CodaEnded> {
  const child = spawn(process.execPath, [codaCommand, ...options], { stdio: ['ignore', 'pipe', 'pipe'] });
  t.teardown(() => child.kill('SIGKILL'));
  const said = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk: Buffer) => (said.stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (said.stderr += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, ...said };
}
