/** How contents arrive at a server, and what it keeps of them. */
import t from 'tap';
import { mutation, realmOf } from '../../conformance/bare-realm/gateway.js';
import { digestOf, kindOf, root, volume } from '../../conformance/bare-realm/realm.js';
import { Failure, makeFid, type Argument, type Mutation } from '../interface/index.js';
import { MemoryContainers } from '../seam/twin/memory-containers.js';
import { HeldContents } from './held-contents.js';
import { Transfer } from './transfer.js';

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

/** An offer of contents, by default under the transfer id that gateways use. */
function offer(
  text: string,
  transfer = `c-${digestOf(text).slice(0, 32)}`,
): Argument<'offer'>['contents'][number] {
  return { digest: digestOf(text), length: text.length, transfer };
}

/** Sends all of `text`. */
async function* ending(text: string): AsyncIterable<Uint8Array> {
  if (text !== '') yield Buffer.from(text);
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

t.test('a transfer that the disk could not take begins anew', async (t) => {
  const containers = new MemoryContainers();
  const transfer = new Transfer(containers);
  containers.failNext();
  t.equal(await kindOf(transfer.receive(0, ending('all of it'))), 'no-space');
  t.equal(transfer.length, 0, 'so its sender is told to begin at 0');
  t.equal(await kindOf(transfer.receive(9, ending(''))), 'invalid');
  t.equal(await kindOf(transfer.receive(0, ending('all of it'))), 'answered');
  t.match(transfer.arrived, { length: 9 });
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
