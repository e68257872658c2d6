/** Who may change the realm; what a replica that left, or is on its way, may still do: calls to real servers. */
import t from 'tap';
import { BareGateway } from '../../conformance/bare-realm/gateway.js';
import { BareRealm, document, kindOf, names, root, volume } from '../../conformance/bare-realm/realm.js';
import { unread, volumeEntry, type Intention, type ReplicaEntry } from '../interface/index.js';
import { Graves } from '../resolution/graves.js';
import { SimulatedClock } from '../seam/twin/simulated-clock.js';
import { ownerOfRows } from '../store/dropped-volume.js';

const removal = (server: string): Intention => ({ change: 'remove-replica', volume, server, lost: false });
const addition = (server: string): Intention => ({ change: 'add-replica', volume, server, replaces: null });

async function started(): Promise<{ readonly realm: BareRealm; readonly ann: BareGateway }> {
  const realm = new BareRealm();
  realm.realm = { ...document, groups: { 'System:Administrators': ['ada'] } };
  await realm.start(...names);
  return { realm, ann: new BareGateway(realm, 'a') };
}

function replicas(realm: BareRealm, server = 's1'): readonly ReplicaEntry[] {
  return volumeEntry(realm.server(server).location.current, volume)?.replicas ?? [];
}

t.test('the realm is changed at one server, by those who may', async (t) => {
  const { realm } = await started();
  const operator = await realm.dial('s1', 'op', 'operator');
  const intention = { change: 'add-server', name: 's4', address: 'ws://s4:1' } as const;
  const order = { intention, basedOn: null, user: null };
  const other = await realm.dial('s2', 'op', 'operator');
  t.equal(await other.refusal('publish', order), 'stale', 's1 publishes');
  t.equal(await operator.refusal('publish', { ...order, basedOn: 9 }), 'changed');
  t.equal(await operator.refusal('publish', { ...order, intention: { change: 'reign' } }), 'invalid');
  const gateway = await realm.dial('s1', 'g', 'gateway');
  t.equal(await gateway.refusal('publish', order), 'access-denied');
  t.equal(await gateway.refusal('publish', { ...order, user: 'eve' }), 'access-denied');
  t.match(await gateway.call('publish', { ...order, user: 'ada' }), {
    changed: true,
    document: { version: 2 },
  });
  t.match(await operator.call('publish', { ...order, basedOn: 2 }), {
    changed: false,
    document: { version: 2 },
  });
  await realm.clock.advance(1000);
  for (const name of names) t.equal(realm.server(name).location.current.servers.length, 4, name);
});

t.test('when the server that publishes is lost, another one takes over, once told so', async (t) => {
  const { realm } = await started();
  const takeOver = { intention: { change: 'take-over', name: 's2' }, basedOn: 1, user: null } as const;
  const third = await realm.dial('s3', 'op', 'operator');
  t.equal(await third.refusal('publish', takeOver), 'refused', 's3 does not take over for s2');
  realm.kill('s1');
  const second = await realm.dial('s2', 'op', 'operator');
  const { document: taken } = await second.call('publish', takeOver);
  t.match(taken, { publisher: 's2', version: 1001 });
  t.match(await second.call('publish', { ...takeOver, basedOn: null }), { changed: false });
  // The lost one comes back after all, with a change that nobody has heard of.
  await realm.start('s1');
  const intention = { change: 'add-server', name: 's4', address: 'ws://s4:1' } as const;
  await realm.clock.advance(3000);
  for (const name of names) t.equal(realm.server(name).location.current.version, 1001, name);
  const back = await realm.dial('s1', 'op', 'operator');
  t.equal(await back.refusal('publish', { intention, basedOn: null, user: null }), 'stale');
  t.match(await second.call('publish', { intention, basedOn: null, user: null }), { changed: true });
});

