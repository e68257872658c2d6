/** MOVE and COPY from one volume to another: whole, or not at all, whoever is away and whoever dies. */
import t from 'tap';
import type { Venus } from '../../venus/interface.js';
import { scaled } from '../test-scale.js';
import { caller, get, list, makeDirectory, pathOf, put, setProperty } from './share.js';
import { drawings, drawingServers, VolumesStory } from './volumes-story.js';

t.setTimeout(10 * 60_000);

const other = { user: 'ben' };

/** `/paths` to contents below a folder, with what is still under way or left behind. */
async function tree(venus: Venus, path: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  const { object } = await venus.lookup(caller, pathOf(path));
  if (object?.kind === 'file') found[path] = (await get(venus, path)) ?? '';
  if (object?.kind !== 'directory') return found;
  for (const name of await list(venus, path)) Object.assign(found, await tree(venus, `${path}/${name}`));
  return found;
}

const planned = { '/plans/a': 'contents of a', '/plans/deep/b': 'contents of b that are longer than 16' };
const moved = { '/drawings/p/a': 'contents of a', '/drawings/p/deep/b': planned['/plans/deep/b'] };

/** A folder in the root volume, which is going to be moved into the other one. */
async function withPlans(seed: number, gateways = ['g1']): Promise<VolumesStory> {
  const story = await VolumesStory.begin({ seed }, gateways);
  const venus = story.venus();
  for (const path of ['/plans', '/plans/deep']) await story.finish(makeDirectory(venus, path));
  for (const [path, contents] of Object.entries(planned)) await story.finish(put(venus, path, contents));
  return story;
}

/** All that is in both volumes, but for what `/drawings` itself is. */
async function everything(story: VolumesStory, gateway = 'g1'): Promise<Record<string, string>> {
  return story.finish(tree(story.venus(gateway), ''));
}

t.test('a folder is moved with all that its objects have', async (t) => {
  const story = await withPlans(1, ['g1', 'g2']);
  const venus = story.venus();
  await story.finish(setProperty(venus, '/plans/a', 'colour', 'red'));
  const { object } = await story.finish(venus.lookup(caller, ['plans', 'a']));
  const folder = (await story.finish(venus.lookup(caller, ['plans', 'deep']))).object;
  if (object === null || folder === null) throw new Error('there is no plan');
  await story.finish(venus.setModified(caller, object.fid, 1_000_000));
  await story.finish(venus.setModified(caller, folder.fid, 2_000_000));
  await story.finish(venus.setMode(caller, object.fid, 0o755));
  const list = { positive: { ann: 0x7f, ben: 3 }, negative: {} };
  await story.finish(venus.setAccess(caller, folder.fid, list));
  t.equal((await story.ask('MOVE', '/plans', '/drawings/p')).status, 201);
  t.same(await everything(story), moved);
  t.same(await everything(story, 'g2'), moved);
  const file = (await story.finish(venus.lookup(caller, ['drawings', 'p', 'a']))).object;
  t.match(file, { modified: 1_000_000, mode: 0o755, properties: object.properties });
  t.equal(file?.fid.slice(0, 8), drawings);
  const deep = (await story.finish(venus.lookup(caller, ['drawings', 'p', 'deep']))).object;
  t.equal(deep?.modified, 2_000_000);
  const { lists } = await story.finish(venus.access(caller, deep?.fid ?? folder.fid));
  t.match(lists, [{ list }]);
});

t.test('what is at the target is replaced in one step, or not at all', async (t) => {
  const story = await withPlans(2);
  const venus = story.venus();
  await story.finish(makeDirectory(venus, '/drawings/p'));
  await story.finish(put(venus, '/drawings/p/old', 'old'));
  t.equal((await story.ask('MOVE', '/plans', '/drawings/p')).status, 204);
  t.same(await everything(story), moved);
  await story.finish(put(venus, '/a', 'another a'));
  t.equal((await story.ask('MOVE', '/a', '/drawings/p/a')).status, 204);
  t.same(await everything(story), { ...moved, '/drawings/p/a': 'another a' });
});

t.test('a copy to another volume leaves the original', async (t) => {
  const story = await withPlans(3, ['g1', 'g2']);
  const answer = await story.ask('COPY', '/plans', '/drawings/p', 'g2');
  t.equal(answer.status, 201, 'by one that has read nothing of it');
  t.same(await everything(story), { ...planned, ...moved });
  t.equal((await story.ask('COPY', '/drawings', '/all')).status, 201, 'also of a folder that is a volume');
  t.equal(await story.finish(get(story.venus(), '/all/p/a')), planned['/plans/a']);
});

