/**
 * What a session may do. Every server checks every call and every record for itself.
 *
 * Today a gateway acts for any user whose name it gives, as it has checked the user's password; access
 * lists per directory (rlidwka) will be asked in `checkRecord`, which is why it is called for every record
 * of every batch.
 */
import { calls, Failure, type CallName, type Mutation, type Peer, type Role } from '../interface/index.js';

/** @throws Failure access-denied when a peer of this role may not make this call. */
export function checkCall(peer: Peer, name: CallName): void {
  const roles: readonly Role[] = calls[name].roles;
  if (!roles.includes(peer.role)) {
    throw new Failure('access-denied', `vice.${name}`, `${name} is not for the role ${peer.role}`);
  }
}

/** @throws Failure access-denied when `peer` may not make this change in its author's name. */
export function checkRecord(peer: Peer, record: Mutation): void {
  if (peer.role === 'gateway') return;
  throw new Failure('access-denied', 'vice.mutate', `the role ${peer.role} makes no changes`, {
    fid: record.fid,
  });
}

/**
 * Container bytes: every gateway and server of the realm reads them; which user may read which is the
 * gateway's to check until access lists are here.
 * @throws Failure access-denied
 */
export function checkDownload(peer: Peer): void {
  if (peer.role === 'gateway' || peer.role === 'server') return;
  throw new Failure('access-denied', 'vice.download', `the role ${peer.role} reads no contents`);
}

/** @throws Failure access-denied */
export function checkUpload(peer: Peer): void {
  if (peer.role === 'gateway') return;
  throw new Failure('access-denied', 'vice.upload', `the role ${peer.role} brings no contents`);
}
