/** What Venus keeps on the gateway's disk, over failures and crashes. */
import t from 'tap';
import {
  counterOf,
  Failure,
  seal,
  venusOf,
  venusOfAuthor,
  volumeId,
  type Mutation,
} from '../../vice/interface/index.js';
import { MemoryStore } from '../../vice/seam/twin/memory-store.js';
import { seededRandom } from '../../vice/seam/twin/seeded-random.js';
import { SimulatedClock } from '../../vice/seam/twin/simulated-clock.js';
import { ModifyLog } from '../log/modify-log.js';
import { Identity } from './identity.js';
import { LeaseTable } from './lease-table.js';
import { WriteBuffer } from './write-buffer.js';

const bytes = (text: string): Uint8Array => Buffer.from(text);
const text = (value: Uint8Array | undefined): string | undefined =>
  value === undefined ? undefined : Buffer.from(value).toString();
const pause = async (): Promise<void> => undefined;
const volume = volumeId('7f000001');
if (volume === undefined) throw new Error('bad volume id');

t.test('writes are read back at once, and are one transaction per turn', async (t) => {
  const store = new MemoryStore({});
  const buffer = new WriteBuffer(store);
  buffer.put('a/1', bytes('one'));
  buffer.put('a/2', bytes('two'));
  buffer.put('b', bytes('other'));
  t.equal(text(buffer.get('a/1')), 'one', 'before the flush');
  buffer.remove('a/1');
  t.equal(buffer.get('a/1'), undefined);
  t.same(
    [...buffer.scan('a/')].map(({ key }) => key),
    ['a/2'],
  );
  await buffer.flush();
  t.equal(store.get('a/1'), undefined);
  t.equal(text(store.get('a/2')), 'two');
  buffer.put('a/0', bytes('zero'));
  t.same(
    [...buffer.scan('a/')].map(({ key, value }) => `${key}=${text(value)}`),
    ['a/0=zero', 'a/2=two'],
    'stored and buffered rows in order',
  );
  t.same(
    [...buffer.scan('a/', 1)].map(({ key }) => key),
    ['a/0'],
  );
});

t.test('a walk meets every row once, also those that are written while it goes on', async (t) => {
  const key = (index: number): string => `a/${index.toString().padStart(3, '0')}`;
  const buffer = new WriteBuffer(new MemoryStore({}));
  for (let index = 0; index < 200; index += 1) buffer.put(key(index), bytes('first'));
  buffer.put('b', bytes('another prefix'));
  await buffer.flush();
  for (let index = 0; index < 200; index += 3) buffer.remove(key(index));
  const seen: string[] = [];
  for (const row of buffer.walk('a/')) {
    seen.push(row.key);
    if (seen.length === 10) buffer.put(key(150), bytes('again'));
    if (row.key === key(50)) await buffer.flush();
  }
  const left = Array.from({ length: 200 }, (_, index) => index).filter((at) => at % 3 !== 0 || at === 150);
  t.same(seen, left.map(key), 'each row once, in order, whatever is buffered');
});

t.test(
  'a full disk is told to who waits for the flush; the writes are tried again with the next ones',
  async (t) => {
    const store = new MemoryStore({});
    const buffer = new WriteBuffer(store);
    store.failNext('no-space');
    buffer.put('a', bytes('one'));
    await t.rejects(buffer.flush(), { kind: 'no-space' } as unknown as Error);
    t.equal(text(buffer.get('a')), 'one');
    buffer.put('b', bytes('two'));
    await buffer.flush();
    t.equal(text(store.get('a')), 'one', 'nothing was forgotten');
    t.equal(text(store.get('b')), 'two');
  },
);

t.test('no identifier is made twice, over a crash at any point', async (t) => {
  const clock = new SimulatedClock();
  let store = new MemoryStore({ clock, flushMs: 5 });
  const seen = new Set<number>();
  let venus: string | undefined;
  for (let life = 0; life < 5; life += 1) {
    const opening = Identity.open(new WriteBuffer(store), seededRandom(life), 'here');
    await clock.advance(20);
    const identity = await opening;
    venus ??= identity.venus;
    t.equal(identity.venus, venus, 'the same Venus as before');
    for (let made = 0; made < 1000; made += 1) {
      const id = made % 2 === 0 ? identity.newStoreId('ann') : undefined;
      if (id === undefined) identity.newFid(volume);
      else {
        if (seen.has(counterOf(id))) t.fail(`${id} was made before`);
        seen.add(counterOf(id));
        if (venusOf(id) !== venusOfAuthor(identity.venus, 'ann')) t.fail(`${id} is not hers`);
      }
    }
    store = store.crash();
  }
  t.equal(seen.size, 2500);
});

