/** Replication groups that grow and shrink, live: what seed 000 asks for (reference A13 to A20), under writers. */
import t from 'tap';
import { GroupStory } from './group-story.js';
import { seededRandom } from '../../vice/seam/twin/seeded-random.js';
import { scaled } from '../test-scale.js';

t.setTimeout(10 * 60_000);

t.test('a group grows from one to three and shrinks to one, under writers', async (t) => {
  const story = await GroupStory.begin(1, 3, 1);
  for (const gateway of ['g1', 'g2']) story.startWriting(gateway);
  await story.realm.clock.advance(3000);
  const steps = [
    [() => story.add('s2'), 's1 s2'],
    [() => story.add('s3'), 's1 s2 s3'],
    [() => story.remove('s1'), 's2 s3'],
    [() => story.remove('s2'), 's3'],
  ] as const;
  for (const [step, group] of steps) {
    t.equal(await step(), true);
    t.equal(await story.settled(), group);
    t.equal(await step(), false, 'said again: nothing changes');
    await story.realm.clock.advance(3000);
  }
  t.same(await story.verdict(), []);
});

t.test('replicas move from server to server, under writers, one of them away with a dirty log', async (t) => {
  const story = await GroupStory.begin(2, 4, 2);
  const { realm } = story;
  for (const gateway of ['g1', 'g2']) story.startWriting(gateway);
  await realm.clock.advance(3000);
  for (const name of realm.serverNames) realm.network.cut('g2', name);
  await realm.clock.advance(5000);
  await story.add('s3', 's1');
  t.equal(await story.settled(), 's2 s3');
  await story.add('s4', 's2');
  t.equal(await story.settled(), 's3 s4');
  t.equal(await story.add('s4', 's2'), false, 'moved already');
  const [away] = realm.gateway('g2').state().volumes;
  t.ok((away?.pendingRecords ?? 0) >= 5, 'it has worked all the time, for a group that is no more');
  for (const name of realm.serverNames) realm.network.heal('g2', name);
  await realm.clock.advance(10_000);
  t.same(await story.verdict(), []);
  t.same(realm.gateway('g2').state().volumes[0]?.vsg, ['s3', 's4'], 'it has found the new group by itself');
});

t.test('whoever reads sees what was saved last, while the group grows, moves and shrinks', async (t) => {
  const story = await GroupStory.begin(8, 3, 1);
  story.startRelay();
  await story.realm.clock.advance(2000);
  const steps = [
    () => story.add('s2', 's1'),
    () => story.add('s3'),
    () => story.add('s1', 's2'),
    () => story.remove('s3'),
  ] as const;
  for (const step of steps) {
    await step();
    await story.settled();
    await story.realm.clock.advance(1000);
  }
  t.equal(story.group, 's1');
  t.same(await story.verdict(), []);
});

t.test('gateways hear of a new group within a second, without a command', async (t) => {
  const story = await GroupStory.begin(3, 3, 2);
  await story.add('s3');
  await story.settled();
  await story.realm.clock.advance(1000);
  for (const gateway of ['g1', 'g2']) {
    t.same(story.realm.gateway(gateway).state().volumes[0]?.vsg, ['s1', 's2', 's3']);
  }
});

t.test('a replica that is being filled counts for nothing: its server may burn', async (t) => {
  const story = await GroupStory.begin(4, 3, 1);
  const { realm } = story;
  realm.network.cut('s2', 's1');
  await story.add('s2');
  for (const gateway of ['g1', 'g2']) story.startWriting(gateway);
  await realm.clock.advance(8000);
  t.equal(story.group, 's1 s2+');
  t.same(realm.gateway('g1').state().volumes[0]?.vsg, ['s1']);
  realm.kill('s2');
  realm.wipe('s2');
  await realm.clock.advance(3000);
  await realm.startServer('s2');
  realm.network.heal('s2', 's1');
  t.equal(await story.settled(), 's1 s2');
  t.same(await story.verdict(), []);
});

