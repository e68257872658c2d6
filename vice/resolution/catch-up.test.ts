/** Replicas end up the same, byte for byte, whatever some of them have missed. */
import t from 'tap';
import { BareGateway, realmOf } from '../../conformance/bare-realm/gateway.js';
import { names, root, volume } from '../../conformance/bare-realm/realm.js';

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

  await realm.start('s3');
  await realm.isSame(t, 'after');
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

  const dumps = await Promise.all(names.map((name) => realm.dump(name)));
  for (const dump of dumps) {
    t.equal(dump.get('/left/by ann')?.contents, 'ann');
    t.equal(dump.get('/right/sub/deep')?.contents, 'down');
  }
  const versions = dumps.map((dump) => dump.get('/both')?.contents);
  t.same(versions, ['by ann', 'by ann', 'by bob'], 'no version is lost');
  const operator = await realm.dial('s3', 'op', 'operator');
  const resolved = await operator.call('resolve', { volume, fids: null });
  t.same(resolved.inconsistent, [both], 'and what is left for a merge is told');
  const report = await operator.call('report', {});
  t.match(report, { server: 's3', volumes: { [volume]: { inconsistent: [both] } } });

  realm.kill('s3');
  await realm.start('s3');
  const later = await realm.dial('s3', 'op', 'operator');
  const found = await later.call('report', {});
  t.match(found, { volumes: { [volume]: { inconsistent: [both] } } }, 'not forgotten over a restart');
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
  await ann.rename(two, from, 'two', to, 'due');
  await bob.call('resolve', { volume, fids: [to] });
  t.equal((await realm.dump('s3')).get('/to/due')?.fid, two, 'and by one of them');
  t.same(asked, [], 'no changes were read');
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
