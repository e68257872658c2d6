/**
 * A gateway that was away for so long that its servers have forgotten what was removed meanwhile: what its users saved
 * is there again, as it is where a removal is remembered, and nothing waits for ever.
 */
import t from 'tap';
import type { Venus, VolumeState } from '../../venus/interface.js';
import { silentLog } from '../../vice/seam/log.js';
import { openReplica } from '../../vice/volume/open-replica.js';
import { get, list, makeDirectory, put, remove, rename, setProperty } from './share.js';
import { rootVolume, SimulatedRealm } from './simulated-realm.js';

t.setTimeout(5 * 60_000);

/** g1 has no servers any more; g2 has. */
async function away(seed: number, before: (g1: Venus, realm: SimulatedRealm) => Promise<void>) {
  const realm = new SimulatedRealm({ seed });
  for (const name of realm.serverNames) await realm.startServer(name);
  const [g1, g2] = [await realm.startGateway('g1'), await realm.startGateway('g2')];
  await before(g1, realm);
  await realm.clock.advance(5000);
  for (const name of realm.serverNames) realm.network.cut('g1', name);
  await realm.clock.advance(5000);
  return { realm, g1, g2 };
}

/** What servers do a day after all of them have heard of a removal (vice/resolution/graves.ts). */
async function forgetRemovals(realm: SimulatedRealm): Promise<void> {
  await realm.clock.advance(60_000);
  for (const name of realm.serverNames) {
    realm.kill(name);
    const disk = realm.disk(name);
    const { clock, random } = realm;
    const options = { ...disk, clock, random, volume: rootVolume, id: name, group: [...realm.serverNames] };
    const replica = await realm.finish(openReplica({ ...options, log: silentLog }));
    await realm.finish(replica.forgetRemoved(replica.stamp));
    await realm.startServer(name);
  }
  await realm.clock.advance(20_000);
}

async function back(realm: SimulatedRealm, venus: Venus): Promise<VolumeState> {
  for (const name of realm.serverNames) realm.network.heal('g1', name);
  await realm.clock.advance(150_000);
  const [volume] = venus.state().volumes;
  if (volume === undefined) throw new Error('no volume');
  return volume;
}

t.test('what was saved in a file that all have forgotten is a file again', async (t) => {
  const { realm, g1, g2 } = await away(1, async (g1, realm) => {
    await realm.finish(makeDirectory(g1, 'd'));
    for (const name of ['saved', 'marked', 'moved', 'removed'])
      await realm.finish(put(g1, `d/${name}`, 'before'));
    await realm.finish(setProperty(g1, 'd/saved', '{x}color', '<c xmlns="x">red</c>'));
  });
  await realm.finish(put(g1, 'd/saved', 'after'));
  await realm.finish(put(g1, 'd/saved', 'after all'));
  await realm.finish(setProperty(g1, 'd/marked', '{x}color', '<c xmlns="x">blue</c>'));
  await realm.finish(rename(g1, 'd/moved', 'd/there'));
  await realm.finish(remove(g1, 'd/removed'));
  await realm.finish(put(g1, 'd/other', 'undisturbed'));
  for (const name of ['saved', 'marked', 'moved', 'removed']) await realm.finish(remove(g2, `d/${name}`));
  await forgetRemovals(realm);
  const volume = await back(realm, g1);
  t.match(volume, { pendingRecords: 0, keptRecords: 0, state: 'hoarding' });
  for (const venus of [g1, g2]) {
    t.same(await realm.finish(list(venus, 'd')), ['other', 'saved', 'there'], 'marked stays removed');
    t.equal(await realm.finish(get(venus, 'd/saved')), 'after all');
    t.equal(await realm.finish(get(venus, 'd/there')), 'before');
    t.equal(await realm.finish(get(venus, 'd/other')), 'undisturbed');
    const { object } = await realm.finish(venus.lookup({ user: 'ann' }, ['d', 'saved']));
    t.match(object?.properties, { '{x}color': '<c xmlns="x">red</c>' });
    t.same(venus.conflicts.count(), {}, 'nothing is to be decided');
  }
});

t.test('of directories that are gone, those come back in which something was put', async (t) => {
  const { realm, g1, g2 } = await away(2, async (g1, realm) => {
    for (const path of ['a', 'a/b', 'a/b/c', 'a/idle', 'a/from']) await realm.finish(makeDirectory(g1, path));
    for (const path of ['a/b/file', 'a/from/file']) await realm.finish(put(g1, path, 'before'));
    await realm.finish(list(g1, 'a/b/c'));
  });
  await realm.finish(makeDirectory(g1, 'a/b/c/new'));
  await realm.finish(put(g1, 'a/b/c/new/deep', 'deep'));
  await realm.finish(put(g1, 'a/b/file', 'after'));
  await realm.finish(rename(g1, 'a/from/file', 'kept'));
  await realm.finish(rename(g2, 'a/from/file', 'elsewhere'));
  await realm.finish(remove(g2, 'a'));
  await forgetRemovals(realm);
  const volume = await back(realm, g1);
  t.match(volume, { pendingRecords: 0, keptRecords: 0, state: 'hoarding' });
  for (const venus of [g1, g2]) {
    const names = await realm.finish(list(venus, '/'));
    t.same(
      names.filter((name) => name !== 'elsewhere' && name !== 'kept'),
      ['c', 'file'],
    );
    t.equal(await realm.finish(get(venus, 'c/new/deep')), 'deep', 'as near as what is left');
    t.equal(await realm.finish(get(venus, 'file')), 'after');
  }
});

t.test('what cannot be made anew is kept, and holds up nothing', async (t) => {
  const { realm, g1, g2 } = await away(3, async (g1, realm) => {
    await realm.finish(makeDirectory(g1, 'd'));
    await realm.finish(put(realm.gateway('g2'), 'd/unread', 'its contents are not at g1'));
    await realm.finish(list(g1, 'd'));
  });
  await realm.finish(rename(g1, 'd/unread', 'd/renamed'));
  await realm.finish(put(g1, 'd/other', 'undisturbed'));
  await realm.finish(remove(g2, 'd/unread'));
  await forgetRemovals(realm);
  const volume = await back(realm, g1);
  t.match(volume, { pendingRecords: 0, keptRecords: 1, state: 'hoarding' });
  t.same(await realm.finish(list(g1, 'd')), ['other']);
  t.same(await realm.finish(list(g2, 'd')), ['other']);
});
