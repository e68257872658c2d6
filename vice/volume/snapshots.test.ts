/** Snapshots of a replica: what people rely on as stories, then against a twin that copies everything each time. */
import fc from 'fast-check';
import t from 'tap';
import { rootFid, type Fid } from '../interface/index.js';
import { SnapshotKeys, snapshotsMost } from '../store/snapshot-rows.js';
import type { Replica } from './replica.js';
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
  checkReferences,
  History,
  inSnapshot,
  living,
  rowsUnder,
  step,
} from '../../conformance/bare-realm/snapshot-history.js';

async function write(at: Server, replica: Replica, venus: Venus, fid: Fid, text: string): Promise<string> {
  const digest = await at.upload(text);
  const release = replica.hold(digest);
  await apply(replica, venus.store(replica, fid, digest, text.length));
  release();
  return digest;
}

t.test('yesterday is what it was, whatever is done today', async (t) => {
  const at = server();
  const { containers, store } = at;
  const replica = await at.open();
  const venus = new Venus('a');
  const folder = venus.make(replica, 'mkdir', root, 'letters');
  await apply(replica, folder);
  const file = venus.make(replica, 'create', folder.fid, 'offer.txt');
  await apply(replica, file);
  const first = await write(at, replica, venus, file.fid, 'first');
  const before = living(replica);
  t.same(Object.keys(before), ['', '/letters', '/letters/offer.txt']);

  t.equal(await replica.snapshots.take({ name: 'yesterday', time: 1 }), true);
  t.equal(await replica.snapshots.take({ name: 'yesterday', time: 1 }), false, 'said twice, taken once');
  t.equal(await failureOf(replica.snapshots.take({ name: 'yesterday', time: 2 })), 'exists');
  t.equal(rowsUnder(store, `${volume}/saved/`).length, 0, 'taking it copies nothing');

  const second = await write(at, replica, venus, file.fid, 'second');
  await apply(replica, venus.rename(replica, file.fid, [folder.fid, 'offer.txt'], [root, 'moved.txt']));
  await apply(replica, venus.remove(replica, 'rmdir', root, 'letters', folder.fid));
  await apply(replica, venus.make(replica, 'create', root, 'new.txt'));
  t.same(Object.keys(living(replica)), ['', '/moved.txt', '/new.txt']);
  t.same(inSnapshot(replica, 'yesterday'), before);
  const again = await at.open();
  t.same(inSnapshot(again, 'yesterday'), before, 'also after a restart');
  await new Promise(setImmediate);
  t.same([await containers.has(first), await containers.has(second)], [true, true]);
  await check(replica, store);
  checkReferences(store);
  t.equal((await replica.space()).used, 6, 'the quota knows nothing of it');

  t.equal(await replica.snapshots.drop('yesterday'), true);
  t.equal(await replica.snapshots.drop('yesterday'), false);
  await replica.snapshots.sweep();
  await new Promise(setImmediate);
  t.same([await containers.has(first), await containers.has(second)], [false, true]);
  t.equal(rowsUnder(store, `${volume}/saved/`).length, 0, 'nothing of it is left');
  checkReferences(store);
});

t.test('all objects are read as they were, while others come, change and go', async (t) => {
  const replica = await server().open();
  const ann = new Venus('a');
  const fids: Fid[] = [];
  for (let index = 0; index < 350; index += 1) {
    const made = ann.make(replica, 'create', root, `file ${index}`);
    await apply(replica, made);
    fids.push(made.fid);
  }
  const noon = { name: 'noon', time: 1 };
  await replica.snapshots.take(noon);
  const wanted = [...fids, root].sort();
  const read: Fid[] = [];
  let turns = 0;
  for (const status of replica.snapshots.objects(noon, null)) {
    if (status !== undefined) {
      read.push(status.fid);
      t.equal(status.mode === 0o777, false, 'as it was');
      continue;
    }
    // At each turn: some go, some change, some come, behind and before what was read.
    for (let index = turns; index < fids.length; index += 7) {
      const fid = fids[index];
      if (fid === undefined || replica.status(fid) === undefined) continue;
      if (index % 2 === 0) await apply(replica, ann.remove(replica, 'remove', root, `file ${index}`, fid));
      else await apply(replica, ann.chmod(replica, fid, 0o777));
    }
    await apply(replica, ann.make(replica, 'create', root, `new ${turns}`));
    await replica.forgetRemoved(replica.stamp);
    turns += 1;
  }
  t.ok(turns > 2, 'others had their turn');
  t.same(read, wanted);
  const last = wanted[200] ?? null;
  const rest = [...replica.snapshots.objects(noon, last)].flatMap((status) => status?.fid ?? []);
  t.same(rest, wanted.slice(201), 'from any object on');
});

