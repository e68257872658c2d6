/**
 * People whom the servers keep, on a simulated realm: who works on while his login ends waits for himself alone, and
 * nobody acts for who has not logged in.
 */
import t, { type Test } from 'tap';
import {
  isFailure,
  signCredential,
  type PeopleChange,
  type PeopleDocument,
} from '../../vice/interface/index.js';
import { PlainPasswords } from '../../vice/seam/twin/plain-passwords.js';
import { seededRandom } from '../../vice/seam/twin/seeded-random.js';
import type { Venus } from '../../venus/interface.js';
import { withoutOrder } from './replica-dump.js';
import { get, list, makeDirectory, outcomeOf, put, remove, rename } from './share.js';
import { realmKey, type SimulatedRealm } from './simulated-realm.js';
import { startedRealm } from './started-realm.js';

t.setTimeout(5 * 60_000);

const anna = { user: 'anna' };
const bob = { user: 'bob' };
const minute = 60_000;
const passwords = new PlainPasswords(seededRandom(9));

async function peopleOf(...names: readonly string[]): Promise<PeopleDocument> {
  const users = [];
  for (const name of names) users.push({ name, verifier: await passwords.hash(`${name}'s`), changed: 0 });
  return { format: 1, version: 1, realm: 'simulated', tokenKey: '5a'.repeat(32), users };
}

/** Anna and bob are logged in at g1 for six minutes, each with a folder. */
async function stageOf(seed: number): Promise<SimulatedRealm> {
  const people = await peopleOf('anna', 'bob');
  const realm = await startedRealm({ seed, people, tokenSeconds: 360 });
  await realm.clock.advance(2000);
  const g1 = realm.gateway('g1');
  for (const by of [anna, bob]) {
    await realm.finish(g1.people.login(by.user, `${by.user}'s`));
    await realm.finish(makeDirectory(g1, by.user, by));
  }
  return realm;
}

async function links(realm: SimulatedRealm, gateway: string, change: 'cut' | 'heal'): Promise<void> {
  for (const server of realm.serverNames) realm.network[change](gateway, server);
  await realm.clock.advance(change === 'cut' ? 5000 : 20_000);
}

function ended(realm: SimulatedRealm, work: Promise<unknown>): Promise<string> {
  return realm.finish(outcomeOf(work));
}

/** Files and their contents at every server; fails where they differ. */
async function tree(t: Test, realm: SimulatedRealm): Promise<readonly string[]> {
  const trees: string[][] = [];
  for (const name of realm.serverNames) {
    const dump = await realm.dump(name);
    trees.push(
      dump.flatMap(({ path, contents }) => (contents === null ? [] : [`${path} ${contents}`])).sort(),
    );
  }
  for (const each of trees) t.same(each, trees[0], 'all servers have the same');
  return trees[0] ?? [];
}

/** As an administrator's command does it. */
async function change(realm: SimulatedRealm, wanted: PeopleChange, server = 's1'): Promise<void> {
  await order(realm, server, 'changePeople', { change: wanted });
}

async function order(realm: SimulatedRealm, server: string, call: string, argument: object): Promise<void> {
  const { clock, network, document } = realm;
  const peer = { role: 'operator', name: 'op' } as const;
  const credential = signCredential(realmKey, document.realm, peer, clock.wall() + minute);
  const dialled = network
    .host('op')
    .dial(`ws://${server}:1`, { credential: () => credential, server, onPush() {} });
  const link = await realm.finish(dialled);
  await realm.finish(link.call(call, argument));
  link.close();
  await realm.clock.advance(1000);
}

function waiting(venus: Venus): readonly (readonly [string, string | null])[] {
  return venus.log.changes().map(({ author, reason }) => [author, reason] as const);
}

const annaWaits = ['anna', 'waits for anna to log in again'] as const;

