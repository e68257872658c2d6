/** What becomes of changes whose authors wait for servers, when their volume is deleted: they are told so. */
import { Failure } from '../../vice/interface/index.js';
import type { ModifyLog } from '../log/modify-log.js';
import type { Volume } from '../volume/volume.js';
import type { Waiters } from './waiters.js';

export function abandon(modifyLog: ModifyLog, waiters: Waiters, volume: Volume): void {
  const deleted = new Failure('not-found', 'venus.log', `volume ${volume.name} has been deleted`);
  for (const sequence of waiters.sequences) {
    const entry = modifyLog.get(sequence);
    if (entry?.volume !== volume.id) continue;
    if (!entry.acknowledged) modifyLog.remove(entry);
    waiters.reject(sequence, deleted);
  }
}
