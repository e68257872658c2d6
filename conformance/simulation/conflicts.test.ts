/** What is changed apart comes together, whatever fails: stories of one conflict each, then seeded runs. */
import t from 'tap';
import type { ConflictReport, Entry, Venus } from '../../venus/interface.js';
import { conflictRun, type ConflictRunOptions } from './conflict-run.js';
import { get, list, makeDirectory, put, remove, rename } from './share.js';
import { scaled } from '../test-scale.js';
import { SimulatedRealm } from './simulated-realm.js';

const caller = { user: 'ann' };

t.setTimeout(10 * 60_000);

interface Stage {
  readonly realm: SimulatedRealm;
  readonly g1: Venus;
  readonly g2: Venus;
  /** Does both, neither seeing the other, and brings all together. */
  apart(first: (g1: Venus) => Promise<unknown>, second: (g2: Venus) => Promise<unknown>): Promise<void>;
  conflicts(venus: Venus): Promise<readonly ConflictReport[]>;
  settle(): Promise<void>;
}

async function stageOf(seed: number): Promise<Stage> {
  const realm = new SimulatedRealm({ seed });
  for (const name of realm.serverNames) await realm.startServer(name);
  const [g1, g2] = [await realm.startGateway('g1'), await realm.startGateway('g2')];
  await realm.clock.advance(2000);
  const settle = (): Promise<void> => realm.clock.advance(130_000);
  return {
    realm,
    g1,
    g2,
    settle,
    async apart(first, second) {
      for (const server of realm.serverNames) realm.network.cut('g1', server);
      await realm.clock.advance(5000);
      await realm.finish(first(g1));
      await realm.finish(second(g2));
      for (const server of realm.serverNames) realm.network.heal('g1', server);
      await settle();
    },
    async conflicts(venus) {
      const reports: ConflictReport[] = [];
      const read = async (): Promise<void> => {
        for await (const batch of venus.conflicts.list(caller)) reports.push(...batch);
      };
      await realm.finish(read());
      return reports;
    },
  };
}

async function entries(venus: Venus, path: string): Promise<readonly Entry[]> {
  const { object } = await venus.lookup(caller, path === '' ? [] : path.split('/'));
  const all: Entry[] = [];
  if (object !== null) for await (const batch of venus.list(caller, object.fid)) all.push(...batch);
  return all;
}

t.test(
  'a file that two people changed apart: both versions, on both gateways; deleting one is the repair',
  async (t) => {
    const { realm, g1, g2, apart, conflicts, settle } = await stageOf(1);
    await realm.finish(put(g1, 'report.txt', 'base'));
    await realm.finish(get(g2, 'report.txt'));
    await apart(
      () => put(g1, 'report.txt', 'from g1'),
      () => put(g2, 'report.txt', 'from g2'),
    );
    for (const venus of [g1, g2]) {
      const names = await realm.finish(list(venus, ''));
      t.equal(names.length, 2, names.join(', '));
      const [sibling = '', name] = names;
      t.equal(name, 'report.txt');
      t.match(sibling, /^report \(conflict ann g1 \S+ \S+\)\.txt$/);
      t.equal(await realm.finish(get(venus, 'report.txt')), 'from g2', 'what was saved last is shown');
      t.equal(await realm.finish(get(venus, sibling)), 'from g1', 'the other can be read');
      const [report] = await conflicts(venus);
      t.match(report, { kind: 'versions', path: ['report.txt'] });
      t.same(
        report?.versions.map(({ host }) => host),
        ['g2', 'g1'],
      );
    }
    const { object: shown } = await realm.finish(g1.lookup(caller, ['report.txt']));
    t.equal(shown?.conflict?.kind, 'versions');

    await realm.finish(put(g2, 'report.txt', 'from g2, again'));
    await settle();
    const [sibling = ''] = await realm.finish(list(g1, ''));
    t.equal(await realm.finish(get(g1, sibling)), 'from g1', 'a write to the name leaves the others alone');

    await realm.finish(remove(g1, sibling));
    await settle();
    for (const venus of [g1, g2]) {
      t.same(await realm.finish(list(venus, '')), ['report.txt']);
      t.same(await conflicts(venus), []);
      t.equal(await realm.finish(get(venus, 'report.txt')), 'from g2, again');
    }
  },
);

