/** What the cache knows of conflicts: kept as objects and names come and go, over a restart, and told once. */
import t from 'tap';
import {
  namesBeside,
  noNames,
  seal,
  type ConflictKind,
  type DirectoryEntry,
  type Fid,
  type FileData,
  type StoreId,
  type VnodeStatus,
} from '../../vice/interface/index.js';
import { MemoryStore } from '../../vice/seam/twin/memory-store.js';
import { WriteBuffer } from '../store/write-buffer.js';
import type { Validation } from './cached-object.js';
import { ObjectCache } from './object-cache.js';

const validated = (epoch: number): Validation => ({ epoch, unheard: [] });
const directory = '7f000001.1.1' as Fid;
const fid = (vnode: number): Fid => `7f000001.${vnode}.00000000000000aa` as Fid;
const id = (counter: number): StoreId => `00000000000000aa:${counter}` as StoreId;

function contents(counter: number): FileData {
  const digest = counter.toString(16).padStart(64, '0');
  const [storeId, author, host] = [id(counter), 'ann', 'g1'];
  return { storeId, mark: storeId, length: 1, digest, modified: 0, author, host, saved: counter };
}

function file(vnode: number, name: string, changes: Partial<VnodeStatus> = {}): VnodeStatus {
  const place = { storeId: id(vnode), time: 0, author: 'ann', host: 'g1', isBroken: false };
  return {
    fid: fid(vnode),
    kind: 'file',
    parent: directory,
    vv: { s1: 1 },
    storeId: id(vnode),
    known: { '00000000000000aa': vnode },
    data: contents(vnode),
    siblings: [],
    places: [{ parent: directory, name, ...place }],
    gone: {},
    revived: {},
    names: '',
    target: null,
    created: 0,
    modified: 0,
    mode: 0o644,
    owner: 'ann',
    author: 'ann',
    properties: {},
    setters: {},
    ...changes,
  };
}

const names = (...entries: readonly [string, Fid][]): Map<string, DirectoryEntry> =>
  new Map(entries.map(([name, of]) => [name, { name, fid: of, kind: 'file' }]));

const setNames = (cache: ObjectCache, entries: ReadonlyMap<string, DirectoryEntry>): Promise<boolean> =>
  cache.setNames(directory, entries, {
    pause: () => Promise.resolve(),
    isDue: () => true,
    onDone: () => undefined,
  });

t.test('versions beside a file are known as long as they are there', async (t) => {
  const told: [Fid, readonly ConflictKind[]][] = [];
  const store = new MemoryStore({});
  const cache = new ObjectCache(new WriteBuffer(store), (of, before) => told.push([of, before]));
  const plain = cache.putStatus(file(2, 'a'), validated(1), false);
  t.equal(plain.view.conflict, null);
  t.equal(cache.conflicts.in(directory), undefined, 'nothing is in conflict: nothing is to be looked at');
  const clash = file(2, 'a', { siblings: [contents(1)], known: { x: 1 } });
  const seen = cache.putStatus(clash, validated(1), false);
  t.equal(seen.view.conflict?.kind, 'versions');
  t.same([...(cache.conflicts.in(directory) ?? [])], [fid(2)]);
  t.same(cache.conflicts.count(), { versions: 1 });
  t.equal(
    cache.putStatus({ ...clash }, validated(1), false).view,
    seen.view,
    'one value as long as nothing changes',
  );
  const counted = cache.putStatus({ ...clash, vv: { s1: 1, s2: 1 } }, validated(1), false);
  t.same(counted.view.conflict?.vector, { s1: 1, s2: 1 }, 'a vector that has changed is shown');
  cache.putStatus(file(2, 'a', { known: { x: 2 } }), validated(1), false);
  t.same(cache.conflicts.count(), {});
  t.equal(cache.conflicts.in(directory), undefined);
  t.same(told, [
    [fid(2), []],
    [fid(2), ['versions']],
  ]);
});

