/** `coda conflicts` and `coda repair`: real processes, whose gateway is a Venus in memory behind a real door. */
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import t, { type Test } from 'tap';
import { coda, type CodaEnded } from '../../conformance/coda-command.js';
import { systemClock } from '../../vice/seam/real/system-clock.js';
import { unionOf, type StoreId, type VenusId } from '../../vice/interface/index.js';
import type { Caller, Fid } from '../../venus/interface.js';
import { MemoryVenus } from '../../venus/twin/memory-venus.js';
import type { ConflictOf } from '../realm/conflict-report.js';
import { openControlDoor } from '../realm/control-door.js';
import { statusSchema, type Status } from '../realm/status.js';
import { venusAnswer } from '../realm/venus-answer.js';
import { venusMetrics } from '../venus-metrics.js';
import { conflictCount, conflictText } from './conflict-text.js';
import { rowsOf, sideBySide } from './side-by-side.js';
import { chooseVersion } from './version-choice.js';

t.setTimeout(300_000);

const clock = systemClock();
const start = Date.UTC(2026, 0, 2, 3, 4, 5);
const hour = 3_600_000;
const ann: Caller = { user: 'ann' };
const bobs = 'plan (conflict bob g2 2026-01-01 12.00.00).txt';
const carols = 'plan (conflict carol g3 2026-01-01 13.00.00).txt';

interface World {
  readonly venus: MemoryVenus;
  readonly folder: string;
  coda(...options: readonly string[]): Promise<CodaEnded>;
  contents(path: string): Promise<string | null>;
}

async function openWorld(t: Test, conflicts: 'keep' | 'last-writer-wins' = 'keep'): Promise<World> {
  const owner = JSON.stringify({ format: 2, role: 'gateway', name: 'g1', realm: 'r' });
  const folder = t.testdir({ gateway: { 'coda-folder.json': owner } });
  const data = join(folder, 'gateway');
  const venus = new MemoryVenus({ wall: () => start, servers: ['s1'], conflicts });
  const answer = venusAnswer(venus, clock);
  const door = await openControlDoor(
    data,
    async (method, path, body) => (path === '/status' ? statusOf(venus) : answer(method, path, body)),
    clock,
    0,
  );
  t.teardown(() => door.close());
  return {
    venus,
    folder,
    coda: (...options) =>
      coda(t, ...options, '--data', data, ...(userless(options) ? [] : ['--user', 'ann'])),
    contents: async (path) => {
      const { object } = await venus.lookup(ann, path.split('/'));
      if (object === null) return null;
      const file = await venus.open(ann, object.fid);
      const held = await text(file.read());
      await file.close();
      return held;
    },
  };
}

function userless([name]: readonly string[]): boolean {
  return name === 'status';
}

function statusOf(venus: MemoryVenus): Status {
  const own = { name: 'g1', pid: process.pid, url: 'http://127.0.0.1:1/', state: 'running' };
  const conflicts = conflictCount(venus.conflicts.count());
  return statusSchema.parse({ servers: [], gateways: [{ ...own, ...venus.state(), conflicts }] });
}

async function put(venus: MemoryVenus, parent: Fid, name: string, contents: string | Buffer): Promise<Fid> {
  const writer = await venus.write(ann);
  await writer.write(Buffer.from(contents));
  return (await writer.close({ parent, name })).status.fid;
}

async function rootOf(venus: MemoryVenus): Promise<Fid> {
  const { object } = await venus.lookup(ann, []);
  if (object === null) throw new Error('there is a root');
  return object.fid;
}

/** /docs/plan.txt, changed apart by ann, bob and carol. */
async function contested(venus: MemoryVenus, own: string | Buffer, bob: Buffer, carol: Buffer): Promise<Fid> {
  const docs = await venus.makeDirectory(ann, await rootOf(venus), 'docs');
  const fid = await put(venus, docs.fid, 'plan.txt', own);
  const noon = Date.UTC(2026, 0, 1, 12);
  venus.addVersion(fid, { author: 'bob', host: 'g2', time: noon, bytes: bob });
  venus.addVersion(fid, { author: 'carol', host: 'g3', time: noon + hour, bytes: carol });
  return fid;
}

const lines = (...changed: readonly string[]): Buffer =>
  Buffer.from([...'abcdefgh', ...changed, ...'ijklmnop', ''].join('\n'));

