/** What is in the cache, and how much may be (hoarding.ts). */
import { Failure, intact, seal, type Fid } from '../../vice/interface/index.js';
import { z } from 'zod';
import type { ContainerCache } from '../cache/container-cache.js';
import type { ObjectCache } from '../cache/object-cache.js';
import { cachedPath } from '../conflict/paths.js';
import { seenVersions } from '../conflict/sibling.js';
import type { CacheControl, CachedContents, CacheState } from '../hoarding.js';
import type { WriteBuffer } from '../store/write-buffer.js';
import type { Mounts } from '../volume/mounts.js';

export interface CacheReportWorld {
  readonly containers: ContainerCache;
  readonly cache: ObjectCache;
  readonly buffer: WriteBuffer;
  readonly mounts: Mounts;
  /** As it is configured. */
  readonly limitBytes: number;
  /** The limit is another one now. */
  readonly onLimit: (bytes: number) => void;
  readonly pause: () => Promise<void>;
}

const limitKey = 'cache/limit';
const limitLeast = 1024 * 1024;
/** Objects looked at, and contents told, in one turn. */
const turnObjects = 250;

/** The limit that was set at run time; undefined: none was. */
export function storedLimit(buffer: WriteBuffer): number | undefined {
  return z
    .number()
    .optional()
    .parse(intact(buffer.get(limitKey)));
}

export class CacheReport implements CacheControl {
  readonly #world: CacheReportWorld;

  constructor(world: CacheReportWorld) {
    this.#world = world;
  }

  async state(): Promise<CacheState> {
    const { containers } = this.#world;
    await containers.counted;
    return {
      limitBytes: containers.limit,
      bytes: containers.bytes,
      files: containers.count,
      diskBytes: await containers.space(),
    };
  }

  async *contents(): AsyncGenerator<readonly CachedContents[]> {
    const { containers, cache, mounts, pause } = this.#world;
    const owners = await this.#owners();
    await containers.counted;
    const all = [...containers.all()].sort((a, b) => {
      return Number(a.stay !== null) - Number(b.stay !== null) || a.priority - b.priority;
    });
    for (let start = 0; start < all.length; start += turnObjects) {
      yield all.slice(start, start + turnObjects).map((container) => {
        const fid = owners.get(container.digest);
        return { ...container, path: fid === undefined ? null : cachedPath(cache, mounts, fid) };
      });
      await pause();
    }
  }

  async setLimit(bytes: number | null): Promise<void> {
    const { buffer, containers, limitBytes, onLimit } = this.#world;
    if (bytes !== null && !(Number.isSafeInteger(bytes) && bytes >= limitLeast)) {
      throw new Failure('invalid', 'venus.cache', 'a cache has at least 1 MiB');
    }
    if (bytes === null) buffer.remove(limitKey);
    else buffer.put(limitKey, seal(bytes));
    await buffer.flush();
    onLimit(bytes ?? limitBytes);
    await containers.setLimit(bytes ?? limitBytes);
  }

  /** Digest -> one of the files that have these contents. */
  async #owners(): Promise<ReadonlyMap<string, Fid>> {
    const { cache, pause } = this.#world;
    const owners = new Map<string, Fid>();
    let turn = 0;
    for (const status of cache.statuses()) {
      for (const { digest } of seenVersions(status)) owners.set(digest, status.fid);
      if ((turn += 1) % turnObjects === 0) await pause();
    }
    return owners;
  }
}
