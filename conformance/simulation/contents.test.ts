/** Contents of replayed changes: sent once, resumed where they broke, and not sent at all where they are already. */
import t from 'tap';
import { get, put, remove } from './share.js';
import type { SimulatedRealm } from './simulated-realm.js';
import { startedRealm } from './started-realm.js';
import type { CountingNetwork } from './counting-network.js';

const megabytes = (count: number, letter: string): string => letter.repeat(count * 1_000_000);

function traffic(realm: SimulatedRealm): CountingNetwork {
  const network = realm.traffic.get('g1');
  if (network === undefined) throw new Error('g1 has never run');
  return network;
}

/** Leaves `s1` alone with the gateway: what is stored now must be replayed to the others. */
async function alone(realm: SimulatedRealm): Promise<void> {
  realm.kill('s2');
  realm.kill('s3');
  await realm.clock.advance(5000);
}

/** Starts `s2`, which hears of nothing but from the gateway, and lets time pass until `until` holds. */
async function returns(realm: SimulatedRealm, until: () => boolean): Promise<void> {
  realm.network.cut('s1', 's2');
  await realm.startServer('s2');
  await pass(realm, until);
}

async function pass(realm: SimulatedRealm, until: () => boolean): Promise<void> {
  for (let waited = 0; !until(); waited += 1) {
    if (waited > 120_000) throw new Error('it does not come to that');
    await realm.clock.advance(1);
  }
}

function pending(realm: SimulatedRealm): number | undefined {
  return realm.gateway('g1').state().volumes[0]?.pendingRecords;
}

async function contentsOf(
  realm: SimulatedRealm,
  server: string,
  path: string,
): Promise<string | null | undefined> {
  return (await realm.dump(server)).find((object) => object.path === path)?.contents;
}

t.test('what a server has already is not sent to it again', async (t) => {
  const realm = await startedRealm({ seed: 1 }, ['g1']);
  const g1 = realm.gateway('g1');
  await realm.finish(put(g1, 'a', megabytes(2, 'a')));
  await alone(realm);
  await realm.finish(put(g1, 'copy', megabytes(2, 'a')));
  await realm.finish(put(g1, 'b', megabytes(1, 'b')));
  await realm.finish(put(g1, 'small', 's'.repeat(1000)));
  traffic(realm).take();
  await returns(realm, () => pending(realm) === 0);
  const { uploads, counts } = traffic(realm);
  t.equal(uploads.length, 1, 'b only');
  t.equal(uploads[0]?.bytes, 1_000_000);
  t.equal(counts.get('offer'), 1, 'one call says it for the whole batch');
  t.equal(await contentsOf(realm, 's2', '/copy'), await contentsOf(realm, 's1', '/copy'));
});

t.test('small contents travel in the call, and nothing is offered for them', async (t) => {
  const realm = await startedRealm({ seed: 2 }, ['g1']);
  await alone(realm);
  for (const name of ['x', 'y', 'z']) await realm.finish(put(realm.gateway('g1'), name, name.repeat(60_000)));
  traffic(realm).take();
  await returns(realm, () => pending(realm) === 0);
  const { offer, upload } = traffic(realm).take();
  t.same([offer, upload], [undefined, undefined]);
});

t.test('an upload goes on at the byte where its connection broke', async (t) => {
  const realm = await startedRealm({ seed: 3 }, ['g1']);
  const text = megabytes(8, 'c');
  await alone(realm);
  await realm.finish(put(realm.gateway('g1'), 'large', text));
  traffic(realm).take();
  const { uploads } = traffic(realm);
  await returns(realm, () => (uploads[0]?.bytes ?? 0) > 3_000_000);
  realm.network.reset('g1', 's2');
  await pass(realm, () => pending(realm) === 0);
  t.equal(uploads.length, 2);
  t.ok((uploads[1]?.start ?? 0) > 2_000_000, `the second one began at ${uploads[1]?.start}`);
  t.equal((uploads[1]?.start ?? 0) + (uploads[1]?.bytes ?? 0), text.length);
  t.equal(uploads[1]?.path, uploads[0]?.path);
  t.equal((await contentsOf(realm, 's2', '/large'))?.length, text.length);
});

