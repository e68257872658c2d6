/** What stays in a cache that is too small, on a disk that may be even smaller. */
import t from 'tap';
import { silentLog } from '../../vice/seam/log.js';
import { PackedContainers, type ContentRows } from '../../vice/seam/packed-containers.js';
import { MemoryContainers } from '../../vice/seam/twin/memory-containers.js';
import { ContainerCache } from './container-cache.js';
import { walkRequest } from './replacement.js';

const kilobyte = 1024;

interface Stage {
  readonly cache: ContainerCache;
  readonly disk: MemoryContainers;
  /** Digests that the log needs. */
  readonly needed: Set<string>;
  /** Stores contents as a user's open does, and closes them. */
  store(text: string, bytes?: number): Promise<string>;
}

async function stage(limitBytes: number, capacity?: number, packedBytes = 0): Promise<Stage> {
  const disk = new MemoryContainers(capacity === undefined ? {} : { capacity });
  const containers = new PackedContainers({
    ...{ rows: new MemoryRows(), containers: disk, packedBytes, pause: () => Promise.resolve() },
  });
  const needed = new Set<string>();
  const isNeeded = (digest: string): boolean => needed.has(digest);
  const cache = await ContainerCache.open({
    ...{ containers, limitBytes, isNeeded, log: silentLog },
    packed: containers,
  });
  const store = async (text: string, bytes = kilobyte): Promise<string> => {
    const spool = await cache.spool(bytes);
    try {
      await spool.write(Buffer.alloc(bytes, text));
      const { digest, length } = await spool.commit();
      cache.adopt(digest, length)();
      return digest;
    } finally {
      await spool.abort();
      await settled();
    }
  };
  return { cache, disk, needed, store };
}

/** Rows of a store that keeps its room whatever is removed: the disk is not asked for any. */
class MemoryRows implements ContentRows {
  readonly #rows = new Map<string, Uint8Array>();

  get(key: string): Uint8Array | undefined {
    return this.#rows.get(key);
  }