t.test('a volume moves to no other volume', async (t) => {
  const story = await withPlans(4);
  const venus = story.venus();
  await story.finish(makeDirectory(venus, '/drawings/in'));
  t.equal((await story.ask('MOVE', '/drawings', '/drawings/in/x')).status, 403);
  t.equal((await story.ask('MOVE', '/drawings', '/plans/drawings')).status, 201, 'but within its own');
  await story.finish(put(venus, '/plans/drawings/in/house', 'a house'));
  const before = await everything(story);
  const refused = await story.ask('MOVE', '/plans', '/plans/drawings/plans');
  t.equal(refused.status, 403);
  t.same(await everything(story), before);
});

t.test('what is changed while it is moved stays, and the answer says so', async (t) => {
  const story = await withPlans(5, ['g1', 'g2']);
  const [g1, g2] = [story.venus('g1'), story.venus('g2')];
  const remove = g1.remove.bind(g1);
  let isFirst = true;
  g1.remove = async (...args) => {
    if (isFirst) {
      isFirst = false;
      const [name = ''] = (await list(g2, '')).filter((each) => each.startsWith('.moved-'));
      await put(g2, `/${name}/deep/b`, 'changed by ben', other);
      await put(g2, `/${name}/deep/c`, 'new', other);
    }
    return remove(...args);
  };
  const answer = await story.ask('MOVE', '/plans', '/drawings/p');
  t.equal(answer.status, 207);
  t.match(answer.text, '/s/plans/deep/b</D:href><D:status>HTTP/1.1 409');
  const left = { '/plans/deep/b': 'changed by ben', '/plans/deep/c': 'new' };
  t.same(await everything(story), { ...moved, ...left });
});

t.test('a move that fails leaves the source whole and nothing at the target', async (t) => {
  const story = await withPlans(6);
  const venus = story.venus();
  await story.finish(list(venus, '/drawings'));
  await story.finish(list(venus, '/plans'));
  const setModified = venus.setModified.bind(venus);
  venus.setModified = () => Promise.reject(new Error('the power is gone'));
  t.equal((await story.ask('MOVE', '/plans', '/drawings/p')).status, 500);
  venus.setModified = setModified;
  t.same(await everything(story), planned);
});

for (const [cut, what] of [
  [['s1', 's2'], 'the source'],
  [drawingServers, 'the target'],
  [['s1', 's2', 's3', 's4'], 'both'],
] as const) {
  t.test(`a move while the servers of ${what} are away`, async (t) => {
    const story = await withPlans(7, ['g1', 'g2']);
    await everything(story);
    await story.cut(cut);
    t.equal((await story.ask('MOVE', '/plans', '/drawings/p')).status, 201);
    t.same(await everything(story), moved);
    await story.heal(cut);
    for (const name of ['root', 'drawings']) {
      t.match(story.volume(name), { state: 'hoarding', pendingRecords: 0, keptRecords: 0 });
    }
    t.same(await everything(story, 'g2'), moved);
  });
}

t.test('a copy that the servers refuse in the end is kept, though the original has gone', async (t) => {
  const story = await withPlans(8, ['g1', 'g2']);
  const [g1, g2] = [story.venus('g1'), story.venus('g2')];
  await everything(story);
  await story.cut(drawingServers);
  t.equal((await story.ask('MOVE', '/plans', '/drawings/p')).status, 201);
  await story.realm.clock.advance(10_000);
  t.same(await story.finish(list(g2, '')), ['drawings'], 'the original has gone at the servers');
  const root = await story.fidOf('/drawings', 'g2');
  if (root === undefined) throw new Error('there is no volume');
  await story.finish(g2.setAccess(caller, root, { positive: { ben: 0x7f }, negative: {} }));
  await story.heal(drawingServers);
  const { keptRecords } = story.volume('drawings');
  t.ok(keptRecords > 0);
  const stores = g1.log.changes().flatMap(({ records }) => records.filter(({ op }) => op === 'store'));
  t.equal(stores.length, 2);
  let archive = '';
  const chunks = async (): Promise<void> => {
    for await (const chunk of g1.log.checkpoint()) archive += Buffer.from(chunk).toString('latin1');
  };
  await story.finish(chunks());
  for (const contents of Object.values(planned)) t.match(archive, contents);
});

t.test('what was changed in a tree that a dead gateway had put aside comes to be seen again', async (t) => {
  const story = await withPlans(9, ['g1', 'g2']);
  const [g1, g2] = [story.venus('g1'), story.venus('g2')];
  let isAside = (): void => undefined;
  const aside = new Promise<void>((resolve) => (isAside = resolve));
  // It dies before anything has gone.
  g1.remove = () => {
    isAside();
    return new Promise(() => undefined);
  };
  story.begun('MOVE', '/plans', '/drawings/p').catch(() => undefined);
  await story.finish(aside);
  story.realm.kill('g1');
  const [name = ''] = (await story.finish(list(g2, ''))).filter((each) => each.startsWith('.moved-'));
  await story.finish(put(g2, `/${name}/deep/b`, 'changed by ben', other));
  await story.restart();
  await story.finish(story.door().moves.finish());
  t.same(await everything(story, 'g2'), { ...moved, '/plans (not moved)/deep/b': 'changed by ben' });
});

