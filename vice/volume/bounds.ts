/**
 * What a volume takes at most, as the realm document says. Pure.
 *
 * BO-1  Only changes of gateways are measured, at each replica by what it holds itself. Resolution brings what some
 *       replica has taken, whatever the quota: replicas that differ for ever would be worse than a few bytes too many.
 * BO-2  What needs no more room than there was before is never refused: removing, and whatever makes a file smaller,
 *       works at the quota and over it.
 * BO-3  A record that is here already is no change: a locked volume counts it, and its gateway's log gets empty.
 */
import { Failure, type Fid, type Result, type VolumeEntry } from '../interface/index.js';

export type Bounds = Pick<VolumeEntry, 'quotaBytes' | 'locked'>;

/** A volume that is being restored takes nothing of gateways, as a locked one. */
export function boundsOf({ quotaBytes, locked, restoring }: VolumeEntry): Bounds {
  return { quotaBytes, locked: restoring === undefined ? locked : true };
}

/** What is free on the disk counts only as far as the quota lets it be used. */
export function spaceWithin({ quotaBytes }: Bounds, used: number, disk: number): Result<'space'> {
  const available = Math.min(disk, Math.max(0, (quotaBytes ?? Infinity) - used));
  return { used, available, quota: quotaBytes ?? null };
}

/** `before` and `after`: bytes of all contents, without the change and with it. @throws Failure quota */
export function mustFitQuota({ quotaBytes }: Bounds, fid: Fid, before: number, after: number): void {
  if (quotaBytes === undefined || after <= quotaBytes || after <= before) return;
  const message =
    `${after - before} bytes more do not fit: ${before} of the ${quotaBytes} bytes of the volume's quota are used; ` +
    'remove something, or let an administrator raise the quota';
  throw new Failure('quota', 'vice.mutate', message, { fid });
}

/**
 * No word on the change itself, only on the moment: its gateway keeps it, if anybody relies on it, and comes again.
 * @throws VolumeLocked
 */
export function mustBeUnlocked({ locked }: Bounds): void {
  if (locked === true) {
    throw new VolumeLocked(
      'refused',
      'vice.mutate',
      'an administrator has locked this volume: it can only be read',
    );
  }
}

export class VolumeLocked extends Failure {}
