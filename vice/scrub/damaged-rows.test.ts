/** Several rows that belong together rot at one server: what peers have comes back, what nobody has stays. */
import t from 'tap';
import { BareGateway, mutation } from '../../conformance/bare-realm/gateway.js';
import { check } from '../../conformance/bare-realm/bare-replica.js';
import { BareRealm, names, root, volume } from '../../conformance/bare-realm/realm.js';
import { scrub } from '../../conformance/bare-realm/scrub.js';
import type { Fid } from '../interface/index.js';
import type { MemoryStore } from '../seam/twin/memory-store.js';
import { bucketOf } from '../store/state-digest.js';
import { VolumeKeys } from '../store/volume-store.js';
import type { Replica } from '../volume/replica.js';

const keys = new VolumeKeys(volume);

/** What is used of tap. */
interface BareTest {
  same(found: unknown, wanted: unknown, message: string): unknown;
}

interface Office {
  readonly realm: BareRealm;
  readonly ann: BareGateway;
  readonly docs: Fid;
  readonly letter: Fid;
}

async function office(): Promise<Office> {
  const realm = new BareRealm();
  await realm.start(...names);
  const ann = new BareGateway(realm, 'a');
  const docs = await ann.make('mkdir', root, 'docs');
  await ann.file(docs, 'memo', 'a memo');
  return { realm, ann, docs, letter: await ann.file(docs, 'letter', 'a letter') };
}

/** Flips a bit of each row of a server that is down: nothing of it is in memory when it is up again. */
async function rot(store: MemoryStore, ...rows: readonly string[]): Promise<void> {
  await store.transact((transaction) => {
    for (const key of rows) {
      const value = Uint8Array.from(transaction.get(key) ?? []);
      const middle = value.length >> 1;
      value[middle] = (value[middle] ?? 0) ^ 1;
      transaction.put(key, value);
    }
  });
}

/** `server` was down while its disk rotted; `up`: the others run. */
async function rotten(
  realm: BareRealm,
  server: string,
  rows: readonly string[],
  isAlone = false,
): Promise<void> {
  for (const name of isAlone ? names : [server]) if (realm.servers.has(name)) realm.kill(name);
  await rot(realm.disk(server).store, ...rows);
  await realm.start(server);
}

function replicaOf(realm: BareRealm, name: string): Replica {
  const replica = realm.server(name).replica(volume);
  if (replica === undefined) throw new Error(`${name} has no replica`);
  return replica;
}

/** What a gateway is told of the names in a directory: they, or the kind of the failure. */
async function listed(realm: BareRealm, server: string, directory: Fid): Promise<readonly string[] | string> {
  const gateway = await realm.dial(server, 'gateway/eve');
  const argument = { volume, fid: directory, full: true, cop2: [] };
  const failure = await gateway.refusal('list', argument);
  if (failure !== 'answered') return failure;
  return [...(replicaOf(realm, server).list(directory)?.entries ?? [])].map(({ name }) => name);
}

async function isSound(t: BareTest, { realm }: Office, what: string): Promise<void> {
  await realm.isSame(t, what);
  for (const name of names) await check(replicaOf(realm, name), realm.disk(name).store);
}

t.test(
  'a file and its name rot: both come back, and until then the folder is not shown without it',
  async (t) => {
    const scene = await office();
    const { realm, docs, letter } = scene;
    await rotten(realm, 's1', [keys.object(letter), keys.entry(docs, 'letter')], true);
    t.equal(await listed(realm, 's1', docs), 'damaged');
    const gateway = await realm.dial('s1', scene.ann.name);
    const { fid } = { fid: `7f000001.99.${'a'.repeat(16)}` as Fid };
    const create = { op: 'create', parent: docs, name: 'letter', fid, mode: 0o644 } as const;
    const refused = await gateway.call('mutate', mutation(scene.ann.record(create, 's1'), {}));
    t.match(refused, { outcome: 'refused', failure: { kind: 'stale' } }, 'nobody takes its name meanwhile');
    const alone = await scrub(realm, 's1');
    t.ok(alone.open > 0, 'nobody has it: it is told');
    t.equal(await listed(realm, 's1', docs), 'damaged');

    await realm.start('s2', 's3');
    await realm.clock.advance(130_000);
    t.same(await listed(realm, 's1', docs), ['letter', 'memo'], 'somebody wanted it, and it was brought');
    t.match(await scrub(realm, 's1'), { open: 0, findings: [] });
    await isSound(t, scene, 'healed');
  },
);

t.test('the scrub finds it where nobody wants it, and counts the space anew', async (t) => {
  const scene = await office();
  const { realm, docs, letter } = scene;
  await rotten(realm, 's1', [keys.object(letter), keys.entry(docs, 'letter')]);
  t.match(await scrub(realm, 's1'), { open: 0, findings: [] });
  await isSound(t, scene, 'healed');
});

t.test('what says that a file was removed rots: its folder, removed with it, stays gone', async (t) => {
  const scene = await office();
  const { realm, ann, docs, letter } = scene;
  const entries = [...(replicaOf(realm, 's1').list(docs)?.entries ?? [])];
  const memo = entries.find(({ name }) => name === 'memo');
  realm.kill('s3');
  ann.reach = ['s1', 's2'];
  await ann.remove('remove', docs, 'letter', letter);
  await ann.remove('remove', docs, 'memo', memo?.status.fid ?? letter);
  await ann.remove('rmdir', root, 'docs', docs);
  await rotten(realm, 's1', [keys.object(letter)], true);
  // It has missed all that, and hears of it from the one that cannot tell all.
  await realm.start('s3');
  await realm.start('s2');
  await realm.clock.advance(130_000);
  await isSound(t, scene, 'healed');
  t.notOk((await realm.dump('s3')).has('/docs'));
});

