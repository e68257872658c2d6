/** Snapshots come to those that lack them, stay while replicas move, and do not come back when they are deleted. */
import t from 'tap';
import { BareGateway } from '../../conformance/bare-realm/gateway.js';
import { BareRealm, digestOf, document, names, root, volume } from '../../conformance/bare-realm/realm.js';
import { volumeEntry, type Fid, type Intention } from '../interface/index.js';
import type { Replica } from '../volume/replica.js';

const noon = { name: 'noon', time: 5 };
const old = 'the old plan '.repeat(4500);

interface Story {
  readonly realm: BareRealm;
  readonly ann: BareGateway;
  readonly plan: Fid;
}

/** Three servers, a fourth without the volume; `at` take a snapshot, then the plan is written anew. */
async function begun(...at: readonly string[]): Promise<Story> {
  const realm = new BareRealm();
  realm.realm = {
    ...document,
    servers: [...document.servers, { name: 's4', address: 'ws://s4:1' }],
    groups: { 'System:Administrators': ['ada'] },
  };
  await realm.start(...names, 's4');
  const ann = new BareGateway(realm, 'a');
  const plan = await ann.file(root, 'plan', old);
  for (let index = 0; index < 250; index += 1) await ann.make('create', root, `file ${index}`);
  await realm.clock.advance(120_000);
  for (const server of at) await take(realm, server);
  await ann.store(plan, 'a new plan');
  return { realm, ann, plan };
}

async function take(realm: BareRealm, server: string, snapshot = noon): Promise<void> {
  const operator = await realm.dial(server, 'op', 'operator');
  await operator.call('takeSnapshot', { volume, snapshot });
}

function snapshots(realm: BareRealm, server: string): Replica['snapshots'] | undefined {
  return realm.server(server).replica(volume)?.snapshots;
}

function listed(realm: BareRealm, server: string): readonly string[] {
  return (snapshots(realm, server)?.list() ?? []).map(({ name }) => name);
}

/** How the plan is at a server in its snapshot, and whether it has that. */
async function planAt({ realm, plan }: Story, server: string): Promise<unknown> {
  const status = snapshots(realm, server)?.status(noon, plan);
  const entries = [...(snapshots(realm, server)?.entries(noon, root) ?? [])].filter(
    (each) => each !== undefined,
  );
  return {
    isOld: status?.data?.digest === digestOf(old),
    isHere: await realm.disk(server).containers.has(digestOf(old)),
    names: entries.length,
  };
}
const whole = { isOld: true, isHere: true, names: 251 };

async function say(realm: BareRealm, intention: Intention): Promise<void> {
  const operator = await realm.dial('s1', 'op', 'operator');
  await operator.call('publish', { intention, basedOn: null, user: null });
}

function members(realm: BareRealm): readonly string[] {
  const entry = volumeEntry(realm.server('s1').location.current, volume);
  return (entry?.replicas ?? []).map(
    ({ server, state }) => `${server}${state === undefined ? '' : ` ${state}`}`,
  );
}

t.test('a server that was away gets what the others took, also in pieces', async (t) => {
  const story = await begun('s1', 's2');
  const { realm } = story;
  t.same(listed(realm, 's3'), []);
  await take(realm, 's1', { name: 'dump 0123456789ab 1', time: 7 });
  // Its disk fails to keep what was not flushed, and it is killed at every moment of the copying.
  const marks = new Set<string>();
  for (let kill = 0; kill < 12; kill += 1) {
    realm.kill('s3');
    await realm.start('s3');
    const coming = (): string => snapshots(realm, 's3')?.copies.underWay()[0]?.copy.after ?? 'none';
    await realm.clock.advance(53_990 + 15 * kill);
    marks.add(coming());
  }
  t.ok(marks.size > 3, `${marks.size} moments`);
  await realm.clock.advance(70_000);
  t.same(listed(realm, 's3'), ['noon'], 'and not what is of a dump');
  t.same(await planAt(story, 's3'), whole);
  const metrics = (await realm.run(realm.asked.get('s3')?.page('/metrics') ?? Promise.resolve(''))) ?? '';
  t.match(metrics, /^vice_volume_snapshots\{volume="7f000001"\} 1$/m);
  t.match(metrics, /^vice_volume_snapshots_coming\{volume="7f000001"\} 0$/m);
  t.same(snapshots(realm, 's3')?.status(noon, root), snapshots(realm, 's1')?.status(noon, root));
});

t.test('what was taken just now is left to the command that takes it', async (t) => {
  const { realm } = await begun();
  const now = { name: 'now', time: realm.clock.wall() };
  await realm.clock.advance(30_000);
  await take(realm, 's1', now);
  await realm.clock.advance(28_000);
  t.same(listed(realm, 's2'), []);
  await realm.clock.advance(120_000);
  t.same(listed(realm, 's2'), ['now']);
});

