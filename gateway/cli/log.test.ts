/** The commands of disconnected operation: real processes, whose gateway is a Venus in memory behind a real door. */
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { coda as run, type CodaEnded } from '../../conformance/coda-command.js';
import { systemClock } from '../../vice/seam/real/system-clock.js';
import type { Caller, Fid } from '../../venus/interface.js';
import { MemoryVenus } from '../../venus/twin/memory-venus.js';
import { openControlDoor } from '../realm/control-door.js';
import type { Change } from '../realm/pending-change.js';
import { statusSchema, type GatewayStatus, type Status, type VolumeStatus } from '../realm/status.js';
import { venusAnswer } from '../realm/venus-answer.js';
import { venusMetrics } from '../venus-metrics.js';
import { writeArchive } from './archive-file.js';
import { changesText, changeText } from './change-text.js';
import { attentionLines, pendingText, stateText } from './volume-text.js';
import { durationText } from './words.js';

const clock = systemClock();
const start = Date.UTC(2026, 0, 2, 3, 4, 5);
const ann: Caller = { user: 'ann' };

const coda = (...options: readonly string[]): Promise<CodaEnded> => run(t, ...options);

async function put(venus: MemoryVenus, name: string, text: string): Promise<void> {
  const writer = await venus.write(ann);
  await writer.write(Buffer.from(text));
  await writer.close({ parent: await rootOf(venus), name });
}

async function rootOf(venus: MemoryVenus): Promise<Fid> {
  const { object } = await venus.lookup(ann, []);
  if (object === null) throw new Error('there is a root');
  return object.fid;
}

function statusOf(venus: MemoryVenus): Status {
  const own = { name: 'g1', pid: process.pid, url: 'http://127.0.0.1:1/', state: 'running' };
  // As it comes out of a door.
  return statusSchema.parse(
    JSON.parse(JSON.stringify({ servers: [], gateways: [{ ...own, ...venus.state() }] })),
  );
}

