import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { clockContract } from '../../conformance/suites/clock.js';
import { randomContract } from '../../conformance/suites/random.js';
import { storeContract, storeFailureContract } from '../../conformance/suites/store.js';
import { isFailure } from '../interface/index.js';
import type { LogFields } from './log.js';
import { compareKeys, OrderedMap } from './ordered-map.js';
import { openLmdbStore } from './real/lmdb-store.js';
import { pinoLog } from './real/pino-log.js';
import { systemClock } from './real/system-clock.js';
import { systemRandom } from './real/system-random.js';
import type { Store } from './store.js';
import { MemoryStore } from './twin/memory-store.js';
import { seededRandom } from './twin/seeded-random.js';
import { SimulatedClock } from './twin/simulated-clock.js';

storeContract(t, 'lmdb', async (t) => {
  const folder = t.testdir();
  const store = await openLmdbStore(folder);
  t.teardown(() => store.close());
  return { store, reopen: () => openLmdbStore(folder) };
});

storeContract(t, 'memory', async () => {
  const store = new MemoryStore();
  return { store, reopen: async () => store.reopen() };
});

storeFailureContract(t, 'memory', async () => {
  const store = new MemoryStore();
  return { store, refuse: () => store.failNext('no-space') };
});

clockContract(t, 'system', () => {
  const clock = systemClock();
  return { clock, pass: (milliseconds) => new Promise((resolve) => void clock.after(milliseconds, resolve)) };
});

clockContract(t, 'simulated', () => {
  const clock = new SimulatedClock();
  return { clock, pass: (milliseconds) => clock.advance(milliseconds) };
});

randomContract(t, 'system', systemRandom);
randomContract(t, 'seeded', () => seededRandom(7));

