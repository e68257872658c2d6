/** A disk rots under a server, in every way that there is: what a scrub finds, heals, and cannot heal. */
import t from 'tap';
import { BareGateway } from '../../conformance/bare-realm/gateway.js';
import { check } from '../../conformance/bare-realm/bare-replica.js';
import { BareRealm, digestOf, names, root, volume } from '../../conformance/bare-realm/realm.js';
import { scrub } from '../../conformance/bare-realm/scrub.js';
import { seal, unseal, type Fid } from '../interface/index.js';
import { endOf } from '../seam/store.js';
import type { MemoryStore } from '../seam/twin/memory-store.js';
import { VolumeKeys, type ObjectRow } from '../store/volume-store.js';

const keys = new VolumeKeys(volume);

async function started(
  settings: Partial<Pick<BareRealm, 'packedBytes' | 'scrub'>> = {},
): Promise<{ readonly realm: BareRealm; readonly ann: BareGateway }> {
  const realm = Object.assign(new BareRealm(), settings);
  await realm.start(...names);
  return { realm, ann: new BareGateway(realm, 'a') };
}

async function read(realm: BareRealm, server: string, digest: string): Promise<string> {
  const gateway = await realm.dial(server, 'gateway/eve');
  return gateway.download(`container/${digest}`);
}

/** Flips a bit of a row, behind the server's back. */
async function rot(store: MemoryStore, key: string): Promise<void> {
  const value = store.get(key);
  if (value === undefined) throw new Error(`no row ${key}`);
  const rotten = Uint8Array.from(value);
  const middle = rotten.length >> 1;
  rotten[middle] = (rotten[middle] ?? 0) ^ 1;
  await store.transact((transaction) => transaction.put(key, rotten));
}

async function rewrite(store: MemoryStore, fid: Fid, change: (row: ObjectRow) => ObjectRow): Promise<void> {
  const value = store.get(keys.object(fid));
  if (value === undefined) throw new Error(`no object ${fid}`);
  const row = change(unseal(value) as ObjectRow);
  await store.transact((transaction) => transaction.put(keys.object(fid), seal(row)));
}

async function restart(realm: BareRealm, server: string): Promise<void> {
  realm.kill(server);
  await realm.start(server);
}

t.test('a sound server is found sound, and nothing is written for it', async (t) => {
  const { realm, ann } = await started();
  const docs = await ann.make('mkdir', root, 'docs');
  for (let index = 0; index < 130; index += 1) await ann.file(docs, `file ${index}`, `text ${index % 60}`);
  const gone = await ann.file(docs, 'gone', 'removed later');
  await ann.remove('remove', docs, 'gone', gone);
  const stamp = realm.server('s1').replica(volume)?.stamp;
  const report = await scrub(realm, 's1');
  t.match(report, { running: false, open: 0, healed: 0, phase: null, findings: [] });
  t.ok(report.objects >= 132, `${report.objects} objects looked at`);
  t.ok(report.containers >= 60 && report.containers <= 61, `each container once: ${report.containers}`);
  t.equal(realm.server('s1').replica(volume)?.stamp, stamp);
});

t.test('a bit flips in a container: fetched from a peer, the bad bytes set aside', async (t) => {
  const { realm, ann } = await started();
  const text = 'a letter of great importance';
  await ann.file(root, 'letter', text);
  const { containers } = realm.disk('s1');
  containers.damage(digestOf(text), 3);
  const report = await scrub(realm, 's1');
  t.match(report, { healed: 1, open: 0 });
  t.equal(await containers.has(digestOf(text)), true);
  t.equal(await read(realm, 's1', digestOf(text)), text);
  t.same(
    realm.downloads('s1').map(({ path }) => path),
    [`container/${digestOf(text)}`],
  );
});

t.test('snapshots are sound, and what they alone still have is checked and healed', async (t) => {
  const { realm, ann } = await started();
  const letter = await ann.file(root, 'letter', 'an old letter');
  for (const name of names) {
    const operator = await realm.dial(name, 'op', 'operator');
    await operator.call('takeSnapshot', { volume, snapshot: { name: 'noon', time: 1 } });
  }
  await ann.remove('remove', root, 'letter', letter);
  await ann.file(root, 'other', 'another one');
  await realm.clock.advance(130_000);
  t.match(await scrub(realm, 's1'), { healed: 0, open: 0 });
  realm.disk('s1').containers.damage(digestOf('an old letter'), 3);
  t.match(await scrub(realm, 's1'), { healed: 1, open: 0 });
  t.equal(await read(realm, 's1', digestOf('an old letter')), 'an old letter');
});

