/**
 * The people of a realm, where its servers keep them: one versioned document beside the realm document, which says
 * only its version. Servers have it, gateways never: they ask (`login`), and are given tokens (user-token.ts).
 */
import { z } from 'zod';
import { Failure } from './failure.js';

export const peopleLimits = { users: 10_000, passwordCharacters: 1024 } as const;

export interface UserEntry {
  readonly name: string;
  /** Of the password (vice/seam/passwords.ts). */
  readonly verifier: string;
  /** He may not log in, and what he has not sent yet waits. */
  readonly disabled?: true | undefined;
  /** When the entry was changed last, milliseconds since 1970. */
  readonly changed: number;
}

export interface PeopleDocument {
  readonly format: 1;
  /** Counts publications, as that of the realm document. */
  readonly version: number;
  readonly realm: string;
  /** 32 bytes in hexadecimal: what signs tokens. Servers alone have it. */
  readonly tokenKey: string;
  readonly users: readonly UserEntry[];
}

/** What the realm document says of the people; without it every gateway keeps users of its own. */
export interface PeopleEntry {
  /** That of the people document. */
  readonly version: number;
  /** How long a login is good without a server that renews it; absent: `tokenLife.usual`. */
  readonly tokenSeconds?: number | undefined;
}

const name = z.string().min(1).max(64);
const verifier = z.string().min(1).max(400);

/** A user with what a gateway has known his password by. */
export const userVerifierSchema = z.strictObject({ name, verifier });
export type UserVerifier = z.infer<typeof userVerifierSchema>;

export const peopleDocumentSchema = z.strictObject({
  format: z.literal(1),
  version: z.number().int().positive(),
  realm: z.string().max(64),
  tokenKey: z.string().regex(/^[0-9a-f]{64}$/),
  users: z
    .array(z.strictObject({ name, verifier, disabled: z.literal(true).optional(), changed: z.number() }))
    .max(peopleLimits.users),
});

export const peopleEntrySchema = z.strictObject({
  version: z.number().int().positive(),
  tokenSeconds: z.number().int().positive().optional(),
});

/** What an administrator wants of the people, as an intention is of the realm (intention.ts). */
export const peopleChangeSchema = z.discriminatedUnion('change', [
  z.strictObject({ change: z.literal('add-user'), name, verifier }),
  z.strictObject({ change: z.literal('set-password'), name, verifier }),
  z.strictObject({ change: z.literal('disable-user'), name }),
  z.strictObject({ change: z.literal('enable-user'), name }),
  z.strictObject({ change: z.literal('remove-user'), name }),
  /** Another key that signs logins, made by the server: every login is over, and no token that was made counts. */
  z.strictObject({ change: z.literal('renew-login-key') }),
]);
export type PeopleChange = z.infer<typeof peopleChangeSchema>;
/** What is wanted of one user. */
export type UserChange = Exclude<PeopleChange, { readonly change: 'renew-login-key' }>;

/** RFC 7617: no colon; a backslash would end a domain name. @throws Failure invalid */
export function checkedUserName(given: string): string {
  const normal = given.normalize('NFC');
  if (/^[^\s:\\/\p{C}](?:[^:\\/\p{C}]{0,62}[^\s:\\/\p{C}])?$/u.test(normal)) return normal;
  const rule =
    'a user name has 1 to 64 characters, none of them a colon, slash, backslash or control character';
  throw new Failure('invalid', 'users.change', rule);
}

/** @throws Failure invalid */
export function checkedPassword(password: string): string {
  const { passwordCharacters } = peopleLimits;
  if (password !== '' && password.length <= passwordCharacters) return password;
  const rule = `a password has 1 to ${passwordCharacters} characters`;
  throw new Failure('invalid', 'users.change', rule);
}