t.test('a gateway without servers: what waits, saved, given up, sent', async (t) => {
  const folder = t.testdir({
    gateway: { 'coda-folder.json': JSON.stringify({ format: 2, role: 'gateway', name: 'g1', realm: 'r' }) },
  });
  const data = join(folder, 'gateway');
  const venus = new MemoryVenus({ wall: () => start, servers: ['s1', 's2'] });
  const answer = venusAnswer(venus, clock);
  const door = await openControlDoor(
    data,
    async (method, path, body) => (path === '/status' ? statusOf(venus) : answer(method, path, body)),
    clock,
    0,
  );
  t.teardown(() => door.close());
  const at = ['--data', data];

  const [wrong, nobody, empty] = await Promise.all([
    coda('disconnect', 's3', ...at),
    coda('log', '--gateway', 'g7', ...at),
    coda('log', ...at),
  ]);
  t.match(wrong, { code: 4, stderr: /no server "s3".*s1, s2/ });
  t.match(nobody, { code: 4, stderr: /no gateway "g7"/ });
  t.match(empty, { code: 0, stdout: /Nothing waits at g1/ });

  const cut = await coda('disconnect', ...at, '--json');
  t.match(JSON.parse(cut.stdout), {
    gateway: 'g1',
    servers: [{ name: 's1', planned: true }, { planned: true }],
  });
  await put(venus, 'a.txt', 'x'.repeat(12_000));
  await put(venus, 'b.txt', 'b');
  await venus.makeDirectory(ann, await rootOf(venus), 'folder');
  venus.log.keep(2, 'no right to write here');

  const [status, log, json] = await Promise.all([
    coda('status', ...at),
    coda('log', ...at),
    coda('log', ...at, '--json', '--gateway', 'g1'),
  ]);
  t.match(
    status.stdout,
    /emulating \(disconnected\) +0 of 2.*3 changes \(11.7 KiB\) wait, the oldest since \d+ d/,
  );
  // Under npm the command is named as it is run there.
  t.match(
    status.stdout,
    /disconnected on purpose from s1, s2; end it with: (coda|npm .* coda --) reconnect --gateway g1/,
  );
  t.match(
    status.stdout,
    /2 changes were refused by the servers and are kept here; see: (coda|npm .* coda --) log --gateway g1/,
  );
  t.match(log.stdout, /^1 .* ann +pending +stored the new file \/a.txt \(11.7 KiB\)$/m);
  t.match(log.stdout, /^2 .* ann +kept +stored the new file \/b.txt \(1 B\): no right to write here$/m);
  t.match(log.stdout, /2 changes wait to be sent, 1 is kept at g1/);
  t.match(JSON.parse(json.stdout), {
    gateway: 'g1',
    changes: [{ sequence: 1 }, { state: 'kept' }, { sequence: 3 }],
  });

  const file = join(folder, 'log.tar');
  t.match(await coda('log', 'checkpoint', file, ...at), { code: 0, stdout: /holds what waits at g1/ });
  t.equal(statSync(file).mode & 0o077, 0, 'for its owner alone');
  const archived = readFileSync(file);
  const [again, forced, restored, missing, torn] = await Promise.all([
    coda('log', 'checkpoint', file, ...at),
    coda('log', 'checkpoint', file, '--force', '--json', ...at),
    coda('log', 'restore', file, ...at),
    coda('log', 'restore', join(folder, 'none.tar'), ...at),
    coda('log', 'restore', join(data, 'coda-folder.json'), ...at),
  ]);
  t.match(again, { code: 4, stderr: /exists\. .*--force/ });
  t.same(JSON.parse(forced.stdout), { gateway: 'g1', file, bytes: archived.length });
  t.match(restored, { code: 0, stdout: /3 changes were made anew, 0 were there already/ });
  t.match(missing, { code: 2, stderr: /none.tar does not exist/ });
  t.match(torn, { code: 4, stderr: /no archive of a log/ });
  t.same(readdirSync(folder).sort(), ['gateway', 'log.tar'], 'no temporary file is left');

  const refused = await Promise.all([
    coda('log', 'discard', ...at),
    coda('log', 'discard', '1', '--all', '--yes', ...at),
    coda('log', 'discard', '1', ...at),
    coda('log', 'discard', '9', '--yes', ...at),
    coda('log', 'discard', 'x', '--yes', ...at),
    coda('log', 'discard', '1', '--yes', '--archive', file, ...at),
    coda('log', 'discard', '1', '--yes', '--archive', join(folder, 'no/such/folder.tar'), ...at),
  ]);
  t.same(
    refused.map(({ code }) => code),
    [2, 2, 2, 4, 2, 4, 4],
  );
  t.match(refused[2], { stderr: /--yes if you mean it/ });
  t.match(refused[6], { stderr: /cannot be written/ });
  t.equal(venus.log.changes().length, 3, 'nothing was given up without an archive');

  const own = await coda('log', 'discard', '--kept', '--yes', '--json', ...at);
  const { discarded, archive } = JSON.parse(own.stdout) as { discarded: number[]; archive: string };
  t.same(discarded, [2]);
  t.match(archive, join(data, 'discarded'));
  t.match(JSON.parse(readFileSync(archive, 'utf8')), [{ sequence: 2 }]);
  const given = join(folder, 'given-up.tar');
  t.match(await coda('log', 'discard', '1', '--yes', '--archive', given, ...at), {
    code: 0,
    stdout: /1 change given up/,
  });
  t.match(
    JSON.parse(readFileSync(given, 'utf8')),
    [{ sequence: 1 }, { sequence: 3 }],
    'what may build on it too',
  );
  t.same(
    venus.log.changes().map(({ sequence }) => sequence),
    [3],
  );

  const mode = await coda('write-disconnected', '--volume', 'root', '--json', ...at);
  t.same(JSON.parse(mode.stdout), { gateway: 'g1', volumes: [{ name: 'root', mode: 'write-disconnected' }] });
  t.match(await coda('write-through', '--volume', 'rot', ...at), { code: 4, stderr: /Did you mean "root"/ });
  t.match(await coda('write-through', ...at), { code: 0, stdout: /g1, volume root: write-through/ });
  t.match(await coda('reconnect', 's1', ...at), { code: 0, stdout: /g1 connects to s1 again/ });
  t.match(await coda('reconnect', ...at), { code: 0 });
  t.match(await coda('log', 'discard', '--all', '--yes', ...at), { code: 0, stdout: /nothing to give up/ });
});

