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
import type { ObjectCache } from '../cache/object-cache.js';
import type { Volume } from '../volume/volume.js';

/**
 * Sends `records`, and takes over what became of them. Who changes an object as soon as one server has it is faster
 * than a slow server's answer: the break then names what the cache may not know yet (PR-3).
 */
export async function heedBreaks(
  volume: Volume,
  records: readonly Mutation[],
  send: () => Promise<void>,
): Promise<void> {
  const sending = volume.beginFetch();
  try {
    await send();
    for (const fid of records.flatMap(fidsOf)) if (sending.wasBroken(fid)) volume.doubt(fid);
  } finally {
    sending.end();
  }
}

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
          before?.epoch ?? volume.epoch,
          before?.complete ?? (isCreation(record) && record.op === 'mkdir'),
          before?.stale ?? false,
        );
        if (before?.suspect === true) cache.put({ ...object, suspect: true });
      }
      for (const { fid } of effect.removed) cache.drop(fid);
    } catch (error) {
      if (!isFailure(error)) throw error;
      // The cache has been fetched again meanwhile, or evicted: it will be asked for.
      for (const fid of fidsOf(record)) volume.doubt(fid);
    }
  }
}
