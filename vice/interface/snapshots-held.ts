/** Which snapshots of a volume there are, from what each of its holders says that it has. Pure. */
import type { SnapshotId } from './snapshot-calls.js';

export interface HeldBy extends SnapshotId {
  /** In the order in which they were told. */
  readonly holders: readonly string[];
}

/** By name and time, oldest first. */
export function snapshotsHeld(
  told: Iterable<readonly [holder: string, snapshots: readonly SnapshotId[]]>,
): readonly HeldBy[] {
  const found = new Map<string, HeldBy>();
  for (const [holder, snapshots] of told) {
    for (const { name, time } of snapshots) {
      const key = `${time} ${name}`;
      found.set(key, { name, time, holders: [...(found.get(key)?.holders ?? []), holder] });
    }
  }
  return [...found.values()].sort((a, b) => a.time - b.time);
}

/**
 * Whether a snapshot of this name was taken only for the time of a dump: it is at one server, goes with the dump, and
 * is nothing that other servers should have.
 */
export function isOfDump(name: string): boolean {
  return /^dump [0-9a-f]{12} /.test(name);
}
