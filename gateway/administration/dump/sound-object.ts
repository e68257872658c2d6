/**
 * What no replica would say of an object (vice/interface/vnode.ts, VN-1 to VN-4), and a dump must not say either: its
 * checksums only tell that it is as it was written. Pure.
 */
import {
  emptyDigest,
  isRemoved,
  knows,
  nameFault,
  parentOf,
  rootFid,
  versionsOf,
  type Fid,
  type VnodeStatus,
  type VolumeId,
} from '../../../vice/interface/index.js';

/** Why `status` cannot be an object of `volume`; undefined: it can. What is said of it is of one object alone. */
export function objectFault(status: VnodeStatus, volume: VolumeId): string | undefined {
  return kindFault(status) ?? placeFault(status, rootFid(volume)) ?? vectorFault(status);
}

/** VN-1. */
function kindFault(status: VnodeStatus): string | undefined {
  const { kind, data, siblings, setAside = [], access = [], target } = status;
  if ((kind === 'file') !== (data !== null)) return 'exactly files have contents';
  if (kind !== 'file' && siblings.length + setAside.length > 0) return 'exactly files have versions';
  if ((kind === 'symlink') !== (target !== null)) return 'exactly symbolic links have a target';
  if (kind !== 'directory' && access.length > 0) return 'only directories have access lists';
  for (const { digest, length } of versionsOf(status)) {
    if ((digest === emptyDigest) !== (length === 0)) return 'a version has not the length of its contents';
  }
  return undefined;
}

/** VN-2, VN-4. */
function placeFault({ fid, kind, parent, places }: VnodeStatus, root: Fid): string | undefined {
  const [place] = places;
  if (fid === root) {
    if (kind !== 'directory') return `the root is a ${kind}`;
    return place === undefined && parent === null ? undefined : 'the root is in a directory';
  }
  if (place === undefined) return 'it has no place';
  if (parent !== parentOf(fid, place)) return `it is in ${parent}, and its place in ${place.parent}`;
  for (const { parent: each, name } of places) {
    if (!each.startsWith(root.slice(0, 9))) return `its place ${each} is in another volume`;
    const fault = nameFault(name);
    if (fault !== undefined) return `a name ${fault}`;
  }
  return undefined;
}

/** VN-3; a removal that covers all there is makes a tombstone, which is in no state. */
function vectorFault(status: VnodeStatus): string | undefined {
  const { storeId, known, gone, revived, places } = status;
  for (const vector of [known, gone, revived]) {
    const odd = Object.keys(vector).find((venus) => !/^[0-9a-f]{16}$/.test(venus));
    if (odd !== undefined) return `a vector counts updates of ${odd}, which is no Venus`;
  }
  const made = [...versionsOf(status), ...places].map((each) => each.storeId);
  const unknown = [...(storeId === null ? [] : [storeId]), ...made].find((each) => !knows(known, each));
  if (unknown !== undefined) return `it does not know its own update ${unknown}`;
  return isRemoved(status) ? 'it is removed' : undefined;
}
