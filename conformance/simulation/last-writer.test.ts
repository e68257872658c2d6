/** A volume where the last writer wins: what others wrote apart is not seen, and not lost. */
import t, { type Test } from 'tap';
import type { ConflictReport, Venus } from '../../venus/interface.js';
import type { RealmDocument } from '../../vice/interface/index.js';
import { get, list, put, remove, rename } from './share.js';
import { SimulatedRealm } from './simulated-realm.js';

t.setTimeout(300_000);

const caller = { user: 'ann' };

interface Stage {
  readonly realm: SimulatedRealm;
  readonly g1: Venus;
  readonly g2: Venus;
  readonly settle: () => Promise<void>;
  /** Both gateways store `name` without hearing of each other; the second one last. */
  readonly apart: (name: string) => Promise<void>;
}

async function stageOf(seed: number): Promise<Stage> {
  const realm = new SimulatedRealm({ seed, conflicts: 'last-writer-wins' });
  for (const name of realm.serverNames) await realm.startServer(name);
  const [g1, g2] = [await realm.startGateway('g1'), await realm.startGateway('g2')];
  await realm.clock.advance(2000);
  const settle = (): Promise<void> => realm.clock.advance(130_000);
  const apart = async (name: string): Promise<void> => {
    for (const venus of [g1, g2]) await realm.finish(get(venus, name));
    for (const server of realm.serverNames) realm.network.cut('g1', server);
    await realm.clock.advance(5000);
    await realm.finish(put(g1, name, `${name} of g1`));
    await realm.clock.advance(1000);
    await realm.finish(put(g2, name, `${name} of g2`));
    for (const server of realm.serverNames) realm.network.heal('g1', server);
    await settle();
  };
  await realm.finish(put(g1, 'notes.txt', 'base'));
  await apart('notes.txt');
  return { realm, g1, g2, settle, apart };
}

async function all(realm: SimulatedRealm, batches: AsyncIterable<readonly ConflictReport[]>) {
  const reports: ConflictReport[] = [];
  const read = async (): Promise<void> => {
    for await (const batch of batches) reports.push(...batch);
  };
  await realm.finish(read());
  return reports;
}

async function shows(t: Test, { realm }: Stage, venus: Venus, files: Record<string, string>): Promise<void> {
  const seen: Record<string, string | undefined> = {};
  for (const name of await realm.finish(list(venus, ''))) seen[name] = await realm.finish(get(venus, name));
  t.same(seen, files);
}

t.test('the name shows what was written last, alone; the other version can be brought back', async (t) => {
  const stage = await stageOf(31);
  const { realm, g1, g2 } = stage;
  for (const venus of [g1, g2]) {
    await shows(t, stage, venus, { 'notes.txt': 'notes.txt of g2' });
    t.same(venus.conflicts.count(), {}, 'there is nothing to decide');
    t.same(await all(realm, venus.conflicts.list(caller)), []);
    const { object } = await realm.finish(venus.lookup(caller, ['notes.txt']));
    t.equal(object?.conflict, null);
    t.match(venus.state().volumes, [{ conflicts: 'last-writer-wins' }]);
    const [report] = await all(realm, venus.conflicts.overwritten(caller));
    t.match(report, { path: ['notes.txt'], kind: 'versions' });
    t.match(report?.versions, [
      { host: 'g2', path: ['notes.txt'] },
      { host: 'g1', author: 'ann', path: null },
    ]);
  }
  const [report] = await all(realm, g2.conflicts.overwritten(caller));
  const [, hidden] = report?.versions ?? [];
  if (hidden === undefined) throw new Error('nothing was overwritten');
  const { parent, object } = await realm.finish(g2.lookup(caller, [hidden.name]));
  t.equal(object, null, 'it has no name');
  if (parent === null) throw new Error('no root');
  const to = { parent, name: 'back.txt' };
  await realm.finish(g2.copy(caller, hidden.fid, to, { replace: false }));
  await realm.finish(g2.conflicts.repair(caller, hidden.fid, { giveUp: hidden.storeId }));
  await stage.settle();
  for (const venus of [g1, g2]) {
    await shows(t, stage, venus, { 'back.txt': 'notes.txt of g1', 'notes.txt': 'notes.txt of g2' });
    t.same(await all(realm, venus.conflicts.overwritten(caller)), [], 'and it is nowhere else');
  }
});

t.test('programs go on with the file as with any other', async (t) => {
  const stage = await stageOf(32);
  const { realm, g1, g2 } = stage;
  await realm.finish(put(g1, 'notes.tmp', 'saved'));
  await realm.finish(rename(g1, 'notes.tmp', 'notes.txt'));
  await stage.settle();
  await shows(t, stage, g2, { 'notes.txt': 'saved' });
  t.equal((await all(realm, g2.conflicts.overwritten(caller))).length, 1, 'saving drops what nobody saw not');
  await realm.finish(put(g1, 'other.txt', 'base'));
  await stage.apart('other.txt');
  await realm.finish(rename(g2, 'other.txt', 'notes.txt'));
  await stage.settle();
  for (const venus of [g1, g2]) await shows(t, stage, venus, { 'notes.txt': 'other.txt of g2' });
  await realm.finish(remove(g1, 'notes.txt'));
  await stage.settle();
  for (const venus of [g1, g2]) {
    await shows(t, stage, venus, {});
    t.same(await all(realm, venus.conflicts.overwritten(caller)), [], 'gone with their file');
  }
});

t.test('with another policy all versions are seen again', async (t) => {
  const stage = await stageOf(33);
  const { realm, g1, g2 } = stage;
  const [volume] = realm.document.volumes;
  if (volume === undefined) throw new Error('no volume');
  const document: RealmDocument = {
    ...realm.document,
    version: 2,
    volumes: [{ ...volume, conflicts: 'keep' }],
  };
  for (const name of realm.serverNames) {
    realm.kill(name);
    await realm.startServer(name, document);
    await realm.clock.advance(20_000);
  }
  await stage.settle();
  for (const venus of [g1, g2]) {
    const names = await realm.finish(list(venus, ''));
    t.match(names, [/^notes \(conflict ann g1 .*\)\.txt$/, 'notes.txt']);
    t.same(venus.conflicts.count(), { versions: 1 });
    t.same(await all(realm, venus.conflicts.overwritten(caller)), []);
    const { object } = await realm.finish(venus.lookup(caller, ['notes.txt']));
    t.equal(object?.conflict?.kind, 'versions');
  }
});
