/** A volume replica over the memory twins: stories of what clients and resolution do, then properties. */
import t from 'tap';
import {
  counterOf,
  emptyDigest,
  isRemoved,
  knows,
  makeFid,
  makeStoreId,
  relate,
  rootFid,
  seal,
  venusOf,
  venusOfAuthor,
  type Fid,
  type Mutation,
  type StoreId,
  type VolumeId,
} from '../interface/index.js';
import { silentLog } from '../seam/log.js';
import { endOf, type Store, type StoreTransaction } from '../seam/store.js';
import { seededRandom } from '../seam/twin/seeded-random.js';
import { bucketOf } from '../store/state-digest.js';
import { VolumeKeys } from '../store/volume-store.js';
import { pendingMs } from './cop2.js';
import { openReplica } from './open-replica.js';
import type { Change, Replica } from './replica.js';
import {
  volume,
  root,
  group,
  speaker,
  server,
  Venus,
  apply,
  refusal,
  tree,
  names,
  check,
  failureOf,
  take,
} from '../../conformance/bare-realm/bare-replica.js';

t.test('a new volume has a root that knows nothing, and keeps its incarnation', async (t) => {
  const { open, store } = server();
  const replica = await open();
  const status = replica.status(root);
  t.match(status, { kind: 'directory', parent: null, vv: {}, storeId: null, known: {}, mode: 0o755 });
  t.same(replica.list(root)?.digest, '0000000000000000');
  t.same([replica.stamp, names(replica)], [0, []]);
  const reopened = store.reopen();
  const again = await open({ store: reopened });
  t.equal(again.incarnation, replica.incarnation);
  await apply(again, new Venus('a').make(again, 'create', root, 'file'));
  t.ok(again.stamp > 1000, 'what a crash has swallowed has no stamp that comes again');
  const [first, second] = again.history;
  t.same([first, second?.after], [{ id: replica.incarnation, after: 0 }, 0]);
  const put = await open({ store: reopened.reopen() });
  await apply(put, new Venus('b').make(put, 'create', root, 'another'));
  t.same([put.history[0], put.history[1]], [first, second], 'what was before it stays');
  t.same([put.history.length, put.history[2]?.after], [3, again.stamp], 'and each opening has an epoch');
  t.same(replica.changedSince(0, replica.incarnation), []);
  t.equal(replica.changedSince(0, 'another'), null, 'of another history nothing can be told');
  t.equal(replica.changedSince(1, replica.incarnation), null, 'nor of the future');
});

t.test('the life of a file: made, written, renamed, removed', async (t) => {
  const { open, upload, containers } = server();
  const replica = await open();
  const venus = new Venus('a');
  const docs = venus.make(replica, 'mkdir', root, 'docs');
  const first = await apply(replica, docs);
  t.same(first.versions, [
    { fid: root, vv: { a: 1 }, storeId: docs.storeId },
    { fid: docs.fid, vv: { a: 1 }, storeId: docs.storeId },
  ]);
  const create = venus.make(replica, 'create', docs.fid, 'Ω');
  await apply(replica, create, venus.make(replica, 'create', docs.fid, 'z'));
  await apply(replica, venus.make(replica, 'mkdir', docs.fid, 'A'));
  t.same(names(replica, docs.fid), ['A', 'z', 'Ω'], 'in the order of their bytes');

  const digest = await upload('hello');
  await apply(replica, venus.store(replica, create.fid, digest, 5));
  t.match(replica.status(create.fid), { data: { digest, length: 5 }, vv: { a: 2 }, modified: 2000 });
  t.ok(replica.names(digest));
  t.equal((await replica.space()).used, 5);
  await check(replica);

  await apply(replica, venus.rename(replica, create.fid, [docs.fid, 'Ω'], [root, 'final']));
  t.same(
    [names(replica), names(replica, docs.fid)],
    [
      ['docs', 'final'],
      ['A', 'z'],
    ],
  );
  await check(replica);

  const begun = replica.list(root)?.entries[Symbol.iterator]();
  t.equal(begun?.next().value?.name, 'docs');
  const remove = venus.remove(replica, 'remove', root, 'final', create.fid);
  const gone = await apply(replica, remove);
  const version = gone.versions.find(({ fid }) => fid === create.fid);
  t.equal(version?.storeId, remove.storeId, 'a tombstone has a version');
  t.equal(replica.status(create.fid), undefined);
  t.equal(begun?.next().done, true, 'a listing that goes on shows nothing that is gone');
  t.equal((await replica.space()).used, 0);
  t.notOk(replica.names(digest));
  await new Promise(setImmediate);
  t.notOk(await containers.has(digest), 'nothing names the contents any more');
  await check(replica);
});

