import t from 'tap';
import {
  gatewayOf,
  makeFid,
  makeStoreId,
  venusId,
  venusOfAuthor,
  volumeId,
  type Mutation,
  type StoreIdVector,
} from '../../vice/interface/index.js';
import type { LogEntry } from '../log/modify-log.js';
import { nextBatch, recordsOf, type Sender } from './batch.js';

const venus = venusId('00000000000000aa');
const other = venusId('00000000000000bb');
const former = venusId('00000000000000cc');
const volume = volumeId('7f000001');
if (venus === undefined || other === undefined || former === undefined || volume === undefined)
  throw new Error('bad ids');
const gateway = venus;
const ours: readonly string[] = [venus, former];
const root = makeFid(volume, 1, venus);
const file = (vnode: number): ReturnType<typeof makeFid> => makeFid(volume, vnode, venus);

/** Of the log, what is in none of the batches. */
const nothingElse = { touching: () => [] };

function create(counter: number, base: StoreIdVector, vnode = counter): Mutation {
  return {
    op: 'create',
    storeId: makeStoreId(venus as NonNullable<typeof venus>, counter),
    time: 0,
    author: 'ann',
    host: 'gateway',
    base: { [root]: base },
    parent: root,
    name: `f${vnode}`,
    fid: file(vnode),
    mode: 0o644,
  };
}

function here(known: Sender['known']): Sender {
  return { known, isOurs: (each) => ours.map(gatewayOf).includes(gatewayOf(each)) };
}

function entry(sequence: number, records: readonly Mutation[], acknowledged = false): LogEntry {
  return {
    sequence,
    volume: volume as NonNullable<typeof volume>,
    records,
    appliedBy: [],
    acknowledged,
    offered: true,
  };
}

t.test('our own earlier updates count as seen, whoever had seen them when the record was written', (t) => {
  // Two creates were prepared side by side: the second does not know of the first.
  const batch = [entry(1, [create(10, { [other]: 3 })]), entry(2, [create(11, { [other]: 3 })])];
  const [first, second] = recordsOf(
    batch,
    nothingElse,
    here(() => ({ [venus]: 7, [other]: 5 })),
  );
  t.same(first?.base[root], { [other]: 3, [venus]: 7 }, 'what we did before; not what others did since');
  t.same(second?.base[root], { [other]: 3, [venus]: 10 }, 'and what stands before it in the batch');
  t.end();
});

t.test('a record that is sent again keeps the base it was sent with', (t) => {
  const record = create(10, { [venus]: 7 });
  const [again] = recordsOf(
    [entry(1, [record], true)],
    nothingElse,
    here(() => ({ [venus]: 12 })),
  );
  t.same(
    again?.base[root],
    { [venus]: 7 },
    'a replica that has not got it must not be asked for what came later',
  );
  t.end();
});

t.test('of what is only named, what went from the log is not asked for', async (t) => {
  const named = {
    [file(21)]: { [venus]: 9, [other]: 3 },
    [file(22)]: { [venus]: 8 },
    [file(23)]: { [other]: 1 },
    [file(24)]: { [former]: 6, [other]: 1 },
  };
  const record = create(10, { [venus]: 9 });
  const logged = entry(1, [{ ...record, base: { ...record.base, ...named } }], true);
  const cached = new Map([
    [root, { [venus]: 10 }],
    [file(21), { [venus]: 4, [other]: 7 }],
    [file(24), { [former]: 5, [other]: 1 }],
  ]);
  const [sent] = recordsOf(
    [logged],
    nothingElse,
    here((fid) => cached.get(fid)),
  );
  t.same(sent?.base, {
    [root]: { [venus]: 9 },
    [file(21)]: { [venus]: 4, [other]: 3 },
    [file(23)]: { [other]: 1 },
    [file(24)]: { [former]: 5, [other]: 1 },
  });
  cached.set(file(21), {});
  t.same(
    recordsOf(
      [logged],
      nothingElse,
      here((fid) => cached.get(fid)),
    )[0]?.base[file(21)],
    { [other]: 3 },
  );
});

