/** Cold files of any size in a whole realm: what comes when, from whom, and how many bytes of it. */
import t from 'tap';
import { isFailure } from '../../vice/interface/index.js';
import { blockBytes } from '../../vice/seam/containers.js';
import type { OpenFile } from '../../venus/interface.js';
import { hoard, missingOf } from '../suites/hoard.js';
import type { CountingNetwork } from './counting-network.js';
import { caller, get, pathOf, put } from './share.js';
import { SimulatedRealm, type SimulatedRealmOptions } from './simulated-realm.js';

t.setTimeout(240_000);

const blocks = 32;
const length = blocks * blockBytes - 777;
/** Text of which every block is another one. */
const text = Array.from({ length: blocks }, (_, block) => String.fromCharCode(64 + block).repeat(blockBytes))
  .join('')
  .slice(0, length);

/** A realm in which g1 has written `large`, and g2 has never seen it. */
async function realm(seed: number, options: Partial<SimulatedRealmOptions> = {}): Promise<SimulatedRealm> {
  const realm = new SimulatedRealm({ seed, ...options });
  for (const name of realm.serverNames) await realm.startServer(name);
  await realm.startGateway('g1');
  await realm.finish(put(realm.gateway('g1'), 'large', text));
  await realm.clock.advance(5000);
  await realm.startGateway('g2');
  return realm;
}

function traffic(realm: SimulatedRealm): CountingNetwork {
  const network = realm.traffic.get('g2');
  if (network === undefined) throw new Error('g2 has never run');
  return network;
}

function bytesOf(realm: SimulatedRealm): number {
  return traffic(realm).downloads.reduce((sum, { bytes }) => sum + bytes, 0);
}

async function opened(realm: SimulatedRealm): Promise<OpenFile> {
  const g2 = realm.gateway('g2');
  const { object } = await realm.finish(g2.lookup(caller, pathOf('large')));
  if (object === null) throw new Error('it is not there');
  return realm.finish(g2.open(caller, object.fid));
}

async function collected(source: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks).toString('latin1');
}

async function range(realm: SimulatedRealm, start: number, end: number): Promise<string> {
  const file = await opened(realm);
  try {
    return await realm.finish(collected(file.read(start, end)));
  } finally {
    await file.close();
  }
}

async function failing(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (error: unknown) => error,
  );
}

t.test('the first byte is here long before the last one', async (t) => {
  const world = await realm(1);
  const file = await opened(world);
  const chunks = file.read()[Symbol.asyncIterator]();
  const first = await world.finish(Promise.resolve(chunks.next()));
  t.ok(first.done !== true && first.value.length === blockBytes);
  t.ok(bytesOf(world) < length / 4, `${bytesOf(world)} bytes had come`);
  await chunks.return?.();
  await file.close();
});

t.test('two who read the same file share its transfer; afterwards it is warm', async (t) => {
  const world = await realm(2);
  const g2 = world.gateway('g2');
  const both = await world.finish(Promise.all([get(g2, 'large'), get(g2, 'large')]));
  t.ok(both.every((each) => each === text));
  t.equal(bytesOf(world), length + blocks * 32, 'its bytes once, and the digests of its blocks');
  await world.clock.advance(5000);
  traffic(world).take();
  t.equal(await world.finish(get(g2, 'large')), text);
  t.same(traffic(world).take(), {});
});

t.test('the end of a file costs the end of a file, in one call', async (t) => {
  const world = await realm(3);
  const g2 = world.gateway('g2');
  await world.finish(g2.lookup(caller, pathOf('large')));
  traffic(world).take();
  t.equal(await range(world, length - 10, length), text.slice(-10));
  t.ok(bytesOf(world) <= blockBytes + blocks * 32, `${bytesOf(world)} bytes`);
  t.same(traffic(world).take(), { download: 1 });
  t.equal(await range(world, length - 1000, length - 10), text.slice(-1000, -10));
  t.same(traffic(world).take(), {}, 'the block is here');
});

t.test('a server that dies in the middle: the rest comes from another one', async (t) => {
  const world = await realm(4);
  const file = await opened(world);
  const reading = collected(file.read());
  reading.catch(() => undefined);
  while (bytesOf(world) < length / 3) await world.clock.advance(1);
  const [first] = traffic(world).downloads;
  const victim = world.serverNames.find((name) => first?.address.includes(name)) ?? '';
  world.kill(victim);
  t.equal(await world.finish(reading), text);
  const { downloads } = traffic(world);
  t.ok(downloads.some(({ address }) => !address.includes(victim)));
  t.ok(bytesOf(world) < length + 8 * blockBytes, `${bytesOf(world)} bytes for ${length}`);
  await file.close();
});

t.test('a gateway that dies in the middle goes on where it was', async (t) => {
  const world = await realm(5);
  const file = await opened(world);
  void collected(file.read()).catch(() => undefined);
  while (bytesOf(world) < length / 2) await world.clock.advance(1);
  world.kill('g2');
  await world.startGateway('g2');
  t.equal(await world.finish(get(world.gateway('g2'), 'large')), text);
  t.ok(bytesOf(world) < length / 2 + 8 * blockBytes, `${bytesOf(world)} bytes more`);
  t.ok(traffic(world).downloads.every(({ path }) => path.startsWith('container/')));
});

