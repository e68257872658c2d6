/** `npm run sim`: plays seeds on a simulated realm and judges each run by all laws. `--help` says how. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { plantedBugs } from './planted/all-bugs.js';
import { provePlanted } from './planted/proof.js';
import { generate, profileOf } from './world/generator.js';
import { profiles } from './world/profiles.js';
import type { Scenario } from './world/scenario.js';
import { readScenario, storeScenario } from './world/scenario-files.js';
import { shrink } from './world/shrink.js';
import { required, Situations } from './world/situations.js';
import { breaks, verdictOf } from './world/verdict.js';
import { hangs, runSeeds, type SeedVerdict } from './world/workers.js';

/** Every so many seeds one is run twice. */
const repeatedEvery = 25;

interface Span {
  readonly from: number;
  readonly to: number;
}

interface Options {
  readonly seeds?: Span;
  readonly profile?: string;
  readonly jobs: number;
  readonly seed?: number;
  readonly scenario?: string;
  readonly planted?: true;
  readonly most: number;
  readonly keep?: true;
  readonly standard?: true;
}

const kinds = profiles.map(({ name }) => name);
const program = new Command('npm run sim --')
  .description('Plays seeds on a simulated realm, and judges each run by all laws.')
  .argument('[bugs...]', 'with --planted: only these')
  .option('--seeds <A..B>', 'these seeds; without it 20 that were never run before', spanOf)
  .addOption(new Option('--profile <name>', 'of these only those with this kind of trouble').choices(kinds))
  .option('--jobs <n>', 'processes', numberOf, 1)
  .option('--seed <n>', 'one seed, with its whole trace', numberOf)
  .option('--scenario <file>', 'a stored scenario, with its whole trace')
  .option('--planted', 'proves that every planted bug is found')
  .option('--most <n>', 'with --planted: in at most so many seeds', numberOf, 300)
  .option('--keep', 'do not shrink and store what fails')
  .option('--standard', 'fails also when a situation is never reached')
  .addHelpText('after', '\nThe exit code is 0 when no law is broken, and every run could be repeated.')
  .showHelpAfterError('(--help lists the options)')
  .parse();
const values = program.opts<Options>();

if (values.planted) process.exitCode = await planted();
else if (values.scenario !== undefined) process.exitCode = await one(readScenario(values.scenario));
else if (values.seed !== undefined) process.exitCode = await one(generate(values.seed));
else process.exitCode = await many();

function numberOf(text: string): number {
  const number = Number(text);
  if (Number.isSafeInteger(number) && number >= 0) return number;
  throw new InvalidArgumentError('It must be a whole number.');
}

function spanOf(text: string): Span {
  const [from = 0, to = from, ...others] = text.split('..').map(numberOf);
  if (others.length === 0 && from <= to) return { from, to };
  throw new InvalidArgumentError('It must be FIRST..LAST.');
}

function planted(): Promise<number> {
  const unknown = program.args.find((bug) => plantedBugs.every(({ name }) => name !== bug));
  if (unknown !== undefined) program.error(`error: no bug is called '${unknown}' (planted/all-bugs.ts)`);
  return provePlanted({ names: program.args, jobs: values.jobs, seedsMost: values.most });
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
  const { from, to } = values.seeds ?? freshSeeds(20);
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
    jobs: values.jobs,
    take: (verdict) => {
      runs += 1;
      acknowledged += verdict.acknowledged;
      cpuMs += verdict.cpuMs;
      situations.add(verdict.situations);
      const isGood = verdict.violations.length === 0 && verdict.unlike === undefined;
      if (!isGood) failed.push(verdict);
      const rate = runs / ((performance.now() - started) / 60_000);
      const left = Math.ceil((seeds.length - runs) / rate);
      console.log(
        `${lineOf(verdict)}  [${runs}/${seeds.length}, ${rate.toFixed(0)} a minute, ${left} min left]`,
      );
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
  const unreached = required.filter((situation) => situations.runs(situation) === 0);
  const missed = values.standard ? unreached : [];
  for (const situation of missed) console.log(`never reached: ${situation}`);
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  const cost = (cpuMs / runs).toFixed(0);
  const lost = failed.filter(({ violations }) => violations.some(({ law }) => law === 'nothing lost')).length;
  console.log(
    `${situations.sum('fault ')} faults, ${situations.sum('conflict ')} conflicts, ` +
      `${required.length - unreached.length} of ${required.length} situations, losses: ${lost}`,
  );
  console.log(
    `${runs} runs, ${acknowledged} deeds acknowledged, ${failed.length} failed; ${seconds} s, ${cost} ms a run`,
  );
  return failed.length === 0 && missed.length === 0 ? 0 : 1;
}

/** Of the wall clock: seeds that nobody has run. */
function freshSeeds(count: number): Span {
  const from = Math.floor(Date.now() / 1000) % 1_000_000_000;
  return { from, to: from + count - 1 };
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