t.test('rows that only a snapshot reads are put right by another server that has it', async (t) => {
  const { realm, ann } = await started();
  const noon = { name: 'noon', time: 1 };
  const [letter, memo] = [
    await ann.file(root, 'letter', 'an old letter'),
    await ann.file(root, 'memo', 'a memo'),
  ];
  for (const [index, name] of [...names, ...names].entries()) {
    const operator = await realm.dial(name, 'op', 'operator');
    const snapshot = index < names.length ? { name: 'before', time: 0 } : noon;
    await operator.call('takeSnapshot', { volume, snapshot });
  }
  await ann.remove('remove', root, 'letter', letter);
  await ann.remove('remove', root, 'memo', memo);
  await realm.clock.advance(130_000);
  const { store } = realm.disk('s1');
  const saved = (row: string): string => `${volume}/saved/${row}\u0001${'2'.padStart(16, '0')}`;
  const spoil = async (): Promise<void> => {
    await rot(store, saved(`object/${letter}`));
    await rot(store, saved(`entry/${root}/letter`));
    await store.transact((transaction) => transaction.remove(saved(`object/${memo}`)));
  };
  const seen = (server: string, snapshot = noon): unknown => {
    const entries = realm.server(server).replica(volume)?.snapshots.entries(snapshot, root) ?? [];
    return [...entries].flatMap((entry) =>
      entry === undefined ? [] : [[entry.name, entry.status.data?.digest]],
    );
  };
  await spoil();
  t.match(await scrub(realm, 's1'), { healed: 3, open: 0 });
  t.same(seen('s1'), [
    ['letter', digestOf('an old letter')],
    ['memo', digestOf('a memo')],
  ]);
  t.same(seen('s1', { name: 'before', time: 0 }), seen('s1'), 'which reads the same rows');
  t.match(await scrub(realm, 's1'), { healed: 0, open: 0 });

  await spoil();
  for (const name of ['s2', 's3']) realm.kill(name);
  const alone = await scrub(realm, 's1');
  t.equal(alone.open, 3);
  t.match(alone.findings[0], { fault: /^snapshot-/, reason: /no other server/ });
  t.match(
    realm.server('s1').replica(volume)?.snapshots.list(),
    [{ name: 'before' }, noon],
    'what is whole of it is read',
  );
  await realm.start('s2');
  await realm.clock.advance(130_000);
  const operator = await realm.dial('s1', 'op', 'operator');
  t.match(await operator.call('scrub', { start: false }), { open: 0 });
  t.same(seen('s1'), seen('s2'));
});

t.test('a bit flips in a row of small contents', async (t) => {
  const { realm, ann } = await started({ packedBytes: 1000 });
  await ann.file(root, 'note', 'a small note');
  const digest = digestOf('a small note');
  const { store } = realm.disk('s2');
  await rot(store, `contents/${digest}`);
  t.match(await scrub(realm, 's2'), { healed: 1, open: 0 });
  t.equal(await read(realm, 's2', digest), 'a small note');
  t.ok(store.get(`contents-damaged/${digest}`), 'the damaged bytes are kept for a person');
});

t.test(
  'a container is gone; one that nobody has any more is listed with its path, until it is back',
  async (t) => {
    const { realm, ann } = await started();
    const docs = await ann.make('mkdir', root, 'docs');
    const fid = await ann.file(docs, 'lost.txt', 'nobody has it');
    await ann.file(docs, 'found.txt', 'others have it');
    await realm.disk('s1').containers.remove(digestOf('others have it'));
    for (const name of names) realm.disk(name).containers.damage(digestOf('nobody has it'));
    const report = await scrub(realm, 's1');
    t.match(report, { healed: 1, open: 1 });
    const [finding] = report.findings;
    t.match(finding, { fid, volume, path: '/docs/lost.txt', digest: digestOf('nobody has it') });
    t.match(finding?.advice ?? '', /cache.*backup/);
    t.ok(finding?.reason);

    const since = finding?.since;
    await restart(realm, 's1');
    const operator = await realm.dial('s1', 'op', 'operator');
    t.match(await operator.call('scrub', { start: false }), {
      open: 1,
      findings: [{ since, path: '/docs/lost.txt' }],
    });

    // Another server gets it back: it is healed here without a further pass.
    const spool = await realm.disk('s3').containers.spool();
    await spool.write(Buffer.from('nobody has it'));
    await spool.commit();
    await realm.clock.advance(130_000);
    t.match(await operator.call('scrub', { start: false }), { open: 0, findings: [] });
    t.equal(await read(realm, 's1', digestOf('nobody has it')), 'nobody has it');
  },
);

