/** A volume replica over the memory twins: stories of what clients and resolution do, then properties. */
import fc from 'fast-check';
import t from 'tap';
import {
  compare,
  emptyDigest,
  fidsOf,
  isFailure,
  isWithin,
  makeFid,
  makeStoreId,
  relate,
  rootFid,
  type DirectoryEntry,
  type Fid,
  type Mutation,
  type StoreId,
  type StoreIdVector,
  type VenusId,
  type VersionVector,
  type VnodeKind,
  type VnodeStatus,
  type VolumeId,
} from '../interface/index.js';
import { silentLog } from '../seam/log.js';
import { endOf, type Store, type StoreTransaction } from '../seam/store.js';
import { MemoryContainers } from '../seam/twin/memory-containers.js';
import { MemoryStore } from '../seam/twin/memory-store.js';
import { seededRandom } from '../seam/twin/seeded-random.js';
import { SimulatedClock } from '../seam/twin/simulated-clock.js';
import { childDigest, digestText, noChildren, toggled } from '../store/children-digest.js';
import { pendingMs } from './cop2.js';
import { openReplica } from './open-replica.js';
import type { Change, ForcedObject, Mutated, Replica } from './replica.js';

const volume = '7f000001' as VolumeId;
const root = rootFid(volume);
const group = ['a', 'b', 'c'];
const speaker = { session: 1 };

interface Server {
  readonly store: MemoryStore;
  readonly containers: MemoryContainers;
  readonly clock: SimulatedClock;
  readonly open: (options?: { id?: string; store?: Store; volume?: VolumeId }) => Promise<Replica>;
  /** Contents as they arrive by upload; the digest. */
  readonly upload: (text: string) => Promise<string>;
}

function server(store = new MemoryStore({}), containers = new MemoryContainers({})): Server {
  const clock = new SimulatedClock();
  return {
    store,
    containers,
    clock,
    open: (options = {}) => {
      const world = { store, containers, clock, random: seededRandom(1), log: silentLog };
      return openReplica({ volume, id: 'a', group, ...world, ...options });
    },
    upload: async (text) => {
      const spool = await containers.spool();
      await spool.write(Buffer.from(text));
      return (await spool.commit()).digest;
    },
  };
}

type Creation = Extract<Mutation, { op: 'create' | 'mkdir' }>;

/** A client: makes records, with what it has last seen at `replica` as their base. */
class Venus {
  readonly id: VenusId;
  counter = 0;

  constructor(digit: string) {
    this.id = digit.repeat(16) as VenusId;
  }

  newFid(): Fid {
    return makeFid(volume, (this.counter += 1), this.id);
  }

  common(replica: Replica, ...fids: readonly Fid[]): Pick<Mutation, 'storeId' | 'time' | 'author' | 'base'> {
    const base: Record<Fid, StoreIdVector> = {};
    for (const fid of fids) {
      const status = replica.status(fid);
      if (status !== undefined) base[fid] = status.known;
    }
    return { storeId: makeStoreId(this.id, (this.counter += 1)), time: 1000, author: this.id, base };
  }

  make(replica: Replica, op: 'create' | 'mkdir', parent: Fid, name: string): Creation {
    const fid = this.newFid();
    return { op, ...this.common(replica, parent), parent, name, fid, mode: 0o644 };
  }

  store(replica: Replica, fid: Fid, digest: string, length: number): Mutation {
    return { op: 'store', ...this.common(replica, fid), fid, digest, length, modified: 2000 };
  }

  remove(replica: Replica, op: 'remove' | 'rmdir', parent: Fid, name: string, fid: Fid): Mutation {
    return { op, ...this.common(replica, parent, fid), parent, name, fid };
  }

  rename(replica: Replica, fid: Fid, from: readonly [Fid, string], to: readonly [Fid, string]): Mutation {
    const [fromParent, fromName] = from;
    const [toParent, toName] = to;
    const common = this.common(replica, fid, fromParent, toParent);
    return { op: 'rename', ...common, fid, fromParent, fromName, toParent, toName };
  }

