/** What an administrator does at the end: both volumes can be changed, and all that is in them is seen. */
import { isFailure, type Fid } from '../../../vice/interface/index.js';
import { sleep } from '../../../vice/seam/clock.js';
import type { Scenario } from './scenario.js';
import type { Stage } from './stage.js';
import { annexVolume, idOf, mountedAt } from './volumes.js';

const againMs = 1000;

export async function putInOrder(stage: Stage): Promise<void> {
  const { realm, orders, volumes } = stage;
  for (const volume of volumes.map(idOf)) {
    await realm.finish(orders.give({ change: 'unlock-volume', volume }));
    await realm.finish(orders.give({ change: 'set-quota', volume, bytes: null }));
  }
  await realm.clock.advance(againMs);
  if (volumes.length === 1) return;
  await realm.finish(orders.give({ change: 'unmount-volume', volume: annexVolume }));
  // In the place of a directory that has nothing in it: what is below a mounted volume nobody sees.
  const directory = await realm.finish(emptyDirectory(stage));
  await realm.finish(orders.give({ change: 'mount-volume', volume: annexVolume, directory }));
  await realm.clock.advance(againMs);
}

/** Whether it needs it: only of what an administrator wants. */
export function isAdministered({ steps, volumes }: Scenario): boolean {
  return volumes !== undefined || steps.some(({ do: verb }) => verb === 'quota' || verb === 'lock-volume');
}

async function emptyDirectory({ realm, gateways: [gateway = 'g1'] }: Stage): Promise<Fid> {
  const caller = { user: 'ann' };
  for (;;) {
    try {
      const { parent } = await realm.gateway(gateway).lookup(caller, [mountedAt.last]);
      if (parent === null) throw new Error('the root has no name');
      return (await realm.gateway(gateway).makeDirectory(caller, parent, mountedAt.last)).fid;
    } catch (error) {
      // The log may have to give up something first, or servers are about to be reached.
      if (!isFailure(error, 'unreachable', 'timeout', 'refused', 'no-space')) throw error;
    }
    await sleep(realm.clock, againMs);
  }
}
