/** All laws, by name. */
import type { Law, Run } from '../world/outcome.js';
import { access } from './access.js';
import { accessible } from './accessible.js';
import { answers } from './answers.js';
import { appliedOnce } from './applied-once.js';
import { bounds } from './bounds.js';
import { conflicts } from './conflicts.js';
import { convergence } from './convergence.js';
import { directories } from './directories.js';
import { growth } from './growth.js';
import { locks } from './locks.js';
import { logAndContainers } from './log-and-containers.js';
import { marks } from './marks.js';
import { nothingInvented } from './nothing-invented.js';
import { nothingLost } from './nothing-lost.js';
import { nothingReturns } from './nothing-returns.js';
import { patience } from './patience.js';
import { permitted } from './permitted.js';
import { sessions } from './sessions.js';
import { space } from './space.js';
import { staleness } from './staleness.js';

export const laws: Readonly<Record<string, Law>> = {
  access,
  accessible,
  answers,
  'applied once': appliedOnce,
  bounds,
  conflicts,
  convergence,
  directories,
  growth,
  locks,
  'log and containers': logAndContainers,
  marks,
  'nothing invented': nothingInvented,
  'nothing lost': nothingLost,
  'nothing returns': nothingReturns,
  patience,
  permitted,
  sessions,
  space,
  staleness,
};

export interface Violation {
  readonly law: string;
  readonly text: string;
}

export function judge(run: Run): readonly Violation[] {
  return Object.entries(laws).flatMap(([law, check]) => check(run).map((text) => ({ law, text })));
}
