/** When comparing pays; what a stream of steps says; how far old contents are read; which old contents stay. */
import fc from 'fast-check';
import t from 'tap';
import { scaled } from '../../conformance/test-scale.js';
import { isFailure, type Fid, type VnodeStatus } from '../../vice/interface/index.js';
import { readSteps } from '../../vice/difference/operation-codec.js';
import { silentLog } from '../../vice/seam/log.js';
import { MemoryContainers } from '../../vice/seam/twin/memory-containers.js';
import { seededRandom } from '../../vice/seam/twin/seeded-random.js';
import { ContainerCache } from '../cache/container-cache.js';
import { DifferenceStream } from './difference-stream.js';
import { KnownRecipes, type Held } from './known-recipes.js';
import { StaleContents } from './stale-contents.js';
import { isWorth, leastBytes, type Comparison } from './worth.js';

const mebi = 1024 * 1024;
const noise = (bytes: number, seed: number): Uint8Array => seededRandom(seed).bytes(bytes);

async function openCache(
  limitBytes = 1e9,
): Promise<{ readonly containers: MemoryContainers; readonly cache: ContainerCache }> {
  const containers = new MemoryContainers();
  const options = { containers, limitBytes, isNeeded: () => false, log: silentLog };
  return { containers, cache: await ContainerCache.open(options) };
}

/** Puts contents into the cache. */
async function keep(cache: ContainerCache, bytes: Uint8Array): Promise<Held> {
  const spool = await cache.spool();
  await spool.write(bytes);
  const held = await spool.commit();
  cache.adopt(held.digest, held.length)();
  await spool.abort();
  return held;
}

class Listener {
  broken = false;
  readonly heard: Uint8Array[] = [];

  async write(bytes: Uint8Array): Promise<void> {
    this.heard.push(bytes);
  }

  get bytes(): number {
    return this.heard.reduce((sum, { length }) => sum + length, 0);
  }

  /** What the steps make of `old`. */
  async applied(old: Uint8Array): Promise<Buffer> {
    const made: Uint8Array[] = [];
    const source = async function* (heard: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
      yield* heard;
    };
    for await (const said of readSteps(source(this.heard), old.length)) {
      made.push(said instanceof Uint8Array ? said : old.subarray(said.offset, said.offset + said.length));
    }
    return Buffer.concat(made);
  }
}

t.test('comparing pays where the link is slower than the processor', async (t) => {
  const large = { mode: 'measured', oldLength: 1e9, newLength: 1e9 } as const;
  const cases: readonly (readonly [what: string, comparison: Comparison, worth: boolean])[] = [
    ['a weak link', { ...large, bytesPerSecond: 40_000 }, true],
    ['a DSL line', { ...large, bytesPerSecond: 5e6 }, true],
    ['a wireless network', { ...large, bytesPerSecond: 30e6 }, true],
    ['a fast network', { ...large, bytesPerSecond: 110e6 }, false],
    ['one machine', { ...large, bytesPerSecond: 2e9 }, false],
    ['nobody knows', { ...large, bytesPerSecond: undefined }, true],
    ['paid by the byte', { ...large, mode: 'always', bytesPerSecond: 2e9 }, true],
    ['switched off', { ...large, mode: 'never', bytesPerSecond: 1 }, false],
    ['a small file', { ...large, newLength: leastBytes - 1, bytesPerSecond: 1 }, false],
    ['an old one that was small', { ...large, oldLength: leastBytes - 1, bytesPerSecond: 1 }, false],
    ['one that has grown a lot', { ...large, oldLength: 1e8, bytesPerSecond: 1 }, false],
    ['one that has shrunk', { ...large, newLength: 3e8, bytesPerSecond: 5e6 }, true],
    ['one that was much longer', { ...large, newLength: 2e6, bytesPerSecond: 5e6 }, false],
  ];
  for (const [what, comparison, worth] of cases) t.equal(isWorth(comparison), worth, what);
});

t.test('a slower link never makes it less worth', async () => {
  const length = fc.integer({ min: 0, max: 1e10 });
  const rate = fc.integer({ min: 1, max: 1e9 });
  fc.assert(
    fc.property(length, length, rate, rate, (oldLength, newLength, one, other) => {
      const worth = (bytesPerSecond: number): boolean =>
        isWorth({ mode: 'measured', oldLength, newLength, bytesPerSecond });
      return !worth(Math.max(one, other)) || worth(Math.min(one, other));
    }),
  );
});

t.test('steps are the body, in whatever pieces it comes', async () => {
  const old = noise(3 * mebi, 1);
  const { cache } = await openCache();
  const held = await keep(cache, old);
  const sizes = fc.array(fc.integer({ min: 1, max: 400_000 }), { minLength: 1, maxLength: 4 });
  const edit = fc.record({
    at: fc.integer({ min: 0, max: old.length }),
    removed: fc.integer({ min: 0, max: mebi }),
    added: fc.integer({ min: 0, max: 300_000 }),
  });
  await fc.assert(
    fc.asyncProperty(sizes, fc.array(edit, { maxLength: 3 }), async (sizes, edits) => {
      let body: Uint8Array = old;
      for (const { at, removed, added } of edits) {
        const parts = [body.subarray(0, at), noise(added, at + 2), body.subarray(at + removed)];
        body = Buffer.concat(parts);
      }
      // New recipes each time: the old contents are read again.
      const stream = new DifferenceStream(new KnownRecipes(cache).open(held), [new Listener()]);
      const listener = new Listener();
      const both = new DifferenceStream(new KnownRecipes(cache).open(held), [listener, new Listener()]);
      for (let at = 0, turn = 0; at < body.length; turn += 1) {
        const piece = body.subarray(at, (at += sizes[turn % sizes.length] ?? 1));
        await stream.write(piece);
        await both.write(piece);
      }
      await both.end();
      await stream.end();
      await Promise.all([stream.close(), both.close()]);
      const moved = edits.reduce((sum, { added }) => sum + added, 0);
      const isWhole = (await listener.applied(old)).equals(body);
      return isWhole && listener.bytes <= moved + (2 * edits.length + 1) * 256 * 1024 + 1000;
    }),
    { numRuns: scaled(20, 4) },
  );
});