t.test(
  'who works offline while her login ends waits for herself alone, and goes on as she logs in',
  async (t) => {
    const realm = await stageOf(1);
    await realm.clock.advance(4 * minute);
    t.equal(await realm.finish(realm.gateway('g1').people.renew('bob')), 'holds');
    await links(realm, 'g1', 'cut');
    t.equal(await realm.finish(realm.gateway('g1').people.renew('bob')), 'unasked');
    await realm.finish(put(realm.gateway('g1'), 'anna/a', 'by anna', anna));
    await realm.finish(put(realm.gateway('g1'), 'bob/b', 'by bob', bob));
    await realm.clock.advance(3 * minute);
    t.equal(await realm.finish(realm.gateway('g1').people.renew('anna')), 'over');
    realm.kill('g1');
    await realm.startGateway('g1');
    const g1 = realm.gateway('g1');
    await realm.finish(put(g1, 'anna/more', 'offline, over, after a restart', anna));
    await links(realm, 'g1', 'heal');
    t.same(waiting(g1), [annaWaits, annaWaits]);
    t.same(g1.state().volumes[0]?.awaitedLogins, ['anna']);
    t.equal(g1.state().volumes[0]?.state, 'hoarding', 'for everybody else the gateway is connected');
    t.same(await tree(t, realm), ['/bob/b by bob']);
    await realm.finish(put(g1, 'bob/c', 'meanwhile', bob));
    await realm.finish(put(g1, 'anna/a', 'connected, and over', anna));
    t.equal(await realm.finish(get(g1, 'anna/a', anna)), 'connected, and over');
    t.same(await tree(t, realm), ['/bob/b by bob', '/bob/c meanwhile']);

    t.equal(await ended(realm, g1.people.login('anna', 'wrong')), 'not-authenticated');
    await realm.clock.advance(minute);
    t.same(waiting(g1), [annaWaits, annaWaits, annaWaits], 'still');
    await realm.finish(g1.people.login('anna', "anna's"));
    await realm.clock.advance(1000);
    t.same(waiting(g1), [], 'at once');
    t.same(g1.state().volumes[0]?.awaitedLogins, []);
    await realm.clock.advance(2 * minute);
    t.same(await tree(t, realm), [
      '/anna/a connected, and over',
      '/anna/more offline, over, after a restart',
      '/bob/b by bob',
      '/bob/c meanwhile',
    ]);
  },
);

for (const restarts of [false, true]) {
  const after = restarts ? ', also over a restart' : '';
  t.test(`who must log in again holds up nobody else in a shared folder${after}`, async (t) => {
    const realm = await stageOf(restarts ? 8 : 7);
    for (const name of ['kept', 'gone', 'moved'])
      await realm.finish(put(realm.gateway('g1'), `anna/${name}`, name, anna));
    await realm.clock.advance(4 * minute);
    await realm.finish(realm.gateway('g1').people.renew('bob'));
    await links(realm, 'g1', 'cut');
    const offline = realm.gateway('g1');
    await realm.finish(put(offline, 'anna/new', 'by anna', anna));
    await realm.finish(remove(offline, 'anna/gone', anna));
    await realm.finish(rename(offline, 'anna/moved', 'anna/renamed', anna));
    await realm.finish(put(offline, 'anna/bobs', 'by bob', bob));
    await realm.finish(put(offline, 'anna/new', 'by anna, then by bob', bob));
    await realm.clock.advance(3 * minute);
    await realm.finish(offline.people.renew('anna'));
    if (restarts) {
      realm.kill('g1');
      await realm.startGateway('g1');
    }
    const [g1, g2] = [realm.gateway('g1'), realm.gateway('g2')];
    await links(realm, 'g1', 'heal');
    t.same(
      waiting(g1),
      [annaWaits, annaWaits, annaWaits, ['bob', null]],
      'what he did to her file depends on it',
    );
    t.same(await tree(t, realm), [
      '/anna/bobs by bob',
      '/anna/gone gone',
      '/anna/kept kept',
      '/anna/moved moved',
    ]);
    t.equal(g1.state().volumes[0]?.state, 'hoarding');
    // Connected, he is answered by servers.
    await realm.finish(put(g1, 'anna/live', 'connected', bob));
    await realm.finish(makeDirectory(g1, 'anna/folder', bob));
    await realm.finish(put(g1, 'anna/folder/in', 'in it', bob));
    await realm.finish(remove(g1, 'anna/kept', bob));
    t.equal(waiting(g1).length, 4, 'nothing new waits');
    await realm.finish(g2.people.login('bob', "bob's"));
    await realm.clock.advance(1000);
    t.equal(await realm.finish(get(g2, 'anna/live', bob)), 'connected');
    t.same(await realm.finish(list(g2, 'anna', bob)), ['bobs', 'folder', 'gone', 'live', 'moved']);
    await realm.finish(put(g2, 'anna/elsewhere', 'by bob elsewhere', bob));
    await realm.clock.advance(minute);
    const all = ['bobs', 'elsewhere', 'folder', 'live', 'new', 'renamed'];
    t.same(await realm.finish(list(g1, 'anna', bob)), all, 'he sees hers, and what others do');
    t.same(await realm.finish(list(g2, 'anna', bob)), [
      'bobs',
      'elsewhere',
      'folder',
      'gone',
      'live',
      'moved',
    ]);

    if (restarts) {
      realm.kill('g1');
      await realm.startGateway('g1');
      await realm.clock.advance(minute);
      await realm.finish(realm.gateway('g1').people.renew('bob'));
    }
    const last = realm.gateway('g1');
    t.equal(waiting(last).length, 4, 'still');
    await realm.finish(last.people.login('anna', "anna's"));
    await realm.clock.advance(2 * minute);
    t.same(waiting(last), []);
    t.same(await tree(t, realm), [
      '/anna/bobs by bob',
      '/anna/elsewhere by bob elsewhere',
      '/anna/folder/in in it',
      '/anna/live connected',
      '/anna/new by anna, then by bob',
      '/anna/renamed moved',
    ]);
    t.same(last.conflicts.count(), {}, 'nothing twice, and nothing beside anything');
    for (const venus of [last, g2]) t.same(await realm.finish(list(venus, 'anna', bob)), all);
    const [one, ...others] = await Promise.all(realm.serverNames.map((name) => realm.dump(name)));
    for (const each of others) t.same(withoutOrder(each), withoutOrder(one ?? []), 'replicas are equal');
  });
}

