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
  Failure,
  makeFid,
  protocolVersion,
  signCredential,
  type Argument,
  type Fid,
  type Mutation,
  type Result,
} from '../interface/index.js';
import { blockBytes } from '../seam/containers.js';
import { MemoryContainers } from '../seam/twin/memory-containers.js';
import { MemoryStore } from '../seam/twin/memory-store.js';
import { HeldContents } from './held-contents.js';
import { Transfer } from './transfer.js';

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
  const changes = { volume, since: 0, incarnation: null, limit: 10 };
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
  const changes = { volume, since: 0, incarnation: null, limit: 1 };
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

t.test('contents travel beside the mutation, resume, and are what they were promised to be', async (t) => {
  const { realm, ann } = await realmOf('s1');
  const client = await ann.client('s1');
  const fid = await ann.make('create', root, 'file');
  const text = 'the whole contents';
  const store = (digest: string, length: number): Mutation =>
    ann.record({ op: 'store', fid, length, digest, modified: 1, saved: 1 }, 's1');
  const claim = (record: Mutation, transfers: Record<string, string>): Argument<'mutate'> => ({
    ...mutation(record, {}),
    transfers,
  });

  t.equal(await client.upload('staging/t-1', 0, 'the whole '), 'answered');
  t.equal(await client.upload('staging/t-1', 4, 'xx'), 'invalid', 'other bytes are there');
  t.equal(await client.upload('staging/t-1', 0, text), 'answered', 'from the beginning is always right');
  const record = store(digestOf(text), text.length);
  const reply = await client.call('mutate', claim(record, { [digestOf(text)]: 't-1' }));
  t.equal(reply.outcome, 'applied');
  t.equal(await client.download(`container/${digestOf(text)}`), text);
  t.equal(await client.download(`container/${digestOf(text)}`, 4), text.slice(4));

  const lie = store(digestOf('promised'), 8);
  t.equal(await client.upload('staging/t-2', 0, 'deceived'), 'answered');
  t.equal(await client.refusal('mutate', claim(lie, { [digestOf('promised')]: 't-2' })), 'invalid');
  const deceived = mutation(lie, { [digestOf('promised')]: Buffer.from('deceived') });
  t.equal(await client.refusal('mutate', deceived), 'invalid');
  const extra = mutation(record, { [digestOf('extra')]: Buffer.from('extra') });
  t.equal(await client.refusal('mutate', extra), 'invalid');
  t.equal(realm.status('s1', fid)?.data?.storeId, record.storeId, 'nothing of it was taken');

  const late = 'the tail is on its way';
  const storeLate = store(digestOf(late), late.length);
  const slow = client.link.call('mutate', claim(storeLate, { [digestOf(late)]: 't-3' }));
  await realm.clock.advance(1_000);
  t.equal(await client.upload('staging/t-3', 0, late), 'answered');
  t.match(await realm.run(slow), { outcome: 'applied' });
  const never = claim(store(digestOf('never'), 5), { [digestOf('never')]: 't-4' });
  t.equal(await kindOf(realm.run(client.link.call('mutate', never, { timeoutMs: 60_000 }))), 'busy');
});

t.test('staging is bounded and forgets what nobody claims', async (t) => {
  const { realm, ann } = await realmOf('s1');
  const client = await ann.client('s1');
  const broken = async function* (): AsyncIterable<Uint8Array> {
    yield Buffer.from('half of ');
    throw new Error('the client broke off');
  };
  await t.rejects(realm.run(client.link.upload('staging/given-up', 0, broken())));
  t.equal(realm.disk('s1').containers.openSpools, 0, 'what nobody has announced nobody comes back to');
  await client.call('offer', { volume, contents: [offer('half of the contents', 'broken')] });
  await t.rejects(realm.run(client.link.upload('staging/broken', 0, broken())));
  await realm.clock.advance(10_000);
  t.equal(await client.upload('staging/broken', 8, 'the contents'), 'answered', 'goes on where it broke');
  for (let index = 0; index < 255; index += 1) {
    await client.upload(`staging/more-${index}`, 0, `contents ${index}`);
  }
  t.equal(await client.upload('staging/one-more', 0, 'x'), 'busy');
  const other = await realm.dial('s1', 'gateway/bob');
  t.equal(await other.upload('staging/broken', 0, 'mine'), 'answered', 'another peer has its own');
  const { containers } = realm.disk('s1');
  t.ok(await containers.has(digestOf('half of the contents')));
  const operator = await realm.dial('s1', 'op', 'operator');
  t.ok(Number((await operator.call('report', {}))['stagedBytes']) > 500);
  await realm.clock.advance(11 * 60_000);
  t.notOk(await containers.has(digestOf('half of the contents')), 'unclaimed contents go');
});

