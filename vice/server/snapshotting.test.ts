/** Calls about snapshots: who may make them, what they say, and that nothing is left of what was deleted. */
import t from 'tap';
import { BareGateway } from '../../conformance/bare-realm/gateway.js';
import { BareRealm, digestOf, root, volume } from '../../conformance/bare-realm/realm.js';
import { endOf } from '../seam/store.js';

const noon = { name: 'noon', time: 5 };

t.test('taken by an operator, read by gateways', async (t) => {
  const realm = new BareRealm();
  await realm.start('s1', 's2', 's3');
  const ann = new BareGateway(realm, 'a');
  const docs = await ann.make('mkdir', root, 'docs');
  for (let index = 0; index < 200; index += 1) await ann.file(docs, `file ${index}`, '');
  const letter = await ann.file(root, 'letter', 'the old letter');
  const operator = await realm.dial('s1', 'op', 'operator');
  const gateway = await realm.dial('s1', 'gateway/eve');
  t.equal(await gateway.refusal('takeSnapshot', { volume, snapshot: noon }), 'access-denied');
  t.equal(await operator.refusal('takeSnapshot', { volume, snapshot: { name: 'a/b', time: 1 } }), 'invalid');
  t.equal(
    await operator.refusal('takeSnapshot', { volume, snapshot: { name: 'ends. ', time: 1 } }),
    'invalid',
  );
  t.same(await operator.call('takeSnapshot', { volume, snapshot: noon }), { taken: true });
  t.same(await operator.call('takeSnapshot', { volume, snapshot: noon }), { taken: false });
  t.equal(await operator.refusal('takeSnapshot', { volume, snapshot: { ...noon, time: 6 } }), 'exists');
  t.same(await gateway.call('snapshots', { volume }), { snapshots: [noon] });

  await ann.remove('remove', root, 'letter', letter);
  const argument = { volume, snapshot: noon };
  const { entries } = await gateway.call('snapshotList', { ...argument, fid: root });
  t.same(entries.map(({ name }) => name).sort(), ['docs', 'letter']);
  const many = await gateway.call('snapshotList', { ...argument, fid: docs });
  t.equal(new Set(many.entries.map(({ name }) => name)).size, 200, 'in parts');
  const { status } = await gateway.call('snapshotStatus', { ...argument, fid: letter });
  t.equal(status?.data?.digest, digestOf('the old letter'));
  t.equal(await gateway.download(`container/${digestOf('the old letter')}`), 'the old letter');
  const later = { ...argument, snapshot: { ...noon, time: 6 } };
  t.equal(await gateway.refusal('snapshotStatus', { ...later, fid: letter }), 'not-found');
  t.equal(await operator.refusal('snapshotStatus', { ...argument, fid: letter }), 'access-denied');
  t.equal(await gateway.refusal('dropSnapshot', { volume, name: 'noon' }), 'access-denied');
});

t.test('a deletion that a crash has cut short is brought to its end', async (t) => {
  const realm = new BareRealm();
  await realm.start('s1', 's2', 's3');
  const ann = new BareGateway(realm, 'a');
  const letter = await ann.file(root, 'letter', 'the old letter');
  const operator = await realm.dial('s1', 'op', 'operator');
  await operator.call('takeSnapshot', { volume, snapshot: noon });
  await ann.remove('remove', root, 'letter', letter);
  await realm.clock.advance(130_000);
  const saved = (): number => {
    const start = `${volume}/saved/`;
    return [...realm.disk('s1').store.range({ start, end: endOf(start) })].length;
  };
  t.ok(saved() > 0);
  // The server dies before it has swept.
  const replica = realm.server('s1').replica(volume);
  t.equal(await realm.run(replica?.snapshots.drop('noon') ?? Promise.resolve(false)), true);
  realm.kill('s1');
  t.ok(saved() > 0);
  await realm.start('s1');
  t.equal(saved(), 0);
  // What a removed file keeps for a while is let go of.
  const living = realm.server('s1').replica(volume);
  await realm.run(living?.forgetRemoved(living.stamp) ?? Promise.resolve(0));
  await realm.clock.advance(1000);
  t.equal(await realm.disk('s1').containers.has(digestOf('the old letter')), false);
  const again = await realm.dial('s1', 'op', 'operator');
  t.same(await again.call('dropSnapshot', { volume, name: 'noon' }), { dropped: false });
});

t.test('by a schedule they are taken, and the oldest of them go', async (t) => {
  const realm = new BareRealm();
  realm.snapshots = { daily: 1, weekly: 0, hour: 3 };
  await realm.start('s1', 's2', 's3');
  const mine = { name: 'mine', time: 5 };
  await realm.run(realm.server('s1').replica(volume)?.snapshots.take(mine) ?? Promise.resolve(false));
  const there = (server: string): unknown => realm.server(server).replica(volume)?.snapshots.list();
  const morning = Date.UTC(2024, 4, 31, 3);
  realm.clock.setWall(morning + 1000);
  await realm.clock.advance(70_000);
  const first = { name: 'daily 2024-05-31', time: morning };
  t.same(there('s1'), [mine, first]);
  t.same(there('s2'), [mine, first], 'the same one at each server, and what another one has taken');
  realm.clock.setWall(morning + 90_000_000);
  await realm.clock.advance(70_000);
  t.match(there('s1'), [mine, { name: 'daily 2024-06-01' }]);
});
