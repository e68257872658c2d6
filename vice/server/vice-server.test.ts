/** What gateways are promised by a server, how contents arrive, and what a server does by itself. */
import t from 'tap';
import { BareGateway, mutation, realmOf } from '../../conformance/bare-realm/gateway.js';
import {
  BareRealm,
  digestOf,
  document,
  kindOf,
  names,
  root,
  volume,
} from '../../conformance/bare-realm/realm.js';
import {
  makeFid,
  protocolVersion,
  signCredential,
  type Fid,
  type Mutation,
  type Result,
  unread,
} from '../interface/index.js';
import { blockBytes } from '../seam/containers.js';
import { MemoryContainers } from '../seam/twin/memory-containers.js';
import { MemoryStore } from '../seam/twin/memory-store.js';

t.test('a watcher hears of a change before its maker is answered; the maker does not', async (t) => {
  const { realm, ann } = await realmOf('s1');
  const maker = await ann.client('s1');
  const watcher = await realm.dial('s1', 'gateway/bob');
  const before = await watcher.call('watch', { volume, since: null, incarnation: null, venus: '' });
  await maker.call('watch', { volume, since: null, incarnation: null, venus: '' });
  t.equal(before.changed, null, 'nothing is known of what it had before');

  const fid = makeFid(volume, 9, ann.venus);
  const record = ann.record({ op: 'create', parent: root, name: 'x', fid, mode: 0o644 }, 's1');
  let heardAtReply = -1;
  const reply = maker.link.call('mutate', mutation(record, {}));
  await realm.run(reply.then(() => (heardAtReply = watcher.pushes.length)));
  t.equal(heardAtReply, 1);
  t.match(watcher.pushes[0], { push: 'break', volume, stamp: before.stamp + 1 });
  t.same(new Set((watcher.pushes[0] as { fids: Fid[] }).fids), new Set([root, fid]));
  t.same(maker.pushes, []);

  watcher.link.close();
  await ann.make('create', root, 'y');
  const again = await realm.dial('s1', 'gateway/bob');
  const { incarnation } = before;
  const since = await again.call('watch', { volume, since: before.stamp, incarnation, venus: '' });
  t.equal(since.changed?.length, 3, 'one call says what was missed');
  const other = await again.call('watch', {
    volume,
    since: before.stamp,
    incarnation: 'f'.repeat(16),
    venus: '',
  });
  t.equal(other.changed, null, 'of another history nothing can be said');
});

/** A server whose flushes take their time, a gateway and another server that ask it, and a Fid to be. */
async function slowToFlush() {
  const slow = new BareRealm();
  const store = new MemoryStore({ clock: slow.clock, flushMs: 50 });
  slow.disks.set('s1', { store, containers: new MemoryContainers({}) });
  await slow.start('s1');
  const gateway = new BareGateway(slow, 'a');
  const client = await gateway.client('s1');
  const peer = await slow.dial('s1', 's2', 'server');
  gateway.reach = ['s1'];
  await gateway.make('mkdir', root, 'first, so that it is known here');
  const fid = makeFid(volume, 9, gateway.venus);
  return { slow, store, gateway, client, peer, fid };
}

t.test('a stamp is told only when what it counts is on the disk', async (t) => {
  const { slow, gateway, client, peer, fid } = await slowToFlush();
  const record = gateway.record({ op: 'create', parent: root, name: 'x', fid, mode: 0o644 }, 's1');
  const order: string[] = [];
  const made = client.link.call('mutate', mutation(record, {})).then(() => order.push('made'));
  await slow.clock.advance(10);
  t.equal(slow.status('s1', fid)?.fid, fid, 'visible already');
  const watch = { volume, since: null, incarnation: null, venus: '' };
  const watched = client.link.call('watch', watch).then(() => order.push('watched'));
  const changes = { volume, since: unread, limit: 10 };
  const read = peer.link.call('changes', changes).then(() => order.push('read'));
  await slow.clock.advance(30);
  t.same(order, [], 'a crash could still take it back');
  await slow.run(Promise.all([made, watched, read]));
});

