/**
 * Rights: what every gateway says that a user may do in a directory is what the access lists that the servers hold come
 * to, worked out here in other words than the product's (vice/interface/access.ts). And
 * a list that was acknowledged holds, until somebody replaces it who has seen it: of those set apart, both do.
 */
import { anyUser, rightsText, type AccessList } from '../../../vice/interface/index.js';
import type { DumpedObject, ReplicaDump } from '../replica-dump.js';
import type { Attempt } from '../world/attempt.js';
import type { Ledger } from '../world/ledger.js';
import { dumpsByVolume, type Law, type Look } from '../world/outcome.js';
import { wordsOf } from '../world/scenario.js';
import { newsMs } from '../world/session.js';
import { mountedAt } from '../world/volumes.js';

const letters = ['r', 'l', 'i', 'd', 'w', 'k', 'a'] as const;
/** As the simulated realm has it (simulated-realm.ts). */
const administrator = 'ann';

export const access: Law = ({ looks, ledger, settledMs }) => {
  const broken: string[] = [];
  for (const attempt of ledger.attempts) {
    const { by, end, deed } = attempt;
    const missing = missingList(attempt, ledger, looks[0]);
    if (missing !== undefined)
      broken.push(`${by} was told of ${wordsOf(deed)} at ${end}; servers have ${missing}`);
  }
  for (const look of settledMs === undefined ? [] : looks) {
    const { when, views } = look;
    const dump = dumpsByVolume(look).flat();
    if (dump.length === 0) continue;
    for (const { gateway, rights } of views) {
      for (const [user, byPath] of Object.entries(rights)) {
        for (const [path, shown] of Object.entries(byPath)) {
          const isSeen = path === '' || rightsAt(dump, parentOf(path), user).has('l');
          const expected = isSeen ? [...rightsAt(dump, path, user)].join('') : 'hidden';
          if (shown !== expected)
            broken.push(`${when}: ${gateway} gives ${user} "${shown}" in ${path}, lists say "${expected}"`);
        }
      }
    }
  }
  return broken;
};

/** What there is in the place of an acknowledged list that nobody has replaced knowingly. */
function missingList(attempt: Attempt, ledger: Ledger, look: Look | undefined): string | undefined {
  const { marked, outcome, begin, end = Infinity, gateway } = attempt;
  if (marked?.what !== 'list' || marked.value === 'null' || outcome !== 'ok') return undefined;
  const { fid, value } = marked;
  const directory = dumpsByVolume(look)
    .flat()
    .find((object) => object.fid === fid);
  if (directory === undefined || ledger.forgiven.has(fid)) return undefined;
  const there = listsOf(directory).map((list) => JSON.stringify(list));
  if (there.includes(value)) return undefined;
  const isReplaced = ledger.attempts.some((other) => {
    if (other === attempt || !ledger.mayHaveHappened(other)) return false;
    if (other.removes.has(fid) || (other.deed.do === 'repair' && other.end !== undefined)) return true;
    if (other.marked?.what !== 'list' || other.marked.fid !== fid) return false;
    const overlaps = (other.end ?? Infinity) >= begin && other.begin <= end + newsMs;
    const isLaterHere = other.gateway === gateway && other.begin >= begin;
    return overlaps || isLaterHere || other.replaces?.includes(value) === true;
  });
  return isReplaced ? undefined : there.join(' and ');
}

/** In the order in which people write them. */
function rightsAt(dump: ReplicaDump, path: string, user: string): ReadonlySet<string> {
  const granted = inherited(dump, path, user);
  const isOwn = user === administrator;
  return new Set(letters.filter((letter) => granted.has(letter) || (isOwn && 'la'.includes(letter))));
}

function inherited(dump: ReplicaDump, path: string, user: string): ReadonlySet<string> {
  // Where a volume is mounted, that is what is seen, and it comes later.
  const directory = dump.findLast((object) => object.path === path);
  const lists = listsOf(directory);
  let granted: ReadonlySet<string> = new Set(letters);
  for (const list of lists.length === 0 ? [null] : lists) {
    const each = list === null ? above(dump, path, user) : grants(list, user);
    granted = new Set([...granted].filter((letter) => each.has(letter)));
  }
  return granted;
}

function above(dump: ReplicaDump, path: string, user: string): ReadonlySet<string> {
  // Each volume begins anew: nothing comes from where it is mounted.
  if (path === '' || path === `/${mountedAt.last}`) return new Set(letters.slice(0, -1));
  return inherited(dump, parentOf(path), user);
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'));
}

function listsOf(directory: DumpedObject | undefined): readonly (AccessList | null)[] {
  return (directory?.status.access ?? []).map(({ list }) => list);
}

function grants({ positive, negative }: AccessList, user: string): ReadonlySet<string> {
  const own = (entries: AccessList['positive']): string =>
    rightsText((entries[user] ?? 0) | (entries[anyUser] ?? 0));
  return new Set([...own(positive)].filter((letter) => !own(negative).includes(letter)));
}