t.test('a file with three versions: listed, compared, merged', async (t) => {
  const { venus, folder, coda, contents } = await openWorld(t);
  t.match(await coda('conflicts'), { code: 0, stdout: /^There are no conflicts at g1\.$/m });
  await contested(venus, lines('by ann'), lines('by bob', 'and more'), lines());

  const [list, json, status, metrics] = await Promise.all([
    coda('conflicts'),
    coda('conflicts', '--json', '--gateway', 'g1'),
    coda('status'),
    venusMetrics(venus, clock).metrics(),
  ]);
  t.match(list.stdout, /^\/docs\/plan\.txt: 3 versions, made apart\n {2}plan\.txt +ann +memory +2026-/);
  t.match(list.stdout, /1 conflict\. To see what differs: .*repair PATH --gateway g1 --compare/);
  const told = JSON.parse(json.stdout) as [{ versions: { storeId: string }[] }];
  const time = Date.UTC(2026, 0, 1, 13);
  t.strictSame(told, [
    {
      path: '/docs/plan.txt',
      kind: 'versions',
      versions: [
        { name: 'plan.txt', author: 'ann', host: 'memory', time: start + 1, size: 39 },
        { name: carols, author: 'carol', host: 'g3', time, size: 32 },
        { name: bobs, author: 'bob', host: 'g2', time: time - hour, size: 48 },
      ].map((version, index) => ({
        ...version,
        path: `/docs/${version.name}`,
        storeId: told[0].versions[index]?.storeId,
      })),
      resolver: null,
    },
  ]);
  t.match(status.stdout, /^g1: 1 conflict to decide; see: .*conflicts --gateway g1$/m);
  t.match(metrics, /coda_conflicts\{kind="versions"\} 1\n/);
  t.match(metrics, /coda_conflicts\{kind="name"\} 0\n/);

  const compared = await coda('repair', '/docs/plan.txt', '--compare');
  t.equal(compared.code, 0);
  t.match(compared.stdout, /^< plan\.txt, by ann at memory/m);
  t.match(compared.stdout, /^by ann +\| by bob$/m);
  t.match(compared.stdout, /^ +> and more$/m);
  t.match(compared.stdout, /^by ann +<$/m, 'carol has nothing there');
  t.notMatch(compared.stdout, /^a +a$/m, 'what is far from a difference is left out');

  const merged = join(folder, 'merged.txt');
  writeFileSync(merged, 'merged');
  const missing = await coda('repair', 'docs/plan.txt', '--with', join(folder, 'none.txt'));
  t.match(missing, { code: 2, stderr: /none\.txt does not exist\. Nothing was changed/ });
  t.same(venus.conflicts.count(), { versions: 1 });
  const done = await coda('repair', `/docs/${bobs}`, '--with', merged);
  t.match(done, {
    code: 0,
    stdout: /^\/docs\/plan\.txt has the contents of .*merged\.txt now \(6 B\)\. 3 versions/,
  });
  t.equal(await contents('docs/plan.txt'), 'merged');
  t.same(venus.conflicts.count(), {});
  t.equal(venus.openWriters + venus.openFiles, 0);
  const again = await coda('repair', '/docs/plan.txt', '--compare');
  t.match(again, { code: 4, stderr: /not in conflict. What is, is listed by: .*conflicts --gateway g1/ });
});

