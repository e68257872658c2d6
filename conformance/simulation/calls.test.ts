/** The count of calls is part of the contract: speed comes from what is not sent. */
import t, { type Test } from 'tap';
import { SimulatedRealm } from './simulated-realm.js';
import { get, list, makeDirectory, put, remove, rename } from './share.js';

async function realm(
  t: Test,
): Promise<{ realm: SimulatedRealm; traffic: () => Readonly<Record<string, number>> }> {
  const realm = new SimulatedRealm({ seed: 1 });
  for (const name of realm.serverNames) await realm.startServer(name);
  await realm.startGateway('g1');
  t.equal(realm.gateway('g1').state().volumes[0]?.avsg.length, 3, 'all servers are accessible');
  return {
    realm,
    traffic: () => realm.traffic.get('g1')?.take() ?? {},
  };
}

t.test('a close is one round to the AVSG; its COP2 rides on the next one', async (t) => {
  const { realm: world, traffic } = await realm(t);
  const g1 = world.gateway('g1');
  await world.finish(put(g1, 'warm-up', 'x'));
  await world.clock.advance(2000);
  traffic();
  await world.finish(put(g1, 'a', 'one'));
  await world.finish(put(g1, 'b', 'two'));
  const counted = traffic();
  t.equal(counted['mutate'], 6, 'one call to each of three servers for each of two closes');
  t.equal(counted['cop2'], undefined, 'the first COP2 rode on the second close');
  t.equal(counted['status'], undefined);
  t.equal(counted['list'], undefined);
});

t.test('the body of a large file is staged at every server while it arrives', async (t) => {
  const { realm: world, traffic } = await realm(t);
  const g1 = world.gateway('g1');
  await world.finish(put(g1, 'warm-up', 'x'));
  traffic();
  await world.finish(put(g1, 'large', 'y'.repeat(1_000_000)));
  const counted = traffic();
  t.equal(counted['upload'], 3);
  t.equal(counted['mutate'], 3);
});

t.test('what is warm is read without asking anybody', async (t) => {
  const { realm: world, traffic } = await realm(t);
  const g1 = world.gateway('g1');
  await world.finish(makeDirectory(g1, 'd'));
  for (const name of ['a', 'b', 'c']) await world.finish(put(g1, `d/${name}`, name));
  await world.clock.advance(5000);
  traffic();
  t.equal(await world.finish(get(g1, 'd/a')), 'a');
  t.same(await world.finish(list(g1, 'd')), ['a', 'b', 'c']);
  t.same(traffic(), {}, 'no call at all');
});

t.test('a cold listing asks each server once, whatever the number of names', async (t) => {
  const { realm: world, traffic } = await realm(t);
  const g1 = world.gateway('g1');
  await world.finish(makeDirectory(g1, 'd'));
  const names = Array.from({ length: 1000 }, (_, index) => `f${index}`);
  for (let start = 0; start < names.length; start += 100) {
    await world.finish(
      Promise.all(names.slice(start, start + 100).map((name) => put(g1, `d/${name}`, name))),
    );
  }
  await world.clock.advance(5000);
  await world.startGateway('g2');
  const g2 = world.gateway('g2');
  const g2Traffic = world.traffic.get('g2');
  await world.finish(list(g2, ''));
  g2Traffic?.take();
  t.equal((await world.finish(list(g2, 'd'))).length, 1000);
  t.same(g2Traffic?.take(), { list: 3 }, 'children come with their statuses');
  t.equal((await world.finish(list(g2, 'd'))).length, 1000);
  t.same(g2Traffic?.take(), {}, 'and are warm from then on');
  traffic();
});

t.test('of a folder that others have changed only what they have changed travels', async (t) => {
  const { realm: world } = await realm(t);
  const g1 = world.gateway('g1');
  await world.finish(makeDirectory(g1, 'd'));
  for (let file = 10; file < 40; file += 1) await world.finish(put(g1, `d/${file}`, 'x'));
  await world.clock.advance(5000);
  const g2 = await world.startGateway('g2');
  const traffic = world.traffic.get('g2');
  let carried = '';
  if (traffic !== undefined) traffic.falsify = (name, reply) => (name === 'list' ? told(reply) : reply);
  const told = (reply: unknown): unknown => {
    const { entries, gone } = reply as { entries: readonly unknown[]; gone?: readonly string[] };
    if (entries.length > 0 || gone !== undefined)
      carried = `${entries.length} names, ${gone?.length ?? 'not'} gone`;
    return reply;
  };
  const seen = async (): Promise<string> => {
    await world.clock.advance(2000);
    carried = '';
    return (await world.finish(list(g2, 'd'))).join(' ');
  };
  const names = new Set((await seen()).split(' '));
  t.equal(carried, '30 names, not gone');
  const expected = (): string => [...names].sort().join(' ');

  await world.finish(put(g1, 'd/new', 'x'));
  names.add('new');
  t.equal(await seen(), expected());
  t.equal(carried, '1 names, 0 gone');

  await world.finish(remove(g1, 'd/20'));
  await world.finish(rename(g1, 'd/21', 'd/moved'));
  await world.finish(rename(g1, 'd/new', 'd/22'));
  for (const name of ['20', '21', 'new']) names.delete(name);
  names.add('moved');
  t.equal(await seen(), expected());
  t.equal(carried, '2 names, 3 gone');
  t.equal(await world.finish(get(g2, 'd/22')), 'x', 'the name leads to the new file');

  // Its own change is in the names that it has.
  await world.finish(put(g2, 'd/own', 'x'));
  await world.finish(put(g1, 'd/theirs', 'x'));
  names.add('own').add('theirs');
  t.equal(await seen(), expected());
  t.equal(carried, '1 names, 0 gone');

  // Servers that have started anew do not know what changed before.
  await world.finish(put(g1, 'd/late', 'x'));
  for (const name of world.serverNames) world.kill(name);
  for (const name of world.serverNames) await world.startServer(name);
  await world.clock.advance(20_000);
  names.add('late');
  t.equal(await seen(), expected());
  t.equal(carried, `${names.size} names, not gone`);
});