  *walk(prefix: string): Generator<{ readonly key: string; readonly value: Uint8Array }> {
    // As a store reads it, a page at a time: what is removed then is met all the same.
    for (const [key, value] of [...this.#rows]) if (key.startsWith(prefix)) yield { key, value };
  }

  async write(rows: ReadonlyMap<string, Uint8Array | null>): Promise<void> {
    for (const [key, value] of rows) {
      if (value === null) this.#rows.delete(key);
      else this.#rows.set(key, value);
    }
  }
}

/** What goes on in the background has come to its end: nothing here waits for time. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 10; turn += 1) await new Promise((go) => setImmediate(go));
}

t.test(
  'a scan through many files flushes neither what is hoarded nor what people come back to',
  async (t) => {
    const { cache, store } = await stage(64 * kilobyte);
    const hoarded = await store('hoarded');
    const sticky = await store('sticky');
    cache.setHoarded(
      new Map([
        [hoarded, 10],
        [sticky, 1000],
      ]),
    );
    const liked = await store('liked');
    for (let file = 0; file < 80; file += 1) await store(`warm ${file}`);
    if (!cache.has(liked)) t.comment('it had to be fetched again');
    const back = cache.has(liked) ? liked : await store('liked');
    for (let file = 0; file < 70; file += 1) cache.pin(back)();
    for (let file = 0; file < 500; file += 1) await store(`scanned ${file}`);
    t.ok(cache.has(back), 'opened again not long ago');
    for (let file = 500; file < 1500; file += 1) await store(`scanned ${file}`);
    t.ok(cache.has(hoarded), 'hoarded at the default priority');
    t.ok(cache.has(sticky));
    t.ok(cache.bytes <= 64 * kilobyte);
    t.ok(cache.count > 50, 'and nearly all of the room is used');
  },
);

t.test('open, logged and sticky contents stay, whatever comes; what the log has let go, goes', async (t) => {
  const { cache, needed, store } = await stage(16 * kilobyte);
  const [open, logged, sticky] = [await store('open'), await store('logged'), await store('sticky')];
  const close = cache.pin(open);
  needed.add(logged);
  cache.setHoarded(new Map([[sticky, 1000]]));
  for (let file = 0; file < 100; file += 1) await store(`other ${file}`);
  t.same(
    [open, logged, sticky].map((digest) => cache.has(digest)),
    [true, true, true],
  );
  t.same(
    [...cache.all()]
      .filter(({ stay }) => stay !== null)
      .map(({ digest, stay }) => [digest, stay])
      .sort(),
    [
      [open, 'open'],
      [logged, 'logged'],
      [sticky, 'sticky'],
    ].sort(),
  );
  close();
  needed.delete(logged);
  cache.spared(logged);
  for (let file = 0; file < 100; file += 1) await store(`more ${file}`);
  t.same(
    [open, logged, sticky].map((digest) => cache.has(digest)),
    [false, false, true],
  );
});

t.test('room is made before it is needed, and not in vain', async (t) => {
  const { cache, disk, store } = await stage(64 * kilobyte);
  for (let file = 0; file < 64; file += 1) await store(`file ${file}`);
  t.ok(cache.bytes <= 63 * kilobyte, 'a margin is kept free');
  const before = cache.count;
  const spool = await cache.spool(32 * kilobyte);
  t.ok(cache.count <= before - 31, 'there is room before the first byte');
  await spool.abort();
  const left = cache.count;
  await t.rejects(
    cache.spool(40 * kilobyte, walkRequest(9)).then((each) => each.abort()),
    { kind: 'no-space' } as unknown as Error,
  );
  t.equal(
    cache.count,
    left,
    'the walk may not evict what was opened for something hoarded low, so nothing went',
  );
  const huge = await store('huge', 100 * kilobyte);
  t.notOk(cache.has(huge), 'what is longer than the cache passes through it');
  t.equal(cache.count, left, 'and flushes nothing');
  t.equal(disk.digests.length, left);
});

t.test('a disk that is fuller than the limit bounds the cache', async (t) => {
  const { cache, store } = await stage(1e9, 64 * kilobyte);
  const hoarded = await store('hoarded');
  cache.setHoarded(new Map([[hoarded, 1000]]));
  for (let file = 0; file < 100; file += 1) await store(`file ${file}`);
  t.ok(cache.has(hoarded));
  t.ok((await cache.space()) >= kilobyte, 'the disk has room for the next');
  const large = await store('large', 58 * kilobyte);
  t.ok(cache.has(large), 'room was made for it');
  await t.rejects(store('too large', 64 * kilobyte), { kind: 'no-space' } as unknown as Error);
  t.ok(cache.has(large), 'nothing was evicted in vain');
});

t.test('on a disk that others fill small contents stay, which would give it nothing', async (t) => {
  const { cache, disk, store } = await stage(1e9, 1024 * kilobyte, 2 * kilobyte);
  const small: string[] = [];
  const large: string[] = [];
  for (let file = 0; file < 50; file += 1) small.push(await store(`small ${file}`));
  for (let file = 0; file < 4; file += 1) large.push(await store(`large ${file}`, 128 * kilobyte));
  const here = (digests: readonly string[]): number => digests.filter((digest) => cache.has(digest)).length;
  disk.leave(80 * kilobyte);
  const next = await store('next', 180 * kilobyte);
  t.same([here(small), here(large), cache.has(next)], [50, 3, true], 'what goes makes room');
  disk.leave(0);
  await t.rejects(store('too large', 900 * kilobyte), { kind: 'no-space' } as unknown as Error);
  t.same([here(small), here(large)], [50, 3]);
  t.ok((await cache.mostRoom(1e9)) < 570 * kilobyte, 'nor are they counted as room');
  await cache.setLimit(10 * kilobyte);
  t.ok(cache.bytes <= 10 * kilobyte && here(small) < 50, 'for the limit they go in their turn');
});

t.test('a limit that is lowered holds at once, but for what must stay', async (t) => {
  const { cache, store } = await stage(64 * kilobyte);
  const kept = [await store('one'), await store('two')];
  cache.setHoarded(new Map(kept.map((digest) => [digest, 1000])));
  const low = await store('hoarded');
  cache.raiseHoarded(low, 900);
  for (let file = 0; file < 30; file += 1) await store(`file ${file}`);
  await cache.setLimit(2 * kilobyte);
  t.same([...cache.all()].map(({ digest }) => digest).sort(), kept.sort());
  t.equal(cache.limit, 2 * kilobyte);
});

t.test('what shares its contents has the highest of their priorities', async (t) => {
  const { cache, store } = await stage(64 * kilobyte);
  const digest = await store('shared');
  cache.setHoarded(new Map([[digest, 10]]));
  cache.raiseHoarded(digest, 500);
  cache.raiseHoarded(digest, 20);
  t.same(
    [...cache.all()].map(({ hoard }) => hoard),
    [500],
  );
  cache.setHoarded(new Map());
  t.same(
    [...cache.all()].map(({ hoard }) => hoard),
    [0],
  );
});

t.test('contents that are evicted and stored again at the same moment are there', async (t) => {
  const { cache, disk, store } = await stage(16 * kilobyte);
  for (let round = 0; round < 50; round += 1) {
    const digest = await store('same');
    const spool = await cache.spool(kilobyte);
    await spool.write(Buffer.alloc(kilobyte, 'same'));
    // At each moment of the commit.
    const shrink = async (): Promise<void> => {
      for (let step = 0; step < round; step += 1) await Promise.resolve();
      await cache.setLimit(0);
    };
    const shrinking = shrink();
    const [{ length }] = await Promise.all([spool.commit(), shrinking]);
    const release = cache.adopt(digest, length);
    await spool.abort();
    await settled();
    t.equal(disk.digests.includes(digest), cache.has(digest));
    t.ok(cache.has(digest), 'whoever stored it has it');
    release();
    await cache.setLimit(0);
    await cache.setLimit(16 * kilobyte);
  }
});

t.test('small contents are there before they are counted, and go while they are', async (t) => {
  const rows = new MemoryRows();
  let goOn: () => void = () => undefined;
  const containers = new PackedContainers({
    rows,
    containers: new MemoryContainers(),
    packedBytes: kilobyte,
    pause: () => new Promise((resolve) => (goOn = resolve)),
  });
  const digests: string[] = [];
  for (let file = 0; file < 600; file += 1) {
    const spool = await containers.spool();
    await spool.write(Buffer.from(`file ${file}`));
    digests.push((await spool.commit()).digest);
  }
  const cache = await ContainerCache.open({
    ...{ containers, limitBytes: 100 * kilobyte, isNeeded: () => false, log: silentLog, packed: containers },
  });
  const [first = '', last = ''] = [...digests].sort().flatMap((each, at) => (at % 599 === 0 ? [each] : []));
  await settled();
  t.ok(cache.count < 600, 'it is not done yet');
  t.ok(cache.has(last), 'and has what was not met');
  t.equal(
    Buffer.from((await cache.small(last, 8)) ?? [])
      .toString()
      .slice(0, 5),
    'file ',
  );
  await cache.discard(last);
  await cache.discard(first);
  t.notOk(cache.has(last) || cache.has(first), 'what is evicted meanwhile is gone');
  const most = cache.mostRoom(1e9);
  while (cache.count < 598) {
    goOn();
    await settled();
  }
  t.ok((await most) > 0, 'who asks for all of it waits for the end');
  await cache.counted;
  t.equal(cache.count, 598, 'and nothing is met twice');
  t.notOk(cache.has(last) || cache.has(first), 'nor comes back');
});

t.test('a cache that is closed while it counts stops', async (t) => {
  const rows = new MemoryRows();
  let pauses = 0;
  const pause = async (): Promise<void> => void (pauses += 1);
  const world = { rows, containers: new MemoryContainers(), packedBytes: kilobyte, pause };
  const containers = new PackedContainers(world);
  for (let file = 0; file < 2000; file += 1) {
    const spool = await containers.spool();
    await spool.write(Buffer.from(`file ${file}`));
    await spool.commit();
  }
  const cache = await ContainerCache.open({
    ...{ containers, limitBytes: 1e9, isNeeded: () => false, log: silentLog, packed: containers },
  });
  await cache.close();
  t.ok(pauses < 4 && cache.count < 2000);
});
