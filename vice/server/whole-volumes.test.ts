/** Volumes that come and go while servers run, are away, or die; their quotas and locks: calls to real servers. */
import t from 'tap';
import { BareGateway, mutation } from '../../conformance/bare-realm/gateway.js';
import { BareRealm, digestOf, names, root, type Client } from '../../conformance/bare-realm/realm.js';
import { rootFid, volumeEntry, type Intention, type VolumeId } from '../interface/index.js';
import { endOf } from '../seam/store.js';
import { MemoryContainers } from '../seam/twin/memory-containers.js';
import { MemoryStore } from '../seam/twin/memory-store.js';
import { hasRows } from '../store/dropped-volume.js';

const drawings = '7f000002' as VolumeId;
const top = rootFid(drawings);
const creation = (...servers: readonly string[]): Intention => {
  return { change: 'create-volume', id: drawings, name: 'drawings', servers: [...servers] };
};
const deletion: Intention = { change: 'delete-volume', volume: drawings };
const contents = 'what is drawn '.repeat(10);

/** A realm, and an administrator who speaks to the server that publishes. */
class Story {
  readonly realm = new BareRealm();
  #operator: Client | undefined;

  static async begin(...started: readonly string[]): Promise<Story> {
    const story = new Story();
    // A drop takes several flushes: there is a middle to die in.
    const store = new MemoryStore({ clock: story.realm.clock, flushMs: 100 });
    story.realm.disks.set('s1', { store, containers: new MemoryContainers({}) });
    await story.realm.start(...started);
    return story;
  }

  async say(intention: Intention): Promise<boolean> {
    this.#operator ??= await this.realm.dial('s1', 'op', 'operator');
    const { changed } = await this.#operator.call('publish', { intention, basedOn: null, user: null });
    return changed;
  }

  /** All servers are up, and have the new volume. */
  static async everywhere(): Promise<Story> {
    const story = await Story.begin(...names);
    await story.say(creation(...names));
    await story.realm.clock.advance(1000);
    return story;
  }

  async restart(name: string): Promise<void> {
    if (name === 's1') this.#operator = undefined;
    this.realm.kill(name);
    await this.realm.start(name);
  }

  gateway(digit: string, ...reach: readonly string[]): BareGateway {
    const gateway = new BareGateway(this.realm, digit, drawings);
    gateway.reach = reach;
    // Servers that are told who lacks what resolve at once.
    gateway.sendsCop2 = reach.length > 1;
    return gateway;
  }

  /** Which servers have anything of the volume on their disks. */
  get having(): readonly string[] {
    return names.filter(
      (name) => this.realm.disks.has(name) && hasRows(this.realm.disk(name).store, drawings),
    );
  }

  async hasContents(name: string): Promise<boolean> {
    return this.realm.disk(name).containers.has(digestOf(contents));
  }
}

t.test('a new volume is there at once, empty, where it shall be and nowhere else', async (t) => {
  const story = await Story.begin(...names);
  const { realm } = story;
  t.equal(await story.say(creation('s2', 's3')), true);
  await realm.clock.advance(1000);
  t.same(story.having, ['s2', 's3']);
  for (const name of ['s2', 's3']) {
    t.match(realm.status(name, top), { kind: 'directory', known: {} }, `its root is at ${name}`);
  }
  t.equal(await story.say(creation('s2', 's3')), false, 'said again');
  await story.restart('s1');
  t.equal(await story.say(creation('s2', 's3')), false, 'also after a restart');
  const ann = story.gateway('a', 's2', 's3');
  await ann.file(top, 'plan', contents);
  await realm.isSame(t, 'the first change is everywhere', ['s2', 's3'], drawings);
  t.match((await realm.dump('s3', drawings)).get('/plan'), { contents });
  t.equal((await realm.dump('s1')).size, 1, 'the root volume has heard nothing');
});

t.test('first changes that were made apart meet', async (t) => {
  const story = await Story.everywhere();
  const { realm } = story;
  await story.gateway('a', 's1').file(top, 'plan', 'of ann');
  await story.gateway('b', 's2').file(top, 'plan', 'of ben');
  await story.gateway('c', 's3').make('mkdir', top, 'folder');
  await realm.clock.advance(130_000);
  await realm.isSame(t, 'resolved', names, drawings);
  const dump = await realm.dump('s1', drawings);
  t.equal(dump.size, 4, 'all three are there');
  t.same([...dump.values()].map((each) => each.contents).sort(), ['', '', 'of ann', 'of ben']);
});

t.test('a server that was away when a volume was made has it when it is back', async (t) => {
  const story = await Story.begin('s1', 's2');
  const { realm } = story;
  await story.say(creation(...names));
  await realm.clock.advance(1000);
  await story.gateway('a', 's1', 's2').file(top, 'plan', contents);
  await realm.start('s3');
  await realm.clock.advance(10_000);
  await realm.isSame(t, 'it has caught up', names, drawings);
  t.ok(await story.hasContents('s3'));
});

