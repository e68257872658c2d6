/** What people and programs do to the versions of a file in conflict, under the names of those and by the list. */
import t, { type Test } from 'tap';
import {
  isFailure,
  type ConflictReport,
  type Entry,
  type FailureKind,
  type Venus,
} from '../../venus/interface.js';
import { silentLog } from '../../vice/seam/log.js';
import { get, list, makeDirectory, put, remove, rename, setProperty } from './share.js';
import { SimulatedRealm } from './simulated-realm.js';

t.setTimeout(300_000);

const caller = { user: 'ann' };

interface Stage {
  readonly realm: SimulatedRealm;
  readonly g1: Venus;
  readonly g2: Venus;
  /** The sibling's name. */
  readonly beside: string;
  readonly settle: () => Promise<void>;
  readonly cut: (gateway: string) => Promise<void>;
  readonly heal: (gateway: string) => Promise<void>;
  /** Lines about conflicts. */
  readonly told: readonly string[];
}

const idsOf = ({ versions }: ConflictReport): ConflictReport['versions'][number]['storeId'][] =>
  versions.map(({ storeId }) => storeId);

/** `notes.txt` shows 'from g2', beside it 'from g1'; both gateways have read neither since. */
async function stageOf(seed: number): Promise<Stage> {
  const told: string[] = [];
  const tell = (event: string, fields?: object): void => {
    const { kind, path } = (fields ?? {}) as { kind?: string; path?: string };
    if (event.startsWith('conflict')) told.push(`${event}: ${kind} ${path}`);
  };
  const realm = new SimulatedRealm({ seed, log: { ...silentLog, info: tell, warn: tell } });
  for (const name of realm.serverNames) await realm.startServer(name);
  const [g1, g2] = [await realm.startGateway('g1'), await realm.startGateway('g2')];
  await realm.clock.advance(2000);
  const settle = (): Promise<void> => realm.clock.advance(130_000);
  const cut = async (gateway: string): Promise<void> => {
    for (const server of realm.serverNames) realm.network.cut(gateway, server);
    await realm.clock.advance(5000);
  };
  const heal = async (gateway: string): Promise<void> => {
    for (const server of realm.serverNames) realm.network.heal(gateway, server);
    await settle();
  };
  await realm.finish(makeDirectory(g1, 'd'));
  await realm.finish(put(g1, 'notes.txt', 'base'));
  await realm.finish(get(g2, 'notes.txt'));
  await cut('g1');
  await realm.finish(put(g1, 'notes.txt', 'from g1'));
  await realm.finish(put(g2, 'notes.txt', 'from g2'));
  await heal('g1');
  const beside = (await realm.finish(list(g2, ''))).find((name) => name.includes('conflict')) ?? '';
  return { realm, g1, g2, beside, settle, cut, heal, told };
}

/** Names in the root, and what they show. */
async function shown({ realm }: Stage, venus: Venus): Promise<Readonly<Record<string, string | undefined>>> {
  const found: Record<string, string | undefined> = {};
  for (const name of await realm.finish(list(venus, ''))) {
    if (name === 'd') continue;
    found[name.replace(/ \(conflict (\S+ \S+) .*\)/, ' ($1)')] = await realm.finish(get(venus, name));
  }
  return found;
}

async function reports({ realm }: Stage, venus: Venus): Promise<readonly ConflictReport[]> {
  const all: ConflictReport[] = [];
  const read = async (): Promise<void> => {
    for await (const batch of venus.conflicts.list(caller)) all.push(...batch);
  };
  await realm.finish(read());
  return all;
}

/** The kind of the failure that `done` ends with. */
async function refusal(done: Promise<unknown>): Promise<FailureKind | undefined> {
  try {
    await done;
    return undefined;
  } catch (error) {
    if (!isFailure(error)) throw error;
    return error.kind;
  }
}

async function sees(
  t: Test,
  stage: Stage,
  expected: Readonly<Record<string, string>>,
  why: string,
): Promise<void> {
  await stage.settle();
  t.same(await shown(stage, stage.g1), expected, `${why}, at the first gateway`);
  t.same(await shown(stage, stage.g2), expected, `${why}, at the second`);
}

