/** The log at the start of a gateway that has been away for long. */
import t from 'tap';
import { seal, unseal, type Mutation, type VolumeId } from '../../vice/interface/index.js';
import { endOf, type Store } from '../../vice/seam/store.js';
import { MemoryStore } from '../../vice/seam/twin/memory-store.js';
import { WriteBuffer } from '../store/write-buffer.js';
import { ModifyLog } from './modify-log.js';

const volume = '7f000001' as VolumeId;
const pause = async (): Promise<void> => undefined;

function chmod(counter: number): Mutation {
  const fid = `7f000001.${counter + 1}.00000000000000aa` as Mutation['fid'];
  const storeId = `00000000000000aa:${counter}` as Mutation['storeId'];
  return { op: 'chmod', storeId, time: 0, author: 'ann', host: 'g1', base: { [fid]: {} }, fid, mode: 0o600 };
}

async function filled(entries: number, each: number): Promise<Store> {
  const store = new MemoryStore({});
  await fill(store, entries, each);
  return store;
}

/** Logs `entries` entries of `each` records, and keeps every tenth. */
async function fill(store: Store, entries: number, each: number): Promise<void> {
  const log = await ModifyLog.open(new WriteBuffer(store), pause);
  for (let at = 0; at < entries; at += 1) {
    const records = Array.from({ length: each }, (_, index) => chmod(at * each + index + 1));
    const entry = log.append(volume, records, true);
    if (at % 10 === 0) log.keep(entry, 'quota');
  }
  await log.durable();
}

for (const { entries, each } of [
  { entries: 2_000, each: 1 },
  { entries: 40, each: 100 },
]) {
  t.test(`${entries} entries of ${each} records are taken in over many turns`, async (t) => {
    const store = await filled(entries, each);
    let rows = 0;
    const turns: number[] = [];
    const counting: Store = {
      place: store.place,
      isBroken: false,
      get: (key) => store.get(key),
      transact: (work) => store.transact(work),
      close: () => store.close(),
      range(options) {
        const read = [...store.range(options)];
        rows += read.length;
        return read;
      },
    };
    const log = await ModifyLog.open(new WriteBuffer(counting), async () => {
      turns.push(rows);
      rows = 0;
    });
    const most = Math.max(...turns, rows);
    t.ok(most <= 300, `at most ${most} rows are read in one turn`);
    t.ok(turns.length >= (entries * each) / 200, `${turns.length} turns`);
    const { records } = log.pending(volume);
    t.equal(records, entries * each * 0.9, 'all of it is there');
    t.equal(log.keptCount(volume), entries * each * 0.1);
    const all = [...log.all()].map(({ sequence }) => sequence);
    t.same(
      all,
      [...new Set(all)].sort((one, other) => one - other),
      'each entry once, in order',
    );
    t.equal(log.append(volume, [chmod(1)], true).sequence, entries + 1, 'and the next one comes behind them');
  });
}

/** The keys that start with `prefix`. */
function keysOf(store: Store, prefix: string): readonly string[] {
  return [...store.range({ start: prefix, end: endOf(prefix) })].map(({ key }) => key);
}

function sequences(log: ModifyLog): readonly number[] {
  return [
    ...[...log.all()].map(({ sequence }) => sequence),
    ...log.kept().map(({ entry }) => entry.sequence),
  ];
}

t.test('a row that cannot be read is taken from its copy, and written anew (LR-1)', async (t) => {
  for (const damaged of ['l/', 'k/', 'copy/l/', 'copy/k/']) {
    const store = new MemoryStore({});
    await fill(store, 3, 2);
    const before = sequences(await ModifyLog.open(new WriteBuffer(store), pause));
    const [key] = keysOf(store, damaged);
    if (key === undefined) throw new Error(`no ${damaged}`);
    store.damage(key, 0.7);
    const log = await ModifyLog.open(new WriteBuffer(store), pause);
    t.same(sequences(log), before, damaged);
    await log.durable();
    const twin = key.startsWith('copy/') ? key.slice('copy/'.length) : `copy/${key}`;
    t.same(store.get(key), store.get(twin), 'both can be read again');
  }
});

t.test('where neither can be read its reader is told what to do, and nothing is thrown away', async (t) => {
  const store = new MemoryStore({});
  await fill(store, 3, 2);
  const [key] = keysOf(store, 'l/');
  if (key === undefined) throw new Error('no entry');
  for (const each of [key, `copy/${key}`]) store.damage(each, 0.7);
  await t.rejects(ModifyLog.open(new WriteBuffer(store), pause), {
    kind: 'damaged',
    message: /backup/,
  });
  t.equal(keysOf(store, '').length, 6);
});

t.test('a row that a newer program has written is refused with what to do, and stays (LR-2)', async (t) => {
  for (const prefix of ['l/', 'k/']) {
    const store = new MemoryStore({});
    await fill(store, 3, 2);
    const [key] = keysOf(store, prefix);
    if (key === undefined) throw new Error(`no ${prefix}`);
    const newer = seal({ ...(unseal(store.get(key) ?? new Uint8Array()) as object), urgency: 'high' });
    const buffer = new WriteBuffer(store);
    for (const each of [key, `copy/${key}`]) buffer.put(each, newer);
    await buffer.flush();
    await t.rejects(ModifyLog.open(buffer, pause), {
      kind: 'incompatible',
      message: new RegExp(`${key}.*"urgency".*newer program.*backup`),
    });
    await buffer.flush();
    t.same(store.get(key), Buffer.from(newer));
    t.equal(keysOf(store, '').length, 6);
  }
});

t.test('a log without copies, of an older program, gets them; with the entries they go', async (t) => {
  const store = new MemoryStore({});
  await fill(store, 3, 2);
  const buffer = new WriteBuffer(store);
  for (const key of keysOf(store, 'copy/')) buffer.remove(key);
  await buffer.flush();
  t.equal(keysOf(store, '').length, 3);
  const log = await ModifyLog.open(buffer, pause);
  await log.durable();
  t.equal(keysOf(store, 'copy/').length, 3);
  for (const { entry } of log.kept()) log.forget(entry.sequence);
  for (const entry of [...log.all()]) log.remove(entry);
  await log.durable();
  t.same(keysOf(store, ''), []);
});
