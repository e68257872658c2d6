/**
 * Certificates that count no more before they end (RFC 5280 calls it revocation; there is no list of serial numbers
 * here): of one party of the realm all that became valid before a moment. The realm document carries it, so every
 * server and gateway learns of it as of any other change.
 */
import type { Role } from './credential.js';

export interface Revocation {
  readonly role: Role;
  readonly name: string;
  /** Milliseconds since 1970; a certificate that is valid from then on counts. */
  readonly before: number;
}

/** What a certificate that was shown says, as far as others judge by it. */
export interface ShownCertificate {
  readonly role: Role;
  readonly name: string;
  /** When it became valid, in milliseconds since 1970. */
  readonly validFrom: number;
}

/** More parties than that are not told apart one by one: then the authority is replaced. */
export const revocationsMost = 1_000;

/** From when on a certificate of this party counts; 0: from the beginning. */
export function revokedBefore(
  revoked: readonly Revocation[] | undefined,
  party: Pick<Revocation, 'role' | 'name'>,
): number {
  return revoked?.find(({ role, name }) => role === party.role && name === party.name)?.before ?? 0;
}

/** Why a certificate counts no more; undefined: it does. */
export function revocationFault(
  revoked: readonly Revocation[] | undefined,
  shown: ShownCertificate,
): string | undefined {
  const before = revokedBefore(revoked, shown);
  if (shown.validFrom >= before) return undefined;
  return `its certificate was revoked on ${new Date(before).toISOString()}`;
}
