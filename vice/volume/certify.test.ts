/** The pure decisions: one test per row of certify's table, settled records, replays. */
import t from 'tap';
import {
  makeStoreId,
  makeFid,
  emptyDigest,
  fidsOf,
  type FileData,
  type Fid,
  type Mutation,
  type StoreId,
  type StoreIdVector,
  type VenusId,
  type VnodeStatus,
  type VolumeId,
} from '../interface/index.js';
import { alreadyApplied, certify, isAhead, type Held, type Look } from './certify.js';

const volume = '7f000001' as VolumeId;
const anna = 'aaaaaaaaaaaaaaaa' as VenusId;
const ben = 'bbbbbbbbbbbbbbbb' as VenusId;
const directory = makeFid(volume, 2, anna);
const other = makeFid(volume, 3, anna);
const file = makeFid(volume, 4, anna);

function status(fid: Fid, known: StoreIdVector, changes: Partial<VnodeStatus> = {}): VnodeStatus {
  const last = Object.entries(known).at(-1);
  const kind = fid === file ? 'file' : 'directory';
  const created = makeStoreId(anna, 1);
  return {
    fid,
    kind,
    parent: directory,
    vv: { a: 1 },
    storeId: last === undefined ? null : (`${last[0]}:${last[1]}` as VnodeStatus['storeId']),
    known,
    data: kind === 'file' ? version(created, 0, emptyDigest) : null,
    siblings: [],
    places: [],
    gone: {},
    revived: {},
    names: '',
    target: null,
    created: 0,
    modified: 0,
    mode: 0o644,
    owner: 'anna',
    author: 'anna',
    properties: {},
    setters: {},
    ...changes,
  };
}

function version(storeId: StoreId, length: number, digest: string): FileData {
  return { storeId, mark: storeId, length, digest, modified: 0, author: 'x', host: 'g1', saved: 0 };
}

function world(...held: readonly (VnodeStatus | Held)[]): Look {
  const objects = held.map((each) => ('removed' in each ? each : { status: each, removed: false }));
  return (fid) => objects.find((each) => each.status.fid === fid);
}

const seen = { [anna]: 1 };
const newer = { [anna]: 1, [ben]: 9 };
const common = { storeId: makeStoreId(anna, 5), time: 0, author: 'anna', host: 'g1' };
const base = { [directory]: seen, [other]: seen, [file]: seen };
const made = makeFid(volume, 5, anna);
const at = { parent: directory, name: 'x', fid: file };
const records = {
  create: { op: 'create', ...common, base: { [directory]: seen }, ...at, fid: made, mode: 0o644 },
  mkdir: { op: 'mkdir', ...common, base: { [directory]: seen }, ...at, fid: made, mode: 0o755 },
  symlink: { op: 'symlink', ...common, base: { [directory]: seen }, ...at, fid: made, target: 'y' },
  remove: { op: 'remove', ...common, base, ...at },
  rmdir: { op: 'rmdir', ...common, base, ...at, fid: other },
  rename: {
    op: 'rename',
    ...common,
    base,
    fromParent: directory,
    fromName: 'x',
    toParent: other,
    toName: 'y',
    fid: file,
  },
  store: { op: 'store', ...common, base, fid: file, length: 0, digest: emptyDigest, modified: 0, saved: 0 },
  repair: { op: 'repair', ...common, base, fid: file, dismiss: [], accept: null },
  utimes: { op: 'utimes', ...common, base, fid: file, modified: 1 },
  chmod: { op: 'chmod', ...common, base, fid: file, mode: 0o600 },
  chown: { op: 'chown', ...common, base, fid: file, owner: 'ben' },
  setprops: { op: 'setprops', ...common, base, fid: file, set: {}, remove: [] },
} as const satisfies Record<string, Mutation>;
const all: readonly Mutation[] = Object.values(records);
const ordinary = world(status(directory, seen), status(other, seen), status(file, seen));

t.test('what the author has seen last is accepted, whatever the record', async (t) => {
  for (const record of all) t.equal(certify(record, ordinary), undefined, record.op);
});

t.test('a replica that lacks what the author has seen is stale, and no judge', async (t) => {
  for (const record of all) {
    const fids = Object.keys(record.base) as Fid[];
    const touched = new Set(fidsOf(record));
    for (const fid of fids.filter((each) => touched.has(each))) {
      const ahead = { ...record, base: { ...record.base, [fid]: { [anna]: 1, [ben]: 3 } } };
      t.equal(certify(ahead, ordinary)?.kind, 'stale', `${record.op}: an older version is here`);
      const lookMissing: Look = (each) => (each === fid ? undefined : ordinary(each));
      t.equal(certify(record, lookMissing)?.kind, 'stale', 'or nothing');
      const tombstone = { status: status(fid, seen), removed: true };
      const lookGone: Look = (each) => (each === fid ? tombstone : ordinary(each));
      t.equal(certify(ahead, lookGone)?.kind, 'stale', 'or a tombstone that does not know either');
    }
  }
});

t.test('what the author never claimed to have seen is for applyRecord to miss', async (t) => {
  t.equal(certify({ ...records.store, base: {} }, world()), undefined);
  const somewhere = { ...records.store, base: { [file]: {} } };
  t.equal(certify(somewhere, world())?.kind, 'stale');
});

t.test('who renames has seen where the object is: not that it has been away and come back', async (t) => {
  const place = {
    ...{ parent: directory, name: 'x', storeId: makeStoreId(ben, 9), time: 1, author: 'ben', host: 'g2' },
    isBroken: false,
  };
  const back = status(file, newer, { places: [place] });
  const here = world(status(directory, seen), status(other, seen), back);
  t.equal(certify(records.rename, here)?.kind, 'not-found');
  t.equal(certify({ ...records.rename, settled: true }, here), undefined, 'settled it is merged');
  const looked = { ...records.rename, base: { ...base, [file]: newer } };
  t.equal(certify(looked, here), undefined);
  t.equal(certify(records.chmod, here), undefined, 'others do not mind');
});

