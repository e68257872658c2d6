/**
 * Who may speak to a server of the realm: a short-lived token signed with the realm key, which every server and
 * gateway holds in a file of its own (mode 0600). Also on loopback: another user of the machine is nobody here.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { claimsOf, signed } from './signed-token.js';

/** What a peer may do: a gateway acts for its users, a server resolves, an operator looks and commands. */
export type Role = 'gateway' | 'server' | 'operator';

export interface Peer {
  readonly role: Role;
  /** Server or gateway name; of a gateway also its VenusId, as `name/venusId`. */
  readonly name: string;
}

/**
 * The realm keys that a process knows: the first is what it speaks with, all are believed. There are several while they
 * are renewed. Never none.
 */
export interface RealmKeys {
  all(): readonly Uint8Array[];
  /** `changed` is called when there are others, until the function that is given back is. Absent: they stay. */
  watch?(changed: () => void): () => void;
}

/** What tells one key from another, and nothing of the key. */
export function keyMark(key: Uint8Array): string {
  return createHash('sha256').update('realm key').update(key).digest('hex').slice(0, 12);
}

/** One key, for good. */
export function onlyKey(key: Uint8Array): RealmKeys {
  const keys = [key];
  return { all: () => keys };
}

const claims = z.strictObject({
  realm: z.string(),
  role: z.enum(['gateway', 'server', 'operator']),
  name: z.string().max(200),
  expires: z.number(),
});

/** A token for `peer` that expires at `expires` (milliseconds since 1970). */
export function signCredential(realmKey: Uint8Array, realm: string, peer: Peer, expires: number): string {
  return signed(realmKey, { realm, ...peer, expires });
}

/** The peer that `token` proves, or undefined: forged, expired, of another realm, malformed. */
export function verifyCredential(
  realmKey: Uint8Array,
  realm: string,
  token: string,
  now: number,
): Peer | undefined {
  const parsed = claims.safeParse(claimsOf(realmKey, token));
  if (!parsed.success || parsed.data.realm !== realm || parsed.data.expires < now) return undefined;
  return { role: parsed.data.role, name: parsed.data.name };
}
