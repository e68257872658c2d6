/**
 * Two gateways on real processes: g1 is disconnected on purpose, both change the same folders, g1 comes back.
 * What does not collide is merged; what collides can be read in the share, all versions of it, and is repaired there.
 */
import t, { type Test } from 'tap';
import { z } from 'zod';
import { readFolder } from '../crash/folder-reader.js';
import { compare, emptyWorld, type World } from '../crash/world.js';
import { until } from '../program.js';
import type { WebdavClient } from '../webdav-client.js';
import { isEverywhere } from './everywhere.js';
import { move, read, succeed } from './exchange.js';
import { RealmStage, untilDrained, untilVolume } from './stage.js';

t.setTimeout(900_000);

const logSchema = z.object({
  changes: z.array(
    z.object({
      state: z.enum(['pending', 'sent', 'kept']),
      reason: z.string().nullable(),
      records: z.array(z.object({ op: z.string(), path: z.string().nullable() })),
    }),
  ),
});
const conflictsSchema = z.array(z.object({ path: z.string(), kind: z.string() }));
type Change = z.infer<typeof logSchema>['changes'][number];

const independent = 40;

/** Versions that somebody was told are safe; in the end each must be in the share. */
const precious = [
  'report of g1, corrected',
  'report of g2',
  'plan, changed by g2',
  'new of g1',
  'new of g2',
  'changed by g1',
  'changed by g2',
  'added by g2 to what g1 deleted',
  'changed by g2 under the old name',
  'made by g1 in a folder that g2 made too',
  'made by g2 in a folder that g1 made too',
  'left leaf',
  'right leaf',
];

t.test('two gateways, one of them disconnected for a while', async (t) => {
  const stage = await RealmStage.open();
  t.teardown(() => stage.close());
  const [g1, g2] = [stage.client('g1'), stage.client('g2')];
  const log = async (): Promise<readonly Change[]> =>
    logSchema.parse(JSON.parse(await stage.coda('log', '--gateway', 'g1', '--json'))).changes;

  await makeShare(g1);
  await untilSame(g1, g2);

  await stage.coda('disconnect', '--gateway', 'g1');
  const alone = await untilVolume(stage, 'g1', 'that it is disconnected', ({ avsg }) => avsg.length === 0);
  t.equal(alone.state, 'emulating');
  t.equal((await stage.volume('g2')).avsg.length, 3, 'the other gateway is not');
  await workOfFirst(g1);
  await workOfSecond(g2);
  t.equal(await read(g1, '/same/report.txt'), 'report of g1, corrected', 'each sees its own work');
  t.equal(await read(g2, '/same/report.txt'), 'report of g2');
  t.equal(await read(g1, '/merged/by g2.txt'), 404);
  t.equal(await read(g2, '/merged/by g1.txt'), 404);
  const waiting = await log();
  t.ok(waiting.every(({ state }) => state === 'pending'));
  t.ok(
    waiting.some((change) => namesPath(change, '/merged/by g1.txt')),
    'the log names what waits',
  );

  await stage.coda('reconnect', '--gateway', 'g1');
  await untilDrained(stage);
  await untilSame(g1, g2);
  for (const [name, gateway] of [
    ['g1', g1],
    ['g2', g2],
  ] as const)
    await isMerged(t, name, gateway);

  t.same(await log(), [], 'nothing was refused');
  t.equal((await stage.volume('g1')).keptRecords, 0);
  const conflicts = conflictsSchema.parse(
    JSON.parse(await stage.coda('conflicts', '--gateway', 'g2', '--json')),
  );
  const listed = conflicts.map(({ path, kind }) => `${kind} ${path}`).sort();
  t.ok(listed.includes('versions /same/report.txt'), listed.join(', '));
  t.ok(listed.includes('removal /gone/plan.txt'));
  t.notOk(
    listed.some((conflict) => conflict.includes('/independent/')),
    'what collided with nothing is no conflict',
  );
  const shared = await textsOf(g1);
  for (const text of precious) t.ok(shared.has(text), `"${text}" can be read in the share`);

  t.comment('repaired by what people do anyway, at the other gateway');
  for (const gateway of [g1, g2]) t.equal((await gateway.list('/same/')).length, 2);
  const beside = decodeURIComponent(
    (await g2.list('/same/')).find((path) => path.includes('conflict')) ?? '',
  );
  t.equal(await read(g2, beside), 'report of g1, corrected');
  await succeed(g2, 'DELETE', beside);
  await stage.coda('repair', '/gone/plan.txt', '--keep-all', '--gateway', 'g1');
  await untilSame(g1, g2);
  const left = conflictsSchema.parse(JSON.parse(await stage.coda('conflicts', '--gateway', 'g1', '--json')));
  const repaired = ['/same/report.txt', '/gone/plan.txt'];
  t.notOk(
    left.some(({ path }) => repaired.includes(path)),
    'repaired for both',
  );
  await isEverywhere(t, stage, await worldOf(g1));
});

