/** Dumps and restores that are killed, or run at the same time. */
import t from 'tap';
import { BareRealm, digestOf, volume } from '../../../conformance/bare-realm/realm.js';
import type { VolumeId } from '../../../vice/interface/index.js';
import { sleep } from '../../../vice/seam/clock.js';
import { seededRandom } from '../../../vice/seam/twin/seeded-random.js';
import { stateOf } from './dump-chain.js';
import { dumpSource } from './dumping.js';
import { restored } from './restoring.js';
import {
  bytesFrom,
  command,
  dumpedBytes,
  Killed,
  office,
  read,
  restore,
  seen,
} from '../../../conformance/bare-realm/dumped-volume.js';

t.test('a dump that was killed is repeated, and its snapshot goes', async (t) => {
  const { realm } = await office();
  const operator = command(realm);
  for (let steps = 0, isDone = false; !isDone; steps += 1) {
    try {
      await bytesFrom(realm, command(realm, steps), {});
      isDone = true;
    } catch (error) {
      if (!(error instanceof Killed)) throw error;
    }
  }
  t.same((await realm.run(operator.snapshots('s1', volume))).snapshots, []);
});

t.test('two dumps to one place at a time leave each other alone', async (t) => {
  const { realm } = await office();
  const [operator, entry] = [command(realm), realm.realm.volumes[0]];
  if (entry === undefined) throw new Error('no volume');
  const now = realm.clock.wall();
  const wish = { volume: entry, snapshot: undefined, since: undefined, target: '/x', now };
  const dead = { ...wish, writer: 'dead', isLeft: () => false };
  await realm.run(dumpSource(operator, dead));
  const one = dumpedBytes(operator, { ...wish, writer: 'one', isLeft: (writer) => writer === 'dead' });
  const two = dumpedBytes(command(realm), { ...wish, writer: 'two', isLeft: (writer) => writer === 'dead' });
  for (const dump of await realm.run(Promise.all([one, two]))) {
    t.ok((await stateOf(await read(dump))).header.state.snapshot.startsWith('dump '));
  }
  t.same(
    (await realm.run(operator.snapshots('s1', volume))).snapshots,
    [],
    'and take away what is left of the dead',
  );
});

t.test(
  'into a realm that has nothing of it: what is sent is let go, also what dead commands have sent',
  async (t) => {
    const { realm: old } = await office(0);
    const state = await stateOf(await read(await bytesFrom(old, command(old), {})));
    const realm = new BareRealm();
    await realm.start('s1', 's2', 's3');
    const staged: unknown[] = [];
    const operator = command(realm);
    for (let steps = 2, made = false; !made; steps += 1) {
      try {
        await restore(realm, command(realm, steps), state);
        made = true;
      } catch (error) {
        if (!(error instanceof Killed)) throw error;
      }
      staged.push((await realm.run(operator.report('s1')))?.['stagedBytes']);
    }
    t.ok(staged.includes(144_000), 'a command has died between sending and putting');
    t.equal(staged.at(-1), 0, 'in the end nothing is staged');
    const made = (await realm.run(operator.document())).volumes.find(({ name }) => name === 'again');
    t.same(await seen(realm, 's1', made?.id ?? volume), await seen(old, 's1', volume));
  },
);

t.test('a transfer that objects name is let go', async (t) => {
  const { realm: old } = await office();
  const state = await stateOf(await read(await bytesFrom(old, command(old), {})));
  const realm = new BareRealm();
  await realm.start('s1', 's2', 's3');
  await restore(realm, command(realm), state);
  t.equal((await realm.run(command(realm).report('s1')))?.['stagedBytes'], 0);
});

t.test('two commands that restore the same at a time make one volume', async (t) => {
  const { realm } = await office();
  const state = await stateOf(await read(await bytesFrom(realm, command(realm), {})));
  const progress = { objects: 0, bytes: 0, sent: 0 };
  const wish = { name: 'again', servers: undefined };
  const started = realm.clock.monotonic();
  await restore(realm, command(realm), state, { name: 'alone' });
  const took = realm.clock.monotonic() - started;
  // Some begin with the first one, others are in the middle when it ends.
  const ended = [0, 1, 40, ...[0, 5, 10, 15, 20, 25].map((ms) => took + ms)].map(async (ms) => {
    await sleep(realm.clock, ms);
    const world = { administration: command(realm), clock: realm.clock, random: seededRandom(ms) };
    return restored(state, wish, world, progress);
  });
  const volumes = (await realm.run(Promise.all(ended))).map(({ volume: { id } }) => id);
  t.equal(new Set(volumes).size, 1);
  const there = (await realm.run(command(realm).document())).volumes.filter(({ name }) => name === 'again');
  t.match(there, [{ id: volumes[0], restoring: undefined }]);
  t.same(await seen(realm, 's1', volumes[0] ?? volume), await seen(realm, 's1', volume));
});

t.test('two commands that bring the same large contents at a time', async (t) => {
  const { realm: old } = await office(0);
  const state = await stateOf(await read(await bytesFrom(old, command(old), {})));
  const realm = new BareRealm();
  realm.packedBytes = 0;
  await realm.start('s1', 's2', 's3');
  let begins = (): void => undefined;
  const second = new Promise<void>((resolve) => (begins = resolve));
  // The first one is in the middle of it when the other one begins.
  const first = command(realm, Infinity, async function* (source) {
    let isFirst = true;
    for await (const chunk of source) {
      yield chunk;
      if (isFirst) await second;
      isFirst = false;
    }
  });
  const other = command(realm, Infinity, async function* (source) {
    begins();
    yield* source;
  });
  const progress = { objects: 0, bytes: 0, sent: 0 };
  const ended = [first, other].map(async (administration, index) => {
    await sleep(realm.clock, index * 2000);
    const world = { administration, clock: realm.clock, random: seededRandom(index) };
    return restored(state, { name: `again ${index}`, servers: undefined }, world, progress);
  });
  const volumes = (await realm.run(Promise.all(ended))).map(({ volume: { id } }) => id);
  const digests = async (of: BareRealm, id: VolumeId): Promise<readonly string[]> =>
    [...(await of.dump('s1', id))]
      .map(([path, { contents }]) => `${path} ${digestOf(contents ?? '')}`)
      .sort();
  for (const id of volumes) t.same(await digests(realm, id), await digests(old, volume));
  t.equal((await realm.run(command(realm).report('s1')))?.['stagedBytes'], 0);
});
