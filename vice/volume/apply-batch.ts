/** COP1 inside its transaction: one batch of records, all or nothing, each exactly once. */
import {
  applyRecord,
  counterOf,
  emptyDigest,
  Failure,
  fidsOf,
  gatewayOf,
  identityOf,
  increment,
  isFailure,
  knows,
  RightsCheck,
  venusOf,
  wantedVersions,
  type Effect,
  type Fid,
  type Groups,
  type Mutation,
  type Result,
  type StoreRecord,
  type VolumeId,
} from '../interface/index.js';
import type { ObjectRow } from '../store/volume-store.js';
import type { VolumeTransaction } from '../store/volume-transaction.js';
import { mustBeUnlocked, mustFitQuota, VolumeLocked, type Bounds } from './bounds.js';
import { mustBeIn } from './own-volume.js';
import { alreadyApplied, certify, isAhead, type Look } from './certify.js';
import type { MutateArgument } from './replica.js';
import { settle } from './settle.js';

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
  readonly groups?: Groups | undefined;
  readonly bounds: Bounds;
}

export interface AppliedBatch {
  readonly storeIds: readonly Mutation['storeId'][];
  readonly versions: Extract<Result<'mutate'>, { outcome: 'applied' }>['versions'];
  readonly ahead: Fid[];
}

/** @throws BatchRefused; Failure not-found (no fid: contents are not here), refused (the volume is locked), invalid */
export function applyBatch(
  transaction: VolumeTransaction,
  { records, watermark }: MutateArgument,
  context: BatchContext,
): AppliedBatch {
  const authors = mustBeOneGateway(records);
  const look: Look = (fid) => transaction.object(fid);
  const before = new Map([...authors].map((venus) => [venus, transaction.updates.watermark(venus)]));
  for (const record of records) mustNotBeGivenUp(record, before.get(venusOf(record.storeId)) ?? 0, look);
  const rights = new RightsCheck(
    (fid) => look(fid)?.status,
    (user) => identityOf(user, context.groups),
  );
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
      if (transaction.updates.isMarkedApplied(record.storeId)) {
        rights.passed(record);
        continue;
      }
      if (isHere(record, look, transaction)) {
        rights.passed(record);
        countOnce(transaction, record, context.replica);
        continue;
      }
      mustBeUnlocked(context.bounds);
      const used = transaction.usedBytes;
      mustCertify(record, look);
      rights.check(record);
      if (record.op === 'store') mustHaveContents(record, context.lengths);
      const effect = applyRecord(transaction, record);
      mustHaveOldContents(transaction, record, effect);
      for (const fid of install(transaction, record, effect, context.replica)) {
        ahead.add(fid);
      }
      mustFitQuota(context.bounds, record.fid, used, transaction.usedBytes);
      storeIds.push(record.storeId);
    } catch (error) {
      // Missing contents say nothing about the record: they have to be sent, and the same batch again.
      if (!isFailure(error) || error instanceof ContentsMissing || error instanceof VolumeLocked) throw error;
      throw new BatchRefused(index, error);
    }
  }
  for (const venus of authors) transaction.updates.raiseWatermark(venus, watermark);
  return { storeIds, versions: repliesOf(transaction, touched), ahead: [...ahead] };
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
  transaction.updates.markApplied(record.storeId);
}

