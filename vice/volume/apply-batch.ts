/** COP1 inside its transaction: one batch of records, all or nothing, each exactly once. */
import {
  applyRecord,
  emptyDigest,
  Failure,
  fidsOf,
  increment,
  isFailure,
  knows,
  limits,
  venusOf,
  type Effect,
  type Fid,
  type Mutation,
  type Result,
  type StoreRecord,
  type VnodeStatus,
  type VolumeId,
} from '../interface/index.js';
import { mustBeIn, type VolumeTransaction } from '../store/volume-transaction.js';
import { alreadyApplied, certify, isAhead, type Look } from './certify.js';
import type { MutateArgument } from './replica.js';

/** Thrown out of the transaction, so that nothing of the batch stays. */
export class BatchRefused extends Error {
  readonly index: number;
  readonly failure: Failure;

  constructor(index: number, failure: Failure) {
    super(failure.message);
    this.index = index;
    this.failure = failure;
  }
}

export interface BatchContext {
  readonly volume: VolumeId;
  readonly replica: string;
  /** Lengths of the contents that the batch names and that are here, by digest. */
  readonly lengths: ReadonlyMap<string, number>;
}

export interface AppliedBatch {
  readonly storeIds: readonly Mutation['storeId'][];
  readonly versions: Extract<Result<'mutate'>, { outcome: 'applied' }>['versions'];
  readonly ahead: Fid[];
}

/** @throws BatchRefused; Failure not-found (no fid) when contents are not here, invalid */
export function applyBatch(
  transaction: VolumeTransaction,
  { records, watermark }: MutateArgument,
  context: BatchContext,
): AppliedBatch {
  const venus = mustBeOneVenus(records);
  const look: Look = (fid) => transaction.object(fid);
  const touched = new Set<Fid>();
  const ahead = new Set<Fid>();
  const storeIds: Mutation['storeId'][] = [];
  for (const [index, record] of records.entries()) {
    try {
      mustBeIn(context.volume, fidsOf(record));
      for (const fid of fidsOf(record)) {
        touched.add(fid);
        const held = look(fid);
        if (held !== undefined && isAhead(record, held)) ahead.add(fid);
      }
      if (transaction.isMarkedApplied(record.storeId)) continue;
      if (isHere(record, look, transaction)) {
        countOnce(transaction, record, context.replica);
        continue;
      }
      mustCertify(record, look);
      if (record.op === 'store') mustHaveContents(record, context.lengths);
      if (record.op === 'rename') mustHaveSettledPath(transaction, record.toParent);
      install(transaction, record, applyRecord(transaction, record), context.replica);
      storeIds.push(record.storeId);
    } catch (error) {
      // Missing contents say nothing about the record: they have to be sent, and the same batch again.
      if (!isFailure(error) || error instanceof ContentsMissing) throw error;
      throw new BatchRefused(index, error);
    }
  }
  transaction.raiseWatermark(venus, watermark);
  return { storeIds, versions: versionsOf(transaction, touched), ahead: [...ahead] };
}

/** Whether resolution has brought the update before its record came. */
function isHere(record: Mutation, look: Look, transaction: VolumeTransaction): boolean {
  const already = alreadyApplied(record, look, (directory, name) => transaction.entry(directory, name));
  if (already === 'partly') {
    const message = 'this replica is in the middle of resolving this update; ask again after resolution';
    throw new Failure('stale', 'vice.mutate', message, { fid: record.fid });
  }
  return already === 'yes';
}

/**
 * An update that came by resolution: the caller will tell all replicas that this one has applied it, and they
 * count it (COP2), so this one has to as well. Nobody must know of more updates here than there are. It is a
 * change with a stamp, as every other count of one's own: that is how peers hear what they have missed.
 */
function countOnce(transaction: VolumeTransaction, record: Mutation, replica: string): void {
  transaction.nextStamp();
  for (const fid of fidsOf(record)) {
    const row = transaction.object(fid);
    if (row === undefined) continue;
    const status = { ...row.status, vv: increment(row.status.vv, [replica]) };
    if (row.removed) transaction.putTombstone(status);
    else transaction.put(status);
  }
  transaction.markApplied(record.storeId);
}

function mustCertify(record: Mutation, look: Look): void {
  const refusal = certify(record, look);
  if (refusal !== undefined) throw refusal;
}

/**
 * While resolution has moved a directory but not yet its name (VR-3), parents and names are two different
 * trees; a rename that is checked against one could make a loop of the other.
 */
function mustHaveSettledPath(transaction: VolumeTransaction, directory: Fid): void {
  let next: Fid | null = directory;
  for (let depth = 0; next !== null && depth <= limits.depth; depth += 1) {
    const row = transaction.object(next);
    if (row === undefined || row.removed) return;
    if ((row.bound?.directory ?? null) !== row.status.parent) {
      const message = 'a directory above is being moved by resolution; ask again after it';
      throw new Failure('stale', 'vice.mutate', message, { fid: next });
    }
    next = row.status.parent;
  }
}

class ContentsMissing extends Failure {}

function mustHaveContents(record: StoreRecord, lengths: ReadonlyMap<string, number>): void {
  const length = record.digest === emptyDigest ? 0 : lengths.get(record.digest);
  if (length === undefined) {
    const message = `contents ${record.digest} are not at this server; send them, then the record again`;
    throw new ContentsMissing('not-found', 'vice.mutate', message);
  }
  if (length !== record.length) {
    const message = `contents ${record.digest} have ${length} bytes, the record says ${record.length}`;
    throw new Failure('invalid', 'vice.mutate', message, { fid: record.fid });
  }
}

function install(transaction: VolumeTransaction, record: Mutation, effect: Effect, replica: string): void {
  // Where resolution has brought the update already, its counts at the other replicas came with it.
  const uncounted = fidsOf(record).filter((fid) => {
    return !knows(transaction.object(fid)?.status.known ?? {}, record.storeId);
  });
  transaction.nextStamp();
  const counted = (status: VnodeStatus): VnodeStatus => ({ ...status, vv: increment(status.vv, [replica]) });
  // A name has to go before its object, and an object has to be there before its name.
  for (const { directory, name } of effect.unbound) {
    const entry = transaction.entry(directory, name);
    if (entry !== undefined) transaction.unbind(entry.fid);
  }
  for (const status of effect.removed) transaction.putTombstone(counted(status));
  for (const status of effect.changed) transaction.put(counted(status));
  for (const { directory, entry } of effect.bound) transaction.bind(directory, entry);
  transaction.markApplied(record.storeId);
  transaction.awaitCop2(record.storeId, uncounted);
}

function versionsOf(transaction: VolumeTransaction, fids: ReadonlySet<Fid>): AppliedBatch['versions'] {
  const versions: AppliedBatch['versions'] = [];
  for (const fid of fids) {
    const row = transaction.object(fid);
    if (row !== undefined) versions.push({ fid, vv: row.status.vv, storeId: row.status.storeId });
  }
  return versions;
}

/** A watermark is one Venus' own. */
function mustBeOneVenus(records: readonly Mutation[]): string {
  const [first] = records;
  if (first === undefined) throw new Failure('invalid', 'vice.mutate', 'a batch has at least one record');
  const venus = venusOf(first.storeId);
  if (records.every(({ storeId }) => venusOf(storeId) === venus)) return venus;
  throw new Failure('invalid', 'vice.mutate', 'the records of a batch are from one Venus');
}