t.test('a gateway gets nothing in the name of who never logged in there', async (t) => {
  const realm = await stageOf(2);
  const { people: _kept, ...document } = realm.document;
  // It asks nobody, and does not listen to what the servers say of the realm.
  const liar = await realm.startGateway('liar', { ...document, version: 1000 });
  await realm.clock.advance(2000);
  await realm.finish(put(liar, 'anna/forged', 'x', anna));
  await realm.finish(makeDirectory(liar, 'made', { user: 'System:Administrators' }));
  await realm.clock.advance(2 * minute);
  t.equal(liar.log.changes().length, 2);
  t.same(await tree(t, realm), []);

  const g2 = realm.gateway('g2');
  t.equal(await ended(realm, put(g2, 'anna/honest', 'x', anna)), 'logged-out', 'an honest one does not try');
  t.same(g2.log.changes(), []);
  await realm.finish(g2.people.login('anna', "anna's"));
  t.equal(await ended(realm, put(g2, 'anna/honest', 'x', anna)), 'done');
});

t.test(
  'disabled, he waits; enabled and logged in again he goes on; what waits can be given up',
  async (t) => {
    const realm = await stageOf(3);
    const g1 = realm.gateway('g1');
    const seen = g1.people.version;
    await change(realm, { change: 'disable-user', name: 'bob' });
    t.ok(g1.people.version > seen, 'the gateway hears of it');
    await realm.finish(put(g1, 'bob/kept', 'x', bob));
    await realm.finish(put(g1, 'bob/given-up', 'x', bob));
    await realm.finish(put(g1, 'anna/a', 'x', anna));
    await realm.clock.advance(minute);
    t.equal(await realm.finish(g1.people.renew('bob')), 'refused');
    t.equal(await ended(realm, g1.people.login('bob', "bob's")), 'not-authenticated');
    t.same(await tree(t, realm), ['/anna/a x']);
    const [, second] = g1.log.changes();
    t.same(await realm.finish(g1.log.discard([second?.sequence ?? 0])), [second?.sequence]);
    await change(realm, { change: 'enable-user', name: 'bob' });
    await realm.clock.advance(minute);
    t.equal(g1.log.changes().length, 1, 'that he may does not say that he is there');
    await realm.finish(g1.people.login('bob', "bob's"));
    await realm.clock.advance(minute);
    t.same(waiting(g1), []);
    t.same(await tree(t, realm), ['/anna/a x', '/bob/kept x']);
  },
);