function mustCertify(record: Mutation, look: Look): void {
  const refusal = certify(record, look);
  if (refusal !== undefined) throw refusal;
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

/**
 * What brings a removed file back needs the contents that it had. A replica that let them go with the removal, or heard
 * of the file only when it was removed, is no judge: another one may have them, and where none has, the file is made
 * anew from the gateway's copy (venus/reintegration/forgotten.ts).
 */
function mustHaveOldContents(transaction: VolumeTransaction, record: Mutation, { changed }: Effect): void {
  for (const status of changed) {
    const row = transaction.object(status.fid);
    if (status.kind !== 'file' || row?.removed !== true || row.keeps === true) continue;
    for (const { digest } of wantedVersions(status)) {
      if ((record.op === 'store' && digest === record.digest) || transaction.hasContents(digest)) continue;
      const message = 'the file has been removed, and its contents are not at this replica';
      throw new Failure('stale', 'vice.mutate', message, { fid: status.fid });
    }
  }
}

/** What has become of other objects, or of these in another way, than the author of the record must believe. */
function install(
  transaction: VolumeTransaction,
  record: Mutation,
  effect: Effect,
  replica: string,
): ReadonlySet<Fid> {
  // Where resolution has brought the update already, its counts at the other replicas came with it.
  const uncounted = fidsOf(record).filter((fid) => {
    return !knows(transaction.object(fid)?.status.known ?? {}, record.storeId);
  });
  const removed = fidsOf(record).filter((fid) => transaction.object(fid)?.removed === true);
  const before = transaction.object(record.fid)?.bound;
  transaction.nextStamp();
  const disturbed = new Set<Fid>();
  // A name goes with its object before another object takes it.
  for (const status of [...effect.removed, ...effect.changed]) {
    const counted = { ...status, vv: increment(status.vv, [replica]) };
    if (settle(transaction, counted, { forced: false, disturbed })) continue;
    throw new Failure('stale', 'vice.mutate', 'this replica does not have its directory yet', {
      fid: status.fid,
    });
  }
  for (const fid of surprises(transaction, record, removed)) disturbed.add(fid);
  for (const fid of unexpected(record, before, transaction.object(record.fid)?.bound)) disturbed.add(fid);
  transaction.updates.markApplied(record.storeId);
  transaction.updates.awaitCop2(record.storeId, transaction.stamp, uncounted);
  return disturbed;
}

/**
 * Objects whose names are not what the record says, as others' updates decided (settle.ts, naming.ts), and where they
 * are; those of `removed` that are back.
 */
function surprises(
  transaction: VolumeTransaction,
  record: Mutation,
  removed: readonly Fid[],
): readonly Fid[] {
  const withPlace = (of: Fid): Fid[] => [of, transaction.status(of)?.parent ?? of];
  const found = removed.filter((of) => transaction.status(of) !== undefined).flatMap(withPlace);
  const { fid } = record;
  const isAt = (directory: Fid, name: string): boolean => transaction.entry(directory, name)?.fid === fid;
  switch (record.op) {
    case 'create':
    case 'mkdir':
    case 'symlink':
      return isAt(record.parent, record.name) ? found : [...found, record.parent, ...withPlace(fid)];
    case 'rename':
      return isAt(record.toParent, record.toName) ? found : [...found, record.toParent, ...withPlace(fid)];
    case 'remove':
    case 'rmdir':
      return transaction.status(fid) === undefined ? found : [...found, record.parent, ...withPlace(fid)];
    default:
      return found;
  }
}

/** Directories that the record does not name, where its object had its name, or has it now: others had moved it. */
function unexpected(
  record: Mutation,
  ...[before, after]: readonly (ObjectRow['bound'] | undefined)[]
): readonly Fid[] {
  if (before?.directory === after?.directory && before?.name === after?.name) return [];
  const expected = fidsOf(record);
  return [before, after].flatMap((bound) => {
    const directory = bound?.directory;
    return directory === undefined || expected.includes(directory) ? [] : [directory];
  });
}

function repliesOf(transaction: VolumeTransaction, fids: ReadonlySet<Fid>): AppliedBatch['versions'] {
  const versions: AppliedBatch['versions'] = [];
  for (const fid of fids) {
    const row = transaction.object(fid);
    if (row !== undefined) versions.push({ fid, vv: row.status.vv, storeId: row.status.storeId });
  }
  return versions;
}

/**
 * Below its own watermark a Venus sends nothing but what is here already (a call that was late). Anything else is from
 * another one with the same name: two gateways work on copies of one data folder. It is no duplicate, so it must not be
 * called applied. No word on the record: the caller keeps it.
 */
function mustNotBeGivenUp({ storeId, fid }: Mutation, watermark: number, look: Look): void {
  if (counterOf(storeId) >= watermark || knows(look(fid)?.status.known ?? {}, storeId)) return;
  const message = `change ${storeId} comes after later ones: another gateway runs on a copy of this data folder`;
  throw new Failure('damaged', 'vice.mutate', message);
}

/** The VenusIds of a batch. A watermark is one gateway's own. */
function mustBeOneGateway(records: readonly Mutation[]): ReadonlySet<string> {
  const authors = new Set<string>(records.map(({ storeId }) => venusOf(storeId)));
  const gateways = new Set([...authors].map(gatewayOf));
  if (gateways.size === 1) return authors;
  throw new Failure(
    'invalid',
    'vice.mutate',
    'a batch has at least one record, and all are from one gateway',
  );
}
