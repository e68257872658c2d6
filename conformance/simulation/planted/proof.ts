/** Proves that every planted bug is found, and within how many seeds. */
import { profileOf } from '../world/generator.js';
import type { SeedVerdict } from '../world/workers.js';
import { runSeeds } from '../world/workers.js';
import { plantedBugs } from './all-bugs.js';
import type { PlantedBug } from './bug.js';

export interface Proof {
  /** Of bugs; none: all. */
  readonly names: readonly string[];
  readonly jobs: number;
  /** A bug that this many seeds do not find is not found. */
  readonly seedsMost: number;
}

/** The exit code. */
export async function provePlanted({ names, jobs, seedsMost }: Proof): Promise<number> {
  const bugs = names.length === 0 ? plantedBugs : plantedBugs.filter(({ name }) => names.includes(name));
  const counts: number[] = [];
  for (const [index, bug] of bugs.entries()) {
    const started = performance.now();
    const result = await find(bug, jobs, seedsMost);
    const seconds = ((performance.now() - started) / 1000).toFixed(0);
    if (result !== undefined) counts.push(result.seeds);
    const outcome =
      result === undefined
        ? `NOT FOUND in ${seedsMost} seeds`
        : `found in ${result.seeds} seeds (${result.law})`;
    console.log(`[${index + 1}/${bugs.length}] ${bug.name}: ${outcome}, ${seconds} s: ${bug.story}`);
  }
  counts.sort((a, b) => a - b);
  console.log(
    `${counts.length} of ${bugs.length} planted bugs found; median ${counts[counts.length >> 1] ?? '-'} seeds`,
  );
  return counts.length === bugs.length && counts.length > 0 ? 0 : 1;
}

export async function find(
  bug: PlantedBug,
  jobs: number,
  seedsMost: number,
): Promise<{ readonly seeds: number; readonly law: string } | undefined> {
  let broken: SeedVerdict | undefined;
  let runs = 0;
  const seeds: { readonly seed: number; readonly twice: boolean }[] = [];
  for (let seed = 1; seeds.length < seedsMost; seed += 1) {
    if (bug.profile === undefined || profileOf(seed).name === bug.profile) seeds.push({ seed, twice: false });
  }
  await runSeeds(seeds, {
    jobs,
    execArgv: ['--import', new URL('./plant.js', import.meta.url).href],
    environment: { SIM_PLANTED: bug.name },
    take: (verdict) => {
      runs += 1;
      if (verdict.violations.length > 0) broken ??= verdict;
      return broken === undefined;
    },
  });
  const [violation] = broken?.violations ?? [];
  return violation === undefined ? undefined : { seeds: runs, law: violation.law };
}