t.test('what a gateway had announced waits for it when it dies, and not for ever', async (t) => {
  const { realm, ann } = await realmOf('s1');
  const client = await ann.client('s1');
  await client.call('offer', { volume, contents: [offer('half of the contents', 'announced')] });
  const old = await realm.dial('s1', ann.name);
  void kindOf(old.link.upload('staging/announced', 0, hanging('half of ')));
  await realm.clock.advance(100);
  realm.network.kill(ann.name, true);
  const { containers } = realm.disk('s1');
  t.equal(containers.openSpools, 1, 'the connection is half open');
  await realm.clock.advance(9 * 60_000);
  t.equal(containers.openSpools, 1, 'it may come back');
  await realm.clock.advance(2 * 60_000);
  t.equal(containers.openSpools, 0, 'it has not');
});

/** An offer of contents, by default under the transfer id that gateways use. */
function offer(
  text: string,
  transfer = `c-${digestOf(text).slice(0, 32)}`,
): Argument<'offer'>['contents'][number] {
  return { digest: digestOf(text), length: text.length, transfer };
}

/** Sends `text` and then nothing, not even the end. */
async function* hanging(text: string): AsyncIterable<Uint8Array> {
  yield Buffer.from(text);
  await new Promise(() => undefined);
}

t.test('contents that a volume has need not be sent, and stay until they are named', async (t) => {
  const { realm, ann } = await realmOf('s1');
  const client = await ann.client('s1');
  const { containers } = realm.disk('s1');
  const fid = await ann.file(root, 'file', 'known');
  const other = await ann.make('create', root, 'other');
  const ask = async (...texts: readonly string[]): Promise<readonly boolean[]> => {
    const { contents } = await client.call('offer', { volume, contents: texts.map((text) => offer(text)) });
    return contents.map(({ held }) => held);
  };
  t.same(await ask('known', 'unknown', 'known'), [true, false, true]);
  const lie = { ...offer('known'), length: 6 };
  t.same((await client.call('offer', { volume, contents: [lie] })).contents, [{ held: false, received: 0 }]);
  t.equal(await client.upload('staging/staged', 0, 'staged only'), 'answered');
  t.same(await ask('staged only'), [false], 'what no file of the volume has is not told of');

  await ann.store(fid, 'replaced');
  t.ok(await containers.has(digestOf('known')), 'nothing names it now, but the next mutation will');
  const digest = digestOf('known');
  const record = ann.record({ op: 'store', fid: other, length: 5, digest, modified: 1, saved: 1 }, 's1');
  t.match(await client.call('mutate', mutation(record, {})), { outcome: 'applied' });
  await ann.store(other, 'replaced, too');
  await realm.clock.advance(10);
  t.notOk(await containers.has(digest), 'the mutation has taken the hold with it');

  const last = await ann.file(root, 'last', 'promised');
  t.same(await ask('promised'), [true]);
  await realm.clock.advance(9 * 60_000);
  t.same(await ask('promised'), [true], 'an offer renews the promise');
  await ann.store(last, 'replaced in the end');
  await realm.clock.advance(9 * 60_000);
  t.ok(await containers.has(digestOf('promised')));
  await realm.clock.advance(2 * 60_000);
  t.notOk(await containers.has(digestOf('promised')), 'nobody came');
});