t.test('a refused record takes its whole batch with it', async (t) => {
  const { open, upload } = server();
  const replica = await open();
  const venus = new Venus('a');
  const file = venus.make(replica, 'create', root, 'file');
  await apply(replica, file);
  const before = tree(replica);
  const stamp = replica.stamp;
  const changes: Change[] = [];
  replica.onChange((change) => changes.push(change));

  const good = venus.make(replica, 'create', root, 'good');
  t.equal(await refusal(replica, good, venus.make(replica, 'create', root, 'file')), '1 exists');
  const rmdir = venus.remove(replica, 'rmdir', root, 'file', file.fid);
  t.equal(await refusal(replica, good, rmdir), '1 not-directory');
  const elsewhere = makeFid('7f000002' as VolumeId, 9, venus.id);
  t.equal(await refusal(replica, { ...good, fid: elsewhere }), '0 cross-volume');
  const digest = await upload('abc');
  const longer = venus.store(replica, file.fid, digest, 4);
  t.equal(await refusal(replica, good, longer), '1 invalid', 'a false length');
  const missing = { ...venus.store(replica, file.fid, 'f'.repeat(64), 4) };
  t.equal(await failureOf(apply(replica, good, missing)), 'not-found', 'contents first');
  const other = new Venus('b').make(replica, 'create', root, 'other');
  t.equal(await failureOf(apply(replica, good, other)), 'invalid', "a watermark is one client's own");

  t.same([tree(replica), replica.stamp, changes], [before, stamp, []], 'no change, nobody was told');
  t.equal(await refusal(replica, good), 'applied', 'and the record is as good as before');
});

t.test('two clients: names decide in directories, contents in files', async (t) => {
  const { open, upload } = server();
  const replica = await open();
  const [anna, ben] = [new Venus('a'), new Venus('b')];
  const file = anna.make(replica, 'create', root, 'file');
  await apply(replica, file);
  const fromAnna = anna.make(replica, 'create', root, 'from anna');
  const fromBen = ben.make(replica, 'create', root, 'from ben');
  const sameName = ben.make(replica, 'create', root, 'from anna');
  t.same((await apply(replica, fromAnna)).ahead, []);
  t.same((await apply(replica, fromBen)).ahead, [root], 'ben must fetch the root again');
  t.equal(await refusal(replica, sameName), '0 exists');

  const [x, y] = [await upload('x'), await upload('yy')];
  const annas = anna.store(replica, file.fid, x, 1);
  const bens = ben.store(replica, file.fid, y, 2);
  const mode = ben.chmod(replica, file.fid, 0o600);
  const removal = ben.remove(replica, 'remove', root, 'file', file.fid);
  await apply(replica, annas);
  t.equal(await refusal(replica, bens), '0 conflict');
  t.equal(await refusal(replica, removal), '0 conflict');
  t.same((await apply(replica, mode)).ahead, [file.fid], 'an attribute is no conflict, but his copy is old');
  t.match(replica.status(file.fid), { mode: 0o600, data: { digest: x } });
  const unseen = anna.chmod(replica, file.fid, 0o644);
  const ahead = { ...unseen, base: { [file.fid]: { [ben.id]: 1000 } } };
  t.equal(await refusal(replica, ahead), '0 stale', 'anna has seen at another replica what is not here');
});

t.test('exactly once: replays, lost replies, the watermark', async (t) => {
  const { open, upload, store, clock } = server();
  const replica = await open();
  const venus = new Venus('a');
  const digest = await upload('text');
  const file = venus.make(replica, 'create', root, 'file');
  await apply(replica, file);
  await apply(replica, venus.store(replica, file.fid, digest, 4));
  const before = tree(replica);
  await apply(replica, file);
  t.same(tree(replica), before, 'a replay changes nothing');

  // The contents are replaced and gone: the replay of their record must not ask for them.
  const next = venus.store(replica, file.fid, emptyDigest, 0);
  await apply(replica, next);
  await new Promise(setImmediate);
  const stamp = replica.stamp;
  await replica.mutate({ records: [next], watermark: venus.counter + 1 }, speaker);
  t.equal(await refusal(replica, file), 'applied', 'below the watermark');
  const late = { ...venus.make(replica, 'mkdir', root, 'late'), storeId: makeStoreId(venus.id, 1) };
  t.equal(await failureOf(apply(replica, late)), 'damaged', 'nothing new can come there, but from a copy');
  t.equal(replica.stamp, stamp);
  const rows = [...store.range({ start: `${volume}/applied/`, end: endOf(`${volume}/applied/`) })];
  t.same(rows, [], 'below the watermark nothing is remembered singly');
  t.equal(clock.pending, 0);
});

