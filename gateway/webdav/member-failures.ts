/** The 207 of a change that failed for some members only (RFC 4918 sections 9.6.1, 9.8.3, 9.9.2). */
import { DavError, type Answer, type Exchange } from './exchange.js';
import { hrefOf } from './href.js';
import { failureAnswer, statusOf } from './status.js';
import { escapeXml, multistatusEnd, multistatusStart, statusLine, xmlContentType } from './xml-writer.js';

export interface MemberFailure {
  readonly path: readonly string[];
  readonly isDirectory: boolean;
  readonly status: number;
  readonly error: unknown;
}

/** @throws `error` where it is no failure that a client can be told */
export function memberFailure(error: unknown, path: readonly string[], isDirectory: boolean): MemberFailure {
  const status = statusOf(error);
  if (status === undefined) throw error;
  return { path, isDirectory, status, error };
}

/**
 * 207, but webdavfs reads the members of a 207 as one more collection: to it, the first failure stands for
 * all; `summary` for one that it would misunderstand.
 */
export function partialAnswer(
  { share, client, method }: Exchange,
  failures: readonly MemberFailure[],
  summary: string,
): Answer {
  const [first] = failures;
  if (first === undefined) throw new Error('nothing has failed');
  if (client.kind !== 'macos') return multistatusAnswer(share.prefix, failures);
  const error = first.status < 500 ? first.error : new DavError(423, summary);
  return failureAnswer(error, method, client);
}

/** `prefix` is the share's mount point. */
function multistatusAnswer(prefix: string, failures: readonly MemberFailure[]): Answer {
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
