/** Hoarding in a realm: what was walked is there when nobody answers; what is worth most is what is cached. */
import t, { type Test } from 'tap';
import { seededRandom } from '../../vice/seam/twin/seeded-random.js';
import type { CachedContents, Venus } from '../../venus/interface.js';
import { MemoryVenus } from '../../venus/twin/memory-venus.js';
import { entriesOf, hoard, hoardContract, missingOf } from '../suites/hoard.js';
import { scaled } from '../test-scale.js';
import { get, makeDirectory, put, remove, rename } from './share.js';
import { SimulatedRealm, type SimulatedRealmOptions } from './simulated-realm.js';

t.setTimeout(600_000);

hoardContract(t, 'memory', async () => {
  return { venus: new MemoryVenus(), run: (promise) => promise };
});

hoardContract(t, 'simulated realm', async () => {
  const { realm, g1 } = await started({ seed: 1 });
  return { venus: g1, run: (promise) => realm.finish(promise) };
});

interface Stage {
  readonly realm: SimulatedRealm;
  readonly g1: Venus;
  readonly g2: Venus;
}

async function started(options: SimulatedRealmOptions): Promise<Stage> {
  const realm = new SimulatedRealm(options);
  for (const name of realm.serverNames) await realm.startServer(name);
  const [g1, g2] = [await realm.startGateway('g1'), await realm.startGateway('g2')];
  await realm.clock.advance(2000);
  return { realm, g1, g2 };
}

async function loseServers(realm: SimulatedRealm): Promise<void> {
  for (const name of realm.serverNames) realm.kill(name);
  await realm.clock.advance(20_000);
}

t.test('what was hoarded and walked is readable when all servers are gone, the rest is not', async (t) => {
  const { realm, g1, g2 } = await started({ seed: 2 });
  await realm.finish(makeDirectory(g2, '/papers'));
  await realm.finish(makeDirectory(g2, '/papers/1992'));
  for (const path of ['/papers/a', '/papers/1992/b', '/other'])
    await realm.finish(put(g2, path, path.repeat(50)));
  await realm.finish(hoard(g1, '/papers', 100, 'd+'));
  const walked = await realm.finish(g1.hoard.walk());
  t.match(walked, { objects: 5, fetchedObjects: 2, missing: 0 });
  await realm.finish(put(g2, '/papers/1992/late', 'late'));
  await realm.finish(put(g2, '/papers/a', 'a second time'));
  await realm.finish(g1.hoard.walk());
  await loseServers(realm);
  t.equal(await realm.finish(get(g1, '/papers/a')), 'a second time');
  t.equal(await realm.finish(get(g1, '/papers/1992/b')), '/papers/1992/b'.repeat(50));
  t.equal(await realm.finish(get(g1, '/papers/1992/late')), 'late');
  await t.rejects(realm.finish(get(g1, '/other')), { kind: 'unreachable' } as unknown as Error);
});

t.test('a member that comes later is fetched by a walk of c+ and not of c', async (t) => {
  const { realm, g1, g2 } = await started({ seed: 3 });
  for (const folder of ['/now', '/always']) {
    await realm.finish(makeDirectory(g2, folder));
    await realm.finish(put(g2, `${folder}/first`, folder));
  }
  await realm.finish(hoard(g1, '/now', 100, 'c'));
  await realm.finish(hoard(g1, '/always', 100, 'c+'));
  for (const folder of ['/now', '/always']) await realm.finish(put(g2, `${folder}/second`, `${folder} two`));
  // By itself: soon after the entries were made, and then every ten minutes.
  await realm.clock.advance(11 * 60_000);
  await loseServers(realm);
  t.equal(await realm.finish(get(g1, '/now/first')), '/now');
  t.equal(await realm.finish(get(g1, '/always/second')), '/always two');
  await t.rejects(realm.finish(get(g1, '/now/second')), { kind: 'unreachable' } as unknown as Error);
});

