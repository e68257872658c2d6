/** A process that plays seeds as it is told (workers.ts). */
import { generate } from './generator.js';
import { verdictOf } from './verdict.js';
import type { SeedVerdict, Work } from './workers.js';

process.on('message', (work: Work) => void play(work));

async function play({ seed, twice }: Work): Promise<void> {
  const { trace: _trace, ...verdict } = await verdictOf(generate(seed));
  const answer: SeedVerdict = { ...verdict, seed };
  if (!twice) return void process.send?.(answer);
  const { hash } = await verdictOf(generate(seed));
  process.send?.(hash === verdict.hash ? answer : { ...answer, unlike: hash });
}
