/** Disconnected operation on the twins of the seams: what happens to a gateway that has lost its servers. */
import t from 'tap';
import { isFailure, type Venus, type VolumeState } from '../../venus/interface.js';
import { rivalRun } from './rival-run.js';
import { get, list, makeDirectory, put, remove, rename } from './share.js';
import { scaled } from '../test-scale.js';
import { rootVolume, type SimulatedRealm } from './simulated-realm.js';
import { startedRealm } from './started-realm.js';

t.setTimeout(5 * 60_000);

async function cut(realm: SimulatedRealm, gateway: string): Promise<void> {
  for (const name of realm.serverNames) realm.network.cut(gateway, name);
  await realm.clock.advance(5000);
}

async function heal(realm: SimulatedRealm, gateway: string): Promise<void> {
  for (const name of realm.serverNames) realm.network.heal(gateway, name);
  await realm.clock.advance(20_000);
}

function volume(venus: Venus): VolumeState {
  const [state] = venus.state().volumes;
  if (state === undefined) throw new Error('no volume');
  return state;
}

async function failureOf(promise: Promise<unknown>): Promise<string | undefined> {
  return promise.then(
    () => undefined,
    (error: unknown) => (isFailure(error) ? error.kind : String(error)),
  );
}

/** Paths and contents of a server's replica. */
async function tree(realm: SimulatedRealm, server: string): Promise<readonly string[]> {
  return (await realm.dump(server)).map(({ path, contents }) => `${path} ${contents ?? ''}`).sort();
}

t.test('with all servers gone work goes on; what was done is there when they return', async (t) => {
  const realm = await startedRealm({ seed: 1 });
  let g1 = realm.gateway('g1');
  await realm.finish(makeDirectory(g1, 'd'));
  await realm.finish(put(g1, 'd/a', 'before'));
  await realm.finish(put(g1, 'd/gone', 'x'));
  for (const name of realm.serverNames) realm.kill(name);
  await realm.clock.advance(5000);
  t.equal(volume(g1).state, 'emulating');
  await realm.finish(put(g1, 'd/a', 'after'));
  await realm.finish(put(g1, 'd/large', 'L'.repeat(300_000)));
  await realm.finish(makeDirectory(g1, 'd/sub'));
  await realm.finish(put(g1, 'd/sub/new', 'new'));
  await realm.finish(rename(g1, 'd/sub/new', 'd/moved'));
  await realm.finish(remove(g1, 'd/gone'));
  t.equal(await realm.finish(get(g1, 'd/a')), 'after');
  t.same(await realm.finish(list(g1, 'd')), ['a', 'large', 'moved', 'sub']);
  t.ok(volume(g1).pendingRecords > 0);
  t.ok(volume(g1).oldestPending !== null);

  realm.kill('g1');
  await realm.startGateway('g1');
  g1 = realm.gateway('g1');
  t.equal(await realm.finish(get(g1, 'd/a')), 'after', 'acknowledged is durable');
  t.equal(await realm.finish(get(g1, 'd/moved')), 'new');
  t.same(await realm.finish(list(g1, 'd')), ['a', 'large', 'moved', 'sub']);

  for (const name of realm.serverNames) await realm.startServer(name);
  await realm.clock.advance(20_000);
  t.equal(volume(g1).pendingRecords, 0, 'the log has drained by itself');
  t.equal(volume(g1).state, 'hoarding');
  const g2 = realm.gateway('g2');
  t.equal(await realm.finish(get(g2, 'd/a')), 'after');
  t.equal((await realm.finish(get(g2, 'd/large')))?.length, 300_000);
  t.equal(await realm.finish(get(g2, 'd/moved')), 'new');
  t.same(await realm.finish(list(g2, 'd')), ['a', 'large', 'moved', 'sub']);
  t.same(await tree(realm, 's2'), await tree(realm, 's1'));
  t.same(await tree(realm, 's3'), await tree(realm, 's1'));
});