  chmod(replica: Replica, fid: Fid, mode: number): Mutation {
    return { op: 'chmod', ...this.common(replica, fid), fid, mode };
  }
}

type Applied = Extract<Mutated, { outcome: 'applied' }>;

async function apply(replica: Replica, ...records: readonly Mutation[]): Promise<Applied> {
  const reply = await replica.mutate({ records: [...records], watermark: 0 }, speaker);
  if (reply.outcome === 'applied') return reply;
  throw new Error(`record ${reply.index} refused: ${reply.failure.kind} ${reply.failure.message}`);
}

async function refusal(replica: Replica, ...records: readonly Mutation[]): Promise<string> {
  const reply = await replica.mutate({ records: [...records], watermark: 0 }, speaker);
  return reply.outcome === 'applied' ? 'applied' : `${reply.index} ${reply.failure.kind}`;
}

/** Everything a reader can see of the tree. */
function tree(replica: Replica, directory: Fid = root): unknown {
  const listing = replica.list(directory);
  if (listing === undefined) return undefined;
  return {
    status: listing.status,
    digest: listing.digest,
    names: [...listing.entries].map(({ name, status }) => [
      name,
      status.kind === 'directory' ? tree(replica, status.fid) : status,
    ]),
  };
}

function names(replica: Replica, directory: Fid = root): readonly string[] {
  return [...(replica.list(directory)?.entries ?? [])].map(({ name }) => name);
}

/**
 * What must hold after any history: one name each, digests, and, unless resolution is halfway (strays have no
 * name yet, moved objects still the old one): parents, bytes used. @throws Error
 */
async function check(replica: Replica, halfway = false): Promise<void> {
  const seen = new Set<Fid>();
  let used = 0;
  const walk = (directory: Fid): void => {
    let digest = noChildren;
    for (const { status } of replica.list(directory)?.entries ?? []) {
      digest = toggled(digest, childDigest(status.fid, status.storeId));
      if (seen.has(status.fid)) throw new Error(`${status.fid} has two names`);
      seen.add(status.fid);
      if (!halfway && status.parent !== directory) throw new Error(`${status.fid} is not in ${directory}`);
      used += status.data?.length ?? 0;
      if (status.kind === 'directory') walk(status.fid);
    }
    const kept = replica.list(directory)?.digest;
    if (kept !== digestText(digest)) throw new Error(`digest of ${directory} is ${String(kept)}`);
  };
  walk(root);
  const space = await replica.space();
  if (!halfway && space.used !== used) throw new Error(`${space.used} bytes used instead of ${used}`);
}

/** The kind and object of the failure that `work` ends in. */
async function failureOf(work: Promise<unknown> | (() => unknown)): Promise<string> {
  try {
    await (typeof work === 'function' ? work() : work);
    return 'none';
  } catch (error) {
    if (!isFailure(error)) throw error;
    return error.fid === undefined ? error.kind : `${error.kind} ${error.fid}`;
  }
}