t.test('an object is told as it is on the disk, not as a flush that fails has left it', async (t) => {
  const { slow, store, gateway, client, peer, fid } = await slowToFlush();
  const record = gateway.record({ op: 'create', parent: root, name: 'lost', fid, mode: 0o644 }, 's1');
  store.failNext('no-space');
  const made = kindOf(client.link.call('mutate', mutation(record, {})));
  await slow.clock.advance(10);
  t.equal(slow.status('s1', fid)?.fid, fid, 'visible already');
  const statuses = peer.link.call('status', { volume, fids: [fid], cop2: [] });
  const listed = client.link.call('list', { volume, fid: root, full: false, cop2: [] });
  await slow.run(Promise.all([made, statuses, listed]));
  t.equal(await made, 'no-space');
  t.same(await statuses, { statuses: [null] }, 'a peer would have merged it, and counted it here');
  t.match(await listed, { status: slow.status('s1', root) }, 'a gateway would have built on it');
});

t.test('the gate: roles, arguments, unknown calls', async (t) => {
  const { realm } = await realmOf('s1', 's2');
  const gateway = await realm.dial('s1', 'gateway/bob');
  const server = await realm.dial('s1', 'host2', 'server');
  const operator = await realm.dial('s1', 'op', 'operator');
  const watch = { volume, since: null, incarnation: null, venus: '' };
  t.equal(await server.refusal('watch', watch), 'access-denied');
  t.equal(await operator.refusal('watch', watch), 'access-denied');
  const changes = { volume, since: unread, limit: 1 };
  t.equal(await gateway.refusal('changes', changes), 'access-denied');
  t.equal(await gateway.refusal('report', {}), 'access-denied');
  t.equal(await gateway.refusal('watch', { ...watch, since: -1 }), 'invalid');
  t.equal(await gateway.refusal('watch', { volume: 'x' }), 'invalid');
  t.equal(await gateway.refusal('watch', undefined), 'invalid');
  t.equal(await gateway.refusal('list', { volume, fid: '../etc/passwd', full: true, cop2: [] }), 'invalid');
  t.equal(await gateway.refusal('frobnicate', {}), 'incompatible');
  t.equal(await gateway.refusal('toString', {}), 'incompatible');
  t.equal(await gateway.refusal('space', { volume: '7f0000ff' }), 'stale');
  t.equal(await server.upload('staging/x', 0, 'x'), 'access-denied');
  t.equal(await gateway.upload('elsewhere/x', 0, 'x'), 'invalid');
  t.equal(await gateway.upload('staging/..', 0, 'x'), 'invalid');
  t.equal(await kindOf(operator.download(`container/${'0'.repeat(64)}`)), 'access-denied');
  t.equal(await kindOf(gateway.download(`container/${'0'.repeat(64)}`)), 'not-found');
  t.equal(await kindOf(gateway.download('staging/x')), 'not-found');
  const credential = signCredential(new Uint8Array(32), 'office', { role: 'gateway', name: 'x' }, 1e15);
  const dial = realm.network.host('x').dial('ws://s1:1', { credential: () => credential, onPush() {} });
  t.equal(await kindOf(realm.run(dial)), 'not-authenticated');
  t.same(gateway.link.hello, { protocol: protocolVersion, server: 's1', realm: 'office' });
  t.same((await gateway.call('locate', {})).volumes, document.volumes);
});

