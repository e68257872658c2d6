/** A snapshot that another replica took, brought here page by page while both live on. */
import fc from 'fast-check';
import t from 'tap';
import type { VnodeStatus } from '../interface/index.js';
import { silentLog } from '../seam/log.js';
import { ContainerReferences } from '../store/container-references.js';
import { SnapshotKeys, snapshotsMost } from '../store/snapshot-rows.js';
import type { CopyUnderWay } from './copied-snapshots.js';
import { SnapshotCopies } from './snapshot-copies.js';
import {
  apply,
  check,
  failureOf,
  fault,
  root,
  server,
  Venus,
  volume,
  type Server,
} from '../../conformance/bare-realm/bare-replica.js';
import {
  checkNeeded,
  checkReferences,
  History,
  inSnapshot,
  living,
  rowsUnder,
  step,
} from '../../conformance/bare-realm/snapshot-history.js';

const noon = { name: 'noon', time: 5 };
const none = new Map<string, Uint8Array>();

/** Few rows at a time, so that much happens in between. */
function copiesOf({ store, replica }: History, at: Server, pageRows: number): SnapshotCopies {
  const { containers, clock } = at;
  const references = ContainerReferences.of({ store, containers, clock, log: silentLog });
  return new SnapshotCopies(new SnapshotKeys(volume), { store, references, pageRows }, replica);
}

t.test('what comes late is what it was elsewhere, and costs only what differs', async (t) => {
  const [here, there] = [server(), server()];
  const [replica, other] = [await here.open(), await there.open({ id: 'b' })];
  for (const each of [replica, other]) {
    const ann = new Venus('a');
    await apply(each, ann.make(each, 'mkdir', root, 'letters'));
    for (let index = 0; index < 300; index += 1)
      await apply(each, ann.make(each, 'create', root, `file ${index}`));
  }
  await other.snapshots.take(noon);
  const before = living(other);
  const bob = new Venus('b');
  const one = [...(replica.list(root)?.entries ?? [])].find(({ name }) => name === 'file 7');
  if (one === undefined) throw new Error('there is no file');
  await apply(replica, bob.remove(replica, 'remove', root, 'file 7', one.status.fid));
  await apply(replica, bob.make(replica, 'create', root, 'new'));
  let copy = await replica.snapshots.copies.begin(noon, 'b');
  let pages = 0;
  for (let more = true; more; pages += 1) {
    if (typeof copy !== 'object') throw new Error(`no copy: ${copy}`);
    t.same(replica.snapshots.list(), [], 'none before it is whole');
    t.equal(await failureOf(() => replica.snapshots.status(noon, root)), 'not-found');
    const page = other.snapshots.copies.page(noon, copy.copy.after);
    const mark = await replica.snapshots.copies.put(copy, page, none);
    if (mark === undefined) throw new Error('the copy is gone');
    copy = { ...noon, copy: mark };
    more = mark.after !== page.upTo || page.more;
  }
  t.ok(pages >= 4, `${pages} pages`);
  t.same(replica.snapshots.list(), [noon]);
  const wanted = Object.fromEntries(
    Object.entries(before).map(([path, status]) => [path, { ...status, vv: {} }]),
  );
  const read = Object.entries(inSnapshot(replica, 'noon')).map(([path, status]) => [
    path,
    { ...status, vv: {} },
  ]);
  t.same(Object.fromEntries(read), wanted);
  t.ok(rowsUnder(here.store, `${volume}/saved/`).length <= 6, 'rows of what differs');
  t.equal(await replica.snapshots.copies.begin(noon, 'b'), undefined, 'it is here');
});