t.test('a container that is gone although a file names it must be sent', async (t) => {
  const { realm, ann } = await realmOf('s1');
  const client = await ann.client('s1');
  await ann.file(root, 'file', 'lost');
  await realm.disk('s1').containers.remove(digestOf('lost'));
  const { contents } = await client.call('offer', { volume, contents: [offer('lost')] });
  t.same(contents, [{ held: false, received: 0 }]);
});

t.test('a broken upload goes on at the byte where it broke', async (t) => {
  const { realm, ann } = await realmOf('s1');
  const client = await ann.client('s1');
  const fid = await ann.make('create', root, 'file');
  const text = 'the whole of the contents';
  const offered = offer(text);
  const path = `staging/${offered.transfer}`;
  const received = async (from = client): Promise<number | undefined> =>
    (await from.call('offer', { volume, contents: [offered] })).contents[0]?.received;
  t.equal(await received(), 0);

  // The connection is gone, and the server has not noticed.
  const old = await realm.dial('s1', ann.name);
  const broken = kindOf(old.link.upload(path, 0, hanging('the whole ')));
  await realm.clock.advance(100);
  const bob = await realm.dial('s1', 'gateway/bob');
  t.equal(await received(bob), 0, 'another peer sees nothing of it');
  t.equal(await received(), 10);
  await realm.clock.advance(9 * 60_000);
  t.equal(await received(), 10);
  await realm.clock.advance(9 * 60_000);
  t.equal(await received(), 10, 'an offer renews it');
  t.not(await realm.run(broken), 'answered', 'nothing comes behind the byte that was told');
  t.equal(await client.upload(path, 4, 'of the contents'), 'invalid', 'only there');
  t.equal(await client.upload(path, 10, 'of the contents'), 'answered');
  t.equal(await received(), text.length);
  t.equal(await client.upload(path, text.length), 'answered', 'all had come');

  const record = ann.record(
    { op: 'store', fid, length: text.length, digest: offered.digest, modified: 1, saved: 1 },
    's1',
  );
  const clash = ann.record(
    { op: 'mkdir', parent: root, name: 'file', fid: makeFid(volume, 9, ann.venus), mode: 0 },
    's1',
  );
  const transfers = { [offered.digest]: offered.transfer };
  const batch = { ...mutation(record, {}), records: [record, clash], transfers };
  t.match(await client.call('mutate', batch), { outcome: 'refused', index: 1 });
  t.equal(await received(), text.length, 'kept for the same batch without its culprit');
  t.match(await client.call('mutate', { ...mutation(record, {}), transfers }), { outcome: 'applied' });
  t.equal(await client.download(`container/${offered.digest}`), text);
  const again = kindOf(client.link.upload(path, 0, hanging('the whole ')));
  await realm.clock.advance(100);
  const { contents } = await client.call('offer', { volume, contents: [offered] });
  t.same(contents, [{ held: true, received: 0 }]);
  t.not(await realm.run(again), 'answered');
  t.equal(await client.upload(path, 10, 'of the contents'), 'invalid', 'what is not needed is not kept');
});

t.test('whoever is told how much is here can rely on it', async (t) => {
  const reason = new Failure('cancelled', 'test', 'offered again');
  let writeEnds: () => void = () => undefined;
  const spool = {
    length: 0,
    async write(chunk: Uint8Array) {
      await new Promise<void>((resolve) => (writeEnds = resolve));
      spool.length += chunk.length;
    },
    commit: () => Promise.reject(new Error('nothing is whole here')),
    abort: () => Promise.resolve(),
  };
  const transfer = new Transfer(
    Object.assign(new MemoryContainers(), { spool: () => Promise.resolve(spool) }),
  );
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const running = kindOf(transfer.receive(0, hanging('half')));
  await turn();
  let told = false;
  const interrupted = transfer.interrupt(reason).then(() => (told = true));
  await turn();
  t.notOk(told, 'a chunk is being written');
  writeEnds();
  await interrupted;
  t.equal(transfer.length, 4);
  t.equal(await running, 'cancelled');

  const uploads = [transfer.receive(4, hanging('more')), transfer.receive(4, hanging('else'))].map(kindOf);
  await transfer.interrupt(reason);
  t.same(
    await Promise.all(uploads),
    ['cancelled', 'cancelled'],
    'what had not begun does not begin any more',
  );
  t.equal(transfer.length, 4);
});