t.test('who tries what is not his stands in the audit log, once a minute', async (t) => {
  const { realm } = await realmOf('s1');
  const gateway = await realm.dial('s1', 'bob/0123456789abcdef');
  const operator = await realm.dial('s1', 'op', 'operator');
  const publish = {
    intention: { change: 'remove-group', group: 'staff' },
    basedOn: null,
    user: 'eve',
  } as const;
  for (let count = 0; count < 3; count += 1) {
    t.equal(await gateway.refusal('publish', publish), 'access-denied');
    t.equal(await gateway.refusal('people', {}), 'access-denied');
  }
  await realm.clock.advance(1000);
  const page = await operator.call('audit', { after: 0, limit: 10 });
  t.match(page.entries, [
    {
      event: 'refused',
      by: 'eve',
      through: 'gateway bob',
      what: { call: '"publish"', kind: '"access-denied"' },
    },
    { event: 'refused', by: 'bob/0123456789abcdef', what: { call: '"people"' } },
  ]);
  t.equal(page.last, 2);
  await realm.clock.advance(61_000);
  t.equal(await (await realm.dial('s1', 'bob/0123456789abcdef')).refusal('people', {}), 'access-denied');
  await realm.clock.advance(1000);
  const again = await realm.dial('s1', 'op', 'operator');
  t.equal((await again.call('audit', { after: 0, limit: 10 })).last, 3);
});

t.test('a damaged or missing container is fetched from a peer and served', async (t) => {
  const { realm, ann } = await realmOf(...names);
  const text = 'precious '.repeat(50_000);
  const client = await ann.client('s1');
  const fid = await ann.make('create', root, 'file');
  for (const server of names) await (await ann.client(server)).upload('staging/p', 0, text);
  const draft = {
    op: 'store',
    fid,
    length: text.length,
    digest: digestOf(text),
    modified: 1,
    saved: 1,
  } as const;
  const record = ann.record(draft, 's1');
  for (const server of names) {
    const claim = { ...mutation(record, {}), transfers: { [digestOf(text)]: 'p' } };
    t.match(await (await ann.client(server)).call('mutate', claim), { outcome: 'applied' });
  }
  // In the second block: the first one has gone out when the damage is found.
  realm.disk('s1').containers.damage(digestOf(text), blockBytes + 5);
  t.equal(await client.download(`container/${digestOf(text)}`), text);
  t.equal(realm.downloads('s1').length, 1);
  await realm.disk('s1').containers.remove(digestOf(text));
  t.equal(await client.download(`container/${digestOf(text)}`, 10), text.slice(10));
  t.ok(await realm.disk('s1').containers.has(digestOf(text)));
});

t.test('a new realm document reaches every server and gateway; a new replica fills itself', async (t) => {
  const { realm, ann } = await realmOf('s1', 's2');
  const two = document.volumes.map((entry) => ({ ...entry, replicas: entry.replicas.slice(0, 2) }));
  const { location } = realm.server('s1');
  t.equal(await realm.run(location.adopt({ ...document, version: 2, volumes: two })), true);
  await realm.clock.advance(1_000);
  t.equal(realm.server('s2').location.current.version, 2, 'pushed and fetched');
  await realm.start('s3');
  t.equal(realm.server('s3').location.current.version, 2, 'fetched at link-up');
  t.equal(realm.server('s3').replica(volume), undefined);

  const docs = await ann.make('mkdir', root, 'docs');
  const inner = await ann.make('mkdir', docs, 'inner');
  await ann.file(inner, 'file', 'contents');
  const gateway = await ann.client('s2');
  const before = gateway.pushes.length;
  await realm.run(location.adopt({ ...document, version: 3 }));
  await realm.clock.advance(5_000);
  t.match(gateway.pushes[before], { push: 'realm', version: 3 });
  await realm.isSame(t, 'grown');
  t.equal(await realm.run(location.adopt({ ...document, version: 1 })), false, 'never back');
  const foreign = location.adopt({ ...document, realm: 'other', version: 9 });
  t.equal(await kindOf(realm.run(foreign)), 'invalid');
  realm.kill('s3');
  await realm.start('s3');
  t.equal(realm.server('s3').location.current.version, 3, 'kept over a restart');
});