t.test('a new volume has a root that knows nothing, and keeps its incarnation', async (t) => {
  const { open, store } = server();
  const replica = await open();
  const status = replica.status(root);
  t.match(status, { kind: 'directory', parent: null, vv: {}, storeId: null, known: {}, mode: 0o755 });
  t.same(replica.list(root)?.digest, '0000000000000000');
  t.same([replica.stamp, names(replica)], [0, []]);
  const again = await open({ store: store.reopen() });
  t.equal(again.incarnation, replica.incarnation);
  await apply(again, new Venus('a').make(again, 'create', root, 'file'));
  t.ok(again.stamp > 1000, 'what a crash has swallowed has no stamp that comes again');
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
  t.equal(await refusal(replica, late), 'applied', 'nothing new can come there');
  t.equal(replica.stamp, stamp);
  const rows = [...store.range({ start: `${volume}/applied/`, end: endOf(`${volume}/applied/`) })];
  t.same(rows, [], 'below the watermark nothing is remembered singly');
  t.equal(clock.pending, 0);
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

  const healed = await b.force({ objects: [{ status: atA, entries: null }], removed: [] });
  t.same(healed, { installed: [root], skipped: [] });
  t.same(b.status(root)?.vv, { a: 1, b: 1 });
  await b.cop2([update]);
  t.same(b.status(root)?.vv, { a: 1, b: 1 }, 'too late: the counts have it already');
  t.same(b.status(make.fid)?.vv, { a: 1, b: 1 }, 'for the object that was not forced it is in time');

  const silent = venus.make(a, 'mkdir', make.fid, 'silent');
  for (const replica of [a, b]) await apply(replica, silent);
  await apply(a, venus.chmod(a, silent.fid, 0o700));
  await b.force({ objects: objects(a, silent.fid), removed: [] });
  t.same(b.status(silent.fid)?.vv, { a: 2, b: 1 }, 'what b has counted stays counted');
  await b.cop2([{ storeId: silent.storeId, replicas: ['a', 'b'] }]);
  t.same(b.status(silent.fid)?.vv, { a: 2, b: 1 });

  t.comment('b has an update by resolution before its record comes');
  const brought = venus.chmod(a, silent.fid, 0o711);
  await apply(a, brought);
  await b.force({ objects: objects(a, silent.fid), removed: [] });
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
  await b.force({ objects: objects(a, silent.fid), removed: [] });
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

t.test('changes for peers: in stamp order, whole records, tombstones, pages', async (t) => {
  const { open } = server();
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
  await apply(replica, venus.remove(replica, 'remove', root, 'x', x));
  const { changes, upTo } = replica.changes(rest.upTo, 100);
  const heard = changes.map(({ status, removed }) => [status.fid, removed]);
  t.same(
    heard.sort(),
    [
      [root, false],
      [x, true],
    ].sort(),
  );
  t.equal(upTo, replica.stamp);
  t.same(replica.changedSince(3, replica.incarnation)?.toSorted(), [root, x].sort());
  await replica.setCaughtUp('b', { incarnation: 'i', stamp: 7 });
  t.same([replica.caughtUp('b'), replica.caughtUp('c')], [{ incarnation: 'i', stamp: 7 }, undefined]);
});

function objects(replica: Replica, ...fids: readonly Fid[]): ForcedObject[] {
  return fids.map((fid) => {
    const status = replica.status(fid);
    if (status === undefined) throw new Error(`${fid} is not there`);
    const listing = replica.list(fid);
    const entries: DirectoryEntry[] = [];
    for (const { name, status: child } of listing?.entries ?? []) {
      entries.push({ name, fid: child.fid, kind: child.kind });
    }
    return { status, entries: listing === undefined ? null : entries };
  });
}

function tombstone(replica: Replica, fid: Fid): VnodeStatus {
  const found = replica.changes(0, 1000).changes.find(({ status, removed }) => removed && status.fid === fid);
  if (found === undefined) throw new Error(`no tombstone of ${fid}`);
  return found.status;
}

t.test('force: a replica is brought up to date, in any order, losing nothing', async (t) => {
  const [one, two] = [server(), server()];
  const [a, b] = [await one.open({ id: 'a' }), await two.open({ id: 'b' })];
  const [anna, ben] = [new Venus('a'), new Venus('b')];
  const dir = anna.make(a, 'mkdir', root, 'dir');
  await apply(a, dir);
  const file = anna.make(a, 'create', dir.fid, 'file');
  await apply(a, file);
  await apply(a, anna.store(a, file.fid, await one.upload('text'), 4));

  const changes: Change[] = [];
  b.onChange((change) => changes.push(change));
  const whole = { objects: objects(a, root, dir.fid, file.fid), removed: [] };
  t.equal(await failureOf(b.force(whole)), 'not-found', 'contents first');
  await two.upload('text');
  const { installed, skipped } = await b.force(whole);
  t.same([installed.toSorted(), skipped], [[root, dir.fid, file.fid].sort(), []]);
  t.same(tree(b), tree(a));
  t.equal(changes.length, 1, 'one break for the step');
  t.equal(changes[0]?.stamp, b.stamp);
  t.equal(b.stamp, 3, 'but a stamp for each object');
  t.same((await b.force(whole)).skipped.length, 3, 'again: nothing to do');
  await check(b);

  t.comment('a name does not go before its object');
  await apply(a, anna.remove(a, 'remove', dir.fid, 'file', file.fid));
  t.same(await b.force({ objects: objects(a, dir.fid), removed: [] }), { installed: [], skipped: [dir.fid] });
  const gone = { objects: objects(a, dir.fid), removed: [tombstone(a, file.fid)] };
  t.same((await b.force(gone)).skipped, []);
  t.same([tree(b), b.names(file.fid)], [tree(a), false]);
  await check(b);

  t.comment('an update here that the decision did not know of stays');
  const fresh = ben.make(b, 'create', dir.fid, 'fresh');
  await apply(b, fresh);
  await apply(a, anna.remove(a, 'rmdir', root, 'dir', dir.fid));
  const removal = { objects: objects(a, root), removed: [tombstone(a, dir.fid)] };
  t.same((await b.force(removal)).skipped.toSorted(), [root, dir.fid].sort());
  t.same(names(b, dir.fid), ['fresh']);
  await check(b);

  const kept = anna.make(a, 'create', root, 'kept');
  await apply(a, kept);
  await b.force({ objects: objects(a, kept.fid), removed: [] });
  await apply(b, ben.chmod(b, kept.fid, 0o600));
  await apply(a, anna.remove(a, 'remove', root, 'kept', kept.fid));
  t.same((await b.force({ objects: [], removed: [tombstone(a, kept.fid)] })).skipped, [kept.fid]);
  t.match(b.status(kept.fid), { mode: 0o600 });

  t.comment('of an object that never was here the tombstone is remembered');
  const c = await server().open({ id: 'c' });
  t.same((await c.force({ objects: [], removed: [tombstone(a, dir.fid)] })).installed, [dir.fid]);
  t.equal(await refusal(c, anna.chmod(a, root, 0), { ...dir, base: {} }), '0 stale');
  t.equal(c.changes(0, 9).changes[0]?.removed, true, 'and passed on');
});

t.test('force: moves, swaps and loops keep the tree a tree', async (t) => {
  const [one, two] = [server(), server()];
  const [a, b] = [await one.open({ id: 'a' }), await two.open({ id: 'b' })];
  const anna = new Venus('a');
  const [x, y] = ['x', 'y'].map((name) => anna.make(a, 'mkdir', root, name));
  if (x === undefined || y === undefined) throw new Error('two');
  await apply(a, x, y);
  const file = anna.make(a, 'create', x.fid, 'file');
  await apply(a, file);
  await b.force({ objects: objects(a, root, x.fid, y.fid, file.fid), removed: [] });
  t.same(tree(b), tree(a));

  await apply(a, anna.rename(a, file.fid, [x.fid, 'file'], [y.fid, 'moved']));
  t.same((await b.force({ objects: objects(a, y.fid), removed: [] })).skipped, [y.fid], 'it is still in x');
  t.same((await b.force({ objects: objects(a, file.fid, y.fid), removed: [] })).skipped, []);
  t.same([names(b, x.fid), names(b, y.fid)], [[], ['moved']], 'never under two names');
  t.same((await b.force({ objects: objects(a, x.fid), removed: [] })).skipped, []);
  t.same(tree(b), tree(a));

  t.comment('x goes under y at a, while y goes under x at b');
  await apply(a, anna.rename(a, x.fid, [root, 'x'], [y.fid, 'x']));
  const loop = new Venus('b').rename(b, y.fid, [root, 'y'], [x.fid, 'y']);
  await apply(b, loop);
  const before = tree(b);
  t.same((await b.force({ objects: objects(a, root, x.fid, y.fid), removed: [] })).installed, []);
  t.same(tree(b), before);

  t.comment('y goes into x, then x into y: both directories at once, or neither');
  const d = await server().open({ id: 'd' });
  const [e, f] = [await server().open({ id: 'e' }), await server().open({ id: 'f' })];
  const [p, q] = ['p', 'q'].map((name) => anna.make(d, 'mkdir', root, name));
  if (p === undefined || q === undefined) throw new Error('two');
  await apply(d, p, q);
  await apply(d, anna.rename(d, q.fid, [root, 'q'], [p.fid, 'q']));
  for (const replica of [e, f]) await replica.force({ objects: objects(d, root, p.fid, q.fid), removed: [] });
  await apply(d, anna.rename(d, q.fid, [p.fid, 'q'], [root, 'q']));
  const g = await server().open({ id: 'g' });
  await g.force({ objects: objects(e, root, p.fid, q.fid), removed: [] });
  await g.force({ objects: objects(d, q.fid), removed: [] });
  t.same(names(g, p.fid), ['q'], 'moved, but root does not name it yet');
  const looping = anna.rename(g, p.fid, [root, 'p'], [q.fid, 'p']);
  t.equal(await refusal(g, looping), '0 stale', 'the names would make a loop');
  await apply(d, anna.rename(d, p.fid, [root, 'p'], [q.fid, 'p']));
  t.same((await e.force({ objects: objects(d, p.fid), removed: [] })).installed, [], 'q would have no name');
  const mad = objects(d, p.fid, q.fid).map(({ status, entries }) =>
    status.fid === q.fid
      ? { status: { ...status, parent: p.fid }, entries }
      : { status, entries: [{ name: 'q', fid: q.fid, kind: 'directory' as const }] },
  );
  t.same((await f.force({ objects: mad, removed: [] })).skipped, [q.fid], 'a loop, whoever says so');
  t.same([names(f), names(f, p.fid), names(f, q.fid)], [['p'], ['q'], []]);
  const [above, below] = [objects(d, root, p.fid, q.fid), objects(d, p.fid)];
  const pAndQ = [p, q].map(({ name, fid }) => ({ name, fid, kind: 'directory' as const }));
  const both = above.map((object) => (object.status.fid === root ? { ...object, entries: pAndQ } : object));
  t.same((await e.force({ objects: both, removed: [] })).installed, [], 'a name where its object is not');
  const nameless = below.map(({ status }) => ({ status, entries: null }));
  t.same((await e.force({ objects: nameless, removed: [] })).installed, [], 'a directory without its names');
  t.same((await e.force({ objects: objects(d, root, p.fid, q.fid), removed: [] })).skipped, []);
  t.same(tree(e), tree(d));

  t.comment('a directory without its names is a runt: nothing it could claim to know');
  const c = await server().open({ id: 'c' });
  const bare = [...objects(a, y.fid).map(({ status }) => ({ status, entries: null })), ...objects(a, root)];
  t.same((await c.force({ objects: bare, removed: [] })).skipped, []);
  t.same(c.status(y.fid)?.known, {});
  t.same((await c.force({ objects: objects(a, x.fid, y.fid, file.fid), removed: [] })).skipped, []);
  t.same(tree(c), tree(a));
  const rogue = objects(a, y.fid).map(({ status }) => ({ status: { ...status, parent: null }, entries: [] }));
  t.equal(await failureOf(c.force({ objects: rogue, removed: [] })), `invalid ${y.fid}`);
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
  t.same((await rotten.force({ objects: objects(b, bad.fid), removed: [] })).installed, [bad.fid]);
  t.same(names(rotten), ['bad', 'good']);
  await check(rotten);

  t.comment('an entry, a digest, the meta record');
  const again = await rot(`${volume}/entry/${root}/bad`);
  t.equal(await failureOf(() => names(again)), `damaged ${root}`);
  const more = venus.make(b, 'create', root, 'more');
  await apply(b, more);
  await again.force({ objects: objects(b, more.fid, root), removed: [] });
  t.same(names(again), ['bad', 'good', 'more']);
  const recounted = await rot(`${volume}/children/${root}`);
  await check(recounted);
  await apply(recounted, venus.make(recounted, 'create', root, 'last'));
  await check(recounted);
  const { incarnation, stamp } = recounted;
  const lost = await rot(`${volume}/meta`);
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
  t.ok(reads <= 12 && writes <= 10);
  const hundred = Array.from({ length: 100 }, (_, index) => venus.make(replica, 'create', root, `n${index}`));
  const [batchReads = 0, batchWrites = 0] = await cost(...hundred);
  t.comment(`100 creates in one batch: ${batchReads} reads, ${batchWrites} writes`);
  t.ok(batchReads <= 800 && batchWrites <= 800, 'the directory itself is written once');
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

/** The dumb twin: the same tree as plain maps, written without looking at the real thing. */
class DumbTree {
  readonly nodes = new Map<Fid, { kind: VnodeKind; names: Map<string, Fid>; length: number }>();

  constructor() {
    this.nodes.set(root, { kind: 'directory', names: new Map(), length: 0 });
  }

  apply(record: Mutation): 'applied' | 'refused' {
    const names = (fid: Fid): Map<string, Fid> | undefined => {
      const node = this.nodes.get(fid);
      return node?.kind === 'directory' ? node.names : undefined;
    };
    if (record.op === 'create' || record.op === 'mkdir') {
      const parent = names(record.parent);
      if (parent === undefined || parent.has(record.name) || this.nodes.has(record.fid)) return 'refused';
      parent.set(record.name, record.fid);
      const kind = record.op === 'create' ? 'file' : 'directory';
      this.nodes.set(record.fid, { kind, names: new Map(), length: 0 });
      return 'applied';
    }
    if (record.op === 'remove' || record.op === 'rmdir') {
      const parent = names(record.parent);
      const node = this.nodes.get(record.fid);
      if (parent?.get(record.name) !== record.fid || node === undefined) return 'refused';
      if ((node.kind === 'directory') !== (record.op === 'rmdir') || node.names.size > 0) return 'refused';
      parent.delete(record.name);
      this.nodes.delete(record.fid);
      return 'applied';
    }
    if (record.op === 'rename') {
      const [from, to] = [names(record.fromParent), names(record.toParent)];
      if (from?.get(record.fromName) !== record.fid) return 'refused';
      if (to === undefined || to.has(record.toName)) return 'refused';
      if (this.#within(record.toParent, record.fid)) return 'refused';
      from.delete(record.fromName);
      to.set(record.toName, record.fid);
      return 'applied';
    }
    const node = this.nodes.get(record.fid);
    if (node === undefined || (record.op === 'store' && node.kind !== 'file')) return 'refused';
    if (record.op === 'store') node.length = record.length;
    return 'applied';
  }

  #within(fid: Fid, ancestor: Fid): boolean {
    const { names } = this.nodes.get(ancestor) ?? {};
    return fid === ancestor || [...(names?.values() ?? [])].some((child) => this.#within(fid, child));
  }

  shape(fid: Fid = root): unknown {
    const node = this.nodes.get(fid);
    if (node?.kind === 'file') return node.length;
    return [...(node?.names ?? [])].sort().map(([name, child]) => [name, this.shape(child)]);
  }
}

function shape(replica: Replica, fid: Fid = root): unknown {
  const listing = replica.list(fid);
  if (listing === undefined) return replica.status(fid)?.data?.length;
  return [...listing.entries].map(({ name, status }) => [name, shape(replica, status.fid)]);
}

/** A fixed seed: the same histories in every run. */
const runs = { numRuns: Number(process.env['RUNS'] ?? 30), seed: Number(process.env['SEED'] ?? 1) };

const step = fc.record({
  op: fc.constantFrom('create', 'mkdir', 'remove', 'rmdir', 'rename', 'store', 'chmod'),
  client: fc.nat(1),
  pick: fc.tuple(fc.nat(99), fc.nat(99), fc.nat(99)),
  name: fc.constantFrom('a', 'b', 'c'),
  toName: fc.constantFrom('a', 'b', 'c'),
});
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

/** Objects that ever were, to choose from, valid or not. */
class Chooser {
  readonly fids: Fid[] = [root];
  readonly clients: readonly Venus[];
  readonly digest: string;

  constructor(digest: string, clients = 'ab') {
    this.clients = [...clients].map((digit) => new Venus(digit));
    this.digest = digest;
  }

  record(replica: Replica, { op, client, pick, name, toName }: Step): Mutation {
    const venus = this.clients[client];
    const [one = root, two = root, three = root] = pick.map((index) => this.fids[index % this.fids.length]);
    if (venus === undefined) throw new Error('client');
    const named = [...(replica.list(one)?.entries ?? [])][pick[1] % 3];
    // Mostly what is there, sometimes what is not.
    const [boundName, bound] = named === undefined ? [name, two] : [named.name, named.status.fid];
    switch (op) {
      case 'create':
      case 'mkdir': {
        const record = venus.make(replica, op, one, name);
        this.fids.push(record.fid);
        return record;
      }
      case 'remove':
      case 'rmdir':
        return venus.remove(replica, op, one, boundName, bound);
      case 'rename':
        return venus.rename(replica, bound, [one, boundName], [three, toName]);
      case 'store':
        return venus.store(replica, one, this.digest, 4);
      case 'chmod':
        return venus.chmod(replica, one, 0o700 + pick[1]);
    }
  }
}

t.test('property: agrees with the dumb twin; any replay at any time changes nothing', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60, size: 'max' }), fc.nat(), async (steps, seed) => {
      const { open, upload } = server();
      const replica = await open();
      const release = replica.hold(await upload('text'));
      const chooser = new Chooser(await upload('text'));
      const twin = new DumbTree();
      const applied: Mutation[] = [];
      for (const [index, each] of steps.entries()) {
        const record = chooser.record(replica, each);
        const before = tree(replica);
        const outcome = await refusal(replica, record);
        const expected = twin.apply(record);
        if ((outcome === 'applied') !== (expected === 'applied')) fault(`${record.op}: ${outcome}`);
        if (outcome === 'applied') applied.push(record);
        else if (!sameJson(tree(replica), before)) fault(`${record.op}: refused and changed`);
        const again = applied[(seed + index * 7) % Math.max(1, applied.length)];
        const after = tree(replica);
        const replayed = again === undefined ? 'applied' : await refusal(replica, again);
        if (replayed !== 'applied') fault(`replay of ${again?.op}: ${replayed}`);
        if (!sameJson(tree(replica), after)) fault(`replay of ${again?.op} changed something`);
      }
      if (!sameJson(shape(replica), twin.shape())) fault('another shape than the twin');
      await check(replica);
      release();
    }),
    runs,
  );
  t.pass();
});

