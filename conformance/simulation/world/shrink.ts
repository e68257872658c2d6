/** A failing scenario with as few steps as still break the same law (Zeller's delta debugging; steps only go). */
import type { Scenario, Step } from './scenario.js';

export interface Shrinking {
  /** Whether the scenario still breaks the law. */
  readonly fails: (scenario: Scenario) => Promise<boolean>;
  /** Told of each success. */
  readonly progress?: (steps: number, runs: number) => void;
  readonly runsMost?: number;
}

export async function shrink(
  scenario: Scenario,
  { fails, progress, runsMost = 400 }: Shrinking,
): Promise<Scenario> {
  let runs = 0;
  let best = scenario;
  const attempt = async (steps: readonly Step[]): Promise<boolean> => {
    if (runs >= runsMost) return false;
    runs += 1;
    const smaller = { ...best, steps };
    if (!(await fails(smaller))) return false;
    best = smaller;
    progress?.(steps.length, runs);
    return true;
  };
  // What comes after the failure first: by halves.
  for (let length = best.steps.length >> 1; length >= 1; length >>= 1) {
    while (best.steps.length > length && (await attempt(best.steps.slice(0, -length)))) continue;
  }
  for (let size = Math.max(1, best.steps.length >> 1); size >= 1; size >>= 1) {
    let start = 0;
    while (start < best.steps.length) {
      const steps = [...best.steps.slice(0, start), ...best.steps.slice(start + size)];
      if (!(await attempt(steps))) start += size;
    }
  }
  return best;
}
