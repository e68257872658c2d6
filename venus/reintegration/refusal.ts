/** What a refusal of a change by servers comes to. Pure. */
import { Failure, type FailureKind } from '../../vice/interface/index.js';

/** Refusals that time or an administrator may undo: the change is tried again. */
export const passing: readonly FailureKind[] = [
  'no-space',
  'quota',
  'busy',
  'timeout',
  'unreachable',
  'stale',
];

/** A refusal says for sure that nothing was done: nobody may say so whose call to one server came to nothing. */
export function undecided(message: string): Failure {
  const text = `one server refused the change (${message}), another one has not answered: look before you try again`;
  return new Failure('unreachable', 'venus.log', text);
}
