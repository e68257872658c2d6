/**
 * Whatever rows the log of a gateway has that are whole by their checksum, the log is opened and works, or its reader
 * is told in a Failure what to do; then nothing of the log has been thrown away.
 */
import fc from 'fast-check';
import t from 'tap';
import {
  crc32,
  encode,
  fidsOf,
  isFailure,
  makeFid,
  makeStoreId,
  rootFid,
  seal,
  unseal,
  type Mutation,
  type VenusId,
  type VolumeId,
} from '../../vice/interface/index.js';
import { endOf, type Store } from '../../vice/seam/store.js';
import { MemoryStore } from '../../vice/seam/twin/memory-store.js';
import { ModifyLog } from '../../venus/log/modify-log.js';
import { optimize, withdraw } from '../../venus/log/optimize.js';
import { WriteBuffer } from '../../venus/store/write-buffer.js';
import { alteredValue, runs } from './hostile.js';

const volume = '7f000001' as VolumeId;
const venus = '9c3e5d7b01f2a4c6' as VenusId;
const root = rootFid(volume);
const fid = makeFid(volume, 2, venus);
const pause = async (): Promise<void> => undefined;

let counter = 0;
const common = (): Pick<Mutation, 'storeId' | 'time' | 'author' | 'host' | 'base'> => {
  counter += 1;
  const base = { [root]: { [venus]: counter - 1 }, [fid]: {} };
  return { storeId: makeStoreId(venus, counter), time: 1_000, author: 'ann', host: 'g1', base };
};
const digest = 'a'.repeat(64);
const storeId = makeStoreId(venus, 1);
const list = { positive: { ann: 127 }, negative: {} };
/** One of each kind. */
const records: readonly Mutation[] = [
  { op: 'create', ...common(), parent: root, name: 'a', fid, mode: 0o644 },
  { op: 'store', ...common(), fid, length: 5, digest, modified: 7, saved: 7, beside: [storeId] },
  { op: 'setprops', ...common(), fid, set: { '{urn:x}colour': 'red' }, remove: ['{urn:x}size'] },
  { op: 'rename', ...common(), fromParent: root, fromName: 'a', toParent: root, toName: 'b', fid },
  { op: 'utimes', ...common(), fid, modified: 8 },
  { op: 'chmod', ...common(), fid, mode: 0o600 },
  { op: 'chown', ...common(), fid, owner: 'bob' },
  { op: 'repair', ...common(), fid, dismiss: [storeId], leave: [], accept: { name: 'b', since: 3 } },
  { op: 'remove', ...common(), parent: root, name: 'b', fid },
  { op: 'mkdir', ...common(), parent: root, name: 'd', fid: makeFid(volume, 3, venus), mode: 0o755 },
  { op: 'setacl', ...common(), fid: makeFid(volume, 3, venus), list },
  { op: 'rmdir', ...common(), parent: root, name: 'd', fid: makeFid(volume, 3, venus) },
  { op: 'symlink', ...common(), parent: root, name: 'l', fid: makeFid(volume, 4, venus), target: 'b' },
];
/** What is appended to every log that opens. */
const next = { ...records[1], ...common() } as Mutation;

/** Of a sound log: three entries, of which one waits, one is offered, and one is kept of a volume that is no more. */
async function soundRows(): Promise<ReadonlyMap<string, unknown>> {
  const store = new MemoryStore({});
  const log = await ModifyLog.open(new WriteBuffer(store), pause);
  log.append(volume, records.slice(0, 5), true);
  log.append(volume, records.slice(5, 9), false);
  log.keep(log.append(volume, records.slice(9), true), 'quota');
  const [kept] = log.kept();
  if (kept !== undefined) log.describe(kept, { volume: 'home', paths: { [fid]: '/home/b' } });
  await log.durable();
  const rows = [...store.range({ start: '', end: 'copy/' }), ...store.range({ start: 'd', end: endOf('') })];
  return new Map(rows.map(({ key, value }) => [key, unseal(value)]));
}

type Copies = 'both' | 'first' | 'second';

/** `sealed` at `key` of the sound log, in these of the two places where each row stands. */
async function storeWith(key: string, sealed: Uint8Array, copies: Copies): Promise<MemoryStore> {
  const store = new MemoryStore({});
  await store.transact((transaction) => {
    for (const [at, row] of rows) {
      transaction.put(at, seal(row));
      transaction.put(`copy/${at}`, seal(row));
    }
    if (copies !== 'second') transaction.put(key, sealed);
    if (copies !== 'first') transaction.put(`copy/${key}`, sealed);
  });
  return store;
}

function rowsIn(store: Store): ReadonlyMap<string, string> {
  const stored = [...store.range({ start: '', end: endOf('') })];
  return new Map(stored.map(({ key, value }) => [key, Buffer.from(value).toString('base64')]));
}

/** Whether a log in `store` works as far as its rows let it, or says what to do. Anything else is thrown. */
async function isServedOrTold(store: MemoryStore): Promise<boolean> {
  const before = rowsIn(store);
  const buffer = new WriteBuffer(store);
  let log: ModifyLog;
  try {
    log = await ModifyLog.open(buffer, pause);
  } catch (error) {
    await buffer.flush();
    const after = rowsIn(store);
    const isKept = [...before].every(([key, value]) => key.startsWith('copy/') || after.get(key) === value);
    if (!isFailure(error, 'damaged', 'incompatible')) throw error;
    return isKept && error.message.length < 1_000 && /backup|empty folder/.test(error.message);
  }
  return works(log, store);
}

