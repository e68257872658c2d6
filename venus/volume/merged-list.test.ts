import t from 'tap';
import {
  emptyDigest,
  makeFid,
  makeStoreId,
  noNames,
  toggledName,
  withStoreId,
  type Fid,
  type StoreId,
  type StoreIdVector,
  type VenusId,
  type VnodeStatus,
  type VolumeId,
} from '../../vice/interface/index.js';
import { mergedList, type List } from './merged-list.js';

const ann = '00000000000000aa' as VenusId;
const bob = '00000000000000bb' as VenusId;
const volume = '7f000001' as VolumeId;
const fid = (vnode: number): Fid => makeFid(volume, vnode, ann);
const directory = fid(1);

function status(of: Fid, known: StoreIdVector, name: string, placedBy: StoreId, names = ''): VnodeStatus {
  const isDirectory = of === directory;
  const { author, host, time } = { author: 'ann', host: 'g1', time: Number(placedBy.slice(17)) * 1000 };
  const data = {
    storeId: placedBy,
    mark: placedBy,
    length: 0,
    digest: emptyDigest,
    modified: 0,
    author,
    host,
    saved: 0,
  };
  return {
    fid: of,
    kind: isDirectory ? 'directory' : 'file',
    parent: isDirectory ? null : directory,
    vv: {},
    storeId: placedBy,
    known,
    data: isDirectory ? null : data,
    siblings: [],
    places: isDirectory
      ? []
      : [{ parent: directory, name, storeId: placedBy, time, author, host, isBroken: false }],
    gone: {},
    revived: {},
    names,
    target: null,
    created: 0,
    modified: 0,
    mode: 0o644,
    owner: 'ann',
    author: 'ann',
    properties: {},
    setters: {},
  };
}

/** A file made by update `by`, which bears `name`, at a server. */
function file(vnode: number, name: string, by: StoreId, wanted = name): List['entries'][number] {
  return { name, status: status(fid(vnode), withStoreId({}, by), wanted, by) };
}

function list(known: StoreIdVector, entries: List['entries'], heard: readonly string[] = []): List {
  let digest = noNames;
  for (const entry of entries) digest = toggledName(digest, entry.status.fid, entry.name);
  return { status: status(directory, known, '', makeStoreId(ann, 1), digest), entries, heard };
}

const a = (counter: number): StoreId => makeStoreId(ann, counter);
const b = (counter: number): StoreId => makeStoreId(bob, counter);

t.test('one list is taken as it is', (t) => {
  const only = list({ [ann]: 2 }, [file(2, 'x', a(1)), file(3, 'y', a(2))]);
  const merged = mergedList([only]);
  t.same([...merged.names.keys()], ['x', 'y']);
  t.equal(merged.digest, only.status.names);
  t.end();
});

t.test('what was made apart is seen from both sides; what one side has removed is gone', (t) => {
  // Both had x and y; at one server x was removed and z made, at the other y was removed and w made.
  const one = list({ [ann]: 4 }, [file(3, 'y', a(2)), file(4, 'z', a(4))]);
  const two = list({ [ann]: 2, [bob]: 2 }, [file(2, 'x', a(1)), file(5, 'w', b(2))]);
  for (const lists of [[one, two] as const, [two, one] as const]) {
    const merged = mergedList(lists);
    t.same([...merged.names.keys()].sort(), ['w', 'z']);
    t.equal(merged.digest, list({}, [file(4, 'z', a(4)), file(5, 'w', b(2))]).status.names);
  }
  t.end();
});

t.test('renamed at one server: one name, the new one', (t) => {
  const before = list({ [ann]: 1 }, [file(2, 'draft', a(1))]);
  const { name, status: moved } = file(2, 'final', a(2));
  const after = list({ [ann]: 2 }, [{ name, status: { ...moved, known: { [ann]: 2 } } }]);
  t.same([...mergedList([before, after]).names.keys()], ['final']);
  t.same([...mergedList([after, before]).names.keys()], ['final']);
  t.end();
});

t.test('two objects of one name are both seen; who was there first keeps it', (t) => {
  const one = list({ [ann]: 5 }, [file(2, 'plan.txt', a(5))]);
  const two = list({ [bob]: 3 }, [file(3, 'plan.txt', b(3))]);
  for (const lists of [[one, two] as const, [two, one] as const]) {
    const { names } = mergedList(lists);
    t.equal(names.get('plan.txt')?.fid, fid(3));
    t.equal(names.get('plan (conflict ann g1 1970-01-01 00.00.05).txt')?.fid, fid(2));
    t.equal(names.size, 2);
  }
  t.end();
});

t.test('a name whose holder others know to be gone is that of the object that stands beside it', (t) => {
  // One server still has x of update 1, so what was made as x since is seen beside it there.
  const beside = 'x (conflict ann g1 1970-01-01 00.00.03)';
  const one = list({ [ann]: 3 }, [file(2, 'x', a(1)), file(3, beside, a(3), 'x')]);
  const two = list({ [ann]: 3 }, [file(3, 'x', a(3))]);
  for (const lists of [[one, two] as const, [two, one] as const]) {
    const { names, digest } = mergedList(lists);
    t.same([...names], [['x', { name: 'x', fid: fid(3), kind: 'file' }]]);
    t.equal(digest, two.status.names);
  }
  const three = list({ [ann]: 3 }, [file(2, 'x', a(1)), file(3, beside, a(3), 'x')]);
  t.same(
    [...mergedList([one, three]).names.keys()].sort(),
    ['x', beside],
    'as long as somebody bears it, not',
  );
  const later = list({ [ann]: 4 }, [file(3, beside, a(3), 'x'), file(4, `${beside}.`, a(4), 'x')]);
  const merged = mergedList([one, later]);
  t.equal(merged.names.get('x')?.fid, fid(3), 'of two, who was there first');
  t.equal(merged.names.size, 2);
  t.end();
});

t.test('what an object bears at one server alone says nothing: its place does', (t) => {
  // x of update 1 was removed where x of update 4 was made since; at the other server x of update 3 is beside it.
  const beside = 'x (conflict bob g1 1970-01-01 00.00.03)';
  const one = list({ [ann]: 1, [bob]: 3 }, [file(2, 'x', a(1)), file(3, beside, b(3), 'x')]);
  const two = list({ [ann]: 4, [bob]: 1 }, [file(4, 'x', a(4))]);
  for (const lists of [[one, two] as const, [two, one] as const]) {
    const { names } = mergedList(lists);
    t.equal(names.get('x')?.fid, fid(3), 'of those that are left it was there first');
    t.equal(names.get('x (conflict ann g1 1970-01-01 00.00.04)')?.fid, fid(4));
    t.equal(names.size, 2);
  }
  t.end();
});
