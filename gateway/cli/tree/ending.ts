/** How a copy ends: by itself, by Ctrl-C, or by what went wrong. */
import { commandName } from '../../config/command-name.js';
import { messageOf, OperatorError, systemCode } from '../../config/operator-error.js';
import { countText } from '../words.js';
import { adviceFor } from './refusal.js';
import { TreeRefusal } from './share-tree.js';
import type { TreeReport } from './tree-report.js';

/** Runs `work` at the first Ctrl-C; the second one ends the process. Returns how to take that back. */
export function onBreak(work: () => void): () => void {
  const signals = ['SIGINT', 'SIGTERM'] as const;
  const end = (): void => {
    stop();
    work();
  };
  const stop = (): void => {
    for (const signal of signals) process.removeListener(signal, end);
  };
  for (const signal of signals) process.on(signal, end);
  return stop;
}

export function breakOff(): OperatorError {
  const again = 'What was copied stays; run the command again, and it goes on from there.';
  return new OperatorError('refused', `Broken off. ${again}`);
}

/** @throws OperatorError why the copy is not whole; `broken` when that was foreseen by nobody */
export function endingOfCopy(
  report: TreeReport,
  broken: { readonly why: unknown } | undefined,
  kept: number,
  gateway: string,
): void {
  if (broken?.why instanceof TreeRefusal) {
    const advice = `What was copied stays. ${adviceFor(broken.why)}.`;
    throw new OperatorError('refused', `Broken off: ${broken.why.message}. ${advice}`, { cause: broken.why });
  }
  if (broken !== undefined && systemCode(broken.why) !== undefined) {
    const advice = 'What was copied stays; run the command again when that is mended.';
    throw new OperatorError('refused', `Broken off: ${messageOf(broken.why)}. ${advice}`, {
      cause: broken.why,
    });
  }
  if (broken !== undefined) throw broken.why;
  if (kept > 0) {
    const see = `${commandName()} log --gateway ${gateway}`;
    throw new OperatorError(
      'refused',
      `The servers refused ${countText(kept, 'change')} for good. See: ${see}`,
    );
  }
  if (report.refusals === 0) return;
  const was = report.refusals === 1 ? 'was' : 'were';
  throw new OperatorError(
    'refused',
    `${countText(report.refusals, 'object')} ${was} not copied (listed above).`,
  );
}