void t.test('a store folder', async (t) => {
  await t.test('is made with all folders above it, for its owner only', async (t) => {
    const folder = join(t.testdir(), 'a', 'b', 'store');
    const store = await openLmdbStore(folder);
    await write(store, 'key', 'value');
    await store.close();
    t.throws(() => store.get('key'), { message: /closed/ });
    t.same(readdirSync(folder).sort(), ['data.mdb', 'format', 'lock.mdb']);
    t.equal(readFileSync(join(folder, 'format'), 'utf8'), 'coda-store 2\n');
    await t.rejects(
      store.transact(() => undefined),
      { message: /closed/ },
    );
  });

  await t.test('says where it is: elsewhere is a copy of it, and not what was only moved', async (t) => {
    const above = t.testdir();
    const placeIn = async (folder: string): Promise<string> => {
      const store = await openLmdbStore(join(above, folder));
      await store.close();
      return store.place;
    };
    const place = await placeIn('first');
    t.equal(await placeIn('first'), place);
    renameSync(join(above, 'first'), join(above, 'moved'));
    t.equal(await placeIn('moved'), place);
    cpSync(join(above, 'moved'), join(above, 'copy'), { recursive: true, preserveTimestamps: true });
    t.not(await placeIn('copy'), place);
    t.equal(await placeIn('moved'), place);
  });

  await t.test('belongs to one opener at a time', async (t) => {
    const folder = t.testdir();
    const store = await openLmdbStore(folder);
    const refusal = await outcomeOf(openLmdbStore(folder));
    t.ok(isFailure(refusal, 'invalid') && refusal.message.includes(`process ${process.pid}`));
    await store.close();
    await (await openLmdbStore(folder)).close();
  });

  await t.test(
    'is refused while another process lives that has it open, and taken over once it is killed',
    async (t) => {
      const folder = t.testdir();
      const script = `import(${JSON.stringify(new URL('./real/lmdb-store.js', import.meta.url).href)})
      .then(({ openLmdbStore }) => openLmdbStore(${JSON.stringify(folder)}))
      .then((store) => store.transact((transaction) => transaction.put('key', Buffer.from('theirs'))))
      .then(() => { console.log('open'); setInterval(() => {}, 1000); });`;
      const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      t.teardown(() => child.kill('SIGKILL'));
      await once(child.stdout, 'data');
      const refusal = await outcomeOf(openLmdbStore(folder));
      t.ok(isFailure(refusal, 'invalid') && refusal.message.includes(`process ${child.pid}`));
      child.kill('SIGKILL');
      await once(child, 'close');
      const store = await openLmdbStore(folder);
      t.equal(Buffer.from(store.get('key') ?? []).toString(), 'theirs');
      await store.close();
    },
  );

  await t.test('is not lost to another process that has been given the number of a killed one', async (t) => {
    for (const claim of [
      `${process.pid} elsewhere/1`,
      `${process.ppid} elsewhere/1`,
      '4194305 x/1',
      'torn',
    ]) {
      const folder = t.testdir({ format: 'coda-store 1\n', 'in-use': t.fixture('symlink', claim) });
      const store = await openLmdbStore(folder);
      await store.close();
    }
  });

  await t.test(
    'of an older version is marked with this one, which the older program then refuses',
    async (t) => {
      const folder = t.testdir({ format: 'coda-store 1\n' });
      const store = await openLmdbStore(folder);
      await store.close();
      t.equal(readFileSync(join(folder, 'format'), 'utf8'), 'coda-store 2\n');
    },
  );

  await t.test('of another kind or of a newer version is refused, and says what to do', async (t) => {
    const refusals = [
      [{ format: 'coda-store 3\n' }, /start the newer version/],
      [{ format: 'coda-containers 1\n' }, /something else/],
      [{ format: '' }, /something else/],
      [{ 'thesis.txt': 'years of work' }, /thesis\.txt/],
    ] as const;
    for (const [files, message] of refusals) {
      const folder = t.testdir(files);
      const refusal = await outcomeOf(openLmdbStore(folder));
      t.ok(isFailure(refusal, 'incompatible') && message.test(refusal.message), `${message}`);
      t.same(readdirSync(folder), Object.keys(files), 'and is left as it was');
    }
  });

  await t.test('that cannot be one is refused with the reason', async (t) => {
    const folder = t.testdir({ file: '' });
    for (const [path, message] of [
      ['file', /it is a file/],
      ['file/store', /above it is a file/],
    ] as const) {
      const refusal = await outcomeOf(openLmdbStore(join(folder, path)));
      t.ok(isFailure(refusal, 'invalid') && message.test(refusal.message), String(refusal));
    }
  });

  await t.test('whose file is overwritten or cut short is refused, not read', async (t) => {
    const folder = t.testdir();
    const store = await openLmdbStore(folder);
    for (const key of ['a', 'b', 'c']) await write(store, key, key.repeat(100_000));
    await store.close();
    const path = join(folder, 'data.mdb');
    const whole = readFileSync(path);
    const harmed = [
      Buffer.alloc(16384, 1),
      whole.subarray(0, 5000),
      whole.subarray(0, 8192),
      whole.fill(0, 0, 4096),
    ];
    for (const contents of harmed) {
      writeFileSync(path, contents);
      const refusal = await outcomeOf(openLmdbStore(folder));
      t.ok(isFailure(refusal, 'damaged') && /Restore it/.test(refusal.message), String(refusal));
    }
    writeFileSync(path, '');
    await (await openLmdbStore(folder)).close();
  });
});