t.test('a callback break makes exactly what changed be asked for again', async (t) => {
  const { realm: world } = await realm(t);
  const g1 = world.gateway('g1');
  await world.finish(put(g1, 'a', 'one'));
  await world.finish(put(g1, 'b', 'two'));
  const g2 = await world.startGateway('g2');
  t.equal(await world.finish(get(g2, 'a')), 'one');
  t.equal(await world.finish(get(g2, 'b')), 'two');
  const traffic = world.traffic.get('g2');
  await world.clock.advance(2000);
  traffic?.take();
  await world.finish(put(g1, 'a', 'newer'));
  await world.clock.advance(100);
  t.equal(await world.finish(get(g2, 'b')), 'two');
  t.same(traffic?.take(), {}, 'b has not changed');
  t.equal(await world.finish(get(g2, 'a')), 'newer');
  t.same(traffic?.take(), { status: 3, download: 1 });
});

t.test('a restarted gateway asks one question per server and trusts what has not changed', async (t) => {
  const { realm: world } = await realm(t);
  const g1 = world.gateway('g1');
  await world.finish(put(g1, 'a', 'one'));
  await world.finish(put(g1, 'b', 'two'));
  await world.clock.advance(5000);
  await world.finish(g1.close());
  world.kill('g1');
  const again = await world.startGateway('g1');
  const traffic = world.traffic.get('g1');
  t.same(traffic?.take(), { watch: 3 });
  t.equal(await world.finish(get(again, 'a')), 'one');
  t.same(traffic?.take(), {}, 'the cache survived and is valid');
});

t.test('a server that was away is asked once, and of what was looked at without it', async (t) => {
  const { realm: world, traffic } = await realm(t);
  const g1 = world.gateway('g1');
  await world.finish(makeDirectory(g1, 'd'));
  const names = Array.from({ length: 30 }, (_, index) => `f${index}`);
  await world.finish(Promise.all(names.map((name) => put(g1, `d/${name}`, name))));
  const g2 = await world.startGateway('g2');
  await world.clock.advance(5000);
  world.kill('s3');
  await world.clock.advance(5000);
  const g2Traffic = world.traffic.get('g2');
  for (const each of [g1, g2]) t.equal((await world.finish(list(each, 'd'))).length, 30);
  traffic();
  await world.startServer('s3');
  await world.clock.advance(20_000);
  const dialled = traffic();
  t.equal(dialled['watch'], 1);
  g2Traffic?.take();
  for (const each of [g1, g2]) t.equal((await world.finish(list(each, 'd'))).length, 30);
  t.same(traffic(), {}, 'it has confirmed by its stamp what was here before');
  t.same(g2Traffic?.take(), { list: 6 }, 'of the root and the folder, with all that is in it');
  t.equal(await world.finish(get(g2, 'd/f7')), 'f7');
  t.same(g2Traffic?.take(), { download: 1 });
});

t.test('a cold file is one call: its bytes come with what proves them', async (t) => {
  const { realm: world } = await realm(t);
  const g1 = world.gateway('g1');
  const sizes = { tiny: 10, small: 1_000_000, larger: 1_900_000 };
  for (const [name, size] of Object.entries(sizes)) await world.finish(put(g1, name, 'x'.repeat(size)));
  await world.clock.advance(5000);
  const g2 = await world.startGateway('g2');
  await world.finish(list(g2, ''));
  const traffic = world.traffic.get('g2');
  traffic?.take();
  for (const [name, size] of Object.entries(sizes)) {
    t.equal((await world.finish(get(g2, name)))?.length, size);
    t.same(traffic?.take(), { download: 1 }, name);
  }
});
