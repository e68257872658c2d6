import fc from 'fast-check';
import type { Test } from 'tap';
import { isFailure } from '../../vice/interface/index.js';
import { endOf, type RangeOptions, type Store } from '../../vice/seam/store.js';

/** A store on an empty disk, and what a restart finds there after `close`. */
export interface StoreUnderTest {
  readonly store: Store;
  reopen(): Promise<Store>;
}

export type MakeStore = (t: Test) => Promise<StoreUnderTest>;

/** What every Store must do (ST-1 to ST-5), whatever it stands on. */
export function storeContract(t: Test, name: string, makeStore: MakeStore): void {
  void t.test(`${name}: a store`, async (t) => {
    await atomicAndDurable(t, makeStore);
    await visibleInOrder(t, makeStore);
    await ordered(t, makeStore);
    await snapshots(t, makeStore);
    await anySchedule(t, makeStore);
  });
}

async function atomicAndDurable(t: Test, makeStore: MakeStore): Promise<void> {
  await t.test('ST-1: a transaction whose work throws changes nothing', async (t) => {
    const { store } = await makeStore(t);
    await put(store, { kept: 'before', other: 'there' });
    const cause = new Error('thought better of it');
    const failing = store.transact((transaction) => {
      transaction.put('kept', bytes('after'));
      transaction.put('new', bytes('never'));
      transaction.remove('other');
      transaction.put('kept', bytes('again'));
      throw cause;
    });
    await t.rejects(failing, cause);
    t.same(contents(store), { kept: 'before', other: 'there' });
    t.equal(await store.transact(() => 42), 42, 'and the store goes on, with the result of the next work');
  });

  await t.test('ST-1: a transaction whose work is asynchronous is refused whole', async (t) => {
    const { store } = await makeStore(t);
    const failing = store.transact(async (transaction) => transaction.put('key', bytes('value')));
    await t.rejects(failing, { message: /synchronous/ });
    t.same(contents(store), {});
  });

  await t.test('ST-2: what was resolved is there after a restart, all of it', async (t) => {
    const { store, reopen } = await makeStore(t);
    await Promise.all(numbers(50).map((number) => put(store, { [`key${number}`]: `value${number}` })));
    await put(store, { key7: 'changed' });
    await store.transact((transaction) => transaction.remove('key8'));
    const before = contents(store);
    await store.close();
    const again = await reopen();
    t.same(contents(again), before);
    t.equal(text(again.get('key7')), 'changed');
    t.equal(again.get('key8'), undefined);
    await again.close();
  });

  await t.test(
    'ST-2: transactions resolve in the order of the calls, also one that writes nothing',
    async (t) => {
      const { store } = await makeStore(t);
      const resolved: number[] = [];
      const work = numbers(10).map(async (number) => {
        await store.transact((transaction) => {
          if (number % 3 !== 0) transaction.put(`key${number}`, bytes('value'));
        });
        resolved.push(number);
      });
      await Promise.all(work);
      t.same(resolved, numbers(10));
    },
  );
}

async function visibleInOrder(t: Test, makeStore: MakeStore): Promise<void> {
  await t.test('ST-3: reads see a transaction whose work has returned, before it is flushed', async (t) => {
    const { store } = await makeStore(t);
    await put(store, { first: 'old', gone: 'old' });
    const pending = store.transact((transaction) => {
      transaction.put('first', bytes('new'));
      transaction.put('second', bytes('new'));
      transaction.remove('gone');
    });
    for (let turn = 0; turn < 5; turn += 1) {
      t.same(contents(store), { first: 'new', second: 'new' });
      t.equal(text(store.get('first')), 'new');
      t.equal(store.get('gone'), undefined);
      await Promise.resolve();
    }
    await pending;
    t.same(contents(store), { first: 'new', second: 'new' });
  });

  await t.test('ST-4: transactions run in the order of the calls and see their own writes', async (t) => {
    const { store } = await makeStore(t);
    const order: string[] = [];
    const inner: Promise<void>[] = [];
    const outer = store.transact((transaction) => {
      inner.push(store.transact((nested) => void order.push('second', text(nested.get('key')))));
      transaction.put('key', bytes('mine'));
      order.push('first', text(transaction.get('key')));
      transaction.remove('key');
      order.push(text(transaction.get('key')));
      transaction.put('key', bytes('yours'));
    });
    inner.push(store.transact(() => void order.push('third')));
    await Promise.all([outer, ...inner]);
    t.same(order, ['first', 'mine', '-', 'second', 'yours', 'third']);
  });

  await t.test('a transaction cannot be used after its work has returned', async (t) => {
    const { store } = await makeStore(t);
    const late = await store.transact((transaction) => transaction);
    t.throws(() => late.put('key', bytes('value')), { message: /after its work function/ });
  });
}