t.test('a deletion reaches the server that was away, and is forgotten when all have heard', async (t) => {
  const { realm } = await begun(...names);
  realm.kill('s3');
  for (const server of ['s1', 's2']) {
    const operator = await realm.dial(server, 'op', 'operator');
    t.same(await operator.call('dropSnapshot', { volume, name: 'noon' }), { dropped: true });
  }
  await realm.clock.advance(130_000);
  t.same(snapshots(realm, 's1')?.copies.dropped(), [noon], 'one has not heard');
  await realm.start('s3');
  t.same(listed(realm, 's3'), ['noon']);
  await realm.clock.advance(130_000);
  for (const server of names) {
    t.same(listed(realm, server), [], server);
    t.same(snapshots(realm, server)?.copies.dropped(), [], server);
  }
});

t.test('one that is deleted while it comes is gone; so is one whose last holder is gone', async (t) => {
  const { realm } = await begun('s1');
  const { copies } = realm.server('s2').replica(volume)?.snapshots ?? {};
  const { copies: third } = realm.server('s3').replica(volume)?.snapshots ?? {};
  await realm.run(copies?.begin(noon, 'r-s1') ?? Promise.resolve(undefined));
  await realm.run(third?.begin({ name: 'lost', time: 1 }, 'r-s9') ?? Promise.resolve(undefined));
  const operator = await realm.dial('s1', 'op', 'operator');
  await operator.call('dropSnapshot', { volume, name: 'noon' });
  await realm.clock.advance(130_000);
  t.same([copies?.underWay(), third?.underWay()], [[], []]);
  t.same(listed(realm, 's2'), []);
});

t.test('one that was being put right when the server died is not lost', async (t) => {
  const { realm } = await begun('s1', 's2');
  await take(realm, 's3', { name: 'only here', time: 9 });
  const renew = async (server: string, snapshot = noon): Promise<void> => {
    const copies = snapshots(realm, server)?.copies;
    await realm.run(copies?.renew(snapshot, 'r-s1') ?? Promise.resolve(undefined));
    t.notOk(listed(realm, server).includes(snapshot.name));
  };
  await renew('s2');
  realm.kill('s2');
  await realm.start('s2');
  // Before any other server has a copy of it.
  await renew('s3', { name: 'only here', time: 9 });
  await realm.clock.advance(130_000);
  t.ok(listed(realm, 's2').includes('noon'), 'it went on');
  t.ok(listed(realm, 's3').includes('only here'), 'nobody else has it: it is what it was');
});

t.test('all replicas move, one after the other, and the snapshots with them', async (t) => {
  const story = await begun(...names);
  const { realm } = story;
  await say(realm, { change: 'add-replica', volume, server: 's4', replaces: 's3' });
  await realm.clock.advance(30_000);
  t.same(members(realm), ['s1', 's2', 's4']);
  await realm.clock.advance(130_000);
  t.same(listed(realm, 's4'), ['noon']);
  t.same(await planAt(story, 's4'), whole);
});

t.test('the last one that has a snapshot does not go before others have it', async (t) => {
  const story = await begun('s3');
  const { realm } = story;
  // What s3 has of the plan nobody can fetch.
  const asked = realm.asked.get('s3');
  if (asked === undefined) throw new Error('s3 is down');
  realm.network.cut('s1', 's3');
  realm.network.cut('s2', 's3');
  await say(realm, { change: 'remove-replica', volume, server: 's3', lost: false });
  await realm.clock.advance(20_000);
  t.same(members(realm), ['s1', 's2', 's3 leaving']);
  realm.network.heal('s1', 's3');
  realm.network.heal('s2', 's3');
  await realm.clock.advance(30_000);
  t.same(members(realm), ['s1', 's2']);
  for (const server of ['s1', 's2']) t.same(await planAt(story, server), whole, server);
});

t.test('where another snapshot bears the name, the one that leaves waits for a person', async (t) => {
  const { realm } = await begun('s3');
  for (const server of ['s1', 's2']) await take(realm, server, { name: 'noon', time: 6 });
  await say(realm, { change: 'remove-replica', volume, server: 's3', lost: false });
  await realm.clock.advance(20_000);
  t.same(members(realm), ['s1', 's2', 's3 leaving']);
  const operator = await realm.dial('s1', 'op', 'operator');
  const report = JSON.stringify(await operator.call('report', {}));
  t.match(report, /s1 lacks 1 snapshots? of the replica r-s3/);
  const third = await realm.dial('s3', 'op', 'operator');
  await third.call('dropSnapshot', { volume, name: 'noon' });
  await realm.clock.advance(20_000);
  t.same(members(realm), ['s1', 's2']);
});