t.test('a move that its target has no room for, or is locked, changes nothing', async (t) => {
  const story = await withPlans(10);
  await everything(story);
  await story.set('drawings', { quotaBytes: 20 });
  t.equal((await story.ask('MOVE', '/plans', '/drawings/p')).status, 507);
  t.same(await everything(story), planned);
  await story.set('drawings', { quotaBytes: undefined, locked: true });
  t.equal((await story.ask('MOVE', '/plans', '/drawings/p')).status, 403);
  t.same(await everything(story), planned);
  t.same(story.venus().leases.all(), []);
  await story.set('drawings', { locked: undefined });
  t.equal((await story.ask('MOVE', '/plans', '/drawings/p')).status, 201);
  t.same(await everything(story), moved);
});

t.test('versions that a volume hides are not dropped by a move', async (t) => {
  const story = await withPlans(11, ['g1', 'g2']);
  const [g1, g2] = [story.venus('g1'), story.venus('g2')];
  await story.set('root', { conflicts: 'last-writer-wins' });
  await everything(story);
  await everything(story, 'g2');
  await story.cut(['s1', 's2']);
  await story.finish(put(g1, '/plans/deep/b', 'by ann'));
  await story.finish(put(g2, '/plans/deep/b', 'by ben', other));
  await story.heal(['s1', 's2']);
  await everything(story);
  for (const from of ['/plans', '/plans/deep/b']) {
    const refused = await story.ask('MOVE', from, '/drawings/p');
    t.match(refused, { status: 409, text: /b has another version, overwritten unseen.*\.coda\/overwritten/ });
    t.same(await story.finish(list(g1, '/drawings')), [], from);
  }
  t.same(Object.keys(await everything(story)), Object.keys(planned));
  const { object } = await story.finish(g1.lookup(caller, ['plans', 'deep', 'b']));
  if (object?.version == null) throw new Error('there is no b');
  const [report] = await story.finish(g1.conflicts.of(caller, object.fid));
  const among = report?.versions.map(({ storeId }) => storeId) ?? [];
  await story.finish(g1.conflicts.repair(caller, object.fid, { keep: object.version, among }));
  t.equal((await story.ask('MOVE', '/plans', '/drawings/p')).status, 201);
  t.same(await everything(story, 'g2'), { ...moved, '/drawings/p/deep/b': 'by ben' });
});

const crashes = scaled(8, 3);
for (const cut of [[], drawingServers, ['s1', 's2']]) {
  t.test(`a gateway dies while it moves; away: ${cut.join(' ') || 'nobody'}`, async (t) => {
    const outcomes = new Set<string>();
    const begin = async (index: number): Promise<VolumesStory> => {
      const story = await withPlans(100 + index, ['g1', 'g2']);
      await everything(story);
      await story.cut(cut);
      return story;
    };
    const first = await begin(0);
    const { clock } = first.realm;
    const since = clock.monotonic();
    await first.ask('MOVE', '/plans', '/drawings/p');
    const whole = clock.monotonic() - since;
    // Before the first step, after the last one, and between.
    for (let index = 0; index <= crashes; index += 1) {
      const story = await begin(index);
      // Whom nobody answers any more it fails, or waits for ever.
      story.begun('MOVE', '/plans', '/drawings/p').catch(() => undefined);
      await story.realm.clock.advance((1.5 * whole * index) / crashes);
      story.realm.kill('g1');
      await story.realm.startGateway('g1');
      await story.heal(cut);
      const found = await everything(story, 'g2');
      const isAt = (all: Record<string, string>): boolean =>
        Object.entries(all).every(([path, contents]) => found[path] === contents);
      const [source, target] = [isAt(planned), isAt(moved)];
      t.ok(source || target, `${index}: ${JSON.stringify(found)}`);
      const given = Object.keys(found).filter((path) => !/\.mov/.test(path));
      t.ok(target || !given.some((path) => path.startsWith('/drawings/p')), 'no half target');
      t.ok(source || !given.some((path) => path.startsWith('/plans')), 'no half source');
      outcomes.add(`${source} ${target}`);
      await story.finish(story.door('g1').moves.finish());
      await story.heal([]);
      const after = await everything(story, 'g2');
      const kept = [source && given.includes('/plans/a') ? planned : {}, target ? moved : {}];
      t.same(after, Object.assign({}, ...kept), `${index}: what was left behind goes by itself`);
      t.same(story.venus().leases.all(), []);
      for (const name of ['root', 'drawings'])
        t.match(story.volume(name), { pendingRecords: 0, keptRecords: 0 });
    }
    t.ok(outcomes.size > 1, [...outcomes].join());
  });
}
