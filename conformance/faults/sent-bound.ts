/**
 * How many records gateways have sent of each object at most: for the law that none is applied twice
 * (simulation/laws/applied-once.ts). From outside nobody sees records, so it is worked out from what people may have
 * done: exactly of a file's contents, properties and moves, with room to spare of directories. Pure.
 */
import type { Fid, StoreId } from '../../vice/interface/index.js';
import type { Attempt } from '../simulation/world/attempt.js';
import type { Ledger } from '../simulation/world/ledger.js';
import type { Look } from '../simulation/world/outcome.js';

const idle: readonly string[] = ['get', 'list'];

export function boundSent(ledger: Ledger, looks: readonly Look[]): void {
  const of = (fid: Fid): Set<StoreId> => {
    const ids = ledger.sent.get(fid) ?? new Set<StoreId>();
    ledger.sent.set(fid, ids);
    return ids;
  };
  for (const attempt of ledger.attempts) {
    if (idle.includes(attempt.deed.do) || !ledger.mayHaveHappened(attempt)) continue;
    for (const fid of changedBy(attempt)) {
      for (let record = 0; record < recordsOf(attempt); record += 1)
        of(fid).add(`${attempt.number}:${record}` as StoreId);
    }
    for (const fid of directoriesOf(attempt, ledger)) {
      // A tree goes in pieces: one record for each object at most.
      for (let piece = 0; piece <= attempt.removes.size; piece += 1)
        of(fid).add(`${attempt.number}/${piece}` as StoreId);
    }
  }
  for (const fid of withoutMaker(ledger, looks))
    for (let piece = 0; piece < most; piece += 1) of(fid).add(`${piece}` as StoreId);
}

/** A new file is made and then filled; a copy is told its properties, too. */
function recordsOf({ deed }: Attempt): number {
  return { put: 2, copy: 3 }[deed.do as string] ?? 1;
}

/** More than are ever counted. */
const most = 10_000;

function changedBy({ touches, made, placed, takes, removes }: Attempt): ReadonlySet<Fid> {
  const all = [touches, made, placed?.fid, ...takes, ...removes];
  return new Set(all.filter((fid) => fid !== undefined));
}

/** All in which something of it ever was. */
function directoriesOf(attempt: Attempt, { parents }: Ledger): ReadonlySet<Fid> {
  const { into, placed, blind } = attempt;
  const above = [...changedBy(attempt)].flatMap((fid) => [...(parents.get(fid) ?? [])]);
  return new Set([into, placed?.parent, blind?.parent, ...above].filter((fid) => fid !== undefined));
}

/** Nobody can say who made it, or wrote it first: then nothing is known of it. */
function* withoutMaker({ attempts }: Ledger, looks: readonly Look[]): Generator<Fid> {
  const made = new Set(attempts.flatMap(({ made, placed }) => [made, placed?.fid]));
  for (const { dumps } of looks) {
    for (const dump of dumps.values())
      if (!(dump instanceof Error)) for (const { fid } of dump) if (!made.has(fid)) yield fid;
  }
}
