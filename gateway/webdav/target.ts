/**
 * What a request is about: the object at its path, or the free name there, and what the client expects of it.
 */
import { isFailure, type Expectation, type ObjectStatus, type Place } from '../../venus/interface.js';
import { checkConditions, hasCondition, type Current } from './conditional.js';
import { etagOf } from './etag.js';
import { DavError, type Exchange } from './exchange.js';

/** A place with an object at it. */
export interface FoundPlace extends Place {
  readonly object: ObjectStatus;
}

/** The object at the request's path. @throws DavError 404; Failure of Venus.lookup */
export async function existingTarget(exchange: Exchange): Promise<FoundPlace> {
  try {
    const place = await exchange.share.venus.lookup(exchange.caller, exchange.path);
    if (place.object !== null) return { ...place, object: place.object };
  } catch (error) {
    if (!isFailure(error, 'not-found', 'not-directory')) throw error;
  }
  throw new DavError(404, 'There is nothing of this name');
}

/**
 * The place at `path`, where an object is to be made or replaced.
 * @throws DavError 409 (its directory does not exist); Failure of Venus.lookup
 */
export async function writableTarget(exchange: Exchange, path: readonly string[]): Promise<Place> {
  try {
    return await exchange.share.venus.lookup(exchange.caller, path);
  } catch (error) {
    if (!isFailure(error, 'not-found', 'not-directory')) throw error;
    throw new DavError(409, 'The folder for it does not exist');
  }
}

/**
 * Before a body is read and before anything is done: what is at a place, or is to be, cannot be changed.
 * @throws DavError 403: an administrator has locked the volume
 */
export function requireUnlocked({ share }: Exchange, { parent, object }: Place): void {
  // A name is of the volume of its directory: what is mounted there is not meant.
  const fid = parent ?? object?.fid;
  if (fid !== undefined && share.venus.isLocked(fid)) throw lockedVolume();
}

export function lockedVolume(): DavError {
  return new DavError(403, 'An administrator has locked this volume: it can only be read');
}

/** The directory and the name of a place that is not the root. */
export function nameOf(place: Place): {
  readonly parent: NonNullable<Place['parent']>;
  readonly name: string;
} {
  if (place.parent === null) throw new DavError(403, 'The root of the share stays where it is');
  return { parent: place.parent, name: place.name };
}

/** What the conditions of HTTP are compared with. */
export function currentOf(object: ObjectStatus | null): Current {
  if (object === null) return { etag: null, modified: 0, exists: false };
  return { etag: etagOf(object), modified: object.modified, exists: true };
}

/**
 * Checks the preconditions of a change. Where the client sent one, the result is what Venus must find again
 * at the moment of the change.
 * @throws DavError 412
 */
export function requireConditions(exchange: Exchange, object: ObjectStatus | null): Expectation | undefined {
  const { headers, method } = exchange;
  if (checkConditions(headers, method, currentOf(object)) === 412) throw preconditionFailed();
  if (!hasCondition(headers)) return undefined;
  if (object === null) return { version: null };
  return object.version === null ? undefined : { version: object.version };
}

export function preconditionFailed(): DavError {
  return new DavError(412, 'The file is not the version that the client expected');
}

/**
 * Whether the request announces a body.
 * @throws DavError 415 for methods whose bodies mean nothing here (RFC 4918 section 8.4)
 */
export function refuseBody({ headers, method }: Exchange): void {
  const length = headers['content-length'];
  const announced =
    headers['transfer-encoding'] !== undefined || (length !== undefined && Number(length) !== 0);
  if (announced) throw new DavError(415, `${method} takes no body`);
}

/** The Depth header. @throws DavError 400 for any other than those of `allowed` */
export function depthOf<D extends '0' | '1' | 'infinity'>(
  exchange: Exchange,
  allowed: readonly D[],
  byDefault: D,
): D {
  const header = exchange.headers['depth'];
  if (header === undefined) return byDefault;
  const depth = allowed.find((candidate) => candidate === String(header).trim().toLowerCase());
  if (depth === undefined) throw new DavError(400, `${exchange.method} takes Depth ${allowed.join(' or ')}`);
  return depth;
}