t.test('a version beside its file is a file that programs open, copy and save', async (t) => {
  const stage = await stageOf(11);
  const { realm, g1, beside } = stage;
  const { parent, object, ancestors } = await realm.finish(g1.lookup(caller, [beside]));
  if (object === null || parent === null) throw new Error('no sibling');
  t.same(ancestors, [parent]);
  t.match(object, {
    kind: 'file',
    length: 7,
    conflict: { kind: 'sibling', host: 'g1', wanted: 'notes.txt' },
  });
  t.equal(await realm.finish(g1.status(caller, object.fid)), object, 'one value, as caches want it');
  const traffic = realm.traffic.get('g1');
  await realm.finish(get(g1, beside));
  traffic?.take();
  await realm.finish(get(g1, beside));
  await realm.finish(g1.lookup(caller, ['no such file (conflict with nobody).txt']));
  t.same(traffic?.take(), {}, 'warm, it costs no call');

  await realm.finish(g1.copy(caller, object.fid, { parent, name: 'copy.txt' }, { replace: false }));
  t.equal(await refusal(realm.finish(g1.makeDirectory(caller, parent, beside))), 'exists');
  t.equal(await refusal(realm.finish(setProperty(g1, beside, '{x}y', '<z/>'))), 'access-denied');
  t.equal(await refusal(realm.finish(rename(g1, 'd', beside))), 'access-denied');
  t.equal(await refusal(realm.finish(g1.status(caller, object.fid))), undefined);
});

t.test("what is saved under a version's name is a file of its own, exactly there", async (t) => {
  const stage = await stageOf(20);
  const { realm, g1, g2, beside } = stage;
  const { object: sibling } = await realm.finish(g1.lookup(caller, [beside]));
  if (sibling === null) throw new Error('no sibling');
  for (const contents of ['edited', 'and once more']) {
    const stored = await realm.finish(put(g2, beside, contents));
    t.match(stored, { conflict: null, author: 'ann' });
    t.notMatch(stored.fid, /@/);
    t.equal(await realm.finish(get(g2, beside)), contents);
  }
  t.equal(
    await refusal(realm.finish(g1.status(caller, sibling.fid))),
    'not-found',
    'the version is given up',
  );
  await sees(
    t,
    stage,
    { 'notes.txt': 'from g2', 'notes (ann g1).txt': 'and once more' },
    'under the name that it was saved under',
  );
  for (const venus of [g1, g2]) t.same(await reports(stage, venus), [], 'and nothing is left to decide');

  const other = await stageOf(21);
  const { parent, object } = await other.realm.finish(other.g1.lookup(caller, ['notes.txt']));
  if (parent === null || object === null) throw new Error('no file');
  await other.cut('g1');
  const to = { parent, name: other.beside };
  await other.realm.finish(put(other.g1, 'copied.txt', 'copied'));
  await other.realm.finish(setProperty(other.g1, 'copied.txt', '{x}y', '<z/>'));
  const { object: source } = await other.realm.finish(other.g1.lookup(caller, ['copied.txt']));
  if (source === null) throw new Error('it was stored');
  t.match(await other.realm.finish(other.g1.copy(caller, source.fid, to, { replace: true })), {
    created: false,
    status: { conflict: null, properties: { '{x}y': '<z/>' } },
  });
  await other.heal('g1');
  const copied = { 'copied.txt': 'copied', 'notes.txt': 'from g2', 'notes (ann g1).txt': 'copied' };
  await sees(t, other, copied, 'a copy, too, also of a gateway that was cut off');
  t.same(await reports(other, other.g2), []);
});

t.test('programs that save beside and rename over it lose no other version', async (t) => {
  const stage = await stageOf(12);
  const { realm, g1, g2, beside } = stage;
  await realm.finish(put(g1, 'notes.tmp', 'merged'));
  await realm.finish(rename(g1, 'notes.tmp', 'notes.txt'));
  await sees(t, stage, { 'notes.txt': 'merged', 'notes (ann g1).txt': 'from g1' }, 'saved over the name');
  await realm.finish(put(g2, 'notes.tmp', 'the other'));
  await realm.finish(rename(g2, 'notes.tmp', beside));
  await sees(t, stage, { 'notes.txt': 'merged', 'notes (ann g1).txt': 'the other' }, 'saved over the other');
  t.same(await reports(stage, g1), [], 'which is a file of its own now');
  const other = await stageOf(22);
  await other.realm.finish(put(other.g2, 'plain.txt', 'plain'));
  await other.realm.finish(rename(other.g2, other.beside, 'plain.txt'));
  await sees(t, other, { 'notes.txt': 'from g2', 'plain.txt': 'from g1' }, 'moved over another file');
});