t.test('two lives of one data folder, one of them on an old copy, make no identifier twice', async (t) => {
  const store = new MemoryStore({});
  const first = await Identity.open(new WriteBuffer(store), seededRandom(1), 'here');
  const made = counterOf(first.newStoreId('ann'));
  const backup = await Identity.open(new WriteBuffer(store.reopen()), seededRandom(2), 'here');
  const lost = Array.from({ length: 100 }, () => counterOf(backup.newStoreId('ann')));
  const restored = await Identity.open(new WriteBuffer(store), seededRandom(3), 'here');
  const own = Array.from({ length: 100 }, () => counterOf(restored.newStoreId('ann')));
  t.same(
    own.filter((counter) => lost.includes(counter)),
    [],
  );
  const again = await Identity.open(new WriteBuffer(store.reopen()), seededRandom(4), 'here');
  const last = counterOf(again.newStoreId('ann'));
  for (const counter of [0, made, ...own, last]) t.ok(again.mayHaveMade(counter), `${counter} is its own`);
  t.notOk(again.mayHaveMade(last + 1), 'not yet');
  for (const counter of lost)
    if (again.mayHaveMade(counter)) t.fail(`${counter} was made by nobody it knows`);
});

t.test('each user has a VenusId of his own; all of them show whose they are', async (t) => {
  const identity = await Identity.open(new WriteBuffer(new MemoryStore({})), seededRandom(1), 'here');
  const other = await Identity.open(new WriteBuffer(new MemoryStore({})), seededRandom(2), 'here');
  const ids = ['ann', 'bob', 'ann', 'bob'].map((author) => identity.newStoreId(author));
  const [anns, bobs, annsSecond, bobsSecond] = ids.map(venusOf);
  t.same([annsSecond, bobsSecond], [anns, bobs]);
  t.equal(new Set([anns, bobs, identity.venus, venusOf(other.newStoreId('ann'))]).size, 4);
  const counters = ids.map(counterOf);
  t.same(
    counters,
    [...counters].sort((a, b) => a - b),
    'later ones are larger, whoever makes them',
  );
  const last = counters.at(-1) ?? 0;
  const known = (venus: string | undefined, counter: number): Record<string, number> => ({
    [venus ?? '']: counter,
  });
  t.notOk(identity.isStranger({ ...known(anns, last), ...known(identity.venus, last) }));
  t.ok(identity.isStranger({ ...known(anns, 1), ...known(bobs, last + 1) }), 'a copy has made it');
  t.ok(identity.isStranger(known(venusOfAuthor(identity.venus, 'never heard of'), last + 1)));
  t.notOk(identity.isStranger(known(other.venus, last + 1)), 'of another gateway');
});

t.test('of what an older program made, which kept no ranges, nothing is strange', async (t) => {
  const store = new MemoryStore({});
  const buffer = new WriteBuffer(store);
  buffer.put('identity', seal({ venus: '00000000000000aa', limit: 300_000 }));
  await buffer.flush();
  const identity = await Identity.open(buffer, seededRandom(1), 'here');
  for (const counter of [1, 100_001, 300_000]) t.ok(identity.mayHaveMade(counter));
  t.notOk(identity.mayHaveMade(300_001));
});

