/**
 * What may be done below `/.coda/`, the part of the share that is the gateway's own (coda-folder.ts): it is read by any
 * client, of class 1, and versions of files are deleted in it or moved out of it. In snapshots nothing is changed ever.
 */
import { conflictEvents } from './conflict-events.js';
import { DavError, type Answer, type Exchange, type Method } from './exchange.js';
import { optionsAnswer } from './options.js';

export const codaName = '.coda';
export const conflictsName = 'conflicts';
export const overwrittenName = 'overwritten';
export const snapshotsName = 'snapshots';
export const peopleName = 'people';

/** Folders that hold a folder for each file, which holds versions of it. */
export const versionFolders: readonly string[] = [conflictsName, overwrittenName];

const reading = ['OPTIONS', 'GET', 'HEAD', 'PROPFIND', 'COPY'];

export function isCodaPath(path: readonly string[]): boolean {
  return path[0] === codaName;
}

export function isPeoplePath(path: readonly string[]): boolean {
  return isCodaPath(path) && path[1] === peopleName;
}

export function isSnapshotPath(path: readonly string[]): boolean {
  return isCodaPath(path) && path[1] === snapshotsName;
}

/** `method` as it is below `/.coda/` too. */
export function withinLimits(method: Method): Method {
  return async (exchange) => {
    if (!isCodaPath(exchange.path)) return method(exchange);
    if (exchange.method === 'OPTIONS') return optionsHere;
    if (isEvents(exchange)) return conflictEvents(exchange);
    requireAllowed(exchange);
    return method(exchange);
  };
}

/** Never listed: a client that copies what it finds would wait for its end. */
function isEvents({ method, path }: Exchange): boolean {
  return path.length === 2 && path[1] === 'events' && (method === 'GET' || method === 'HEAD');
}

/** @throws DavError 403 */
export function requireOutside(path: readonly string[]): void {
  if (isCodaPath(path)) throw new DavError(403, `Nothing can be put into /${codaName}`);
}

/** @throws DavError 403 */
function requireAllowed({ method, path }: Exchange): void {
  if (reading.includes(method)) return;
  const isVersion = versionFolders.includes(path[1] ?? '') && path.length === 4;
  if (isVersion && (method === 'DELETE' || method === 'MOVE')) return;
  if (isSnapshotPath(path)) {
    throw new DavError(403, 'Nothing in a snapshot can be changed: copy out of it what you need');
  }
  const advice = 'delete versions of a file here, or move one to where it shall be';
  throw new DavError(403, `Nothing can be changed in /${codaName}: ${advice}`);
}

const optionsHere: Answer = {
  ...optionsAnswer,
  headers: { ...optionsAnswer.headers, DAV: '1', Allow: [...reading, 'DELETE', 'MOVE'].join(', ') },
};
