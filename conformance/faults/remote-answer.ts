/** What an answer of a gateway's door says: the ledger's outcomes. Pure. */
import type { Outcome } from '../simulation/world/attempt.js';

/** A request that was not done, as far as its author knows. */
export class Refusal extends Error {
  readonly outcome: Outcome;

  constructor(outcome: Outcome, message: string) {
    super(message);
    this.outcome = outcome;
  }
}

/** What a refusal means, whatever was asked for. Not here: 409, which has several meanings. */
const meanings: Readonly<Record<number, Outcome>> = {
  400: 'invalid',
  403: 'loop',
  404: 'not-found',
  405: 'exists',
  412: 'changed',
  413: 'too-large',
  415: 'invalid',
  423: 'refused',
  // It says that nothing was done; the laws take it as open, as they do of the same failure in the simulation.
  507: 'no-space',
  500: 'broken',
  504: 'timeout',
};

/** In the words of the door (gateway/webdav): refused before anything was done. */
const refusedBefore = /is gone|does not exist|came in between|has no slash/;

/**
 * Of an answer that is no success. Certain are refusals by what is there: nothing was done. Whatever the servers or the
 * disk could not do is open: it may be in the log.
 */
export function outcomeOf(status: number, body: string): Outcome {
  if (status === 409) return refusedBefore.test(body) ? 'changed' : 'conflict';
  return meanings[status] ?? 'unreachable';
}
