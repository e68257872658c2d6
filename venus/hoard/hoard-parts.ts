/** The hoard put together from the parts of a Venus. */
import type { Fid } from '../../vice/interface/index.js';
import { sleep, type Clock } from '../../vice/seam/clock.js';
import type { Documents } from '../../vice/seam/documents.js';
import type { Log } from '../../vice/seam/log.js';
import type { AccessGuard } from '../access/access-guard.js';
import type { ContainerCache } from '../cache/container-cache.js';
import type { ObjectCache } from '../cache/object-cache.js';
import type { Contents } from '../change/contents.js';
import type { ModifyLog } from '../log/modify-log.js';
import type { TrickleGate } from '../reintegration/trickle-gate.js';
import type { WriteBuffer } from '../store/write-buffer.js';
import { Fetcher } from '../volume/fetch.js';
import type { Mounts } from '../volume/mounts.js';
import type { Volume } from '../volume/volume.js';
import { CacheReport } from './cache-report.js';
import { Hoard } from './hoard.js';
import { HoardDatabase } from './hoard-database.js';

export interface HoardParts {
  readonly cache: ObjectCache;
  readonly containers: ContainerCache;
  readonly contents: Contents;
  readonly guard: AccessGuard;
  readonly modifyLog: ModifyLog;
  readonly buffer: WriteBuffer;
  readonly documents: Documents;
  readonly gate: TrickleGate;
  readonly clock: Clock;
  readonly log: Log;
  readonly mounts: Mounts;
  readonly volume: (fid: Fid) => Volume;
  /** Of the cache, as it is configured. */
  readonly limitBytes: number;
  readonly onLimit: (bytes: number) => void;
}

export function hoardOf(parts: HoardParts): Hoard {
  const { cache, containers, modifyLog, gate, clock, log, volume } = parts;
  const pause = (): Promise<void> => sleep(clock, 0);
  // Nobody waits for what the walk asks: replayed contents need not give way to it.
  const unhurried = { fetching: () => () => undefined };
  const fetcher = new Fetcher({ cache, modifyLog, gate: unhurried, clock, log, volume, pause });
  const hoard = new Hoard({
    ...parts,
    fetcher,
    pause,
    database: new HoardDatabase(parts.documents),
    areNamesValid: (directory) => {
      const isCurrent = cache.get(directory)?.stale !== true || volume(directory).avsg.length === 0;
      return isCurrent && fetcher.isFresh(directory);
    },
    turn: (bytes) => gate.turn(bytes),
    cacheControl: new CacheReport({ ...parts, pause }),
  });
  cache.onStatus = (status, suspect) => hoard.noticed(status, suspect);
  modifyLog.onSpared = (digest) => containers.spared(digest);
  return hoard;
}