t.test('a name that an object was not given is found where its directory is listed', async (t) => {
  const store = new MemoryStore({});
  const buffer = new WriteBuffer(store);
  const cache = new ObjectCache(buffer);
  for (const vnode of [2, 3]) cache.putStatus(file(vnode, 'a'), validated(1), false);
  await setNames(cache, names(['a', fid(2)], ['a (conflict)', fid(3)]));
  t.equal(cache.get(fid(2))?.view.conflict, null);
  const view = cache.get(fid(3))?.view;
  t.match(view?.conflict, { kind: 'name', wanted: 'a', author: 'ann' });
  t.equal(cache.conflicts.get(fid(3))?.name, 'a (conflict)');
  cache.putStatus(file(3, 'a'), validated(2), false);
  t.equal(cache.get(fid(3))?.view, view, 'validated again');

  await buffer.flush();
  const after = new ObjectCache(new WriteBuffer(store.reopen()));
  t.same(after.conflicts.count(), { name: 1 }, 'known after a restart without a look at anything');
  t.same(after.get(fid(3))?.view, view);

  const accepted = {
    parent: directory,
    name: 'a (conflict)',
    storeId: id(9),
    time: 0,
    author: 'ann',
    host: 'g1',
  };
  const taken = file(3, 'a', { places: [{ ...accepted, isBroken: false }], known: { x: 9 } });
  t.equal(
    after.putStatus(taken, validated(2), false).view.conflict,
    null,
    'accepted under the name that it bears',
  );

  await setNames(cache, names(['a', fid(3)]));
  t.equal(cache.get(fid(3))?.view.conflict, null, 'the other one is gone: it has its name back');
  t.same(cache.conflicts.count(), {});
});

t.test('a name that is borne in one directory says nothing of another', async (t) => {
  const cache = new ObjectCache(new WriteBuffer(new MemoryStore({})));
  const other = '7f000001.9.00000000000000aa' as Fid;
  const moved = (name: string): VnodeStatus => {
    const { places, ...rest } = file(3, name);
    const known = { '00000000000000aa': 30 };
    return { ...rest, parent: other, known, places: places.map((place) => ({ ...place, parent: other })) };
  };
  cache.putStatus(file(3, 'a'), validated(1), false);
  await setNames(cache, names(['a', fid(2)], ['a (conflict)', fid(3)]));
  t.same(cache.conflicts.count(), { name: 1 });
  t.equal(
    cache.putStatus(moved('b'), validated(1), false).view.conflict,
    null,
    'it is elsewhere, under its name',
  );
  t.same(cache.conflicts.count(), {});
  await setNames(cache, names(['a', fid(2)]));
  t.same(cache.conflicts.count(), {});

  t.comment('the names of its directory have come before it');
  cache.putStatus(file(4, 'c'), validated(1), false);
  const late = { ...moved('b'), fid: fid(4) };
  const [place] = late.places;
  const [beside = ''] = place === undefined ? [] : namesBeside(fid(4), place);
  cache.bind(other, { name: beside, fid: fid(4), kind: 'file' });
  t.match(cache.putStatus(late, validated(1), false).view.conflict, { kind: 'name', wanted: 'b' });
  t.equal(cache.conflicts.get(fid(4))?.name, beside);
});

t.test(
  'an object that comes after the names of its directory is known by the one that it bears',
  async (t) => {
    const store = new MemoryStore({});
    const buffer = new WriteBuffer(store);
    const cache = new ObjectCache(buffer);
    const late = file(3, 'a');
    const [beside = ''] = late.places.flatMap((place) => namesBeside(fid(3), place));
    cache.putStatus(file(2, 'a'), validated(1), false);
    await setNames(cache, names(['a', fid(2)], [beside, fid(3)], ['b', fid(4)]));
    t.same(cache.conflicts.count(), {}, 'nothing is known of it but its name');
    await buffer.flush();
    for (const each of [cache, new ObjectCache(new WriteBuffer(store.reopen()))]) {
      const { view } = each.putStatus(late, validated(1), false);
      t.match(view.conflict, { kind: 'name', wanted: 'a', author: 'ann' });
      t.equal(each.conflicts.get(fid(3))?.name, beside);
      t.equal(each.putStatus(file(4, 'b'), validated(1), false).view.conflict, null, 'as it was given');
      t.same(each.conflicts.count(), { name: 1 });
    }
  },
);

t.test('what is removed or renamed is no conflict any more', async (t) => {
  const cache = new ObjectCache(new WriteBuffer(new MemoryStore({})));
  cache.putStatus(file(2, 'a', { siblings: [contents(1)] }), validated(1), false);
  cache.putStatus(file(3, 'a'), validated(1), false);
  await setNames(cache, names(['a', fid(2)], ['a (conflict)', fid(3)]));
  t.same(cache.conflicts.count(), { versions: 1, name: 1 });
  cache.drop(fid(2));
  t.same(cache.conflicts.count(), { name: 1 });
  cache.unbind(directory, 'a (conflict)');
  t.same(cache.conflicts.count(), {});
  t.equal(cache.get(fid(3))?.view.conflict, null);
});

