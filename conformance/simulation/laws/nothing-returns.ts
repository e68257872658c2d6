/**
 * What was removed does not come back: a file whose removal was acknowledged is nowhere, if nobody has changed it but
 * those of whose changes its remover knew; and a directory, if all that was ever done in it was done through the
 * remover's gateway, before, but for what others have removed in it: that keeps nothing alive.
 */
import type { Fid, StoreId } from '../../../vice/interface/index.js';
import type { Attempt } from '../world/attempt.js';
import type { Ledger } from '../world/ledger.js';
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
    if (deed.do !== 'remove' || outcome !== 'ok' || shown == null) continue;
    const path = there.get(shown.fid);
    if (path === undefined || ledger.forgiven.has(shown.fid)) continue;
    const isKnown =
      shown.version === null
        ? isAlone(attempt, ledger)
        : ledger.attempts.every((other) => isNoReason(other, attempt, ledger, bases));
    if (isKnown) broken.push(`${path} is there, which ${by} has removed as ${deed.path} at ${end}`);
  }
  return broken;
};

/** Whether nobody else has ever done anything to the directory or to what was in it but remove it. */
function isAlone(removal: Attempt, ledger: Ledger): boolean {
  const { fid } = removal.shown ?? {};
  if (fid === undefined || ledger.mountedOn.size > 0) return false;
  return ledger.attempts.every((other) => {
    if (other === removal || !ledger.mayHaveHappened(other)) return true;
    if (other.deed.do === 'repair') return false;
    const about = [
      other.touches,
      other.made,
      other.into,
      other.marked?.fid,
      ...other.takes,
      ...other.removes,
    ];
    if (!about.some((each) => each !== undefined && ledger.wasIn(each).has(fid))) return true;
    // Unless the disks that knew of it are lost.
    if (other.deed.do === 'remove') return [...other.removes].every((each) => !ledger.forgiven.has(each));
    const isOwn = other.gateway === removal.gateway && other.generation === removal.generation;
    return isOwn && other.outcome === 'ok' && (other.end ?? Infinity) <= removal.begin;
  });
}

/** Whether `other` does not explain that the file is there. */
function isNoReason(
  other: Attempt,
  removal: Attempt,
  ledger: Ledger,
  bases: ReadonlyMap<StoreId, StoreId>,
): boolean {
  if (other === removal || !ledger.mayHaveHappened(other)) return true;
  const { fid } = removal.shown ?? {};
  if (fid === undefined || (other.touches !== fid && other.made !== fid)) return true;
  if (other.deed.do === 'repair') return false;
  for (let version = removal.shown?.version ?? undefined; version !== undefined; version = bases.get(version))
    if (other.version === version || other.copied === version) return true;
  // Other contents than those are a version of their own: of several, a removal takes the one that is seen.
  const isMovedOver = other.deed.do === 'rename' && other.touches === fid && !other.takes.has(fid);
  if (other.text !== undefined || other.copied != null || isMovedOver) return false;
  const isOwn = other.gateway === removal.gateway && other.generation === removal.generation;
  return isOwn && other.outcome === 'ok' && (other.end ?? Infinity) <= removal.begin;
}