async function ordered(t: Test, makeStore: MakeStore): Promise<void> {
  await t.test('ST-5: keys are ordered by their UTF-8 bytes', async (t) => {
    const { store } = await makeStore(t);
    const keys = [
      'a',
      'a\u0000',
      'a\u0001',
      'aa',
      'b',
      'é',
      'z',
      '\uffee',
      '\u{1f600}',
      '\u{10ffff}',
      '~',
      'ab',
    ];
    await store.transact((transaction) => {
      for (const key of keys) transaction.put(key, bytes(key));
    });
    const sorted = keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    t.same(keysOf(store, { start: '', end: `${endOf('')}!` }), sorted);
    t.same(keysOf(store, { start: '', end: `${endOf('')}!`, reverse: true }), sorted.toReversed());
    t.same(keysOf(store, { start: 'a', end: endOf('a') }), ['a', 'a\u0000', 'a\u0001', 'aa', 'ab']);
  });

  await t.test('ST-5: the longest key and the longest value', async (t) => {
    const { store, reopen } = await makeStore(t);
    const key = `${'ü'.repeat(949)}ab`;
    const value = Buffer.alloc(16 * 1024 * 1024, 7);
    await store.transact((transaction) => transaction.put(key, value));
    t.ok(value.equals(store.get(key) ?? bytes('')));
    t.same(keysOf(store, { start: key, end: endOf(key) }), [key]);
    await store.close();
    const again = await reopen();
    t.ok(value.equals(again.get(key) ?? bytes('')));
    await t.rejects(
      again.transact((transaction) => transaction.put(`${key}x`, value)),
      { message: /longer/ },
    );
    await t.rejects(
      again.transact((transaction) => transaction.remove('')),
      { message: /empty/ },
    );
    await again.close();
  });

  await t.test('an empty value is a value', async (t) => {
    const { store } = await makeStore(t);
    await put(store, { empty: '' });
    t.equal(store.get('empty')?.length, 0);
    t.same(contents(store), { empty: '' });
  });
}

async function snapshots(t: Test, makeStore: MakeStore): Promise<void> {
  await t.test('values are copies, in both directions', async (t) => {
    const { store } = await makeStore(t);
    const given = bytes('value');
    const pending = store.transact((transaction) => transaction.put('key', given));
    given.fill(0);
    store.get('key')?.fill(0);
    const early = store.get('key');
    await pending;
    const [row] = [...store.range({ start: '', end: endOf('') })];
    const late = store.get('key');
    // Enough writing for the pages of these values to be used again.
    for (const number of numbers(40)) await put(store, { key: `${number}`.repeat(2000) });
    t.equal(text(early), 'value');
    t.equal(text(row?.value), 'value');
    t.equal(text(late), 'value');
    late?.fill(0);
    t.equal(text(store.get('key')), '39'.repeat(2000));
  });

  await t.test('ranges: bounds, limits, directions, snapshots', async (t) => {
    const { store } = await makeStore(t);
    await put(store, Object.fromEntries(numbers(10).map((number) => [`k${number}`, `${number}`])));
    t.same(keysOf(store, { start: 'k3', end: 'k6' }), ['k3', 'k4', 'k5']);
    t.same(keysOf(store, { start: 'k3', end: 'k6', reverse: true }), ['k5', 'k4', 'k3']);
    t.same(keysOf(store, { start: 'k3', end: 'k9', limit: 2 }), ['k3', 'k4']);
    t.same(keysOf(store, { start: 'k3', end: 'k9', limit: 2, reverse: true }), ['k8', 'k7']);
    t.same(keysOf(store, { start: 'k6', end: 'k3' }), []);
    t.same(keysOf(store, { start: 'k3', end: 'k3' }), []);
    t.same(keysOf(store, { start: 'k3', end: 'k9', limit: 0 }), []);
    const snapshot = store.range({ start: 'k3', end: 'k6' });
    await store.transact((transaction) => {
      for (const { key } of transaction.range({ start: 'k', end: endOf('k') })) transaction.remove(key);
    });
    t.same(contents(store), {}, 'what a range gives may be removed while it is walked');
    t.same(
      [...snapshot].map((row) => row.key),
      ['k3', 'k4', 'k5'],
    );
  });
}