t.test('a new password ends what the old one began, at every server', async (t) => {
  const realm = await stageOf(4);
  const g1 = realm.gateway('g1');
  realm.kill('s3');
  await change(realm, { change: 'set-password', name: 'anna', verifier: await passwords.hash('new') });
  await change(realm, { change: 'add-user', name: 'carol', verifier: await passwords.hash('carol') });
  t.equal(await realm.finish(g1.people.renew('anna')), 'refused');
  t.equal(await ended(realm, g1.people.login('anna', "anna's")), 'not-authenticated');
  t.equal(await ended(realm, g1.people.login('anna', 'new')), 'done');
  await realm.startServer('s3');
  await realm.clock.advance(10_000);
  for (const server of ['s1', 's2']) realm.kill(server);
  await realm.clock.advance(5000);
  t.equal(await ended(realm, g1.people.login('carol', 'carol')), 'done', 's3 has heard of her since');
  t.equal(await ended(realm, g1.people.login('anna', "anna's")), 'not-authenticated');
  t.equal(await ended(realm, put(g1, 'anna/a', 'x', anna)), 'done');
  await realm.clock.advance(5000);
  const paths = (await realm.dump('s3')).map(({ path }) => path);
  t.ok(paths.includes('/anna/a'), 'and takes the token that another server gave');
});

t.test('another login key ends every login, and who is there is logged in again', async (t) => {
  const realm = await stageOf(10);
  const g1 = realm.gateway('g1');
  await realm.finish(put(g1, 'anna/before', 'x', anna));
  realm.kill('s3');
  await change(realm, { change: 'renew-login-key' });
  t.equal(await ended(realm, put(g1, 'bob/b', 'by bob', bob)), 'done', 'nobody sees an error');
  await realm.clock.advance(5000);
  t.same(
    waiting(g1).map(([author]) => author),
    ['bob'],
    'and no server takes it: the session had shown a token of the old key',
  );
  t.equal(await realm.finish(g1.people.renew('anna')), 'refused');
  for (const by of [anna, bob]) await realm.finish(g1.people.login(by.user, `${by.user}'s`));
  await realm.clock.advance(5000);
  t.same(waiting(g1), []);
  await realm.startServer('s3');
  await realm.clock.advance(10_000);
  for (const server of ['s1', 's2']) realm.kill(server);
  await realm.clock.advance(5000);
  t.equal(await ended(realm, put(g1, 'anna/a', 'x', anna)), 'done');
  await realm.clock.advance(minute);
  const paths = (await realm.dump('s3')).map(({ path }) => path);
  t.ok(paths.includes('/anna/a'), 's3, which was away, has the new key and takes what it signed');
});

t.test('a realm of gateways with users of their own is moved to users of the realm', async (t) => {
  const realm = await startedRealm({ seed: 11 });
  await realm.clock.advance(2000);
  const [g1, g2] = [realm.gateway('g1'), realm.gateway('g2')];
  await realm.finish(makeDirectory(g1, 'shared', anna));
  await realm.clock.advance(5000);
  await links(realm, 'g1', 'cut');
  await realm.finish(put(g1, 'shared/a', 'while away, before', anna));
  const { users } = await peopleOf('anna', 'bob');
  const taken = { users: users.map(({ name, verifier }) => ({ name, verifier })) };
  await order(realm, 's1', 'keepPeople', taken);
  await order(realm, 's1', 'keepPeople', taken);
  await realm.clock.advance(2000);
  t.equal(g2.people.isKept, true, 'a gateway that is there follows at once');
  t.equal(g1.people.isKept, false);
  t.equal(
    await ended(realm, put(g2, 'shared/b', 'under way', bob)),
    'done',
    'who is at something finishes it',
  );
  t.equal(await ended(realm, g2.people.login('bob', 'wrong')), 'not-authenticated');
  t.equal(await ended(realm, g2.people.login('bob', "bob's")), 'done', 'with the password that he has');
  await links(realm, 'g1', 'heal');
  t.equal(g1.people.isKept, true);
  t.same(
    waiting(g1).map(([author]) => author),
    ['anna'],
  );
  t.equal(await ended(realm, g1.people.login('anna', "anna's")), 'done');
  await realm.clock.advance(minute);
  t.same(waiting(g1), []);
  t.same(await tree(t, realm), ['/shared/a while away, before', '/shared/b under way']);
  const others = { users: [{ name: 'eve', verifier: 'v' }] };
  const refused: unknown = await order(realm, 's1', 'keepPeople', others).catch((error: unknown) => error);
  t.ok(isFailure(refused, 'exists'), 'others are added one by one');
});

