/**
 * Any row of a gateway's store cannot be read any more, one after the other, but for those of its log and what that
 * stores, which are nowhere else: it starts all the same, shows what is there, and takes changes. (Damaged pages the
 * real store refuses as a whole: vice/seam/store.test.ts.)
 */
import t from 'tap';
import { endOf } from '../../vice/seam/store.js';
import { get, list, makeDirectory, put } from './share.js';
import { startedRealm } from './started-realm.js';
import type { SimulatedRealm } from './simulated-realm.js';

t.setTimeout(5 * 60_000);

/** A gateway with a file in its cache and one in its log, killed. */
async function killed(): Promise<SimulatedRealm> {
  const realm = await startedRealm({ seed: 11 });
  const g1 = realm.gateway('g1');
  await realm.finish(makeDirectory(g1, 'd'));
  await realm.finish(put(g1, 'd/a', 'first'));
  await realm.finish(list(g1, 'd'));
  await realm.finish(g1.setVolumeMode(null, 'write-disconnected'));
  await realm.finish(put(g1, 'd/waiting', 'in the log'));
  await realm.clock.advance(1000);
  realm.kill('g1');
  return realm;
}

t.test('each row', async (t) => {
  const { store } = (await killed()).disk('g1');
  const keys = [...store.range({ start: '', end: endOf('') })].map(({ key }) => key);
  const forgettable = keys.filter((key) => !/^([lk]|contents)\//.test(key));
  t.same(
    [...new Set(forgettable.map((key) => key.split('/')[0]))],
    ['contents-length', 'e', 'identity', 'm', 'p', 'r', 'v'],
  );
  for (const key of forgettable) {
    const realm = await killed();
    realm.disk('g1').store.damage(key, 0.7);
    const venus = await realm.startGateway('g1');
    await realm.clock.advance(3000);
    t.equal(await realm.finish(get(venus, 'd/a')), 'first', key);
    await realm.finish(put(venus, 'd/a', 'second'));
    await realm.finish(put(venus, 'after', key));
    await realm.clock.advance(40_000);
    const g2 = realm.gateway('g2');
    t.equal(await realm.finish(get(g2, 'd/a')), 'second');
    t.equal(await realm.finish(get(g2, 'after')), key);
    // What was never sent is not shown where its own row is damaged, until it is.
    for (const each of [venus, g2]) t.equal(await realm.finish(get(each, 'd/waiting')), 'in the log', key);
    t.equal(venus.state().volumes[0]?.pendingRecords, 0);
  }
});
