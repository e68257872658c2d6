/** What a reader is told when no source has what he wants. */
import { Failure, isFailure, type Fid } from '../../vice/interface/index.js';
import type { Volume } from '../volume/volume.js';

/**
 * Nobody has the contents of `fid`; `cause` is what the last one who was asked said. As long as a server is out of
 * reach it may be that this one has them: only when all have been asked they are damaged.
 */
export function cannotFetch(
  { avsg, members }: Pick<Volume, 'avsg' | 'members'>,
  fid: Fid,
  cause: Failure | undefined,
): Failure {
  if (cause !== undefined && (cause.fid === fid || isFailure(cause, 'no-space', 'too-large'))) return cause;
  const isUnanswered = cause === undefined || isFailure(cause, 'unreachable', 'timeout', 'cancelled');
  if (avsg.length > 0 && avsg.length >= members.length && !isUnanswered) {
    return new Failure('damaged', 'venus.fetch', 'no accessible replica has intact contents', { fid, cause });
  }
  const message =
    avsg.length === 0
      ? 'no server answers, and the contents are not in the cache'
      : 'the servers that answer do not have the contents, and others are out of reach';
  return new Failure('unreachable', 'venus.fetch', message, { fid, cause });
}
