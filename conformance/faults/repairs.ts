/** Somebody decides every conflict: of versions he keeps one or all, of anything else he takes it as it is. */
import type { ConflictOf } from '../../gateway/realm/conflict-report.js';
import type { StoreId } from '../../vice/interface/index.js';
import type { Seeded } from '../crash/seeded.js';
import type { FaultRealm } from './fault-realm.js';
import type { Recording } from './recording.js';

const gateway = 'g1';

/** @returns how many there were */
export async function repairAll(realm: FaultRealm, recording: Recording, seeded: Seeded): Promise<number> {
  const conflicts = await realm.conflicts(gateway);
  for (const conflict of conflicts) {
    const pick = conflict.kind === 'versions' && seeded.fraction() < 0.5 ? seeded.fraction() : 'all';
    const path = conflict.path ?? conflict.fid;
    const attempt = recording.begin({ do: 'repair', by: `${gateway}/ann`, path, pick }, gateway);
    const kept =
      pick === 'all'
        ? 'all'
        : (conflict.versions[Math.floor(pick * conflict.versions.length)]?.storeId ?? 'all');
    for (const { storeId } of kept === 'all' ? [] : conflict.versions)
      if (storeId !== kept) attempt.givesUpVersions.add(storeId as StoreId);
    attempt.outcome = (await isThere(realm, conflict)) ? 'ok' : 'not-found';
    if (attempt.outcome === 'ok') await realm.repair(gateway, conflict, kept);
    attempt.end = recording.now();
    recording.leave(attempt);
  }
  return conflicts.length;
}

/** One decision can settle two conflicts of an object. */
async function isThere(realm: FaultRealm, { fid, kind }: ConflictOf): Promise<boolean> {
  return (await realm.conflicts(gateway)).some((other) => other.fid === fid && other.kind === kind);
}