t.test('row by row: unseen updates of the object', async (t) => {
  const everywhere = world(status(directory, newer), status(other, newer), status(file, newer));
  for (const record of all) t.equal(certify(record, everywhere), undefined, `${record.op}: metadata`);

  const contents = version(makeStoreId(ben, 9), 3, 'ab');
  const unseen = status(file, newer, { data: contents });
  const stored = world(status(directory, newer), status(other, newer), unseen);
  for (const record of all) {
    const expected = record.op === 'store' || record.op === 'remove' ? 'conflict' : undefined;
    t.equal(certify(record, stored)?.kind, expected, `${record.op}: contents`);
  }
  const link = status(file, newer, { kind: 'symlink', data: null, target: 'z' });
  const linked = world(status(directory, newer), link);
  t.equal(certify(records.remove, linked), undefined, 'remove of a symbolic link');
});

t.test('row by row: the object, or a directory of it, was removed', async (t) => {
  for (const gone of [directory, other, file]) {
    const tombstone = { status: status(gone, newer), removed: true };
    const look: Look = (fid) => (fid === gone ? tombstone : ordinary(fid));
    for (const record of all) {
      const expected = fidsOf(record).includes(gone) ? 'not-found' : undefined;
      t.equal(certify(record, look)?.kind, expected, `${record.op} without ${gone}`);
    }
  }
});

t.test('a version beside the shown one counts as much as that', async (t) => {
  const beside = version(makeStoreId(ben, 9), 3, 'ab');
  const both = world(status(directory, newer), status(file, newer, { siblings: [beside] }));
  t.equal(certify(records.store, both)?.kind, 'conflict');
  const knowing = { ...records.store, base: { [file]: newer } };
  t.equal(certify(knowing, both), undefined, 'to whom knows both');
});

t.test(
  'a settled record is merged, and so refused only by a replica that lacks what its author has seen',
  async (t) => {
    const unseen = status(file, newer, { data: version(makeStoreId(ben, 9), 3, 'ab') });
    const gone = [directory, other, file].map((fid) => ({ status: status(fid, newer), removed: true }));
    const worlds = [ordinary, world(status(directory, newer), status(other, newer), unseen), world(...gone)];
    for (const record of all) {
      const settled = { ...record, settled: true } as const;
      for (const look of worlds) t.equal(certify(settled, look), undefined, record.op);
      const fid = fidsOf(record).find((each) => each in record.base) ?? file;
      const ahead = { ...settled, base: { ...record.base, [fid]: { [anna]: 1, [ben]: 30 } } };
      for (const look of worlds) t.equal(certify(ahead, look)?.kind, 'stale', record.op);
      t.equal(certify(settled, world())?.kind, 'stale', 'nor by one that has nothing');
    }
    const used = world(status(directory, seen), { status: status(made, seen), removed: true });
    t.equal(certify({ ...records.create, settled: true }, used)?.kind, 'exists', 'a Fid stays used');
  },
);

t.test('a Fid is never used again', async (t) => {
  const used = world(status(directory, seen), { status: status(made, seen), removed: true });
  for (const record of [records.create, records.mkdir, records.symlink]) {
    t.equal(certify(record, used)?.kind, 'exists', record.op);
  }
});

t.test('replay: applied when object and directories know the update, or the names say so', async (t) => {
  const free = (): undefined => undefined;
  const after = { [anna]: 5 };
  const both = world(...[directory, other, file, made].map((fid) => status(fid, after)));
  for (const record of all) {
    t.equal(alreadyApplied(record, ordinary, free), 'no', `${record.op}: nobody knows`);
    t.equal(alreadyApplied(record, both, free), 'yes', `${record.op}: all know`);
  }
  const brought = world(status(directory, seen), status(made, after));
  t.equal(alreadyApplied(records.create, brought, free), 'partly', 'an object brought before its directory');
  const runt = world(status(directory, after), status(made, {}));
  t.equal(
    alreadyApplied(records.create, runt, free),
    'partly',
    'an object that has not all it has known yet',
  );
  const unborn = world(status(directory, after));
  t.equal(alreadyApplied(records.create, unborn, free), 'no', 'the directory alone may have been passed');
  const parents = world(status(directory, after), status(other, after), status(file, seen));
  const bound = (): { name: string; fid: Fid; kind: 'file' } => ({ name: 'x', fid: file, kind: 'file' });
  t.equal(alreadyApplied(records.remove, parents, free), 'yes', 'the name is gone, the tombstone comes');
  t.equal(alreadyApplied(records.remove, parents, bound), 'no');
  t.equal(alreadyApplied(records.rename, parents, bound), 'yes', 'the new name is there');
  t.equal(alreadyApplied(records.rename, parents, free), 'no');
  const tombstones = [directory, file].map((fid) => ({ status: status(fid, after), removed: true }));
  t.equal(alreadyApplied(records.remove, world(...tombstones), free), 'yes', 'all of it is gone');
});

t.test('ahead: updates of others that the author had not seen; its own it has', async (t) => {
  const held = (known: StoreIdVector): Held => ({ status: status(file, known), removed: false });
  t.equal(isAhead(records.store, held(seen)), false);
  t.equal(isAhead(records.store, held({ [anna]: 7 })), false);
  t.equal(isAhead(records.store, held(newer)), true);
});
