/** What an administrator has bounded stays so: while a volume is locked, and all know of it, nobody changes it. */
import { rootFid, type Fid } from '../../../vice/interface/index.js';
import type { Attempt } from '../world/attempt.js';
import type { Law } from '../world/outcome.js';
import { wordsOf } from '../world/scenario.js';
import { newsMs } from '../world/session.js';
import { annexVolume, nameOf } from '../world/volumes.js';

export const bounds: Law = ({ ledger }) => {
  const broken: string[] = [];
  for (const { volume, begin, end } of ledger.locked) {
    for (const attempt of ledger.attempts) {
      const fid = attempt.outcome === 'ok' ? changed(attempt) : undefined;
      if (fid === undefined || nameOf(fid) !== volume || attempt.connected !== true) continue;
      const { begin: asked, end: answered = Infinity, by, deed } = attempt;
      if (asked < begin + newsMs || answered >= end || !ledger.wasCalm(begin, answered)) continue;
      broken.push(
        `${by} at ${asked}: ${wordsOf(deed)} was done, though volume ${volume} was locked at ${begin}`,
      );
    }
  }
  return broken;
};

/** Something that is in the volume which the deed has changed, where that is one only. */
function changed({ deed, placed, touches, removes, becomes }: Attempt): Fid | undefined {
  if (becomes !== undefined || ['get', 'list', 'lock', 'unlock', 'give-up'].includes(deed.do))
    return undefined;
  // Who renames the directory that a volume is mounted on changes the volume above.
  if (deed.do === 'rename' && touches === rootFid(annexVolume)) return undefined;
  return placed?.parent ?? touches ?? [...removes][0];
}