async function works(log: ModifyLog, store: Store): Promise<boolean> {
  const sequences = [...log.all()].map(({ sequence }) => sequence);
  const highest = Math.max(0, ...sequences, ...log.kept().map(({ entry }) => entry.sequence));
  const isOrdered = sequences.every((sequence, index) => sequence > (sequences[index - 1] ?? 0));
  // What the gateway does with it when a user works on, and when servers refuse.
  optimize([next], log);
  for (const entry of log.all()) {
    withdraw([entry], log);
    for (const each of entry.records.flatMap(fidsOf)) {
      if (!log.touching(each).includes(entry)) return false;
    }
  }
  const entry = log.append(volume, [next], true);
  if (!isOrdered || !Number.isSafeInteger(entry.sequence) || entry.sequence <= highest) return false;
  await log.durable();
  const again = await ModifyLog.open(new WriteBuffer(store), pause);
  if (again.get(entry.sequence)?.records[0]?.storeId !== next.storeId) return false;
  // It ends as it began: with nothing in it.
  const volumes = [...log.all()].map((each) => each.volume);
  const digests = [...log.all(), ...log.kept().map((kept) => kept.entry)].flatMap((each) => digestsOf(each));
  for (const each of [...log.all()]) log.remove(each);
  for (const kept of log.kept()) log.forget(kept.entry.sequence);
  await log.durable();
  const isEmpty = volumes.every((each) => log.pending(each).records === 0 && log.pending(each).local === 0);
  return (
    isEmpty && !digests.some((each) => log.needs(each)) && !isAnyLeft(store, 'l/') && !isAnyLeft(store, 'k/')
  );
}

function digestsOf(entry: { readonly records: readonly Mutation[] }): readonly string[] {
  return entry.records.flatMap((record) => (record.op === 'store' ? [record.digest] : []));
}

function isAnyLeft(store: Store, prefix: string): boolean {
  return [...store.range({ start: prefix, end: endOf(prefix), limit: 1 })].length > 0;
}

const rows = await soundRows();
const keys = [...rows.keys()];
const copies = fc.constantFrom<Copies>('both', 'both', 'first', 'second');

t.test('the log that is altered is whole', async (t) => {
  t.same(keys, ['k/0000000000000003', 'l/0000000000000001', 'l/0000000000000002']);
  const store = await storeWith('l/0000000000000001', seal(rows.get('l/0000000000000001')), 'both');
  t.ok(await isServedOrTold(store));
  await t.resolves(ModifyLog.open(new WriteBuffer(store), pause));
});

t.test('rows with a seal, and in them what nobody meant', async () => {
  const altered = fc.constantFrom(...keys).chain((key) => {
    return fc.tuple(fc.constant(key), alteredValue(rows.get(key)), copies);
  });
  const property = fc.asyncProperty(altered, async ([key, row, where]) => {
    return isServedOrTold(await storeWith(key, seal(row), where));
  });
  await fc.assert(property, { numRuns: runs });
  if (Object.keys(Object.prototype).length > 0) throw new Error('a row has changed all objects');
});

t.test('rows under keys of others, and sequences twice', async () => {
  const key = fc.constantFrom(
    ...keys,
    'l/0000000000000003',
    'k/0000000000000001',
    'l/9007199254740991',
    'l/4503599627370486',
    'l/',
    'l/1',
    'l/-000000000000001',
    'k/0',
  );
  const sequence = fc.constantFrom(
    0,
    1,
    2,
    3,
    -1,
    1.5,
    2 ** 52 - 10,
    2 ** 53 - 1,
    1e308,
    NaN,
    Infinity,
    '1',
    null,
  );
  const property = fc.asyncProperty(
    key,
    sequence,
    fc.constantFrom(...keys),
    copies,
    async (at, number, of, where) => {
      const row = rows.get(of) as { entry?: object };
      const entry = { ...(row.entry ?? row), sequence: number };
      const moved = at.startsWith('k/') ? { entry, reason: 'quota' } : entry;
      return isServedOrTold(await storeWith(at, seal(moved), where));
    },
  );
  await fc.assert(property, { numRuns: runs });
});

/** A seal around bytes that were never a value. */
function sealedBytes(body: Uint8Array): Uint8Array {
  const head = Buffer.alloc(4);
  head.writeUInt32BE(crc32(body));
  return Buffer.concat([head, body]);
}

t.test('a seal around what is no MessagePack', async () => {
  const sound = encode(rows.get('l/0000000000000001'));
  const hostile = [
    Buffer.alloc(1_000_000, 0x91),
    Buffer.from('ddffffffff', 'hex'),
    Buffer.from('dfffffffff', 'hex'),
    Buffer.from('c6ffffffff', 'hex'),
    Buffer.from('d472ff', 'hex'),
    Buffer.from('c1', 'hex'),
  ];
  const bodies = fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 50 }),
    fc.constantFrom(...hostile),
    fc.nat(sound.length).map((length) => sound.subarray(0, length)),
  );
  const property = fc.asyncProperty(bodies, fc.constantFrom(...keys), copies, async (body, key, where) => {
    return isServedOrTold(await storeWith(key, sealedBytes(body), where));
  });
  await fc.assert(property, { numRuns: runs });
});
