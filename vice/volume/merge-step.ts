/**
 * Merges what a peer holds of some objects into what is here, inside one transaction (Coda: ForceFile, ForceVV,
 * ForceDir in resforce.cc, but nothing is forced: what is here and the peer does not know of stays).
 */
import {
  emptyDigest,
  Failure,
  isCovered,
  isFailure,
  isRemoved,
  isSameStatus,
  mergeStatus,
  mustBeList,
  nameFault,
  rootFid,
  versionsOf,
  type Fid,
  type FileData,
  type VnodeStatus,
  type VolumeId,
} from '../interface/index.js';
import type { VolumeTransaction } from '../store/volume-transaction.js';
import { mustBeIn } from './own-volume.js';
import type { Merged, MergeStep } from './replica.js';
import { nameAgain } from './naming.js';
import { settle } from './settle.js';

/** @throws Failure invalid, cross-volume: then nothing of the step must be kept */
export function applyMergeStep(transaction: VolumeTransaction, step: MergeStep, volume: VolumeId): Merged {
  const changed: Fid[] = [];
  const skipped: Fid[] = [];
  for (const theirs of step.objects) mustBeSound(theirs, volume);
  const restored = restoreDamaged(transaction, step);
  for (const theirs of step.objects) {
    const isRestored = restored.has(theirs.fid);
    const row = isRestored ? undefined : transaction.objectToReplace(theirs.fid);
    const ours = row?.status;
    const merged = ours === undefined ? theirs : mergeStatus(ours, theirs);
    const isPartial = step.withoutKnown && merged.kind === 'directory';
    // A removal waits for `finish`: by then what was in the directory has gone, wherever that was last.
    if (isPartial && isRemoved(merged)) continue;
    const next = isPartial ? withKnownOf(ours ?? runt, merged) : merged;
    if (ours !== undefined && isSameStatus(ours, next)) continue;
    if (row !== undefined && isSameStatus({ ...row.status, vv: next.vv }, next)) {
      // Weakly equal: counts are no news to anybody (cop2.ts).
      transaction.putCounts(row, next.vv, true);
      changed.push(theirs.fid);
      continue;
    }
    transaction.nextStamp();
    const isPut = settle(transaction, next, { forced: true, disturbed: new Set() });
    if (isRestored) nameAgain(transaction, theirs.fid);
    // Nobody knows whether what was removed had its contents here.
    if (isRestored) transaction.dropContents(theirs.fid);
    // A replica that has something to skip whenever it looks would never be quiet (resolver.ts).
    if (!isPut) transaction.returnStamp();
    (isPut ? changed : skipped).push(theirs.fid);
  }
  return { changed, skipped };
}

/**
 * Objects whose rows are damaged here come first, with the names that they have here: two that want one name could not
 * be put in order as long as either cannot be read. Their own turn comes all the same.
 */
function restoreDamaged(transaction: VolumeTransaction, step: MergeStep): ReadonlySet<Fid> {
  const restored = new Set<Fid>();
  for (const theirs of step.objects) {
    if (!isDamaged(transaction, theirs.fid)) continue;
    const isPartial = step.withoutKnown && theirs.kind === 'directory';
    const { parent } = theirs;
    const isPlaced =
      parent === null || (!isDamaged(transaction, parent) && transaction.object(parent) !== undefined);
    if (!isPlaced || (isPartial && isRemoved(theirs))) continue;
    transaction.objectToReplace(theirs.fid);
    transaction.nextStamp();
    transaction.put(isPartial ? withKnownOf(runt, theirs) : theirs, true);
    restored.add(theirs.fid);
  }
  return restored;
}

function isDamaged(transaction: VolumeTransaction, fid: Fid): boolean {
  try {
    transaction.object(fid);
    return false;
  } catch (error) {
    if (!isFailure(error, 'damaged')) throw error;
    return true;
  }
}

/**
 * VR-4: a directory that is not complete yet does not say that it has known what the peer has; nor does it go before
 * what was in it has gone.
 */
export function withKnownOf(knower: Knowledge, status: VnodeStatus): VnodeStatus {
  const { known, vv, storeId, rank, gone, revived } = knower;
  return { ...status, known, vv, storeId, rank, gone, revived };
}

/** What a directory has incorporated. */
type Knowledge = Pick<VnodeStatus, 'known' | 'vv' | 'storeId' | 'rank' | 'gone' | 'revived'>;

const runt: Knowledge = { known: {}, vv: {}, storeId: null, rank: undefined, gone: {}, revived: {} };

/**
 * The versions whose contents have to be here before `step` is merged into `own`. Not those that a removal covers:
 * whoever removed them gave their contents up, and they may be nowhere any more (a rename that did not know of the
 * removal keeps the file).
 * @throws Failure invalid, cross-volume
 */
export function contentsNeededFor(
  step: MergeStep,
  own: (fid: Fid) => VnodeStatus | undefined,
  volume: VolumeId,
): readonly FileData[] {
  return step.objects.flatMap((theirs) => {
    mustBeSound(theirs, volume);
    const ours = own(theirs.fid);
    return contentsNeeded(ours === undefined ? theirs : mergeStatus(ours, theirs));
  });
}

export function contentsNeeded(status: VnodeStatus): readonly FileData[] {
  if (isRemoved(status)) return [];
  return versionsOf(status).filter((version) => {
    return version.digest !== emptyDigest && !isCovered(version, status.gone);
  });
}

/** Never trust a peer: what no correct replica would say is refused whole. */
function mustBeSound(
  { fid, kind, data, places, siblings, access = [] }: VnodeStatus,
  volume: VolumeId,
): void {
  mustBeIn(volume, [fid, ...places.map(({ parent }) => parent)]);
  if ((places.length === 0) !== (fid === rootFid(volume))) throw invalid(fid, 'only the root has no place');
  if ((data === null) === (kind === 'file')) throw invalid(fid, 'exactly files have contents');
  if (data === null && siblings.length > 0) throw invalid(fid, 'exactly files have versions');
  if (access.length > 0 && kind !== 'directory') throw invalid(fid, 'only directories have access lists');
  for (const { list } of access) if (list !== null) mustBeList(list, fid);
  for (const { name } of places) {
    const fault = nameFault(name);
    if (fault !== undefined) throw invalid(fid, `a name ${fault}`);
  }
}

function invalid(fid: Fid, message: string): Failure {
  return new Failure('invalid', 'vice.merge', message, { fid });
}
