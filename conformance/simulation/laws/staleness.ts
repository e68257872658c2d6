/**
 * Staleness is bounded: while all is well (nothing is wrong, nor was for a while), a gateway reaches all servers, and
 * what was acknowledged a little longer ago than a message takes is what everybody is shown: no version that was
 * replaced, no file that was removed, and no lack of what was made.
 */
import type { Fid, StoreId } from '../../../vice/interface/index.js';
import type { Attempt } from '../world/attempt.js';
import { brief, type Ledger } from '../world/ledger.js';
import type { Law, Run } from '../world/outcome.js';
import { serversOf } from '../world/volumes.js';

/** Longer than any message is under way when nothing is wrong. */
const boundMs = 1000;
/** The first links need a moment. */
const startMs = 3000;

export const staleness: Law = (run) => {
  const { ledger, scenario } = run;
  const answered = ledger.attempts.filter(({ outcome }) => outcome === 'ok' || outcome === 'nothing');
  const broken: string[] = [];
  // Who dials a server whose clock is far from his is refused: his credential is not fresh there.
  const hasWrongClock = scenario.steps.some(({ do: verb }) => verb === 'wall');
  for (const { by, begin, reaches, deed, generation, shutOut, volume = 'root' } of ledger.attempts) {
    const { length: servers } = serversOf(scenario, volume);
    if (
      reaches === servers ||
      scenario.holding !== undefined ||
      hasWrongClock ||
      begin < startMs ||
      deed.do === 'repair'
    )
      continue;
    // The old copy of a disk: refused on purpose, or what it has forgotten to have done would be done again.
    if (generation > 0 && shutOut === true) continue;
    if (!ledger.wasCalm(begin - boundMs, begin)) continue;
    broken.push(`${by} at ${begin} reaches ${reaches} of ${servers} servers, and all is well`);
  }
  const isFirm = firmness(run);
  return [
    ...broken.slice(0, 1),
    ...replaced(ledger, answered),
    ...removed(ledger, answered, isFirm),
    ...unseen(ledger, answered, isFirm),
  ];
};

function replaced(ledger: Ledger, answered: readonly Attempt[]): readonly string[] {
  const broken: string[] = [];
  /** Version -> when it was replaced, as an author was told. */
  const since = new Map<StoreId, number>();
  for (const { base, end, outcome, connected } of answered) {
    if (outcome === 'ok' && connected === true && typeof base === 'string' && end !== undefined)
      since.set(base, Math.min(end, since.get(base) ?? Infinity));
  }
  for (const { by, seen, shown, read, begin, end, connected, deed } of answered) {
    const version = (read === undefined ? shown : seen)?.version;
    if (connected !== true || version == null || deed.do === 'repair') continue;
    const at = since.get(version);
    if (at === undefined || at > begin - boundMs || !ledger.wasCalm(at - boundMs, end ?? Infinity)) continue;
    const what = read === undefined ? version : brief(read);
    broken.push(`${by} was shown ${what} at ${begin}; it was replaced at ${at}, and all was well`);
  }
  return broken;
}

function removed(
  ledger: Ledger,
  answered: readonly Attempt[],
  isFirm: (fid: Fid) => boolean,
): readonly string[] {
  const broken: string[] = [];
  const since = new Map<Fid, number>();
  for (const { deed, shown, end, outcome, connected } of answered) {
    if (deed.do !== 'remove' || outcome !== 'ok' || connected !== true || shown == null) continue;
    if (shown.version !== null && isFirm(shown.fid)) since.set(shown.fid, end ?? Infinity);
  }
  for (const { by, shown, begin, end, connected, deed } of answered) {
    const at = shown == null ? undefined : since.get(shown.fid);
    if (at === undefined || connected !== true || at > begin - boundMs || deed.do === 'repair') continue;
    if (!ledger.wasCalm(0, end ?? Infinity)) continue;
    broken.push(`${by} was shown ${shown?.fid} at ${begin}; it was removed at ${at}, and all was well`);
  }
  return broken;
}

function unseen(
  ledger: Ledger,
  answered: readonly Attempt[],
  isFirm: (fid: Fid) => boolean,
): readonly string[] {
  const broken: string[] = [];
  for (const attempt of answered) {
    const { by, deed, shown, begin, end, connected } = attempt;
    if (shown !== null || connected !== true || !('path' in deed) || deed.do === 'repair') continue;
    const maker = answered.findLast(({ deed: other, made, end: made_at, outcome }) => {
      const isMade = outcome === 'ok' && made !== undefined && 'path' in other && other.path === deed.path;
      return isMade && (made_at ?? Infinity) < begin - boundMs && other.do !== 'copy';
    });
    if (maker?.made === undefined || !isFirm(maker.made)) continue;
    if (!ledger.wasCalm((maker.begin ?? 0) - boundMs, end ?? Infinity)) continue;
    const way = ledger.wasIn(maker.made);
    // It may be below the mounted volume, or in it while it is not mounted.
    if (ledger.remounts.some((each) => each.begin <= (end ?? Infinity) && each.end + boundMs >= maker.begin))
      continue;
    // Who moves or removes a name means what bears it by then, not only what he was shown first.
    const isGone = ledger.attempts.some(
      ({ takes, removes, begin: other, end: over = Infinity, deed: taking }) =>
        other <= (end ?? Infinity) &&
        ([...takes, ...removes].some((fid) => way.has(fid)) ||
          ((taking.do === 'rename' || taking.do === 'remove') &&
            taking.path === deed.path &&
            over >= maker.begin)),
    );
    if (!isGone)
      broken.push(`${by} at ${begin}: ${deed.path} is not there, which ${maker.by} made at ${maker.end}`);
  }
  return broken;
}

/** Whether nobody has ever changed the object at the same time as somebody else, and no conflict is about it. */
function firmness({ ledger, looks }: Run): (fid: Fid) => boolean {
  const disputed = new Set<Fid>(
    looks.flatMap(({ views }) => views.flatMap((view) => view.conflicts.map(({ fid }) => fid))),
  );
  const latest = new Map<Fid, number>();
  for (const attempt of ledger.attempts) {
    if (!ledger.mayHaveHappened(attempt)) continue;
    const fid = attempt.touches ?? attempt.made ?? [...attempt.removes][0];
    const moved = attempt.becomes === undefined ? [] : attempt.removes;
    for (const each of new Set(fid === undefined ? moved : [fid, ...moved])) {
      if (attempt.begin < (latest.get(each) ?? -Infinity) || attempt.deed.do === 'repair') disputed.add(each);
      latest.set(each, Math.max(attempt.end ?? Infinity, latest.get(each) ?? 0));
    }
  }
  return (fid) => !disputed.has(fid);
}