t.test('who goes away stops what nobody wants any more', async (t) => {
  const world = await realm(6);
  const file = await opened(world);
  const chunks = file.read()[Symbol.asyncIterator]();
  await world.finish(Promise.resolve(chunks.next()));
  await chunks.return?.();
  await file.close();
  await world.clock.advance(60_000);
  t.ok(bytesOf(world) < length / 4, `${bytesOf(world)} bytes`);
});

t.test('a walk of the hoard goes on where a reader, and a walk that broke, have come to', async (t) => {
  const world = await realm(14);
  const g2 = world.gateway('g2');
  await range(world, 0, 8 * blockBytes);
  await world.finish(g2.hoard.setPeriodic(false));
  await world.finish(hoard(g2, '/large', 100));
  const walking = g2.hoard.walk();
  walking.catch(() => undefined);
  while (bytesOf(world) < length / 2) await world.clock.advance(1);
  t.ok((g2.hoard.state().walk?.doneBytes ?? 0) > 0, 'it tells how far it is');
  for (const server of world.serverNames) world.network.cut('g2', server);
  t.match(await world.finish(walking), { missing: 1 });
  for (const server of world.serverNames) world.network.heal('g2', server);
  await world.clock.advance(10_000);
  const again = g2.hoard.walk();
  const [walked, read] = await world.finish(Promise.all([again, get(g2, 'large')]));
  t.equal(walked.missing, 0);
  t.equal(read, text, 'who reads it meanwhile shares what comes');
  t.ok(bytesOf(world) < length + 10 * blockBytes, `${bytesOf(world)} bytes for ${length}`);
  for (const name of world.serverNames) world.kill(name);
  await world.clock.advance(20_000);
  t.equal(await world.finish(get(g2, 'large')), text);
});

t.test('a walk asks for nothing that has no room', async (t) => {
  const world = await realm(15, { cacheBytes: length });
  const g2 = world.gateway('g2');
  await world.finish(hoard(g2, '/large', 100));
  t.match(await world.finish(g2.hoard.walk()), { missing: 1 });
  t.match(await world.finish(missingOf(g2)), [{ reason: 'no-room' }]);
  t.equal(bytesOf(world), 0);
});

t.test('without servers, what is here is read; what is not is refused before a byte of it', async (t) => {
  const world = await realm(7);
  t.equal(await range(world, 0, 10), text.slice(0, 10));
  await world.clock.advance(5000);
  for (const name of world.serverNames) world.kill(name);
  await world.clock.advance(5000);
  t.equal(await range(world, 100, 5000), text.slice(100, 5000));
  const file = await opened(world);
  const refused = await failing(world.finish(Promise.resolve(file.read()[Symbol.asyncIterator]().next())));
  t.ok(isFailure(refused, 'unreachable'), String(refused));
  t.ok(isFailure(await failing(range(world, length - 10, length)), 'unreachable'));
});

t.test('bytes that are not those of the file: another server, and if none has them a failure', async (t) => {
  const world = await realm(8);
  let lies = 0;
  traffic(world).distort = ({ address }, chunk) => {
    if (!address.includes('s1')) return chunk;
    lies += 1;
    return Buffer.alloc(chunk.length, 'lie');
  };
  t.equal(await range(world, 10 * blockBytes, 12 * blockBytes), text.slice(10 * blockBytes, 12 * blockBytes));
  t.ok(lies > 0);
  traffic(world).distort = (_download, chunk) => Buffer.alloc(chunk.length, 'lie');
  const refused = await failing(range(world, 30 * blockBytes, 31 * blockBytes));
  t.ok(isFailure(refused, 'damaged'), String(refused));
});

t.test('a server that falls silent holds a reader up for a moment only', async (t) => {
  const world = await realm(9);
  const file = await opened(world);
  const chunks = file.read()[Symbol.asyncIterator]();
  await world.finish(Promise.resolve(chunks.next()));
  const [first] = traffic(world).downloads;
  const silent = world.serverNames.find((name) => first?.address.includes(name)) ?? '';
  world.network.cut('g2', silent);
  const before = world.clock.monotonic();
  let bytes = blockBytes;
  const rest = (async () => {
    for (let next = await chunks.next(); next.done !== true; next = await chunks.next())
      bytes += next.value.length;
  })();
  await world.finish(rest);
  t.equal(bytes, length);
  t.ok(world.clock.monotonic() - before < 2500, 'sooner than its link was given up');
  await file.close();
});

t.test(
  'a file larger than the cache can be read in ranges, copied out, replaced and read again',
  async (t) => {
    const cacheBytes = 4 * 1024 * 1024;
    const world = await realm(10, { cacheBytes });
    const g2 = world.gateway('g2');
    const middle = length / 2;
    t.equal(await range(world, middle, middle + 100), text.slice(middle, middle + 100));
    t.equal(await world.finish(get(g2, 'large')), text, 'copied out whole');
    t.ok(g2.state().cache.bytes <= cacheBytes, `${g2.state().cache.bytes} bytes are kept`);
    traffic(world).take();
    await world.finish(put(g2, 'large', text.toLowerCase()));
    t.equal(traffic(world).counts.get('download'), undefined, 'writing needs nothing of what was there');
    await world.clock.advance(10_000);
    t.equal(await world.finish(get(g2, 'large')), text.toLowerCase());
    t.equal(await world.finish(get(world.gateway('g1'), 'large')), text.toLowerCase());
    t.ok(g2.state().cache.bytes <= cacheBytes);
  },
);
