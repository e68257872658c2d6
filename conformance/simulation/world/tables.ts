/**
 * Which rows of the product's tables a run has met: of certification (vice/volume/certify.ts), and of what servers make
 * of what they hear from each other (vice/resolution/decide.ts; where both have changed: merges.ts).
 */
import {
  fidsOf,
  isRemoved,
  type Argument,
  type Fid,
  type Result,
  type VnodeStatus,
} from '../../../vice/interface/index.js';
import { decide } from '../../../vice/resolution/decide.js';
import { rowsOf } from './merges.js';
import type { Situations } from './situations.js';

/**
 * A server's answer to records: `certify store conflict`; applied to what has updates that the author had not seen:
 * `certify store unseen`; a record that the log has answered, `settled store unseen`. `applied`: replicas and records
 * of before; what was said to have been done and is sent again must not be done again.
 */
export function countCertified(
  situations: Situations,
  { records }: Argument<'mutate'>,
  reply: Result<'mutate'>,
  applied: Set<string>,
): void {
  const what = reply.outcome === 'refused' ? `refused ${reply.failure.kind}` : reply.outcome;
  situations.count(`mutate ${what}`);
  if (reply.outcome === 'refused') {
    const record = records[reply.index];
    if (record !== undefined) situations.count(`certify ${record.op} ${reply.failure.kind}`);
    return;
  }
  if (reply.outcome !== 'applied') return;
  for (const record of records) {
    const copy = `${reply.replica} ${record.storeId}`;
    if (applied.has(copy)) situations.count('record came twice');
    applied.add(copy);
    if (!fidsOf(record).some((fid) => reply.ahead.includes(fid))) continue;
    situations.count(`${record.settled === true ? 'settled' : 'certify'} ${record.op} unseen`);
  }
}

/** What a server reads of another one's changes: `resolve file submissive`, `resolve directory missing, removed`. */
export function countResolved(
  situations: Situations,
  reply: Result<'changes'>,
  own: (fid: Fid) => VnodeStatus | undefined,
): void {
  for (const { status } of reply.changes) {
    const here = own(status.fid);
    const { standing } = decide(here, status);
    situations.count(`resolve ${status.kind} ${standing}${isRemoved(status) ? ', removed' : ''}`);
    if (here !== undefined && standing !== 'equal')
      for (const row of rowsOf(here, status)) situations.count(row);
  }
}
