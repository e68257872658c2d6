/** A server that missed a move of a folder, and hears first of a later one that is possible only after it. */
import t from 'tap';
import { list, makeDirectory, rename } from './share.js';
import { SimulatedRealm } from './simulated-realm.js';

t.test('a folder moved below what lay in it before is where it was put, and no conflict', async (t) => {
  const realm = new SimulatedRealm({ seed: 5 });
  for (const name of realm.serverNames) await realm.startServer(name);
  const [g1, g2] = [await realm.startGateway('g1'), await realm.startGateway('g2')];
  const folders = ['top', 'top/middle', 'top/middle/project', 'top/middle/project/inside', 'other'];
  for (const path of folders) await realm.finish(makeDirectory(g1, path));
  await realm.clock.advance(60_000);

  // s3 is by itself; the others hear of the first move, and so does g1.
  for (const name of ['s1', 's2', 'g1', 'g2']) realm.network.cut(name, 's3');
  await realm.clock.advance(5000);
  await realm.finish(rename(g2, 'top/middle/project', 'other/project'));
  await realm.clock.advance(5000);
  t.same(await realm.finish(list(g1, 'other/project')), ['inside']);
  t.same(await realm.finish(list(g1, 'top/middle')), []);
  t.same(await realm.finish(list(g1, 'other/project/inside')), []);

  for (const name of ['s1', 's2']) realm.network.cut('g1', name);
  await realm.clock.advance(5000);
  realm.network.heal('g1', 's3');
  await realm.clock.advance(5000);
  await realm.finish(rename(g1, 'top', 'other/project/inside/top'));
  await realm.clock.advance(20_000);
  t.equal(g1.state().volumes[0]?.pendingRecords, 1, 's3 is no judge of it');

  for (const name of ['s1', 's2', 'g2']) realm.network.heal(name, 's3');
  for (const name of ['s1', 's2']) realm.network.heal('g1', name);
  await realm.clock.advance(150_000);
  for (const venus of [g1, g2]) {
    t.same(await realm.finish(list(venus, '/')), ['other']);
    t.same(await realm.finish(list(venus, 'other/project/inside/top')), ['middle']);
    t.same(venus.conflicts.count(), {});
    t.match(venus.state().volumes[0], { pendingRecords: 0, keptRecords: 0 });
  }
  const [one, two, three] = await Promise.all(realm.serverNames.map((name) => realm.dump(name)));
  const places = (dump: typeof one): unknown => dump?.map(({ path, status }) => [path, status.places]);
  t.same([places(two), places(three)], [places(one), places(one)]);
});
