/**
 * Who a certificate of the realm speaks for: a URI among its subjectAltNames (RFC 5280 4.2.1.6), as
 * `coda://5f0c27a1b9e84d36/server/s1`. Not a host name: a server is who it is wherever the realm document says that it
 * listens.
 */
import type { Peer, Role } from './credential.js';

export interface RealmIdentity {
  /** Id of the realm. */
  readonly realm: string;
  readonly role: Role;
  readonly name: string;
}

/** As it stands in certificates; people say administrator for the role `operator`. */
const roleWords: Readonly<Record<Role, string>> = {
  server: 'server',
  gateway: 'gateway',
  operator: 'administrator',
};

export function identityUri({ realm, role, name }: RealmIdentity): string {
  return `coda://${encodeURIComponent(realm)}/${roleWords[role]}/${encodeURIComponent(name)}`;
}

/** As people read it: `server s1`. */
export function identityText({ role, name }: Omit<RealmIdentity, 'realm'>): string {
  return `${roleWords[role]} ${name}`;
}

export function parseIdentityUri(uri: string): RealmIdentity | undefined {
  const match = /^coda:\/\/([\w.~%-]+)\/(server|gateway|administrator)\/([\w.~%-]+)$/.exec(uri);
  if (match === null) return undefined;
  const [, realm = '', word = '', name = ''] = match;
  const role = word === 'administrator' ? 'operator' : word === 'server' ? 'server' : 'gateway';
  try {
    return { realm: decodeURIComponent(realm), role, name: decodeURIComponent(name) };
  } catch {
    return undefined;
  }
}

/**
 * The identity among the subjectAltNames of a certificate as node lists them (`URI:..., DNS:...`); undefined: none, or
 * several. Node quotes what could be taken for several entries (CVE-2021-44532): no name of ours needs that.
 */
export function identityIn(alternatives: string | undefined): RealmIdentity | undefined {
  if (alternatives === undefined || alternatives.includes('"')) return undefined;
  const uris = alternatives.split(', ').filter((entry) => entry.startsWith('URI:coda:'));
  return uris.length === 1 ? parseIdentityUri((uris[0] ?? '').slice('URI:'.length)) : undefined;
}

/** Whether who shows the certificate of `identity` may speak as `peer`. A gateway adds its VenusId to its name. */
export function maySpeakAs(identity: Omit<RealmIdentity, 'realm'>, peer: Peer): boolean {
  if (identity.role !== peer.role) return false;
  const name = peer.role === 'gateway' ? peer.name.replace(/\/[^/]*$/, '') : peer.name;
  return identity.name === name;
}
