/** The cached view takes over what the servers have applied, exactly as they did. */
import {
  applyRecord,
  fidsOf,
  isCreation,
  isFailure,
  type Fid,
  type Mutation,
  type VersionVector,
} from '../../vice/interface/index.js';
import { allHeard } from '../cache/cached-object.js';
import type { ObjectCache } from '../cache/object-cache.js';
import type { Volume } from '../volume/volume.js';

/** Applies `records`; `vectors` are the objects' counts at the servers, where they are known. */
export function applyToCache(
  cache: ObjectCache,
  volume: Volume,
  records: readonly Mutation[],
  vectors: ReadonlyMap<Fid, VersionVector>,
): void {
  for (const record of records) {
    try {
      const effect = applyRecord(cache, record);
      for (const { directory, name } of effect.unbound) {
        if (cache.get(directory)?.complete === true) cache.unbind(directory, name);
      }
      for (const { directory, entry } of effect.bound) {
        if (cache.get(directory)?.complete === true) cache.bind(directory, entry);
      }
      for (const status of effect.changed) {
        const before = cache.get(status.fid);
        const object = cache.putStatus(
          { ...status, vv: vectors.get(status.fid) ?? status.vv },
          before ?? { epoch: volume.epoch, unheard: allHeard },
          before?.complete ?? (isCreation(record) && record.op === 'mkdir'),
          before?.stale ?? false,
        );
        // Somebody has found and changed what is made here before all servers have answered.
        const isBroken = before === undefined && volume.breaks.has(status.fid);
        if (before?.suspect === true || isBroken) cache.put({ ...object, suspect: true });
      }
      for (const { fid } of effect.removed) cache.drop(fid);
    } catch (error) {
      if (!isFailure(error)) throw error;
      // The cache has been fetched again meanwhile, or evicted: it will be asked for.
      for (const fid of fidsOf(record)) volume.doubt(fid);
    }
  }
}
