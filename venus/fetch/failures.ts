/** What a reader is told when no source has what he wants. */
import { Failure, isFailure, type Fid } from '../../vice/interface/index.js';
import type { Volume } from '../volume/volume.js';

/** Nobody has the contents of `fid`; `cause` is what the last one who was asked said. */
export function cannotFetch(volume: Pick<Volume, 'avsg'>, fid: Fid, cause: Failure | undefined): Failure {
  if (cause !== undefined && (cause.fid === fid || isFailure(cause, 'no-space', 'too-large'))) return cause;
  if (
    volume.avsg.length > 0 &&
    cause !== undefined &&
    !isFailure(cause, 'unreachable', 'timeout', 'cancelled')
  ) {
    return new Failure('damaged', 'venus.fetch', 'no accessible replica has intact contents', { fid, cause });
  }
  const message = 'no server answers, and the contents are not in the cache';
  return new Failure('unreachable', 'venus.fetch', message, { fid, cause });
}
