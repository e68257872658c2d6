/** Access lists on a simulated realm: who is refused what, where, when lists change, and what collides. */
import t, { type Test } from 'tap';
import {
  isFailure,
  parseRights,
  type AccessList,
  type Fid,
  type FailureKind,
  type Venus,
} from '../../venus/interface.js';
import { caller as ann, get, list, makeDirectory, put, remove, rename } from './share.js';
import { SimulatedRealm } from './simulated-realm.js';

const bob = { user: 'bob' };

function listOf(positive: Record<string, string>): AccessList {
  const rights = Object.entries(positive).map(([who, text]) => [who, parseRights(text) ?? 0] as const);
  return { positive: Object.fromEntries(rights), negative: {} };
}

interface Stage {
  readonly realm: SimulatedRealm;
  readonly g1: Venus;
  readonly g2: Venus;
  readonly docs: Fid;
  readonly settle: () => Promise<void>;
  readonly cut: (gateway: string) => Promise<void>;
  readonly heal: (gateway: string) => Promise<void>;
  readonly try: (done: Promise<unknown>) => Promise<FailureKind | 'done'>;
}

/** `docs/plan.txt`, cached at both gateways. */
async function stageOf(seed: number): Promise<Stage> {
  const realm = new SimulatedRealm({ seed });
  for (const name of realm.serverNames) await realm.startServer(name);
  const [g1, g2] = [await realm.startGateway('g1'), await realm.startGateway('g2')];
  await realm.clock.advance(2000);
  await realm.finish(makeDirectory(g1, 'docs'));
  await realm.finish(put(g1, 'docs/plan.txt', 'plan'));
  await realm.finish(get(g2, 'docs/plan.txt'));
  const { object } = await realm.finish(g1.lookup(ann, ['docs']));
  const settle = (): Promise<void> => realm.clock.advance(130_000);
  const links = async (gateway: string, change: 'cut' | 'heal'): Promise<void> => {
    for (const server of realm.serverNames) realm.network[change](gateway, server);
    await (change === 'cut' ? realm.clock.advance(5000) : settle());
  };
  return {
    realm,
    g1,
    g2,
    docs: object?.fid ?? ('' as Fid),
    settle,
    cut: (gateway) => links(gateway, 'cut'),
    heal: (gateway) => links(gateway, 'heal'),
    async try(done) {
      try {
        await realm.finish(done);
        return 'done';
      } catch (error) {
        if (!isFailure(error)) throw error;
        return error.kind;
      }
    },
  };
}

/** What bob is refused who may only read. */
async function mayOnlyRead(t: Test, stage: Stage, venus: Venus): Promise<void> {
  const { docs } = stage;
  t.equal(await stage.try(get(venus, 'docs/plan.txt', bob)), 'done');
  t.equal(await stage.try(put(venus, 'docs/plan.txt', 'no', bob)), 'access-denied');
  t.equal(await stage.try(put(venus, 'docs/new.txt', 'no', bob)), 'access-denied');
  t.equal(await stage.try(makeDirectory(venus, 'docs/new', bob)), 'access-denied');
  t.equal(await stage.try(remove(venus, 'docs/plan.txt', bob)), 'access-denied');
  t.equal(await stage.try(rename(venus, 'docs/plan.txt', 'plan.txt', bob)), 'access-denied');
  t.equal(await stage.try(venus.setAccess(bob, docs, null)), 'access-denied');
  t.equal((await stage.realm.finish(venus.access(bob, docs))).rights, 'rl');
}

t.test('a list holds at every gateway once it is set, for what is below, too', async (t) => {
  const stage = await stageOf(1);
  const { realm, g1, g2, docs } = stage;
  await realm.finish(makeDirectory(g1, 'docs/deep'));
  await realm.finish(put(g1, 'docs/deep/a.txt', 'a', bob));
  t.equal(await stage.try(g1.setAccess(bob, docs, null)), 'access-denied', 'bob is no administrator');
  await realm.finish(g1.setAccess(ann, docs, listOf({ ann: 'all', bob: 'rl' })));
  await realm.clock.advance(1000);
  await mayOnlyRead(t, stage, g1);
  await mayOnlyRead(t, stage, g2);
  t.equal(await stage.try(put(g2, 'docs/deep/a.txt', 'no', bob)), 'access-denied');
  t.equal(await stage.try(put(g2, 'docs/deep/a.txt', 'yes', ann)), 'done');
  const { lists } = await realm.finish(g2.access(ann, docs));
  t.same(lists, [{ directory: docs, list: listOf({ ann: 'all', bob: 'rl' }) }]);

  await realm.finish(g2.setAccess(ann, docs, listOf({ ann: 'all', bob: 'l' })));
  await realm.clock.advance(1000);
  t.equal(await stage.try(get(g1, 'docs/plan.txt', bob)), 'access-denied', 'cached or not');
  t.same(await realm.finish(list(g1, 'docs', bob)), ['deep', 'plan.txt']);
  await realm.finish(g2.setAccess(ann, docs, listOf({ ann: 'all' })));
  await realm.clock.advance(1000);
  t.equal(await stage.try(list(g1, 'docs', bob)), 'access-denied');
  t.equal(await stage.try(g1.lookup(bob, ['docs', 'plan.txt'])), 'access-denied');
  const { object: plan } = await realm.finish(g1.lookup(ann, ['docs', 'plan.txt']));
  if (plan === null) throw new Error('the plan is gone');
  t.equal(await stage.try(g1.conflicts.of(bob, plan.fid)), 'access-denied');
  t.same(await realm.finish(list(g1, '', bob)), ['docs'], 'that it is there he sees');
  await realm.finish(g2.setAccess(ann, docs, null));
  await realm.clock.advance(1000);
  t.equal(await stage.try(put(g1, 'docs/plan.txt', 'bob', bob)), 'done', 'as nobody had set any');
});

