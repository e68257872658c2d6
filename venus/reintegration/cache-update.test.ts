/** What is shown of changes that the log has answered for, though others have changed the same meanwhile. */
import t from 'tap';
import {
  emptyRoot,
  noNames,
  toggledName,
  type Fid,
  type Mutation,
  type StoreId,
} from '../../vice/interface/index.js';
import { MemoryStore } from '../../vice/seam/twin/memory-store.js';
import { ObjectCache } from '../cache/object-cache.js';
import { WriteBuffer } from '../store/write-buffer.js';
import { Breaks } from '../volume/told.js';
import type { Volume } from '../volume/volume.js';
import { applySettled, applyToCache, giveNames } from './cache-update.js';

const root = '7f000001.1.1' as Fid;
const [theirs, ours] = ['7f000001.2.00000000000000bb', '7f000001.2.00000000000000aa'] as [Fid, Fid];
const taken = { name: 'd', fid: theirs, kind: 'directory' } as const;

const top = { ...emptyRoot(root), known: { '00000000000000bb': 1 } };

const made: Mutation = {
  op: 'mkdir',
  storeId: '00000000000000aa:1' as StoreId,
  time: Date.UTC(2024, 0, 2),
  author: 'ann',
  host: 'g1',
  base: { [root]: {} },
  parent: root,
  name: 'd',
  fid: ours,
  mode: 0o755,
};

async function opened() {
  const cache = new ObjectCache(new WriteBuffer(new MemoryStore()));
  const names = toggledName(noNames, taken.fid, taken.name);
  cache.putStatus({ ...top, names }, { epoch: 1, unheard: [] }, true);
  const pace = { pause: () => Promise.resolve(), isDue: () => true, onDone: () => undefined };
  await cache.setNames(root, new Map([[taken.name, taken]]), pace);
  const doubted: Fid[] = [];
  const doubt = (fid: Fid): void => void doubted.push(fid);
  const volume = { epoch: 1, breaks: new Breaks(), doubt } as unknown as Volume;
  return { cache, volume, doubted };
}

t.test('a folder whose name somebody else has taken is seen beside his', async (t) => {
  const { cache, volume, doubted } = await opened();
  applySettled(cache, volume, [made]);
  const beside = 'd (conflict ann g1 2024-01-02 00.00.00)';
  t.same([...(cache.names(root)?.keys() ?? [])].sort(), ['d', beside]);
  t.equal(cache.entry(root, 'd')?.fid, theirs);
  t.equal(cache.entry(root, beside)?.fid, ours);
  t.equal(cache.get(ours)?.view.conflict?.kind, 'name', 'its maker is shown it');
  t.same(cache.conflicts.count(), { name: 1 });
  t.same(doubted.sort(), [root, ours].sort(), 'servers are asked who bears the name');
  const changed = {
    ...made,
    storeId: '00000000000000aa:2' as StoreId,
    fid: '7f000001.3.00000000000000aa' as Fid,
  };
  applySettled(cache, volume, [changed]);
  t.equal(cache.names(root)?.size, 3, 'and another one of the same second');
  const [third, fourth] = [3, 4].map((counter): Mutation => ({
    ...made,
    storeId: `00000000000000aa:${counter}` as StoreId,
    fid: `7f000001.${counter + 1}.00000000000000aa` as Fid,
  }));
  if (third === undefined || fourth === undefined) throw new Error('no records');
  applySettled(cache, volume, [third, { ...fourth, storeId: third.storeId }]);
  t.equal(cache.names(root)?.size, 5, 'no name is taken from whoever has it');
});

t.test('the digest of a directory is that of the names that are seen in it (OC-1)', async (t) => {
  const { cache, volume } = await opened();
  const seen = (): Promise<string | undefined> => cache.namesDigest(root, () => Promise.resolve());
  t.equal(cache.status(root)?.names, await seen());
  applySettled(cache, volume, [made]);
  t.equal(cache.status(root)?.names, await seen(), 'with a name beside another one');
  // A server that names it as it asked to be named, once the other one is removed, has other names.
  cache.unbind(root, taken.name);
  const top = cache.status(root);
  if (top !== undefined) {
    const names = toggledName(top.names, taken.fid, taken.name);
    cache.putStatus({ ...top, names }, { epoch: 1, unheard: [] }, true);
  }
  giveNames(cache, [{ ...made, op: 'rmdir', fid: theirs }]);
  t.equal(cache.entry(root, taken.name)?.fid, ours);
  t.equal(cache.status(root)?.names, await seen(), 'and when it is given its name');
});

t.test('what finds its name free is shown as servers would', async (t) => {
  const [one, other] = [await opened(), await opened()];
  const free = { ...made, name: 'e' };
  applySettled(one.cache, one.volume, [free]);
  applyToCache(other.cache, other.volume, [free], new Map());
  t.same([...(one.cache.names(root) ?? [])], [...(other.cache.names(root) ?? [])]);
  t.same(one.cache.status(ours), other.cache.status(ours));
  t.same(one.doubted, []);
});

t.test('what stands beside a name gets it when it is left free', async (t) => {
  const { cache, volume } = await opened();
  applySettled(cache, volume, [made]);
  const gone: Mutation = { ...made, op: 'rmdir', fid: theirs };
  giveNames(cache, [gone]);
  t.equal(cache.entry(root, 'd')?.fid, theirs, 'not while somebody bears it');
  cache.unbind(root, 'd');
  giveNames(cache, [gone]);
  t.same([...(cache.names(root)?.keys() ?? [])], ['d']);
  t.equal(cache.entry(root, 'd')?.fid, ours);
  t.equal(cache.get(ours)?.view.conflict, null);
  t.same(cache.conflicts.count(), {});
});