t.test('a folder, its name, and a folder in it rot: digests of names are as before', async (t) => {
  const scene = await office();
  const { realm, ann, docs } = scene;
  const inner = await ann.make('mkdir', docs, 'inner');
  await ann.file(inner, 'deep', 'deep down');
  const other = await ann.file(root, 'other', 'in the root');
  realm.kill('s1');
  ann.reach = ['s2', 's3'];
  await ann.file(docs, 'new', 'while it was down');
  await ann.remove('remove', root, 'other', other);
  await rotten(realm, 's1', [keys.object(docs), keys.entry(root, 'docs'), keys.object(inner)]);
  await realm.clock.advance(130_000);
  await isSound(t, scene, 'healed by catching up');
  await rotten(realm, 's1', [keys.object(docs), keys.entry(root, 'docs'), keys.children(root)]);
  await scrub(realm, 's1');
  await isSound(t, scene, 'healed by the scrub');
});

t.test('two files that want one name rot: neither waits for the other', async (t) => {
  const scene = await office();
  const { realm, ann, docs } = scene;
  ann.reach = ['s1'];
  realm.network.cut('s1', 's2');
  realm.network.cut('s1', 's3');
  const here = await ann.file(docs, 'plan', 'one plan');
  const bob = new BareGateway(realm, 'b');
  bob.reach = ['s2', 's3'];
  const there = await bob.file(docs, 'plan', 'another plan');
  for (const name of ['s2', 's3']) realm.network.heal('s1', name);
  await realm.clock.advance(130_000);
  await isSound(t, scene, 'a name conflict');
  const beside = [...(await listed(realm, 's1', docs))].find((name) => name.includes('conflict')) ?? '';
  for (const each of [[], [keys.entry(docs, 'plan')], [keys.entry(docs, beside), keys.entry(docs, 'plan')]]) {
    await rotten(realm, 's1', [keys.object(here), keys.object(there), ...each]);
    t.match(await scrub(realm, 's1'), { open: 0 });
    await isSound(t, scene, `healed with ${each.length} names`);
  }
});

t.test('moved elsewhere while its row rotted: the old name goes with it', async (t) => {
  const scene = await office();
  const { realm, ann, docs, letter } = scene;
  realm.kill('s1');
  await rot(realm.disk('s1').store, keys.object(letter));
  ann.reach = ['s2', 's3'];
  await ann.rename(letter, docs, 'letter', root, 'moved');
  await realm.start('s1');
  await realm.clock.advance(130_000);
  await isSound(t, scene, 'moved');
  realm.kill('s1');
  await rot(realm.disk('s1').store, keys.object(letter), keys.entry(root, 'moved'));
  await ann.remove('remove', root, 'moved', letter);
  await realm.start('s1');
  await realm.clock.advance(130_000);
  await scrub(realm, 's1');
  await isSound(t, scene, 'removed');
});

t.test('what only this server has is never given up for its name', async (t) => {
  const scene = await office();
  const { realm, ann, docs } = scene;
  for (const name of ['s2', 's3']) realm.kill(name);
  ann.reach = ['s1'];
  const only = await ann.file(docs, 'only', 'only here');
  await rotten(realm, 's1', [keys.entry(docs, 'only'), keys.children(docs)]);
  t.equal(await listed(realm, 's1', docs), 'damaged');
  await realm.clock.advance(5000);
  t.same(await listed(realm, 's1', docs), ['letter', 'memo', 'only'], 'the object says its name');
  await rotten(realm, 's1', [keys.entry(docs, 'only')]);
  await realm.start('s2', 's3');
  await realm.clock.advance(130_000);
  t.match(await scrub(realm, 's1'), { open: 0 });
  await isSound(t, scene, 'the others have it, too');

  for (const name of ['s2', 's3']) realm.kill(name);
  const lost = await ann.file(docs, 'lost', 'rots before anybody else has it');
  await rotten(realm, 's1', [keys.object(lost), keys.entry(docs, 'lost')]);
  await realm.start('s2', 's3');
  await realm.clock.advance(130_000);
  const report = await scrub(realm, 's1');
  t.ok(
    report.findings.some(({ fault, fid }) => fault === 'record-damaged' && fid === lost),
    'it is told',
  );
  t.ok(realm.disk('s1').store.get(keys.object(lost)), 'and stays');
  t.ok(realm.disk('s1').store.get(keys.entry(docs, 'lost')));
  t.equal(await listed(realm, 's1', docs), 'damaged', 'a listing must not look complete');
  t.same(await listed(realm, 's2', docs), ['letter', 'memo', 'only']);
  t.ok(realm.status('s1', only));
});

t.test('the digests by which replicas compare themselves rot: nobody looks for ever', async (t) => {
  const scene = await office();
  const { realm, docs, letter } = scene;
  const rows = [keys.member(bucketOf(letter), letter), keys.bucket(bucketOf(docs)), keys.children(docs)];
  await rotten(realm, 's1', [keys.bucket(bucketOf(docs)), keys.children(docs)]);
  await realm.clock.advance(130_000);
  await isSound(t, scene, 'by themselves, in a quiet minute');
  await rotten(realm, 's1', rows, true);
  t.match(await scrub(realm, 's1'), { open: 0 });
  await check(replicaOf(realm, 's1'), realm.disk('s1').store);
});