t.test('a drop box: who may only insert fills what he makes, once', async (t) => {
  const stage = await stageOf(2);
  const { realm, g1, docs } = stage;
  await realm.finish(g1.setAccess(ann, docs, listOf({ ann: 'all', bob: 'li' })));
  t.equal(await stage.try(put(g1, 'docs/mine.txt', 'work', bob)), 'done');
  t.equal(await stage.try(put(g1, 'docs/mine.txt', 'better', bob)), 'access-denied');
  t.equal(await stage.try(put(g1, 'docs/empty.txt', '', bob)), 'done', 'Finder first makes it empty');
  t.equal(await stage.try(put(g1, 'docs/empty.txt', 'work', bob)), 'done');
  t.equal(await stage.try(get(g1, 'docs/mine.txt', bob)), 'access-denied');
});

t.test(
  'disconnected, a list is a logged change: it holds here at once, elsewhere after the replay',
  async (t) => {
    const stage = await stageOf(3);
    const { realm, g1, g2, docs } = stage;
    await stage.cut('g1');
    await realm.finish(g1.setAccess(ann, docs, listOf({ ann: 'all', bob: 'rl' })));
    await mayOnlyRead(t, stage, g1);
    t.equal(await stage.try(put(g2, 'docs/plan.txt', 'bob at g2', bob)), 'done');
    await stage.heal('g1');
    await mayOnlyRead(t, stage, g2);
    t.equal(await realm.finish(get(g1, 'docs/plan.txt')), 'bob at g2');
  },
);

t.test(
  'who lost his right meanwhile has his change refused at the replay: it is kept, not lost',
  async (t) => {
    const stage = await stageOf(4);
    const { realm, g1, g2, docs } = stage;
    await stage.cut('g1');
    await realm.finish(put(g1, 'docs/plan.txt', 'bob disconnected', bob));
    await realm.finish(put(g1, 'docs/other.txt', 'ann disconnected', ann));
    await realm.finish(g2.setAccess(ann, docs, listOf({ ann: 'all', bob: 'rl' })));
    await stage.heal('g1');
    const changes = g1.log.changes();
    t.match(changes, [{ author: 'bob', state: 'kept', reason: /bob lacks the right w/ }]);
    t.equal(changes.length, 1, 'and holds up nobody else');
    t.equal(await realm.finish(get(g2, 'docs/plan.txt')), 'plan');
    t.equal(await realm.finish(get(g2, 'docs/other.txt')), 'ann disconnected');
  },
);

/** Of `stage`, in which bob's save is refused and `g1` is alone again before it could ask what there is instead. */
async function refusedAlone(stage: Stage): Promise<void> {
  const { realm, g1, g2, docs } = stage;
  await stage.cut('g1');
  await realm.finish(put(g1, 'docs/plan.txt', 'bob disconnected', bob));
  await realm.finish(g2.setAccess(ann, docs, listOf({ ann: 'all', bob: 'rl' })));
  for (const server of realm.serverNames) realm.network.heal('g1', server);
  for (let ms = 0; g1.log.changes()[0]?.state !== 'kept'; ms += 1) {
    if (ms > 60_000) throw new Error('the save was not refused');
    await realm.clock.advance(1);
  }
  await stage.cut('g1');
}

t.test('who saves over what was refused, without servers, has no conflict with it (TB-1)', async (t) => {
  const stage = await stageOf(7);
  const { realm, g1, g2 } = stage;
  await refusedAlone(stage);
  await realm.finish(put(g1, 'docs/plan.txt', 'ann, over it'));
  t.same(g1.conflicts.count(), {});
  await stage.heal('g1');
  t.match(
    g1.log.changes(),
    [{ author: 'bob', state: 'kept' }],
    'what was refused is kept with the log alone',
  );
  for (const venus of [g1, g2]) {
    t.equal(await realm.finish(get(venus, 'docs/plan.txt')), 'ann, over it');
    t.same(venus.conflicts.count(), {});
  }
});

