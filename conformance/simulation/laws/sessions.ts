/**
 * A session reads what it wrote and never goes back: it is not shown a version that one it has seen had replaced, and a
 * name that it has seen does not vanish unless somebody removed or moved something on the way to it.
 *
 * What an author wrote and then removed, file and all, he has withdrawn: if nobody else has it yet, neither travels
 * (store cancelled by remove, Coda's optimization), and where another's move saves the file from the removal it is the
 * version that the mover had.
 */
import type { Fid, StoreId } from '../../../vice/interface/index.js';
import { digestOf } from '../../../vice/seam/block-digests.js';
import type { Attempt } from '../world/attempt.js';
import { authorOf, type Ledger } from '../world/ledger.js';
import { contenders } from './marks.js';
import type { Law } from '../world/outcome.js';
import { newsMs } from '../world/session.js';

export const sessions: Law = ({ scenario, ledger }) => {
  const broken: string[] = [];
  const bases = new Map(basesOf(ledger));
  for (const version of withdrawn(ledger)) bases.delete(version);
  for (const version of refused(ledger, bases)) bases.delete(version);
  const contested = contenders(ledger);
  // What is damaged in its cache a gateway forgets, and misses for as long as it can ask nobody.
  const spoilt = new Set(scenario.steps.flatMap((step) => (step.do === 'flip-row' ? [step.at] : [])));
  const isMissing = ({ gateway, reaches }: Attempt): boolean => reaches === 0 && spoilt.has(gateway);
  const names = new Set(ledger.attempts.map(({ by, generation }) => `${by} ${generation}`));
  for (const name of names) {
    const attempts = ledger.attempts.filter(({ by, generation }) => `${by} ${generation}` === name);
    const seen = new Map<Fid, Set<StoreId>>();
    const named = new Map<string, Named>();
    for (const attempt of attempts) {
      if (attempt.outcome !== 'ok' && attempt.outcome !== 'nothing') continue;
      broken.push(...older(attempt, bases, seen));
      if (!isMissing(attempt)) broken.push(...vanished(attempt, { ledger, contested, named }));
    }
  }
  return broken;
};

export function basesOf(ledger: Ledger): ReadonlyMap<StoreId, StoreId> {
  const bases = new Map<StoreId, StoreId>();
  for (const { version, base, outcome } of ledger.attempts) {
    if (outcome === 'ok' && typeof version === 'string' && typeof base === 'string') bases.set(version, base);
  }
  return bases;
}

/**
 * Versions that were refused for good: their author sees again what there was. With them goes what they had replaced
 * in the log, so that no server has heard of it.
 */
function refused(ledger: Ledger, bases: ReadonlyMap<StoreId, StoreId>): ReadonlySet<StoreId> {
  const versions = new Set<StoreId>();
  const digests = new Set([...ledger.forgiven, ...ledger.roomless]);
  if (digests.size === 0) return versions;
  const sent = new Set([...ledger.sent.values()].flatMap((ids) => [...ids]));
  for (const [version, text] of ledger.texts) {
    if (!digests.has(digestOf(Buffer.from(text)))) continue;
    versions.add(version);
    for (let base = bases.get(version); base !== undefined && !sent.has(base); base = bases.get(base))
      versions.add(base);
  }
  return versions;
}

/** Versions whose author has removed their file since. */
function* withdrawn({ attempts }: Ledger): Generator<StoreId> {
  const removed = new Map<string, Map<Fid, number>>();
  for (const { by, removes, outcome, number } of attempts) {
    if (outcome !== 'ok') continue;
    let mine = removed.get(authorOf(by));
    if (mine === undefined) removed.set(authorOf(by), (mine = new Map()));
    for (const fid of removes) mine.set(fid, number);
  }
  for (const { by, made, version, number } of attempts) {
    if (made === undefined || typeof version !== 'string') continue;
    if ((removed.get(authorOf(by))?.get(made) ?? 0) > number) yield version;
  }
}

/** Whether the session is shown what a version that it has seen, or written, had replaced. */
function older(
  { by, seen, deed, begin, read, version: written }: Attempt,
  bases: ReadonlyMap<StoreId, StoreId>,
  before: Map<Fid, Set<StoreId>>,
): readonly string[] {
  if (seen === null || seen === undefined || seen.version === null) return [];
  if (read === undefined && written === undefined) return [];
  let versions = before.get(seen.fid);
  if (versions === undefined) before.set(seen.fid, (versions = new Set()));
  const broken: string[] = [];
  if (versions.has(seen.version)) {
    const path = 'path' in deed ? deed.path : '';
    broken.push(`${by} at ${begin}: ${path} shows ${seen.version}, which it had seen replaced`);
  }
  for (let base = bases.get(seen.version); base !== undefined; base = bases.get(base)) versions.add(base);
  return broken;
}

interface Watched {
  readonly ledger: Ledger;
  /** By object that was given a name which others were given, too: all of them. */
  readonly contested: ReadonlyMap<Fid, ReadonlySet<Fid>>;
  readonly named: Map<string, Named>;
}

/** What was seen last under a name, when, and where the second volume was seen then. */
interface Named {
  readonly fid: Fid;
  readonly at: number;
  readonly mounts: ReadonlySet<string>;
}

function vanished(
  { by, seen, deed, begin, end, mounts }: Attempt,
  { ledger, contested, named }: Watched,
): readonly string[] {
  if (!('path' in deed) || seen === undefined || deed.do === 'repair') return [];
  const { fid: before, at = 0, mounts: mountsThen = [] } = named.get(deed.path) ?? {};
  if (seen !== null) named.set(deed.path, { fid: seen.fid, at: begin, mounts });
  if (deed.do === 'remove' || deed.do === 'rename') named.delete(deed.path);
  if (seen !== null || before === undefined) return [];
  named.delete(deed.path);
  const way = ledger.wasIn(before);
  // What is below the mounted volume, or in it while it is not mounted, nobody sees.
  // A gateway that was cut off hears of it when it is back, however late.
  const seenAt = [...new Set([...mountsThen, ...mounts])];
  const isNews =
    seenAt.length > 1 && seenAt.some((mount) => mount !== '' && deed.path.startsWith(`${mount}/`));
  const isCovered = ledger.remounts.some(
    (each) => each.begin <= (end ?? Infinity) && (isNews || each.end + newsMs >= at),
  );
  // Of two directories made apart under one name only one keeps it, and what is in the other is below another name.
  const isElsewhere = [...way].some((fid) => fid !== before && contested.has(fid));
  // Its gateway died before it could answer, and may have forgotten that it sent it (MG-5 in vice/interface/merge.ts).
  const isForgotten = !ledger.isAnsweredFor(before);
  if (ledger.forgiven.has(before) || isCovered || isElsewhere || isForgotten) return [];
  // Which of them bears the name is decided later, and where that one goes there is nothing for a moment.
  const those = new Set([...way, ...(contested.get(before) ?? [])]);
  const isExplained = ledger.attempts.some((other) => {
    if (other.begin > (end ?? Infinity)) return false;
    if (other.deed.do === 'repair') return true;
    return [...other.takes, ...other.removes].some((fid) => those.has(fid));
  });
  return isExplained ? [] : [`${by} at ${begin}: ${deed.path} is gone, though nobody removed or moved it`];
}
