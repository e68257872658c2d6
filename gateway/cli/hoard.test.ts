/** The commands of hoarding: real processes, whose gateway is a Venus in memory behind a real door. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import t from 'tap';
import { coda as run, type CodaEnded, codaCommand } from '../../conformance/coda-command.js';
import { systemClock } from '../../vice/seam/real/system-clock.js';
import { Failure, type Caller, type Fid } from '../../venus/interface.js';
import { MemoryVenus } from '../../venus/twin/memory-venus.js';
import { openControlDoor } from '../realm/control-door.js';
import { statusSchema, type Status } from '../realm/status.js';
import { venusAnswer } from '../realm/venus-answer.js';
import { parseImportance, parseProfile, profileLine } from './hoard-profile.js';
import { progressText } from './hoard-walk.js';
import { proposedProfile } from './profile-proposal.js';
import { parseSize } from './size.js';

const clock = systemClock();
const ann: Caller = { user: 'ann' };

t.test('the profiles of 1992 load as they are', async (t) => {
  const profile = `# Personal files
a /coda/usr/jjk d+
a /coda/usr/jjk/papers 100:d+
a /coda/usr/jjk/papers/sosp 1000:d+

# X11 files (from X11.hdb)
a /usr/X11/bin/X
a /usr/X11/bin/xclock 5
\tadd  /usr/X11/app-defaults 100:d
d /coda/usr/old
clear
a "/coda/a folder/with \\"quotes\\"" 7:c # said twice`;
  t.same(parseProfile(profile, '/coda'), [
    { command: 'add', path: '/usr/jjk', priority: 10, attributes: 'd+' },
    { command: 'add', path: '/usr/jjk/papers', priority: 100, attributes: 'd+' },
    { command: 'add', path: '/usr/jjk/papers/sosp', priority: 1000, attributes: 'd+' },
    { command: 'add', path: '/usr/X11/bin/X', priority: 10, attributes: '' },
    { command: 'add', path: '/usr/X11/bin/xclock', priority: 5, attributes: '' },
    { command: 'add', path: '/usr/X11/app-defaults', priority: 100, attributes: 'd' },
    { command: 'delete', path: '/usr/old' },
    { command: 'clear' },
    { command: 'add', path: '/a folder/with "quotes"', priority: 7, attributes: 'c' },
  ]);
  t.match(parseProfile('a /coda/coda/x\na /codas/y\na /coda', '/coda/'), [
    { path: '/coda/x' },
    { path: '/codas/y' },
    { path: '/' },
  ]);
  for (const [wrong, message] of [
    ['a', /Line 1: add takes a path/],
    ['\na /x 0', /Line 2: "0" is no priority/],
    ['a /x 1001:c', /no priority/],
    ['a /x 10:e', /no priority/],
    ['w', /"w" has no place in a profile; run it as a command/],
    ['x /y', /use add, delete or clear/],
    ['c /y', /clear takes nothing/],
    ['d /y 5', /delete takes a path/],
  ] as const) {
    t.throws(() => parseProfile(wrong, '/coda'), message, wrong);
  }
});

t.test('what is listed is a profile again', async (t) => {
  for (const path of ['/plain', '/with blank', '/with "quotes" and \\', '/#odd']) {
    const line = profileLine(path, parseImportance('100:c+'));
    t.same(parseProfile(line, '/coda'), [{ command: 'add', path, priority: 100, attributes: 'c+' }], line);
  }
});

t.test('from what was opened to a profile', async (t) => {
  const files = (folder: string, count: number): string[] =>
    Array.from({ length: count }, (_, index) => `${folder}/${index}`);
  t.same(proposedProfile([...files('/docs', 3), '/single', '/docs/0'], 100), [
    'a /docs 100:c+',
    'a /single 100',
  ]);
  const tree = ['x', 'y', 'z'].flatMap((name) => files(`/src/${name}`, 3));
  t.same(proposedProfile([...tree, '/src/one', '/src/w/one'], 7), ['a /src 7:d+'], 'and nothing below it');
  t.same(proposedProfile(files('', 4), 7), ['a / 7:c+']);
  t.same(proposedProfile([], 7), []);
});

t.test('sizes and progress as people read them', async (t) => {
  t.same(['20G', '1.5 MiB', '500', '3k', '2TB'].map(parseSize), [
    20 * 2 ** 30,
    1.5 * 2 ** 20,
    500,
    3072,
    2 ** 41,
  ]);
  for (const wrong of ['', 'G', '-1', '5 apples', '99999999999T'])
    t.throws(() => parseSize(wrong), /is no size/);
  const walk = {
    phase: 'data',
    objects: 9,
    doneObjects: 3,
    bytes: 2 ** 20,
    doneBytes: 2 ** 19,
    left: 14_000,
  } as const;
  t.equal(progressText('g1', walk), 'g1: 3 of 9 objects, 512 KiB of 1.0 MiB, 14 s left');
  t.equal(progressText('g1', { ...walk, phase: 'status' }), 'g1: looking at what is hoarded');
});

const coda = (...options: readonly string[]): Promise<CodaEnded> => run(t, ...options);

async function rootOf(venus: MemoryVenus): Promise<Fid> {
  const { object } = await venus.lookup(ann, []);
  if (object === null) throw new Error('there is a root');
  return object.fid;
}

async function put(venus: MemoryVenus, parent: Fid, name: string): Promise<Fid> {
  const writer = await venus.write(ann);
  await writer.write(Buffer.from(name.repeat(100)));
  return (await writer.close({ parent, name })).status.fid;
}

function statusOf(venus: MemoryVenus): Status {
  const own = { name: 'g1', pid: process.pid, url: 'http://127.0.0.1:1/', state: 'running' };
  return statusSchema.parse(
    JSON.parse(JSON.stringify({ servers: [], gateways: [{ ...own, ...venus.state() }] })),
  );
}

t.test('a person hoards, walks, and asks what is missing and what is cached', async (t) => {
  const folder = t.testdir({
    gateway: { 'coda-folder.json': JSON.stringify({ format: 2, role: 'gateway', name: 'g1', realm: 'r' }) },
    profile: 'a /coda/docs 100:c+\nd /coda/never\n',
    wrong: 'a /coda/docs 100:c+\nb\n',
  });
  const data = join(folder, 'gateway');
  const venus = new MemoryVenus();
  const docs = await venus.makeDirectory(ann, await rootOf(venus), 'docs');
  const [first] = [await put(venus, docs.fid, 'first'), await put(venus, docs.fid, 'second')];
  const answer = venusAnswer(venus, clock);
  const door = await openControlDoor(
    data,
    async (method, path, body) => (path === '/status' ? statusOf(venus) : answer(method, path, body)),
    clock,
    0,
  );
  t.teardown(() => door.close());
  const at = ['--data', data];
  const own = [...at, '--user', 'ann'];

  t.match(await coda('hoard', 'list', ...own), { code: 0, stdout: /^# Nothing is hoarded at g1 for ann/ });
  t.match(await coda('hoard', 'load', join(folder, 'profile'), ...own), {
    code: 0,
    stdout: /^1 entry added/,
  });
  t.match(await coda('hoard', 'load', join(folder, 'wrong'), ...own), { code: 2, stderr: /Line 2/ });
  t.match(await coda('hoard', 'load', join(folder, 'none'), ...own), { code: 2, stderr: /cannot be read/ });
  t.match(await coda('hoard', 'add', '/docs/first', '1000', ...own), { code: 0 });
  t.match(await coda('hoard', 'add', '/docs/first', '2000', ...own), { code: 2, stderr: /is no priority/ });
  t.match(await coda('hoard', 'add', '/docs', 'd', ...at, '--user', 'bob'), {
    code: 0,
    stdout: /^3 entries added/,
  });
  const listed = await coda('hoard', 'list', ...own);
  t.equal(listed.stdout, 'a /docs/first 1000\na /docs 100:c+\n');
  t.match((await coda('hoard', 'list', '--all', ...own)).stdout, /a \/docs\/second 10 +# bob/);

  const walked = await coda('hoard', 'walk', ...own);
  t.match(walked, { code: 0, stdout: /3 objects \(\d.* are hoarded at g1; .*nothing is missing/ });
  venus.hoard.lack(first, 'no-room');
  t.match(await coda('hoard', 'verify', ...own), { code: 0, stdout: /\/docs\/first +1000 +500 B +no room/ });
  const asked = await coda('hoard', 'verify', '--all', '--json', ...own);
  const missing = { user: 'ann', path: '/docs/first', priority: 1000, length: 500, reason: 'no-room' };
  t.match(JSON.parse(asked.stdout), { gateway: 'g1', missing: [missing] });
  venus.failNext('walk', new Failure('unreachable', 'test', 'no server answers'));
  t.match(await coda('hoard', 'walk', ...own), { code: 4, stderr: /no server answers/ });

  t.match(await coda('hoard', 'off', ...own), { code: 0, stdout: /walks only when it is told to/ });
  t.equal(venus.hoard.state().periodic, false);
  t.match(await coda('hoard', 'delete', '/docs', ...own), { code: 0, stdout: /1 entry taken away/ });
  t.match(await coda('hoard', 'delete', '/docs', ...own), { code: 4, stderr: /is not hoarded/ });
  t.match(await coda('hoard', 'clear', ...own), { code: 0, stdout: /1 entry taken away/ });
  t.same(venus.hoard.entries('ann'), []);

  const cached = await coda('cache', ...at);
  t.match(cached, { code: 0, stdout: /^g1 caches 2 files, 1\.1 KiB of at most 1\.0 GiB/ });
  t.match(cached.stdout, /\/docs\/second +600 B +750 +hoarded \(hoarded 10\)/);
  t.match(JSON.parse((await coda('cache', '--json', ...at)).stdout), { files: [{ stay: null }, {}] });
  t.match(await coda('cache', 'limit', '2M', ...at), { code: 0, stdout: /of at most 2\.0 MiB/ });
  t.match(await coda('cache', 'limit', '5', ...at), { code: 4, stderr: /at least 1 MiB/ });
  t.match(await coda('cache', 'limit', 'default', ...at), { code: 0, stdout: /of at most 1\.0 GiB/ });
});

t.test('a person spies what is opened', async (t) => {
  const folder = t.testdir({
    gateway: { 'coda-folder.json': JSON.stringify({ format: 2, role: 'gateway', name: 'g1', realm: 'r' }) },
  });
  const data = join(folder, 'gateway');
  const venus = new MemoryVenus();
  const file = await put(venus, await rootOf(venus), 'plan.txt');
  const answer = venusAnswer(venus, clock);
  const door = await openControlDoor(
    data,
    async (method, path, body) => (path === '/status' ? statusOf(venus) : answer(method, path, body)),
    clock,
    0,
  );
  t.teardown(() => door.close());
  const child = spawn(process.execPath, [codaCommand, 'spy', '--data', data, '--user', 'ann'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  let told = '';
  let profile = '';
  child.stdout.on('data', (chunk: Buffer) => (profile += chunk.toString()));
  const closed = once(child, 'close');
  for await (const chunk of child.stderr as AsyncIterable<Buffer>) {
    told += chunk.toString();
    if (told.includes('/plan.txt')) break;
    // It says that it records once it does.
    for (const user of ['bob', 'ann']) await (await venus.open({ user }, file)).close();
  }
  child.kill('SIGINT');
  const [code] = (await closed) as [number | null];
  t.equal(code, 0);
  t.equal(profile, 'a /plan.txt 100\n');
});
