/** What all files on their way share. */
import type { Clock } from '../../vice/seam/clock.js';
import type { Containers } from '../../vice/seam/containers.js';
import type { Log } from '../../vice/seam/log.js';
import type { ContainerCache } from '../cache/container-cache.js';
import type { RecentMap } from '../cache/recent-map.js';
import type { Fetching, Turns } from '../volume/fetching.js';
import type { PartialRoom } from './partial-room.js';
import type { RaceBook } from './race-book.js';

export interface FetchWorld {
  readonly containers: Containers;
  readonly cache: ContainerCache;
  readonly room: PartialRoom;
  /** Blocks that have just come or were just read, by digest and number. */
  readonly recent: RecentMap<string, Uint8Array>;
  readonly races: RaceBook;
  readonly gate: Fetching & Turns;
  readonly clock: Clock;
  readonly log: Log;
}
