/** Snapshots of a replica: what people rely on as stories, then against a twin that copies everything each time. */
import fc from 'fast-check';
import t from 'tap';
import { emptyDigest, isRunt, rootFid, versionsOf, type Fid, type VnodeStatus } from '../interface/index.js';
import { silentLog } from '../seam/log.js';
import { endOf, type Store } from '../seam/store.js';
import { SimulatedClock } from '../seam/twin/simulated-clock.js';
import { ContainerReferences } from '../store/container-references.js';
import { digestsOf, partsOf, SnapshotKeys, snapshotsOf } from '../store/snapshot-rows.js';
import { VolumeKeys, VolumeReader } from '../store/volume-store.js';
import type { Replica } from './replica.js';
import { snapshotsMost, VolumeSnapshots } from './snapshots.js';
import {
  apply,
  check,
  failureOf,
  fault,
  refusal,
  root,
  sameJson,
  server,
  Venus,
  volume,
  type Server,
} from '../../conformance/bare-realm/bare-replica.js';

/** All that can be reached from the root, by its path; `read` tells the members of a directory. */
function copyOf(
  top: VnodeStatus | undefined,
  read: (directory: Fid) => Iterable<readonly [string, VnodeStatus]>,
): Record<string, VnodeStatus> {
  const copy: Record<string, VnodeStatus> = {};
  const walk = (path: string, status: VnodeStatus): void => {
    copy[path] = status;
    if (status.kind !== 'directory') return;
    for (const [name, child] of [...read(status.fid)].sort(([a], [b]) => (a < b ? -1 : 1))) {
      walk(`${path}/${name}`, child);
    }
  };
  if (top !== undefined) walk('', top);
  return copy;
}

function living(replica: Replica): Record<string, VnodeStatus> {
  return copyOf(replica.status(root), (directory) =>
    [...(replica.list(directory)?.entries ?? [])].map(({ name, status }) => [name, status] as const),
  );
}

function inSnapshot(replica: Replica, name: string): Record<string, VnodeStatus> {
  const snapshot = replica.snapshots.list().find((each) => each.name === name);
  if (snapshot === undefined) throw new Error(`there is no snapshot ${name}`);
  const copy = copyOf(replica.snapshots.status(snapshot, root), (directory) =>
    [...replica.snapshots.entries(snapshot, directory)].flatMap((entry) =>
      entry === undefined ? [] : [[entry.name, entry.status] as const],
    ),
  );
  // Whoever dumps a volume takes the other way to them: all objects in the order of their Fids.
  const walked = Object.values(copy).filter((status) => !isRunt(status));
  walked.sort((a, b) => (a.fid < b.fid ? -1 : 1));
  const listed = [...replica.snapshots.objects(snapshot, null)].filter((status) => status !== undefined);
  if (!sameJson(listed, walked)) throw new Error(`the objects of ${name} are not those that are in its tree`);
  return copy;
}

/** Rows of `store` whose keys begin so. */
function rowsUnder(store: Store, prefix: string): readonly { key: string; value: Uint8Array }[] {
  return [...store.range({ start: prefix, end: endOf(prefix) })];
}

/** Counts of containers are what the rows of objects, living and saved, come to. @throws Error */
function checkReferences(store: Store): void {
  const due = new Map<string, number>();
  const need = (digest: string): unknown => due.set(digest, (due.get(digest) ?? 0) + 1);
  for (const row of new VolumeReader(store, new VolumeKeys(volume)).objects()) {
    if (row.removed && row.keeps !== true) continue;
    for (const { digest } of versionsOf(row.status)) if (digest !== emptyDigest) need(digest);
  }
  for (const { value } of rowsUnder(store, `${volume}/saved/object/`))
    for (const digest of digestsOf(value)) need(digest);
  const counted = rowsUnder(store, 'container/').map(({ key }) => key.split('/')[1] ?? '');
  if (!sameJson(counted, [...due.keys()].sort())) fault(`counted are ${counted}, not ${[...due.keys()]}`);
}

/** SN-3: each saved row is the first at or after some snapshot. @throws Error */
function checkNeeded(store: Store): void {
  const keys = new SnapshotKeys(volume);
  const saved = rowsUnder(store, keys.savedPrefix).map(({ key }) => ({ key, ...partsOf(key) }));
  const needed = new Set<string>();
  for (const { number } of snapshotsOf(store, keys)) {
    const first = new Map<string, string>();
    for (const each of saved)
      if (each.number >= number && !first.has(each.row)) first.set(each.row, each.key);
    for (const key of first.values()) needed.add(key);
  }
  for (const { key } of saved) if (!needed.has(key)) fault(`nobody needs ${key}`);
}

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

const step = fc.record({
  op: fc.constantFrom(
    ...([
      'create',
      'create',
      'mkdir',
      'remove',
      'remove',
      'rename',
      'store',
      'chmod',
      'cop2',
      'forget',
    ] as const),
    ...(['take', 'take', 'drop', 'sweep', 'crash'] as const),
  ),
  pick: fc.tuple(fc.nat(99), fc.nat(99), fc.nat(99)),
  name: fc.constantFrom('a', 'a', 'a', 'a b', 'a\u{10ffff}', 'b'),
});
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