void t.test('the memory store', async (t) => {
  await t.test('keeps over a crash what was flushed, and only that', async (t) => {
    const clock = new SimulatedClock();
    const store = new MemoryStore({ clock, flushMs: 10 });
    await clock.until(write(store, 'key', 'flushed'));
    let answered = false;
    void write(store, 'key', 'unflushed').then(() => (answered = true));
    await clock.advance(5);
    const after = store.crash();
    await clock.advance(100);
    t.equal(Buffer.from(after.get('key') ?? []).toString(), 'flushed');
    t.notOk(answered);
    await clock.until(write(after, 'key', 'again'));
    t.equal(Buffer.from(after.crash().get('key') ?? []).toString(), 'again');
  });

  await t.test('a flush under way may have reached the disk although nobody was told', async (t) => {
    const clock = new SimulatedClock();
    const store = new MemoryStore({ clock, flushMs: 10 });
    await clock.until(write(store, 'key', 'before'));
    let answered = false;
    void write(store, 'key', 'after').then(() => (answered = true));
    await clock.advance(5);
    const after = store.crash(true);
    await clock.advance(100);
    t.notOk(answered);
    t.equal(Buffer.from(after.get('key') ?? []).toString(), 'after');
    t.equal(after.bytes, 'key'.length + 'after'.length);
  });

  await t.test(
    'a flush that fails in doubt is there after a restart, or not; until then nothing is',
    async (t) => {
      for (const isThere of [true, false]) {
        const store = new MemoryStore();
        await write(store, 'key', 'before');
        store.failNext('in-doubt');
        for (const value of ['after', 'later']) {
          const [outcome] = await Promise.allSettled([write(store, 'key', value)]);
          t.ok(outcome.status === 'rejected' && isFailure(outcome.reason, 'damaged'));
        }
        t.ok(store.isBroken);
        const after = store.crash(isThere);
        t.equal(Buffer.from(after.get('key') ?? []).toString(), isThere ? 'after' : 'before');
        await write(after, 'key', 'mended');
      }
    },
  );

  await t.test('a disk that is mended fails no more', async (t) => {
    const store = new MemoryStore();
    store.failNext('damaged');
    store.mend();
    await write(store, 'key', 'value');
    t.equal(Buffer.from(store.get('key') ?? []).toString(), 'value');
  });

  await t.test('can be made to fail at a later flush, and to have no room', async (t) => {
    const store = new MemoryStore();
    store.failNext('damaged', 1, 1);
    await write(store, 'first', 'value');
    const [second] = await Promise.allSettled([write(store, 'second', 'value')]);
    t.ok(second.status === 'rejected' && isFailure(second.reason, 'damaged'));
    store.leave('third'.length + 'value'.length);
    await write(store, 'third', 'value');
    const [fourth] = await Promise.allSettled([write(store, 'fourth', 'value')]);
    t.ok(fourth.status === 'rejected' && isFailure(fourth.reason, 'no-space'));
    store.mend();
    await write(store, 'fourth', 'value');
  });

  await t.test('transactions that wait for one flush share the next', async (t) => {
    const clock = new SimulatedClock();
    const store = new MemoryStore({ clock, flushMs: 10 });
    const started = clock.monotonic();
    const first = write(store, 'first', 'value');
    await clock.advance(1);
    const others = Array.from({ length: 50 }, (_, index) => write(store, `${index}`, 'value'));
    await clock.until(Promise.all([first, ...others]));
    t.equal(clock.monotonic() - started, 20);
  });

  await t.test('refuses what exceeds its capacity, and takes what fits', async (t) => {
    const store = new MemoryStore({ capacity: 20 });
    await write(store, 'key', 'ten bytes.');
    t.ok(isFailure(await outcomeOf(write(store, 'more', 'ten bytes.')), 'no-space'));
    await write(store, 'key', 'still fits');
    await store.transact((transaction) => transaction.remove('key'));
    await write(store, 'more', 'ten bytes.');
  });
});

