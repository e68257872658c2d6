/** When a token counts: what it says, for whom, until when, and what makes it void. */
import t from 'tap';
import type { PeopleDocument, UserEntry } from './people.js';
import { signed } from './signed-token.js';
import { faultOf, issueToken, lifetimeOf, readToken, tokenLife, type UserToken } from './user-token.js';

const anna: UserEntry = { name: 'anna', verifier: '$plain$1', changed: 0 };
const people: PeopleDocument = {
  format: 1,
  version: 3,
  realm: 'office',
  tokenKey: 'ab'.repeat(32),
  users: [anna],
};
const gateway = 'g1/00000000000000aa';
const hour = 60 * 60 * 1000;
const now = 1_700_000_000_000;
const life = 24 * hour;

function given(user = anna): UserToken {
  const token = readToken(people, issueToken(people, user, gateway, now, life).token);
  if (token === undefined) throw new Error('its own server does not read it');
  return token;
}

t.test('a token counts at its gateway until it expires, by the clock of who reads it', async (t) => {
  const token = given();
  t.match(token, { user: 'anna', gateway, issued: now, expires: now + life });
  const table = [
    ['at once', now, undefined],
    ['at its end', now + life - 1, undefined],
    ['after it', now + life, 'expired'],
    ['where the clock is a little behind', now - tokenLife.skewMs, undefined],
    ['where it is far behind: it could be good for ever', now - tokenLife.skewMs - 1, 'early'],
  ] as const;
  for (const [when, at, fault] of table) t.equal(faultOf(token, anna, gateway, at, life), fault, when);
  t.equal(faultOf(token, anna, 'g2/00000000000000bb', now, life), 'foreign', 'shown by another gateway');
  t.equal(faultOf(token, anna, 'g1/00000000000000bb', now, life), 'foreign', 'or after its data was lost');
  t.equal(faultOf(token, anna, gateway, now + hour, hour), 'expired', 'a lifetime that was shortened holds');
  t.equal(faultOf(token, anna, gateway, now + life, 2 * life), 'expired', 'one that was prolonged does not');
});

t.test('it ends with the password and the user', async (t) => {
  const token = given();
  const fault = (user: UserEntry | undefined): unknown => faultOf(token, user, gateway, now, life);
  t.equal(fault({ ...anna, verifier: '$plain$2' }), 'void', 'another password');
  t.equal(fault({ ...anna, disabled: true }), 'void');
  t.equal(fault(undefined), 'void', 'removed');
  t.equal(fault({ ...anna, verifier: '$plain$3', changed: 9 }), 'void', 'somebody new of that name');
  t.equal(fault({ ...anna, changed: 9 }), undefined, 'disabled and enabled again, say');
  t.equal(fault({ ...anna, name: 'bob' }), 'void');
});

t.test('nobody makes or changes one without the key of the servers', async (t) => {
  const { token } = issueToken(people, anna, gateway, now, life);
  const [body = '', mac = ''] = token.split('.');
  const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as UserToken;
  const changed = Buffer.from(JSON.stringify({ ...claims, user: 'bob' })).toString('base64url');
  const otherKey = signed(Buffer.alloc(32, 7), claims);
  const key = Buffer.from(people.tokenKey, 'hex');
  for (const [what, forged] of [
    ['another user', `${changed}.${mac}`],
    ['another key', otherKey],
    ['no signature', `${body}.`],
    ['more parts', `${token}.${mac}`],
    ['another realm', signed(key, { ...claims, realm: 'elsewhere' })],
    ['more than is known', signed(key, { ...claims, role: 'operator' })],
    ['no JSON', `${Buffer.from('{').toString('base64url')}.${mac}`],
    ['nothing', ''],
  ] as const) {
    t.equal(readToken(people, forged), undefined, what);
  }
  t.same(readToken(people, token), claims);
});

t.test('how long a login is good can be set, within bounds', async (t) => {
  t.equal(lifetimeOf(undefined), tokenLife.usual);
  t.equal(lifetimeOf({ version: 1 }), tokenLife.usual);
  t.equal(lifetimeOf({ version: 1, tokenSeconds: 3600 }), hour);
  t.equal(lifetimeOf({ version: 1, tokenSeconds: 1 }), tokenLife.least);
  t.equal(lifetimeOf({ version: 1, tokenSeconds: 1e9 }), tokenLife.most);
});