t.test('off means that it walks only when it is told to; the hoard outlives the gateway', async (t) => {
  const { realm, g1, g2 } = await started({ seed: 4, cacheBytes: 2 ** 20 });
  await realm.finish(put(g2, '/file', 'x'.repeat(1000)));
  await realm.finish(g1.hoard.setPeriodic(false));
  await realm.finish(hoard(g1, '/file', 1000));
  await realm.clock.advance(30 * 60_000);
  t.match(await realm.finish(missingOf(g1)), [{ path: ['file'], reason: 'not-walked', length: 1000 }]);
  await realm.finish(g1.hoard.walk());
  t.same(await realm.finish(missingOf(g1)), []);
  realm.kill('g1');
  const again = await realm.startGateway('g1');
  await realm.clock.advance(1000);
  t.same(entriesOf(again), ['1000 /file']);
  t.equal(again.hoard.state().periodic, false);
  for (let index = 0; index < 30; index += 1)
    await realm.finish(put(again, `/large ${index}`, `${index}`.padEnd(100_000)));
  t.same(await realm.finish(missingOf(again)), [], 'the highest level stays, also before the first walk');
  await realm.finish(again.hoard.cache.setLimit(3 * 2 ** 20));
  realm.kill('g1');
  const third = await realm.startGateway('g1');
  t.equal((await realm.finish(third.hoard.cache.state())).limitBytes, 3 * 2 ** 20, 'so does the limit');
});

t.test(
  'something hoarded that has changed is fetched again soon, not at the next tenth minute',
  async (t) => {
    const { realm, g1, g2 } = await started({ seed: 5 });
    await realm.finish(put(g2, '/file', 'old'));
    await realm.finish(hoard(g1, '/file'));
    await realm.finish(g1.hoard.walk());
    await realm.finish(put(g2, '/file', 'new'));
    await realm.clock.advance(60_000);
    await loseServers(realm);
    t.equal(await realm.finish(get(g1, '/file')), 'new');
  },
);

t.test('links on the way are hoarded, what they lead to as well', async (t) => {
  const { realm, g1, g2 } = await started({ seed: 6 });
  await realm.finish(makeDirectory(g2, '/real'));
  await realm.finish(put(g2, '/real/file', 'linked'));
  const { object } = await realm.finish(g2.lookup({ user: 'ann' }, []));
  if (object === null) throw new Error('there is a root');
  await realm.finish(g2.makeSymlink({ user: 'ann' }, object.fid, 'link', 'real'));
  await realm.finish(hoard(g1, '/link/file'));
  t.match(await realm.finish(g1.hoard.walk()), { fetchedObjects: 1, missing: 0 });
  await loseServers(realm);
  t.equal(await realm.finish(get(g1, '/real/file')), 'linked');
});

t.test('nobody hoards what he may not read', async (t) => {
  const { realm, g1 } = await started({ seed: 7 });
  const { fid } = await realm.finish(makeDirectory(g1, '/secret'));
  await realm.finish(put(g1, '/secret/file', 'x'));
  await realm.finish(hoard(g1, '/secret', 10, 'd+', 'bob'));
  await realm.finish(g1.setAccess({ user: 'ann' }, fid, { positive: { ann: 127 }, negative: {} }));
  await realm.finish(g1.hoard.walk());
  t.match(await realm.finish(missingOf(g1, 'bob')), [{ path: ['secret'], reason: 'access-denied' }]);
  await t.rejects(realm.finish(hoard(g1, '/secret/file', 10, '', 'bob')), {
    kind: 'access-denied',
  } as unknown as Error);
});

t.test('a walk that loses its servers says so, and the next one goes on', async (t) => {
  const { realm, g1, g2 } = await started({ seed: 8 });
  await realm.finish(makeDirectory(g2, '/many'));
  for (let index = 0; index < 20; index += 1)
    await realm.finish(put(g2, `/many/${index}`, `${index}`.repeat(50_000)));
  await realm.finish(g1.hoard.setPeriodic(false));
  await realm.finish(hoard(g1, '/many', 10, 'c+'));
  const walking = g1.hoard.walk();
  walking.catch(() => undefined);
  t.equal(g1.hoard.walk(), walking, 'one at a time');
  while ((g1.hoard.state().walk?.doneBytes ?? 0) === 0) await realm.clock.advance(1);
  for (const server of realm.serverNames) realm.network.cut('g1', server);
  const { missing, fetchedObjects } = await realm.finish(walking);
  t.ok(missing > 0, `${missing} are missing`);
  t.equal(missing + fetchedObjects, 20);
  const told = await realm.finish(missingOf(g1));
  t.same([told.length, [...new Set(told.map(({ reason }) => reason))]], [missing, ['unreachable']]);
  for (const server of realm.serverNames) realm.network.heal('g1', server);
  await realm.clock.advance(10_000);
  const rest = await realm.finish(g1.hoard.walk());
  t.match(rest, { missing: 0, fetchedObjects: missing });
});