t.test('one that was deleted does not come back, and goes while it comes', async (t) => {
  const at = server();
  const replica = await at.open();
  const { copies } = replica.snapshots;
  const begun = await copies.begin(noon, 'b');
  t.match(begun, { copy: { from: 'b', after: '' } });
  t.match(await copies.begin({ ...noon, time: 6 }, 'b'), /another snapshot "noon"/);
  t.same(copies.underWay(), [begun]);
  t.equal(await replica.snapshots.drop('noon'), true);
  t.same(copies.dropped(), [noon]);
  t.equal(await copies.begin(noon, 'b'), undefined);
  const page = { objects: [], entries: [], upTo: 'entry0', more: true };
  t.equal(await copies.put(begun as CopyUnderWay, page, none), undefined);
  t.equal(await replica.snapshots.take(noon), true, 'but who takes it wants it');
  t.same(copies.dropped(), []);
  t.same(await copies.hear([noon, { name: 'old', time: 1 }]), [{ ...noon, number: 2 }]);
  t.same(
    copies.dropped().map(({ name }) => name),
    ['old', 'noon'],
    'and is told on',
  );
  await copies.forget([noon]);
  t.same(
    copies.dropped().map(({ name }) => name),
    ['old'],
  );
  const again = await copies.begin(noon, 'b');
  t.match(
    await copies.begin(noon, 'c'),
    { copy: { from: 'c', after: '' } },
    'from another one, from the beginning',
  );
  await copies.cancel(noon);
  t.same(copies.underWay(), []);
  t.same(
    copies.dropped().map(({ name }) => name),
    ['old'],
    'which is no deletion',
  );
  t.ok(again);
  const coming = await copies.begin(noon, 'b');
  t.ok(coming);
  t.equal(await replica.snapshots.take(noon), true, 'what is here at once is not waited for');
  t.same(copies.underWay(), []);
  for (let time = 0; time < snapshotsMost - 1; time += 1)
    await replica.snapshots.take({ name: `n${time}`, time });
  t.match(await copies.begin({ name: 'more', time: 0 }, 'b'), /200 snapshots/);
  replica.standing = 'filling';
  t.equal(await failureOf(copies.begin({ name: 'half', time: 0 }, 'b')), 'stale');
});

t.test('one that is put right was here before, and is again when that fails', async (t) => {
  const replica = await server().open();
  const { snapshots } = replica;
  const { copies } = snapshots;
  t.equal(await copies.renew(noon, 'b'), undefined, 'it is not here');
  await snapshots.take(noon);
  t.match(await copies.renew(noon, 'b'), { copy: { from: 'b', heals: true } });
  t.same(snapshots.list(), [], 'damaged as it is nobody is to read it');
  t.equal(await copies.renew(noon, 'b'), undefined, 'once at a time');
  t.equal(await snapshots.take(noon), false, 'what is now is no snapshot of then');
  t.match(await copies.begin(noon, 'c'), { copy: { from: 'c', heals: true } });
  await copies.cancel(noon);
  t.same(snapshots.list(), [noon]);
  t.ok(snapshots.status(noon, root));
});

t.test('what belongs to no snapshot of the volume is refused', async (t) => {
  const replica = await server().open();
  const copy = (await replica.snapshots.copies.begin(noon, 'b')) as CopyUnderWay;
  const status = replica.status(root);
  if (status === undefined) throw new Error('no root');
  const page = { objects: [status], entries: [], upTo: 'object0', more: false };
  const put = (changes: object): Promise<string> =>
    failureOf(replica.snapshots.copies.put(copy, { ...page, ...changes }, none));
  t.equal(await put({ objects: [{ ...status, fid: '7f000002.1.1' }] }), 'incompatible');
  const entry = { directory: root, fid: root, kind: 'file' };
  t.equal(await put({ entries: [{ ...entry, name: 'a/b' }] }), 'incompatible');
  t.equal(await put({ entries: [{ ...entry, name: 'a\u0001' }] }), 'incompatible');
});

/** A fixed seed: the same histories in every run. */
const runs = { numRuns: Number(process.env['RUNS'] ?? 100), seed: Number(process.env['SEED'] ?? 1) };

