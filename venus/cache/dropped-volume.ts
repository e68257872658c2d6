/** The rows of a volume that is no more, and their end, some at a time. */
import { volumeOf, type Fid, type VnodeStatus, type VolumeId } from '../../vice/interface/index.js';
import type { WriteBuffer } from '../store/write-buffer.js';
import type { CachedObject } from './cached-object.js';
import type { ConflictIndex } from './conflict-index.js';

/** Rows that go in one turn of the event loop. */
const turnDropped = 200;

/** What is used of the object cache. */
interface Objects {
  readonly conflicts: ConflictIndex;
  get(fid: Fid): CachedObject | undefined;
  drop(fid: Fid): void;
}

export interface Dropping {
  readonly forgets: (status: VnodeStatus) => void;
  readonly pause: () => Promise<void>;
}

export async function dropVolume(
  cache: Objects,
  buffer: WriteBuffer,
  volume: VolumeId,
  { forgets, pause }: Dropping,
): Promise<void> {
  let turn = 0;
  const others = async (): Promise<void> => {
    if ((turn += 1) % turnDropped === 0) await pause();
  };
  // First the names, which may be many of one directory.
  for (const { key } of buffer.walk(`e/${volume}.`)) {
    buffer.remove(key);
    await others();
  }
  for (const { key } of buffer.walk(`v/${volume}.`)) {
    const fid = key.slice(2) as Fid;
    const object = cache.get(fid);
    if (object !== undefined) forgets(object.status);
    cache.drop(fid);
    buffer.remove(key);
    await others();
  }
  for (const fid of cache.conflicts.all()) if (volumeOf(fid) === volume) cache.conflicts.remove(fid);
}

export function hasSome(buffer: WriteBuffer, volume: VolumeId): boolean {
  for (const prefix of ['v/', 'e/', 'c/']) {
    for (const _ of buffer.scan(`${prefix}${volume}.`, 1)) return true;
  }
  return false;
}
