/** What is told of a volume: its state, who is reached, what waits. */
import type { VolumeState } from './interface.js';
import type { ModifyLog } from './log/modify-log.js';
import type { LogBounds } from './reintegration/log-bounds.js';
import type { Replay } from './reintegration/replay.js';
import type { Volume } from './volume/volume.js';

export interface VolumeReportParts {
  readonly modifyLog: ModifyLog;
  readonly replay: Replay;
  readonly limits: LogBounds['limits'];
}

export function volumeReport(volume: Volume, { modifyLog, replay, limits }: VolumeReportParts): VolumeState {
  const pending = modifyLog.pending(volume.id);
  const [oldest] = modifyLog.of(volume.id);
  return {
    id: volume.id,
    name: volume.name,
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
    mode: volume.mode,
    conflicts: volume.hidesVersions ? 'last-writer-wins' : 'keep',
    weak: volume.weak,
    replay: replay.progress,
    lastError: volume.fault ?? replay.lastError,
  };
}
