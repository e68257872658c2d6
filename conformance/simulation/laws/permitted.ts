/**
 * Nobody does what a list denies him, once it has been set a little while and nothing was ever wrong; and before
 * anybody has set a list nobody is refused.
 *
 * Judged where the history alone says what holds: of objects that were never moved, and of lists that were set one
 * after the other.
 */
import { rightsText, rootFid, volumeOf } from '../../../vice/interface/index.js';
import type { Fid } from '../../../vice/interface/index.js';
import type { Attempt } from '../world/attempt.js';
import { brief, type Ledger } from '../world/ledger.js';
import { listOf } from '../world/lists.js';
import type { Law } from '../world/outcome.js';
import { wordsOf } from '../world/scenario.js';
import { newsMs } from '../world/session.js';
import { fileOf } from '../world/sight.js';

export const permitted: Law = ({ ledger }) => {
  const broken: string[] = [];
  const sets = ledger.attempts.filter(({ deed, outcome }) => {
    return deed.do === 'setacl' && !['access-denied', 'nothing', 'not-directory'].includes(outcome);
  });
  const first = Math.min(...sets.map(({ begin }) => begin));
  for (const attempt of ledger.attempts) {
    const { by, deed, outcome, begin, end = Infinity, message } = attempt;
    if (deed.do === 'setacl' || deed.do === 'repair') continue;
    // What is refused to everybody, as in a conflict, has other words.
    if (outcome === 'access-denied' && message.includes('lacks the right') && end < first)
      broken.push(`${by} was refused ${wordsOf(deed)} before anybody had set a list: ${message}`);
    if (outcome !== 'ok' || !ledger.wasCalm(0, end)) continue;
    const need = needOf(attempt, ledger);
    if (need === undefined) continue;
    const granted = rightsAt(need.directory, userOf(attempt), { begin, end }, { ledger, sets });
    if (granted === undefined || granted.includes(need.right)) continue;
    // Who has just made a file may fill it once.
    if (need.right === 'w' && granted.includes('i')) continue;
    const what = attempt.read === undefined ? '' : ` and read ${brief(attempt.read)}`;
    broken.push(`${by} at ${begin}: ${wordsOf(deed)} was done${what}, though he has only "${granted}" there`);
  }
  return broken;
};

interface Need {
  readonly directory: Fid;
  readonly right: string;
}

function needOf(attempt: Attempt, ledger: Ledger): Need | undefined {
  const { deed, placed, shown, read, touches } = attempt;
  const within = (fid: Fid | undefined, right: string): Need | undefined => {
    const directory = fid === undefined ? undefined : onlyParent(fileOf(fid), ledger);
    return directory === undefined ? undefined : { directory, right };
  };
  switch (deed.do) {
    case 'get':
      return read === undefined ? undefined : within(shown?.fid, 'r');
    case 'list':
      return shown == null ? undefined : { directory: shown.fid, right: 'l' };
    case 'put':
      return placed === undefined ? within(touches, 'w') : { directory: placed.parent, right: 'i' };
    case 'mkdir':
    case 'symlink':
      return placed === undefined ? undefined : { directory: placed.parent, right: 'i' };
    case 'remove':
      return within(shown?.fid, 'd');
    default:
      return undefined;
  }
}

/** Where it has always been. */
function onlyParent(fid: Fid, { parents }: Ledger): Fid | undefined {
  const all = [...(parents.get(fid) ?? [])];
  return all.length === 1 ? all[0] : undefined;
}

interface Sets {
  readonly ledger: Ledger;
  readonly sets: readonly Attempt[];
}

/** In letters; undefined: it cannot be told from outside. */
function rightsAt(
  directory: Fid,
  user: string,
  span: { readonly begin: number; readonly end: number },
  { ledger, sets }: Sets,
): string | undefined {
  const own = sets.filter(({ marked, shown }) => (marked?.fid ?? shown?.fid) === directory);
  const before = own.filter(({ begin }) => begin <= span.end);
  const isOrdered = before.every(({ outcome, end = Infinity }, index) => {
    return outcome === 'ok' && end + newsMs <= (before[index + 1]?.begin ?? span.begin);
  });
  if (!isOrdered) return undefined;
  const deed = before.at(-1)?.deed;
  const list = deed?.do === 'setacl' ? listOf(deed.list) : null;
  if (list !== null) return rightsText(list.positive[user] ?? 0);
  // Each volume begins anew: nothing comes from where it is mounted.
  const isRoot = directory === rootFid(volumeOf(directory));
  if (isRoot || (ledger.parents.get(directory)?.size ?? 0) === 0) return 'rlidwk';
  const parent = onlyParent(directory, ledger);
  return parent === undefined ? undefined : rightsAt(parent, user, span, { ledger, sets });
}

function userOf({ by }: Attempt): string {
  return /\/(\w+)/.exec(by)?.[1] ?? '';
}
