/** What Venus keeps on its disk, opened: rows, identity, modify log, contents. */
import type { RealmDocument, RealmKeys } from '../vice/interface/index.js';
import { sleep, type Clock } from '../vice/seam/clock.js';
import type { Containers } from '../vice/seam/containers.js';
import type { Documents } from '../vice/seam/documents.js';
import type { Log } from '../vice/seam/log.js';
import type { Network } from '../vice/seam/network.js';
import { PackedContainers } from '../vice/seam/packed-containers.js';
import type { Random } from '../vice/seam/random.js';
import type { Store } from '../vice/seam/store.js';
import { ContainerCache } from './cache/container-cache.js';
import type { DifferenceMode } from './difference/worth.js';
import { Fetches } from './fetch/fetches.js';
import { storedLimit } from './hoard/cache-report.js';
import { ModifyLog } from './log/modify-log.js';
import { TrickleGate } from './reintegration/trickle-gate.js';
import { Identity } from './store/identity.js';
import { WriteBuffer } from './store/write-buffer.js';

export interface VenusConfig {
  /** Of the gateway. */
  readonly name: string;
  readonly realm: RealmDocument;
  readonly realmKeys: RealmKeys;
  /** Contents that the cache may hold on the gateway's disk. */
  readonly cacheBytes: number;
  /** Contents of at most so many bytes go into the store; 0, the default: none. See seam/packed-containers.ts. */
  readonly packedBytes?: number;
  /** Whether new versions of large files move as what is new in them (difference/worth.ts); as measured by default. */
  readonly differences?: DifferenceMode | undefined;
}

export interface VenusWorld {
  readonly clock: Clock;
  readonly random: Random;
  readonly network: Network;
  readonly store: Store;
  readonly containers: Containers;
  /** What people want hoarded. */
  readonly hoard: Documents;
  readonly log: Log;
}

export interface Parts {
  readonly buffer: WriteBuffer;
  readonly identity: Identity;
  readonly modifyLog: ModifyLog;
  readonly containers: ContainerCache;
  /** Cold files on their way. */
  readonly fetches: Fetches;
  /** Who goes first on a link. */
  readonly gate: TrickleGate;
}

/** @throws Failure damaged, incompatible, no-space */
export async function openParts(config: VenusConfig, world: VenusWorld): Promise<Parts> {
  const buffer = new WriteBuffer(world.store);
  const identity = await Identity.open(buffer, world.random, world.store.place);
  const pause = (): Promise<void> => sleep(world.clock, 0);
  const { packedBytes = 0 } = config;
  const stored = new PackedContainers({ rows: buffer, containers: world.containers, packedBytes, pause });
  // The disk lists contents while the log is parsed; until it is, all contents may be needed.
  let read: ModifyLog | undefined;
  const [modifyLog, containers] = await Promise.all([
    ModifyLog.open(buffer, pause).then((log) => (read = log)),
    ContainerCache.open({
      containers: stored,
      limitBytes: storedLimit(buffer) ?? config.cacheBytes,
      seed: parseInt(identity.venus.slice(0, 8), 16),
      isNeeded: (digest) => (read?.needs(digest) ?? true) || world.store.isBroken,
      packed: stored,
      pause,
      log: world.log,
    }),
  ]);
  const gate = new TrickleGate(world.clock);
  const { clock, log } = world;
  const fetches = await Fetches.open({ containers: stored, cache: containers, gate, clock, log });
  return { buffer, identity, modifyLog, containers, fetches, gate };
}