t.test(
  'alone, too, no directory is put below itself: nobody is answered for what servers would undo',
  async (t) => {
    const realm = await startedRealm({ seed: 9 });
    const g1 = realm.gateway('g1');
    for (const path of ['a', 'b', 'a/in']) await realm.finish(makeDirectory(g1, path));
    await cut(realm, 'g1');
    t.equal(await realm.finish(failureOf(rename(g1, 'a', 'a/a'))), 'loop');
    t.equal(await realm.finish(failureOf(rename(g1, 'a', 'a/in/a'))), 'loop');
    const crossing = [rename(g1, 'a', 'b/a'), rename(g1, 'b', 'a/in/b')].map(failureOf);
    t.same(
      await realm.finish(Promise.all(crossing)),
      [undefined, 'loop'],
      'of two at the same time the first one',
    );
    t.same(await realm.finish(list(g1, 'b/a')), ['in'], 'and everything is where it can be seen');
    await heal(realm, 'g1');
    t.same(
      (await tree(realm, 's1')).map((line) => line.trim()),
      ['', '/b', '/b/a', '/b/a/in'],
    );
  },
);

t.test('what others did meanwhile appears, in the same directories', async (t) => {
  const realm = await startedRealm({ seed: 2 });
  const [g1, g2] = [realm.gateway('g1'), realm.gateway('g2')];
  await realm.finish(makeDirectory(g1, 'd'));
  await realm.finish(put(g1, 'd/a', 'one'));
  await realm.finish(put(g1, 'd/b', 'one'));
  await realm.finish(list(g2, 'd'));
  await cut(realm, 'g1');
  await realm.finish(put(g1, 'd/a', 'by g1'));
  await realm.finish(put(g1, 'd/from g1', '1'));
  await realm.finish(put(g2, 'd/b', 'by g2'));
  await realm.finish(put(g2, 'd/from g2', '2'));
  t.same(await realm.finish(list(g1, 'd')), ['a', 'b', 'from g1']);
  await heal(realm, 'g1');
  for (const venus of [g1, g2]) {
    t.same(await realm.finish(list(venus, 'd')), ['a', 'b', 'from g1', 'from g2']);
    t.equal(await realm.finish(get(venus, 'd/a')), 'by g1');
    t.equal(await realm.finish(get(venus, 'd/b')), 'by g2');
  }
  t.equal(volume(g1).pendingRecords, 0);
  t.equal(volume(g1).keptRecords, 0);
});

t.test(
  'a move of what others have removed, and servers have let go of, is made anew from the copy here',
  async (t) => {
    const realm = await startedRealm({ seed: 10 });
    const [g1, g2] = [realm.gateway('g1'), realm.gateway('g2')];
    await realm.finish(put(g1, 'f', 'text'));
    await realm.finish(get(g2, 'f'));
    await cut(realm, 'g2');
    await realm.finish(rename(g2, 'f', 'moved'));
    await realm.finish(remove(g1, 'f'));
    await realm.clock.advance(5000);
    for (const name of realm.serverNames)
      await realm.finish(
        realm
          .server(name)
          .replica(rootVolume)
          ?.dropRemoved(2 ** 40) ?? Promise.resolve(0),
      );
    await heal(realm, 'g2');
    await realm.clock.advance(120_000);
    t.match(volume(g2), { pendingRecords: 0, keptRecords: 0 });
    for (const venus of [g1, g2]) {
      t.same(await realm.finish(list(venus, '')), ['moved']);
      t.equal(await realm.finish(get(venus, 'moved')), 'text');
    }
  },
);