t.test('what was refused can be removed and moved without servers (TB-1)', async (t) => {
  for (const change of [
    (venus: Venus) => remove(venus, 'docs/plan.txt'),
    (venus: Venus) => rename(venus, 'docs/plan.txt', 'docs/moved.txt'),
  ]) {
    const stage = await stageOf(8);
    const { realm, g1, g2 } = stage;
    await refusedAlone(stage);
    await realm.finish(change(g1));
    const [here] = [await realm.finish(list(g1, 'docs'))];
    t.notOk(here.includes('plan.txt'));
    t.same(g1.conflicts.count(), {});
    await stage.heal('g1');
    for (const venus of [g1, g2]) {
      t.same(await realm.finish(list(venus, 'docs')), here);
      t.same(venus.conflicts.count(), {});
    }
    for (const name of here) t.equal(await realm.finish(get(g1, `docs/${name}`)), 'plan');
  }
});

t.test('lists that are set apart: the stricter holds, and a person decides', async (t) => {
  const stage = await stageOf(5);
  const { realm, g1, g2, docs } = stage;
  await stage.cut('g1');
  await realm.finish(g1.setAccess(ann, docs, listOf({ ann: 'all', bob: 'rlw' })));
  await realm.finish(g2.setAccess(ann, docs, listOf({ ann: 'all', bob: 'rli' })));
  await stage.heal('g1');
  for (const venus of [g1, g2]) await mayOnlyRead(t, stage, venus);
  const [report] = await realm.finish(g2.conflicts.of(ann, docs));
  t.match(report, { kind: 'protection', path: ['docs'] });
  t.same(report?.versions.map(({ host, list }) => [host, list?.positive['bob']]).sort(), [
    ['g1', parseRights('rlw')],
    ['g2', parseRights('rli')],
  ]);
  t.same(g1.conflicts.count(), { protection: 1 });
  t.equal(await stage.try(g2.conflicts.repair(ann, docs, { keepAll: true })), 'invalid', 'one list is to be');
  const kept = report?.versions.find(({ host }) => host === 'g1')?.storeId;
  if (kept === undefined) throw new Error('no version');
  t.equal(await stage.try(g2.conflicts.repair(bob, docs, { keep: kept, among: [] })), 'access-denied');
  await realm.finish(g2.conflicts.repair(ann, docs, { keep: kept, among: [] }));
  await stage.settle();
  t.equal((await realm.finish(g1.access(bob, docs))).rights, 'rlw');
  t.same([g1.conflicts.count(), g2.conflicts.count()], [{}, {}]);
  t.equal(await stage.try(put(g1, 'docs/plan.txt', 'bob', bob)), 'done');
});

t.test('a server that has not heard of a right yet does not refuse it', async (t) => {
  const stage = await stageOf(7);
  const { realm, g1, docs } = stage;
  await realm.finish(g1.setAccess(ann, docs, listOf({ ann: 'all', bob: 'rl' })));
  await stage.settle();
  for (const other of ['g1', 'g2', 's1', 's2']) realm.network.cut(other, 's3');
  await realm.clock.advance(5000);
  await realm.finish(g1.setAccess(ann, docs, listOf({ ann: 'all', bob: 'rlw' })));
  for (const server of ['s1', 's2']) realm.network.cut('g1', server);
  realm.network.heal('g1', 's3');
  await realm.clock.advance(10_000);
  t.equal(
    await stage.try(put(g1, 'docs/plan.txt', 'bob', bob)),
    'done',
    's3 waits for the list, and the log answers',
  );
  for (const other of ['g1', 'g2', 's1', 's2']) realm.network.heal(other, 's3');
  await stage.heal('g1');
  t.same(g1.log.changes(), []);
  t.equal(await realm.finish(get(stage.g2, 'docs/plan.txt')), 'bob');
});

t.test('a gateway that does not ask is refused by every server', async (t) => {
  const stage = await stageOf(6);
  const { realm, g1, docs } = stage;
  await realm.finish(g1.setAccess(ann, docs, listOf({ ann: 'all', bob: 'rl' })));
  await stage.settle();
  const liar = await realm.startGateway('liar', {
    ...realm.document,
    groups: { 'System:Administrators': ['bob'] },
  });
  await realm.clock.advance(2000);
  t.equal(await stage.try(liar.setAccess(bob, docs, listOf({ bob: 'all' }))), 'access-denied');
  await stage.settle();
  t.equal((await realm.finish(g1.access(bob, docs))).rights, 'rl');
});