t.test('the log after a crash is what was flushed, in order, and knows what contents it needs', async (t) => {
  const clock = new SimulatedClock();
  const store = new MemoryStore({ clock, flushMs: 5 });
  const buffer = new WriteBuffer(store);
  const log = await ModifyLog.open(buffer, pause);
  const record = (counter: number): Mutation => ({
    op: 'store',
    storeId: `00000000000000aa:${counter}` as Mutation['storeId'],
    time: 0,
    author: 'ann',
    host: 'g1',
    base: {},
    fid: '7f000001.2.aa' as Extract<Mutation, { op: 'store' }>['fid'],
    length: 1,
    digest: counter.toString(16).padStart(64, '0'),
    modified: 0,
    saved: 0,
  });
  const first = log.append(volume, [record(1)], false);
  const second = log.append(volume, [record(2)], true);
  const durable = log.durable();
  await clock.advance(20);
  await durable;
  t.same(log.pending(volume), { records: 2, bytes: 2, local: 1 });
  log.remove(first);
  t.notOk(log.needs(record(1).op === 'store' ? '1'.padStart(64, '0') : ''), 'its contents may go');
  await clock.advance(20);
  log.append(volume, [record(3)], true);
  const crashed = store.crash();
  const after = await ModifyLog.open(new WriteBuffer(crashed), pause);
  t.same(
    [...after.of(volume)].map(({ records }) => records[0]?.storeId),
    ['00000000000000aa:2'],
    'the first was removed, the third not yet flushed',
  );
  t.ok(after.needs('2'.padStart(64, '0')));
  t.equal(after.oldestCounter([record(9)]), 2);
  const entry = after.append(volume, [record(4)], true);
  t.ok(entry.sequence > second.sequence, 'sequence numbers go on');
  after.update({ ...second, offered: true });
  t.same(
    [...after.of(volume)].map(({ sequence }) => sequence),
    [second.sequence, entry.sequence],
    'an entry that changes keeps its place',
  );
  after.keep(second, 'somebody else was faster');
  t.ok(after.needs('2'.padStart(64, '0')), 'what is kept keeps its contents');
  t.same(after.pending(volume), { records: 1, bytes: 1, local: 1 });
  const flushed = after.durable();
  await clock.advance(20);
  await flushed;
  const third = await ModifyLog.open(new WriteBuffer(crashed.reopen()), pause);
  t.same(
    third.kept().map(({ reason }) => reason),
    ['somebody else was faster'],
  );
  third.forget(second.sequence);
  t.notOk(third.needs('2'.padStart(64, '0')));
  t.ok(third.append(volume, [record(5)], true).sequence > entry.sequence);
});

t.test('leases survive a restart; malformed ones are refused', async (t) => {
  const store = new MemoryStore({});
  const clock = new SimulatedClock();
  const leases = new LeaseTable(new WriteBuffer(store), clock);
  const lease = {
    token: 'urn:uuid:1',
    fid: '7f000001.2.aa' as Extract<Mutation, { op: 'store' }>['fid'],
    holder: 'ann',
    ends: 5,
    note: 'x',
  };
  await leases.put(lease);
  await leases.put({ ...lease, token: 'urn:uuid:2' });
  await leases.remove('urn:uuid:2');
  await leases.remove('never there');
  t.same(new LeaseTable(new WriteBuffer(store), clock).all(), [lease]);
  const tooLong = leases.put({ ...lease, note: 'x'.repeat(9000) });
  const failure = await tooLong.catch((error: unknown) => error);
  t.ok(failure instanceof Failure && failure.kind === 'too-large');
});

t.test(
  'a folder that is elsewhere than it was goes on under another VenusId, and knows the former one',
  async (t) => {
    const store = new MemoryStore({});
    const first = await Identity.open(new WriteBuffer(store), seededRandom(1), 'here');
    const made = first.newStoreId('ann');
    const copied = store.reopen('there');
    const copy = await Identity.open(new WriteBuffer(copied), seededRandom(2), copied.place);
    const later = first.newStoreId('ann');
    const other = copy.newStoreId('ann');
    t.not(venusOf(other), venusOf(made));
    t.ok(counterOf(other) > counterOf(made), 'who has seen both ranks them so');
    for (const id of [made, other]) t.ok(copy.isOurs(venusOf(id)));
    t.notOk(first.isOurs(venusOf(other)));
    const [venus, counter] = [venusOf(made), counterOf(later)];
    t.notOk(copy.isStranger({ [venus]: counter }), 'the folder that it is a copy of has made it');
    t.ok(copy.mayHaveMade(counterOf(made), venus));
    const beyond = counterOf(made) + 300_000;
    t.notOk(copy.mayHaveMade(beyond, venus), 'what waits under that name may have been overtaken');
    const restarted = await Identity.open(new WriteBuffer(copied.reopen()), seededRandom(3), 'there');
    t.equal(restarted.venus, copy.venus, 'over restarts where it is now');
    t.ok(restarted.isOurs(venus));
    const moved = await Identity.open(new WriteBuffer(copied.reopen()), seededRandom(4), 'here');
    t.equal(new Set([moved.venus, copy.venus, first.venus]).size, 3, 'back again is elsewhere, too');
  },
);

t.test('the folder of an older program, which did not say where it was, stays what it is', async (t) => {
  const buffer = new WriteBuffer(new MemoryStore({}));
  buffer.put('identity', seal({ venus: '00000000000000aa', limit: 300_000, lives: [[1, 300_000]] }));
  await buffer.flush();
  const identity = await Identity.open(buffer, seededRandom(1), 'here');
  t.equal(identity.venus, '00000000000000aa');
  t.equal((await Identity.open(buffer, seededRandom(1), 'here')).venus, identity.venus);
  t.not((await Identity.open(buffer, seededRandom(1), 'there')).venus, identity.venus);
});
