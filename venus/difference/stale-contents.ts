/**
 * The older contents of files of which newer ones are known and not here yet: "a stale copy is kept until the new one
 * has arrived", since most of the new one is in it.
 *
 * SC-1  They stay in the cache, whatever else is evicted, up to a share of it; beyond that the oldest may go. What is
 *       longer than that share is known here, too, but nothing keeps it.
 * SC-2  A file that takes a name is probably a new version of the one that had it: programs that save write a new file
 *       and rename it over the old one. So what has lost its name stays for a while, too, up to a smaller share.
 */
import type { Fid, VnodeStatus } from '../../vice/interface/index.js';
import type { ContainerCache } from '../cache/container-cache.js';
import type { OlderContents } from '../cache/object-cache.js';
import { RecentMap } from '../cache/recent-map.js';
import type { Held } from './known-recipes.js';
import { leastBytes } from './worth.js';

/** Parts of the cache: for older contents, and for what has lost its name. */
const share = { older: 0.5, nameless: 0.1 } as const;

interface Stale extends Held {
  readonly unpin: () => void;
}

export class StaleContents implements OlderContents {
  readonly #containers: ContainerCache;
  readonly #pinnedMost: number;
  readonly #kept: RecentMap<Fid, Stale>;
  /** What last had a name that nothing has now, by directory and name. */
  readonly #nameless: RecentMap<string, Stale>;

  constructor(containers: ContainerCache, cacheBytes: number) {
    this.#containers = containers;
    const most = Math.floor(cacheBytes * share.older);
    this.#pinnedMost = most;
    const weigh = ({ length }: Stale): number => (length > most ? 1 : length);
    const unpin = (stale: Stale): void => stale.unpin();
    this.#kept = new RecentMap(most, weigh, unpin);
    this.#nameless = new RecentMap(Math.floor(cacheBytes * share.nameless), weigh, unpin);
  }

  /** Servers have told a newer `status` of an object than the one that was cached. */
  replaced(before: VnodeStatus, status: VnodeStatus): void {
    const [old, now] = [before.data, status.data];
    if (old === null || now === null || old.digest === now.digest || old.length < leastBytes) return;
    // Where the older one has never come, what was kept before is still the best there is.
    if (!this.#containers.has(old.digest) || this.#containers.has(now.digest)) return;
    this.#kept.set(status.fid, this.#keep(old));
  }

  lostName(directory: Fid, name: string, { data }: VnodeStatus): void {
    if (data === null || data.length < leastBytes || !this.#containers.has(data.digest)) return;
    this.#nameless.set(placeOf(directory, name), this.#keep(data));
  }

  tookName(directory: Fid, name: string, fid: Fid): void {
    // As for each of a hundred thousand names that are listed for the first time.
    if (this.#nameless.size === 0) return;
    const place = placeOf(directory, name);
    const older = this.#nameless.get(place);
    if (older === undefined) return;
    if (this.of(fid) === undefined) this.#kept.set(fid, this.#keep(older));
    this.#nameless.delete(place);
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

  #keep({ digest, length }: Held): Stale {
    const unpin = length > this.#pinnedMost ? () => undefined : this.#containers.pin(digest);
    return { digest, length, unpin };
  }
}

function placeOf(directory: Fid, name: string): string {
  return `${directory} ${name}`;
}
