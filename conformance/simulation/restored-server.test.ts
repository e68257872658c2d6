/** A server whose disk is put back as it was some time ago: others bring it forward, and nothing goes back with it. */
import t from 'tap';
import type { Venus } from '../../venus/interface.js';
import { get, list, makeDirectory, outcomeOf, put, remove, rename } from './share.js';
import { startedRealm } from './started-realm.js';

t.setTimeout(300_000);

/** A realm whose third server has the disk that it had before the last changes, and has just been started. */
async function putBack(seed: number, ageMs: number, isMissed: boolean) {
  const realm = await startedRealm({ seed });
  const [g1, g2] = [realm.gateway('g1'), realm.gateway('g2')];
  await realm.clock.advance(2000);
  await realm.finish(makeDirectory(g1, 'd'));
  for (const path of ['d/x', 'a', 'moved']) await realm.finish(put(g1, path, 'old'));
  await realm.clock.advance(5000);
  realm.kill('s3');
  const backup = realm.copyDisk('s3');
  await realm.startServer('s3');
  await realm.clock.advance(5000);

  await realm.finish(put(g1, 'a', 'new'));
  await realm.finish(put(g1, 'b', 'new'));
  await realm.finish(rename(g1, 'moved', 'there'));
  await realm.finish(remove(g1, 'd'));
  await realm.clock.advance(ageMs);
  realm.kill('s3');
  if (isMissed) await realm.finish(put(g2, 'c', 'made while it was away'));
  realm.replaceDisk('s3', backup);
  await realm.startServer('s3');
  return { realm, g1, g2 };
}

for (const ageMs of [0, 5000, 120_000]) {
  for (const isMissed of [true, false]) {
    const how = isMissed ? 'away meanwhile, too' : 'never away';
    t.test(`a server gets a disk that is ${ageMs / 1000} s old, ${how}`, async (t) => {
      const { realm, g1, g2 } = await putBack(3, ageMs, isMissed);
      const names = ['a', 'b', ...(isMissed ? ['c'] : []), 'there'];
      const seen = async (venus: Venus): Promise<unknown> => [
        await list(venus, ''),
        await get(venus, 'a'),
        await get(venus, 'there'),
      ];
      await realm.clock.advance(3000);
      for (const venus of [g1, g2]) t.same(await realm.finish(seen(venus)), [names, 'new', 'old']);

      t.equal(await realm.finish(outcomeOf(put(g2, 'a', 'newer'))), 'done', 'nothing is in doubt');
      await realm.clock.advance(200_000);
      for (const venus of [g1, g2]) t.same(await realm.finish(seen(venus)), [names, 'newer', 'old']);

      for (const name of ['s1', 's2']) realm.kill(name);
      const g3 = await realm.startGateway('g3');
      await realm.clock.advance(3000);
      t.same(await realm.finish(seen(g3)), [names, 'newer', 'old'], 'it has all that the others had');
    });
  }
}
