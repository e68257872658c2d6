/** A scrub in words. Pure. */
import type { ScrubReport } from '../../vice/interface/index.js';
import { bytesText } from './output.js';
import { countText, durationText, shown, timeText } from './words.js';

export interface ServerScrub {
  readonly server: string;
  /** Undefined: the server does not answer. */
  readonly scrub: ScrubReport | undefined;
}

/** "s1: 120 of 3000 objects, 3 MiB of 9 MiB, 8 MiB/s, about 5 s left". */
export function progressText({ server, scrub }: ServerScrub): string {
  if (scrub === undefined) return `${server} does not answer`;
  const { objects, allObjects, bytes, allBytes, bytesPerSecond, running, phase } = scrub;
  if (!running) return `${server} is done`;
  if (phase === null) return `${server} begins`;
  const parts = [
    `${Math.min(objects, allObjects)} of ${allObjects} objects`,
    `${bytesText(Math.min(bytes, allBytes))} of ${bytesText(allBytes)}`,
  ];
  if (bytesPerSecond > 0) parts.push(`${bytesText(bytesPerSecond)}/s`);
  if (phase === 'contents' && bytesPerSecond > 0) {
    const left = Math.max(0, allBytes - bytes) / bytesPerSecond;
    parts.push(`about ${durationText(left * 1000)} left`);
  }
  return `${server}: ${parts.join(', ')}`;
}

/** One line for a server, and three for each thing that is wrong there; `now` in milliseconds since 1970. */
export function scrubLines({ server, scrub }: ServerScrub, now: number): string[] {
  if (scrub === undefined) return [`${server} does not answer`];
  const { running, endedAt, startedAt, objects, bytes, healed, open, findings } = scrub;
  const what = `${countText(objects, 'object')}, ${bytesText(bytes)} read, ${healed} healed, ${open} not healed`;
  const when = running
    ? progressText({ server, scrub })
    : startedAt === null || endedAt === null
      ? `${server} has never been scrubbed${dueText(scrub)}`
      : `${server}: scrubbed ${durationText(now - endedAt)} ago, ${what}${dueText(scrub)}`;
  const lines = findings.flatMap(({ fault, volume, fid, path, digest, peer, since, reason, advice }) => {
    const where = path === null ? (digest ?? fid ?? '') : shown(path);
    const other = peer === null ? '' : ` from ${peer}`;
    const object = fid === null ? '' : `, object ${fid}`;
    return [
      `  ${where}: ${fault}${other}, since ${timeText(since)} (volume ${volume}${object})`,
      `    ${shown(reason)}`,
      `    ${advice}`,
    ];
  });
  const more = open > findings.length ? [`  and ${open - findings.length} more`] : [];
  return [when, ...lines, ...more];
}

function dueText({ dueAt }: ScrubReport): string {
  return dueAt === null ? '' : `; the next time ${timeText(dueAt)}`;
}