t.test('a version is kept, or all are', async (t) => {
  const { venus, coda, contents } = await openWorld(t);
  const fid = await contested(venus, 'by ann', Buffer.from('by bob'), Buffer.from('by carol'));
  const [none, both, nobody, nowhere] = await Promise.all([
    coda('repair', '/docs/plan.txt'),
    coda('repair', '/docs/plan.txt', '--keep', 'bob', '--keep-all'),
    coda('repair', '/docs/plan.txt', '--keep', 'dave'),
    coda('repair', '/docs/plans.txt', '--keep-all'),
  ]);
  t.match(none, {
    code: 2,
    stderr: /one of --compare, --keep VERSION, --give-up VERSION, --with FILE or --keep-all/,
  });
  t.match(both, { code: 2 });
  t.match(nobody, {
    code: 4,
    stderr: /no version "dave" of \/docs\/plan\.txt.*\n.*plan\.txt, by ann at memory/,
  });
  t.match(nowhere, { code: 4, stderr: /There is no \/docs\/plans\.txt in the share/ });
  t.same(venus.conflicts.count(), { versions: 1 });

  const dave = Buffer.from('by dave');
  venus.addVersion(fid, { author: 'dave', host: 'g4', time: start - hour, bytes: dave });
  const gone = await coda('repair', '/docs/plan.txt', '--give-up', 'dave');
  t.match(gone, {
    code: 0,
    stdout: /^plan \(conflict dave .*, was given up\. 3 versions of \/docs\/plan\.txt are/,
  });
  t.match(await coda('repair', '/docs/plan.txt', '--give-up', 'dave'), {
    code: 4,
    stderr: /no version "dave"/,
  });

  const all = await coda('repair', '/docs/plan.txt', '--keep-all', '--json');
  t.same(JSON.parse(all.stdout), {
    gateway: 'g1',
    path: '/docs/plan.txt',
    kept: ['plan.txt', carols, bobs],
    givenUp: [],
  });
  t.same(venus.conflicts.count(), {});
  t.equal(await contents(`docs/${bobs}`), 'by bob', 'a file of its own');

  const bytes = Buffer.from([0, 1, 2]);
  venus.addVersion(fid, { author: 'dave', host: 'g4', time: start - hour, bytes });
  const compared = await coda('repair', '/docs/plan.txt', '--compare');
  const digest = createHash('sha256').update(bytes).digest('hex');
  t.match(
    compared.stdout,
    new RegExp(`^> 3 B, SHA-256 ${digest}$`, 'm'),
    'what is no text is told by its digest',
  );
  const kept = await coda('repair', '/docs/plan.txt', '--keep', 'g4');
  t.match(kept, {
    code: 0,
    stdout: /is now: plan \(conflict dave .*, by dave at g4.* 1 version was given up/,
  });
  t.equal(await contents('docs/plan.txt'), bytes.toString());
  t.same(venus.conflicts.count(), {});
});

t.test('folders that were given one name', async (t) => {
  const { venus, coda } = await openWorld(t);
  const root = await rootOf(venus);
  const first = await venus.makeDirectory(ann, root, 'trip');
  const second = await venus.makeDirectory(ann, root, 'trip (2)');
  await put(venus, first.fid, 'map.png', 'map');
  await put(venus, second.fid, 'map.png', 'another map');
  await put(venus, second.fid, 'tickets.pdf', 'tickets');
  const removers = { ['00000000000000cc' as VenusId]: 1 };
  venus.alter(second.fid, (status) => ({
    ...status,
    places: status.places.map((place) => ({ ...place, name: 'trip' })),
    known: unionOf(status.known, removers),
    gone: removers,
  }));
  const list = await coda('conflicts');
  t.match(list.stdout, /^\/trip \(2\): another object keeps the name that it was given\n {2}trip \(2\) /m);
  t.match(list.stdout, /^\/trip \(2\): removed by somebody who did not know of this change$/m);
  const wrong = await coda('repair', '/trip (2)', '--give-up', 'ann');
  t.match(wrong, { code: 4, stderr: /is no file with several versions/ });
  const compared = await coda('repair', '/trip (2)', '--compare');
  t.match(compared.stdout, /^map\.png {2}11 B .* \| map\.png {2}3 B /m);
  t.match(compared.stdout, /^tickets\.pdf {2}7 B .* <$/m);
  const kept = await coda('repair', '/trip (2)', '--keep', 'trip (2)');
  t.match(kept, { code: 0, stdout: /^\/trip \(2\) is now: trip \(2\), by ann/ });
  t.same(venus.conflicts.count(), {});
});

t.test('what was moved to several places: each is told by its whole path', async (t) => {
  const { venus, coda } = await openWorld(t);
  const root = await rootOf(venus);
  const made = await Promise.all(['2025', '2026'].map((name) => venus.makeDirectory(ann, root, name)));
  const [, later] = made;
  if (later === undefined) throw new Error('two were made');
  const fid = await put(venus, later.fid, 'trip.txt', 'contents');
  venus.alter(fid, (status) => {
    const moves = made.map(({ fid: parent }, index) => ({
      parent,
      name: 'trip.txt',
      storeId: `00000000000000c${index}:1` as StoreId,
      time: start - index * hour,
      author: 'bob',
      host: 'g2',
      isBroken: false,
    }));
    const known = { ...status.known, ...Object.fromEntries(moves.map(({ storeId }) => storeId.split(':'))) };
    return { ...status, known, places: [...status.places, ...moves] };
  });
  const places = ['/2026/trip.txt', '/2025/trip.txt', '/2026/trip.txt'];
  const [list, json, compared, compare, ambiguous] = await Promise.all([
    coda('conflicts'),
    coda('conflicts', '--json'),
    coda('repair', '/2026/trip.txt', '--compare'),
    coda('repair', '/2026/trip.txt', '--compare', '--json'),
    coda('repair', '/2026/trip.txt', '--keep', 'bob'),
  ]);
  const paths = (said: string): readonly string[] =>
    (JSON.parse(said) as { versions: { path: string }[] }).versions.map(({ path }) => path);
  t.match(
    list.stdout,
    /moved to 3 places, apart\n {2}\/2026\/trip\.txt +ann .*\n {2}\/2025\/trip\.txt +bob /,
  );
  t.same(paths(json.stdout.trim().slice(1, -1)), places);
  t.match(compared.stdout, /^\/2025\/trip\.txt +bob /m);
  t.notMatch(compared.stdout, /^[<>]/m, 'there is one file to look at');
  t.same(paths(compare.stdout), places);
  t.match(ambiguous, { code: 4, stderr: /\/2025\/trip\.txt, by bob/ }, 'and so is who must choose again');
  const kept = await coda('repair', '/2026/trip.txt', '--keep', '/2025/trip.txt');
  t.match(kept, { code: 0, stdout: /is now: \/2025\/trip\.txt, by bob/ });
  t.equal(venus.pathOf(fid), '/2025/trip.txt');
});

t.test('where the last writer wins: what was overwritten is listed apart, and brought back', async (t) => {
  const { venus, coda, contents } = await openWorld(t, 'last-writer-wins');
  t.match(await coda('conflicts', '--overwritten'), { stdout: /^Nothing was overwritten/ });
  await contested(venus, 'by ann', Buffer.from('by bob'), Buffer.from('by carol'));
  const [none, list, json, status] = await Promise.all([
    coda('conflicts'),
    coda('conflicts', '--overwritten'),
    coda('conflicts', '--overwritten', '--json'),
    coda('status'),
  ]);
  t.match(none.stdout, /^There are no conflicts/);
  t.match(list.stdout, /plan\.txt +ann .*\n.*carol .*\n.*bob /);
  t.match(list.stdout, /1 file\. .*To bring another one back: .*repair PATH --gateway g1 --keep VERSION/);
  t.match(JSON.parse(json.stdout), [
    {
      path: '/docs/plan.txt',
      kind: 'versions',
      versions: [{ author: 'ann' }, { path: null }, { path: null }],
    },
  ]);
  t.notMatch(status.stdout, /conflict/);
  t.match(await coda('repair', '/docs/plan.txt', '--give-up', 'carol'), { code: 0 });
  t.match(await coda('repair', '/docs/plan.txt', '--keep', 'bob'), { code: 0 });
  t.equal(await contents('docs/plan.txt'), 'by bob');
  t.match(await coda('conflicts', '--overwritten'), { stdout: /^Nothing was overwritten/ });
});

t.test('which version is meant', async (t) => {
  const version = (name: string, author: string, host: string, counter: number) => {
    const storeId = `00000000000000aa:${counter}`;
    return { name, path: `/docs/${name}`, author, host, time: start, size: 1, storeId, fid: 'f' };
  };
  const versions = [
    version('a.txt', 'ann', 'g1', 1),
    version('b', 'bob', 'g1', 2),
    version('c', 'bob', 'g2', 3),
  ];
  const conflict: ConflictOf = {
    fid: '7f000001.2.00000000000000aa',
    path: null,
    kind: 'versions',
    versions,
    resolver: null,
  };
  const chosen = (text: string): string => chooseVersion([conflict], text).name;
  t.equal(chosen('a.txt'), 'a.txt');
  t.equal(chosen('/docs/b'), 'b');
  t.equal(chosen('00000000000000aa:2'), 'b');
  t.equal(chosen('ann'), 'a.txt');
  t.equal(chosen('g2'), 'c');
  t.throws(() => chosen('bob'), { message: /"bob" means 2 versions.*\n {2}00000000000000aa:2 {2}b, by bob/ });
  t.throws(() => chosen('g1'), { message: /"g1" means 2 versions/ });
  t.throws(() => chosen('x\u001b[2J'), { message: /"x\ufffd\[2J"/ }, 'nothing speaks to the terminal');
  t.match(conflictText(conflict), /^7f000001\.2\.00000000000000aa \(it cannot be named: /);
});

t.test('two texts side by side', async (t) => {
  const rows = rowsOf(
    ['1', '2', '3', '4', '5', '6', '7', 'x'],
    ['1', '2', '3', '4', '5', '6', '7', 'y', 'z'],
  );
  t.same(sideBySide(rows ?? [], 43).split('\n'), [
    '...',
    '6                      6',
    '7                      7',
    'x                    | y',
    '                     > z',
  ]);
  const long = rowsOf(['a'.repeat(50)], ['b']);
  t.same(
    sideBySide(long ?? [], 43),
    [`${'a'.repeat(20)} | b`, `${'a'.repeat(20)} |`, `${'a'.repeat(10)}           |`].join('\n'),
  );
  t.equal(sideBySide(rowsOf(['same'], ['same']) ?? [], 43), '');
});
