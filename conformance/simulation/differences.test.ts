/** New versions of large files: what is new in them is moved, both ways, and what comes out is never anything else. */
import t from 'tap';
import { allRights, Failure, right } from '../../vice/interface/index.js';
import { seededRandom } from '../../vice/seam/twin/seeded-random.js';
import { get, list, makeDirectory, put, remove, rename } from './share.js';
import type { SimulatedRealm, SimulatedRealmOptions } from './simulated-realm.js';
import { startedRealm } from './started-realm.js';
import type { CountingNetwork } from './counting-network.js';

const fileBytes = 6_000_000;
/** What one insertion of 100,000 bytes moves at most: two chunks more. */
const littleBytes = 100_000 + 2 * 256 * 1024;

function started(seed: number, options: Partial<SimulatedRealmOptions> = {}): Promise<SimulatedRealm> {
  return startedRealm({ seed, differences: 'always', ...options });
}

function noise(bytes: number, seed: number): string {
  return Buffer.from(seededRandom(seed).bytes(bytes)).toString('latin1');
}

function insertedInto(text: string, seed: number): string {
  const middle = text.length >> 1;
  return text.slice(0, middle) + noise(100_000, seed) + text.slice(middle);
}

function traffic(realm: SimulatedRealm, gateway = 'g1'): CountingNetwork {
  const network = realm.traffic.get(gateway);
  if (network === undefined) throw new Error(`${gateway} has never run`);
  return network;
}

const total = (transfers: readonly { readonly bytes: number }[]): number =>
  transfers.reduce((sum, { bytes }) => sum + bytes, 0);

const kinds = (transfers: readonly { readonly path: string }[]): readonly (string | undefined)[] =>
  transfers.map(({ path }) => path.split('/')[0]);