t.test('a replica that leaves takes no changes; one that left neither speaks nor is spoken to', async (t) => {
  const { realm, ann } = await started();
  const fid = await ann.make('create', root, 'file');
  const operator = await realm.dial('s1', 'op', 'operator');
  t.match(await operator.call('fenced', { volume, replica: 'r-s1' }), { fenced: false });
  // As long as s2 is away nobody can say that two others have everything.
  realm.kill('s2');
  await operator.call('publish', { intention: removal('s3'), basedOn: null, user: null });
  await realm.clock.advance(3000);
  t.match(replicas(realm, 's3')[2], { id: 'r-s3', state: 'leaving' });
  const third = await realm.dial('s3', 'op', 'operator');
  t.match(await third.call('fenced', { volume, replica: 'r-s3' }), { fenced: true });
  const change = ann.record({ op: 'chmod', fid, mode: 0o600 }, 's1');
  const call = { volume, records: [change], inline: {}, transfers: {}, watermark: 0, cop2: [] };
  const late = await ann.client('s3');
  t.equal(await late.refusal('mutate', call), 'stale', 'it takes no changes');
  t.equal(await late.refusal('watch', { volume, since: null, incarnation: null, venus: '' }), 'stale');
  t.match(
    await late.call('status', { volume, fids: [fid], cop2: [] }),
    { statuses: [{ fid }] },
    'but is read',
  );

  await realm.start('s2');
  await realm.clock.advance(5000);
  t.same(
    replicas(realm).map(({ id }) => id),
    ['r-s1', 'r-s2'],
    'two have everything',
  );
  t.equal(await late.refusal('status', { volume, fids: [fid], cop2: [] }), 'stale');
  t.equal(await late.refusal('mutate', call), 'stale');
  t.equal(ownerOfRows(realm.disk('s3').store, volume), undefined, 'its rows are gone');
  const server = await realm.dial('s1', 's3', 'server');
  const reading = { volume, reader: 'r-s3', since: unread, limit: 10 };
  t.equal(await server.refusal('changes', reading), 'stale', 'a late pull');

  await operator.call('publish', { intention: addition('s3'), basedOn: null, user: null });
  await realm.clock.advance(8000);
  const again = replicas(realm)[2];
  t.match(again, { server: 's3', state: undefined }, 'a member again');
  t.equal(await late.refusal('mutate', { ...call, replica: 'r-s3' }), 'stale', 'a call to the one that left');
  t.equal(await late.refusal('mutate', { ...call, replica: again?.id }), 'answered');
});

t.test('what was removed and forgotten does not come back with a server that comes back', async (t) => {
  const { realm, ann } = await started();
  const fid = await ann.file(root, 'removed', 'x'.repeat(10));
  await ann.file(root, 'kept', 'y');
  const operator = await realm.dial('s1', 'op', 'operator');
  await operator.call('publish', { intention: removal('s3'), basedOn: null, user: null });
  await realm.clock.advance(8000);
  t.equal(replicas(realm).length, 2);
  ann.reach = ['s1', 's2'];
  await ann.remove('remove', root, 'removed', fid);
  await realm.clock.advance(70_000);
  for (const name of ['s1', 's2']) {
    const replica = realm.server(name).replica(volume);
    while (((await realm.run(replica?.forgetRemoved(replica.stamp) ?? Promise.resolve(0))) ?? 0) > 0);
    t.equal(replica?.held(fid), undefined, 'forgotten');
  }
  await operator.call('publish', { intention: addition('s3'), basedOn: null, user: null });
  await realm.clock.advance(70_000);
  t.match(replicas(realm)[2], { server: 's3', state: undefined });
  await realm.isSame(t, 'without the removed one');
  t.notOk((await realm.dump('s1')).has('/removed'));
});

t.test('tombstones wait for every other replica, and for one that begins anew', async (t) => {
  const clock = new SimulatedClock();
  const graves = new Graves({ clock });
  const day = 24 * 60 * 60 * 1000;
  graves.ripe([], 50);
  await clock.advance(day + 1);
  graves.wasRead('a', 70);
  t.equal(graves.ripe(['a', 'filling'], 90), 0, 'one has read nothing yet');
  graves.wasRead('filling', 60);
  t.equal(graves.ripe(['a', 'filling'], 90), 50);
  graves.wasRead('a', 0);
  t.equal(graves.ripe(['a', 'filling'], 90), 0, 'it has lost its disk and reads again');
});

t.test('a call to another replica than it means is refused', async (t) => {
  const { realm } = await started();
  const gateway = await realm.dial('s1', 'g', 'gateway');
  const asked = { volume, fids: [root], cop2: [] };
  t.equal(await gateway.refusal('status', { ...asked, replica: 'r-s1' }), 'answered');
  t.equal(await gateway.refusal('status', { ...asked, replica: 'r-s2' }), 'stale');
  t.equal(await kindOf(realm.run(gateway.link.call('cop2', { volume, replica: 'r-s2', cop2: [] }))), 'stale');
});
