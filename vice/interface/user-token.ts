/**
 * That somebody has logged in: a server says so to a gateway, any server of the realm believes it until it expires.
 * Pure.
 *
 * UT-1  Nobody without the key of the people document makes one: no gateway acts for who did not log in there.
 * UT-2  It is of one gateway (its name and VenusId): another one can do nothing with it.
 * UT-3  It ends with the password it was given for: a new password, a user disabled or removed, and it is void.
 * UT-4  Clocks of servers may differ by `tokenLife.skewMs`; a token from further in the future is none yet.
 * UT-5  Tokens end with the key: when it is another one, all are void, those that a server has seen already, too.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { PeopleDocument, PeopleEntry, UserEntry } from './people.js';
import { claimsOf, signed } from './signed-token.js';

const hour = 60 * 60 * 1000;

export const tokenLife = { usual: 72 * hour, least: 60_000, most: 90 * 24 * hour, skewMs: hour / 4 } as const;

export interface UserToken {
  readonly realm: string;
  readonly user: string;
  /** The peer that it was given to, as `g1/<venusId>`. */
  readonly gateway: string;
  /** Milliseconds since 1970. */
  readonly issued: number;
  readonly expires: number;
  /** Of the password's verifier (UT-3). */
  readonly mark: string;
}

const claims: z.ZodType<UserToken> = z.strictObject({
  realm: z.string(),
  user: z.string(),
  gateway: z.string(),
  issued: z.number(),
  expires: z.number(),
  mark: z.string(),
});

/** Why a token does not count: unreadable or signed by nobody of the realm; another gateway's; over; void. */
export type TokenFault = 'forged' | 'foreign' | 'expired' | 'early' | 'void';

export function lifetimeOf(entry: PeopleEntry | undefined): number {
  const wanted = entry?.tokenSeconds === undefined ? tokenLife.usual : entry.tokenSeconds * 1000;
  return Math.min(Math.max(wanted, tokenLife.least), tokenLife.most);
}

/** For a user who has just shown that he is one, or who had a token that counts. */
export function issueToken(
  { realm, tokenKey }: PeopleDocument,
  { name, verifier }: UserEntry,
  gateway: string,
  now: number,
  lifetimeMs: number,
): { readonly token: string; readonly expires: number } {
  const expires = now + lifetimeMs;
  const token: UserToken = { realm, user: name, gateway, issued: now, expires, mark: markOf(verifier) };
  return { token: signed(keyOf(tokenKey), token), expires };
}

/** What `text` says, if it was signed by a server of this realm. Whether it counts says `faultOf`. */
export function readToken({ realm, tokenKey }: PeopleDocument, text: string): UserToken | undefined {
  const parsed = claims.safeParse(claimsOf(keyOf(tokenKey), text));
  return parsed.success && parsed.data.realm === realm ? parsed.data : undefined;
}

/** Why `token`, shown by `gateway`, does not count; undefined: it does. `user` is who bears that name now. */
export function faultOf(
  token: UserToken,
  user: UserEntry | undefined,
  gateway: string,
  now: number,
  lifetimeMs: number,
): TokenFault | undefined {
  if (token.gateway !== gateway) return 'foreign';
  if (user?.name !== token.user || user.disabled === true || markOf(user.verifier) !== token.mark)
    return 'void';
  if (token.issued > now + tokenLife.skewMs) return 'early';
  // A lifetime that was shortened holds for tokens that are out, too.
  return Math.min(token.expires, token.issued + lifetimeMs) <= now ? 'expired' : undefined;
}

function markOf(verifier: string): string {
  return createHash('sha256').update(verifier).digest('base64url').slice(0, 16);
}

function keyOf(tokenKey: string): Uint8Array {
  return Buffer.from(tokenKey, 'hex');
}