t.test('what another user has done and no server has is not claimed, unless it goes along', (t) => {
  const anns = venusOfAuthor(gateway, 'ann');
  const bobs = venusOfAuthor(gateway, 'bob');
  const by = (venusId: typeof anns, counter: number, base: StoreIdVector): Mutation => {
    return { ...create(counter, base), storeId: makeStoreId(venusId, counter) };
  };
  const [first, second] = [
    entry(1, [by(anns, 5, { [anns]: 3 })], true),
    entry(2, [by(anns, 6, { [anns]: 5 })], true),
  ];
  const seen = { [other]: 9, [anns]: 6, [bobs]: 4 };
  const later = entry(3, [by(bobs, 7, seen)], true);
  const claimed = (log: readonly LogEntry[], ...batch: readonly LogEntry[]): StoreIdVector | undefined =>
    recordsOf(
      batch,
      { touching: () => log },
      here(() => seen),
    ).at(-1)?.base[root];
  t.same(claimed([first, second, later], later), { ...seen, [anns]: 3 }, 'what came before it');
  t.same(claimed([first, second, later], first, later), { ...seen, [anns]: 5 });
  t.same(claimed([first, second, later], first, second, later), seen);
  const applied = [{ ...first, appliedBy: ['r1'] }, second, later];
  t.same(claimed(applied, later), { ...seen, [anns]: 5 }, 'a server has the first');
  const under = { ...second, records: [by(anns, 6, {})], acknowledged: false };
  t.same(claimed([{ ...first, appliedBy: ['r1'] }, under], later), seen, 'nobody has seen what is under way');
  const live = { ...later, acknowledged: false };
  t.same(claimed([first, second, live], live), { ...seen, [anns]: 3 }, 'also of a change whose author waits');
  const [fresh] = [entry(1, [by(anns, 5, {})], true)];
  t.same(claimed([fresh, later], later), { [other]: 9, [bobs]: 4 }, 'she had not changed it before');
  t.end();
});

t.test('what its author was told is done goes out settled, and only that', (t) => {
  const batch = [entry(1, [create(10, {}), create(11, {})], true), entry(2, [create(12, {})])];
  const sent = recordsOf(
    batch,
    nothingElse,
    here(() => undefined),
  );
  t.same(
    sent.map(({ settled }) => settled),
    [true, true, undefined],
  );
  t.notOk('settled' in (sent[2] ?? {}), 'also in the words that travel');
  t.notOk(
    batch.some(({ records }) => records.some((record) => 'settled' in record)),
    'the log does not say it',
  );
  t.end();
});

t.test('threading adds what we did before; what the author chose stays', (t) => {
  const [shown, left] = [makeStoreId(other, 3), makeStoreId(other, 2)];
  const common = {
    time: 0,
    author: 'ann',
    host: 'gateway',
    base: { [file(1)]: { [other]: 3 } },
    fid: file(1),
  };
  const data = { length: 1, digest: 'd', modified: 1, saved: 2 };
  const store: Mutation = {
    op: 'store',
    storeId: makeStoreId(venus, 10),
    ...common,
    ...data,
    beside: [left],
  };
  const accept = { name: 'report', parent: root };
  const repair: Mutation = {
    op: 'repair',
    storeId: makeStoreId(venus, 11),
    ...common,
    dismiss: [shown],
    accept,
  };
  const sent = recordsOf(
    [entry(1, [store]), entry(2, [repair])],
    nothingElse,
    here(() => ({
      [venus]: 7,
      [other]: 5,
    })),
  );
  t.same(sent, [
    { ...store, base: { [file(1)]: { [other]: 3, [venus]: 7 } } },
    { ...repair, base: { [file(1)]: { [other]: 3, [venus]: 10 } } },
  ]);
  t.end();
});

t.test('a batch is bounded in records and in bytes, and never empty', (t) => {
  const many = Array.from({ length: 60 }, (_, index) =>
    entry(index, [create(2 * index + 1, {}), create(2 * index + 2, {})]),
  );
  t.equal(nextBatch(many).length, 50);
  const huge = entry(
    1,
    Array.from({ length: 200 }, (_, index) => create(index + 1, {})),
  );
  t.equal(nextBatch([huge, ...many]).length, 1);
  const store: Mutation = {
    op: 'store',
    storeId: makeStoreId(venus, 1),
    time: 0,
    author: 'ann',
    host: 'gateway',
    base: {},
    fid: file(1),
    length: 60_000,
    digest: 'd',
    modified: 0,
    saved: 0,
  };
  const bodies = Array.from({ length: 99 }, (_, index) => entry(index, [store]));
  t.equal(nextBatch(bodies).length, Math.floor((512 * 1024) / 60_000));
  const large = Array.from({ length: 9 }, (_, index) => entry(index, [{ ...store, length: 5_000_000 }]));
  t.equal(nextBatch(large).length, 3, 'contents that go before the call');
  t.end();
});