t.test('what loses its room to something worth more is looked at again in the same walk', async (t) => {
  const { realm, g1, g2 } = await started({ seed: 9, cacheBytes: 2 ** 20 });
  await realm.finish(g1.hoard.setPeriodic(false));
  const files: readonly (readonly [string, number, number])[] = [
    ['/small', 10, 5_000],
    ['/low', 20, 600_000],
    ['/high', 900, 600_000],
  ];
  for (const [path, , length] of files) await realm.finish(put(g2, path, path.padEnd(length)));
  for (const [path, priority] of files.slice(0, 2)) await realm.finish(hoard(g1, path, priority));
  t.match(await realm.finish(g1.hoard.walk()), { missing: 0 });
  await realm.finish(hoard(g1, '/high', 900));
  // The least goes first, so both go; afterwards one of them has room again, and the other is known to have none.
  t.match(await realm.finish(g1.hoard.walk()), { fetchedObjects: 2, missing: 1 });
  t.match(await realm.finish(missingOf(g1)), [{ path: ['low'], reason: 'no-room' }]);
});

/** What is wrong with the equilibrium: hoarded, missing, and what is worth less would have made room. */
async function imbalance(realm: SimulatedRealm, venus: Venus): Promise<readonly string[]> {
  const cached: CachedContents[] = [];
  const read = async (): Promise<void> => {
    for await (const batch of venus.hoard.cache.contents()) cached.push(...batch);
  };
  await realm.finish(read());
  const { limitBytes, bytes } = await realm.finish(venus.hoard.cache.state());
  const free = limitBytes - Math.floor(limitBytes / 64) - bytes;
  return (await realm.finish(missingOf(venus, null))).flatMap(({ path, priority, length, reason }) => {
    if (length === 0 && reason === 'not-found') return [];
    const lower = cached.filter((each) => each.stay === null && each.priority < 75 * priority);
    const room = free + lower.reduce((sum, each) => sum + each.length, 0);
    const said = `/${path.join('/')} of ${length} bytes at ${priority} (${reason}), ${room} bytes for it`;
    return room >= length || reason !== 'no-room' ? [said] : [];
  });
}

t.test('after any history a walk comes to an equilibrium', async (t) => {
  let full = 0;
  for (let seed = 0; seed < scaled(30, 6); seed += 1) full += await anyHistory(t, 100 + seed);
  t.ok(full > 0, `${full} times something had no room`);
});

/** @returns how often something hoarded had no room */
async function anyHistory(t: Test, seed: number): Promise<number> {
  const { realm, g1, g2 } = await started({ seed, cacheBytes: 2 ** 20 });
  const random = seededRandom(seed);
  const below = (limit: number): number => Math.floor(random.fraction() * limit);
  await realm.finish(g1.hoard.setPeriodic(false));
  for (const folder of ['/a', '/b', '/b/c']) await realm.finish(makeDirectory(g1, folder));
  let full = 0;
  for (let step = 0; step < 60; step += 1) {
    const path = `${['', '/a', '/b', '/b/c'][below(4)] ?? ''}/file ${below(12)}`;
    const what = below(10);
    const priority = [1, 10, 100, 300, 400, 500, 900, 1000][below(8)] ?? 10;
    if (what < 3)
      await realm.finish(put(below(2) === 0 ? g1 : g2, path, `${step}`.padEnd(below(200_000) + 10)));
    else if (what < 6) await realm.finish(get(g1, path)).catch(ignored);
    else if (what === 6) await realm.finish(remove(g2, path)).catch(ignored);
    else if (what === 7) await realm.finish(rename(g2, path, `/b/file ${below(12)}`)).catch(ignored);
    else if (below(2) === 0) await realm.finish(hoard(g1, path, priority));
    else await realm.finish(hoard(g1, ['/a', '/b'][below(2)] ?? '/', priority, below(2) === 0 ? 'c+' : 'd+'));
    if (step % 15 !== 14) continue;
    await realm.clock.advance(5_000);
    const { missing } = await realm.finish(g1.hoard.walk());
    await realm.clock.advance(5);
    full += missing;
    for (const fault of await imbalance(realm, g1)) t.fail(`seed ${seed}, step ${step}: ${fault}`);
  }
  return full;
}

function ignored(error: unknown): undefined {
  if (error instanceof Error) return undefined;
  throw error;
}