t.test('one version moved over the name, or the name deleted: the other takes it', async (t) => {
  const { realm, g1, g2, apart, conflicts, settle } = await stageOf(2);
  for (const name of ['one', 'two', 'three']) await realm.finish(put(g1, name, 'base'));
  for (const name of ['one', 'two', 'three']) await realm.finish(get(g2, name));
  await apart(
    async () => {
      for (const name of ['one', 'two', 'three']) await put(g1, name, `${name} of g1`);
    },
    async () => {
      for (const name of ['one', 'two', 'three']) await put(g2, name, `${name} of g2`);
    },
  );
  const siblings = (await realm.finish(list(g2, ''))).filter((name) => name.includes('conflict'));
  const [one = '', three = ''] = siblings;
  t.equal(siblings.length, 3);
  await realm.finish(rename(g2, one, 'one'));
  await realm.finish(remove(g1, 'two'));
  await realm.finish(rename(g1, three, 'rescued'));
  await settle();
  for (const venus of [g1, g2]) {
    t.same(await realm.finish(list(venus, '')), ['one', 'rescued', 'three', 'two']);
    t.equal(await realm.finish(get(venus, 'one')), 'one of g1');
    t.equal(await realm.finish(get(venus, 'two')), 'two of g1');
    t.equal(await realm.finish(get(venus, 'three')), 'three of g2');
    t.equal(await realm.finish(get(venus, 'rescued')), 'three of g1');
    t.same(await conflicts(venus), []);
  }
});

t.test('a program that deletes what it moves over: the name of a version goes on meaning it', async (t) => {
  const { realm, g1, g2, apart, conflicts, settle } = await stageOf(8);
  await realm.finish(put(g1, 'f', 'base'));
  await realm.finish(get(g2, 'f'));
  await apart(
    () => put(g1, 'f', 'from g1'),
    () => put(g2, 'f', 'from g2'),
  );
  const [beside = ''] = (await realm.finish(list(g2, ''))).filter((name) => name !== 'f');
  await realm.finish(remove(g2, 'f'));
  t.same(await realm.finish(list(g2, '')), ['f']);
  t.equal(await realm.finish(get(g2, beside)), 'from g1', 'unlisted, but there');
  await realm.finish(rename(g2, beside, 'f'));
  await settle();
  for (const venus of [g1, g2]) {
    t.same(await realm.finish(list(venus, '')), ['f']);
    t.equal(await realm.finish(get(venus, 'f')), 'from g1');
    t.same(await conflicts(venus), []);
  }
  t.equal(
    await realm.finish(get(g1, 'f (conflict ann g1 2001-01-01 00.00.00)')),
    undefined,
    'no other name is',
  );
});

t.test('two repairs made apart are a conflict again, and no loss', async (t) => {
  const { realm, g1, g2, apart, conflicts } = await stageOf(3);
  await realm.finish(put(g1, 'f', 'base'));
  await realm.finish(get(g2, 'f'));
  await apart(
    () => put(g1, 'f', 'from g1'),
    () => put(g2, 'f', 'from g2'),
  );
  const [sibling = ''] = (await realm.finish(list(g1, ''))).filter((name) => name !== 'f');
  await realm.finish(get(g1, sibling));
  await apart(
    () => remove(g1, sibling),
    () => remove(g2, 'f'),
  );
  for (const venus of [g1, g2]) {
    const [report] = await conflicts(venus);
    t.equal(report?.kind, 'versions');
    const contents = [];
    for (const { name } of report?.versions ?? []) contents.push(await realm.finish(get(venus, name)));
    t.same(contents.sort(), ['from g1', 'from g2']);
  }
});

