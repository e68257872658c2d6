/** What servers said of an object, taken into the cache. */
import { isWithin, type Fid, type VnodeStatus } from '../../vice/interface/index.js';
import type { CachedObject } from '../cache/cached-object.js';
import type { ObjectCache } from '../cache/object-cache.js';
import { isLocal, type ModifyLog } from '../log/modify-log.js';
import { isBound } from './binding.js';
import { hasOtherNames } from './overlay.js';
import type { Told } from './told.js';

export interface StatusWorld {
  readonly cache: ObjectCache;
  readonly modifyLog: ModifyLog;
}

/**
 * Caches `status`, unless the cache knows more by now: an update of ours was on its way meanwhile. `accessible` is
 * what the servers alone said.
 *
 * ST-1: what our own log is about to remove, and servers still have, is not cached again. Nobody would ever tell us
 * when they remove it: it would stay for good, with whatever there was to decide about it.
 */
export function installStatus(
  { cache, modifyLog }: StatusWorld,
  told: Told,
  status: VnodeStatus,
  accessible: VnodeStatus = status,
): void {
  const { fid } = status;
  const cached = cache.get(fid);
  if (cached === undefined && isRemovedHere(modifyLog, status)) return;
  const put = (of: VnodeStatus, complete: boolean, stale?: boolean): void => {
    const object = cache.putStatus(of, told.validation(cached), complete, stale);
    if (told.wasBroken(fid)) cache.put({ ...object, suspect: true });
  };
  // Ours is newer: valid as it is once servers have it, to be asked again if it was not only newer.
  const keep = (ours: CachedObject, stale: boolean): void => {
    if (isWithin(status.known, ours.status.known)) put(ours.status, ours.complete, stale);
  };
  if (cached?.complete !== true) {
    if (cached !== undefined && !isWithin(cached.status.known, status.known)) keep(cached, cached.stale);
    else put(status, false);
    return;
  }
  const isNewer = !isWithin(accessible.known, cached.status.known);
  const stale = cached.stale || isNewer || hasOtherNames(cached.status, accessible, modifyLog.touching(fid));
  if (!isWithin(cached.status.known, status.known)) keep(cached, stale);
  // The digest is that of the names that are cached (OC-1).
  else put({ ...status, names: cached.status.names }, true, stale);
}

/** Whether it goes once servers have our log: a removal waits there whose author has seen all that was done to it. */
function isRemovedHere(modifyLog: ModifyLog, { fid, known }: VnodeStatus): boolean {
  return modifyLog
    .touching(fid)
    .filter(isLocal)
    .flatMap(({ records }) => records)
    .some(
      (record) =>
        (record.op === 'remove' || record.op === 'rmdir') &&
        record.fid === fid &&
        isWithin(known, record.base[fid] ?? {}),
    );
}

/** No server that was asked has the object. */
export function installNothing({ cache, modifyLog }: StatusWorld, fid: Fid): void {
  const cached = cache.get(fid);
  if (cached === undefined || !isBound(cache, cached)) cache.drop(fid);
  // It goes before the promise of its directory is broken: that is asked, or what was replaced long ago is shown.
  else if (!modifyLog.isDirty(fid)) cache.suspect(cached.status.parent ?? fid);
}
