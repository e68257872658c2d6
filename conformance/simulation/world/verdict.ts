/** Plays a scenario and judges it: what a runner needs to know of one run. */
import { judge, type Violation } from '../laws/judge.js';
import { Player } from './player.js';
import type { Scenario } from './scenario.js';

export interface Verdict {
  readonly hash: string;
  readonly deeds: number;
  readonly acknowledged: number;
  readonly steps: number;
  readonly settledMs: number | undefined;
  readonly violations: readonly Violation[];
  readonly situations: Readonly<Record<string, number>>;
  readonly trace: readonly string[];
  /** Milliseconds of this process. */
  readonly cpuMs: number;
}

export async function verdictOf(scenario: Scenario): Promise<Verdict> {
  const before = process.cpuUsage();
  const run = await new Player(scenario).play();
  const violations = judge(run);
  const { user, system } = process.cpuUsage(before);
  const { attempts } = run.ledger;
  return {
    hash: run.hash,
    deeds: attempts.length,
    acknowledged: attempts.filter(({ outcome }) => outcome === 'ok').length,
    steps: scenario.steps.length,
    settledMs: run.settledMs,
    violations,
    situations: run.situations.all,
    trace: run.trace,
    cpuMs: (user + system) / 1000,
  };
}

/** Whether it breaks this law. */
export async function breaks(scenario: Scenario, law: string): Promise<boolean> {
  return (await verdictOf(scenario)).violations.some((violation) => violation.law === law);
}
