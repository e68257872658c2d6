/**
 * The simulator in `npm test`: every stored scenario for ever, and that the simulator itself can fail. Seeds:
 * `fresh-seeds.test.ts`.
 */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import t from 'tap';
import { laws } from './laws/judge.js';
import { plantedBug, plantedBugs } from './planted/all-bugs.js';
import { find } from './planted/proof.js';
import { generate } from './world/generator.js';
import { isDeed, type Scenario } from './world/scenario.js';
import { storedScenarios } from './world/scenario-files.js';
import { shrink } from './world/shrink.js';
import { verdictOf } from './world/verdict.js';
import { runSeeds, type SeedVerdict } from './world/workers.js';

t.setTimeout(10 * 60_000);

const dist = resolve(import.meta.dirname, '../..');

t.test('what has failed once is what it is said to be', async (t) => {
  for (const { name, scenario } of storedScenarios()) {
    const { violations, trace } = await verdictOf(scenario);
    t.ok(Object.hasOwn(laws, scenario.law), `${name} names a law`);
    if (scenario.expect === 'broken') {
      const isBroken = violations.some(({ law }) => law === scenario.law);
      t.ok(isBroken, `${name} still shows: ${scenario.story} (if it does not any more, let it say "holds")`);
      continue;
    }
    if (violations.length > 0) t.comment(trace.join('\n'));
    t.same(violations, [], name);
  }
});

t.test('the same seed gives the same run, another one another', async (t) => {
  const [one, again, other] = [4, 4, 5].map((seed) => verdictOf(generate(seed)));
  t.equal((await again)?.hash, (await one)?.hash);
  t.not((await other)?.hash, (await one)?.hash);
});

t.test('a run that does not end is told, and others go on', async (t) => {
  const told: string[] = [];
  const seeds = [4, 5].map((seed) => ({ seed, twice: false }));
  const take = ({ seed, hash, violations }: SeedVerdict): boolean =>
    told.push(`${seed} ${hash} ${violations.map(({ law }) => law).join()}`) > 0;
  await runSeeds(seeds, { jobs: 1, hangsMs: 1, take });
  t.same(told, ['4 hangs answers', '5 hangs answers']);
});

t.test('every planted bug still fits the file that it is planted in', async (t) => {
  t.ok(plantedBugs.length >= 25, `${plantedBugs.length} bugs`);
  t.equal(
    new Set(plantedBugs.map(({ name }) => name)).size,
    plantedBugs.length,
    'each has a name of its own',
  );
  for (const { name, edits } of plantedBugs) {
    for (const { file, find: text } of edits) {
      const source = readFileSync(join(dist, file), 'utf8');
      t.equal(source.split(text).length - 1, 1, `${name} in ${file}`);
    }
  }
});

t.test('planted bugs are found', async (t) => {
  for (const name of ['break-ignored', 'older-version-shown', 'contents-not-fetched']) {
    const bug = plantedBug(name);
    const found = await find(bug, 1, 60);
    t.ok(found, `${bug.story}: ${JSON.stringify(found)}`);
  }
});

t.test('a failing scenario shrinks to the steps that it needs', async (t) => {
  const scenario = generate(9);
  const needs = scenario.steps
    .filter(isDeed)
    .filter(({ do: verb }) => verb === 'put')
    .slice(2, 4);
  const fails = async ({ steps }: Scenario): Promise<boolean> => needs.every((step) => steps.includes(step));
  t.same((await shrink(scenario, { fails })).steps, needs);
});
