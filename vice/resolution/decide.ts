/**
 * What one replica must do about one object when it hears how another replica holds it. Pure: the
 * conversation (pull.ts) asks, this answers. The rows are those of Coda's comparison table
 * (resolve/rescoord.cc, resfile.cc, weres.cc); here each replica pulls for itself, so no row changes the
 * other side.
 *
 * RS-1  `pull` and `remove` lose nothing: the peer has incorporated every update that this replica has.
 * RS-2  Symmetric: if one side pulls, the other keeps; both call the same pairs inconsistent.
 */
import { isRunt, isWithin, maximum, relate, unionOf, compare, type VnodeStatus } from '../interface/index.js';

/** An object as a replica holds it: alive, or remembered as removed. */
export interface Held {
  readonly status: VnodeStatus;
  /** A tombstone: `status.known` holds the update that removed it. */
  readonly removed: boolean;
}

/**
 * - `keep`: nothing to do.
 * - `pull`: take status and contents (of a directory: the names) from the peer.
 * - `pull-vector`: same contents; take the larger counts only (a COP2 was lost).
 * - `remove`: the object was removed by somebody who knew all that is here.
 * - `inconsistent`: each side has updates that the other has not; left as it is, for a merge.
 */
export type Verdict = 'keep' | 'pull' | 'pull-vector' | 'remove' | 'inconsistent';

/**
 * What this replica, holding `own`, must do about an object that a peer holds as `peer`; undefined: never
 * heard of.
 */
export function decide(own: Held | undefined, peer: Held | undefined): Verdict {
  if (peer === undefined) return 'keep';
  if (own === undefined) return peer.removed ? 'remove' : isRunt(peer.status) ? 'keep' : 'pull';
  if (own.removed) return decideTombstone(own.status, peer);
  if (peer.removed) return isWithin(own.status.known, peer.status.known) ? 'remove' : 'inconsistent';
  return decideLiving(own.status, peer.status);
}

/** Removed here. A removal elsewhere agrees; an update that the removal did not know of does not. */
function decideTombstone(own: VnodeStatus, peer: Held): Verdict {
  if (peer.removed) return 'keep';
  return isWithin(peer.status.known, own.known) ? 'keep' : 'inconsistent';
}

function decideLiving(own: VnodeStatus, peer: VnodeStatus): Verdict {
  if (isRunt(peer)) return 'keep';
  if (isRunt(own)) return 'pull';
  // An object never changes its kind; a replica that says so is not to be believed.
  if (own.kind !== peer.kind) return 'inconsistent';
  switch (relate(own, peer)) {
    case 'dominant':
      return 'keep';
    case 'submissive':
      return 'pull';
    case 'inconsistent':
      return 'inconsistent';
    case 'equal':
    case 'weakly-equal':
      return decideSameUpdates(own, peer);
  }
}

function decideSameUpdates(own: VnodeStatus, peer: VnodeStatus): Verdict {
  // Contents are certified against what their author had seen, so the same updates end in the same contents.
  if (own.data?.storeId !== peer.data?.storeId) return 'inconsistent';
  if (own.storeId !== peer.storeId) {
    // Two updates crossed (of names, or of attributes): both replicas have both, applied in different
    // order. The names agree; the rest of the status is that of the greater StoreId, on every replica.
    return (own.storeId ?? '') < (peer.storeId ?? '') ? 'pull' : 'keep';
  }
  const counted = compare(own.vv, peer.vv);
  return counted === 'equal' || counted === 'dominant' ? 'keep' : 'pull-vector';
}

/** `peer` as it shall stand here after a pull: counts and known updates never decrease (VV-1, VR-4). */
export function pulled(own: VnodeStatus | undefined, peer: VnodeStatus): VnodeStatus {
  if (own === undefined) return peer;
  return { ...peer, vv: maximum(own.vv, peer.vv), known: unionOf(own.known, peer.known) };
}

/** `own` after a weak equality was healed. */
export function healed(own: VnodeStatus, peer: VnodeStatus): VnodeStatus {
  return { ...own, vv: maximum(own.vv, peer.vv) };
}
