/**
 * The people document of a realm whose servers begin to keep the people, which gateways have done so far. Pure.
 *
 * FP-1  It is made, and durable, before the realm document says that there is one. Cut short between the two it is made
 *       again: nobody has logged in by it.
 */
import {
  checkedUserName,
  Failure,
  peopleLimits,
  type PeopleDocument,
  type RealmDocument,
  type UserVerifier,
} from '../interface/index.js';

const operation = 'vice.keepPeople';

/**
 * `before`: what a try that was cut short has left; `tokenKey`: new. @throws Failure invalid, exists (a name twice, or
 * that of a group)
 */
export function firstPeople(
  { realm, version, groups = {} }: RealmDocument,
  before: PeopleDocument | undefined,
  users: readonly UserVerifier[],
  { tokenKey, now }: { readonly tokenKey: string; readonly now: number },
): PeopleDocument {
  const byName = new Map<string, PeopleDocument['users'][number]>();
  for (const { name: given, verifier } of users) {
    const name = checkedUserName(given);
    if (byName.has(name)) throw new Failure('exists', operation, `${name} is there twice`);
    if (Object.hasOwn(groups, name)) {
      throw new Failure('exists', operation, `there is a group ${name}; a user needs another name`);
    }
    byName.set(name, { name, verifier, changed: now });
  }
  if (byName.size > peopleLimits.users) throw new Failure('too-large', operation, 'too many users');
  const sorted = [...byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  const made = Math.max(before?.version ?? 0, version) + 1;
  return { format: 1, version: made, realm, tokenKey, users: sorted };
}