t.test('property: two replicas that are told the same end the same; vectors never decrease', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(step, fc.nat(3)), { maxLength: 60, size: 'max' }), async (steps) => {
      const [one, two] = [server(), server()];
      const [a, b] = [await one.open({ id: 'a' }), await two.open({ id: 'b' })];
      const digest = await one.upload('text');
      await two.upload('text');
      const releases = [a.hold(digest), b.hold(digest)];
      const chooser = new Chooser(digest);
      const lost = new Set<Fid>();
      for (const [each, fate] of steps) {
        const record = chooser.record(a, each);
        const before = new Map(chooser.fids.map((fid) => [fid, a.status(fid)?.vv ?? {}]));
        const outcomes = [await refusal(a, record), await refusal(b, record)];
        if (outcomes[0] !== outcomes[1]) fault(`${record.op}: ${outcomes.join(' and ')}`);
        const update = [{ storeId: record.storeId, replicas: ['a', 'b'] }];
        await a.cop2(update);
        if (fate > 0) await b.cop2(update);
        else if (outcomes[0] === 'applied') for (const fid of fidsOf(record)) lost.add(fid);
        for (const [fid, vv] of before) {
          const after = a.status(fid)?.vv;
          if (after !== undefined && !notLess(after, vv)) fault('a vector decreased');
        }
      }
      for (const fid of chooser.fids) {
        const [atA, atB] = [a.status(fid), b.status(fid)];
        if (atA === undefined || atB === undefined) {
          if (atA !== atB) fault('one has it, the other has not');
          continue;
        }
        const relation = relate(atA, atB);
        if (relation !== (lost.has(fid) ? 'weakly-equal' : 'equal')) fault(`${fid} is ${relation}`);
        if (a.list(fid)?.digest !== b.list(fid)?.digest) fault('digests differ');
        if (relation === 'weakly-equal') await b.force({ objects: objects(a, fid), removed: [] });
        if (compare(atA.vv, b.status(fid)?.vv ?? {}) !== 'equal') fault('not healed');
      }
      for (const release of releases) release();
    }),
    runs,
  );
  t.pass();
});

