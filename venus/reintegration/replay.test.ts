/** What the replay of a log decides: who waits for whom, what is refused early, how fast it goes. */
import t from 'tap';
import {
  Failure,
  makeFid,
  makeStoreId,
  venusId,
  venusOfAuthor,
  volumeId,
  type Fid,
  type Mutation,
} from '../../vice/interface/index.js';
import { MemoryStore } from '../../vice/seam/twin/memory-store.js';
import { SimulatedClock } from '../../vice/seam/twin/simulated-clock.js';
import { ModifyLog, type LogEntry } from '../log/modify-log.js';
import { WriteBuffer } from '../store/write-buffer.js';
import { Held } from './held.js';
import { LogBounds } from './log-bounds.js';
import { Replay } from './replay.js';
import type { Volume } from '../volume/volume.js';
import { ReplayMeter } from './replay-meter.js';

const venus = venusId('00000000000000aa');
const volume = volumeId('7f000001');
if (venus === undefined || volume === undefined) throw new Error('bad ids');
const gateway = venus;
const fid = (vnode: number): Fid => makeFid(volume, vnode, venus);
const root = fid(1);

const common = (
  counter: number,
  own?: number,
): Pick<Mutation, 'storeId' | 'time' | 'author' | 'host' | 'base'> => ({
  storeId: makeStoreId(venus, counter),
  time: 0,
  author: 'ann',
  host: 'gateway',
  base: { [root]: own === undefined ? {} : { [venus]: own } },
});
const create = (counter: number, name: string, own?: number): Mutation => {
  return { op: 'create', ...common(counter, own), parent: root, name, fid: fid(counter), mode: 0o644 };
};
const store = (counter: number, file: Fid, length = 10): Mutation => {
  return {
    op: 'store',
    ...common(counter),
    base: {},
    fid: file,
    length,
    digest: `${counter}`,
    modified: 0,
    saved: 0,
  };
};
const remove = (counter: number, name: string): Mutation => {
  return { op: 'remove', ...common(counter), parent: root, name, fid: fid(counter) };
};
const entry = (sequence: number, ...records: readonly Mutation[]): LogEntry => {
  return { sequence, volume, records, appliedBy: [], acknowledged: true, offered: false };
};

t.test('what is held back holds back what touches the same, and nothing else', async (t) => {
  const clock = new SimulatedClock();
  const held = new Held(clock);
  const log = [
    entry(1, store(1, fid(8))),
    entry(2, store(2, fid(2))),
    entry(3, { op: 'chmod', ...common(3), fid: fid(8), mode: 0o600 }),
    entry(4, create(4, 'same directory, later')),
  ];
  t.same([...held.waiting(log, clock.monotonic())], []);
  t.equal(held.nextMs(clock.monotonic()), Infinity);
  const [first] = log;
  if (first === undefined) throw new Error('no entry');
  held.hold(first);
  t.same([...held.waiting(log, clock.monotonic())], [1, 3]);
  t.equal(held.nextMs(clock.monotonic()), 2000);
  await clock.advance(2000);
  t.same([...held.waiting(log, clock.monotonic())], [], 'after a while it is tried again');
  held.hold(first);
  t.equal(held.nextMs(clock.monotonic()), 4000, 'less and less often');
  t.equal(held.tries(1), 2);
  const inDirectory = [entry(1, create(1, 'a')), entry(2, create(2, 'b')), entry(3, store(3, fid(9)))];
  t.same(
    [...held.waiting(inDirectory, clock.monotonic())],
    [1, 2],
    'no name overtakes another one of its directory',
  );
  const atServer = inDirectory.map((each) => ({ ...each, appliedBy: ['s1'] }));
  t.same([...held.waiting(atServer, clock.monotonic())], [1], 'what a server has holds nobody up');
  held.releaseAll();
  t.same([...held.waiting(log, clock.monotonic())], [], 'and at once when a server has come back');
  held.hold(first);
  held.release(1);
  t.same([...held.waiting(log, clock.monotonic())], []);
});

t.test("another user's change that waits holds back what depends on it, and nothing else", (t) => {
  const bob = venusOfAuthor(gateway, 'bob');
  const bobs = (record: Mutation): Mutation => ({
    ...record,
    author: 'bob',
    storeId: makeStoreId(bob, Number(record.storeId.slice(17))),
  });
  const held = new Held(new SimulatedClock());
  const awaits = (author: string): boolean => author === 'ann';
  const waitsFor = (first: Mutation, ...others: readonly Mutation[]): readonly number[] => {
    const log = [first, ...others].map((record, index) => entry(index + 1, record));
    return [...held.waiting(log, 0, awaits)].slice(1);
  };
  const mkdir = (counter: number, name: string): Mutation => {
    return { op: 'mkdir', ...common(counter), parent: root, name, fid: fid(counter), mode: 0o755 };
  };
  t.same(
    waitsFor(create(1, 'a'), bobs(create(2, 'b')), bobs(remove(3, 'c'))),
    [],
    'other names of the folder',
  );
  t.same(waitsFor(create(1, 'a'), bobs(store(2, fid(1)))), [2], 'her file');
  t.same(waitsFor(remove(1, 'a'), bobs(create(2, 'a'))), [2], 'the name that she left');
  const inside = { ...bobs(create(3, 'x')), parent: fid(6), base: { [fid(6)]: {} } } as Mutation;
  t.same(waitsFor(mkdir(6, 'd'), bobs(create(2, 'e')), inside), [3], 'her folder');
  t.same(
    waitsFor(mkdir(6, 'd'), inside, bobs(store(4, fid(3))), bobs(create(5, 'y'))),
    [2, 3],
    'and so on, as far as it goes',
  );
  const list: Mutation = { op: 'setacl', ...common(1), fid: fid(8), list: null };
  const below = { ...bobs(create(2, 'b')), base: { [root]: {}, [fid(8)]: {} } };
  t.same(
    waitsFor(list, below, bobs(create(3, 'c'))),
    [2, 3],
    'the list that may let him; then his own folder',
  );
  t.same(waitsFor(list, bobs(create(3, 'c'))), []);
  t.end();
});

