/** Volumes with a quota and locked volumes, as those see them who work through gateways. */
import { Readable } from 'node:stream';
import t from 'tap';
import type { Venus, VolumeState } from '../../venus/interface.js';
import type { Intention } from '../../vice/interface/index.js';
import { intended } from '../../vice/location/intended.js';
import { get, list, makeDirectory, outcomeOf, put, remove } from './share.js';
import { rootVolume as volume, type SimulatedRealm } from './simulated-realm.js';
import { startedRealm } from './started-realm.js';

t.setTimeout(300_000);

async function say(realm: SimulatedRealm, intention: Intention): Promise<void> {
  const { location } = realm.server('s1');
  await realm.finish(location.publish((current) => intended(current, intention, () => 'none')));
  await realm.clock.advance(1000);
}

const quota = (bytes: number | null): Intention => ({ change: 'set-quota', volume, bytes });
const text = (bytes: number, letter = 'x'): string => letter.repeat(bytes);

function ended(realm: SimulatedRealm, promise: Promise<unknown>): Promise<string> {
  return realm.finish(outcomeOf(promise));
}

function cut(realm: SimulatedRealm, gateway: string): void {
  for (const server of realm.serverNames) realm.network.cut(gateway, server);
}

async function heal(realm: SimulatedRealm, gateway: string): Promise<void> {
  for (const server of realm.serverNames) realm.network.heal(gateway, server);
  await realm.clock.advance(20_000);
}

function stateOf(venus: Venus): Partial<VolumeState> {
  return venus.state().volumes[0] ?? {};
}

t.test('whoever is connected hears of the quota at once, and can make room', async (t) => {
  const realm = await startedRealm({ seed: 1 });
  const [g1, g2] = [realm.gateway('g1'), realm.gateway('g2')];
  await say(realm, quota(100));
  t.equal(await ended(realm, put(g1, 'first', text(60))), 'done');
  t.equal(await ended(realm, put(g2, 'second', text(41))), 'quota');
  t.same(await realm.finish(list(g2, '')), ['first'], 'nothing of it is seen');
  t.equal(await ended(realm, put(g1, 'first', text(101))), 'quota');
  t.equal(await realm.finish(get(g2, 'first')), text(60), 'the old version is there');
  t.equal(await ended(realm, remove(g2, 'first')), 'done');
  t.equal(await ended(realm, put(g2, 'second', text(100))), 'done');
  t.same([stateOf(g1).keptRecords, stateOf(g2).keptRecords], [0, 0]);
});

t.test('what does not fit at replay keeps its data, and comes when there is room', async (t) => {
  const realm = await startedRealm({ seed: 2 });
  let g1 = realm.gateway('g1');
  const g2 = realm.gateway('g2');
  await realm.finish(put(g1, 'old', text(60, 'o')));
  await realm.finish(makeDirectory(g1, 'wide'));
  cut(realm, 'g1');
  await realm.clock.advance(20_000);
  t.equal(await ended(realm, put(g1, 'wide/large', text(80, 'l'))), 'done', 'the log answers');
  t.equal(await ended(realm, put(g1, 'small', text(20, 's'))), 'done');
  t.equal(await ended(realm, makeDirectory(g1, 'folder')), 'done');
  await say(realm, quota(100));
  await heal(realm, 'g1');
  t.same(await realm.finish(list(g2, '')), ['folder', 'old', 'small', 'wide'], 'what fits is there');
  t.same(await realm.finish(list(g2, 'wide')), []);
  t.equal(await realm.finish(get(g1, 'wide/large')), text(80, 'l'), 'at its gateway it is all there');
  t.match(stateOf(g1), { pendingRecords: 2, keptRecords: 0, lastError: /quota/ });
  const path = '/wide/large';
  t.match(g1.log.changes(), [{ records: [{ path }, { path, length: 80 }] }]);

  realm.kill('g1');
  g1 = await realm.startGateway('g1');
  await realm.clock.advance(20_000);
  t.equal(await realm.finish(get(g1, 'wide/large')), text(80, 'l'), 'also after a restart');
  t.equal(await ended(realm, remove(g2, 'old')), 'done');
  await realm.clock.advance(60_000);
  t.equal(await realm.finish(get(g2, 'wide/large')), text(80, 'l'), 'there is room by a removal');
  t.match(stateOf(g1), { pendingRecords: 0, keptRecords: 0, lastError: null });
  cut(realm, 'g1');
  await realm.clock.advance(20_000);
  t.equal(await ended(realm, put(g1, 'late', text(500))), 'done');
  await heal(realm, 'g1');
  t.equal(await realm.finish(get(g2, 'late')), undefined);
  await say(realm, quota(1000));
  await realm.clock.advance(2000);
  t.equal(await realm.finish(get(g2, 'late')), text(500), 'or by a larger quota, at once');
});

