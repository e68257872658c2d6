/** What a server has of an object that this gateway has, too: what a new version may be told by. */
import { isFailure, type Fid, type VolumeId } from '../../vice/interface/index.js';
import type { Log } from '../../vice/seam/log.js';
import type { ContainerCache } from '../cache/container-cache.js';
import { bandwidth, type LinkQuality } from '../remote/link-quality.js';
import type { ServerLink } from '../remote/server-link.js';
import type { Held } from './known-recipes.js';
import { isWorth, type DifferenceMode } from './worth.js';

/** A server that does not answer this at once is sent everything. */
const askMs = 2000;

/** What is used of the way to a server. */
export type Asked = Pick<ServerLink, 'name' | 'call' | 'sendingQuality'>;

export interface Wanted {
  readonly volume: VolumeId;
  /** Whose contents they are. */
  readonly fid: Fid;
  /** Of the new contents. */
  readonly length: number;
}

export class Bases {
  readonly #containers: ContainerCache;
  readonly #mode: DifferenceMode;
  readonly #log: Log;

  constructor(containers: ContainerCache, mode: DifferenceMode, log: Log) {
    this.#containers = containers;
    this.#mode = mode;
    this.#log = log;
  }

  /** Whether contents that are here should be compared with new ones before these pass a link of such a quality. */
  isWorth(link: LinkQuality, held: Pick<Held, 'length'>, newLength: number): boolean {
    const bytesPerSecond = bandwidth(link);
    return isWorth({ mode: this.#mode, oldLength: held.length, newLength, bytesPerSecond });
  }

  /**
   * The same for somebody who waits for the first byte: what is fetched by an older version is here whole or not at
   * all, so of a link of which nothing is known no worse is feared than waiting.
   */
  isWorthWaiting(link: LinkQuality, held: Pick<Held, 'length'>, newLength: number): boolean {
    const isKnown = this.#mode === 'always' || bandwidth(link) !== undefined;
    return isKnown && this.isWorth(link, held, newLength);
  }

  /** Contents to tell the new ones by; undefined: send all of it. Asks the server, if that can be worth it. */
  async find(server: Asked, { volume, fid, length }: Wanted): Promise<Held | undefined> {
    // As good as it can get: an old version as long as the new one.
    if (!this.isWorth(server.sendingQuality, { length }, length)) return undefined;
    try {
      const { bases } = await server.call('bases', { volume, fids: [fid] }, { timeoutMs: askMs });
      return bases[0]?.find((held) => {
        return this.#containers.has(held.digest) && this.isWorth(server.sendingQuality, held, length);
      });
    } catch (error) {
      // An old server, for one (`incompatible`).
      if (!isFailure(error)) throw error;
      this.#log.debug('no base', { server: server.name, fid, kind: error.kind });
      return undefined;
    }
  }
}

/** Where a server takes steps on `base`, for a transfer. */
export function differencePath(transfer: string, fid: Fid, base: Held): string {
  return `difference/${transfer}/${fid}/${base.digest}`;
}
