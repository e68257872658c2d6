/** Replicas end up the same, byte for byte, whatever some of them have missed. */
import t, { type Test } from 'tap';
import { BareGateway, mutation, realmOf } from '../../conformance/bare-realm/gateway.js';
import { digestOf, names, root, volume, type BareRealm } from '../../conformance/bare-realm/realm.js';
import type { Fid, Mutation, Result } from '../interface/index.js';
import type { Containers } from '../seam/containers.js';

/** Contents that a server had lost. */
async function putBack(containers: Containers, text: string): Promise<void> {
  const spool = await containers.spool();
  await spool.write(Buffer.from(text));
  await spool.commit();
}

t.test('a server that was away catches up with everything, byte for byte', async (t) => {
  const { realm, ann } = await realmOf(...names);
  const docs = await ann.make('mkdir', root, 'docs');
  const old = await ann.make('mkdir', root, 'old');
  const letter = await ann.file(docs, 'letter.txt', 'dear all');
  const draft = await ann.file(docs, 'draft.txt', 'to be removed');
  const report = await ann.file(old, 'report.txt', 'first');
  await realm.isSame(t, 'before');

  realm.kill('s3');
  ann.reach = ['s1', 's2'];
  await ann.store(letter, 'dear all, again');
  await ann.remove('remove', docs, 'draft.txt', draft);
  await ann.rename(report, old, 'report.txt', docs, 'final.txt');
  await ann.remove('rmdir', root, 'old', old);
  const deep = await ann.make('mkdir', docs, 'a');
  const deeper = await ann.make('mkdir', deep, 'b');
  await ann.file(deeper, 'leaf', 'x'.repeat(1000));
  await ann.rename(letter, docs, 'letter.txt', deeper, 'letter.txt');
  await ann.apply([{ op: 'setprops', fid: docs, set: { '{urn:x}colour': '<c/>' }, remove: [] }]);
  await ann.apply([{ op: 'chmod', fid: report, mode: 0o600 }]);
  const many = await ann.make('mkdir', root, 'many');
  for (let index = 0; index < 230; index += 1) await ann.make('create', many, `file-${index}`);
  await ann.rename(docs, root, 'docs', many, 'documents');
  await realm.isSame(t, 'meanwhile', ['s1', 's2']);

  const before = realm.asked.get('s3')?.changesSettled.length ?? 0;
  await realm.start('s3');
  await realm.isSame(t, 'after');
  const told = realm.asked.get('s3')?.changesSettled.slice(before) ?? [];
  const since = realm.asked.get('s3')?.changesSince.slice(before) ?? [];
  const pages = since.flatMap((stamp, index) => (stamp > (told[index] ?? 0) ? [index] : []));
  t.ok(pages.length > 0, 'of what was read, but is not merged for good, no removal may be forgotten (CU-3)');
  t.equal(realm.status('s3', draft), undefined);
  t.equal((await realm.dump('s3')).get('/many/documents/a/b/letter.txt')?.contents, 'dear all, again');

  const asked = realm.asked.get('s3');
  if (asked !== undefined) asked.changesSince.length = 0;
  realm.kill('s3');
  await realm.start('s3');
  t.ok(
    realm.asked.get('s3')?.changesSince.every((since) => since > 200),
    'a restart goes on where it was',
  );
  await realm.isSame(t, 'restarted');
});

t.test('two sides of a partition that changed different things end the same', async (t) => {
  const { realm, ann } = await realmOf(...names);
  const left = await ann.make('mkdir', root, 'left');
  const right = await ann.make('mkdir', root, 'right');
  const both = await ann.file(root, 'both', 'base');
  for (const other of ['s1', 's2']) realm.network.cut('s3', other);
  const bob = new BareGateway(realm, 'b');
  ann.reach = ['s1', 's2'];
  bob.reach = ['s3'];
  await ann.file(left, 'by ann', 'ann');
  await bob.file(right, 'by bob', 'bob');
  const sub = await bob.make('mkdir', right, 'sub');
  await bob.file(sub, 'deep', 'down');
  await ann.store(both, 'by ann');
  await bob.store(both, 'by bob');
  await realm.clock.advance(10_000);
  for (const other of ['s1', 's2']) realm.network.heal('s3', other);
  await realm.clock.advance(90_000);

  await realm.isSame(t, 'healed');
  for (const name of names) {
    const dump = await realm.dump(name);
    t.equal(dump.get('/left/by ann')?.contents, 'ann');
    t.equal(dump.get('/right/sub/deep')?.contents, 'down');
    const { contents, versions, conflicts } = dump.get('/both') ?? {};
    t.same([contents, versions, conflicts], ['by bob', ['by ann'], ['versions']], `both versions at ${name}`);
    const operator = await realm.dial(name, 'op', 'operator');
    t.same(await operator.call('resolve', { volume, fids: null }), { pulled: 0, inconsistent: [] });
    t.match(await operator.call('report', {}), { volumes: { [volume]: { conflicts: 1, unsettled: [] } } });
    const listed = await operator.call('conflicts', { volume, after: null, limit: 10 });
    t.match(listed, { conflicts: [{ name: 'both', status: { fid: both } }], more: false });
  }

  realm.kill('s3');
  await realm.start('s3');
  const later = await realm.dial('s3', 'op', 'operator');
  t.match(await later.call('report', {}), { volumes: { [volume]: { conflicts: 1 } } }, 'not forgotten');
  ann.reach = names;
  await ann.store(both, 'by both');
  await realm.clock.advance(10_000);
  await realm.isSame(t, 'one person has seen both');
  t.match((await realm.dump('s3')).get('/both'), { contents: 'by both', versions: [], conflicts: [] });
});