t.test('what does not fit steps aside for who makes room', async (t) => {
  const realm = await startedRealm({ seed: 7 });
  const [g1, g2] = [realm.gateway('g1'), realm.gateway('g2')];
  await realm.finish(put(g1, 'old', text(60, 'o')));
  await say(realm, quota(100));
  cut(realm, 'g1');
  await realm.clock.advance(20_000);
  t.equal(await ended(realm, put(g1, 'large', text(80, 'l'))), 'done', 'the log answers');
  await heal(realm, 'g1');
  t.match(stateOf(g1), { pendingRecords: 2, keptRecords: 0, lastError: /quota/ }, 'it waits for room');
  t.equal(await ended(realm, remove(g1, 'old')), 'done');
  await realm.clock.advance(60_000);
  t.same(await realm.finish(list(g2, '')), [], 'the removal is at the servers');
  t.match(stateOf(g1), { pendingRecords: 0, keptRecords: 2 });
  const [change] = g1.log.changes();
  t.match(change, { state: 'kept', reason: /quota/, records: [{}, { length: 80 }] }, 'with its contents');

  // Its author, who does not see it any more, has made another one under its name when he brings it back.
  const archive: Uint8Array[] = [];
  for await (const piece of g1.log.checkpoint()) archive.push(piece);
  await realm.finish(g1.log.discard(g1.log.changes().map(({ sequence }) => sequence)));
  t.equal(await ended(realm, put(g1, 'large', text(20, 'n'))), 'done');
  await say(realm, quota(1000));
  await realm.clock.advance(2000);
  const { restored, present, notes } = await realm.finish(g1.log.restore(Readable.from(archive)));
  t.same([restored, present], [1, 0]);
  t.match(notes, [/"large" has other contents by now/]);
  const [beside = ''] = (await realm.finish(list(g2, ''))).filter((name) => name !== 'large');
  t.equal(await realm.finish(get(g2, beside)), text(80, 'l'), 'nobody had ever had it, nor replaced it');
});

t.test('two who take the last room at the same time leave all servers with the same', async (t) => {
  for (const seed of [3, 4, 5]) {
    const realm = await startedRealm({ seed });
    await say(realm, quota(100));
    const both = ['g1', 'g2'].map((name) => put(realm.gateway(name), name, text(60, name)));
    const outcomes = await realm.finish(Promise.all(both.map(outcomeOf)));
    for (const outcome of outcomes) t.ok(['done', 'quota'].includes(outcome), outcome);
    await realm.clock.advance(130_000);
    const spaces = realm.serverNames.map((name) => realm.server(name).replica(volume)?.usedBytes ?? -1);
    t.equal(new Set(spaces).size, 1, `${spaces.join(' ')} bytes`);
    const there = await realm.finish(list(realm.gateway('g1'), ''));
    const done = ['g1', 'g2'].filter((_, index) => outcomes[index] === 'done');
    t.same(there, done, 'what was acknowledged is there, what was refused is not');
  }
});

t.test('a locked volume is read; what was changed without servers waits', async (t) => {
  const realm = await startedRealm({ seed: 6 });
  const [g1, g2] = [realm.gateway('g1'), realm.gateway('g2')];
  await realm.finish(put(g1, 'plan', 'as it was'));
  cut(realm, 'g1');
  await realm.clock.advance(20_000);
  t.equal(await ended(realm, put(g1, 'plan', 'as it shall be')), 'done', 'nobody here knows of a lock');
  t.equal(await ended(realm, put(g1, 'new', 'more')), 'done');
  await say(realm, { change: 'lock-volume', volume });
  t.equal(await ended(realm, put(g2, 'plan', 'no')), 'refused');
  t.equal(await ended(realm, makeDirectory(g2, 'no')), 'refused');
  t.equal(await ended(realm, remove(g2, 'plan')), 'refused');
  t.equal(await realm.finish(get(g2, 'plan')), 'as it was');
  await heal(realm, 'g1');
  t.equal(await realm.finish(get(g2, 'plan')), 'as it was');
  t.match(stateOf(g1), { keptRecords: 0, lastError: /locked/ }, 'nothing is given up');
  t.equal(await realm.finish(get(g1, 'plan')), 'as it shall be', 'its author sees his own');
  cut(realm, 'g2');
  await realm.clock.advance(20_000);
  t.equal(await ended(realm, put(g2, 'plan', 'no')), 'refused', 'it knows of the lock, and logs nothing');
  t.match(stateOf(g2), { pendingRecords: 0 });
  t.equal(await realm.finish(get(g2, 'plan')), 'as it was');
  await heal(realm, 'g2');
  await say(realm, { change: 'unlock-volume', volume });
  await realm.clock.advance(5000);
  t.equal(await realm.finish(get(g2, 'plan')), 'as it shall be');
  t.equal(await realm.finish(get(g2, 'new')), 'more');
  t.match(stateOf(g1), { pendingRecords: 0, keptRecords: 0, lastError: null });
  t.equal(await ended(realm, put(g2, 'plan', 'again')), 'done');
});