t.test('who has a snapshot in his hand when it is deleted is told so', async (t) => {
  const at = server();
  const replica = await at.open();
  const venus = new Venus('a');
  await apply(replica, venus.make(replica, 'create', root, 'one'));
  const snapshot = { name: 'noon', time: 5 };
  await replica.snapshots.take(snapshot);
  const steps = replica.snapshots.entries(snapshot, root)[Symbol.iterator]();
  steps.next();
  await replica.snapshots.drop('noon');
  await replica.snapshots.take({ name: 'noon', time: 6 });
  t.equal(await failureOf(() => steps.next()), 'not-found');
  t.equal(
    await failureOf(() => replica.snapshots.status(snapshot, root)),
    'not-found',
    'another one bears the name',
  );
  t.ok(replica.snapshots.status({ name: 'noon', time: 6 }, root));
});

t.test('there are not more than can be looked through, and none where not everything is', async (t) => {
  const replica = await server().open();
  for (let time = 0; time < snapshotsMost; time += 1)
    await replica.snapshots.take({ name: `n${time}`, time });
  t.equal(await failureOf(replica.snapshots.take({ name: 'more', time: 0 })), 'refused');
  await replica.snapshots.drop('n7');
  t.equal(await replica.snapshots.take({ name: 'more', time: 0 }), true);
  const filling = await server().open();
  filling.standing = 'filling';
  t.equal(await failureOf(filling.snapshots.take({ name: 'half', time: 0 })), 'stale');
  filling.standing = 'dropped';
  t.equal(await failureOf(() => filling.snapshots.list()), 'stale');
});

t.test(
  'rot: a damaged record of a snapshot costs that object alone; numbers are not given again',
  async (t) => {
    const at = server();
    const { store } = at;
    const replica = await at.open();
    const venus = new Venus('a');
    const file = venus.make(replica, 'create', root, 'file');
    await apply(replica, file);
    const snapshot = { name: 'noon', time: 5 };
    await replica.snapshots.take(snapshot);
    await apply(replica, venus.chmod(replica, file.fid, 0o600));
    const rows = rowsUnder(store, `${volume}/saved/object/${file.fid}`);
    t.equal(rows.length, 1);
    await store.transact((transaction) => {
      for (const { key } of rows) transaction.put(key, new Uint8Array(9));
      transaction.put(new SnapshotKeys(volume).counter, new Uint8Array(9));
    });
    t.equal(await failureOf(() => replica.snapshots.status(snapshot, file.fid)), `damaged ${file.fid}`);
    t.ok(replica.snapshots.status(snapshot, root));
    await replica.snapshots.take({ name: 'later', time: 6 });
    t.equal(replica.snapshots.status({ name: 'later', time: 6 }, file.fid)?.mode, 0o600);
  },
);

/** A fixed seed: the same histories in every run. */
const runs = { numRuns: Number(process.env['RUNS'] ?? 40), seed: Number(process.env['SEED'] ?? 1) };

t.test(
  'property: a snapshot reads as a full copy of its time; nothing is left of those deleted',
  async (t) => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60, size: 'max' }), async (steps) => {
        const history = new History(server());
        await history.open();
        for (const each of steps) {
          await history.run(each);
          await history.check();
        }
        await check(history.replica, history.store);
        for (const name of history.copies.keys()) await history.replica.snapshots.drop(name);
        history.copies.clear();
        await history.sweep();
        await history.check();
        const left = rowsUnder(history.store, `${volume}/saved/`).map(({ key }) => key);
        if (left.length > 0) fault(`left are ${left}`);
      }),
      runs,
    );
    t.equal(rootFid(volume), root);
  },
);