t.test('moves by one person are no conflict, in whatever order they are heard of', async (t) => {
  const { realm, ann } = await realmOf(...names);
  const [a, c] = [await ann.make('mkdir', root, 'a'), await ann.make('mkdir', root, 'c')];
  const b = await ann.make('mkdir', a, 'b');
  await ann.make('mkdir', b, 'in b');
  realm.kill('s3');
  ann.reach = ['s1', 's2'];
  // b, which was in a, now has a in it; and its last change comes long after that of a.
  await ann.rename(b, a, 'b', c, 'b');
  await ann.rename(a, root, 'a', b, 'a');
  for (let index = 0; index < 300; index += 1) await ann.make('create', root, `file-${index}`);
  await ann.apply([{ op: 'chmod', fid: b, mode: 0o700 }]);
  await ann.rename(c, root, 'c', root, 'd');
  await realm.start('s3');
  await realm.isSame(t, 'after');
  const dump = await realm.dump('s3');
  t.ok(
    dump.has('/d/b/a') && dump.has('/d/b/in b'),
    [...dump.keys()].filter((path) => !/file/.test(path)).join(),
  );
  t.same(
    [...dump.values()].filter(({ conflicts }) => conflicts.length > 0),
    [],
  );
});

t.test(
  'what is in a removed directory and cannot be had yet keeps it for that long, and no longer',
  async (t) => {
    const { realm, ann } = await realmOf(...names);
    const [from, to] = [await ann.make('mkdir', root, 'from'), await ann.make('mkdir', root, 'to')];
    const file = await ann.file(from, 'file', 'old');
    realm.kill('s3');
    ann.reach = ['s1', 's2'];
    await ann.store(file, 'new');
    await ann.rename(file, from, 'file', to, 'file');
    await ann.remove('rmdir', root, 'from', from);
    const disks = ['s1', 's2'].map((name) => realm.disk(name).containers);
    for (const containers of disks) await containers.remove(digestOf('new'));
    await realm.start('s3');
    const waiting = await realm.dump('s3');
    t.equal(waiting.get('/from/file')?.contents, 'old', 'as it was');
    const operator = await realm.dial('s3', 'op', 'operator');
    const { inconsistent } = await operator.call('resolve', { volume, fids: null });
    t.ok(inconsistent.length === 0 || inconsistent.includes(file));
    t.match(await operator.call('report', {}), { volumes: { [volume]: { unsettled: Array } } });
    for (const containers of disks) await putBack(containers, 'new');
    await realm.clock.advance(70_000);
    await realm.isSame(t, 'after');
    t.equal((await realm.dump('s3')).get('/to/file')?.contents, 'new');
    t.equal(realm.status('s3', from), undefined, 'the directory is gone');
    t.match(await operator.call('report', {}), { volumes: { [volume]: { unsettled: [], conflicts: 0 } } });
  },
);

t.test('a directory has not known the removal of one in it that is still there', async (t) => {
  const { realm, ann } = await realmOf(...names);
  const top = await ann.make('mkdir', root, 'top');
  const inner = await ann.make('mkdir', top, 'inner');
  ann.reach = ['s1'];
  ann.sendsCop2 = false;
  await ann.remove('rmdir', top, 'inner', inner);
  // Replayed by a gateway, while s2 is told to resolve the directory: between that and all of the peer's changes.
  const removal: Mutation = {
    ...ann.record({ op: 'rmdir', parent: root, name: 'top', fid: top }, 's1'),
    settled: true,
  };
  const client = await ann.client('s2');
  const outcomes: string[] = [];
  const asked = realm.asked.get('s2');
  if (asked === undefined) throw new Error('s2 runs');
  asked.beforeChanges = async () => {
    asked.beforeChanges = () => Promise.resolve();
    const reply = (await client.link.call('mutate', mutation(removal, {}))) as Result<'mutate'>;
    outcomes.push(reply.outcome);
  };
  await client.call('resolve', { volume, fids: [top] });
  t.same(outcomes, ['refused'], 'it lacks what the author has seen');
  for (const name of names) {
    const server = await ann.client(name);
    if (name !== 's1') await server.call('resolve', { volume, fids: null });
    t.match(await server.call('mutate', mutation(removal, {})), { outcome: 'applied' }, name);
  }
  await realm.clock.advance(130_000);
  await realm.isSame(t, 'after');
  t.notOk((await realm.dump('s3')).has('/top'), 'the removal is not taken for one that did not know of all');
});