t.test('what collided becomes versions in the share; what does not depend on it goes on', async (t) => {
  const realm = await startedRealm({ seed: 3 });
  const [g1, g2] = [realm.gateway('g1'), realm.gateway('g2')];
  await realm.finish(makeDirectory(g1, 'd'));
  for (const name of ['a', 'b', 'c']) await realm.finish(put(g1, `d/${name}`, 'one'));
  await realm.finish(list(g2, 'd'));
  await cut(realm, 'g1');
  await realm.finish(put(g1, 'd/a', 'by g1'));
  await realm.finish(put(g2, 'd/a', 'by g2'));
  await realm.finish(remove(g1, 'd/b'));
  await realm.finish(put(g2, 'd/b', 'changed meanwhile'));
  await realm.finish(put(g1, 'd/name', 'name of g1'));
  await realm.finish(put(g2, 'd/name', 'name of g2'));
  await realm.finish(put(g1, 'd/name', 'name of g1 again'));
  await realm.finish(put(g1, 'd/c', 'undisturbed'));
  await realm.finish(put(g1, 'd/other', 'undisturbed'));
  await heal(realm, 'g1');
  t.equal(volume(g1).pendingRecords, 0);
  for (const venus of [g1, g2]) {
    const all = await realm.finish(list(venus, 'd'));
    const beside = all.filter((name) => name.includes('(conflict '));
    t.same(
      all.filter((name) => !beside.includes(name)),
      ['a', 'b', 'c', 'name', 'other'],
    );
    t.equal(await realm.finish(get(venus, 'd/a')), 'by g2', 'saved last');
    t.equal(await realm.finish(get(venus, 'd/b')), 'changed meanwhile', 'the change survives the removal');
    t.equal(await realm.finish(get(venus, 'd/name')), 'name of g1 again', 'there first');
    const others = [];
    for (const name of beside) others.push(await realm.finish(get(venus, `d/${name}`)));
    t.same(others, ['by g1', 'name of g2'], 'and what could not keep its name stands beside it');
    t.equal(await realm.finish(get(venus, 'd/c')), 'undisturbed');
    t.equal(await realm.finish(get(venus, 'd/other')), 'undisturbed');
  }
  t.same(g1.log.changes(), [], 'nothing was refused');
  await realm.finish(put(g1, 'd/a', 'after the conflict'));
  t.equal(await realm.finish(get(g2, 'd/a')), 'after the conflict', 'and the name works as any other');
});

t.test(
  'a removal that did not know of a change is taken back here too, although nothing else changed',
  async (t) => {
    const realm = await startedRealm({ seed: 9 });
    const [g1, g2] = [realm.gateway('g1'), realm.gateway('g2')];
    await realm.finish(makeDirectory(g1, 'd'));
    await realm.finish(put(g1, 'd/b', 'one'));
    await realm.finish(list(g2, 'd'));
    await cut(realm, 'g1');
    await realm.finish(remove(g1, 'd/b'));
    t.same(await realm.finish(list(g1, 'd')), []);
    await realm.finish(put(g2, 'd/b', 'changed meanwhile'));
    await heal(realm, 'g1');
    t.equal(volume(g1).keptRecords, 0);
    t.equal(await realm.finish(get(g1, 'd/b')), 'changed meanwhile');
    t.same(await realm.finish(list(g1, 'd')), ['b']);
  },
);

t.test('servers that lack what we have seen are no reason to stop', async (t) => {
  const realm = await startedRealm({ seed: 4 });
  const g1 = realm.gateway('g1');
  await realm.finish(put(g1, 'a', 'everywhere'));
  await realm.clock.advance(5000);
  realm.kill('s2');
  realm.kill('s3');
  await realm.clock.advance(3000);
  await realm.finish(put(g1, 'a', 'at s1 and in the log'));
  realm.kill('s1');
  await realm.startServer('s2');
  await realm.startServer('s3');
  await realm.clock.advance(10_000);
  await realm.finish(put(g1, 'a', 'on top of what they lack'));
  await realm.finish(put(g1, 'independent', 'goes through'));
  t.equal(await realm.finish(get(g1, 'a')), 'on top of what they lack');
  t.equal(await realm.finish(get(realm.gateway('g2'), 'independent')), 'goes through');
  await realm.startServer('s1');
  await realm.clock.advance(60_000);
  t.equal(volume(g1).pendingRecords, 0);
  t.equal(volume(g1).keptRecords, 0);
  t.equal(await realm.finish(get(realm.gateway('g2'), 'a')), 'on top of what they lack');
  t.same(await tree(realm, 's2'), await tree(realm, 's1'));
});

t.test('planned disconnection: no call is made, and reconnection replays', async (t) => {
  const realm = await startedRealm({ seed: 5 });
  const g1 = realm.gateway('g1');
  await realm.finish(put(g1, 'a', 'one'));
  await realm.finish(g1.disconnect([]));
  await realm.clock.advance(1000);
  realm.traffic.get('g1')?.take();
  t.equal(volume(g1).state, 'emulating');
  t.ok(g1.state().servers.every(({ planned, reachable }) => planned && !reachable));
  await realm.finish(put(g1, 'a', 'two'));
  await realm.clock.advance(60_000);
  t.same(realm.traffic.get('g1')?.take(), {});
  t.equal(await failureOf(realm.finish(g1.disconnect(['s9']))), 'not-found');
  await realm.finish(g1.reconnect([]));
  await realm.clock.advance(10_000);
  t.equal(volume(g1).pendingRecords, 0);
  t.equal(await realm.finish(get(realm.gateway('g2'), 'a')), 'two');
});

