/** The realm as a whole, on the twins of the seams: stories first, then seeded chaos. */
import t from 'tap';
import { isFailure } from '../../vice/interface/index.js';
import { get, list, makeDirectory, put, remove } from './share.js';
import { seededRun } from './seeded-run.js';
import { scaled } from '../test-scale.js';
import { SimulatedRealm } from './simulated-realm.js';
import { startedRealm } from './started-realm.js';

/** The kind of failure that `promise` rejects with. */
async function failureOf(promise: Promise<unknown>): Promise<string | undefined> {
  return promise.then(
    () => undefined,
    (error: unknown) => (isFailure(error) ? error.kind : String(error)),
  );
}

t.test('what one gateway closes, the other one opens', async (t) => {
  const realm = await startedRealm({ seed: 1 });
  const [g1, g2] = [realm.gateway('g1'), realm.gateway('g2')];
  await realm.finish(makeDirectory(g1, 'd'));
  await realm.finish(put(g1, 'd/a', 'one'));
  t.equal(await realm.finish(get(g2, 'd/a')), 'one');
  await realm.finish(put(g1, 'd/a', 'two'));
  await realm.clock.advance(20);
  t.equal(await realm.finish(get(g2, 'd/a')), 'two', 'the break came before anybody could be told twice');
  await realm.finish(remove(g2, 'd/a'));
  await realm.clock.advance(20);
  t.same(await realm.finish(list(g1, 'd')), []);
});

t.test('a file that is replaced before its maker is answered is read as it is then', async (t) => {
  const realm = await startedRealm({ seed: 3 });
  const [g1, g2] = [realm.gateway('g1'), realm.gateway('g2')];
  await realm.finish(list(g1, ''));
  await realm.clock.advance(1000);
  // What g1 sends arrives; that s2 has it, it does not hear before the log answers in its place.
  realm.network.cutOneWay('s2', 'g1');
  const made = put(g1, 'a', 'one');
  await realm.clock.advance(100);
  t.equal(await realm.finish(get(g2, 'a')), 'one');
  await realm.finish(put(g2, 'a', 'two'));
  await realm.finish(made);
  await realm.clock.advance(2000);
  t.same(g1.log.changes(), [], 'all that it did is done');
  t.equal(await realm.finish(get(g1, 'a')), 'two');
});

t.test(
  'a server that restarts under a body gets it again; the close does not wait for what was lost',
  async (t) => {
    const realm = await startedRealm({ seed: 5 });
    const g1 = realm.gateway('g1');
    const root = await realm.finish(g1.lookup({ user: 'ann' }, []));
    if (root.object === null) throw new Error('no root');
    const target = { parent: root.object.fid, name: 'large' };
    const writer = await realm.finish(g1.write({ user: 'ann' }));
    const half = Buffer.alloc(300_000, 'h');
    await realm.finish(writer.write(half));
    await realm.clock.advance(100);
    realm.kill('s2');
    await realm.startServer('s2');
    await realm.clock.advance(5000);
    t.equal(g1.state().volumes[0]?.avsg.length, 3, 's2 is back before the body ends');
    await realm.finish(writer.write(half));
    const before = realm.clock.monotonic();
    await realm.finish(writer.close(target));
    t.ok(realm.clock.monotonic() - before < 1000, 'the close is a matter of milliseconds');
    await realm.clock.advance(5000);
    t.equal((await realm.finish(get(g1, 'large')))?.length, 600_000);
    const bodies = await Promise.all(
      realm.serverNames.map(async (name) =>
        (await realm.dump(name)).map(({ path, contents }) => [path, contents]),
      ),
    );
    t.same(bodies[1], bodies[0], 'and s2 has it too');
  },
);

t.test(
  'work goes on while a server, then two, are gone; whoever returns is brought up to date',
  async (t) => {
    const realm = await startedRealm({ seed: 2 });
    const [g1, g2] = [realm.gateway('g1'), realm.gateway('g2')];
    await realm.finish(put(g1, 'a', 'three servers'));
    realm.kill('s1');
    await realm.finish(put(g1, 'a', 'two servers'));
    t.equal(await realm.finish(get(g2, 'a')), 'two servers');
    realm.kill('s2');
    await realm.finish(put(g1, 'a', 'one server'));
    await realm.finish(put(g1, 'b', 'made with one server'));
    t.equal(await realm.finish(get(g2, 'a')), 'one server');
    await realm.startServer('s1');
    t.equal(await realm.finish(get(g2, 'a')), 'one server', 'who has slept is not believed');
    await realm.startServer('s2');
    await realm.clock.advance(60_000);
    realm.kill('s3');
    await realm.clock.advance(5000);
    const g3 = await realm.startGateway('g3');
    t.equal(await realm.finish(get(g3, 'a')), 'one server', 'the others have it by now');
    t.equal(await realm.finish(get(g3, 'b')), 'made with one server');
  },
);

