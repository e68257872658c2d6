/**
 * `npm run sim`: plays seeds on a simulated realm and judges each run by all laws.
 *
 *   --seeds A..B      these seeds; without it 20 that were never run before
 *   --profile NAME    of these only those with this kind of trouble (world/profiles.ts)
 *   --jobs N          in N processes (1)
 *   --seed N          one seed, with its whole trace
 *   --scenario FILE   a stored scenario, with its whole trace
 *   --planted [NAME]  proves that every planted bug (or this one) is found, in at most --most seeds (300)
 *   --keep            do not shrink and store what fails
 *   --standard        fails also when a situation is never reached
 *
 * The exit code is 0 when no law is broken and every run could be repeated.
 */
import { parseArgs } from 'node:util';
import { provePlanted } from './planted/proof.js';
import { generate, profileOf } from './world/generator.js';
import type { Scenario } from './world/scenario.js';
import { readScenario, storeScenario } from './world/scenario-files.js';
import { shrink } from './world/shrink.js';
import { required, Situations } from './world/situations.js';
import { breaks, verdictOf } from './world/verdict.js';
import { hangs, runSeeds, type SeedVerdict } from './world/workers.js';

/** Every so many seeds one is run twice. */
const repeatedEvery = 25;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seeds: { type: 'string' },
    profile: { type: 'string' },
    jobs: { type: 'string', default: '1' },
    seed: { type: 'string' },
    scenario: { type: 'string' },
    planted: { type: 'boolean', default: false },
    most: { type: 'string', default: '300' },
    keep: { type: 'boolean', default: false },
    standard: { type: 'boolean', default: false },
  },
});

if (values.planted) process.exitCode = await planted();
else if (values.scenario !== undefined) process.exitCode = await one(readScenario(values.scenario));
else if (values.seed !== undefined) process.exitCode = await one(generate(Number(values.seed)));
else process.exitCode = await many();

function planted(): Promise<number> {
  return provePlanted({ names: positionals, jobs: Number(values.jobs), seedsMost: Number(values.most) });
}

async function one(scenario: Scenario): Promise<number> {
  const { trace, violations, situations, hash } = await verdictOf(scenario);
  const { seed, servers, gateways, steps } = scenario;
  console.log(`seed ${seed}: ${servers} servers, ${gateways} gateways, ${steps.length} steps`);
  for (const line of trace) console.log(line);
  for (const [situation, count] of Object.entries(situations))
    console.log(`${String(count).padStart(6)} ${situation}`);
  for (const { law, text } of violations) console.log(`BROKEN ${law}: ${text}`);
  console.log(`${hash}: ${violations.length} violations`);
  return violations.length === 0 ? 0 : 1;
}

async function many(): Promise<number> {
  const [from = 0, to = from] = values.seeds?.split('..').map(Number) ?? freshSeeds(20);
  console.log(`seeds ${from}..${to} in ${values.jobs} processes; repeat one: npm run sim -- --seed N`);
  const started = performance.now();
  const situations = new Situations();
  const failed: SeedVerdict[] = [];
  let runs = 0;
  let acknowledged = 0;
  let cpuMs = 0;
  const seeds = Array.from({ length: to - from + 1 }, (_, index) => from + index)
    .filter((seed) => values.profile === undefined || profileOf(seed).name === values.profile)
    .map((seed, index) => ({ seed, twice: index % repeatedEvery === 0 }));
  await runSeeds(seeds, {
    jobs: Number(values.jobs),
    take: (verdict) => {
      runs += 1;
      acknowledged += verdict.acknowledged;
      cpuMs += verdict.cpuMs;
      situations.add(verdict.situations);
      const isGood = verdict.violations.length === 0 && verdict.unlike === undefined;
      if (!isGood) failed.push(verdict);
      const rate = ((runs * 60_000) / (performance.now() - started)).toFixed(0);
      console.log(`${lineOf(verdict)}  [${runs}/${seeds.length}, ${rate} a minute]`);
      return true;
    },
  });
  for (const [situation, count] of Object.entries(situations.all))
    console.log(
      `${String(count).padStart(8)} in ${String(situations.runs(situation)).padStart(5)}  ${situation}`,
    );
  // To shrink what never ends would never end.
  for (const { seed, violations, hash } of failed)
    if (!values.keep && violations.length > 0 && hash !== hangs) await keep(seed, violations);
  const missed = values.standard
    ? required.filter((situation) => situations.all[situation] === undefined)
    : [];
  for (const situation of missed) console.log(`never reached: ${situation}`);
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  const cost = (cpuMs / runs).toFixed(0);
  console.log(
    `${runs} runs, ${acknowledged} deeds acknowledged, ${failed.length} failed; ${seconds} s, ${cost} ms a run`,
  );
  return failed.length === 0 && missed.length === 0 ? 0 : 1;
}

/** Of the wall clock: seeds that nobody has run. */
function freshSeeds(count: number): readonly [number, number] {
  const from = Math.floor(Date.now() / 1000) % 1_000_000_000;
  return [from, from + count - 1];
}

function lineOf({ seed, hash, deeds, acknowledged, settledMs, violations, unlike }: SeedVerdict): string {
  const settled = settledMs === undefined ? 'never settled' : `settled in ${(settledMs / 1000).toFixed(0)} s`;
  const [first] = violations;
  const repeated = unlike === undefined ? '' : `, NOT REPEATABLE (${unlike})`;
  const result = first === undefined ? 'good' : `BROKEN ${first.law}: ${first.text.slice(0, 160)}`;
  const what = `seed ${seed} ${hash} (${profileOf(seed).name})`;
  return `${what}: ${acknowledged} of ${deeds} deeds, ${settled}${repeated}: ${result}`;
}

/** As a scenario, since what a seed means changes with the generator. */
async function keep(seed: number, violations: SeedVerdict['violations']): Promise<void> {
  const [{ law, text } = { law: '', text: '' }] = violations;
  console.log(`seed ${seed}: shrinking ...`);
  const smallest = await shrink(generate(seed), {
    fails: (scenario) => breaks(scenario, law),
    progress: (steps, runs) => console.log(`seed ${seed}: ${steps} steps after ${runs} runs`),
  });
  console.log(`seed ${seed}: stored as ${storeScenario(smallest, law, text.slice(0, 400))}`);
}