t.test('property: a replica filled by force, object by object in any order, ends the same', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60, size: 'max' }), fc.nat(), async (steps, seed) => {
      const [one, two] = [server(), server()];
      const [a, b] = [await one.open({ id: 'a' }), await two.open({ id: 'b' })];
      const digest = await one.upload('text');
      await two.upload('text');
      const releases = [a.hold(digest), b.hold(digest)];
      const chooser = new Chooser(digest);
      const halfway = seed % (steps.length + 1);
      const bring = async (): Promise<void> => {
        let todo = a.changes(0, 1000).changes;
        for (let rounds = 0; todo.length > 0; rounds += 1) {
          if (rounds > 50) throw new Error('does not converge');
          // Directories that have changed places come only together.
          const living = chooser.fids.filter((fid) => a.status(fid) !== undefined);
          if (rounds > 10) await b.force({ objects: objects(a, ...living), removed: [] });
          const at = (seed * 31 + rounds * 7) % todo.length;
          for (const { status, removed } of [...todo.slice(at), ...todo.slice(0, at)]) {
            const alive = removed ? [] : objects(a, status.fid);
            await b.force({ objects: alive, removed: removed ? [status] : [] });
            await check(b, true);
          }
          todo = todo.filter(({ status: { fid } }) => !sameJson([a.status(fid)], [b.status(fid)]));
        }
      };
      for (const [index, each] of steps.entries()) {
        if (index === halfway) await bring();
        await refusal(a, chooser.record(a, each));
      }
      await bring();
      if (!sameJson(tree(a), tree(b))) fault('another tree');
      await check(b);
      for (const release of releases) release();
    }),
    runs,
  );
  t.pass();
});

