/**
 * PUT: new contents of a file, spooled outside the volume and stored whole by one close (design.md section
 * 2).
 *
 * PUT-1  Until the last byte has arrived and matched, the old contents stand; a refused or cut-off body
 *        leaves nothing.
 * PUT-2  Everything that can be refused is refused before the first byte of the body is asked for: the host
 *        sends `100 Continue` when the body is first read.
 */
import {
  isFailure,
  type Expectation,
  type ExpectedTarget,
  type Place,
  type WriteOutcome,
  type Writer,
} from '../../venus/interface.js';
import { announcedLength, bodyCheckOf, type BodyCheck } from './body-digest.js';
import { hasCondition } from './conditional.js';
import { etagOf } from './etag.js';
import { DavError, type Answer, type Exchange } from './exchange.js';
import { formatHttpDate } from './http-date.js';
import { ifExpectation } from './if-expectation.js';
import { modificationTimeOf } from './modification-time.js';
import { nameOf, preconditionFailed, requireConditions, requireUnlocked, writableTarget } from './target.js';

/** Chunks of a body are gathered to about this many bytes for each write of the spool. */
const gatherBytes = 256 * 1024;
/**
 * Smaller bodies are cheaper to send than the room for them is to ask for; their close is refused in time.
 */
const worthAsking = 64 * 1024;

export async function put(exchange: Exchange): Promise<Answer> {
  refuseParts(exchange);
  const { share, caller, path, headers } = exchange;
  const check = bodyCheckOf(headers);
  const modified = modificationTimeOf(headers);
  const place = await writableTarget(exchange, path);
  const expect = expectationOf(exchange, place);
  requireUnlocked(exchange, place);
  const intent = { place, path, kind: place.object === null ? 'membership' : 'content' } as const;
  await share.locks.guard(exchange, [intent]);
  const locksBefore = new Set(share.locks.covering(place).map((lock) => lock.token));
  await requireRight(exchange, place);
  await requireRoom(exchange, place);

  const announced = announcedLength(headers);
  const length = announced === 0 ? undefined : announced;
  const writer = await share.venus.write(caller, length, expectedTarget(place));
  let outcome: WriteOutcome;
  try {
    await spool(exchange, writer, check);
    check.verify(writer.length);
    // A lock that came while the body arrived is as good as an earlier one.
    if (share.locks.covering(place).some((lock) => !locksBefore.has(lock.token))) {
      await share.locks.guard(exchange, [intent]);
    }
    const { parent, name } = nameOf(place);
    outcome = await writer.close({
      parent,
      name,
      ...(expect === undefined ? {} : { expect }),
      ...(modified === undefined ? {} : { modified }),
    });
  } catch (error) {
    await writer.abort();
    throw closeFailure(exchange, error, expect !== undefined);
  }
  const { object } = place;
  // A version in conflict that is written to is another object afterwards: to its locks it is the same.
  if (object?.conflict?.kind === 'sibling') {
    await share.locks.adopt(object.fid, outcome.status.fid);
  }
  logClose(exchange, outcome);
  return putAnswer(exchange, outcome, modified !== undefined);
}

/** RFC 7231 section 4.3.4: a part that is taken for the whole file destroys it. */
function refuseParts({ headers }: Exchange): void {
  if (headers['content-range'] !== undefined) throw new DavError(400, 'A part of a file cannot be PUT');
  const encoding = headers['content-encoding']?.trim().toLowerCase() ?? 'identity';
  if (encoding !== 'identity') throw new DavError(415, `Contents in the encoding ${encoding} are not taken`);
}

/** @throws DavError 405, 409, 412 */
function expectationOf(exchange: Exchange, place: Place): Expectation | undefined {
  const { object } = place;
  if (place.parent === null || (object !== null && object.kind !== 'file')) {
    throw new DavError(405, 'There is a folder of this name');
  }
  if (object === null && exchange.trailingSlash) throw new DavError(409, 'A file has no slash at its end');
  // gvfs asks so for a file that must be new.
  if (
    String(exchange.headers['overwrite'] ?? 'T')
      .trim()
      .toUpperCase() === 'F'
  ) {
    if (object !== null) throw preconditionFailed();
    return { version: null };
  }
  return requireConditions(exchange, object) ?? ifExpectation(exchange, exchange.path, object);
}