t.test('a file in conflict moves with all its versions, and goes with its folder', async (t) => {
  const stage = await stageOf(13);
  const { realm, g1, g2 } = stage;
  await realm.finish(rename(g1, 'notes.txt', 'd/moved.txt'));
  await stage.settle();
  for (const venus of [g1, g2]) {
    const [beside = '', name] = await realm.finish(list(venus, 'd'));
    t.equal(name, 'moved.txt');
    t.match(beside, /^moved \(conflict ann g1 /);
    t.equal(await realm.finish(get(venus, `d/${beside}`)), 'from g1');
  }
  await realm.finish(remove(g2, 'd'));
  await sees(t, stage, {}, 'removed with the folder');
  t.same(await reports(stage, g1), []);
  t.same(stage.g1.conflicts.count(), {});
});

t.test('what is saved while a person chooses stays, whatever is chosen', async (t) => {
  for (const chosen of [0, 1]) {
    const stage = await stageOf(24 + chosen);
    const { realm, g1, g2 } = stage;
    await realm.finish(get(g1, 'notes.txt'));
    const [report] = await reports(stage, g2);
    const keep = report?.versions[chosen]?.storeId;
    if (report === undefined || keep === undefined) throw new Error('no conflict');
    // With one of them in sight, apart from who decides, or with him and over what was shown.
    if (chosen === 0) await stage.cut('g1');
    await realm.finish(put(g1, 'notes.txt', 'saved meanwhile'));
    if (chosen === 0) await realm.finish(put(g2, 'notes.txt', 'from g2'));
    await stage.heal('g1');
    const [now] = await reports(stage, g2);
    const kept = chosen === 0 ? (now?.versions[0]?.storeId ?? keep) : keep;
    await realm.finish(
      g2.conflicts.repair(caller, report.fid, { keep: kept, among: [kept, ...idsOf(report)] }),
    );
    await stage.settle();
    const left = Object.values(await shown(stage, g1)).sort();
    t.same(left, [chosen === 0 ? 'from g2' : 'from g1', 'saved meanwhile'], `${chosen}`);
  }
});

t.test('a decision is made without servers, over a restart, and told once where it is known', async (t) => {
  const stage = await stageOf(14);
  const { realm, g1, g2, beside, told } = stage;
  t.same(g1.conflicts.count(), {}, 'nobody has looked there');
  t.same(g2.conflicts.count(), { versions: 1 });
  await realm.finish(get(g1, beside));
  t.same(told, ['conflict: versions /notes.txt', 'conflict: versions /notes.txt'], 'once at each gateway');
  await stage.cut('g1');
  await realm.kill('g1');
  const again = await realm.startGateway('g1');
  t.same(again.conflicts.count(), { versions: 1 }, 'known without a look');
  const [report] = await reports(stage, again);
  t.match(report, { path: ['notes.txt'], kind: 'versions', volume: 'root' });
  const [, sibling] = report?.versions ?? [];
  if (report === undefined || sibling === undefined) throw new Error('nothing to choose from');
  t.equal(sibling.name, beside);
  await realm.finish(
    again.conflicts.repair(caller, sibling.fid, { keep: sibling.storeId, among: idsOf(report) }),
  );
  t.same(await shown(stage, again), { 'notes.txt': 'from g1' });
  t.same(again.conflicts.count(), {});
  const nothing = again.conflicts.repair(caller, report.fid, { keepAll: true });
  t.equal(await refusal(realm.finish(nothing)), 'not-found');
  await stage.heal('g1');
  await sees(t, { ...stage, g1: again }, { 'notes.txt': 'from g1' }, 'the other gateway sees it');
  t.same(told.slice(2), ['conflict gone: versions /notes.txt', 'conflict gone: versions /notes.txt']);
});

t.test('all versions are kept as files of their own', async (t) => {
  const stage = await stageOf(15);
  const { realm, g1, g2, beside } = stage;
  await realm.finish(setProperty(g2, 'notes.txt', '{x}y', '<z/>'));
  const [report] = await reports(stage, g2);
  if (report === undefined) throw new Error('no conflict');
  await realm.finish(g2.conflicts.repair(caller, report.fid, { keepAll: true }));
  await sees(t, stage, { 'notes.txt': 'from g2', 'notes (ann g1).txt': 'from g1' }, 'both are there');
  for (const venus of [g1, g2]) t.same(await reports(stage, venus), [], 'and neither is in conflict');
  const { object } = await realm.finish(g1.lookup(caller, [beside]));
  t.match(object, { conflict: null, properties: { '{x}y': '<z/>' } });
  t.notMatch(object?.fid, /@/);
});

t.test('of three versions one is given up alone', async (t) => {
  const stage = await stageOf(19);
  const { realm, g1, g2 } = stage;
  for (const venus of [g1, g2]) await realm.finish(get(venus, 'notes.txt'));
  await stage.cut('g1');
  await realm.finish(put(g1, 'notes.txt', 'again from g1'));
  await realm.finish(put(g2, 'notes.txt', 'again from g2'));
  await stage.heal('g1');
  const [report] = await reports(stage, g2);
  t.equal(report?.versions.length, 3);
  const given = report?.versions.find(({ size }) => size === 'from g1'.length);
  if (report === undefined || given === undefined) throw new Error('there are three');
  await realm.finish(g2.conflicts.repair(caller, report.fid, { giveUp: given.storeId }));
  const two = { 'notes.txt': 'again from g2', 'notes (ann g1).txt': 'again from g1' };
  await sees(t, stage, two, 'the others stay');
  const again = g1.conflicts.repair(caller, report.fid, { giveUp: given.storeId });
  t.equal(await refusal(realm.finish(again)), 'not-found');
  const [left] = await reports(stage, g1);
  const [shownFirst] = left?.versions ?? [];
  if (left === undefined || shownFirst === undefined) throw new Error('there are two');
  await realm.finish(g1.conflicts.repair(caller, report.fid, { giveUp: shownFirst.storeId }));
  await sees(t, stage, { 'notes.txt': 'again from g1' }, 'another one takes the name of the shown one');
  t.same(await reports(stage, g1), []);
});

t.test('what is shown first is removed by who saw it; a version that he did not see stays', async (t) => {
  const stage = await stageOf(16);
  const { realm, g1, g2 } = stage;
  const { parent, object } = await realm.finish(g1.lookup(caller, ['notes.txt']));
  if (parent === null) throw new Error('no root');
  await realm.finish(put(g2, 'notes.txt', 'newer'));
  const expect = { version: object?.version ?? null };
  const removal = g1.remove(caller, parent, 'notes.txt', expect);
  t.equal(await refusal(realm.finish(removal)), 'changed');
  await realm.finish(remove(g1, 'notes.txt'));
  await sees(t, stage, { 'notes.txt': 'from g1' }, 'the other version takes the name');
  await realm.finish(remove(g1, 'notes.txt'));
  await sees(t, stage, {}, 'the last one goes with its name');
});

t.test('moved to two places apart: each is told by its path, and either can be kept', async (t) => {
  const stage = await stageOf(18);
  const { realm, g1, g2 } = stage;
  await realm.finish(makeDirectory(g1, 'e'));
  await realm.finish(put(g1, 'plan', 'the plan'));
  for (const venus of [g1, g2]) {
    for (const name of ['', 'd', 'e']) await realm.finish(list(venus, name));
    await realm.finish(get(venus, 'plan'));
  }
  await stage.cut('g1');
  await realm.finish(rename(g1, 'plan', 'd/plan'));
  await realm.clock.advance(1000);
  await realm.finish(rename(g2, 'plan', 'e/plan'));
  await stage.heal('g1');
  const placed = async (venus: Venus): Promise<ConflictReport | undefined> =>
    (await reports(stage, venus)).find(({ kind }) => kind === 'place');
  for (const venus of [g1, g2]) {
    const report = await placed(venus);
    t.same(report?.path, ['e', 'plan'], 'it is where it was moved last');
    t.same(
      report?.versions.map(({ path, host }) => [path?.join('/'), host]),
      [
        ['e/plan', 'g2'],
        ['d/plan', 'g1'],
      ],
    );
  }
  const report = await placed(g2);
  const [, other] = report?.versions ?? [];
  if (report === undefined || other === undefined) throw new Error('it was moved to two places');
  await realm.finish(g2.conflicts.repair(caller, report.fid, { keep: other.storeId, among: [] }));
  await stage.settle();
  for (const venus of [g1, g2]) {
    t.equal(await realm.finish(get(venus, 'd/plan')), 'the plan');
    t.equal(await placed(venus), undefined);
  }
});

t.test('a gateway sees at once that its new file has no name of its own', async (t) => {
  const stage = await stageOf(17);
  const { realm, g1, g2 } = stage;
  await realm.finish(list(g1, 'd'));
  await realm.finish(list(g2, 'd'));
  await stage.cut('g2');
  await realm.finish(put(g2, 'd/new', 'of g2'));
  await realm.finish(put(g1, 'd/new', 'of g1'));
  await stage.heal('g2');
  const entries: Entry[] = [];
  const read = async (): Promise<void> => {
    const { object } = await g1.lookup(caller, ['d']);
    if (object !== null) for await (const batch of g1.list(caller, object.fid)) entries.push(...batch);
  };
  await realm.finish(read());
  const kinds = entries.map(({ name, status }) => [name.startsWith('new ('), status.conflict?.kind]);
  t.same(kinds.sort(), [
    [false, undefined],
    [true, 'name'],
  ]);
  t.match(g1.conflicts.count(), { name: 1 });
});
