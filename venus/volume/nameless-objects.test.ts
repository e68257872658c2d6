/** What bears no name at a gateway any more is asked for, and goes when servers have it no more (NO-1, NO-2). */
import t from 'tap';
import { otherVenus, planted, root, volume } from '../../conformance/modify-log/logging-venus.js';
import { Failure, makeFid, noNames, type Fid, type VnodeStatus } from '../../vice/interface/index.js';
import { silentLog } from '../../vice/seam/log.js';
import { MemoryStore } from '../../vice/seam/twin/memory-store.js';
import { SimulatedClock } from '../../vice/seam/twin/simulated-clock.js';
import { ObjectCache } from '../cache/object-cache.js';
import { WriteBuffer } from '../store/write-buffer.js';
import { NamelessObjects, roundMs } from './nameless-objects.js';

const [folder, inner, letter] = [2, 3, 4].map((vnode) => makeFid(volume, vnode, otherVenus)) as [
  Fid,
  Fid,
  Fid,
];
const tree = planted([
  { fid: root, parent: null, name: '', kind: 'directory' },
  { fid: folder, parent: root, name: 'folder', kind: 'directory' },
  { fid: inner, parent: folder, name: 'inner', kind: 'file' },
  { fid: letter, parent: root, name: 'letter', kind: 'file' },
]);
const statusOf = (fid: Fid): VnodeStatus => ({ ...(tree.status(fid) as VnodeStatus), names: noNames });

/** Of a gateway that has seen `folder/inner` and `letter`: its cache, and the servers that it asks. */
class Office {
  readonly clock = new SimulatedClock();
  readonly cache: ObjectCache;
  readonly nameless: NamelessObjects;
  /** What servers have; null: none can be asked. */
  held: Set<Fid> | null = new Set([root, folder, inner, letter]);
  readonly dirty = new Set<Fid>();
  readonly asked: Fid[] = [];

  constructor(store = new MemoryStore({})) {
    this.cache = new ObjectCache(new WriteBuffer(store));
    this.nameless = new NamelessObjects({
      cache: this.cache,
      fetcher: { freshen: (fids: readonly Fid[]) => this.#freshen(fids) },
      modifyLog: { isDirty: (fid: Fid) => this.dirty.has(fid) },
      clock: this.clock,
      log: silentLog,
      pause: async () => undefined,
    });
    this.nameless.start();
  }

  see(): void {
    for (const fid of [root, folder, inner, letter])
      this.cache.putStatus(statusOf(fid), { epoch: 1, unheard: [] }, true);
    this.cache.bind(root, { name: 'folder', fid: folder, kind: 'directory' });
    this.cache.bind(folder, { name: 'inner', fid: inner, kind: 'file' });
    this.cache.bind(root, { name: 'letter', fid: letter, kind: 'file' });
  }

  round(): Promise<void> {
    return this.clock.advance(roundMs);
  }

  get cached(): readonly Fid[] {
    return [folder, inner, letter].filter((fid) => this.cache.status(fid) !== undefined);
  }

  /** As a Fetcher does: what no server has is dropped. */
  async #freshen(fids: readonly Fid[]): Promise<void> {
    if (this.held === null) throw new Failure('unreachable', 'test', 'no server answers');
    this.asked.push(...fids);
    for (const fid of fids) if (!this.held.has(fid)) this.cache.drop(fid);
  }
}

t.test('what bears its name is not asked for', async (t) => {
  const office = new Office();
  office.see();
  await office.round();
  t.same(office.asked, []);
  t.same(office.cached, [folder, inner, letter]);
});

t.test('what others have removed goes, once a server can be asked', async (t) => {
  const office = new Office();
  office.see();
  office.cache.unbind(root, 'letter');
  office.held = null;
  await office.round();
  t.same(office.cached, [folder, inner, letter], 'nobody says that it is gone');
  office.held = new Set([root, folder, inner]);
  await office.round();
  t.same(office.cached, [folder, inner]);
  await office.round();
  t.same(office.asked, [letter], 'once');
});

t.test('what was in a folder that goes, goes in the same round', async (t) => {
  const office = new Office();
  office.see();
  office.cache.unbind(root, 'folder');
  office.held = new Set([root, letter]);
  await office.round();
  t.same(office.cached, [letter]);
});

t.test('what others have moved to where nobody has looked stays', async (t) => {
  const office = new Office();
  office.see();
  office.cache.unbind(root, 'letter');
  await office.round();
  t.same(office.asked, [letter]);
  t.same(office.cached, [folder, inner, letter]);
  office.cache.bind(root, { name: 'letter', fid: letter, kind: 'file' });
  await office.round();
  await office.round();
  t.same(office.asked, [letter], 'it bears a name again');
});

t.test('what waits in the log is not asked for', async (t) => {
  const office = new Office();
  office.see();
  office.dirty.add(letter);
  office.cache.unbind(root, 'letter');
  office.held = new Set();
  await office.round();
  t.same([office.asked, office.cached], [[], [folder, inner, letter]]);
});

t.test('what an earlier life has left is found', async (t) => {
  const store = new MemoryStore({});
  const before = new Office(store);
  before.see();
  before.cache.unbind(root, 'letter');
  await before.cache.written();
  before.nameless.stop();
  const office = new Office(store.reopen());
  office.held = new Set([root, folder, inner]);
  await office.round();
  t.same(office.cached, [folder, inner]);
});

t.test('stopped, it asks no more', async (t) => {
  const office = new Office();
  office.see();
  office.cache.unbind(root, 'letter');
  office.nameless.stop();
  await office.round();
  t.same(office.asked, []);
});
