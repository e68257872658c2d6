/**
 * Space: what a server says that a volume uses is what its objects come to, counted once more. And a quota holds: no
 * more is taken than it allows and was under way at the same moment, nobody is refused where there is room, and nobody
 * where there is no quota.
 */
import { versionsOf } from '../../../vice/interface/index.js';
import type { Attempt } from '../world/attempt.js';
import type { Quota } from '../world/ledger.js';
import type { Law, Run } from '../world/outcome.js';
import { wordsOf } from '../world/scenario.js';
import { newsMs } from '../world/session.js';
import { nameOf } from '../world/volumes.js';

export const space: Law = (run) => [...miscounted(run), ...exceeded(run), ...refused(run)];

function miscounted({ sizes, looks }: Run): readonly string[] {
  const dumps = looks.at(-1)?.dumps;
  return sizes.flatMap(({ host, used }) => {
    const dump = dumps?.get(host);
    if (used === undefined || dump === undefined || dump instanceof Error) return [];
    const counted = dump
      .flatMap(({ status }) => versionsOf(status))
      .reduce((bytes, { length }) => bytes + length, 0);
    return counted === used ? [] : [`${host} says that ${used} bytes are used, its objects have ${counted}`];
  });
}

function exceeded({ ledger }: Run): readonly string[] {
  return ledger.attempts.flatMap((attempt) => {
    const { by, deed, begin, end, outcome, text, used, connected } = attempt;
    const quota = quotaOf(attempt, ledger.quotas);
    if (deed.do !== 'put' || outcome !== 'ok' || connected !== true || quota?.bytes == null) return [];
    if (end === undefined || used === undefined || (text ?? '') === '') return [];
    // What makes a file smaller is never refused.
    const before =
      ledger.texts.get(attempt.base ?? ('' as never))?.length ?? (attempt.base == null ? 0 : Infinity);
    if ((text ?? '').length <= before || !ledger.wasCalm(quota.begin, end)) return [];
    const most = quota.bytes + beside(attempt, ledger.attempts);
    if (used <= most) return [];
    return [`${by} at ${begin}: ${wordsOf(deed)} was done: ${used} bytes are used, at most ${most} may be`];
  });
}

function refused({ ledger }: Run): readonly string[] {
  return ledger.attempts.flatMap((attempt) => {
    const { by, deed, begin, end = Infinity, outcome, usedBefore } = attempt;
    if (outcome !== 'quota') return [];
    const told = `${by} at ${begin}: ${wordsOf(deed)} was refused for want of room`;
    const isBounded = ledger.quotas.some(
      (quota) => quota.bytes !== null && quota.asked <= end && quota.end + newsMs >= begin,
    );
    if (!isBounded) return [`${told}, and there was no quota`];
    const quota = quotaOf(attempt, ledger.quotas);
    if (deed.do !== 'put' || quota?.bytes == null || usedBefore === undefined) return [];
    if (!ledger.wasCalm(quota.begin, end)) return [];
    const needed = usedBefore + (attempt.text ?? '').length + beside(attempt, ledger.attempts);
    return needed <= quota.bytes ? [`${told}: ${usedBefore} of ${quota.bytes} bytes were used`] : [];
  });
}

/** What holds for it from before it began to its end, and everybody has heard of; undefined: that cannot be told. */
function quotaOf(
  { volume, placed, begin, end = Infinity }: Attempt,
  quotas: readonly Quota[],
): Quota | undefined {
  const name = placed === undefined ? volume : nameOf(placed.parent);
  return quotas.find((quota) => quota.volume === name && quota.begin + newsMs <= begin && end <= quota.end);
}

/** Bytes that others may have brought at about the same moment. */
function beside(attempt: Attempt, attempts: readonly Attempt[]): number {
  const { begin, end = Infinity } = attempt;
  return attempts
    .filter((other) => other !== attempt && other.begin <= end && (other.end ?? Infinity) >= begin - newsMs)
    .reduce(
      (bytes, { text, deed }) =>
        bytes + (text ?? (deed.do === 'rename' || deed.do === 'copy' ? unknown : '')).length,
      0,
    );
}

/** Of what is moved or copied from elsewhere: more than any file has. */
const unknown = { length: 1e6 };
