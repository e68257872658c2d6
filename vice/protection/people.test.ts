/** The people of a realm at a server: what changes them, what stays when the process dies, who guesses for how long. */
import t from 'tap';
import { isFailure, type PeopleDocument, type UserChange } from '../interface/index.js';
import { SimulatedClock } from '../seam/twin/simulated-clock.js';
import { MemoryStore } from '../seam/twin/memory-store.js';
import { changedPeople } from './changed-people.js';
import { LoginAttempts, loginAttempts } from './login-attempts.js';
import { People } from './people.js';

const nobody: PeopleDocument = {
  format: 1,
  version: 1,
  realm: 'office',
  tokenKey: '0'.repeat(64),
  users: [],
};
const added = (name: string, verifier = 'v1'): UserChange => ({ change: 'add-user', name, verifier });

function kindOf(work: () => unknown): string {
  try {
    work();
    return 'done';
  } catch (error) {
    return isFailure(error) ? error.kind : String(error);
  }
}

t.test('saying the same again changes nothing; everything else is the next version', async (t) => {
  const both = [added('bob'), added('anna')].reduce((all, change) => changedPeople(all, change, 5), nobody);
  t.match(both, { version: 3, users: [{ name: 'anna', changed: 5 }, { name: 'bob' }] });
  const table: readonly (readonly [UserChange, number, object])[] = [
    [{ change: 'disable-user', name: 'bob' }, 4, { name: 'bob', disabled: true, verifier: 'v1' }],
    [{ change: 'set-password', name: 'bob', verifier: 'v2' }, 4, { name: 'bob', verifier: 'v2' }],
  ];
  for (const [change, version, bob] of table) {
    const after = changedPeople(both, change, 6);
    t.match(after, { version, users: [{ name: 'anna' }, bob] });
    t.equal(changedPeople(after, change, 7), after, `${change.change} again`);
  }
  const disabled = changedPeople(both, { change: 'disable-user', name: 'bob' }, 6);
  t.match(
    changedPeople(disabled, { change: 'set-password', name: 'bob', verifier: 'v3' }, 7).users[1],
    { disabled: true },
    'a new password lets nobody in who is disabled',
  );
  const enabled = changedPeople(disabled, { change: 'enable-user', name: 'bob' }, 7);
  t.notOk('disabled' in (enabled.users[1] ?? {}));
  t.equal(changedPeople(both, { change: 'enable-user', name: 'bob' }, 7), both);
  t.equal(changedPeople(both, { change: 'remove-user', name: 'eve' }, 7), both);
  t.same(
    changedPeople(both, { change: 'remove-user', name: 'bob' }, 7).users.map(({ name }) => name),
    ['anna'],
  );
  t.equal(
    kindOf(() => changedPeople(both, added('bob', 'v9'), 7)),
    'exists',
  );
  t.equal(
    kindOf(() => changedPeople(both, { change: 'disable-user', name: 'eve' }, 7)),
    'not-found',
  );
  t.equal(
    kindOf(() => changedPeople(both, added('System:Administrators'), 7)),
    'invalid',
    'no colon in a name',
  );
  t.equal(
    changedPeople(both, added('Jo\u0308rg'), 7).users.some(({ name }) => name === 'J\u00f6rg'),
    true,
  );
});

t.test('the highest version stays, over a crash, and only of this realm', async (t) => {
  const clock = new SimulatedClock();
  const store = new MemoryStore({ clock, flushMs: 1 });
  const people = await clock.until(People.open(store, 'office', nobody));
  t.equal(await clock.until(people.change((current) => changedPeople(current, added('anna'), 5))), true);
  t.equal(await clock.until(people.change((current) => changedPeople(current, added('anna'), 6))), false);
  await clock.until(people.adopt(nobody));
  t.equal(people.version, 2, 'an older one changes nothing');
  const again = await clock.until(People.open(store.crash(false), 'office', nobody));
  t.match([again.version, again.get('anna')?.verifier], [2, 'v1']);
  for (const wrong of [
    { ...nobody, realm: 'elsewhere', version: 9 },
    { ...nobody, tokenKey: '00', version: 9 },
  ]) {
    const failure: unknown = await clock.until(again.adopt(wrong).catch((error: unknown) => error));
    t.ok(isFailure(failure, 'invalid') && !failure.message.includes(nobody.tokenKey));
  }
  const none = await clock.until(People.open(new MemoryStore({ clock, flushMs: 1 }), 'office', undefined));
  t.equal(none.version, 0);
  const failure: unknown = await clock.until(
    none.change((current) => current).catch((error: unknown) => error),
  );
  t.ok(isFailure(failure, 'stale'), 'what is not here is not changed');
});

t.test('guesses through one gateway are slowed down, those of others are another matter', async (t) => {
  const clock = new SimulatedClock();
  const attempts = new LoginAttempts(clock);
  for (let count = 0; count < loginAttempts.ofUser; count += 1) {
    t.equal(attempts.waitOf('g1', 'anna'), 0);
    attempts.failed('g1', 'anna');
  }
  t.ok(attempts.waitOf('g1', 'anna') > 0);
  t.equal(attempts.waitOf('g1', 'bob'), 0);
  t.equal(attempts.waitOf('g2', 'anna'), 0, 'she gets in elsewhere');
  for (let count = 0; count < loginAttempts.ofGateway; count += 1) attempts.failed('g1', `user ${count}`);
  t.ok(attempts.waitOf('g1', 'bob') > 0, 'a gateway that tries all names');
  t.equal(attempts.waitOf('g2', 'bob'), 0);
  await clock.advance(loginAttempts.windowMs + 1);
  t.equal(attempts.waitOf('g1', 'anna'), 0);
});
