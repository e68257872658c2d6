/**
 * What a changed group means for entries that some servers have: a replica that left is no disk that holds a change
 * (its entry goes to the others, which may have it by resolution: then it is skipped there), and where the group has
 * shrunk to those that have it, the entry has done its work.
 */
import type { ModifyLog } from '../log/modify-log.js';
import type { Volume } from '../volume/volume.js';

export function regroup(modifyLog: ModifyLog, volume: Volume): void {
  const { members } = volume;
  // Not one server of the group is known: nothing can be said.
  if (members.length === 0) return;
  const isMember = (id: string): boolean => members.some(({ replica }) => replica === id);
  for (const entry of [...modifyLog.of(volume.id)]) {
    if (entry.appliedBy.length === 0 || !entry.acknowledged) continue;
    const appliedBy = entry.appliedBy.filter(isMember);
    if (volume.isEnough(appliedBy)) modifyLog.remove(entry);
    else if (appliedBy.length < entry.appliedBy.length) modifyLog.update({ ...entry, appliedBy });
  }
}