t.test('users of one gateway: in one batch, each with a counter and a watermark of his own', async (t) => {
  const { open, store } = server();
  const replica = await open();
  const gateway = new Venus('a');
  const of = (author: string, name: string): Mutation => {
    const record = gateway.make(replica, 'mkdir', root, name);
    const storeId = makeStoreId(venusOfAuthor(gateway.id, author), counterOf(record.storeId));
    return { ...record, author, storeId };
  };
  const [first, bobs, second] = [of('ann', 'first'), of('bob', 'his'), of('ann', 'second')];
  await apply(replica, bobs);
  t.notOk(knows(replica.status(root)?.known ?? {}, first.storeId), 'who has his has none of hers');
  t.equal(await refusal(replica, first, bobs, second), 'applied');
  t.same([...names(replica)].sort(), ['first', 'his', 'second']);
  const known = replica.status(root)?.known ?? {};
  for (const { storeId } of [second, bobs]) t.equal(known[venusOf(storeId)], counterOf(storeId));
  t.same(
    [...replica.seenOf(gateway.id)].sort(),
    [second, bobs].map(({ storeId }) => counterOf(storeId)).sort(),
  );
  t.same(replica.seenOf(new Venus('b').id), []);

  const late = of('bob', 'late');
  const hers = of('ann', 'hers');
  await replica.mutate({ records: [of('bob', 'last')], watermark: gateway.counter }, speaker);
  t.equal(await failureOf(apply(replica, late)), 'damaged');
  t.equal(await refusal(replica, hers), 'applied', 'nothing was said of hers');
  const rows = [...store.range({ start: `${volume}/applied/`, end: endOf(`${volume}/applied/`) })];
  t.equal(rows.length, 4, 'three of hers, his last');
});

t.test('COP2: equal vectors; lost, late, doubled and foreign ones do no harm', async (t) => {
  const [one, two] = [server(), server()];
  const [a, b] = [await one.open({ id: 'a' }), await two.open({ id: 'b' })];
  const venus = new Venus('a');
  const make = venus.make(a, 'mkdir', root, 'dir');
  for (const replica of [a, b]) await apply(replica, make);
  const changes: Change[] = [];
  a.onChange((change) => changes.push(change));
  const update = { storeId: make.storeId, replicas: ['a', 'b', 'b', 'stranger'] };
  await a.cop2([update]);
  t.same(a.status(root)?.vv, { a: 1, b: 1 }, 'each other replica of the group once');
  t.same([changes, a.stamp, a.changedSince(1, a.incarnation)], [[], 1, []], 'no news to anybody');
  await a.cop2([update, { storeId: 'cccccccccccccccc:1' as StoreId, replicas: ['b'] }]);
  t.same(a.status(root)?.vv, { a: 1, b: 1 }, 'once only');
  const [atA, atB] = [a.status(root), b.status(root)];
  if (atA === undefined || atB === undefined) throw new Error('root');
  t.equal(relate(atA, atB), 'weakly-equal', 'b has lost it');

  t.same(await take(b, a, root), { changed: [root], skipped: [] });
  t.same(b.status(root)?.vv, { a: 1, b: 1 });
  await b.cop2([update]);
  t.same(b.status(root)?.vv, { a: 1, b: 1 }, 'too late: the counts have it already');
  t.same(b.status(make.fid)?.vv, { a: 1, b: 1 }, 'for the object that was not merged it is in time');

  const silent = venus.make(a, 'mkdir', make.fid, 'silent');
  for (const replica of [a, b]) await apply(replica, silent);
  await apply(a, venus.chmod(a, silent.fid, 0o700));
  await take(b, a, silent.fid);
  t.same(b.status(silent.fid)?.vv, { a: 2, b: 1 }, 'what b has counted stays counted');
  await b.cop2([{ storeId: silent.storeId, replicas: ['a', 'b'] }]);
  t.same(b.status(silent.fid)?.vv, { a: 2, b: 1 });

  t.comment('b has an update by resolution before its record comes');
  const brought = venus.chmod(a, silent.fid, 0o711);
  await apply(a, brought);
  await take(b, a, silent.fid);
  const stamps = [b.stamp];
  for (const _ of ['the record', 'its replay']) {
    await apply(b, brought);
    stamps.push(b.stamp);
  }
  t.same(b.status(silent.fid)?.vv, { a: 3, b: 2 }, 'counted, and once');
  t.same(
    stamps.map((stamp) => stamp - b.stamp),
    [-1, 0, 0],
    'peers hear of it',
  );
  await a.cop2([{ storeId: brought.storeId, replicas: ['a', 'b'] }]);
  t.same(a.status(silent.fid)?.vv, { a: 3, b: 1 }, 'nobody counts more than there are');

  t.comment('b has the directory of an update, but not yet its object');
  const half = venus.make(a, 'create', silent.fid, 'half');
  await apply(a, half);
  await apply(a, venus.remove(a, 'remove', silent.fid, 'half', half.fid));
  await take(b, a, silent.fid);
  await apply(b, half);
  await b.cop2([{ storeId: half.storeId, replicas: ['a', 'b'] }]);
  t.same(b.status(silent.fid)?.vv, { a: 5, b: 3 }, 'what a has counted there came with the directory');
  t.same(b.status(half.fid)?.vv, { a: 1, b: 1 });

  const late = venus.make(a, 'create', root, 'late');
  await apply(a, late);
  await one.clock.advance(pendingMs);
  await apply(a, venus.make(a, 'create', root, 'later'));
  await a.cop2([{ storeId: late.storeId, replicas: group }]);
  t.same(a.status(late.fid)?.vv, { a: 1 }, 'given up after a quarter of an hour');
  t.equal(a.status(root)?.vv['b'], 1);
});

