/**
 * The older contents of files of which newer ones are known and not here yet: "a stale copy is kept until the new one
 * has arrived", since most of the new one is in it.
 *
 * SC-1  They stay in the cache, whatever else is evicted, up to a share of it; beyond that the oldest may go. What is
 *       longer than that share is known here, too, but nothing keeps it.
 */
import type { Fid, VnodeStatus } from '../../vice/interface/index.js';
import type { ContainerCache } from '../cache/container-cache.js';
import { RecentMap } from '../cache/recent-map.js';
import type { Held } from './known-recipes.js';
import { leastBytes } from './worth.js';

/** Part of the cache. */
const share = 0.5;

interface Stale extends Held {
  readonly unpin: () => void;
}

export class StaleContents {
  readonly #containers: ContainerCache;
  readonly #pinnedMost: number;
  readonly #kept: RecentMap<Fid, Stale>;

  constructor(containers: ContainerCache, cacheBytes: number) {
    this.#containers = containers;
    const most = Math.floor(cacheBytes * share);
    this.#pinnedMost = most;
    this.#kept = new RecentMap<Fid, Stale>(
      most,
      ({ length }) => (length > most ? 1 : length),
      ({ unpin }) => unpin(),
    );
  }

  /** Servers have told a newer `status` of an object than the one that was cached. */
  replaced(before: VnodeStatus, status: VnodeStatus): void {
    const [old, now] = [before.data, status.data];
    if (old === null || now === null || old.digest === now.digest || old.length < leastBytes) return;
    // Where the older one has never come, what was kept before is still the best there is.
    if (!this.#containers.has(old.digest) || this.#containers.has(now.digest)) return;
    const { digest, length } = old;
    const unpin = length > this.#pinnedMost ? () => undefined : this.#containers.pin(digest);
    this.#kept.set(status.fid, { digest, length, unpin });
  }

  /** Older contents of an object, that are here. */
  of(fid: Fid): Held | undefined {
    const stale = this.#kept.get(fid);
    return stale !== undefined && this.#containers.has(stale.digest) ? stale : undefined;
  }

  /** They are not needed any more. */
  release(fid: Fid): void {
    this.#kept.delete(fid);
  }
}