function expectedTarget({ parent, object }: Place): ExpectedTarget {
  return { into: parent ?? undefined, replaces: object?.fid };
}

/** Before the body is sent. What he may do with a file that he has just made only the close knows. */
async function requireRight({ share, caller }: Exchange, { parent, object }: Place): Promise<void> {
  if (parent === null) return;
  const { rights } = await share.venus.access(caller, object?.fid ?? parent);
  if (rights.includes('i') || (object !== null && rights.includes('w'))) return;
  throw new DavError(
    403,
    object === null ? 'You may put nothing into this folder' : 'You may not change this file',
  );
}

/** @throws DavError 507 before a body that would not fit is sent */
async function requireRoom(exchange: Exchange, place: Place): Promise<void> {
  const { parent } = nameOf(place);
  const announced = announcedLength(exchange.headers);
  if (announced < worthAsking && exchange.headers.expect === undefined) return;
  try {
    const { availableBytes } = await exchange.share.venus.space(exchange.caller, parent);
    // The old contents are let go only after the new ones are there, but they are within the same quota.
    if (announced <= availableBytes + (place.object?.length ?? 0)) return;
  } catch (error) {
    // Nobody knows the quota now; the servers will judge when they can.
    if (isFailure(error)) return;
    throw error;
  }
  throw new DavError(507, `There is no room for ${announced} bytes`);
}

/** Reads the body into `writer`: the next chunks are gathered while the last ones are written. */
async function spool(exchange: Exchange, writer: Writer, check: BodyCheck): Promise<void> {
  let gathered: Uint8Array[] = [];
  let bytes = 0;
  let writing: Promise<void> | undefined;
  const flush = async (): Promise<void> => {
    const [only, ...rest] = gathered;
    if (only === undefined) return;
    const chunk = rest.length === 0 ? only : Buffer.concat(gathered, bytes);
    gathered = [];
    bytes = 0;
    await writing;
    writing = writer.write(chunk);
    // Awaited at the next flush; a failure meanwhile must not count as unhandled.
    writing.catch(() => undefined);
  };
  try {
    // The iterator must not destroy the request: the client still has to be answered.
    for await (const piece of exchange.body.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      check.update(piece);
      gathered.push(piece);
      bytes += piece.length;
      if (bytes >= gatherBytes) await flush();
    }
    await flush();
  } finally {
    await writing;
  }
}

/** What a failure of spooling or closing means for a PUT. */
function closeFailure(exchange: Exchange, error: unknown, expects: boolean): unknown {
  if (isFailure(error, 'not-found', 'not-directory')) return new DavError(409, 'The folder for it is gone');
  const conditional =
    expects || hasCondition(exchange.headers) || exchange.headers['overwrite'] !== undefined;
  if (isFailure(error, 'changed', 'conflict') && !conditional) {
    // RFC 4918 section 12.1: 412 is only for who stated a condition.
    return new DavError(409, 'Another change came in between; try again');
  }
  if (isFailure(error, 'changed')) return preconditionFailed();
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ECONNRESET' || code === 'HPE_INVALID_EOF_STATE' || code === 'ERR_STREAM_PREMATURE_CLOSE') {
    return new DavError(400, 'The body was cut off; nothing is changed');
  }
  return error;
}

function putAnswer(exchange: Exchange, { created, status }: WriteOutcome, timeTaken: boolean): Answer {
  const etag = etagOf(status);
  const checksum = exchange.headers['oc-checksum'];
  return {
    status: created ? 201 : 204,
    headers: {
      // Without both, Finder and davfs2 ask for them by one more request (webdavfs, davfs2: cache.c).
      ...(etag === null ? {} : { ETag: etag }),
      'Last-Modified': formatHttpDate(status.modified),
      ...(timeTaken ? { 'X-OC-Mtime': 'accepted' } : {}),
      ...(typeof checksum === 'string' ? { 'OC-Checksum': checksum } : {}),
    },
  };
}

function logClose({ share, caller, client }: Exchange, { created, status }: WriteOutcome): void {
  share.log.info('close', {
    fid: status.fid,
    version: status.version,
    user: caller.user,
    client: client.userAgent,
    bytes: status.length,
    created,
  });
}
