/**
 * What a session may do. Every server checks every call and every record for itself.
 *
 * A gateway acts for any user whose name it gives, as it has checked the user's password. What that user may do is
 * asked of the access lists inside the transaction that applies the record (vice/interface/needed-rights.ts).
 */
import { calls, Failure, type CallName, type Mutation, type Peer, type Role } from '../interface/index.js';

/** @throws Failure access-denied when a peer of this role may not make this call. */
export function checkCall(peer: Peer, name: CallName): void {
  const roles: readonly Role[] = calls[name].roles;
  if (!roles.includes(peer.role)) {
    throw new Failure('access-denied', `vice.${name}`, `${name} is not for the role ${peer.role}`);
  }
}

/** Whose it is say the known gateways. @throws Failure access-denied when no `peer` of this role makes changes. */
export function checkRecord(peer: Peer, record: Mutation): void {
  if (peer.role === 'gateway') return;
  throw new Failure('access-denied', 'vice.mutate', `the role ${peer.role} makes no changes`, {
    fid: record.fid,
  });
}

/**
 * Container bytes: every gateway and server of the realm reads them; which user may read which the gateway
 * checks (venus/access), as it has the one copy for all of its users. (Operators: vice/server/dumping.ts, DP-1.)
 * @throws Failure access-denied
 */
export function checkDownload(peer: Peer): void {
  if (peer.role === 'gateway' || peer.role === 'server') return;
  throw new Failure('access-denied', 'vice.download', `the role ${peer.role} reads no contents`);
}

/**
 * What a gateway brings counts when a record names it; what an operator brings, when an object that is restored does
 * (vice/server/dumping.ts, DP-2). @throws Failure access-denied
 */
export function checkUpload(peer: Peer): void {
  if (peer.role === 'gateway' || peer.role === 'operator') return;
  throw new Failure('access-denied', 'vice.upload', `the role ${peer.role} brings no contents`);
}