t.test('property: force on a replica that has gone its own way takes nothing from it', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(step, fc.nat(2)), { maxLength: 60, size: 'max' }), async (steps) => {
      const [one, two] = [server(), server()];
      const [a, b] = [await one.open({ id: 'a' }), await two.open({ id: 'b' })];
      const digest = await one.upload('text');
      await two.upload('text');
      const releases = [a.hold(digest), b.hold(digest)];
      const [atA, atB] = [new Chooser(digest), new Chooser(digest, 'cd')];
      for (const [each, fate] of steps) {
        if (fate < 2) await (fate === 0 ? refusal(a, atA.record(a, each)) : refusal(b, atB.record(b, each)));
        const before = heldBy(b);
        const changes = a.changes(0, 1000).changes.slice(-4);
        const alive = changes.flatMap(({ status, removed }) => (removed ? [] : objects(a, status.fid)));
        const removed = changes.flatMap(({ status, removed }) => (removed ? [status] : []));
        for (const { status } of alive) atB.fids.push(status.fid);
        const overtaken = [...alive.map(({ status }) => status), ...removed].flatMap((decided) => {
          const here = b.status(decided.fid);
          return here === undefined || isWithin(here.known, decided.known) ? [] : [here];
        });
        await b.force({ objects: alive, removed });
        for (const here of overtaken) if (!sameJson(b.status(here.fid), here)) fault('overwritten');
        await check(b, true);
        const after = heldBy(b);
        for (const [fid, status] of before) {
          const now = after.get(fid);
          if (now === undefined || !isWithin(status.known, now.known)) fault(`${fid} forgot something`);
          if (!notLess(now.vv, status.vv)) fault(`the vector of ${fid} decreased`);
        }
      }
      for (const release of releases) release();
    }),
    runs,
  );
  t.pass();
});

/** Every object and tombstone that has changed. */
function heldBy(replica: Replica): ReadonlyMap<Fid, VnodeStatus> {
  return new Map(replica.changes(0, 1000).changes.map(({ status }) => [status.fid, status]));
}

/** Inside a property an exception is what shrinks. */
function fault(message: string): never {
  throw new Error(message);
}

function notLess(a: VersionVector, b: VersionVector): boolean {
  return ['equal', 'dominant'].includes(compare(a, b));
}

function sameJson(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
