/** Snapshots in a realm that loses servers: who has them, who may read them, what is there when nobody answers. */
import t from 'tap';
import type { Caller, Fid, Venus } from '../../venus/interface.js';
import { parseRights } from '../../venus/interface.js';
import type { VolumeId } from '../../vice/interface/index.js';
import { caller as ann, contentsOf, makeDirectory, outcomeOf, pathOf, put, remove } from './share.js';
import { rootVolume, type SimulatedRealm } from './simulated-realm.js';
import { startedRealm } from './started-realm.js';
import { drawings, drawingServers, VolumesStory } from './volumes-story.js';

t.setTimeout(5 * 60_000);

const bob: Caller = { user: 'bob' };

async function take(
  realm: SimulatedRealm,
  name: string,
  servers: readonly string[],
  volume: VolumeId = rootVolume,
): Promise<void> {
  const time = Math.round(realm.clock.wall());
  for (const server of servers) {
    const replica = realm.server(server).replica(volume);
    if (replica === undefined) throw new Error(`${server} has no replica`);
    await realm.finish(replica.snapshots.take({ name, time }));
  }
  await realm.clock.advance(2000);
}

async function read(venus: Venus, snapshot: string, path: string, by = ann): Promise<string> {
  return contentsOf(await venus.snapshots.open(by, snapshot, pathOf(path)));
}

async function names(venus: Venus, snapshot: string, path: string, by = ann): Promise<readonly string[]> {
  return (await venus.snapshots.entries(by, snapshot, pathOf(path))).map(({ name }) => name);
}

t.test('what was read once is there when no server is, the rest is honestly out of reach', async (t) => {
  const realm = await startedRealm({ seed: 1 });
  await realm.clock.advance(2000);
  const [g1, g2] = [realm.gateway('g1'), realm.gateway('g2')];
  await realm.finish(makeDirectory(g1, 'docs'));
  await realm.finish(put(g1, 'docs/read', 'old and read'));
  await realm.finish(put(g2, 'docs/other', 'old and not read'));
  await take(realm, 'noon', realm.serverNames);
  await realm.finish(put(g1, 'docs/read', 'new'));
  await realm.finish(put(g2, 'docs/other', 'new'));
  t.equal(await realm.finish(read(g1, 'noon', 'docs/read')), 'old and read');
  for (const server of realm.serverNames) realm.network.cut('g1', server);
  await realm.clock.advance(30_000);
  t.match(await realm.finish(g1.snapshots.list()), [{ name: 'noon' }]);
  t.equal(await realm.finish(read(g1, 'noon', 'docs/read')), 'old and read');
  t.same(await realm.finish(names(g1, 'noon', 'docs')), ['other', 'read']);
  t.equal(await realm.finish(outcomeOf(read(g1, 'noon', 'docs/other'))), 'unreachable');
  t.equal(await realm.finish(read(g2, 'noon', 'docs/other')), 'old and not read');
});

t.test('any server that has it will do, and the contents come from any', async (t) => {
  const realm = await startedRealm({ seed: 2 }, ['g1']);
  await realm.clock.advance(2000);
  const g1 = realm.gateway('g1');
  await realm.finish(put(g1, 'plan', 'the old plan'));
  await take(realm, 'noon', ['s2']);
  await realm.finish(put(g1, 'plan', 'a plan'));
  t.equal(await realm.finish(read(g1, 'noon', 'plan')), 'the old plan', 's1 and s3 are passed over');
  realm.kill('s2');
  const g2 = await realm.startGateway('g2');
  await realm.clock.advance(30_000);
  t.same(await realm.finish(g2.snapshots.list()), []);
  t.equal(await realm.finish(g2.snapshots.status(ann, 'noon', [])), null, 'nobody who answers has it');
  t.equal(await realm.finish(read(g1, 'noon', 'plan')), 'the old plan', 'but who has read it before');
  await realm.startServer('s2');
  await realm.clock.advance(30_000);
  t.equal(await realm.finish(read(g2, 'noon', 'plan')), 'the old plan');
  await realm.finish(
    realm.server('s2').replica(rootVolume)?.snapshots.drop('noon') ?? Promise.resolve(false),
  );
  await realm.clock.advance(2000);
  t.equal(
    await realm.finish(g2.snapshots.status(ann, 'noon', ['plan'])),
    null,
    'deleted, it is gone everywhere',
  );
});

t.test('the access lists in a snapshot say who reads it', async (t) => {
  const realm = await startedRealm({ seed: 3 }, ['g1']);
  await realm.clock.advance(2000);
  const g1 = realm.gateway('g1');
  const folder = async (name: string): Promise<Fid> => {
    const { fid } = await realm.finish(makeDirectory(g1, name));
    await realm.finish(put(g1, `${name}/letter`, `a letter in ${name}`));
    return fid;
  };
  const letBob = (fid: Fid, rights: string): Promise<void> => {
    const positive = { ann: parseRights('all') ?? 0, bob: parseRights(rights) ?? 0 };
    return realm.finish(g1.setAccess(ann, fid, { positive, negative: {} }));
  };
  const [closed, listedOnly] = [await folder('closed'), await folder('listed')];
  await letBob(closed, 'none');
  await letBob(listedOnly, 'l');
  await take(realm, 'noon', realm.serverNames);
  await letBob(closed, 'read');
  await letBob(listedOnly, 'read');
  const by = (who: Caller, path: string): Promise<string> =>
    realm.finish(outcomeOf(read(g1, 'noon', path, who)));
  t.equal(await by(ann, 'closed/letter'), 'done');
  t.equal(await by(bob, 'closed/letter'), 'access-denied', 'though he may today');
  t.equal(await by(bob, 'listed/letter'), 'access-denied');
  t.same(await realm.finish(names(g1, 'noon', 'listed', bob)), ['letter']);
  t.equal(await realm.finish(outcomeOf(names(g1, 'noon', 'closed', bob))), 'access-denied');
  await take(realm, 'evening', realm.serverNames);
  await letBob(closed, 'none');
  t.equal(
    await realm.finish(read(g1, 'evening', 'closed/letter', bob)),
    'a letter in closed',
    'as he might then',
  );
});

t.test('a snapshot leads on into volumes that have one of the same name', async (t) => {
  const story = await VolumesStory.begin({ seed: 4 });
  await story.realm.clock.advance(2000);
  const { realm } = story;
  const g1 = story.venus();
  await realm.finish(put(g1, '/drawings/house', 'a house'));
  await take(realm, 'noon', ['s1', 's2']);
  t.same(await realm.finish(names(g1, 'noon', '/drawings')), [], 'the covered folder, while it has none');
  await take(realm, 'noon', drawingServers, drawings);
  await take(realm, 'late', drawingServers, drawings);
  await realm.finish(remove(g1, '/drawings/house'));
  t.equal(await realm.finish(read(g1, 'noon', '/drawings/house')), 'a house');
  t.same(await realm.finish(names(g1, 'late', '/')), ['drawings'], 'where the root has none: by volume');
  t.equal(await realm.finish(read(g1, 'late', '/drawings/house')), 'a house');
  t.equal(await realm.finish(g1.snapshots.status(ann, 'late', ['other'])), null);
  t.match(
    (await realm.finish(g1.snapshots.list())).map(({ name }) => name),
    ['noon', 'late'],
  );
  await story.cut(drawingServers);
  t.same(await realm.finish(names(g1, 'noon', '/')), ['drawings'], 'the root is told of all the same');
});
