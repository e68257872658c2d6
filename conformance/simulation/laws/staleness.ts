/**
 * Staleness is bounded: while all is well (nothing was wrong for a while), what was acknowledged before a read began,
 * and a little longer ago than a message takes, is what the read shows.
 */
import type { StoreId } from '../../../vice/interface/index.js';
import { brief } from '../world/ledger.js';
import type { Law } from '../world/outcome.js';

/** Longer than any message is under way when nothing is wrong. */
const boundMs = 1000;

export const staleness: Law = ({ ledger }) => {
  const broken: string[] = [];
  /** Version -> when it was replaced, as an author was told. */
  const replaced = new Map<StoreId, number>();
  for (const { base, end, outcome, connected } of ledger.attempts) {
    if (outcome === 'ok' && connected === true && typeof base === 'string' && end !== undefined) {
      replaced.set(base, Math.min(end, replaced.get(base) ?? Infinity));
    }
  }
  for (const { by, seen, read, begin, end, connected, outcome } of ledger.attempts) {
    if (outcome !== 'ok' || read === undefined || connected !== true || seen?.version == null) continue;
    const since = replaced.get(seen.version);
    if (since === undefined || since > begin - boundMs) continue;
    if (!ledger.wasCalm(since - boundMs, end ?? Infinity)) continue;
    broken.push(`${by} read ${brief(read)} at ${begin}; it was replaced at ${since}, and all was well`);
  }
  return broken;
};
