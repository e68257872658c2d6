/** A server whose disk is put back as it was some time ago: others bring it forward, and nothing goes back with it. */
import t from 'tap';
import type { Venus } from '../../venus/interface.js';
import { volumeOf, type Fid } from '../../vice/interface/index.js';
import { get, list, makeDirectory, outcomeOf, put, remove, rename } from './share.js';
import { rootVolume, type SimulatedRealm } from './simulated-realm.js';
import { startedRealm } from './started-realm.js';

t.setTimeout(300_000);

interface Story {
  readonly ageMs: number;
  /** Something was changed while it was away. */
  readonly isMissed: boolean;
  readonly graceMs?: number;
  /** Servers that it does not meet when it starts. */
  readonly away?: readonly string[];
}

/** A realm whose third server has the disk that it had before the last changes, and has just been started. */
async function putBack({ ageMs, isMissed, graceMs, away = [] }: Story) {
  const realm = await startedRealm({ seed: 3, ...(graceMs !== undefined && { graceMs }) });
  const [g1, g2] = [realm.gateway('g1'), realm.gateway('g2')];
  await realm.clock.advance(2000);
  const { fid } = await realm.finish(makeDirectory(g1, 'd'));
  for (const path of ['d/w', 'd/x', 'a', 'moved']) await realm.finish(put(g1, path, 'old'));
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
  for (const other of away) realm.network.cut('s3', other);
  await realm.startServer('s3');
  return { realm, g1, g2, fid };
}

/** Whether `server` remembers the object, living or removed. */
function hasRecord(realm: SimulatedRealm, server: string, fid: Fid): boolean {
  return realm.server(server).replica(volumeOf(fid))?.held(fid) !== undefined;
}

for (const ageMs of [0, 5000, 120_000]) {
  for (const isMissed of [true, false]) {
    const how = isMissed ? 'away meanwhile, too' : 'never away';
    t.test(`a server gets a disk that is ${ageMs / 1000} s old, ${how}`, async (t) => {
      const { realm, g1, g2 } = await putBack({ ageMs, isMissed });
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

/** The day is ten minutes. */
const graceMs = 600_000;

for (const isMissed of [true, false]) {
  const how = isMissed ? 'away meanwhile, too' : 'never away';
  t.test(`a server gets a disk with what all others have forgotten, ${how}`, async (t) => {
    const { realm, g1, g2, fid } = await putBack({ ageMs: 3 * graceMs, isMissed, graceMs });
    for (const name of ['s1', 's2']) t.notOk(hasRecord(realm, name, fid), 'forgotten');
    const names = ['a', 'b', ...(isMissed ? ['c'] : []), 'there'];
    await realm.clock.advance(200_000);
    for (const venus of [g1, g2]) t.same(await realm.finish(list(venus, '')), names);
    for (const name of realm.serverNames) t.notOk(realm.server(name).replica(volumeOf(fid))?.status(fid));
    await realm.clock.advance(3 * graceMs);
    for (const name of realm.serverNames)
      t.notOk(hasRecord(realm, name, fid), `and ${name} forgets it again`);
  });
}

t.test(
  'a folder that is removed while the disk has in it what all others have forgotten does not come back',
  async (t) => {
    const realm = await startedRealm({ seed: 3, graceMs });
    const g1 = realm.gateway('g1');
    await realm.clock.advance(2000);
    const { fid } = await realm.finish(makeDirectory(g1, 'd'));
    await realm.finish(put(g1, 'd/x', 'old'));
    await realm.clock.advance(5000);
    realm.kill('s3');
    const backup = realm.copyDisk('s3');
    await realm.startServer('s3');
    await realm.finish(remove(g1, 'd/x'));
    await realm.clock.advance(3 * graceMs);
    realm.kill('s3');
    realm.replaceDisk('s3', backup);
    await realm.finish(remove(g1, 'd'));
    await realm.startServer('s3');
    await realm.clock.advance(200_000);
    t.same(await realm.finish(list(g1, '')), []);
    for (const name of realm.serverNames)
      t.notOk(realm.server(name).replica(volumeOf(fid))?.status(fid), name);
  },
);

t.test('however many there are, they go at once', async (t) => {
  const realm = await startedRealm({ seed: 3, graceMs });
  const g1 = realm.gateway('g1');
  await realm.clock.advance(2000);
  await realm.finish(makeDirectory(g1, 'd'));
  const paths = Array.from({ length: 400 }, (_, index) => `d/${index}`);
  for (const path of paths) await realm.finish(put(g1, path, 'old'));
  await realm.clock.advance(5000);
  realm.kill('s3');
  const backup = realm.copyDisk('s3');
  await realm.startServer('s3');
  await realm.clock.advance(5000);
  for (const path of paths) await realm.finish(remove(g1, path));
  await realm.clock.advance(3 * graceMs);
  realm.kill('s3');
  realm.replaceDisk('s3', backup);
  await realm.startServer('s3');
  const left = (): number => realm.server('s3').replica(rootVolume)?.objects ?? 0;
  t.equal(left(), 401);
  await realm.clock.advance(30_000);
  t.equal(left(), 1);
});

t.test('what a person saves on such a disk, before it meets the others, lives on', async (t) => {
  const { realm, g1, g2 } = await putBack({
    ageMs: 3 * graceMs,
    isMissed: true,
    graceMs,
    away: ['s1', 's2'],
  });
  for (const server of ['s1', 's2']) realm.network.cut('g3', server);
  const g3 = await realm.startGateway('g3');
  await realm.clock.advance(3000);
  t.same(await realm.finish(list(g3, 'd')), ['w', 'x'], 'nobody is there who could tell');
  await realm.finish(put(g3, 'd/x', 'saved there'));
  await realm.finish(put(g3, 'd/y', 'made there'));
  await realm.clock.advance(60_000);
  for (const server of ['s1', 's2']) for (const host of ['g3', 's3']) realm.network.heal(host, server);
  await realm.clock.advance(400_000);
  for (const venus of [g1, g2, g3]) {
    t.same(await realm.finish(list(venus, 'd')), ['x', 'y']);
    t.equal(await realm.finish(get(venus, 'd/x')), 'saved there');
  }
});