t.test('what was made under a former VenusId holds back what names the same, and nothing else', async (t) => {
  const moved = venusId('00000000000000bb');
  if (moved === undefined) throw new Error('bad id');
  const later = (record: Mutation, ...named: readonly Fid[]): Mutation => ({
    ...record,
    storeId: makeStoreId(moved, 100),
    author: 'bob',
    base: { ...record.base, ...Object.fromEntries(named.map((each) => [each, { [venus]: 1 }])) },
  });
  const held = new Held(new SimulatedClock());
  const waitsFor = (first: Mutation, ...others: readonly Mutation[]): readonly number[] => {
    const log = [first, ...others].map((record, index) => entry(index + 1, record));
    return [...held.waiting(log, 0, (author) => author === 'ann')].slice(1);
  };
  t.same(
    waitsFor(create(1, 'a'), later(create(2, 'b'))),
    [2],
    'its folder: servers count its names as unseen',
  );
  t.same(waitsFor(store(1, fid(8)), later(store(2, fid(9)), fid(8))), [2], 'what it only names, too');
  t.same(waitsFor(store(1, fid(8)), later(store(2, fid(9)), root)), []);
  const log = await ModifyLog.open(new WriteBuffer(new MemoryStore({})), async () => undefined);
  for (const record of [store(1, fid(8)), store(2, fid(9)), later(store(3, fid(7)))])
    log.append(volume, [record], true);
  const member = { replica: 'r1' };
  const group = { id: volume, state: 'reintegrating', writable: [member] } as unknown as Volume;
  const authors = { isKept: false, isLoggedIn: () => true };
  const replay = new Replay(group, { modifyLog: log, clock: new SimulatedClock(), authors });
  t.same(
    replay.next().batch.map(({ sequence }) => sequence),
    [1, 2],
    'and no batch has both',
  );
});

t.test('at any moment an entry either waits, and it is known until when, or it may go', async (t) => {
  const clock = new SimulatedClock();
  const held = new Held(clock);
  const log = [entry(1, store(1, fid(8)))];
  const [only] = log;
  if (only === undefined) throw new Error('no entry');
  held.hold(only);
  await clock.advance(1999);
  for (const now of [clock.monotonic(), clock.monotonic() + 0.999, clock.monotonic() + 1]) {
    const waits = held.waiting(log, now).size > 0;
    t.equal(Number.isFinite(held.nextMs(now)), waits, `at ${now}`);
  }
});

t.test('the log is bounded: early for contents, last for removals and repairs', async (t) => {
  const log = await ModifyLog.open(new WriteBuffer(new MemoryStore({})), async () => undefined);
  const bounds = new LogBounds({ records: 10, bytes: 100 }, log);
  t.throws(() => bounds.check(volume, [store(1, fid(1), 101)]), Failure);
  bounds.check(volume, [store(1, fid(1), 101)], false);
  for (let counter = 1; counter <= 9; counter += 1) log.append(volume, [store(counter, fid(counter))], true);
  bounds.checkContents(volume, 10);
  t.throws(() => bounds.checkContents(volume, 11), /changes with \d+ bytes wait/);
  t.throws(() => bounds.check(volume, [store(10, fid(10), 11)]), Failure);
  t.throws(() => bounds.check(volume, [store(10, fid(10), 11)], false), Failure, 'nor behind what waits');
  bounds.check(volume, [create(10, 'x')]);
  log.append(volume, [create(10, 'x')], true);
  t.throws(() => bounds.check(volume, [create(11, 'y')]), /changes with \d+ bytes wait/);
  bounds.check(volume, [remove(11, 'x')]);
  bounds.check(volume, [{ op: 'repair', ...common(11), fid: fid(8), dismiss: [], accept: null }]);
  log.append(volume, [remove(11, 'x')], true);
  t.throws(() => bounds.check(volume, [remove(12, 'y')]), /changes with \d+ bytes wait/);
});

t.test('the meter says how far the replay is and how fast it goes', async (t) => {
  const clock = new SimulatedClock();
  const meter = new ReplayMeter(clock);
  t.equal(meter.progress, null);
  for (let second = 0; second < 10; second += 1) {
    meter.done(entry(second, store(second + 1, fid(1), 1000), create(second + 100, 'n')));
    await clock.advance(1000);
  }
  t.match(meter.progress, { doneRecords: 20, doneBytes: 10_000 });
  const { recordsPerSecond = 0, bytesPerSecond = 0 } = meter.progress ?? {};
  t.ok(recordsPerSecond > 1 && recordsPerSecond <= 2.5, 'two a second, of late');
  t.ok(bytesPerSecond > 500 && bytesPerSecond <= 1250);
  await clock.advance(60_000);
  t.equal(meter.progress?.recordsPerSecond, 0, 'nothing lately');
  meter.finish();
  t.equal(meter.progress, null);
});
