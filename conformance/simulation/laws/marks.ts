/**
 * What was said about an object is there: of a property, the mode and the place, when one gateway alone has set it and
 * its last setting was acknowledged, that is what all servers have.
 */
import type { Fid } from '../../../vice/interface/index.js';
import type { DumpedObject } from '../replica-dump.js';
import type { Attempt } from '../world/attempt.js';
import type { Ledger } from '../world/ledger.js';
import type { Law } from '../world/outcome.js';

interface Said {
  readonly attempt: Attempt;
  readonly fid: Fid;
  readonly value: string;
}

export const marks: Law = ({ scenario, ledger, looks }) => {
  const broken: string[] = [];
  const said = sayings(ledger);
  // Whoever removes an object gives up what he has said about it, also where it lives on for others.
  const removed = new Set(ledger.attempts.flatMap(({ removes }) => [...removes]));
  const contested = contestedPlaces(ledger);
  for (const [server, dump] of looks[0]?.dumps ?? []) {
    if (dump instanceof Error) continue;
    const objects = new Map(dump.map((object) => [object.fid, object]));
    for (const [key, all] of said) {
      const last = lastOf(all);
      const object = last === undefined ? undefined : objects.get(last.fid);
      if (last === undefined || object === undefined) continue;
      if (ledger.forgiven.has(last.fid) || removed.has(last.fid)) continue;
      const [what = ''] = key.split(' ');
      if (what === 'place' && (contested.has(last.fid) || ledger.mountedOn.has(last.fid))) continue;
      // A folder of which nobody knows any more is made anew for what is put into it.
      const { placed } = last.attempt;
      if (
        what === 'place' &&
        scenario.graceMs !== undefined &&
        placed !== undefined &&
        removed.has(placed.parent)
      )
        continue;
      const { by, end, deed } = last.attempt;
      if (isSaid(object, what, last.value)) continue;
      broken.push(`${server}: ${object.path} is not as ${by} was told at ${end}: ${JSON.stringify(deed)}`);
    }
  }
  return broken;
};

/** By what is said of which object. */
function sayings(ledger: Ledger): ReadonlyMap<string, readonly Said[]> {
  const said = new Map<string, Said[]>();
  const say = (what: string, fid: Fid, value: string, attempt: Attempt): void => {
    const key = `${what} ${fid}`;
    const before = said.get(key);
    if (before === undefined) said.set(key, [{ attempt, fid, value }]);
    else before.push({ attempt, fid, value });
  };
  for (const attempt of ledger.attempts) {
    if (!ledger.mayHaveHappened(attempt)) continue;
    const { marked, placed, deed, touches } = attempt;
    if (marked !== undefined) say(marked.what, marked.fid, marked.value, attempt);
    if (placed !== undefined) say('place', placed.fid, `${placed.parent} ${placed.name}`, attempt);
    // A decision may put the object elsewhere.
    if (deed.do === 'repair' && touches !== undefined) say('place', touches, '', attempt);
  }
  return said;
}

/**
 * Objects that were given a name which another one was given, too: which of them bears it where is decided later, so
 * whoever renames it may rename another one than he was shown.
 */
export function contestedPlaces(ledger: Ledger): ReadonlySet<Fid> {
  return new Set(contenders(ledger).keys());
}

/** By such an object: those that were given a name which it was given, with itself. */
export function contenders(ledger: Ledger): ReadonlyMap<Fid, ReadonlySet<Fid>> {
  const named = new Map<string, Set<Fid>>();
  for (const { placed } of ledger.attempts) {
    if (placed === undefined) continue;
    const place = `${placed.parent} ${placed.name}`;
    named.set(place, (named.get(place) ?? new Set<Fid>()).add(placed.fid));
  }
  const found = new Map<Fid, Set<Fid>>();
  for (const there of [...named.values()].filter(({ size }) => size > 1))
    for (const fid of there) found.set(fid, new Set([...(found.get(fid) ?? []), ...there]));
  return found;
}

/** The last one, if all are of one gateway and it is known to be the last, and to have happened. */
function lastOf(all: readonly Said[]): Said | undefined {
  const [first] = all;
  const last = all.at(-1);
  if (first === undefined || last === undefined || last.attempt.outcome !== 'ok' || last.value === '')
    return undefined;
  const isLast = all.every(({ attempt }) => {
    const { gateway, generation } = last.attempt;
    if (attempt.gateway !== gateway || attempt.generation !== generation) return false;
    return attempt === last.attempt || (attempt.end ?? Infinity) <= last.attempt.begin;
  });
  return isLast ? last : undefined;
}

function isSaid({ status, properties }: DumpedObject, what: string, value: string): boolean {
  if (what === 'list')
    return (status.access ?? []).some(({ list }) => JSON.stringify(list) === value) || value === 'null';
  if (what === 'mode') return String(status.mode) === value;
  if (what === 'place') return status.places.some(({ parent, name }) => `${parent} ${name}` === value);
  return properties[what] === value;
}