t.test('records rot: what other replicas hold comes in their place', async (t) => {
  const { realm, ann } = await started();
  const docs = await ann.make('mkdir', root, 'docs');
  const first = await ann.file(docs, 'first', 'one');
  const second = await ann.file(docs, 'second', 'two');
  const { store } = realm.disk('s1');
  // The server still has it in memory ...
  await rot(store, keys.object(first));
  t.match(await scrub(realm, 's1'), { healed: 1, open: 0 });
  t.ok(unseal(store.get(keys.object(first)) ?? new Uint8Array()), 'the row is whole again');
  // ... and here it has not.
  realm.kill('s1');
  for (const fid of [second, docs]) await rot(realm.disk('s1').store, keys.object(fid));
  await realm.start('s1');
  const report = await scrub(realm, 's1');
  t.match(report, { open: 0, findings: [] });
  await realm.isSame(t, 'healed');
  for (const name of names) await check(replicaOf(realm, name), realm.disk(name).store);
});

t.test('names, digests and counts that do not follow from the objects are worked out again', async (t) => {
  const { realm, ann } = await started();
  const docs = await ann.make('mkdir', root, 'docs');
  const file = await ann.file(docs, 'file', 'one');
  await ann.file(docs, 'other', 'two');
  const faults: readonly (readonly [string, (store: MemoryStore) => Promise<void>])[] = [
    ['a name is lost', (store) => remove(store, keys.entry(docs, 'file'))],
    ['a name rots', (store) => rot(store, keys.entry(docs, 'file'))],
    [
      'an object has a second name',
      (store) => put(store, keys.entry(root, 'again'), { fid: file, kind: 'file' }),
    ],
    ['the digest of the children', (store) => put(store, keys.children(docs), '0123456789abcdef')],
    ['the digest of the children is lost', (store) => remove(store, keys.children(docs))],
    ['the digest of an object', (store) => removeAll(store, `${volume}/member/`)],
    ['the count of contents', (store) => remove(store, `container/${digestOf('one')}/${volume}`)],
    [
      'the digest of the names',
      (store) =>
        rewrite(store, docs, (row) => ({ ...row, status: { ...row.status, names: '0123456789abcdef' } })),
    ],
  ];
  for (const [what, plant] of faults) {
    await restart(realm, 's1');
    await plant(realm.disk('s1').store);
    const report = await scrub(realm, 's1');
    t.ok(report.healed > 0, `${what}: found`);
    t.match(report, { open: 0, findings: [] }, `${what}: healed`);
    await check(replicaOf(realm, 's1'), realm.disk('s1').store);
    await realm.isSame(t, what);
  }
  await ann.remove('remove', docs, 'file', file);
  await realm.clock.advance(5000);
  t.equal(await realm.disk('s1').containers.has(digestOf('one')), true, 'better one too many');
});

t.test('a name whose object is nowhere is listed, and not removed', async (t) => {
  const { realm, ann } = await started();
  const lost = await ann.file(root, 'lost', 'one');
  for (const name of names) realm.kill(name);
  for (const name of names) await remove(realm.disk(name).store, keys.object(lost));
  await realm.start(...names);
  const report = await scrub(realm, 's1');
  t.match(report, { open: 1, findings: [{ fault: 'name-dangling', fid: lost, path: '/lost' }] });
  t.ok(realm.disk('s1').store.get(keys.entry(root, 'lost')));
});

t.test('replicas that know the same and differ are found and named', async (t) => {
  const { realm, ann } = await started({ scrub: { everyDays: 0, bytesPerSecond: 1e9 } });
  const file = await ann.file(root, 'file', 'one');
  await realm.clock.advance(70_000);
  realm.kill('s1');
  await rewrite(realm.disk('s1').store, file, (row) => ({ ...row, status: { ...row.status, mode: 0o600 } }));
  await realm.start('s1');
  const report = await scrub(realm, 's1');
  // Merging prefers neither: nobody can say which of the two is right.
  t.match(report.findings[0], { fault: 'replicas-differ', fid: file, path: '/file', peer: 's2' });
  t.equal(report.open, 2, 'to each of the others');

  await ann.apply([{ op: 'chmod', fid: file, mode: 0o640 }]);
  await realm.clock.advance(200_000);
  const operator = await realm.dial('s1', 'op', 'operator');
  t.match(await operator.call('scrub', { start: false }), { open: 0 }, 'set anew, it is the same everywhere');
});