/** Every server has `text` under `name`. */
async function everywhere(realm: SimulatedRealm, name: string, text: string): Promise<boolean> {
  const dumps = await Promise.all(realm.serverNames.map((server) => realm.dump(server)));
  return dumps.every((dump) => dump.find(({ path }) => path === `/${name}`)?.contents === text);
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

t.test('an insertion is saved and fetched as what it is', async (t) => {
  const realm = await started(1);
  const [g1, g2] = [realm.gateway('g1'), realm.gateway('g2')];
  const first = noise(fileBytes, 1);
  await realm.finish(put(g1, 'file', first));
  t.equal(await realm.finish(get(g2, 'file')), first);
  for (const name of ['g1', 'g2']) traffic(realm, name).take();

  let text = first;
  for (const save of [2, 3]) {
    text = insertedInto(text, save);
    await realm.finish(put(g1, 'file', text));
    const { uploads, counts } = traffic(realm);
    t.same(kinds(uploads), ['difference', 'difference', 'difference']);
    t.ok(
      uploads.every(({ bytes }) => bytes < littleBytes),
      `${total(uploads)} bytes to three servers`,
    );
    t.equal(counts.get('bases'), 3);
    t.ok(await everywhere(realm, 'file', text), 'on every server');
    traffic(realm).take();

    t.ok((await realm.finish(get(g2, 'file'))) === text, 'at the other gateway');
    const { downloads } = traffic(realm, 'g2');
    t.same(kinds(downloads), ['recipe', 'pieces']);
    t.ok(total(downloads) < littleBytes + 10_000, `${total(downloads)} bytes back`);
    traffic(realm, 'g2').take();
  }
  await realm.finish(get(g2, 'file'));
  t.equal(traffic(realm, 'g2').downloads.length, 0, 'it is in the cache');
});

t.test('a file with nothing in common is moved whole, once', async (t) => {
  const realm = await started(2);
  const [g1, g2] = [realm.gateway('g1'), realm.gateway('g2')];
  await realm.finish(put(g1, 'file', noise(fileBytes, 1)));
  await realm.finish(get(g2, 'file'));
  for (const name of ['g1', 'g2']) traffic(realm, name).take();
  const other = noise(fileBytes, 2);
  await realm.finish(put(g1, 'file', other));
  t.ok(traffic(realm).uploads.every(({ bytes }) => bytes < fileBytes * 1.001));
  t.equal(traffic(realm).uploads.length, 3);
  t.ok((await realm.finish(get(g2, 'file'))) === other);
  t.same(kinds(traffic(realm, 'g2').downloads), ['recipe', 'container']);
  t.ok(await everywhere(realm, 'file', other));
});

t.test('who has not the old version sends and fetches the whole new one', async (t) => {
  const realm = await started(3);
  const first = noise(fileBytes, 1);
  await realm.finish(put(realm.gateway('g1'), 'file', first));
  const g2 = realm.gateway('g2');
  const second = insertedInto(first, 2);
  await realm.finish(put(g2, 'file', second));
  t.same(kinds(traffic(realm, 'g2').uploads), ['staging', 'staging', 'staging']);
  realm.kill('g1');
  realm.wipe('g1');
  t.ok((await realm.finish(get(await realm.startGateway('g1'), 'file'))) === second);
  const compared = kinds(traffic(realm).downloads).filter((kind) => kind === 'recipe' || kind === 'pieces');
  t.same(compared, []);
});

t.test('a small file, and one that nobody has used before, are not compared', async (t) => {
  const realm = await started(4);
  const g1 = realm.gateway('g1');
  await realm.finish(put(g1, 'small', noise(900_000, 1)));
  await realm.finish(makeDirectory(g1, 'd'));
  await realm.finish(put(g1, 'd/large', noise(fileBytes, 2)));
  traffic(realm).take();
  await realm.finish(put(g1, 'small', noise(900_000, 1).slice(1)));
  await realm.finish(put(g1, 'other', noise(fileBytes, 2).slice(1)));
  t.equal(traffic(realm).counts.get('bases'), undefined);
  t.same(new Set(kinds(traffic(realm).uploads)), new Set(['staging']));
});

t.test('a program that saves by a new file, which it renames over the old one', async (t) => {
  const realm = await started(4);
  const [g1, g2] = [realm.gateway('g1'), realm.gateway('g2')];
  let text = noise(fileBytes, 1);
  await realm.finish(put(g2, 'report', text));
  t.ok((await realm.finish(get(g1, 'report'))) === text);
  for (const save of [2, 3, 4]) {
    for (const name of ['g1', 'g2']) traffic(realm, name).take();
    text = insertedInto(text, save);
    await realm.finish(put(g1, '~WRD0.tmp', text));
    const { uploads } = traffic(realm);
    t.same(kinds(uploads), ['difference', 'difference', 'difference']);
    t.ok(
      uploads.every(({ bytes }) => bytes < littleBytes),
      `${total(uploads)} bytes to three servers`,
    );
    await realm.finish(rename(g1, 'report', '~WRL1.tmp'));
    // The other gateway hears of all at once, of each step, or that the old one was removed first.
    if (save === 3) await realm.finish(list(g2, ''));
    if (save === 4) await realm.finish(remove(g1, '~WRL1.tmp'));
    if (save === 4) await realm.finish(list(g2, ''));
    await realm.finish(rename(g1, '~WRD0.tmp', 'report'));
    if (save < 4) await realm.finish(remove(g1, '~WRL1.tmp'));
    t.ok(await everywhere(realm, 'report', text), 'on every server');
    await realm.finish(list(g2, ''));
    t.ok((await realm.finish(get(g2, 'report'))) === text, 'at the other gateway');
    const { downloads } = traffic(realm, 'g2');
    t.same(kinds(downloads), ['recipe', 'pieces']);
    t.ok(total(downloads) < littleBytes + 10_000, `${total(downloads)} bytes back`);
  }
});

t.test('a server that does not know the call is sent everything', async (t) => {
  const realm = await started(5);
  const g1 = realm.gateway('g1');
  const first = noise(fileBytes, 1);
  await realm.finish(put(g1, 'file', first));
  traffic(realm).take();
  traffic(realm).falsify = (name, reply) => {
    if (name !== 'bases') return reply;
    throw new Failure('incompatible', 'vice.call', 'this server knows no call bases');
  };
  const second = insertedInto(first, 2);
  await realm.finish(put(g1, 'file', second));
  t.same(kinds(traffic(realm).uploads), ['staging', 'staging', 'staging']);
  t.ok(await everywhere(realm, 'file', second));
});

t.test('steps on the contents of another file are refused, and all of it is sent', async (t) => {
  const realm = await started(6);
  const g1 = realm.gateway('g1');
  const first = noise(fileBytes, 1);
  await realm.finish(put(g1, 'secret', noise(fileBytes, 9)));
  await realm.finish(put(g1, 'file', first));
  const secret = (await realm.dump('s1')).find(({ path }) => path === '/secret');
  const base = { digest: secret?.status.data?.digest, length: fileBytes };
  traffic(realm).falsify = (name, reply) => (name === 'bases' ? { bases: [[base]] } : reply);
  traffic(realm).take();
  const second = insertedInto(noise(fileBytes, 9), 2);
  await realm.finish(put(g1, 'file', second));
  const { uploads } = traffic(realm);
  t.same(kinds(uploads).slice(0, 3), ['difference', 'difference', 'difference']);
  await pass(realm, () => pending(realm) === 0);
  t.ok(kinds(uploads).includes('staging'), 'whole, at the close');
  t.ok(await everywhere(realm, 'file', second));
});

t.test('a version that was saved without servers is replayed as what is new in it', async (t) => {
  const realm = await started(7);
  const g1 = realm.gateway('g1');
  const first = noise(fileBytes, 1);
  await realm.finish(put(g1, 'file', first));
  await realm.finish(put(g1, 'moved', noise(fileBytes, 3)));
  await realm.finish(g1.disconnect([]));
  const second = insertedInto(insertedInto(first, 2).slice(1000), 4);
  await realm.finish(put(g1, 'file', insertedInto(first, 2)));
  await realm.finish(put(g1, 'file', second));
  await realm.finish(rename(g1, 'moved', 'renamed'));
  await realm.finish(put(g1, 'renamed', noise(fileBytes, 3).slice(5000)));
  traffic(realm).take();
  // What is known in memory only is gone.
  realm.kill('g1');
  await realm.startGateway('g1');
  await realm.finish(realm.gateway('g1').reconnect([]));
  await pass(realm, () => pending(realm) === 0);
  const { uploads } = traffic(realm);
  t.same(new Set(kinds(uploads)), new Set(['difference']));
  t.ok(total(uploads) < 3 * 3 * littleBytes, `${total(uploads)} bytes in ${uploads.length} uploads`);
  t.ok(await everywhere(realm, 'file', second));
  t.ok(await everywhere(realm, 'renamed', noise(fileBytes, 3).slice(5000)));
});

t.test('an upload of steps that breaks goes on at the byte of the contents where it broke', async (t) => {
  const realm = await started(8);
  const first = noise(fileBytes, 1);
  await realm.finish(put(realm.gateway('g1'), 'file', first));
  await realm.finish(realm.gateway('g1').disconnect([]));
  // Half of it is new.
  const second = first.slice(0, fileBytes / 2) + noise(fileBytes / 2, 2);
  await realm.finish(put(realm.gateway('g1'), 'file', second));
  traffic(realm).take();
  const { uploads } = traffic(realm);
  await realm.finish(realm.gateway('g1').reconnect([]));
  await pass(realm, () => (uploads[0]?.bytes ?? 0) > fileBytes / 4);
  for (const server of realm.serverNames) realm.network.reset('g1', server);
  await pass(realm, () => pending(realm) === 0);
  const later = uploads.slice(1);
  t.ok(later.length > 0 && later.every(({ path }) => path.startsWith('difference/')));
  t.ok(
    later.some(({ start }) => start > fileBytes / 2),
    'behind what was copied, and a part of what was sent',
  );
  t.ok(await everywhere(realm, 'file', second));
});

t.test('a recipe that is not true costs a second fetch, and nothing else', async (t) => {
  const realm = await started(9);
  const [g1, g2] = [realm.gateway('g1'), realm.gateway('g2')];
  const first = noise(fileBytes, 1);
  const lies: readonly ((bytes: Buffer) => Buffer)[] = [
    // Digests of other chunks, which are here: they are copied.
    (bytes) => Buffer.concat([bytes.subarray(0, 11), bytes.subarray(34, 54), bytes.subarray(31)]),
    (bytes) => bytes.subarray(0, -1),
    (bytes) => Buffer.concat([bytes, bytes]),
    () => Buffer.from('something else'),
    () => Buffer.alloc(0),
  ];
  await realm.finish(put(g1, 'file', first));
  await realm.finish(get(g2, 'file'));
  let text = first;
  for (const [index, lie] of lies.entries()) {
    text = insertedInto(text, 10 + index);
    await realm.finish(put(g1, 'file', text));
    const network = traffic(realm, 'g2');
    network.take();
    network.alter = (path, source) => (path.startsWith('recipe/') ? altered(source, lie) : source);
    t.ok((await realm.finish(get(g2, 'file'))) === text, `lie ${index}`);
    t.ok(kinds(network.downloads).includes('container'));
  }
});

t.test('pieces that are not the right ones, too few, or that break', async (t) => {
  const realm = await started(10);
  const [g1, g2] = [realm.gateway('g1'), realm.gateway('g2')];
  const first = noise(fileBytes, 1);
  const lies: readonly ((bytes: Buffer) => Buffer)[] = [
    (bytes) => Buffer.alloc(bytes.length, 1),
    (bytes) => bytes.subarray(0, 50_000),
    () => {
      throw new Failure('unreachable', 'test', 'the connection broke');
    },
  ];
  await realm.finish(put(g1, 'file', first));
  await realm.finish(get(g2, 'file'));
  let text = first;
  for (const [index, lie] of lies.entries()) {
    text = insertedInto(text, 10 + index);
    await realm.finish(put(g1, 'file', text));
    const network = traffic(realm, 'g2');
    network.take();
    network.alter = (path, source) => (path.startsWith('pieces/') ? altered(source, lie) : source);
    t.ok((await realm.finish(get(g2, 'file'))) === text, `lie ${index}`);
  }
});

t.test('an old version that has become damaged is no use, and no harm', async (t) => {
  const realm = await started(11);
  const [g1, g2] = [realm.gateway('g1'), realm.gateway('g2')];
  const first = noise(fileBytes, 1);
  await realm.finish(put(g1, 'file', first));
  await realm.finish(get(g2, 'file'));
  const [digest = ''] = realm.disk('g2').containers.digests;
  realm.disk('g2').containers.damage(digest, 3_000_000);
  realm.disk('g1').containers.damage(digest, 1_000_000);
  const second = insertedInto(first, 2);
  await realm.finish(put(g1, 'file', second));
  traffic(realm, 'g2').take();
  t.ok((await realm.finish(get(g2, 'file'))) === second);
  t.same(kinds(traffic(realm, 'g2').downloads), ['recipe', 'container'], 'the rest of it as it is');
  await pass(realm, () => pending(realm) === 0);
  t.ok(await everywhere(realm, 'file', second));
});

t.test('a server whose old version has become damaged is sent all of it', async (t) => {
  const realm = await started(12);
  const g1 = realm.gateway('g1');
  const first = noise(fileBytes, 1);
  await realm.finish(put(g1, 'file', first));
  const [digest = ''] = realm.disk('s2').containers.digests;
  realm.disk('s2').containers.damage(digest, 3_000_000);
  const second = insertedInto(first, 2);
  traffic(realm).take();
  await realm.finish(put(g1, 'file', second));
  await pass(realm, () => pending(realm) === 0);
  t.ok(await everywhere(realm, 'file', second));
});

t.test('the body of one who may write a file and not read it is not compared with it', async (t) => {
  const realm = await started(15);
  const g1 = realm.gateway('g1');
  const docs = await realm.finish(makeDirectory(g1, 'docs'));
  const first = noise(fileBytes, 1);
  await realm.finish(put(g1, 'docs/file', first));
  const all = allRights;
  const positive = { ann: all, bob: all & ~right.read };
  await realm.finish(g1.setAccess({ user: 'ann' }, docs.fid, { positive, negative: {} }));
  traffic(realm).take();
  await realm.finish(put(g1, 'docs/file', insertedInto(first, 2), { user: 'bob' }));
  t.equal(traffic(realm).counts.get('bases'), undefined);
  t.same(kinds(traffic(realm).uploads), ['staging', 'staging', 'staging']);
  await realm.finish(put(g1, 'docs/file', insertedInto(first, 3)));
  t.ok(total(traffic(realm).uploads.slice(3)) < 3 * 2 * littleBytes, 'who may read it has his compared');
});

t.test('over links of which nothing is known it is compared; "never" is never', async (t) => {
  // That fast links are left alone is a decision with a test of its own (worth.ts); none here is as fast.
  for (const [differences, kind] of [
    ['measured', 'difference'],
    ['never', 'staging'],
  ] as const) {
    const realm = await started(13, { differences });
    const g1 = realm.gateway('g1');
    await realm.finish(put(g1, 'file', noise(2_000_000, 1)));
    traffic(realm).take();
    await realm.finish(put(g1, 'file', noise(2_000_000, 1).slice(1)));
    t.same(kinds(traffic(realm).uploads), [kind, kind, kind]);
  }
});

async function* altered(
  source: AsyncIterable<Uint8Array>,
  lie: (bytes: Buffer) => Buffer,
): AsyncGenerator<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(chunk);
  yield lie(Buffer.concat(chunks));
}
