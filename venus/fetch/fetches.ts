/** The cold files that are on their way, each once, whoever wants it. */
import type { Failure, FileData } from '../../vice/interface/index.js';
import type { Clock } from '../../vice/seam/clock.js';
import type { Containers } from '../../vice/seam/containers.js';
import type { Log } from '../../vice/seam/log.js';
import type { ContainerCache } from '../cache/container-cache.js';
import { RecentMap } from '../cache/recent-map.js';
import type { Fetching, Turns } from '../volume/fetching.js';
import type { BlockSource } from './block-source.js';
import type { FetchWorld } from './fetch-world.js';
import { FileFetch } from './file-fetch.js';
import { PartialRoom } from './partial-room.js';
import { RaceBook } from './race-book.js';
import { Soonest, type ByteSource } from './soonest.js';

/** Blocks that have just come, of all files together, in memory for those who read them at the same time. */
const recentBytes = 16 * 1024 * 1024;

export interface FetchesWorld {
  readonly containers: Containers;
  readonly cache: ContainerCache;
  readonly gate: Fetching & Turns;
  readonly clock: Clock;
  readonly log: Log;
}

export interface FetchUse {
  readonly fetch: FileFetch;
  /** Idempotent. */
  readonly release: () => void;
}

export class Fetches {
  readonly #world: FetchWorld;
  readonly #running = new Map<string, Promise<FileFetch>>();

  constructor(world: FetchesWorld, room: PartialRoom) {
    const recent = new RecentMap<string, Uint8Array>(recentBytes, (block) => block.length);
    this.#world = { ...world, room, recent, races: new RaceBook() };
  }

  static async open(world: FetchesWorld): Promise<Fetches> {
    return new Fetches(world, await PartialRoom.open(world.containers, world.cache));
  }

  /** Bytes of contents in part. */
  get bytes(): number {
    return this.#world.room.bytes;
  }

  /** Whether some of the contents may be here. */
  hasSome(digest: string): boolean {
    return this.#running.has(digest) || this.#world.room.has(digest);
  }

  /** The fetch of these contents, which goes on at least until it is released. @throws Failure too-large, no-space */
  async use(contents: FileData, sources: () => readonly BlockSource[]): Promise<FetchUse> {
    const { digest } = contents;
    for (;;) {
      const running = this.#running.get(digest);
      const fetch = await (running ?? this.#start(contents));
      // A container that was found damaged is not here any more.
      const isLost = fetch.isWhole && !this.#world.cache.has(digest);
      if (!fetch.isEnding && !isLost) return { fetch, release: fetch.use(sources) };
      await fetch.end();
    }
  }

  /** Small contents, of which `at` bytes are here, from whoever of `sources` has them soonest. */
  soonest(sources: readonly ByteSource[], digest: string, at: number): Soonest {
    const { clock, races, log } = this.#world;
    const broke = (server: string, from: number, { kind, message }: Failure): void => {
      log.warn('fetch broke', { server, digest, at: from, kind, message });
    };
    return new Soonest({ clock, races, broke }, sources, at);
  }

  /** Ends what runs; what has come stays. */
  async close(): Promise<void> {
    const running = await Promise.allSettled(this.#running.values());
    await Promise.all(running.map((each) => (each.status === 'fulfilled' ? each.value.end() : undefined)));
  }

  #start(contents: FileData): Promise<FileFetch> {
    const { digest } = contents;
    const fetch = new FileFetch(contents, this.#world, () => this.#running.delete(digest));
    const starting = fetch.start().then(
      () => fetch,
      (error: unknown) => {
        this.#world.room.letGo(digest);
        this.#running.delete(digest);
        throw error;
      },
    );
    this.#running.set(digest, starting);
    return starting;
  }
}
