/** Users kept in a file, and who gets in with what. */
import { appendFile, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { isFailure } from '../../venus/interface.js';
import { silentLog, type LogFields } from '../../vice/seam/log.js';
import { seededRandom } from '../../vice/seam/twin/seeded-random.js';
import { SimulatedClock } from '../../vice/seam/twin/simulated-clock.js';
import { basicAuthentication, parseBasic, type Authenticate, type Login } from './basic-authentication.js';
import { scryptPasswords, usualCost } from '../../vice/seam/real/scrypt-passwords.js';
import { isScryptVerifier } from '../../vice/seam/scrypt-verifier.js';
import { openUsers, type Users } from './users.js';

/** A thousandth of the real work. */
const quick = scryptPasswords({ ln: 10, r: 8, p: 1 });

function basic(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
}

/** How the work fails. */
async function kindOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    return isFailure(error) ? error.kind : String(error);
  }
  return 'done';
}

t.test('a password is known only by its slow, salted hash', async (t) => {
  t.same(usualCost, { ln: 15, r: 8, p: 3 });
  const one = await quick.hash('sesame');
  const two = await quick.hash('sesame');
  t.match(one, /^\$scrypt\$ln=10,r=8,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
  t.not(one, two, 'salted');
  t.equal(await quick.verify('sesame', one), true);
  t.equal(await quick.verify('Sesame', one), false);
  t.equal(await quick.verify('u\u0308', await quick.hash('\u00fc')), true, 'as another keyboard types it');
  for (const stored of [
    '',
    'sesame',
    '$scrypt$ln=10,r=8,p=1$$',
    '$scrypt$ln=30,r=8,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAA',
  ]) {
    t.equal(isScryptVerifier(stored), false, stored);
    t.equal(await quick.verify('', stored), false);
  }
});

t.test('users outlive the process, and other processes see them', async (t) => {
  const file = join(t.testdir(), 'users');
  const users = await openUsers(file, quick);
  t.same(users.list(), [], 'no file, no users');
  await users.add('bob', 'hunter2');
  await users.add('alice', 'p:a:ss');
  const reader = await openUsers(file, quick);
  t.same(reader.list(), ['alice', 'bob']);
  t.equal(await reader.verify('alice', 'p:a:ss'), true);
  t.equal(await reader.verify('alice', 'p'), false);
  t.equal(await reader.verify('carol', 'p:a:ss'), false);
  await users.setPassword('alice', 'new');
  t.equal(await reader.verify('alice', 'new'), false, 'not before it looks again');
  await reader.refresh();
  t.equal(await reader.verify('alice', 'new'), true);
  t.equal(await reader.verify('alice', 'p:a:ss'), false);
  await users.remove('bob');
  t.same((await openUsers(file, quick)).list(), ['alice']);
  t.notMatch(await readFile(file, 'utf8'), /new|hunter2/);
  t.match(await readFile(`${file}.previous`, 'utf8'), /bob/, 'the file before the last change is kept');
  t.same((await readdir(join(file, '..'))).sort(), ['users', 'users.previous']);
  t.equal(await kindOf(users.add('alice', 'x')), 'exists');
  t.equal(await kindOf(users.setPassword('bob', 'x')), 'not-found');
  t.equal(await kindOf(users.setPassword('alice', '')), 'invalid');
  for (const name of ['', 'a:b', 'a\\b', 'a/b', ' a', 'a\nb', 'a'.repeat(65)]) {
    t.equal(await kindOf(users.add(name, 'x')), 'invalid', JSON.stringify(name));
  }
  await users.add('J\u00f6rg M', 'x');
  t.equal(await users.verify('Jo\u0308rg M', 'x'), true);
});

t.test('a damaged file lets nobody in by chance and is not made worse', async (t) => {
  const file = join(t.testdir(), 'users');
  const users = await openUsers(file, quick);
  for (const name of ['alice', 'bob']) await users.add(name, 'sesame');
  const good = await readFile(file, 'utf8');
  const flipped = good.replace(/"_id":"bob"/, '"_id":"eve"');
  t.not(flipped, good);
  for (const bad of [flipped, good.slice(0, -9), `${good}garbage\n`, `${good}{"_id":"eve","hash":""}\n`]) {
    await writeFile(file, bad);
    t.equal(await kindOf(openUsers(file, quick)), 'damaged');
    t.equal(await kindOf(users.add('carol', 'x')), 'damaged');
    t.equal(await readFile(file, 'utf8'), bad, 'what is left of it stays');
  }
  t.equal(await users.verify('bob', 'sesame'), true, 'who was known stays known');
  await writeFile(file, good);
  await appendFile(`${file}.lock`, '');
  const busy = await users.add('carol', 'x').catch((error: unknown) => error);
  t.ok(isFailure(busy, 'busy') && busy.message.includes('.lock'), 'it says what to do');
});

interface Gate {
  readonly login: Authenticate;
  readonly users: Users;
  readonly clock: SimulatedClock;
  readonly lines: (LogFields | undefined)[];
  /** How many passwords have been hashed. */
  hashes(): number;
}

async function gate(t: Test): Promise<Gate> {
  const users = await openUsers(join(t.testdir(), 'users'), quick);
  await users.add('alice', 'p:\u00e4ss');
  let hashes = 0;
  const counting: Users = {
    ...members(users),
    verify: (name, password) => {
      hashes += 1;
      return users.verify(name, password);
    },
  };
  const clock = new SimulatedClock();
  const lines: (LogFields | undefined)[] = [];
  const log = { ...silentLog, warn: (_: string, fields?: LogFields) => void lines.push(fields) };
  const login = basicAuthentication({ users: counting, clock, random: seededRandom(1), log });
  return { login, users, clock, lines, hashes: () => hashes };
}

function members(users: Users): Users {
  return {
    verify: (name, password) => users.verify(name, password),
    credentialOf: (name) => users.credentialOf(name),
    refresh: () => users.refresh(),
    add: (name, password) => users.add(name, password),
    setPassword: (name, password) => users.setPassword(name, password),
    remove: (name) => users.remove(name),
    list: () => users.list(),
  };
}

function statusOf(login: Login): number {
  return 'user' in login ? 200 : login.status;
}

t.test('who has logged in is remembered for a minute, and no longer than the password lives', async (t) => {
  const { login, users, clock, hashes } = await gate(t);
  const right = basic('alice', 'p:\u00e4ss');
  const many = await Promise.all(Array.from({ length: 16 }, () => login(right, '10.0.0.1')));
  t.same(
    many,
    Array.from({ length: 16 }, () => ({ user: 'alice' })),
  );
  t.equal(hashes(), 1, 'one hash for all connections of a mount');
  t.same(await login(right, '10.0.0.2'), { user: 'alice' });
  t.same(
    await login(basic('PC\\alice', 'p:\u00e4ss'), '10.0.0.1'),
    { user: 'alice' },
    'as Windows writes it',
  );
  t.equal(hashes(), 1);
  await clock.advance(61_000);
  await login(right, '10.0.0.1');
  t.equal(hashes(), 2);
  await users.setPassword('alice', 'new');
  t.equal(statusOf(await login(right, '10.0.0.1')), 401, 'at once');
  t.equal(statusOf(await login(basic('alice', 'new'), '10.0.0.1')), 200);
  await users.remove('alice');
  t.equal(statusOf(await login(basic('alice', 'new'), '10.0.0.1')), 401);
});

t.test('a change by another process counts within a second', async (t) => {
  const { login, clock } = await gate(t);
  const other = await openUsers(join(t.testdirName, 'users'), quick);
  t.equal(statusOf(await login(basic('alice', 'p:\u00e4ss'), '10.0.0.1')), 200);
  await other.setPassword('alice', 'new');
  await clock.advance(1001);
  t.equal(statusOf(await login(basic('alice', 'p:\u00e4ss'), '10.0.0.1')), 401);
  t.equal(statusOf(await login(basic('alice', 'new'), '10.0.0.1')), 200);
});

t.test('guessing is slowed down for one user at one address, not for an office', async (t) => {
  const { login, clock, lines, hashes } = await gate(t);
  const right = basic('alice', 'p:\u00e4ss');
  t.equal(statusOf(await login(right, '10.0.0.1')), 200);
  for (let attempt = 0; attempt < 10; attempt += 1) {
    t.equal(statusOf(await login(basic('alice', `guess ${attempt}`), '10.0.0.1')), 401);
  }
  const before = hashes();
  const refused = await login(basic('alice', 'guess'), '10.0.0.1');
  t.match(refused, { status: 429, headers: { 'Retry-After': /^\d+$/ } });
  t.equal(hashes(), before, 'and costs nothing');
  t.equal(statusOf(await login(right, '10.0.0.1')), 200, 'a session that is under way goes on');
  t.equal(statusOf(await login(basic('bob', 'guess'), '10.0.0.1')), 401, 'another user is another matter');
  t.equal(statusOf(await login(basic('alice', 'guess'), '10.0.0.2')), 401, 'so is another address');
  await clock.advance(61_000);
  t.equal(statusOf(await login(right, '10.0.0.1')), 200);
  t.match(lines, [{ user: 'alice', remote: '10.0.0.1' }]);
  t.notMatch(JSON.stringify(lines), /guess/);
});

t.test('a crowd is told to come back', async (t) => {
  const { login } = await gate(t);
  const crowd = Array.from({ length: 50 }, (_, index) =>
    login(basic(`user${index}`, 'x'), `10.0.0.${index}`),
  );
  const statuses = (await Promise.all(crowd)).map(statusOf);
  t.equal(statuses.filter((status) => status === 401).length, 33, 'one at work and 32 waiting');
  t.equal(statuses.filter((status) => status === 503).length, 17);
});

t.test('any password fits into Basic, and nothing else does', async (t) => {
  const password = fc.string({ unit: 'grapheme', maxLength: 40 });
  fc.assert(
    fc.property(password, (given) => {
      const parsed = parseBasic(basic('alice', given));
      return parsed?.user === 'alice' && parsed.password === given;
    }),
  );
  t.same(parseBasic(`Basic ${Buffer.from('alice:\u00e4', 'latin1').toString('base64')}`), {
    user: 'alice',
    password: '\u00e4',
  });
  t.same(parseBasic('basic  YTpi'), { user: 'a', password: 'b' });
  for (const header of [
    undefined,
    '',
    'Bearer',
    'Bearer abc',
    'Basic',
    'Basic ',
    'Basic !',
    'Basic YQ==',
    'Basic OmI=',
  ]) {
    t.equal(parseBasic(header), undefined, String(header));
  }
});
