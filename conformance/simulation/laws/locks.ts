/** A lock that was acknowledged is there until it is given back, also after its gateway was killed. */
import type { Attempt } from '../world/attempt.js';
import type { Law } from '../world/outcome.js';

export const locks: Law = ({ ledger, looks }) => {
  const broken: string[] = [];
  const look = looks.at(-1);
  for (const { gateway, leases } of look?.views ?? []) {
    const there = new Set(leases.map(({ token }) => token));
    // A disk that was replaced takes its locks with it.
    const all = ledger.renewed.has(gateway)
      ? []
      : ledger.attempts.filter((attempt) => attempt.gateway === gateway);
    for (const token of new Set(all.flatMap(({ deed }) => ('token' in deed ? [deed.token] : [])))) {
      const expected = stateOf(token, all);
      if (expected === 'held' && !there.has(token)) broken.push(`${gateway} has lost the lock ${token}`);
      if (expected === 'free' && there.has(token))
        broken.push(`${gateway} still has the lock ${token}, given back`);
    }
  }
  return broken;
};

/** What the last deeds say: deeds that overlap, or that may have happened, leave it open. */
function stateOf(token: string, attempts: readonly Attempt[]): 'held' | 'free' | 'open' {
  const about = attempts.filter(
    ({ deed, outcome }) => 'token' in deed && deed.token === token && outcome !== 'nothing',
  );
  const locks = about.filter(({ deed }) => deed.do === 'lock');
  const unlocks = about.filter(({ deed }) => deed.do === 'unlock');
  if (about.some(({ outcome }) => outcome !== 'ok')) return 'open';
  if (locks.length === 0) return 'free';
  const [lock] = locks;
  const after = unlocks.filter(({ end }) => (end ?? Infinity) >= (lock?.begin ?? 0));
  if (after.length === 0) return 'held';
  return after.some(({ begin }) => begin >= (lock?.end ?? Infinity)) ? 'free' : 'open';
}