t.test('killed in the middle it goes on where it was', async (t) => {
  const { realm, ann } = await started({ scrub: { everyDays: 7, bytesPerSecond: 1000 } });
  const texts = Array.from({ length: 20 }, (_, index) => `${index} `.padEnd(2000, 'x'));
  for (const [index, text] of texts.entries()) await ann.file(root, `file ${index}`, text);
  const operator = await realm.dial('s1', 'op', 'operator');
  await operator.call('scrub', { start: true });
  await realm.clock.advance(21_000);
  const before = await operator.call('scrub', { start: false });
  t.match(before, { running: true, phase: 'contents' });
  t.ok(before.containers >= 8 && before.containers <= 11, `gently: ${before.containers} in 21 s`);

  realm.kill('s1');
  // What comes behind the position is still found; what was before it is left for the next pass.
  const inOrder = texts.map(digestOf).sort();
  const [early = '', late = ''] = [inOrder[0], inOrder.at(-1)];
  for (const digest of [early, late]) realm.disk('s1').containers.damage(digest);
  await realm.start('s1');
  const again = await realm.dial('s1', 'op', 'operator');
  await realm.clock.advance(15_000);
  const after = await again.call('scrub', { start: false });
  t.equal(after.startedAt, before.startedAt, 'the same pass');
  t.ok(after.containers > before.containers - 4, 'a few seconds of it were lost at most');
  await realm.clock.advance(120_000);
  const end = await again.call('scrub', { start: false });
  t.match(end, { running: false, healed: 1, open: 0 });
  t.equal(await realm.disk('s1').containers.has(late), true);
  t.ok(end.containers <= 24, `not all again: ${end.containers}`);
});

t.test('the disk is full while it heals: listed, nothing lost, healed when there is room', async (t) => {
  const { realm, ann } = await started();
  const text = 'needs room '.repeat(100);
  await ann.file(root, 'file', text);
  const { containers } = realm.disk('s1');
  containers.damage(digestOf(text));
  containers.failNext(100);
  t.match(await scrub(realm, 's1'), { open: 1, healed: 0, findings: [{ path: '/file' }] });
  containers.mend();
  await realm.clock.advance(130_000);
  const operator = await realm.dial('s1', 'op', 'operator');
  t.match(await operator.call('scrub', { start: false }), { open: 0 });
  t.equal(await read(realm, 's1', digestOf(text)), text);
});

t.test('by itself every so often; what nothing names is swept', async (t) => {
  const { realm, ann } = await started({ scrub: { everyDays: 0.005, bytesPerSecond: 1e6 } });
  await ann.file(root, 'file', 'one');
  const operator = await realm.dial('s1', 'op', 'operator');
  await realm.clock.advance(60_000);
  const first = await operator.call('scrub', { start: false });
  t.match(first, { startedAt: null, running: false }, 'there was none yet');
  const spool = await realm.disk('s1').containers.spool();
  await spool.write(Buffer.from('orphan'));
  await spool.commit();
  realm.disk('s1').containers.damage(digestOf('one'));
  await realm.clock.advance((first.dueAt ?? 0) - realm.clock.wall() + 180_000);
  const second = await (await realm.dial('s1', 'op', 'operator')).call('scrub', { start: false });
  t.match(second, { running: false, healed: 1, containers: 1 });
  t.ok((second.dueAt ?? 0) > (first.dueAt ?? 0));
  t.equal(await realm.disk('s1').containers.has(digestOf('orphan')), false);
});

function replicaOf(realm: BareRealm, name: string) {
  const replica = realm.server(name).replica(volume);
  if (replica === undefined) throw new Error(`${name} has no replica`);
  return replica;
}

async function put(store: MemoryStore, key: string, row: unknown): Promise<void> {
  await store.transact((transaction) => transaction.put(key, seal(row)));
}

async function remove(store: MemoryStore, key: string): Promise<void> {
  await store.transact((transaction) => transaction.remove(key));
}

async function removeAll(store: MemoryStore, prefix: string): Promise<void> {
  const rows = [...store.range({ start: prefix, end: endOf(prefix) })];
  await store.transact((transaction) => {
    for (const { key } of rows) transaction.remove(key);
  });
}