t.test('a directory that was moved out of another before both were removed revives neither', async (t) => {
  const { realm, ann } = await realmOf(...names);
  const upper = await ann.make('mkdir', root, 'upper');
  const outer = await ann.make('mkdir', upper, 'outer');
  const inner = await ann.make('mkdir', outer, 'inner');
  await realm.isSame(t, 'before');
  realm.kill('s3');
  ann.reach = ['s1', 's2'];
  // At the peers it is above the one that still holds it here.
  await ann.rename(inner, outer, 'inner', root, 'moved');
  await ann.remove('rmdir', root, 'moved', inner);
  await ann.remove('rmdir', upper, 'outer', outer);
  await realm.start('s3');
  await realm.clock.advance(70_000);
  await realm.isSame(t, 'after');
  for (const name of names) {
    const paths = [...(await realm.dump(name)).keys()];
    t.notOk(
      paths.some((path) => /outer|inner|moved/.test(path)),
      `${name} has ${paths.join(', ')}`,
    );
  }
});

t.test('nor does one whose inner directory has to wait', async (t) => {
  const { realm, ann } = await realmOf(...names);
  const [outer, to] = [await ann.make('mkdir', root, 'outer'), await ann.make('mkdir', root, 'to')];
  const inner = await ann.make('mkdir', outer, 'inner');
  const file = await ann.file(inner, 'file', 'old');
  realm.kill('s3');
  ann.reach = ['s1', 's2'];
  await ann.store(file, 'new');
  await ann.rename(file, inner, 'file', to, 'file');
  await ann.remove('rmdir', outer, 'inner', inner);
  await ann.remove('rmdir', root, 'outer', outer);
  const disks = ['s1', 's2'].map((name) => realm.disk(name).containers);
  for (const containers of disks) await containers.remove(digestOf('new'));
  await realm.start('s3');
  t.ok((await realm.dump('s3')).has('/outer/inner/file'), 'as it was');
  for (const containers of disks) await putBack(containers, 'new');
  await realm.clock.advance(70_000);
  await realm.isSame(t, 'after');
  for (const name of names) t.notOk((await realm.dump(name)).has('/outer'), `${name} has let it go`);
});

/**
 * s3 resolves `outer` with s1, where something was removed that s3 has never had and s2 still has. `removal` is of
 * `outer`, by somebody who has seen all that.
 */
async function heardFromOne(t: Test): Promise<{
  readonly realm: BareRealm;
  readonly ann: BareGateway;
  readonly outer: Fid;
  readonly removal: Mutation;
}> {
  const { realm, ann } = await realmOf(...names);
  const outer = await ann.make('mkdir', root, 'outer');
  await realm.isSame(t, 'before');
  for (const other of ['s1', 's2']) realm.network.cut('s3', other);
  ann.sendsCop2 = false;
  ann.reach = ['s1', 's2'];
  const inner = await ann.make('mkdir', outer, 'inner');
  realm.network.cut('s1', 's2');
  ann.reach = ['s1'];
  await ann.remove('rmdir', outer, 'inner', inner);
  const draft = { op: 'rmdir', parent: root, name: 'outer', fid: outer } as const;
  const removal: Mutation = { ...ann.record(draft, 's1'), settled: true };
  realm.network.heal('s3', 's1');
  await realm.clock.advance(6_000);
  await (await ann.client('s3')).call('resolve', { volume, fids: [outer] });
  realm.network.cut('s3', 's1');
  realm.network.heal('s3', 's2');
  await realm.clock.advance(6_000);
  return { realm, ann, outer, removal };
}

async function isForgotten(t: Test, realm: BareRealm, ann: BareGateway): Promise<void> {
  realm.network.heal('s3', 's1');
  realm.network.heal('s1', 's2');
  for (const name of ['s1', 's2']) {
    const server = await ann.client(name);
    await realm.clock.advance(6_000);
    await server.call('resolve', { volume, fids: null });
  }
  await realm.clock.advance(130_000);
  await realm.isSame(t, 'after');
  for (const name of names) t.notOk((await realm.dump(name)).has('/outer'), `${name} has let it go`);
}

