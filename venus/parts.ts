/** What a Venus has on its gateway's disk, opened. */
import { sleep, type Clock } from '../vice/seam/clock.js';
import type { Containers } from '../vice/seam/containers.js';
import type { Log } from '../vice/seam/log.js';
import type { Random } from '../vice/seam/random.js';
import type { Store } from '../vice/seam/store.js';
import { ContainerCache } from './cache/container-cache.js';
import { Fetches } from './fetch/fetches.js';
import { ModifyLog } from './log/modify-log.js';
import { TrickleGate } from './reintegration/trickle-gate.js';
import { Identity } from './store/identity.js';
import { WriteBuffer } from './store/write-buffer.js';

export interface PartsWorld {
  readonly clock: Clock;
  readonly random: Random;
  readonly store: Store;
  readonly containers: Containers;
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
export async function openParts(cacheBytes: number, world: PartsWorld): Promise<Parts> {
  const buffer = new WriteBuffer(world.store);
  const identity = await Identity.open(buffer, world.random);
  // The disk lists contents while the log is parsed; until it is, all contents may be needed.
  let read: ModifyLog | undefined;
  const [modifyLog, containers] = await Promise.all([
    ModifyLog.open(buffer, () => sleep(world.clock, 0)).then((log) => (read = log)),
    ContainerCache.open({
      containers: world.containers,
      limitBytes: cacheBytes,
      isNeeded: (digest) => read?.needs(digest) ?? true,
      log: world.log,
    }),
  ]);
  const gate = new TrickleGate(world.clock);
  const fetches = await Fetches.open({ ...world, cache: containers, gate });
  return { buffer, identity, modifyLog, containers, fetches, gate };
}