t.test('a transfer that is not what it was said to be is thrown away', async (t) => {
  const { realm, ann } = await realmOf('s1');
  const client = await ann.client('s1');
  const fid = await ann.make('create', root, 'file');
  const text = 'what was promised';
  const offered = offer(text);
  const path = `staging/${offered.transfer}`;
  const received = async (): Promise<number | undefined> =>
    (await client.call('offer', { volume, contents: [offered] })).contents[0]?.received;
  t.equal(await client.upload(path, 0, 'something else'), 'answered');
  t.equal(await received(), 0, 'arrived, with another digest');

  const longer = kindOf(client.link.upload(path, 0, hanging(`${text}, and more`)));
  await realm.clock.advance(100);
  t.equal(await received(), 0, 'on its way, and too long already');
  t.not(await realm.run(longer), 'answered');

  t.equal(await received(), 0);
  t.equal(await client.upload(path, 0, 'what was written!'), 'answered');
  const draft = {
    op: 'store',
    fid,
    length: text.length,
    digest: offered.digest,
    modified: 1,
    saved: 1,
  } as const;
  const claim = {
    ...mutation(ann.record(draft, 's1'), {}),
    transfers: { [offered.digest]: offered.transfer },
  };
  t.equal(await client.refusal('mutate', claim), 'invalid');
  await realm.clock.advance(10);
  t.notOk(await realm.disk('s1').containers.has(digestOf('what was written!')));
  t.equal(await client.upload(path, 17), 'invalid', 'nothing of it is left');
  t.equal(await client.upload(path, 0, text), 'answered');
  t.match(await client.call('mutate', claim), { outcome: 'applied' });
});

t.test('offers are bounded, and not for everybody', async (t) => {
  const { realm, ann } = await realmOf('s1');
  const client = await ann.client('s1');
  const many = (count: number, prefix: string): Argument<'offer'>['contents'] =>
    Array.from({ length: count }, (_, index) => offer(`${prefix}${index}`));
  const one = { volume, contents: [offer('x')] };
  t.equal(await (await realm.dial('s1', 'host2', 'server')).refusal('offer', one), 'access-denied');
  t.equal(await (await realm.dial('s1', 'op', 'operator')).refusal('offer', one), 'access-denied');
  t.equal(await client.refusal('offer', { volume, contents: many(101, 'a') }), 'invalid');
  t.equal(await client.refusal('offer', { volume, contents: [{ ...offer('x'), digest: '..' }] }), 'invalid');
  t.equal(await client.refusal('offer', { volume, contents: [offer('x', '../x')] }), 'invalid');
  t.equal(await client.refusal('offer', { ...one, volume: '7f0000ff' }), 'stale');
  for (const prefix of ['a', 'b', 'c', 'd']) {
    const { contents } = await client.call('offer', { volume, contents: many(100, prefix) });
    t.ok(contents.every(({ held, received }) => !held && received === 0));
  }
  t.equal(await client.upload('staging/room', 0, 'x'), 'busy', 'offers take the room of transfers');
  await realm.clock.advance(11 * 60_000);
  t.equal(await client.upload('staging/room', 0, 'x'), 'answered');

  const held = new HeldContents(realm.clock);
  const released: string[] = [];
  const take = (digest: string): boolean => held.take('gateway/bob', digest, () => released.push(digest));
  for (let index = 0; index < 1000; index += 1) t.ok(take(`${index}`));
  t.notOk(take('one more'));
  t.ok(take('7'), 'again');
  t.same(released, ['7'], 'the earlier hold on it');
  held.close();
  t.equal(released.length, 1001);
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
