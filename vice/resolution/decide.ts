/**
 * What one replica makes of an object when it hears how another replica holds it. Pure: the conversation (pull.ts)
 * asks, this answers. The rows are those of Coda's comparison table (resolve/rescoord.cc, resfile.cc, weres.cc); here
 * each replica pulls for itself, so no row changes the other side.
 *
 *   here          there         file, symbolic link          directory
 *   missing       any           take it                      take it, its names when all in it is here
 *   runt          not runt      take it                      take it
 *   any           missing, runt keep                         keep
 *   equal                       keep                         keep
 *   weakly equal                larger counts                larger counts
 *   dominant                    keep                         keep
 *   submissive                  take it                      take it
 *   inconsistent                both versions (merge.ts)     names follow from what is in it (vice/volume/settle.ts)
 *
 * Removed objects are compared like living ones: a removal is an update.
 */
import {
  isRemoved,
  isRunt,
  isSameStatus,
  knows,
  mergeStatus,
  relate,
  type ReplicaRelation,
  type VnodeStatus,
} from '../interface/index.js';

/** How what is here stands to what is there. */
export type Standing = ReplicaRelation | 'missing' | 'runt';

export interface Verdict {
  readonly standing: Standing;
  /** The object as it shall be here; undefined: as it is. */
  readonly next: VnodeStatus | undefined;
}

/** @throws Failure invalid when the two cannot be one object */
export function decide(own: VnodeStatus | undefined, peer: VnodeStatus | null): Verdict {
  const standing = standingOf(own, peer);
  if (peer === null || (isRunt(peer) && own !== undefined)) return { standing, next: undefined };
  if (own === undefined) return { standing, next: isRunt(peer) && !isRemoved(peer) ? undefined : peer };
  const next = mergeStatus(own, peer);
  return { standing, next: isSameStatus(own, next) ? undefined : next };
}

function standingOf(own: VnodeStatus | undefined, peer: VnodeStatus | null): Standing {
  if (own === undefined) return 'missing';
  if (peer === null) return 'dominant';
  if (isRunt(own)) return isRunt(peer) ? 'equal' : 'runt';
  return isRunt(peer) ? 'dominant' : relate(own, peer);
}

/**
 * Whether `object` of a peer, which knows of no removal, was once in `directory` here: that has known how it came into
 * it, so all of that was here (PL-1 in pull.ts).
 */
export function hasBeenIn(directory: VnodeStatus, object: VnodeStatus): boolean {
  const [place] = object.places;
  if (place === undefined || Object.keys(object.gone).length > 0 || isRunt(object)) return false;
  return place.parent === directory.fid && knows(directory.known, place.storeId);
}