t.test('the last good copy stays: a replica leaves when others have all that it has', async (t) => {
  const story = await GroupStory.begin(5, 3, 3);
  const { realm } = story;
  // s1 publishes, s2 misses what follows.
  realm.kill('s2');
  for (const gateway of ['g1', 'g2']) story.startWriting(gateway);
  await realm.clock.advance(5000);
  await story.remove('s3');
  await realm.clock.advance(20_000);
  await story.look();
  t.equal(story.group, 's1 s2 s3-', 'only s1 has it all');
  await realm.startServer('s2');
  t.equal(await story.settled(), 's1 s2');
  await t.rejects(story.order({ change: 'remove-server', name: 's1' }), /holds replicas of root/);
  t.same(await story.verdict(), []);
});

t.test(
  'while the only other member is away, the one that leaves is still read, and changes are logged',
  async (t) => {
    const story = await GroupStory.begin(6, 3, 2);
    const { realm } = story;
    await story.order({ change: 'set-publisher', name: 's3' });
    // It must have heard of that before the one that told it is gone.
    await realm.clock.advance(1000);
    realm.kill('s1');
    for (const gateway of ['g1', 'g2']) story.startWriting(gateway);
    await realm.clock.advance(5000);
    await story.remove('s2');
    await realm.clock.advance(15_000);
    await story.look();
    t.equal(story.group, 's1 s2-');
    t.same(realm.gateway('g2').state().volumes[0]?.avsg, ['s2']);
    t.same(story.errors, []);
    await realm.startServer('s1');
    t.equal(await story.settled(), 's1');
    t.same(await story.verdict(), []);
  },
);

t.test(
  'a server that never comes back is written off; should it come back, it has nothing to say',
  async (t) => {
    const story = await GroupStory.begin(7, 3, 3);
    const { realm } = story;
    for (const gateway of ['g1', 'g2']) story.startWriting(gateway);
    await realm.clock.advance(2000);
    realm.kill('s3');
    await realm.clock.advance(3000);
    await story.remove('s3', true);
    t.equal(await story.settled(), 's1 s2');
    await realm.clock.advance(5000);
    await realm.startServer('s3');
    await realm.clock.advance(5000);
    t.same(await story.verdict(), []);
    await story.add('s3');
    t.equal(await story.settled(), 's1 s2 s3', 'and may begin anew');
    t.same(await story.verdict(), []);
  },
);

t.test('whoever is killed at whatever moment, the end is the same', async (t) => {
  for (let seed = 1; seed <= scaled(6, 2); seed += 1) {
    const story = await GroupStory.begin(100 + seed, 4, 1);
    const random = seededRandom(seed);
    const { realm } = story;
    const victims = [...realm.serverNames, ...realm.serverNames, 'g1', 'g2', 'administrator'];
    for (const gateway of ['g1', 'g2']) story.startWriting(gateway);
    await realm.clock.advance(2000);
    const steps = [
      [() => story.add('s2'), 's1 s2'],
      [() => story.add('s3'), 's1 s2 s3'],
      [() => story.add('s4', 's1'), 's2 s3 s4'],
      [() => story.remove('s3'), 's2 s4'],
      [() => story.add('s1', 's2'), 's1 s4'],
      [() => story.remove('s4'), 's1'],
    ] as const;
    for (const [step, group] of steps) {
      await step();
      await realm.clock.advance(Math.floor(random.fraction() * 2500));
      const victim = victims[Math.floor(random.fraction() * victims.length)] ?? 's1';
      if (victim === 'administrator') story.restartAdministrator();
      else if (victim.startsWith('g')) await story.restartGateway(victim);
      else await story.restartServer(victim);
      await step();
      const settled = await story.settled();
      t.equal(settled.split(' ').sort().join(' '), group, `seed ${seed}, ${victim} killed`);
    }
    t.same(await story.verdict(), [], `seed ${seed}`);
  }
});