void t.test('the simulated clock', async (t) => {
  await t.test('is set to another date without any timer noticing', async (t) => {
    const clock = new SimulatedClock(1000);
    t.equal(clock.wall(), 1000);
    const ran: number[] = [];
    clock.after(50, () => ran.push(clock.monotonic()));
    clock.setWall(0);
    await clock.advance(100);
    t.equal(clock.wall(), 100);
    t.same(ran, [50]);
  });

  await t.test('runs what timers set, and lets promises settle between them', async (t) => {
    const clock = new SimulatedClock();
    const story: string[] = [];
    const tick = async (count: number): Promise<void> => {
      for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
      story.push(`tick ${count} at ${clock.monotonic()}`);
      if (count < 3) clock.after(10, () => void tick(count + 1));
    };
    clock.after(10, () => void tick(1));
    clock.after(20, () => story.push('between'));
    await clock.advance(100);
    t.same(story, ['tick 1 at 10', 'between', 'tick 2 at 20', 'tick 3 at 30']);
    t.equal(clock.pending, 0);
    t.equal(clock.monotonic(), 100);
  });

  await t.test('waits for a promise from timer to timer, and says when nothing can settle it', async (t) => {
    const clock = new SimulatedClock();
    const late = new Promise<string>((resolve) => void clock.after(86_400_000, () => resolve('done')));
    await t.rejects(clock.until(late), { message: /has not settled/ });
    t.equal(await clock.until(late, 100_000_000), 'done');
    await t.rejects(clock.until(new Promise(() => {})), { message: /no timer/ });
  });
});

void t.test(
  'seeded random numbers are the same for the same seed, and far apart for neighbours',
  async (t) => {
    const draws = (seed: number): string => Buffer.from(seededRandom(seed).bytes(32)).toString('hex');
    t.equal(draws(1), draws(1));
    const seeds = [0, 1, 2, -1, 2 ** 31, 2 ** 32, 2 ** 32 + 1, 2 ** 40];
    t.equal(new Set(seeds.map(draws)).size, seeds.length);
    t.match(draws(1), /^[0-9a-f]{64}$/);
  },
);

void t.test('an ordered map with many leaves, of which some become empty', async (t) => {
  const map = new OrderedMap<number>();
  const random = seededRandom(3);
  const model = new Map<string, number>();
  for (let step = 0; step < 30_000; step += 1) {
    if (step === 20_000) {
      const emptied = [...model.keys()].filter((key) => /^[3-6]/.test(key));
      for (const key of emptied) {
        map.delete(key);
        model.delete(key);
      }
    }
    const key = `${Math.floor(random.fraction() * 8000)}`;
    if (random.fraction() < 0.35) {
      map.delete(key);
      model.delete(key);
    } else {
      map.set(key, step);
      model.set(key, step);
    }
  }
  const sorted = [...model].sort(([a], [b]) => compareKeys(a, b));
  t.equal(map.size, model.size);
  t.same([...map.entries()], sorted);
  const inside = sorted.filter(([key]) => compareKeys(key, '2') >= 0 && compareKeys(key, '77') < 0);
  t.same([...map.range({ start: '2', end: '77' })], inside);
  t.same([...map.range({ start: '2', end: '77', reverse: true })], inside.toReversed());
});

void t.test('the log says what it was told, but no secrets', async (t) => {
  const lines: string[] = [];
  const log = pinoLog({
    level: 'info',
    name: 'vice',
    destination: { write: (line) => void lines.push(line) },
  });
  log.debug('not at this level');
  log.info('opened', { volume: '7f000001' });
  log.warn('refused', { password: 'hunter2', peer: { token: 'abc', name: 'gateway' } });
  log.error('failed', { error: new Error('broken') });
  const [opened, refused, failed] = lines.map((line) => JSON.parse(line) as LogFields);
  t.match(opened, { name: 'vice', level: 30, msg: 'opened', volume: '7f000001' });
  t.match(refused, { msg: 'refused', peer: { name: 'gateway' } });
  t.match(failed, { msg: 'failed', error: { message: 'broken', stack: /store\.test/ } });
  t.notMatch(lines.join(''), /hunter2|abc/);
  t.equal(lines.length, 3);
});

function write(store: Store, key: string, value: string): Promise<void> {
  return store.transact((transaction) => transaction.put(key, Buffer.from(value)));
}

async function outcomeOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    return await promise;
  } catch (error) {
    return error;
  }
}
