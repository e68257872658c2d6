/** Proves that every planted bug is found, and within how many seeds. */
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
  let asExpected = 0;
  const counts: number[] = [];
  for (const [index, bug] of bugs.entries()) {
    const started = performance.now();
    const result = await find(bug, jobs, seedsMost);
    const seconds = ((performance.now() - started) / 1000).toFixed(0);
    if (result !== undefined) counts.push(result.seeds);
    if ((result === undefined) === (bug.survives !== undefined)) asExpected += 1;
    const line = `${bug.name}: ${outcomeOf(bug, result, seedsMost)}, ${seconds} s: ${bug.story}`;
    console.log(`[${index + 1}/${bugs.length}] ${line}`);
  }
  counts.sort((a, b) => a - b);
  console.log(
    `${counts.length} of ${bugs.length} planted bugs found; median ${counts[counts.length >> 1] ?? '-'} seeds`,
  );
  return asExpected === bugs.length && bugs.length > 0 ? 0 : 1;
}

interface Found {
  readonly seeds: number;
  readonly law: string;
}

/** One that is said to survive and is found after all is no failure of the laws, but what is said of it is wrong. */
export function outcomeOf({ survives }: PlantedBug, result: Found | undefined, seedsMost: number): string {
  if (result === undefined)
    return survives === undefined ? `NOT FOUND in ${seedsMost} seeds` : `survived (${survives})`;
  const found = `found in ${result.seeds} seeds (${result.law})`;
  return survives === undefined ? found : `${found}, THOUGH SAID TO SURVIVE`;
}

export async function find(bug: PlantedBug, jobs: number, seedsMost: number): Promise<Found | undefined> {
  let broken: SeedVerdict | undefined;
  let runs = 0;
  const seeds = Array.from({ length: seedsMost }, (_, index) => ({ seed: index + 1, twice: false }));
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
