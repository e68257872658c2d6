/** The 207 of a change that failed for some members only (RFC 4918 sections 9.6.1, 9.8.3). */
import type { Answer } from './exchange.js';
import { hrefOf } from './href.js';
import { escapeXml, multistatusEnd, multistatusStart, statusLine, xmlContentType } from './xml-writer.js';

export interface MemberFailure {
  readonly path: readonly string[];
  readonly isDirectory: boolean;
  readonly status: number;
  readonly error: unknown;
}

/** `prefix` is the share's mount point. */
export function multistatusAnswer(prefix: string, failures: readonly MemberFailure[]): Answer {
  const responses = failures.map(({ path, isDirectory, status }) => {
    const href = escapeXml(hrefOf(prefix, path, isDirectory));
    return `<D:response><D:href>${href}</D:href><D:status>${statusLine(status)}</D:status></D:response>`;
  });
  return {
    status: 207,
    headers: { 'Content-Type': xmlContentType },
    body: multistatusStart + responses.join('') + multistatusEnd,
  };
}
