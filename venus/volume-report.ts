/** What a person can see of a volume: its state, and what waits in the log for it. */
import { noNames, rootFid } from '../vice/interface/index.js';
import type { ObjectCache } from './cache/object-cache.js';
import { cachedPath } from './conflict/paths.js';
import type { VolumeState } from './interface.js';
import type { ModifyLog } from './log/modify-log.js';
import type { Bounds } from './reintegration/log-bounds.js';
import type { Mounts } from './volume/mounts.js';
import type { Volume } from './volume/volume.js';

export interface ReplayReport {
  readonly progress: VolumeState['replay'];
  readonly lastError: string | null;
  awaited(): readonly string[];
}

export interface ReportWorld {
  readonly modifyLog: ModifyLog;
  readonly cache: ObjectCache;
  readonly mounts: Mounts;
  readonly limits: Bounds;
}

export function volumeReport(volume: Volume, world: ReportWorld, replay: ReplayReport): VolumeState {
  const { modifyLog, cache, mounts, limits } = world;
  const root = rootFid(volume.id);
  const covered = mounts.under(root);
  const pending = modifyLog.pending(volume.id);
  const [oldest] = modifyLog.of(volume.id);
  return {
    id: volume.id,
    name: volume.name,
    path: cachedPath(cache, mounts, root),
    hidesNames: covered !== root && (cache.status(covered)?.names ?? noNames) !== noNames,
    state: volume.state,
    vsg: volume.members.map(({ server }) => server.name),
    avsg: volume.avsg.map(({ server }) => server.name),
    preferred: volume.preferred?.server.name ?? null,
    pendingRecords: pending.records,
    pendingBytes: pending.bytes,
    limitRecords: limits.records,
    limitBytes: limits.bytes,
    oldestPending: oldest?.records[0]?.time ?? null,
    keptRecords: modifyLog.keptCount(volume.id),
    awaitedLogins: replay.awaited(),
    mode: volume.mode,
    conflicts: volume.hidesVersions ? 'last-writer-wins' : 'keep',
    weak: volume.weak,
    replay: replay.progress,
    lastError: volume.fault ?? replay.lastError,
  };
}
