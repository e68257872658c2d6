/** What this gateway's log removes, and servers still have. */
import t from 'tap';
import { caller, get, list, makeDirectory, outcomeOf, put, rename } from './share.js';
import { startedRealm } from './started-realm.js';

t.test('what was removed here does not come back for who asks for it before servers know', async (t) => {
  const realm = await startedRealm({ seed: 1 });
  const [g1, g2] = [realm.gateway('g1'), realm.gateway('g2')];
  await realm.clock.advance(2000);
  await realm.finish(makeDirectory(g1, 'd'));
  const { fid } = await realm.finish(put(g1, 'file', 'old'));
  for (const path of ['', 'd']) await realm.finish(list(g2, path));

  await realm.finish(g2.setVolumeMode(null, 'write-disconnected'));
  await realm.finish(put(g2, 'd/new', 'new'));
  await realm.finish(rename(g2, 'd/new', 'file'));
  const { objects } = g2.state().cache;
  t.equal(await realm.finish(outcomeOf(g2.status(caller, fid))), 'not-found');
  t.equal(g2.state().cache.objects, objects, 'nor is it kept for good');

  await realm.clock.advance(120_000);
  for (const venus of [g1, g2]) t.equal(await realm.finish(get(venus, 'file')), 'new');
  t.equal(g2.state().cache.objects, objects);
});

t.test('what others have changed meanwhile stays, and can be asked for', async (t) => {
  const realm = await startedRealm({ seed: 2 });
  const [g1, g2] = [realm.gateway('g1'), realm.gateway('g2')];
  await realm.clock.advance(2000);
  await realm.finish(put(g1, 'other', 'other'));
  const { fid } = await realm.finish(put(g1, 'file', 'old'));
  await realm.finish(list(g2, ''));

  await realm.finish(g2.setVolumeMode(null, 'write-disconnected'));
  await realm.finish(rename(g2, 'other', 'file'));
  await realm.finish(put(g1, 'file', 'saved meanwhile'));
  t.equal(await realm.finish(outcomeOf(g2.status(caller, fid))), 'done');

  await realm.clock.advance(120_000);
  const seen = async (venus: typeof g1) => {
    const names = await list(venus, '');
    return { names, contents: await Promise.all(names.map(async (name) => get(venus, name))) };
  };
  const atG1 = await realm.finish(seen(g1));
  t.same(atG1.contents.sort(), ['other', 'saved meanwhile']);
  t.same((await realm.finish(seen(g2))).names, atG1.names);
});