t.test(
  'two new files under one name; who was there first keeps it, and when he goes the other gets it',
  async (t) => {
    const { realm, g1, g2, apart, conflicts, settle } = await stageOf(4);
    await realm.finish(makeDirectory(g1, 'd'));
    await realm.finish(list(g2, 'd'));
    await realm.finish(list(g1, 'd'));
    await apart(
      () => put(g1, 'd/new.txt', 'from g1'),
      () => put(g2, 'd/new.txt', 'from g2'),
    );
    for (const venus of [g1, g2]) {
      const [beside = '', name] = await realm.finish(list(venus, 'd'));
      t.equal(name, 'new.txt');
      t.match(beside, /^new \(conflict ann g2 /);
      t.equal(await realm.finish(get(venus, 'd/new.txt')), 'from g1');
      t.equal(await realm.finish(get(venus, `d/${beside}`)), 'from g2');
      const [report] = await conflicts(venus);
      t.match(report, { kind: 'name', path: ['d', beside] });
    }
    await realm.finish(remove(g2, 'd/new.txt'));
    await settle();
    for (const venus of [g1, g2]) {
      t.same(await realm.finish(list(venus, 'd')), ['new.txt']);
      t.equal(await realm.finish(get(venus, 'd/new.txt')), 'from g2');
      t.same(await conflicts(venus), []);
    }
  },
);

t.test('an update survives a removal that did not know of it, with the directories above it', async (t) => {
  const { realm, g1, g2, apart, conflicts, settle } = await stageOf(5);
  await realm.finish(makeDirectory(g1, 'd'));
  await realm.finish(makeDirectory(g1, 'd/e'));
  await realm.finish(put(g1, 'd/e/f', 'base'));
  await realm.finish(put(g1, 'd/e/other', 'goes'));
  await realm.finish(get(g2, 'd/e/f'));
  await apart(
    () => remove(g1, 'd'),
    () => put(g2, 'd/e/f', 'changed'),
  );
  for (const venus of [g1, g2]) {
    t.equal(await realm.finish(get(venus, 'd/e/f')), 'changed');
    t.same(await realm.finish(list(venus, 'd/e')), ['f']);
    t.match(await conflicts(venus), [{ kind: 'removal', path: ['d', 'e', 'f'] }]);
  }
  const [report] = await conflicts(g2);
  if (report === undefined) throw new Error('no conflict');
  await realm.finish(g2.conflicts.repair(caller, report.fid, { keepAll: true }));
  await settle();
  for (const venus of [g1, g2]) t.same(await conflicts(venus), []);
  t.equal(await realm.finish(get(g1, 'd/e/f')), 'changed');
});

t.test('two directories moved into each other: no circle, nothing unreachable', async (t) => {
  const { realm, g1, g2, apart, conflicts } = await stageOf(6);
  for (const name of ['a', 'b']) {
    await realm.finish(makeDirectory(g1, name));
    await realm.finish(put(g1, `${name}/leaf`, name));
    await realm.finish(get(g2, `${name}/leaf`));
    await realm.finish(list(g2, name));
  }
  await apart(
    () => rename(g1, 'a', 'b/a'),
    () => rename(g2, 'b', 'a/b'),
  );
  for (const venus of [g1, g2]) {
    t.same(await realm.finish(list(venus, '')), ['b']);
    t.same(await realm.finish(list(venus, 'b')), ['a', 'leaf']);
    t.same(await realm.finish(list(venus, 'b/a')), ['leaf']);
    t.match(await conflicts(venus), [{ kind: 'place', path: ['b'] }]);
  }
});

t.test('identical contents are no conflict', async (t) => {
  const { realm, g1, g2, apart, conflicts } = await stageOf(7);
  await realm.finish(put(g1, 'f', 'base'));
  await realm.finish(get(g2, 'f'));
  await apart(
    () => put(g1, 'f', 'the same'),
    () => put(g2, 'f', 'the same'),
  );
  for (const venus of [g1, g2]) {
    t.same(
      (await realm.finish(entries(venus, ''))).map(({ name }) => name),
      ['f'],
    );
    t.same(await conflicts(venus), []);
  }
});

const seeds = Number(process.env['SEEDS'] ?? scaled(8, 3));
const from = Number(process.env['SEED'] ?? '1');
const steps = Number(process.env['STEPS'] ?? '60');
const kinds: readonly (readonly [string, Omit<ConflictRunOptions, 'steps'>])[] = [
  ['gateways that lose all servers', { partitions: 'gateways', kills: false }],
  ['any two parties apart', { partitions: 'any', kills: false }],
  ['and processes that die', { partitions: 'any', kills: true }],
];
for (const [name, options] of kinds) {
  t.test(`seeded: ${name}`, async (t) => {
    const found: Record<string, number> = {};
    for (let seed = from; seed < from + seeds; seed += 1) {
      const report = await conflictRun(seed, { ...options, steps });
      if (report.violations.length > 0) t.comment(report.trace.join('\n'));
      t.same(report.violations, [], `seed ${seed}`);
      for (const [kind, count] of Object.entries(report.conflicts)) found[kind] = (found[kind] ?? 0) + count;
    }
    t.comment(`${seeds} runs, conflicts: ${JSON.stringify(found)}`);
    const count = Object.values(found).reduce((sum, each) => sum + each, 0);
    if (seeds >= 25) t.ok(count > 0, 'there was something to repair');
  });
}