t.test('every command has help with examples', async (t) => {
  const commands = ['disconnect', 'reconnect', 'write-disconnected', 'write-through', 'log'];
  const all = [
    ...commands.map((name) => [name]),
    ...['checkpoint', 'restore', 'discard'].map((name) => ['log', name]),
  ];
  const helps = await Promise.all(all.map((words) => coda(...words, '--help')));
  helps.forEach(({ code, stdout }, index) => {
    t.equal(code, 0);
    t.match(stdout, /Examples:\n +coda /, `${all[index]?.join(' ') ?? ''} has examples`);
    t.match(stdout, /--json/);
  });
});

const volume: VolumeStatus = {
  id: '7f000001',
  name: 'root',
  path: [],
  hidesNames: false,
  state: 'reintegrating',
  vsg: ['s1'],
  avsg: ['s1'],
  preferred: 's1',
  pendingRecords: 90,
  pendingBytes: 3 * 1024 * 1024,
  limitRecords: 100,
  limitBytes: 100 * 1024 * 1024,
  oldestPending: start - 14 * 60_000,
  keptRecords: 1,
  awaitedLogins: [],
  mode: 'write-through',
  conflicts: 'keep',
  weak: true,
  replay: {
    since: start - 60_000,
    doneRecords: 30,
    doneBytes: 1024 * 1024,
    recordsPerSecond: 9,
    bytesPerSecond: 1024 ** 2 / 4,
  },
  lastError: 'the disk of s1 is full',
};

t.test('status at a glance', (t) => {
  t.equal(stateText(volume), 'reintegrating (sending changes)');
  t.equal(pendingText(volume, start), '90 changes (3.0 MiB) wait, the oldest since 14 min');
  t.equal(
    pendingText({ ...volume, pendingRecords: 1, pendingBytes: 0, oldestPending: null }, start),
    '1 change waits',
  );
  t.equal(pendingText({ ...volume, pendingRecords: 0 }, start), 'nothing');
  const servers = [{ name: 's1', address: 'x', reachable: true, silence: 0, planned: false }];
  const gateway: GatewayStatus = {
    name: 'g1',
    pid: 1,
    url: '',
    state: 'running',
    volumes: [volume],
    deletedVolumes: [{ id: '7f000002', name: 'drawings', keptRecords: 3 }],
    servers,
    cache: null,
    conflicts: 2,
  };
  t.same(attentionLines(gateway, start, 'coda'), [
    'g1, volume root: 30 changes (1.0 MiB) sent in 60 s, 90 to go, 9.0 changes/s, 256 KiB/s, about 12 s left',
    'g1, volume root: the links to the servers are slow, so changes are sent later, as the links allow',
    'g1, volume root: 90 % of the 100 changes that may wait: at the bound new contents are refused; ' +
      'reconnect it, or remove what is not needed',
    'g1, volume root: 1 change was refused by the servers and is kept here; see: coda log --gateway g1',
    'g1, volume root: the last error: the disk of s1 is full',
    'g1: 3 changes of volume drawings, which has been deleted, are kept here; see: coda log --gateway g1',
    'g1: 2 conflicts to decide; see: coda conflicts --gateway g1',
  ]);
  const calm = { ...volume, replay: null, weak: false, keptRecords: 0, lastError: null, pendingRecords: 79 };
  const quiet = { ...gateway, volumes: [calm], deletedVolumes: [], conflicts: 0 };
  t.same(attentionLines(quiet, start, 'coda'), []);
  const stuck = {
    ...calm,
    replay: { ...volume.replay, since: start, recordsPerSecond: 0 } as VolumeStatus['replay'],
  };
  t.match(attentionLines({ ...gateway, volumes: [stuck] }, start, 'coda'), [/0\.0 changes\/s, 256 KiB\/s$/]);
  const spans = [0, 89_000, 90_000, 5_400_000, 11_100_000, 360_000_000];
  t.same(spans.map(durationText), ['0 s', '89 s', '2 min', '1 h 30 min', '3 h 5 min', '4 d 4 h']);
  t.end();
});

