/**
 * The latest version that can be reached is what is shown (Coda: seed document 004), also by a gateway that has looked
 * at a server that lags, alone, before another one came back that has heard of nothing new since.
 */
import t, { type Test } from 'tap';
import type { Venus } from '../../venus/interface.js';
import { get, list, makeDirectory, put, remove } from './share.js';
import { SimulatedRealm } from './simulated-realm.js';

/** Longer than hosts need to notice that they do not hear each other, or hear each other again. */
const noticedMs = 8000;

interface Split {
  readonly realm: SimulatedRealm;
  readonly g1: Venus;
  /** Of g1: which servers it reaches. */
  readonly reach: (...servers: readonly string[]) => Promise<void>;
}

/** s3 lags: it has missed what g2 has done at the other two. `looks`: what g1 does before that. */
async function split(t: Test, looks: (g1: Venus) => Promise<unknown>): Promise<Split> {
  const realm = new SimulatedRealm({ seed: 7 });
  for (const name of realm.serverNames) await realm.startServer(name);
  const [g1, g2] = [await realm.startGateway('g1'), await realm.startGateway('g2')];
  await realm.finish(makeDirectory(g2, 'd'));
  await realm.finish(makeDirectory(g2, 'e'));
  for (const path of ['d/changed', 'd/gone', 'd/same', 'e/changed'])
    await realm.finish(put(g2, path, 'older'));
  await realm.clock.advance(noticedMs);
  await realm.finish(looks(g1));
  for (const name of ['s1', 's2', 'g1', 'g2']) realm.network.cut(name, 's3');
  await realm.clock.advance(noticedMs);
  for (const path of ['d/changed', 'e/changed']) await realm.finish(put(g2, path, 'newer'));
  await realm.finish(remove(g2, 'd/gone'));
  await realm.finish(put(g2, 'd/new', 'newer'));
  await realm.clock.advance(noticedMs);
  const reach = async (...servers: readonly string[]): Promise<void> => {
    for (const name of realm.serverNames) {
      if (servers.includes(name)) realm.network.heal('g1', name);
      else realm.network.cut('g1', name);
    }
    await realm.clock.advance(noticedMs);
    t.equal(realm.gateway('g1').state().volumes[0]?.avsg.length, servers.length);
  };
  return { realm, g1, reach };
}

async function sees(t: Test, { realm }: Split, newer: boolean): Promise<void> {
  const g1 = realm.gateway('g1');
  const names = newer ? ['changed', 'new', 'same'] : ['changed', 'gone', 'same'];
  t.same(await realm.finish(list(g1, 'd')), names);
  t.equal(await realm.finish(get(g1, 'd/changed')), newer ? 'newer' : 'older');
  t.equal(await realm.finish(get(g1, 'd/new')), newer ? 'newer' : undefined);
  t.equal(await realm.finish(get(g1, 'd/gone')), newer ? undefined : 'older');
}

const nothing = async (): Promise<void> => undefined;
const everything = (g1: Venus): Promise<unknown> => Promise.all([list(g1, 'd'), get(g1, 'd/changed')]);

for (const [what, looks] of Object.entries({ nothing, everything })) {
  t.test(`having seen ${what} before, from a server that lags, then with the others`, async (t) => {
    const world = await split(t, looks);
    await world.reach('s3');
    await sees(t, world, false);
    await world.reach('s1', 's2', 's3');
    await sees(t, world, true);
    await world.reach('s3');
    await sees(t, world, true);
  });

  t.test(`having seen ${what} before, over a restart of the gateway`, async (t) => {
    const world = await split(t, looks);
    await world.reach('s3');
    await sees(t, world, false);
    await world.realm.clock.advance(noticedMs);
    world.realm.kill('g1');
    await world.realm.startGateway('g1');
    await world.realm.clock.advance(noticedMs);
    await sees(t, world, false);
    await world.reach('s1', 's3');
    await sees(t, world, true);
  });
}

t.test('a folder is newer at one server, a file in it at the others', async (t) => {
  const world = await split(t, nothing);
  const { realm, g1 } = world;
  const g3 = await realm.startGateway('g3');
  for (const name of ['s1', 's2']) realm.network.cut('g3', name);
  realm.network.cut('g2', 's3');
  await realm.clock.advance(noticedMs);
  await realm.finish(put(g3, 'e/elsewhere', 'newer'));
  await world.reach('s1', 's2', 's3');
  t.same(await realm.finish(list(g1, 'e')), ['changed', 'elsewhere']);
  t.equal(await realm.finish(get(g1, 'e/changed')), 'newer');
});