t.test('what was taken out of the file, however long, is found again', async (t) => {
  // Scaled down by the chunk: 100 MiB are taken out of the beginning, and the reader begins 64 MiB ahead.
  const old = Buffer.concat([noise(100 * mebi, 5), noise(8 * mebi, 6)]);
  const { cache } = await openCache();
  const held = await keep(cache, old);
  const body = old.subarray(100 * mebi);
  const listener = new Listener();
  const stream = new DifferenceStream(new KnownRecipes(cache).open(held), [listener]);
  for (let at = 0; at < body.length; at += mebi) await stream.write(body.subarray(at, at + mebi));
  await stream.end();
  await stream.close();
  t.ok((await listener.applied(old)).equals(body));
  t.ok(listener.bytes < 3.5 * mebi, `${listener.bytes} bytes`);
});

t.test('a body that all have stopped to listen to is not compared any more', async (t) => {
  const { cache } = await openCache();
  const held = await keep(cache, noise(2 * mebi, 1));
  const recipes = new KnownRecipes(cache);
  const listener = new Listener();
  const stream = new DifferenceStream(recipes.open(held), [listener]);
  await stream.write(noise(mebi, 2));
  const heard = listener.bytes;
  listener.broken = true;
  await stream.write(noise(mebi, 3));
  t.equal(listener.bytes, heard);
  t.equal(stream.recipe(2 * mebi), undefined, 'and its recipe is not known');
  await stream.close();
});

t.test('old contents that are damaged are common up to there', async (t) => {
  const { cache, containers } = await openCache();
  const old = noise(3 * mebi, 1);
  const held = await keep(cache, old);
  containers.damage(held.digest, 2 * mebi);
  const recipes = new KnownRecipes(cache);
  const contents = recipes.open(held);
  await contents.upTo(Infinity);
  t.ok(contents.index.bytes > mebi && contents.index.bytes <= 2 * mebi, `${contents.index.bytes}`);
  await contents.close();
  const again = await recipes.of(held).catch((error: unknown) => isFailure(error, 'not-found'));
  t.equal(again, true, 'no recipe is remembered of it');
});

t.test('a recipe is made once, and old contents are read no further than needed', async (t) => {
  const { cache, containers } = await openCache();
  const held = await keep(cache, noise(4 * mebi, 1));
  const recipes = new KnownRecipes(cache);
  const contents = recipes.open(held);
  await contents.upTo(mebi);
  t.ok(contents.index.bytes >= mebi && contents.index.bytes < 2 * mebi, `${contents.index.bytes}`);
  await contents.upTo(Infinity);
  t.equal(contents.index.bytes, 4 * mebi);
  await contents.close();
  await containers.remove(held.digest);
  t.equal((await recipes.of(held)).bytes, 4 * mebi, 'it is remembered');
  const again = recipes.open(held);
  t.equal(again.index.bytes, 4 * mebi);
  await again.close();
});

function file(name: string, held: Held | null): VnodeStatus {
  // Nothing else of a status is looked at.
  return { fid: name as Fid, data: held } as unknown as VnodeStatus;
}

t.test('an old version stays until the new one has come', async (t) => {
  const { cache } = await openCache(6 * mebi);
  const old = await keep(cache, noise(2 * mebi, 1));
  const stale = new StaleContents(cache, 6 * mebi);
  const next = { digest: 'f'.repeat(64), length: 2 * mebi };
  const later = { digest: 'e'.repeat(64), length: 2 * mebi };
  stale.replaced(file('a', old), file('a', next));
  for (let index = 0; index < 5; index += 1) await keep(cache, noise(2 * mebi, 10 + index));
  await cache.setLimit(0);
  t.ok(cache.has(old.digest), 'whatever comes meanwhile');
  t.match(stale.of('a' as Fid), old);
  stale.replaced(file('a', next), file('a', later));
  t.match(stale.of('a' as Fid), old, 'a version that was never here changes nothing');
  stale.release('a' as Fid);
  await cache.setLimit(0);
  t.notOk(cache.has(old.digest));
  t.equal(stale.of('a' as Fid), undefined);
});

t.test('old versions do not fill the cache', async (t) => {
  const { cache } = await openCache(9 * mebi);
  const stale = new StaleContents(cache, 9 * mebi);
  const next = { digest: 'f'.repeat(64), length: 2 * mebi };
  const old: Held[] = [];
  for (const [index, name] of ['a', 'b', 'c'].entries()) {
    old.push(await keep(cache, noise(2 * mebi, index)));
    stale.replaced(file(name, old[index] ?? null), file(name, next));
  }
  const huge = await keep(cache, noise(5 * mebi, 9));
  stale.replaced(file('huge', huge), file('huge', next));
  await cache.setLimit(0);
  const kept = [...old, huge].map(({ digest }) => cache.has(digest));
  t.same(kept, [false, true, true, false], 'at most half of it');
  t.equal(stale.of('huge' as Fid), undefined);
  await cache.setLimit(9 * mebi);
  const small = await keep(cache, noise(1000, 1));
  stale.replaced(file('small', small), file('small', next));
  t.equal(stale.of('small' as Fid), undefined, 'what is not compared need not stay');
  stale.replaced(file('b', null), file('b', next));
  t.match(stale.of('b' as Fid), old[1]);
});