t.test('cut short at any moment, and said again', async (t) => {
  const { users } = await peopleOf('anna', 'bob');
  const taken = { users: users.map(({ name, verifier }) => ({ name, verifier })) };
  for (let after = 0; after <= 24; after += 3) {
    const realm = await startedRealm({ seed: 12, flushMs: 5 });
    await realm.clock.advance(2000);
    const peer = { role: 'operator', name: 'op' } as const;
    const proof = signCredential(realmKey, 'simulated', peer, realm.clock.wall() + minute);
    const dialled = realm.network.host('op').dial('ws://s1:1', { credential: () => proof, onPush() {} });
    const link = await realm.finish(dialled);
    const asked = link.call('keepPeople', taken).catch(() => undefined);
    await realm.clock.advance(after);
    realm.kill('s1');
    await realm.clock.advance(5000);
    await asked;
    await realm.startServer('s1');
    await realm.clock.advance(5000);
    await order(realm, 's1', 'keepPeople', taken);
    await realm.clock.advance(2000);
    for (const [name, by] of [
      ['g1', anna],
      ['g2', bob],
    ] as const) {
      const venus = realm.gateway(name);
      t.equal(
        await ended(realm, venus.people.login(by.user, `${by.user}'s`)),
        'done',
        `${by.user}, ${after} ms`,
      );
      t.equal(await ended(realm, put(venus, by.user, 'x', by)), 'done');
    }
    await realm.clock.advance(5000);
    t.same(await tree(t, realm), ['/anna x', '/bob x']);
  }
});

t.test('the publisher is lost: another one goes on, also from what it had not heard of', async (t) => {
  const realm = await stageOf(6);
  const g1 = realm.gateway('g1');
  for (const other of ['s2', 's3', 'g1', 'g2']) realm.network.cut('s1', other);
  await realm.clock.advance(5000);
  await change(realm, { change: 'add-user', name: 'carol', verifier: await passwords.hash('carol') });
  realm.kill('s1');
  const takeOver = { intention: { change: 'take-over', name: 's2' }, basedOn: null, user: null };
  await order(realm, 's2', 'publish', takeOver);
  await change(realm, { change: 'add-user', name: 'dave', verifier: await passwords.hash('dave') }, 's2');
  t.equal(await ended(realm, g1.people.login('dave', 'dave')), 'done');
  for (const other of ['s2', 's3', 'g1', 'g2']) realm.network.heal('s1', other);
  await realm.startServer('s1');
  await realm.clock.advance(10_000);
  for (const server of ['s2', 's3']) realm.kill(server);
  await realm.clock.advance(5000);
  t.equal(await ended(realm, g1.people.login('dave', 'dave')), 'done', 's1 follows');
  t.equal(await ended(realm, g1.people.login('carol', 'carol')), 'not-authenticated');
  t.equal(await ended(realm, put(g1, 'anna/a', 'x', anna)), 'done', 'who was logged in stays so');
});

t.test('guessing through a gateway that lets everybody guess is slowed down by the servers', async (t) => {
  const realm = await stageOf(5);
  const g1 = realm.gateway('g1');
  const kinds: string[] = [];
  for (let guess = 0; guess < 25; guess += 1)
    kinds.push(await ended(realm, g1.people.login('anna', `${guess}`)));
  t.same([...new Set(kinds)], ['not-authenticated', 'busy']);
  const { verified } = realm.passwords;
  t.equal(await ended(realm, g1.people.login('anna', "anna's")), 'busy');
  t.equal(realm.passwords.verified, verified, 'and costs nothing');
  t.equal(await ended(realm, g1.people.login('nobody', 'x')), 'not-authenticated');
  t.equal(realm.passwords.verified, verified + 1, 'a name that is nobody costs as much');
  t.equal(await realm.finish(g1.people.renew('anna')), 'holds', 'who is in works on');
});