t.test('a row of another version of the program is as if it were not there', async (t) => {
  const buffer = new WriteBuffer(new MemoryStore({}));
  buffer.put(`v/${fid(2)}`, seal({ status: { fid: fid(2), kind: 'file' }, epoch: 1 }));
  const cache = new ObjectCache(buffer);
  t.equal(cache.get(fid(2)), undefined);
  cache.putStatus(file(2, 'a'), validated(1), false);
  t.equal(cache.get(fid(2))?.status.kind, 'file');
});

t.test('a damaged row is as if it had never been, and told (OC-3)', async (t) => {
  const buffer = new WriteBuffer(new MemoryStore({}));
  const row = seal({ status: file(2, 'a'), epoch: 1, suspect: false, complete: false, stale: false });
  row[row.length - 1] = (row.at(-1) ?? 0) ^ 1;
  for (const vnode of [2, 3]) buffer.put(`v/${fid(vnode)}`, row);
  const cache = new ObjectCache(buffer);
  const told: string[] = [];
  cache.onDamaged = (key) => void told.push(key);
  t.equal(cache.get(fid(2)), undefined);
  t.same([...cache.statuses()], []);
  t.same(told, [`v/${fid(2)}`, `v/${fid(3)}`]);
  t.equal(buffer.get(`v/${fid(2)}`), undefined, 'it is told once');
  cache.putStatus(file(2, 'a'), validated(1), false);
  t.equal(cache.get(fid(2))?.status.kind, 'file');
});

t.test(
  'a damaged name is forgotten, and its directory is to be listed before it is valid again (OC-3)',
  async (t) => {
    for (const isLoaded of [false, true]) {
      const store = new MemoryStore({});
      const before = new WriteBuffer(store);
      const filled = new ObjectCache(before);
      const folder = { fid: directory, kind: 'directory', parent: null, data: null, places: [] } as const;
      filled.putStatus({ ...file(1, ''), ...folder, places: [], names: noNames }, validated(1), true);
      await setNames(filled, names(['a', fid(2)], ['b', fid(3)]));
      await before.flush();
      store.damage(`e/${directory}/a`, 0.9);
      const cache = new ObjectCache(new WriteBuffer(store.reopen()));
      const told: string[] = [];
      cache.onDamaged = (key) => void told.push(key);
      if (isLoaded) await cache.loadNames(directory, () => Promise.resolve());
      t.equal(cache.entry(directory, 'a'), undefined);
      t.same(
        [...(cache.names(directory)?.keys() ?? [])],
        ['b'],
        'the others are there for those who cannot ask',
      );
      t.match(cache.get(directory), { stale: true, suspect: true });
      t.same(told, [`e/${directory}/a`]);
      await setNames(cache, names(['a', fid(2)], ['b', fid(3)]));
      t.equal(cache.entry(directory, 'a')?.fid, fid(2), 'and comes back with a list');

      store.damage(`e/${directory}/b`, 0.9);
      const later = new ObjectCache(new WriteBuffer(store.reopen()));
      later.ownName = (_directory, name) => (name === 'b' ? { name, fid: fid(3), kind: 'file' } : undefined);
      if (isLoaded) await later.loadNames(directory, () => Promise.resolve());
      t.equal(later.entry(directory, 'b')?.fid, fid(3), 'what our own log tells of does not go');
      t.ok(later.names(directory)?.has('b'));
    }
  },
);

t.test('a damaged row of the list of conflicts is put together again at a start', async (t) => {
  const store = new MemoryStore({});
  const buffer = new WriteBuffer(store);
  const cache = new ObjectCache(buffer);
  cache.putStatus(file(4, 'c', { siblings: [contents(1)] }), validated(1), false);
  for (const vnode of [2, 3]) cache.putStatus(file(vnode, 'a'), validated(1), false);
  const [place] = file(3, 'a').places;
  const [beside = ''] = place === undefined ? [] : namesBeside(fid(3), place);
  await setNames(cache, names(['a', fid(2)], [beside, fid(3)], ['c', fid(4)]));
  await buffer.flush();
  for (const vnode of [3, 4]) store.damage(`c/${fid(vnode)}`, 0.9);
  const after = new ObjectCache(new WriteBuffer(store.reopen()));
  t.same(after.conflicts.count(), {});
  after.recover();
  t.same(after.conflicts.count(), { name: 1, versions: 1 });
  t.match(after.get(fid(3))?.view.conflict, { kind: 'name', wanted: 'a' });

  t.comment('of one whose own row is damaged, too, when it is known again');
  store.damage(`v/${fid(3)}`, 0.9);
  const later = new ObjectCache(new WriteBuffer(store.reopen()));
  later.recover();
  t.same(later.conflicts.count(), { versions: 1 });
  later.putStatus(file(3, 'a'), validated(2), false);
  t.same(later.conflicts.count(), { name: 1, versions: 1 });
});