t.test(
  'COP2: a settled record that moves a directory into itself names it twice, and is one update',
  async (t) => {
    const [a, b] = [await server().open({ id: 'a' }), await server().open({ id: 'b' })];
    const venus = new Venus('a');
    const { fid, ...make } = venus.make(a, 'mkdir', root, 'dir');
    for (const replica of [a, b]) await apply(replica, { fid, ...make });
    const move = { ...venus.rename(a, fid, [root, 'dir'], [fid, 'dir']), settled: true as const };
    for (const replica of [a, b]) await apply(replica, move);
    for (const { storeId } of [make, move]) await a.cop2([{ storeId, replicas: ['a', 'b'] }]);
    t.same(a.status(fid)?.vv, { a: 2, b: 2 });
    t.same(b.status(fid)?.vv, { b: 2 });
  },
);

t.test('changes for peers: in stamp order, whole records, tombstones, pages', async (t) => {
  const { open, store } = server();
  const replica = await open();
  const venus = new Venus('a');
  const made = ['x', 'y', 'z'].map((name) => venus.make(replica, 'create', root, name));
  await apply(replica, ...made);
  const [x, y, z] = made.map(({ fid }) => fid);
  if (x === undefined || y === undefined || z === undefined) throw new Error('three');
  const page = replica.changes(0, 1);
  t.same([page.changes.map(({ status }) => status.fid), page.upTo, page.more], [[x], 1, true]);
  const rest = replica.changes(page.upTo, 2);
  t.same(rest.changes.map(({ status }) => status.fid).sort(), [y, root, z].sort(), 'a record whole');
  t.equal(rest.more, false);
  const isTold = (fid: Fid): boolean => replica.digests('').has(bucketOf(fid).slice(0, 1));
  t.ok(isTold(x));
  await apply(replica, venus.remove(replica, 'remove', root, 'x', x));
  t.equal(
    isTold(x),
    [root, y, z].some((fid) => bucketOf(fid)[0] === bucketOf(x)[0]),
    'as if it never was',
  );
  const { changes, upTo } = replica.changes(rest.upTo, 100);
  const heard = changes.map(({ status }) => [status.fid, isRemoved(status)]);
  t.same(
    heard.sort(),
    [
      [root, false],
      [x, true],
    ].sort(),
  );
  t.equal(upTo, replica.stamp);
  t.same(replica.changedSince(3, replica.incarnation)?.toSorted(), [root, x].sort());
  const mark = { stamp: 7, epochs: [{ id: 'i', after: 0 }] };
  await replica.setCaughtUp('b', mark);
  t.same([replica.caughtUp('b'), replica.caughtUp('c')], [mark, undefined]);
  await store.transact((transaction) => {
    transaction.put(new VolumeKeys(volume).peer('c'), seal({ incarnation: 'i', stamp: 7 }));
  });
  t.same(replica.caughtUp('c'), mark, 'as an earlier build wrote it');
});