t.test('with no server at all, what is cached stays readable', async (t) => {
  const realm = await startedRealm({ seed: 3 });
  const g1 = realm.gateway('g1');
  await realm.finish(put(g1, 'a', 'cached'));
  await realm.finish(put(realm.gateway('g2'), 'b', 'not cached at g1'));
  await realm.clock.advance(20);
  t.same(await realm.finish(list(g1, '')), ['a', 'b']);
  for (const name of realm.serverNames) realm.kill(name);
  await realm.clock.advance(3000);
  t.equal(await realm.finish(get(g1, 'a')), 'cached');
  t.equal(await failureOf(realm.finish(get(g1, 'b'))), 'unreachable', 'an honest answer');
});

t.test('a silent server holds nobody up for longer than its silence', async (t) => {
  const realm = await startedRealm({ seed: 4 });
  const g1 = realm.gateway('g1');
  await realm.finish(put(g1, 'a', 'before'));
  realm.network.cut('g1', 's2');
  const start = realm.clock.monotonic();
  await realm.finish(put(g1, 'a', 'after'));
  t.ok(realm.clock.monotonic() - start <= 3000, 'simulated time, not a timing');
  t.equal(await realm.finish(get(g1, 'a')), 'after');
});

t.setTimeout(10 * 60_000);

const seeds = Number(process.env['SEEDS'] ?? scaled(40, 6));
const from = Number(process.env['SEED'] ?? '1');

t.test('seeded chaos: nothing acknowledged is lost, replicas come together', async (t) => {
  let acknowledged = 0;
  for (let seed = from; seed < from + seeds; seed += 1) {
    const report = await seededRun(seed, 60);
    acknowledged += report.acknowledged;
    if (report.violations.length > 0) t.comment(report.trace.join('\n'));
    t.same(report.violations, [], `seed ${seed}`);
  }
  t.comment(`${seeds} runs, ${acknowledged} changes acknowledged`);
  t.ok(acknowledged > seeds * 20, 'the chaos leaves room for work');
});

t.test('the same seed gives the same run', async (t) => {
  const [one, two] = [await seededRun(7, 60), await seededRun(7, 60)];
  t.same(one.trace, two.trace);
});

t.test(
  'a gateway follows the realm: a server that came later is found, also after a restart without the old ones',
  async (t) => {
    const realm = new SimulatedRealm({ seed: 11, servers: 4 });
    const all = realm.document;
    const [root] = all.volumes;
    if (root === undefined) throw new Error('no volume');
    const three = {
      ...all,
      servers: all.servers.slice(0, 3),
      volumes: [{ ...root, replicas: root.replicas.slice(0, 3) }],
    };
    for (const name of ['s1', 's2', 's3']) await realm.startServer(name, three);
    let g1 = await realm.startGateway('g1', three);
    await realm.finish(put(g1, 'a', 'one'));
    t.same(g1.state().volumes[0]?.vsg, ['s1', 's2', 's3']);
    await realm.startServer('s4', { ...all, version: 2 });
    realm.kill('s1');
    await realm.startServer('s1', { ...all, version: 2 });
    await realm.clock.advance(30_000);
    t.same(g1.state().volumes[0]?.avsg, ['s1', 's2', 's3', 's4'], 'told by the servers, without a restart');
    t.equal(await realm.finish(get(g1, 'a')), 'one');
    await realm.finish(put(g1, 'a', 'two'));
    await realm.clock.advance(5000);
    realm.kill('g1');
    for (const name of ['s1', 's2', 's3']) realm.kill(name);
    g1 = await realm.startGateway('g1', three);
    await realm.clock.advance(5000);
    t.same(g1.state().volumes[0]?.avsg, ['s4'], 'its configuration does not know it, its store does');
    t.equal(await realm.finish(get(g1, 'a')), 'two');
  },
);
