/** What a replica may do as it stands to its group. */
import { Failure } from '../interface/index.js';
import type { Replica } from './replica.js';

/**
 * Asked inside the transaction: what was let in before the standing changed must not come after it.
 * @throws Failure stale: the author's realm document is too old
 */
export function mustTakeChanges({ id, volume, standing }: Pick<Replica, 'id' | 'volume' | 'standing'>): void {
  if (standing === 'member') return;
  const message = `replica ${id} of volume ${volume} is ${standing}: it takes no changes; locate the volume again`;
  throw new Failure('stale', 'vice.mutate', message);
}

/** @throws Failure stale: its rows are being taken away, whatever still runs must not write new ones */
export function mustBeThere({ id, volume, standing }: Pick<Replica, 'id' | 'volume' | 'standing'>): void {
  if (standing !== 'dropped') return;
  throw new Failure('stale', 'vice.volumes', `replica ${id} of volume ${volume} has left the group`);
}