t.test('damage is of one object, said so, and healed by what a peer brings', async (t) => {
  const [one, two] = [server(), server()];
  const [a, b] = [await one.open({ id: 'a' }), await two.open({ id: 'b' })];
  const venus = new Venus('a');
  const made = ['good', 'bad'].map((name) => venus.make(a, 'create', root, name));
  const [good, bad] = made;
  if (good === undefined || bad === undefined) throw new Error('two');
  for (const replica of [a, b]) await apply(replica, ...made);
  const { store, containers, clock } = one;
  const rot = async (key: string): Promise<Replica> => {
    await store.transact((transaction) => {
      const value = transaction.get(key);
      if (value === undefined) throw new Error(key);
      transaction.put(
        key,
        value.map((byte, index) => (index === 9 ? byte ^ 1 : byte)),
      );
    });
    const random = seededRandom(2);
    return openReplica({ volume, id: 'a', group, containers, clock, log: silentLog, store, random });
  };
  const rotten = await rot(`${volume}/object/${bad.fid}`);
  t.equal(await failureOf(() => rotten.status(bad.fid)), `damaged ${bad.fid}`);
  t.equal(await failureOf(() => names(rotten)), `damaged ${bad.fid}`, 'a listing must not look complete');
  t.match(rotten.status(good.fid), { kind: 'file' });
  t.equal(await refusal(rotten, venus.chmod(b, good.fid, 0o600)), 'applied');
  t.equal(await refusal(rotten, venus.chmod(b, bad.fid, 0o600)), '0 damaged');
  t.same((await take(rotten, b, bad.fid)).changed, [bad.fid]);
  t.same(names(rotten), ['bad', 'good']);
  await check(rotten);

  t.comment('an entry, a digest, the meta record');
  const again = await rot(`${volume}/entry/${root}/bad`);
  t.equal(await failureOf(() => names(again)), `damaged ${root}`);
  const more = venus.make(b, 'create', root, 'more');
  await apply(b, more);
  await again.mending.search(root);
  await take(again, b, more.fid, root);
  t.same(names(again), ['bad', 'good', 'more']);
  const recounted = await rot(`${volume}/children/${root}`);
  await check(recounted);
  await apply(recounted, venus.make(recounted, 'create', root, 'last'));
  await check(recounted);
  const { incarnation, stamp } = recounted;
  const copied = await rot(`${volume}/meta`);
  t.same([copied.incarnation, copied.stamp], [incarnation, stamp], 'its copy says the same (KT-1)');
  const mended = await rot(`copy/${volume}/meta`);
  t.same([mended.incarnation, mended.stamp], [incarnation, stamp], 'and it was written anew from that');
  await rot(`${volume}/meta`);
  await store.transact((transaction) => {
    for (const key of [`${volume}/meta`, `copy/${volume}/meta`])
      transaction.put(key, new Uint8Array([1, 2, 3]));
  });
  const random = seededRandom(3);
  const lost = await openReplica({
    volume,
    id: 'a',
    group,
    containers,
    clock,
    log: silentLog,
    store,
    random,
  });
  t.not(lost.incarnation, incarnation, 'peers and clients look at everything again');
  t.equal(lost.stamp, stamp, 'and no stamp comes twice');
  await check(lost);
});

