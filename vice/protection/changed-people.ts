/**
 * What becomes of the people document when an administrator wants something. Pure. What is so already gives back the
 * very document; everything else has the next version.
 */
import { checkedUserName, Failure, type PeopleDocument, type UserChange } from '../interface/index.js';

const operation = 'vice.changePeople';

/** `now`: milliseconds since 1970. @throws Failure exists, not-found, invalid */
export function changedPeople(document: PeopleDocument, change: UserChange, now: number): PeopleDocument {
  const { users } = document;
  const name = checkedUserName(change.name);
  const known = users.find((user) => user.name === name);
  if (change.change === 'add-user') {
    if (known?.verifier === change.verifier) return document;
    if (known !== undefined) throw new Failure('exists', operation, `there is a user ${name} already`);
    return next(document, [...users, { name, verifier: change.verifier, changed: now }]);
  }
  if (change.change === 'remove-user' && known === undefined) return document;
  if (known === undefined) throw new Failure('not-found', operation, `there is no user ${name}`);
  const others = users.filter((user) => user !== known);
  const { disabled, ...rest } = known;
  switch (change.change) {
    case 'remove-user':
      return next(document, others);
    case 'set-password':
      if (known.verifier === change.verifier) return document;
      return next(document, [...others, { ...known, verifier: change.verifier, changed: now }]);
    case 'disable-user':
      return disabled === true
        ? document
        : next(document, [...others, { ...known, disabled: true, changed: now }]);
    case 'enable-user':
      return disabled === true ? next(document, [...others, { ...rest, changed: now }]) : document;
  }
}

/** `document` with another key: tokens that the one before has signed are void (user-token.ts, UT-5). */
export function withLoginKey(document: PeopleDocument, tokenKey: string): PeopleDocument {
  return { ...document, version: document.version + 1, tokenKey };
}

function next(document: PeopleDocument, users: PeopleDocument['users']): PeopleDocument {
  const sorted = [...users].sort((a, b) => (a.name < b.name ? -1 : 1));
  return { ...document, version: document.version + 1, users: sorted };
}

/**
 * `made`, under a version that nobody else gives: above that of the realm document, which leaps when another server
 * takes over from a publisher that is lost (intended.ts) and may have made versions that nobody has heard of.
 */
export function aboveRealm(
  made: PeopleDocument,
  before: PeopleDocument,
  realmVersion: number,
): PeopleDocument {
  return made === before ? made : { ...made, version: Math.max(made.version, realmVersion + 1) };
}
