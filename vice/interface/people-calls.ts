/**
 * Calls about the people of the realm, where its servers keep them; a part of rpc.ts.
 *
 * - `login` a user at a gateway, by password. `seen`: the version of the people document that the caller has heard of;
 *   a server that has an older one sends it to another (`stale`). Refused as `not-authenticated`, whatever is wrong.
 * - `renew` a token that still counts; else `logged-out`.
 * - `authorize` which of these tokens count: their users' changes are taken from this session.
 * - `people` (servers only) the people document.
 * - `users` without their verifiers, for an administrator.
 * - `keepPeople` at the server that publishes, in a realm whose gateways keep the users: from now on the servers keep
 *   these, with the passwords that they have. Answered when it is durable and announced there.
 * - `changePeople` at the server that publishes. Answered when it is durable there.
 */
import { z } from 'zod';
import { peopleChangeSchema, peopleDocumentSchema, peopleLimits, userVerifierSchema } from './people.js';
import { count, user } from './value-schemas.js';

const token = z.string().max(2000);
const login = z.strictObject({ token, expires: z.number() });

export const peopleCalls = {
  login: {
    roles: ['gateway'],
    argument: z.strictObject({
      user,
      password: z.string().max(peopleLimits.passwordCharacters),
      seen: count,
    }),
    result: login,
  },
  renew: { roles: ['gateway'], argument: z.strictObject({ token, seen: count }), result: login },
  authorize: {
    roles: ['gateway'],
    argument: z.strictObject({ tokens: z.array(token).max(1000) }),
    result: z.strictObject({ count: z.array(z.boolean()) }),
  },
  people: { roles: ['server'], argument: z.strictObject({}), result: peopleDocumentSchema },
  users: {
    roles: ['operator'],
    argument: z.strictObject({}),
    result: z.strictObject({
      version: count,
      users: z.array(z.strictObject({ name: z.string(), disabled: z.boolean(), changed: z.number() })),
    }),
  },
  keepPeople: {
    roles: ['operator'],
    argument: z.strictObject({ users: z.array(userVerifierSchema).min(1).max(peopleLimits.users) }),
    result: z.strictObject({ changed: z.boolean(), version: count }),
  },
  changePeople: {
    roles: ['operator'],
    argument: z.strictObject({ change: peopleChangeSchema }),
    result: z.strictObject({ changed: z.boolean(), version: count }),
  },
} as const;