/** Everything that both will work on, through g1: so it has all of it in its cache. */
async function makeShare(g1: WebdavClient): Promise<void> {
  const folders = ['merged', 'same', 'gone', 'independent', 'tree', 'tree/deep', 'renamed', 'left', 'right'];
  for (const folder of folders) await succeed(g1, 'MKCOL', `/${folder}`);
  for (const name of ['a', 'b', 'old of g1', 'old of g2']) {
    await succeed(g1, 'PUT', `/merged/${name}.txt`, 'before');
  }
  for (const [path, text] of [
    ['/same/report.txt', 'report'],
    ['/gone/plan.txt', 'plan'],
    ['/tree/deep/file.txt', 'before'],
    ['/renamed/old name.txt', 'before'],
    ['/left/leaf.txt', 'left leaf'],
    ['/right/leaf.txt', 'right leaf'],
  ] as const) {
    await succeed(g1, 'PUT', path, text);
  }
}

/** What collides comes first in its log. */
async function workOfFirst(g1: WebdavClient): Promise<void> {
  await succeed(g1, 'PUT', '/same/report.txt', 'report of g1');
  await succeed(g1, 'DELETE', '/gone/plan.txt');
  await succeed(g1, 'DELETE', '/tree');
  await move(g1, '/renamed/old name.txt', '/renamed/new name.txt');
  await succeed(g1, 'MKCOL', '/twice');
  await succeed(g1, 'PUT', '/twice/of g1.txt', 'made by g1 in a folder that g2 made too');
  await move(g1, '/left', '/right/left');
  await succeed(g1, 'PUT', '/merged/by g1.txt', 'new of g1');
  await succeed(g1, 'PUT', '/merged/a.txt', 'changed by g1');
  await succeed(g1, 'DELETE', '/merged/old of g1.txt');
  await succeed(g1, 'PUT', '/same/report.txt', 'report of g1, corrected');
  for (let index = 0; index < independent; index += 1) {
    await succeed(g1, 'PUT', `/independent/${index}.txt`, `independent ${index}`);
  }
}

async function workOfSecond(g2: WebdavClient): Promise<void> {
  await succeed(g2, 'PUT', '/same/report.txt', 'report of g2');
  await succeed(g2, 'PUT', '/gone/plan.txt', 'plan, changed by g2');
  await succeed(g2, 'PUT', '/tree/deep/new.txt', 'added by g2 to what g1 deleted');
  await succeed(g2, 'PUT', '/renamed/old name.txt', 'changed by g2 under the old name');
  await succeed(g2, 'MKCOL', '/twice');
  await succeed(g2, 'PUT', '/twice/of g2.txt', 'made by g2 in a folder that g1 made too');
  await move(g2, '/right', '/left/right');
  await succeed(g2, 'PUT', '/merged/by g2.txt', 'new of g2');
  await succeed(g2, 'PUT', '/merged/b.txt', 'changed by g2');
  await succeed(g2, 'DELETE', '/merged/old of g2.txt');
}

async function isMerged(t: Test, name: string, gateway: WebdavClient): Promise<void> {
  const names = (await gateway.list('/merged/')).map((path) => decodeURIComponent(path)).sort();
  const all = ['a', 'b', 'by g1', 'by g2'].map((file) => `/merged/${file}.txt`);
  t.same(names, all, `${name} has what both added, and not what either deleted`);
  t.equal(await read(gateway, '/merged/a.txt'), 'changed by g1');
  t.equal(await read(gateway, '/merged/b.txt'), 'changed by g2');
  t.equal(await read(gateway, '/same/report.txt'), 'report of g2', `${name} shows the version of the share`);
  t.equal(await read(gateway, '/gone/plan.txt'), 'plan, changed by g2', 'a change survives a deletion');
  t.equal(
    await read(gateway, '/tree/deep/new.txt'),
    'added by g2 to what g1 deleted',
    'and holds on to its folders',
  );
  t.equal((await gateway.list('/independent/')).length, independent, 'what collided held up nothing');
}

/** Breaks are on their way: both gateways show the same before long. */
async function untilSame(g1: WebdavClient, g2: WebdavClient): Promise<void> {
  let faults: readonly string[] = [];
  const same = async (): Promise<true | undefined> => {
    faults = compare(await worldOf(g1), await worldOf(g2));
    return faults.length === 0 ? true : undefined;
  };
  await until('both gateways to show the same', 120_000, same, 250).catch((cause: unknown) => {
    throw new Error(`${String(cause)}: ${faults.join(', ')}`, { cause });
  });
}

async function worldOf(gateway: WebdavClient): Promise<World> {
  return (await readFolder(gateway, '')) ?? emptyWorld;
}

function namesPath(change: Change, path: string): boolean {
  return change.records.some((record) => record.path === path);
}

async function textsOf(gateway: WebdavClient): Promise<ReadonlySet<string | number>> {
  const files = [...(await worldOf(gateway))].filter(([, item]) => item.kind === 'file');
  return new Set(await Promise.all(files.map(([path]) => read(gateway, `/${path}`))));
}