/** A replica that lives through steps, beside full copies of it. */
class History {
  readonly #at: Server;
  readonly #venus = new Venus('a');
  readonly #fids: Fid[] = [root];
  readonly copies = new Map<string, Record<string, VnodeStatus>>();
  replica!: Replica;
  store: Server['store'];
  #texts = 0;

  constructor(at: Server) {
    this.#at = at;
    this.store = at.store;
  }

  async open(): Promise<void> {
    this.replica = await this.#at.open({ store: this.store });
    this.replica.keepsRemoved = true;
  }

  async run(step: Step): Promise<void> {
    if (step.op !== 'crash') return this.#one(step);
    const ops = ['take', 'drop', 'sweep', 'store', 'remove', 'create'] as const;
    const op = ops[step.pick[0] % ops.length] ?? 'take';
    const before = living(this.replica);
    const copies = new Map(this.copies);
    const { store } = this;
    // The power fails while it is at work: nobody is answered.
    void this.#one({ ...step, op }).catch(() => undefined);
    for (let turn = 0; turn < step.pick[1] % 5; turn += 1) await Promise.resolve();
    this.store = store.crash(step.pick[2] % 2 === 0);
    await this.open();
    const there = this.replica.snapshots.list().map(({ name }) => name);
    this.copies.clear();
    for (const name of there) this.copies.set(name, copies.get(name) ?? before);
  }

  async #one({ op, pick, name }: Step): Promise<void> {
    const [replica, venus] = [this.replica, this.#venus];
    // Mostly in the root, so that names are taken, freed and taken again.
    const [one = root, two = root] = pick.map(
      (index) => this.#fids[index < 60 ? 0 : index % this.#fids.length],
    );
    const named = [...(replica.list(one)?.entries ?? [])][pick[1] % 3];
    switch (op) {
      case 'create':
      case 'mkdir': {
        const record = venus.make(replica, op, one, name);
        if ((await refusal(replica, record)) === 'applied') this.#fids.push(record.fid);
        return;
      }
      case 'remove': {
        if (named === undefined) return;
        const { fid, kind } = named.status;
        const kindOf = kind === 'directory' ? 'rmdir' : 'remove';
        await refusal(replica, venus.remove(replica, kindOf, one, named.name, fid));
        return;
      }
      case 'rename':
        if (named === undefined) return;
        await refusal(replica, venus.rename(replica, named.status.fid, [one, named.name], [two, name]));
        return;
      case 'store': {
        if (replica.status(one)?.kind !== 'file') return;
        // A few texts only, so that files share contents.
        const text = `text ${(this.#texts += 1) % 4}`;
        const digest = await this.#at.upload(text);
        const release = replica.hold(digest);
        await refusal(replica, venus.store(replica, one, digest, text.length));
        release();
        return;
      }
      case 'chmod':
        await refusal(replica, venus.chmod(replica, one, 0o700 + pick[1]));
        return;
      case 'cop2':
        await replica.cop2([{ storeId: `${venus.id}:${pick[0]}` as never, replicas: ['a', 'b'] }]);
        return;
      case 'forget':
        await replica.forgetRemoved(replica.stamp);
        return;
      case 'take': {
        const taken = `s${pick[0] % 6}`;
        if (this.copies.has(taken)) return;
        const copy = living(replica);
        await replica.snapshots.take({ name: taken, time: this.copies.size });
        this.copies.set(taken, copy);
        return;
      }
      case 'drop':
        this.copies.delete(`s${pick[0] % 6}`);
        await replica.snapshots.drop(`s${pick[0] % 6}`);
        return;
      case 'sweep':
        await this.sweep();
        return checkNeeded(this.store);
      case 'crash':
        throw new Error('no crash within a crash');
    }
  }

  /** In slices of three rows. */
  async sweep(): Promise<void> {
    const { store } = this;
    const { containers } = this.#at;
    const clock = new SimulatedClock();
    const references = ContainerReferences.of({ store, containers, clock: this.#at.clock, log: silentLog });
    const keys = new VolumeKeys(volume);
    const world = { store, references, clock, sliceRows: 3 };
    await clock.until(new VolumeSnapshots(keys, world, this.replica).sweep());
  }

  async check(): Promise<void> {
    const { replica, copies } = this;
    const names = replica.snapshots.list().map((each) => each.name);
    if (!sameJson(names.toSorted(), [...copies.keys()].sort())) fault(`snapshots are ${names}`);
    for (const [name, copy] of copies) {
      const read = inSnapshot(replica, name);
      if (!sameJson(read, copy)) fault(`${name} is ${Object.keys(read)} instead of ${Object.keys(copy)}`);
      for (const { data } of Object.values(copy)) {
        if (data === null || data.digest === emptyDigest) continue;
        if (!(await this.#at.containers.has(data.digest))) fault(`contents of ${name} are gone`);
      }
    }
    checkReferences(this.store);
  }
}

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
