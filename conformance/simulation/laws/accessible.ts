/**
 * An open shows the newest version that can be had: whoever reaches a server is shown no contents that this server
 * knows to be replaced, whatever the other servers say, and whatever is wrong elsewhere. Of a server that had the newer
 * ones on its disk a while before, with nothing disturbing the way to it for longer than a silent death is noticed.
 *
 * Not of changes that wait in the reader's own gateway (what is changed there is not validated), and not of a group
 * that changes (a replica that leaves is read no more).
 */
import type { StoreId } from '../../../vice/interface/index.js';
import { newsMs } from '../world/session.js';
import type { Ledger } from '../world/ledger.js';
import type { Law } from '../world/outcome.js';
import { basesOf } from './sessions.js';

export const accessible: Law = ({ ledger, scenario }) => {
  if (scenario.holding !== undefined) return [];
  const broken: string[] = [];
  const newer = successorsOf(ledger);
  for (const { by, deed, begin, shown, seen, read, isCurrent, steady = [], outcome } of ledger.attempts) {
    if (isCurrent !== true || deed.do === 'repair' || (outcome !== 'ok' && outcome !== 'nothing')) continue;
    const version = (read === undefined ? shown : seen)?.version;
    if (version == null) continue;
    for (const next of newer.get(version) ?? []) {
      const knows = steady.find(
        (server) => (ledger.held.get(next)?.get(server) ?? Infinity) <= begin - newsMs,
      );
      if (knows === undefined) continue;
      const path = 'path' in deed ? deed.path : '';
      broken.push(
        `${by} at ${begin}: ${path} shows ${version}, which ${knows} knew to be replaced by ${next}`,
      );
    }
  }
  return broken;
};

/** Version -> those that replaced it, directly or not. */
function successorsOf(ledger: Ledger): ReadonlyMap<StoreId, readonly StoreId[]> {
  const bases = basesOf(ledger);
  const successors = new Map<StoreId, StoreId[]>();
  for (const version of ledger.held.keys()) {
    for (let base = bases.get(version); base !== undefined; base = bases.get(base)) {
      const others = successors.get(base);
      if (others === undefined) successors.set(base, [version]);
      else others.push(version);
    }
  }
  return successors;
}