t.test('a change in words', (t) => {
  const record = { fid: '7f000001.2.1', version: 'v', path: '/a\u001b[2J', length: null, digest: null };
  const change: Change = {
    sequence: 7,
    volume: 'root',
    author: 'ann',
    time: start,
    state: 'kept',
    reason: 'not\nallowed',
    records: [{ ...record, op: 'rename' }],
  };
  t.equal(changeText(change), 'moved to /a\ufffd[2J', 'no name speaks to the terminal');
  t.equal(changesText([change]).split('\n').length, 2);
  const many = Array.from({ length: 5 }, () => ({ ...record, op: 'remove', path: '/a' }));
  t.equal(changeText({ ...change, records: many }), 'removed /a, removed /a, removed /a, and 2 more');
  const nameless = changeText({ ...change, records: [{ ...record, op: 'store', path: null, length: 3 }] });
  t.equal(nameless, 'stored an object that has no name any more (7f000001.2.1) (3 B)');
  t.end();
});

t.test('an archive is whole, or not there', async (t) => {
  const folder = t.testdir({ there: 'before' });
  const bytes = async function* (): AsyncGenerator<Uint8Array> {
    yield Buffer.from('half');
    throw new Error('it broke');
  };
  const whole = async function* (): AsyncGenerator<Uint8Array> {
    // Somebody else is quicker.
    writeFileSync(join(folder, 'new'), 'quick');
    yield Buffer.from('whole');
  };
  await t.rejects(writeArchive(join(folder, 'half'), bytes(), false), { message: 'it broke' });
  await t.rejects(writeArchive(join(folder, 'there'), bytes(), true), { message: 'it broke' });
  await t.rejects(writeArchive(join(folder, 'new'), whole(), false), { message: /exists/ });
  t.equal(readFileSync(join(folder, 'new'), 'utf8'), 'quick');
  t.equal(readFileSync(join(folder, 'there'), 'utf8'), 'before');
  t.notOk(existsSync(join(folder, 'half')));
  await writeArchive(join(folder, 'new'), whole(), true);
  t.equal(readFileSync(join(folder, 'new'), 'utf8'), 'whole');
  t.same(readdirSync(folder).sort(), ['new', 'there']);
});

t.test('metrics of what waits', async (t) => {
  const venus = new MemoryVenus({ wall: () => start, servers: ['s1'] });
  const registry = venusMetrics(venus, { ...clock, wall: () => start + 90_000 });
  await venus.disconnect([]);
  await put(venus, 'a', 'abc');
  const text = await registry.metrics();
  for (const line of [
    'coda_log_pending_records{volume="root"} 2',
    'coda_log_pending_bytes{volume="root"} 3',
    'coda_log_oldest_seconds{volume="root"} 90',
    'coda_log_kept_records{volume="root"} 0',
    'coda_volume_state{volume="root",state="emulating"} 1',
    'coda_volume_state{volume="root",state="hoarding"} 0',
    'coda_server_reachable{server="s1"} 0',
  ]) {
    t.ok(text.includes(`${line}\n`), line);
  }
});