t.test('a deleted volume leaves nothing, at servers that were away or died meanwhile neither', async (t) => {
  const story = await Story.everywhere();
  const { realm } = story;
  const ann = story.gateway('a', ...names);
  const fid = await ann.file(top, 'plan', contents);
  for (const name of names) t.ok(await story.hasContents(name), name);
  realm.kill('s3');
  t.equal(await story.say(deletion), true);
  t.ok(
    realm.disk('s1').store.durable.get(`${drawings}/meta`),
    'its rows are on their way out: in the middle of that it dies',
  );
  await story.restart('s1');
  await realm.clock.advance(20_000);
  t.same(story.having, ['s3']);
  await realm.start('s3');
  await realm.clock.advance(20_000);
  t.same(story.having, []);
  for (const name of names) {
    const rows = [...realm.disk(name).store.range({ start: 'container/', end: endOf('container/') })];
    t.same(rows, [], `${name} counts no container for it`);
    t.notOk(await story.hasContents(name), `${name} has let its contents go`);
  }
  const late = await ann.client('s2');
  const record = { ...ann.record({ op: 'chmod', fid, mode: 0o600 }, 's2'), base: {} };
  t.equal(await late.refusal('mutate', mutation(record, {})), 'stale', 'nobody writes into it any more');
  t.equal(await story.say(deletion), false, 'said again');
  const operator = await realm.dial('s1', 'op', 'operator');
  const order = { intention: creation('s1'), basedOn: null, user: null };
  t.equal(await operator.refusal('publish', order), 'refused', 'its id is never given again');
});

t.test('what another volume has, too, stays when one is deleted', async (t) => {
  const story = await Story.everywhere();
  const { realm } = story;
  await story.gateway('a', ...names).file(top, 'plan', contents);
  await new BareGateway(realm, 'b').file(root, 'copy', contents);
  await story.say(deletion);
  await realm.clock.advance(20_000);
  t.same(story.having, []);
  for (const name of names) t.match((await realm.dump(name)).get('/copy'), { contents }, name);
});

t.test('a deleted volume goes even where its own record is damaged', async (t) => {
  const story = await Story.everywhere();
  const { realm } = story;
  await story.gateway('a', ...names).file(top, 'plan', contents);
  realm.kill('s2');
  await story.say(deletion);
  const { store } = realm.disk('s2');
  await store.transact((transaction) => {
    for (const key of [`${drawings}/meta`, `copy/${drawings}/meta`])
      transaction.put(key, new Uint8Array([1, 2, 3]));
  });
  // It begins with the newest document, so it never opens the replica, which would make the record anew.
  realm.realm = realm.server('s1').location.current;
  await realm.start('s2');
  await realm.clock.advance(20_000);
  t.same(story.having, []);
  t.notOk(await story.hasContents('s2'));
});

t.test('the quota holds at every server, also after a restart, until it is raised', async (t) => {
  const story = await Story.begin(...names);
  const { realm } = story;
  await story.say(creation(...names));
  await story.say({ change: 'set-quota', volume: drawings, bytes: 200 });
  await realm.clock.advance(1000);
  const ann = story.gateway('a', ...names);
  await ann.file(top, 'plan', contents);
  const fid = await ann.make('create', top, 'copy');
  await story.restart('s2');
  const draft = { op: 'store', fid, length: contents.length, digest: digestOf(contents) } as const;
  const record = ann.record({ ...draft, modified: 5, saved: 1 }, 's1');
  const late = mutation(record, { [digestOf(contents)]: Buffer.from(contents, 'latin1') });
  for (const name of names) {
    const client = await ann.client(name);
    t.match(
      await client.call('mutate', late),
      { outcome: 'refused', index: 0, failure: { kind: 'quota', message: /140 of the 200 bytes/ } },
      name,
    );
    const space = await client.call('space', { volume: drawings });
    t.same(space, { used: 140, available: 60, quota: 200 }, name);
  }
  await story.say({ change: 'set-quota', volume: drawings, bytes: null });
  await realm.clock.advance(1000);
  for (const name of names) {
    t.match(await (await ann.client(name)).call('mutate', late), { outcome: 'applied' }, name);
  }
  t.match((await realm.dump('s3', drawings)).get('/copy'), { contents });
});

t.test('a locked volume is read and resolved, and takes nothing new', async (t) => {
  const story = await Story.everywhere();
  const { realm } = story;
  const ann = story.gateway('a', ...names);
  const fid = await ann.file(top, 'plan', contents);
  realm.kill('s3');
  ann.reach = ['s1', 's2'];
  await ann.file(top, 'other', 'what s3 has missed');
  const record = ann.record({ op: 'chmod', fid, mode: 0o600 }, 's1');
  t.equal(await story.say({ change: 'lock-volume', volume: drawings }), true);
  await realm.clock.advance(1000);
  await realm.start('s3');
  await realm.clock.advance(10_000);
  await realm.isSame(t, 's3 has caught up', names, drawings);
  for (const name of names) {
    const client = await ann.client(name);
    t.equal(await client.refusal('mutate', mutation(record, {})), 'refused', name);
    const unknown = { digest: 'a'.repeat(64), length: 1, transfer: 'c' };
    t.equal(
      await client.refusal('offer', { volume: drawings, contents: [unknown] }),
      'refused',
      'not even sent',
    );
    const asked = { volume: drawings, fids: [fid], cop2: [] };
    t.match(await client.call('status', asked), { statuses: [{ fid, mode: 0o644 }] });
  }
  t.match(volumeEntry(realm.server('s3').location.current, drawings), { locked: true });
  await story.say({ change: 'unlock-volume', volume: drawings });
  await realm.clock.advance(1000);
  t.match(await (await ann.client('s3')).call('mutate', mutation(record, {})), { outcome: 'applied' });
});