t.test('also when it was the gateway that died', async (t) => {
  const realm = await startedRealm({ seed: 4 }, ['g1']);
  const text = megabytes(8, 'd');
  await alone(realm);
  await realm.finish(put(realm.gateway('g1'), 'large', text));
  traffic(realm).take();
  const { uploads } = traffic(realm);
  await returns(realm, () => (uploads[0]?.bytes ?? 0) > 3_000_000);
  realm.kill('g1');
  await realm.startGateway('g1');
  await pass(realm, () => pending(realm) === 0);
  const later = traffic(realm).uploads;
  t.equal(later.length, 1);
  t.ok((later[0]?.start ?? 0) > 2_000_000, `it began at ${later[0]?.start}`);
  t.equal((await contentsOf(realm, 's2', '/large'))?.length, text.length);
});

t.test('a server that died has lost what was staged, and gets it from the beginning', async (t) => {
  const realm = await startedRealm({ seed: 5 }, ['g1']);
  const text = megabytes(8, 'e');
  await alone(realm);
  await realm.finish(put(realm.gateway('g1'), 'large', text));
  traffic(realm).take();
  const { uploads } = traffic(realm);
  await returns(realm, () => (uploads[0]?.bytes ?? 0) > 3_000_000);
  realm.kill('s2');
  await realm.clock.advance(1000);
  await realm.startServer('s2');
  await pass(realm, () => pending(realm) === 0);
  t.same(
    uploads.map(({ start }) => start),
    [0, 0],
  );
  t.equal((await contentsOf(realm, 's2', '/large'))?.length, text.length);
});

t.test('many large contents in one batch, some of them the same', async (t) => {
  const realm = await startedRealm({ seed: 6 }, ['g1']);
  const g1 = realm.gateway('g1');
  await alone(realm);
  for (let index = 0; index < 60; index += 1) {
    await realm.finish(put(g1, `f${index}`, `${index % 20}`.repeat(70_000)));
  }
  traffic(realm).take();
  await returns(realm, () => pending(realm) === 0);
  const paths = traffic(realm).uploads.map(({ path }) => path);
  t.equal(new Set(paths).size, 20);
  t.equal(paths.length, 20, 'each digest once');
  for (const index of [0, 19, 20, 59]) {
    t.equal(await contentsOf(realm, 's2', `/f${index}`), await contentsOf(realm, 's1', `/f${index}`));
  }
});

t.test('what a server said it has, and has not, is sent when it is missed', async (t) => {
  const realm = await startedRealm({ seed: 8 }, ['g1']);
  await alone(realm);
  await realm.finish(put(realm.gateway('g1'), 'large', megabytes(1, 'g')));
  const network = traffic(realm);
  network.take();
  let lies = 1;
  network.falsify = (name, reply) =>
    name === 'offer' && (lies -= 1) >= 0 ? { contents: [{ held: true, received: 0 }] } : reply;
  await returns(realm, () => lies < 1);
  await realm.clock.advance(1000);
  t.equal(pending(realm), 0, 'at once');
  const { offer, upload } = network.take();
  t.same([offer, upload], [2, 1]);
  t.equal((await contentsOf(realm, 's2', '/large'))?.length, 1_000_000);
});

t.test('a server that never tells the truth is not asked without end', async (t) => {
  const realm = await startedRealm({ seed: 9 }, ['g1']);
  await alone(realm);
  await realm.finish(put(realm.gateway('g1'), 'large', megabytes(1, 'h')));
  const network = traffic(realm);
  network.take();
  network.falsify = (name, reply) => (name === 'offer' ? { contents: [{ held: true, received: 0 }] } : reply);
  const { counts } = network;
  await returns(realm, () => counts.get('mutate') === 3);
  await realm.clock.advance(1000);
  t.equal(counts.get('mutate'), 3);
  network.falsify = (_name, reply) => reply;
  await pass(realm, () => pending(realm) === 0);
  t.equal((await contentsOf(realm, 's2', '/large'))?.length, 1_000_000);
});

t.test('what the server has goes away under the offer', async (t) => {
  const realm = await startedRealm({ seed: 7 }, ['g1']);
  const g1 = realm.gateway('g1');
  await realm.startGateway('g2');
  await realm.finish(put(g1, 'old', megabytes(1, 'f')));
  await realm.clock.advance(1000);
  await alone(realm);
  await realm.finish(put(g1, 'new', megabytes(1, 'f')));
  const { calls } = traffic(realm);
  traffic(realm).take();
  await returns(realm, () => calls.some(({ name }) => name === 'offer'));
  await realm.finish(remove(realm.gateway('g2'), 'old'));
  await pass(realm, () => pending(realm) === 0);
  await realm.clock.advance(1000);
  t.equal((await contentsOf(realm, 's2', '/new'))?.length, 1_000_000);
  t.equal(await realm.finish(get(g1, 'new')), megabytes(1, 'f'));
});