t.test('a listener that is not the server it should be is hung up on', async (t) => {
  const { realm } = await realmOf('s3');
  const [s1, , s3] = document.servers;
  const servers = [s1, { name: 's2', address: 'ws://s3:1' }, s3].filter((server) => server !== undefined);
  realm.realm = { ...document, servers };
  await realm.start('s1');
  const operator = await realm.dial('s1', 'op', 'operator');
  const { links } = (await operator.call('report', {})) as { links: { name: string; linked: boolean }[] };
  t.same(
    links.map(({ name, linked }) => [name, linked]),
    [
      ['s2', false],
      ['s3', true],
    ],
  );
});

t.test('conflicts are listed page by page, reported, and measured', async (t) => {
  const { realm, ann } = await realmOf('s1');
  const bob = new BareGateway(realm, 'b');
  bob.reach = ['s1'];
  const made: Fid[] = [];
  for (const name of ['a', 'b', 'c']) made.push(await ann.make('create', root, name));
  const settled = (fid: Fid, name: string): Mutation => {
    const record = bob.record({ op: 'create', parent: root, name, fid, mode: 0o644 }, 's1');
    return { ...record, settled: true };
  };
  const client = await bob.client('s1');
  const inlined = { inline: {}, transfers: {}, watermark: 0, cop2: [], volume };
  for (const [index, name] of ['a', 'b', 'c'].entries()) {
    const records = [settled(makeFid(volume, 50 + index, bob.venus), name)];
    t.match(await client.call('mutate', { ...inlined, records }), { outcome: 'applied', ahead: [root] });
  }
  const operator = await realm.dial('s1', 'op', 'operator');
  const listed: string[] = [];
  let pages = 0;
  for (let after: Fid | null = null, more = true; more; pages += 1) {
    const page: Result<'conflicts'> = await operator.call('conflicts', { volume, after, limit: 2 });
    for (const { status, name } of page.conflicts) listed.push(`${status.places[0]?.name} is called ${name}`);
    after = page.conflicts.at(-1)?.status.fid ?? null;
    ({ more } = page);
  }
  const named = (name: string): string => `${name} is called ${name} (conflict ann gb 1970-01-01 00.00.0`;
  t.equal(pages, 2);
  t.ok(
    listed.length === 3 && ['a', 'b', 'c'].every((name, at) => listed[at]?.startsWith(named(name))),
    listed.join(),
  );
  t.match(await operator.call('report', {}), { volumes: { [volume]: { conflicts: 3 } } });
  await ann.remove('remove', root, 'b', made[1] ?? root);
  t.match(await operator.call('report', {}), { volumes: { [volume]: { conflicts: 2 } } });
  const server = await realm.dial('s1', 'host2', 'server');
  const { statuses } = await server.call('status', { volume, fids: made, cop2: [] });
  t.match(statuses[1], { gone: { [ann.venus]: Number } }, 'a server is told of a removed object');
  const asGateway = await client.call('status', { volume, fids: made, cop2: [] });
  t.equal(asGateway.statuses[1], null, 'a gateway is not');
});

t.test('a server closes, with work under way', async (t) => {
  const { realm, ann } = await realmOf(...names);
  const fid = await ann.file(root, 'file', 'x');
  const client = await ann.client('s1');
  const stuck = { next: () => new Promise<IteratorResult<Uint8Array>>(() => undefined) };
  void kindOf(client.link.upload('staging/x', 0, { [Symbol.asyncIterator]: () => stuck }));
  const record = ann.record(
    { op: 'store', fid, length: 5, digest: digestOf('never'), modified: 1, saved: 1 },
    's1',
  );
  const claim = { ...mutation(record, {}), transfers: { [digestOf('never')]: 'x' } };
  const waiting = kindOf(client.link.call('mutate', claim, { timeoutMs: 60_000 }));
  await realm.clock.advance(100);
  for (const name of names) await realm.run(realm.server(name).close());
  t.equal(await realm.run(waiting), 'unreachable');
  await realm.clock.advance(120_000);
  t.equal(realm.clock.pending, 0, 'no server has left a timer');
});
