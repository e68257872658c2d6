/**
 * Any row of a gateway's store cannot be read any more, one after the other, but for what its log stores, which is
 * nowhere else: it starts all the same, shows what is there, sends what waits, and takes changes. (Damaged pages the
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
  const others = keys.filter((key) => !key.startsWith('contents/'));
  t.same(
    [...new Set(others.map((key) => key.split('/')[0]))],
    ['contents-length', 'copy', 'e', 'identity', 'l', 'm', 'p', 'r', 'v'],
  );
  for (const key of others) {
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

t.test(
  'contents that wait in the log and cannot be read: their change is kept, and the others go on',
  async (t) => {
    const realm = await killed();
    const { store } = realm.disk('g1');
    const contents = [...store.range({ start: 'contents/', end: endOf('contents/') })].map(({ key }) => key);
    for (const key of contents) store.damage(key, 0.7);
    const venus = await realm.startGateway('g1');
    await realm.finish(put(venus, 'after', 'goes on'));
    realm.network.cut('g1', 's3');
    await realm.clock.advance(120_000);
    t.match(venus.log.changes(), [{ author: 'ann', state: 'sent' }], 'the third server may have them');
    realm.network.heal('g1', 's3');
    await realm.clock.advance(120_000);
    t.match(venus.log.changes(), [
      { author: 'ann', state: 'kept', reason: /cannot be read on this gateway's disk/ },
    ]);
    for (const each of [venus, realm.gateway('g2')]) {
      t.equal(await realm.finish(get(each, 'd/a')), 'first', 'from a server');
      t.equal(await realm.finish(get(each, 'after')), 'goes on');
      t.same(await realm.finish(list(each, 'd')), ['a']);
    }
  },
);
