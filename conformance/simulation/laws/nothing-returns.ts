/**
 * What was removed does not come back: a file whose removal was acknowledged is nowhere, if nobody has changed it but
 * those of whose changes its remover knew.
 */
import type { Fid, StoreId } from '../../../vice/interface/index.js';
import type { Attempt, Ledger } from '../world/ledger.js';
import type { Law } from '../world/outcome.js';
import { basesOf } from './sessions.js';

export const nothingReturns: Law = ({ ledger, looks }) => {
  const broken: string[] = [];
  const [look] = looks;
  const bases = basesOf(ledger);
  const there = new Map<Fid, string>();
  for (const dump of look?.dumps.values() ?? []) {
    if (!(dump instanceof Error)) for (const { fid, path } of dump) there.set(fid, path);
  }
  for (const attempt of ledger.attempts) {
    const { deed, outcome, by, shown, end } = attempt;
    if (deed.do !== 'remove' || outcome !== 'ok' || typeof shown?.version !== 'string') continue;
    const path = there.get(shown.fid);
    if (path === undefined || ledger.forgiven.has(shown.fid)) continue;
    if (!ledger.attempts.every((other) => isNoReason(other, attempt, ledger, bases))) continue;
    broken.push(`${path} is there, which ${by} has removed as ${deed.path} at ${end}`);
  }
  return broken;
};

/** Whether `other` does not explain that the file is there. */
function isNoReason(
  other: Attempt,
  removal: Attempt,
  ledger: Ledger,
  bases: ReadonlyMap<StoreId, StoreId>,
): boolean {
  if (other === removal || !ledger.mayHaveHappened(other)) return true;
  const { fid } = removal.shown ?? {};
  if (other.touches !== fid && other.made !== fid) return true;
  if (other.deed.do === 'repair') return false;
  for (let version = removal.shown?.version ?? undefined; version !== undefined; version = bases.get(version))
    if (other.version === version) return true;
  // Other contents than those are a version of their own: of several, a removal takes the one that is seen.
  if (other.text !== undefined) return false;
  const isOwn = other.gateway === removal.gateway && other.generation === removal.generation;
  return isOwn && other.outcome === 'ok' && (other.end ?? Infinity) <= removal.begin;
}