const move = fc.record({
  who: fc.constantFrom('here', 'here', 'there', 'begin', 'put', 'put', 'put', 'put', 'cut'),
  step,
});
type Move = typeof move extends fc.Arbitrary<infer M> ? M : never;

/** Two replicas of a volume that never hear of each other, but for snapshots. */
class Pair {
  readonly #at = server();
  readonly #other = server();
  readonly here = new History(this.#at);
  readonly there = new History(this.#other);
  #brought = 0;
  /** Of the copies under way: what each shall be. */
  readonly #coming = new Map<string, Record<string, VnodeStatus>>();

  async open(): Promise<void> {
    await this.here.open();
    await this.there.open();
  }

  async run({ who, step: each }: Move): Promise<void> {
    const { here, there } = this;
    if (who === 'here' && each.op !== 'crash') await here.run(each);
    if (who === 'there' && each.op !== 'crash') await there.run(each);
    if (who === 'begin') await this.#begin(each.pick[0]);
    if (who === 'put') await this.#put(each.pick[1] % 3);
    if (who !== 'cut') return;
    // The power fails here; copies go on behind it.
    here.store = here.store.crash(each.pick[2] % 2 === 0);
    await here.open();
  }

  /** Of what is there now, under a name that the other one's own snapshots do not have. */
  async #begin(pick: number): Promise<void> {
    const { here, there } = this;
    const name = `copied ${(this.#brought += 1)}`;
    const copy = living(there.replica);
    const snapshot = { name, time: 1000 + this.#brought };
    await there.replica.snapshots.take(snapshot);
    there.copies.set(name, copy);
    const before = copiesOf(here, this.#at, 3).underWay()[0];
    if (before !== undefined && pick % 3 === 0) {
      await copiesOf(here, this.#at, 3).cancel(before);
      this.#coming.delete(before.name);
    }
    await copiesOf(here, this.#at, 3).begin(snapshot, 'b');
    this.#coming.set(name, copy);
  }

  async #put(extra: number): Promise<boolean> {
    const { here, there } = this;
    const [copy] = copiesOf(here, this.#at, 3).underWay();
    if (copy === undefined) return false;
    const page = copiesOf(there, this.#other, 2 + extra).page(
      { name: copy.name, time: copy.time },
      copy.copy.after,
    );
    const releases = [0, 1, 2, 3].map(async (index) => {
      const digest = await this.#at.upload(`text ${index}`);
      return here.replica.hold(digest);
    });
    const held = await Promise.all(releases);
    const mark = await copiesOf(here, this.#at, 3).put(copy, page, none);
    for (const release of held) release();
    if (mark?.after === page.upTo && !page.more) {
      here.copies.set(copy.name, this.#coming.get(copy.name) ?? {});
      this.#coming.delete(copy.name);
    }
    return true;
  }

  async finish(): Promise<void> {
    while (await this.#put(2));
    if (this.#coming.size > 0) fault(`never came: ${[...this.#coming.keys()]}`);
  }
}

t.test('property: a copy reads as the snapshot there, and every other snapshot as before', async (t) => {
  let brought = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(move, { maxLength: 90, size: 'max' }), async (moves) => {
      const pair = new Pair();
      await pair.open();
      for (const each of moves) {
        await pair.run(each);
        await pair.here.check();
      }
      await pair.finish();
      await pair.here.check();
      await pair.here.sweep();
      checkNeeded(pair.here.store);
      checkReferences(pair.here.store);
      await check(pair.here.replica, pair.here.store);
      for (const name of pair.here.copies.keys()) {
        if (name.startsWith('copied')) brought += 1;
        await pair.here.replica.snapshots.drop(name);
      }
      pair.here.copies.clear();
      await pair.here.sweep();
      await pair.here.check();
      const left = rowsUnder(pair.here.store, `${volume}/saved/`).map(({ key }) => key);
      if (left.length > 0) fault(`left are ${left}`);
    }),
    runs,
  );
  t.ok(brought > 20, `${brought} were brought`);
});