t.test('write-disconnected: a file saved ten times within the window is sent once', async (t) => {
  const realm = await startedRealm({ seed: 6 });
  const g1 = realm.gateway('g1');
  await realm.finish(put(g1, 'a', 'zero'));
  await realm.finish(g1.setVolumeMode(null, 'write-disconnected'));
  t.equal(volume(g1).state, 'write-disconnected');
  await realm.clock.advance(2000);
  realm.traffic.get('g1')?.take();
  for (let save = 1; save <= 10; save += 1) {
    await realm.finish(put(g1, 'a', `save ${save}`));
    await realm.clock.advance(1000);
  }
  t.equal(realm.traffic.get('g1')?.take()['mutate'], undefined, 'nothing is sent yet');
  t.equal(volume(g1).pendingRecords, 1);
  await realm.clock.advance(60_000);
  t.equal(realm.traffic.get('g1')?.take()['mutate'], 3, 'one call to each server');
  t.equal(await realm.finish(get(realm.gateway('g2'), 'a')), 'save 10');
  await realm.finish(put(g1, 'a', 'last'));
  await realm.finish(g1.setVolumeMode(null, 'write-through'));
  await realm.clock.advance(2000);
  t.equal(volume(g1).state, 'hoarding');
  t.equal(await realm.finish(get(realm.gateway('g2'), 'a')), 'last', 'write-through drains at once');
});

t.test('a gateway whose data folder is an old copy says so and changes nothing', async (t) => {
  const realm = await startedRealm({ seed: 7 });
  await realm.finish(put(realm.gateway('g1'), 'a', 'one'));
  realm.kill('g1');
  const copy = realm.copyDisk('g1');
  let g1 = await realm.startGateway('g1');
  await realm.finish(put(g1, 'a', 'two'));
  await realm.clock.advance(2000);
  realm.kill('g1');
  realm.replaceDisk('g1', copy);
  g1 = await realm.startGateway('g1');
  await realm.clock.advance(5000);
  t.equal(await failureOf(realm.finish(put(g1, 'a', 'three'))), 'damaged');
  t.match(volume(g1).lastError, /old copy/);
  t.equal(await realm.finish(get(realm.gateway('g2'), 'a')), 'two');
  t.equal(await realm.finish(get(g1, 'a')), 'one', 'what it has can be read');
  await realm.finish(put(realm.gateway('g2'), 'b', 'of others'));
  realm.kill('g1');
  for (const name of realm.serverNames) realm.kill(name);
  g1 = await realm.startGateway('g1');
  t.equal(
    await failureOf(realm.finish(put(g1, 'a', 'four'))),
    'damaged',
    'a restart makes it no better copy',
  );
});

t.test('at the bound of the log new contents are refused early; removing goes on', async (t) => {
  const realm = await startedRealm({ seed: 8 });
  const g1 = realm.gateway('g1');
  await realm.finish(put(g1, 'a', 'one'));
  await cut(realm, 'g1');
  const { limitBytes } = volume(g1);
  t.equal(await failureOf(realm.finish(g1.write({ user: 'ann' }, limitBytes + 1))), 'no-space');
  await realm.finish(put(g1, 'b', 'fits'));
  await realm.finish(remove(g1, 'a'));
  t.same(await realm.finish(list(g1, '')), ['b']);
});

const seeds = Number(process.env['SEEDS'] ?? scaled(30, 5));
const from = Number(process.env['SEED'] ?? '1');

t.test('two gateways that write the same names apart: nothing acknowledged is lost', async (t) => {
  let written = 0;
  let kept = 0;
  for (let seed = from; seed < from + seeds; seed += 1) {
    const report = await rivalRun(seed, 60);
    written += report.written;
    kept += report.kept;
    if (report.lost.length + report.violations.length > 0) t.comment(report.trace.join('\n'));
    t.same(report.lost, [], `seed ${seed}`);
    t.same(report.violations, [], `seed ${seed}`);
  }
  t.comment(`${seeds} runs, ${written} files written`);
  t.equal(kept, 0, 'nothing is left for a person to take from the log');
});