t.test('containers: shared by volumes, held, swept', async (t) => {
  const { open, upload, containers, clock, store } = server();
  const orphan = await upload('left by a crash');
  const held = await upload('on its way');
  const replica = await open();
  const release = replica.hold(held);
  await clock.advance(60_000);
  t.same([await containers.has(orphan), await containers.has(held)], [false, true]);

  const neighbour = await open({ volume: '7f000002' as VolumeId });
  const venus = new Venus('a');
  const file = venus.make(replica, 'create', root, 'file');
  await apply(replica, file);
  const copy = { ...venus.make(replica, 'create', root, 'copy') };
  await apply(replica, copy);
  for (const { fid } of [file, copy]) await apply(replica, venus.store(replica, fid, held, 10));
  release();
  release();
  const foreign = rootFid('7f000002' as VolumeId);
  const other = makeFid('7f000002' as VolumeId, 5, venus.id);
  const make = { ...venus.make(neighbour, 'create', foreign, 'file'), fid: other };
  await apply(neighbour, make);
  await apply(neighbour, venus.store(neighbour, other, held, 10));
  for (const [name, { fid }] of [
    ['file', file],
    ['copy', copy],
  ] as const) {
    await apply(replica, venus.remove(replica, 'remove', root, name, fid));
    await new Promise(setImmediate);
    t.ok(await containers.has(held), 'something still names it');
  }
  t.notOk(replica.names(held));
  await apply(neighbour, venus.remove(neighbour, 'remove', foreign, 'file', other));
  await new Promise(setImmediate);
  t.notOk(await containers.has(held));
  t.same([...store.range({ start: 'container/', end: endOf('container/') })], []);

  const unused = await upload('never named');
  replica.hold(unused)();
  await new Promise(setImmediate);
  t.notOk(await containers.has(unused), 'released without a name: gone at once');
});

t.test('a full disk: the change is taken back whole, and the next one works', async (t) => {
  const { open, store } = server();
  const replica = await open();
  const venus = new Venus('a');
  await apply(replica, venus.make(replica, 'create', root, 'first'));
  const before = tree(replica);
  const changes: number[] = [];
  replica.onChange(({ stamp }) => changes.push(stamp));
  store.failNext('no-space');
  const second = venus.make(replica, 'create', root, 'second');
  t.equal(await failureOf(apply(replica, second)), 'no-space');
  t.same(tree(replica), before);
  await Promise.all(['a', 'b', 'c'].map((name) => apply(replica, venus.make(replica, 'create', root, name))));
  await apply(replica, second);
  t.same(names(replica), ['a', 'b', 'c', 'first', 'second']);
  t.same(
    changes,
    changes.toSorted((x, y) => x - y),
  );
  t.equal(changes.at(-1), replica.stamp);
});

t.test('what a change costs', async (t) => {
  const { open, store } = server();
  const counts = { get: 0, range: 0, put: 0, remove: 0 };
  const counting: Store = {
    place: store.place,
    isBroken: false,
    get: (key) => ((counts.get += 1), store.get(key)),
    range: (options) => store.range(options),
    close: () => store.close(),
    transact: (work) =>
      store.transact((transaction) => {
        const counted: StoreTransaction = {
          get: (key) => ((counts.get += 1), transaction.get(key)),
          range: (options) => ((counts.range += 1), transaction.range(options)),
          put: (key, value) => ((counts.put += 1), transaction.put(key, value)),
          remove: (key) => ((counts.remove += 1), transaction.remove(key)),
        };
        return work(counted);
      }),
  };
  const replica = await open({ store: counting });
  const venus = new Venus('a');
  const cost = async (...records: readonly Mutation[]): Promise<readonly number[]> => {
    Object.assign(counts, { get: 0, range: 0, put: 0, remove: 0 });
    await replica.mutate({ records: [...records], watermark: venus.counter }, speaker);
    return [counts.get + counts.range, counts.put + counts.remove];
  };
  const file = venus.make(replica, 'create', root, 'file');
  await cost(file);
  t.comment(`create: ${String(await cost(venus.make(replica, 'create', root, 'another')))} reads, writes`);
  const [reads = 0, writes = 0] = await cost(venus.chmod(replica, file.fid, 0o600));
  t.comment(`chmod: ${reads} reads, ${writes} writes`);
  t.ok(reads <= 12 && writes <= 12);
  const hundred = Array.from({ length: 100 }, (_, index) => venus.make(replica, 'create', root, `n${index}`));
  const [batchReads = 0, batchWrites = 0] = await cost(...hundred);
  t.comment(`100 creates in one batch: ${batchReads} reads, ${batchWrites} writes`);
  t.ok(batchReads <= 1100 && batchWrites <= 850, 'the directory itself is written once');
  for (let batch = 0; batch < 20; batch += 1) {
    const names = Array.from({ length: 100 }, (_, at) => `m${batch}.${at}`);
    await apply(replica, ...names.map((name) => venus.make(replica, 'create', root, name)));
  }
  await check(replica);
  const cold = await open({ store: counting });
  counts.get = 0;
  let listed = 0;
  for (const _ of cold.list(root)?.entries ?? []) if ((listed += 1) === 10) break;
  t.ok(counts.get <= 15, 'of a large directory only what its reader takes is read');
});
