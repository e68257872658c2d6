/** Seeds that nobody has chosen, drawn from the code: each change of it meets others, all machines the same. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Seeds that people choose are below. */
const least = 1_000_000;
const span = 2 ** 30;

/** The first of them. `folder`: where the compiled files are. */
export function seedOfCode(folder: string): number {
  const hash = createHash('sha256');
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  for (const name of names.filter(isCode).sort()) hash.update(name).update(readFileSync(join(folder, name)));
  return least + (hash.digest().readUInt32BE() % span);
}

/** The product and the simulator: who changes nothing but a test or a bench plays the same seeds. */
function isCode(name: string): boolean {
  if (!name.endsWith('.js') || name.endsWith('.test.js')) return false;
  const [room, folder] = name.split(/[\\/]/);
  return room !== 'conformance' || folder === 'simulation';
}