async function anySchedule(t: Test, makeStore: MakeStore): Promise<void> {
  await t.test('any schedule leaves what a sorted map holds', async (t) => {
    const { store, reopen } = await makeStore(t);
    let current = store;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const model = new Map<string, string>();
        await current.transact((transaction) => {
          for (const { key } of transaction.range(everything)) transaction.remove(key);
        });
        const pending: Promise<unknown>[] = [];
        for (const { writes, fails, wait, range } of steps) {
          pending.push(
            current.transact((transaction) => apply(transaction, writes, fails)).catch(mustBePlanned),
          );
          if (!fails) for (const [key, value] of writes) set(model, key, value);
          if (wait) await Promise.all(pending.splice(0));
          sameRows(rowsOf(current, range), modelRange(model, range));
        }
        await Promise.all(pending);
        sameRows(rowsOf(current, everything), modelRange(model, everything));
      }),
      { numRuns: 60 },
    );
    const last = contents(current);
    await current.close();
    current = await reopen();
    t.same(contents(current), last);
    await current.close();
  });
}

/** What a store must do when its disk refuses the next flush: `refuse` arranges that. */
export function storeFailureContract(
  t: Test,
  name: string,
  make: (t: Test) => Promise<{ store: Store; refuse: () => void }>,
): void {
  void t.test(`${name}: a flush that fails undoes all that hangs on it, and the store goes on`, async (t) => {
    const { store, refuse } = await make(t);
    await put(store, { key: 'durable' });
    refuse();
    const first = put(store, { key: 'lost' });
    const second = put(store, { other: 'shares its flush' });
    await Promise.resolve();
    const third = put(store, { third: 'ran while it was under way' });
    t.equal(text(store.get('key')), 'lost');
    const outcomes = await Promise.allSettled([first, second, third]);
    for (const outcome of outcomes) {
      t.ok(outcome.status === 'rejected' && isFailure(outcome.reason, 'no-space'));
    }
    t.same(contents(store), { key: 'durable' });
    await put(store, { key: 'later' });
    t.same(contents(store), { key: 'later' });
  });
}

const everything: RangeOptions = { start: '', end: endOf('') };
const planned = new Error('planned');

const key = fc.oneof(
  fc.constantFrom('a', 'ab', 'b', 'é', '\uffee', '\u{1f600}'),
  fc.string({ minLength: 1, maxLength: 3 }),
);
const value = fc.option(fc.string({ maxLength: 5 }), { nil: undefined });
const bound = fc.oneof(key, fc.constant(''), fc.constant(endOf('')));
const step = fc.record({
  writes: fc.array(fc.tuple(key, value), { maxLength: 5 }),
  fails: fc.boolean(),
  wait: fc.boolean(),
  range: fc.record(
    { start: bound, end: bound, limit: fc.nat(6), reverse: fc.boolean() },
    { requiredKeys: ['start', 'end'] },
  ),
});

type Write = readonly [string, string | undefined];

function apply(
  transaction: Parameters<Parameters<Store['transact']>[0]>[0],
  writes: Write[],
  fails: boolean,
): void {
  const model = new Map(rowsOf(transaction, everything));
  for (const [key, value] of writes) {
    if (value === undefined) transaction.remove(key);
    else transaction.put(key, bytes(value));
    set(model, key, value);
  }
  sameRows(rowsOf(transaction, everything), modelRange(model, everything));
  if (fails) throw planned;
}

function mustBePlanned(error: unknown): void {
  if (error !== planned) throw error;
}

function set(model: Map<string, string>, key: string, value: string | undefined): void {
  if (value === undefined) model.delete(key);
  else model.set(key, value);
}

function modelRange(model: Map<string, string>, options: RangeOptions): [string, string][] {
  const start = Buffer.from(options.start);
  const end = Buffer.from(options.end);
  const rows = [...model]
    .filter(
      ([key]) => Buffer.compare(Buffer.from(key), start) >= 0 && Buffer.compare(Buffer.from(key), end) < 0,
    )
    .sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  return (options.reverse === true ? rows.reverse() : rows).slice(0, options.limit ?? Infinity);
}

function sameRows(found: readonly [string, string][], expected: readonly [string, string][]): void {
  if (JSON.stringify(found) === JSON.stringify(expected)) return;
  throw new Error(`found ${JSON.stringify(found)}, expected ${JSON.stringify(expected)}`);
}

function rowsOf(store: Pick<Store, 'range'>, options: RangeOptions): [string, string][] {
  return [...store.range(options)].map((row) => [row.key, text(row.value)]);
}

function keysOf(store: Store, options: RangeOptions): string[] {
  return rowsOf(store, options).map(([key]) => key);
}

function contents(store: Store): Record<string, string> {
  return Object.fromEntries(rowsOf(store, everything));
}

function put(store: Store, values: Readonly<Record<string, string>>): Promise<void> {
  return store.transact((transaction) => {
    for (const [key, value] of Object.entries(values)) transaction.put(key, bytes(value));
  });
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function text(value: Uint8Array | undefined): string {
  return value === undefined ? '-' : new TextDecoder().decode(value);
}

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}