t.test(
  'what a directory has known to be removed is not taken from a server that has not heard of that',
  async (t) => {
    const { realm, ann, outer, removal } = await heardFromOne(t);
    const client = await ann.client('s3');
    await client.call('resolve', { volume, fids: null });
    t.match(await client.call('mutate', mutation(removal, {})), { outcome: 'applied' });
    t.equal(realm.status('s3', outer), undefined, 'there was nothing in it that its author had not known');
    await isForgotten(t, realm, ann);
  },
);

t.test('nor does that one learn of it from a server that has the names alone', async (t) => {
  const { realm, ann, outer, removal } = await heardFromOne(t);
  const [late, other] = [await ann.client('s3'), await ann.client('s2')];
  await other.call('resolve', { volume, fids: [outer] });
  t.match(await late.call('mutate', mutation(removal, {})), { outcome: 'applied' });
  await other.call('resolve', { volume, fids: null });
  t.notOk((await realm.dump('s2')).has('/outer'), 'it has heard of both removals, and revives nothing');
  await isForgotten(t, realm, ann);
});

t.test('a lost COP2 is healed without moving data', async (t) => {
  const { realm, ann } = await realmOf(...names);
  ann.sendsCop2 = false;
  const fid = await ann.file(root, 'file', 'contents');
  t.same(realm.status('s1', fid)?.vv, { 'r-s1': 2 }, 'each has counted only itself');
  await realm.clock.advance(130_000);
  t.same(realm.status('s1', fid)?.vv, { 'r-s1': 2, 'r-s2': 2, 'r-s3': 2 });
  await realm.isSame(t, 'healed');
  for (const name of names) t.same(realm.downloads(name), [], name);
});

t.test('an incomplete COP2 has the missing server pull, and resolve waits until it has', async (t) => {
  const { realm, ann } = await realmOf(...names);
  ann.reach = ['s1', 's2'];
  const fid = await ann.file(root, 'file', 'contents');
  await realm.clock.advance(2_000);
  t.equal(realm.status('s3', fid)?.data?.length, 8, 'long before the next round');

  const second = await ann.make('create', root, 'second');
  const bob = await realm.dial('s3', 'gateway/bob');
  t.same((await bob.call('status', { volume, fids: [second], cop2: [] })).statuses, [null]);
  const { pulled, inconsistent } = await bob.call('resolve', { volume, fids: [root, second] });
  t.ok(pulled >= 2);
  t.same(inconsistent, []);
  await realm.isSame(t, 'resolved');
  await ann.remove('remove', root, 'second', second);
  await bob.call('resolve', { volume, fids: [second] });
  t.equal(realm.status('s3', second), undefined, 'a removal is heard of, too');
});

t.test('resolving one object brings what belongs to it, and looks at nothing else', async (t) => {
  const { realm, ann } = await realmOf(...names);
  const from = await ann.make('mkdir', root, 'from');
  const to = await ann.make('mkdir', root, 'to');
  const one = await ann.file(from, 'one', '1');
  const two = await ann.file(from, 'two', '2');
  await realm.clock.advance(120_000);
  ann.reach = ['s1', 's2'];
  ann.sendsCop2 = false;
  const asked = realm.asked.get('s3')?.changesSince ?? [];
  const bob = await realm.dial('s3', 'gateway/bob');
  asked.length = 0;

  await ann.rename(one, from, 'one', to, 'uno');
  await bob.call('resolve', { volume, fids: [one] });
  t.equal((await realm.dump('s3')).get('/to/uno')?.fid, one, 'both directories of a rename, by its object');
  t.same(asked, [], 'no changes were read');
  await ann.rename(two, from, 'two', to, 'due');
  await bob.call('resolve', { volume, fids: [to] });
  t.equal((await realm.dump('s3')).get('/to/due')?.fid, two, 'and by one of them');
  t.ok(
    asked.every((since) => since > 0),
    'what was removed in a directory its changes tell, since the last time',
  );
});

t.test('a broken transfer between servers is resumed where it broke', async (t) => {
  const { realm, ann } = await realmOf('s1', 's2');
  await realm.start('s3');
  realm.kill('s3');
  ann.reach = ['s1', 's2'];
  const text = 'abcdefgh'.repeat(8_000);
  await ann.file(root, 'large', text);
  const starting = realm.start('s3');
  const asked = realm.asked.get('s3');
  if (asked !== undefined) asked.breakAfter = 1;
  await starting;
  t.equal(realm.downloads('s3').length, 2);
  t.ok((realm.downloads('s3')[1]?.start ?? 0) > 0);
  await realm.isSame(t, 'after');
});
