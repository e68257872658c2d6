/** Quota and lock of a volume at one replica: what is refused, and what never is. */
import t from 'tap';
import {
  apply,
  check,
  failureOf,
  mergeAll,
  names,
  refusal,
  root,
  server,
  speaker,
  Venus,
  type Creation,
  type Server,
} from '../../conformance/bare-realm/bare-replica.js';
import type { Mutation } from '../interface/index.js';
import type { Replica } from './replica.js';

/** A replica that may hold ten bytes, and a gateway. */
class Small {
  readonly replica: Replica;
  readonly venus = new Venus('a');
  readonly #server: Server;

  private constructor(replica: Replica, its: Server) {
    this.replica = replica;
    this.#server = its;
    replica.bounds = { quotaBytes: 10 };
  }

  static async open(): Promise<Small> {
    const its = server();
    return new Small(await its.open(), its);
  }

  get used(): number {
    return this.replica.usedBytes;
  }

  async create(name: string): Promise<Creation> {
    const made = this.venus.make(this.replica, 'create', root, name);
    await apply(this.replica, made);
    return made;
  }

  async store({ fid }: Creation, text: string): Promise<Mutation> {
    return this.venus.store(this.replica, fid, await this.#server.upload(text), text.length);
  }
}

t.test('what fits exactly fits, and nothing more', async (t) => {
  const small = await Small.open();
  const { replica } = small;
  const [one, two] = [await small.create('one'), await small.create('two')];
  await apply(replica, await small.store(one, 'seven b'));
  const before = replica.stamp;
  t.equal(await refusal(replica, await small.store(two, 'four')), '0 quota');
  t.same([small.used, replica.stamp], [7, before], 'as if it had never come');
  await apply(replica, await small.store(two, '3 b'));
  t.equal(small.used, 10);
  t.equal(
    await refusal(replica, await small.store(two, 'four')),
    '0 quota',
    'one more in the place of three',
  );
  await check(replica);
});

t.test('of a batch the one record is named that does not fit; the others can come alone', async (t) => {
  const small = await Small.open();
  const { replica, venus } = small;
  const [one, two] = [await small.create('one'), await small.create('two')];
  const batch = [await small.store(one, 'seven b'), await small.store(two, 'four')];
  const made = venus.make(replica, 'mkdir', root, 'made');
  t.equal(await refusal(replica, made, ...batch), '2 quota');
  t.same(names(replica), ['one', 'two'], 'nothing of it is here');
  await apply(replica, made, await small.store(one, 'seven b'));
  t.same(names(replica), ['made', 'one', 'two']);
});

t.test('removing always works, and makes room in the very same batch', async (t) => {
  const small = await Small.open();
  const { replica, venus } = small;
  const [one, two] = [await small.create('one'), await small.create('two')];
  await apply(replica, await small.store(one, '10 bytes..'));
  replica.bounds = { quotaBytes: 4 };
  t.equal(
    await refusal(replica, await small.store(two, 'x')),
    '0 quota',
    'the quota is less than what is here',
  );
  const removal = venus.remove(replica, 'remove', root, 'one', one.fid);
  await apply(replica, removal, await small.store(two, 'four'));
  t.equal(small.used, 4);
  await apply(replica, venus.remove(replica, 'remove', root, 'two', two.fid));
  t.equal(small.used, 0);
  await check(replica);
});

t.test('over the quota everything works that needs no more room', async (t) => {
  const small = await Small.open();
  const { replica, venus } = small;
  const file = await small.create('file');
  await apply(replica, await small.store(file, '10 bytes..'));
  replica.bounds = { quotaBytes: 1 };
  await apply(replica, await small.store(file, 'ten others'));
  await apply(replica, await small.store(file, 'nine byte'));
  await apply(replica, venus.rename(replica, file.fid, [root, 'file'], [root, 'moved']));
  await apply(replica, venus.chmod(replica, file.fid, 0o600));
  await apply(replica, venus.make(replica, 'mkdir', root, 'folder'));
  await small.create('empty');
  t.equal(small.used, 9);
});

t.test('a version made apart takes room of its own, and what was applied before is no change', async (t) => {
  const small = await Small.open();
  const { replica } = small;
  const file = await small.create('file');
  const theirs = await small.store(file, '6 byte');
  const late = { ...(await small.store(file, 'fiver')), settled: true } as Mutation;
  await apply(replica, theirs);
  t.equal(await refusal(replica, { ...late, base: {} }), '0 quota', 'six and five are eleven');
  replica.bounds = { quotaBytes: 1 };
  await apply(replica, theirs);
  t.equal(small.used, 6);
});

t.test('what a peer holds is merged, whatever the quota and the lock say', async (t) => {
  const small = await Small.open();
  const peer = await Small.open();
  const file = await peer.create('file');
  await apply(peer.replica, await peer.store(file, '10 bytes..'));
  small.replica.bounds = { quotaBytes: 1, locked: true };
  await small.store(file, '10 bytes..');
  await mergeAll(small.replica, peer.replica);
  t.equal(small.used, 10);
  t.same(names(small.replica), ['file']);
});

t.test('space: the quota and the disk, whichever is less', async (t) => {
  const small = await Small.open();
  const { replica } = small;
  const file = await small.create('file');
  t.same(await replica.space(), { used: 0, available: 10, quota: 10 });
  await apply(replica, await small.store(file, 'seven b'));
  t.same(await replica.space(), { used: 7, available: 3, quota: 10 });
  replica.bounds = { quotaBytes: 5 };
  t.same(await replica.space(), { used: 7, available: 0, quota: 5 });
  replica.bounds = {};
  const { available, quota } = await replica.space();
  t.equal(quota, null);
  replica.bounds = { quotaBytes: Number.MAX_SAFE_INTEGER };
  t.equal((await replica.space()).available, available, 'the disk');
});

t.test('a locked volume is read, and takes nothing new', async (t) => {
  const small = await Small.open();
  const { replica, venus } = small;
  const file = await small.create('file');
  const known = await small.store(file, 'text');
  await apply(replica, known);
  const change = venus.chmod(replica, file.fid, 0o600);
  const said = (...records: Mutation[]): Promise<string> =>
    failureOf(replica.mutate({ records, watermark: 0 }, speaker));
  const under = said(change);
  replica.bounds = { locked: true };
  t.equal(await under, 'refused', 'what was under way when it was locked is asked in the transaction');
  t.equal(await said(change), 'refused', 'a failure of the call: nothing is said against the change itself');
  t.equal(await said(venus.remove(replica, 'remove', root, 'file', file.fid)), 'refused', 'nor is removed');
  t.equal(await refusal(replica, known), 'applied', 'a record that is here already is no change');
  t.equal(replica.status(file.fid)?.mode, 0o644);
  t.same(names(replica), ['file']);
  replica.bounds = {};
  await apply(replica, change);
  t.equal(replica.status(file.fid)?.mode, 0o600);
});

t.test('a locked volume counts what resolution has brought before its record', async (t) => {
  const [here, there] = [await Small.open(), await Small.open()];
  const made = await there.create('file');
  await mergeAll(here.replica, there.replica);
  here.replica.bounds = { locked: true };
  t.equal(await refusal(here.replica, made), 'applied', 'BO-3');
});
