/**
 * Versions of one file's contents: who gave them up, who vouches for them, which of them are seen. Pure.
 *
 * A version that a repair gives up, or a removal covers, is set aside and not dropped until a store replaces it.
 * Dropping it at once would make the outcome depend on who met whom first: of two repairs made apart each may give up
 * what the other leaves, and a removal may cover one of two versions now and another removal the second one later.
 */
import type { RepairRecord } from './mutation.js';
import {
  compareStoreIds,
  isEmptyVector,
  isWithin,
  knows,
  unionOf,
  withStoreId,
  type StoreIdVector,
} from './store-id.js';
import type { FileData, VnodeStatus } from './vnode.js';

/** All versions of a file's contents: the shown one, those seen beside it, those set aside. */
export function versionsOf({
  data,
  siblings,
  setAside = [],
}: Pick<VnodeStatus, 'data' | 'siblings' | 'setAside'>): readonly FileData[] {
  return data === null ? [] : [data, ...siblings, ...setAside];
}

/** Whether a removal covers `version`: its author had seen it, and whoever vouches for it. */
export function isCovered({ storeId, vouched = {} }: FileData, gone: StoreIdVector): boolean {
  return knows(gone, storeId) && isWithin(vouched, gone);
}

/**
 * The versions that anybody may still come to see. Not those that a removal covers and another version hides: they were
 * given up, and their contents may be nowhere any more.
 */
export function wantedVersions(status: VnodeStatus): readonly FileData[] {
  const hidden = (status.setAside ?? []).filter((version) => isCovered(version, status.gone));
  return versionsOf(status).filter((version) => !hidden.includes(version));
}

/** Whether a repair gave `version` up, and nobody vouches for it whom that repair's author had not seen (MG-4). */
export function isGivenUp({ storeId, vouched = {}, givenUp = {} }: FileData): boolean {
  return knows(givenUp, storeId) && isWithin(vouched, givenUp);
}

/** Those that are seen, the shown one first, and the others. */
export function divided(
  versions: readonly FileData[],
  gone: StoreIdVector,
): { readonly seen: readonly FileData[]; readonly setAside: readonly FileData[] } {
  if (versions.length < 2) return { seen: versions, setAside: [] };
  const ordered = [...versions].sort(byVersion);
  const least = Math.min(...ordered.map((version) => weaknessOf(version, gone)));
  const isSeen = (version: FileData): boolean => weaknessOf(version, gone) === least;
  return { seen: ordered.filter(isSeen), setAside: ordered.filter((version) => !isSeen(version)) };
}

/** Only the least weak are seen: rather what a removal would take than what a person chose not to keep. */
function weaknessOf(version: FileData, gone: StoreIdVector): number {
  return (isGivenUp(version) ? 2 : 0) + (isCovered(version, gone) ? 1 : 0);
}

/**
 * The versions of `object`: those that are given up, and those that are vouched for because others are (MG-4). Whom a
 * repair leaves its author says: it must not depend on what is known where the record arrives, or replicas that hear of
 * two repairs in different orders would differ. So what is left is never given up as well, also where all versions were
 * given up before, by repairs that crossed, and are seen for want of others: the person who chooses among them has
 * chosen.
 */
export function repaired(
  object: VnodeStatus,
  { fid, storeId, base, dismiss, leave, accept }: RepairRecord,
): readonly FileData[] {
  const seen = base[fid] ?? {};
  const versions = versionsOf(object);
  // To accept an object is to keep what a removal would have taken.
  const hasSeenBetter = versions.some(
    (version) => knows(seen, version.mark) && !isCovered(version, object.gone),
  );
  const isAccepted = accept !== null && !hasSeenBetter && isWithin(object.gone, seen);
  const isLeft = (version: FileData): boolean => {
    if (dismiss.length > 0 && leave !== undefined) return leave.includes(version.mark);
    const wasGivenUp = isGivenUp(version) && isWithin(version.givenUp ?? {}, seen);
    return !wasGivenUp && (dismiss.length > 0 || isAccepted);
  };
  return versions.map((version) => {
    const { mark, vouched = {}, givenUp = {} } = version;
    if (!knows(seen, mark)) return version;
    if (dismiss.includes(mark)) return { ...version, givenUp: withStoreId(unionOf(givenUp, seen), storeId) };
    return isLeft(version) ? { ...version, vouched: withStoreId(vouched, storeId) } : version;
  });
}

export function joinedVersion(one: FileData, other: FileData): FileData {
  const vouched = unionOf(one.vouched ?? {}, other.vouched ?? {});
  const givenUp = unionOf(one.givenUp ?? {}, other.givenUp ?? {});
  return {
    ...one,
    ...(!isEmptyVector(vouched) && { vouched }),
    ...(!isEmptyVector(givenUp) && { givenUp }),
  };
}

/** The one saved last is shown. */
export function byVersion(a: FileData, b: FileData): number {
  return b.saved - a.saved || compareStoreIds(b.storeId, a.storeId);
}
