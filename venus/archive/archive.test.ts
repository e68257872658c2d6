/** An archive of a log: written, unpacked with tar, restored, torn, altered, forged. */
import { deepEqual, ok } from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { Failure, type Fid, type Mutation } from '../../vice/interface/index.js';
import { digestOf } from '../../vice/seam/block-digests.js';
import type { Caller, ObjectStatus, Restored } from '../interface.js';
import { MemoryVenus } from '../twin/memory-venus.js';
import { besideName } from './beside-name.js';
import { checkpointArchive, type ArchivedEntry } from './checkpoint.js';
import { restoreArchive } from './restore.js';
import type { RestoreTarget } from './restore-target.js';
import { restoreTargetOf } from './restore-venus.js';
import { endBytes, parseBlock, tarHeader, tarPadding, withPax, type TarEntry } from './tar.js';
import { staysInside, TreeNames } from './tree-names.js';

/** For many RUNS. */
t.setTimeout(600_000);

const realm = 'aaaaaaaaaaaaaaaa';
const start = Date.UTC(2026, 0, 2, 3, 4, 5);
const ann: Caller = { user: 'ann' };
const bob: Caller = { user: 'bob' };
/** Every refusal begins so. */
const invalid = { kind: 'invalid', message: /no whole archive of a log/ };
const pause = async (): Promise<void> => undefined;

const archiverVenus = 'bbbbbbbbbbbbbbbb';
const otherVenus = 'cccccccccccccccc';

/** Everything that was ever written, as the gateway's containers have it. */
const containers = new Map<string, Buffer>();

async function put(venus: MemoryVenus, caller: Caller, path: string, text: string | Buffer): Promise<void> {
  const bytes = Buffer.from(text);
  containers.set(digestOf(bytes), bytes);
  const { parent, name } = await venus.lookup(caller, names(path));
  const writer = await venus.write(caller);
  await writer.write(bytes);
  await writer.close({ parent: parent as Fid, name });
}

async function at(venus: MemoryVenus, path: string): Promise<ObjectStatus> {
  const { object } = await venus.lookup(ann, names(path));
  if (object === null) throw new Failure('not-found', 'test', `there is no ${path}`);
  return object;
}

async function mkdir(venus: MemoryVenus, caller: Caller, path: string): Promise<void> {
  const { parent, name } = await venus.lookup(caller, names(path));
  await venus.makeDirectory(caller, parent as Fid, name);
}

async function rename(venus: MemoryVenus, caller: Caller, from: string, to: string): Promise<void> {
  const source = await venus.lookup(caller, names(from));
  const target = await venus.lookup(caller, names(to));
  const old = { parent: source.parent as Fid, name: source.name };
  await venus.rename(caller, old, { parent: target.parent as Fid, name: target.name }, { replace: true });
}

async function remove(venus: MemoryVenus, caller: Caller, path: string): Promise<void> {
  const { parent, name } = await venus.lookup(caller, names(path));
  await venus.remove(caller, parent as Fid, name);
}

function names(path: string): string[] {
  return path.split('/').filter((name) => name !== '');
}

/** Path -> what is there, in words. */
async function treeOf(venus: MemoryVenus): Promise<Record<string, string>> {
  const tree: Record<string, string> = {};
  const walk = async (directory: Fid, path: string): Promise<void> => {
    for await (const batch of venus.list(ann, directory)) {
      for (const { name, status } of batch) {
        const own = `${path}/${name}`;
        const properties = Object.fromEntries(Object.entries(status.properties).sort());
        const extra = `${JSON.stringify(properties)} ${status.mode.toString(8)}`;
        if (status.kind === 'directory') {
          tree[own] = `directory ${extra}`;
          await walk(status.fid, own);
        } else if (status.kind === 'symlink') tree[own] = `-> ${status.target ?? ''}`;
        else tree[own] = `${await textOf(venus, status.fid)} ${extra}`;
      }
    }
  };
  await walk((await at(venus, '/')).fid, '');
  return tree;
}

async function textOf(venus: MemoryVenus, fid: Fid): Promise<string> {
  const file = await venus.open(ann, fid);
  const chunks: Uint8Array[] = [];
  for await (const chunk of file.read()) chunks.push(chunk);
  await file.close();
  const bytes = Buffer.concat(chunks);
  return bytes.length < 100 ? bytes.toString() : createHash('sha256').update(bytes).digest('hex');
}

function entriesOf(venus: MemoryVenus): ArchivedEntry[] {
  return venus.log.changes().map(({ sequence, volume, reason }) => {
    return { sequence, volume, reason, records: venus.log.recordsOf(sequence) };
  });
}

async function* contentsOf(digest: string): AsyncGenerator<Uint8Array> {
  const bytes = containers.get(digest);
  if (bytes === undefined) throw new Failure('not-found', 'test', `no ${digest}`);
  for (let from = 0; from < bytes.length; from += 1000) yield bytes.subarray(from, from + 1000);
}

async function archiveOf(venus: MemoryVenus, entries = entriesOf(venus)): Promise<Buffer> {
  const heading = { realm, gateway: 'g1', time: start };
  const sources = { entries, pathOf: (fid: Fid) => venus.pathOf(fid), contents: contentsOf, pause };
  return all(checkpointArchive(heading, sources));
}

async function all(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const list: Uint8Array[] = [];
  for await (const chunk of chunks) list.push(chunk);
  return Buffer.concat(list);
}

async function* pieces(bytes: Uint8Array, size = 700): AsyncGenerator<Uint8Array> {
  for (let from = 0; from < bytes.length; from += size)
    yield Uint8Array.from(bytes.subarray(from, from + size));
}

function shareOf(venus: MemoryVenus, ownRealm = realm): RestoreTarget {
  return restoreTargetOf(venus, { realm: ownRealm, pause, known: async (fid) => venus.known(fid) });
}

async function restore(venus: MemoryVenus, archive: Uint8Array, ownRealm?: string): Promise<Restored> {
  const restored = await restoreArchive(pieces(archive), shareOf(venus, ownRealm));
  idle(venus);
  return restored;
}

function idle({ openWriters, openFiles }: MemoryVenus): void {
  deepEqual({ openWriters, openFiles }, { openWriters: 0, openFiles: 0 }, 'nothing is left open');
}

/** The share before the day begins, as every gateway has it. */
async function morning(): Promise<MemoryVenus> {
  const share = new MemoryVenus({ wall: () => start });
  await mkdir(share, ann, '/docs');
  await mkdir(share, ann, '/old');
  await mkdir(share, ann, '/empty');
  await put(share, ann, '/docs/letter.txt', 'dear');
  await put(share, ann, '/docs/plan.txt', 'plan');
  await put(share, ann, '/old/x.txt', 'x');
  await put(share, ann, '/gone.txt', 'gone');
  await put(share, ann, '/swap.txt', 'one');
  await put(share, ann, '/pawn.txt', 'two');
  return share;
}

const longName = `${'ü'.repeat(100)}.txt`;

/** A day without servers, at a gateway of its own. */
async function day(share: MemoryVenus): Promise<MemoryVenus> {
  const fork = { from: share, venus: archiverVenus };
  const gateway = new MemoryVenus({ wall: () => start + 60_000, servers: ['s1'], fork });
  await gateway.disconnect([]);
  await put(gateway, ann, '/docs/letter.txt', 'dear all');
  await put(gateway, ann, '/docs/letter.txt', 'dear everybody');
  await mkdir(gateway, ann, '/new');
  await mkdir(gateway, ann, '/new/deep');
  await put(gateway, ann, `/new/deep/${longName}`, Buffer.alloc(300_000, 'long'));
  await put(gateway, bob, '/new/deep/copy.txt', Buffer.alloc(300_000, 'long'));
  await put(gateway, bob, '/new/nothing.txt', '');
  await put(gateway, bob, '/new/brief', 'brief');
  await rename(gateway, bob, '/new/brief', '/docs/brief.txt');
  await rename(gateway, ann, '/old', '/new/older');
  await put(gateway, ann, '/new/older/y.txt', 'y');
  await remove(gateway, ann, '/gone.txt');
  await put(gateway, ann, '/gone.txt', 'come again');
  await remove(gateway, ann, '/empty');
  await rename(gateway, ann, '/swap.txt', '/tmp.txt');
  await rename(gateway, ann, '/pawn.txt', '/swap.txt');
  await rename(gateway, ann, '/tmp.txt', '/pawn.txt');
  const root = (await at(gateway, '/')).fid;
  await gateway.makeSymlink(ann, root, 'inside', 'docs/letter.txt');
  await gateway.makeSymlink(ann, root, 'outside', '/etc/passwd');
  await gateway.makeSymlink(ann, root, 'sly', 'docs/../../../etc');
  const plan = (await at(gateway, '/docs/plan.txt')).fid;
  await gateway.setProperties(ann, plan, { set: { '{x}a': '<a/>', '{x}b': 'b' }, remove: [] });
  await gateway.setProperties(ann, plan, { set: { '{x}c': 'c' }, remove: ['{x}b'] });
  await gateway.setMode(ann, plan, 0o600);
  await gateway.setModified(ann, (await at(gateway, '/docs/letter.txt')).fid, start - 5000);
  return gateway;
}

/** Another gateway, which has servers. */
function evening(share: MemoryVenus): MemoryVenus {
  return new MemoryVenus({ wall: () => start + 120_000, fork: { from: share, venus: otherVenus } });
}

t.test('a day in an archive comes back whole, and only once', async (t) => {
  const share = await morning();
  const gateway = await day(share);
  const changes = gateway.log.changes().length;
  const archive = await archiveOf(gateway);
  const other = evening(share);
  const first = await restore(other, archive);
  t.same(await treeOf(other), await treeOf(gateway));
  t.same(first.notes, []);
  t.ok(first.restored > 0 && first.restored + first.present === changes);
  t.equal((await at(other, '/docs/brief.txt')).author, 'bob');
  t.equal((await at(other, '/docs/letter.txt')).modified, start - 5000);

  const again = await restore(other, archive);
  t.same(again, { restored: 0, present: changes, notes: [] });
  t.same(await treeOf(other), await treeOf(gateway));
  t.same(await restore(gateway, archive), again, 'at home all is there');
});

t.test('tar unpacks it: files under their names, and nothing outside', async (t) => {
  const gateway = await day(await morning());
  // Two versions of one file, and one that no longer has a name.
  const [first] = entriesOf(gateway);
  const lost = (first?.records ?? []).map((record) => ({
    ...record,
    fid: '7f000001.9.9' as Fid,
  })) as Mutation[];
  const entries = [
    ...entriesOf(gateway),
    { sequence: 99, volume: 'root', reason: 'no right', records: lost },
  ];
  const folder = t.testdir({});
  const file = join(folder, 'log.tar');
  writeFileSync(file, await archiveOf(gateway, entries));
  const place = join(folder, 'here');
  mkdirSync(place);
  execFileSync('tar', ['-xf', file, '-C', place]);
  t.same(readdirSync(place).sort(), [
    'changes.jsonl',
    'coda-log.json',
    'coda-log.sha256',
    'contents',
    'tree',
  ]);
  const text = (path: string): string => readFileSync(join(place, 'tree', path), 'utf8');
  t.equal(text('docs/letter.txt'), 'dear everybody');
  t.equal(text('unnamed/1-letter.txt'), 'dear all', 'the version before');
  t.equal(text('unnamed/2-file-7f000001.9.9'), 'dear all', 'no name');
  t.equal(text(`new/deep/${longName}`).length, 300_000);
  t.equal(lstatSync(join(place, 'tree/new/deep/copy.txt')).nlink, 3, 'contents are there once');
  t.equal(text('new/nothing.txt'), '');
  t.equal(text('gone.txt'), 'come again');
  t.equal(readlinkSync(join(place, 'tree/inside')), 'docs/letter.txt');
  t.same(readdirSync(join(place, 'tree')).sort(), ['docs', 'gone.txt', 'inside', 'new', 'unnamed']);
  for (const digest of readdirSync(join(place, 'contents'))) {
    t.equal(digestOf(readFileSync(join(place, 'contents', digest))), digest);
  }
});

t.test('what others did meanwhile is never overwritten', async (t) => {
  const share = await morning();
  const archive = await archiveOf(await day(share));
  const other = evening(share);
  await put(other, bob, '/docs/letter.txt', 'my dear');
  await put(other, bob, '/gone.txt', 'still needed');
  await put(other, bob, '/empty/now.txt', 'not empty');
  await mkdir(other, bob, '/new');
  await put(other, bob, '/new/nothing.txt', 'something');
  await rename(other, bob, '/old', '/moved');
  await other.setMode(bob, (await at(other, '/docs/plan.txt')).fid, 0o640);
  const { restored, notes } = await restore(other, archive);
  const tree = await treeOf(other);
  t.match(tree, {
    '/docs/letter.txt': /^my dear /,
    '/docs/letter (restored ann 2026-01-02 03.05.05).txt': /^dear everybody /,
    '/gone.txt': /^still needed /,
    '/gone (restored ann 2026-01-02 03.05.05).txt': /^come again /,
    '/empty/now.txt': /^not empty /,
    '/new/nothing.txt': /^something /,
    '/new/nothing (restored bob 2026-01-02 03.05.05).txt': /^ /,
    '/moved/x.txt': /^x /,
    '/moved/y.txt': /^y /,
    '/docs/plan.txt': /^plan \{\} 640/,
  });
  t.ok(restored > 0);
  for (const words of [
    /letter\.txt" has other contents by now; what was restored is in "letter \(restored ann/,
    /"gone.txt" is not removed: it was changed meanwhile/,
    /"empty" is not removed: there is something in it/,
    /"old" is not moved to "older"/,
    /properties of "\/docs\/plan.txt" are not restored: it was changed meanwhile/,
  ]) {
    t.ok(
      notes.some((note) => words.test(note)),
      `${String(words)} in ${notes.join('\n')}`,
    );
  }
  const again = await restore(other, archive);
  t.equal(again.restored, 0);
  t.same(again.notes, notes);
  t.same(await treeOf(other), tree, 'the second time changes nothing');
});

t.test('what had reached the servers, and was replaced there, is there', async (t) => {
  const share = await morning();
  const gateway = await day(share);
  const archive = await archiveOf(gateway);
  // All was sent; then somebody who had seen it went on.
  const other = evening(gateway);
  await put(other, bob, '/docs/letter.txt', 'dear friends');
  const tree = await treeOf(other);
  t.match(await restore(other, archive), { restored: 0 });
  t.same(await treeOf(other), tree);
});

t.test('what a restoration that was cut short has done, the next one finds', async (t) => {
  const share = await morning();
  const fork = { from: share, venus: archiverVenus };
  const gateway = new MemoryVenus({ wall: () => start + 60_000, servers: ['s1'], fork });
  await gateway.disconnect([]);
  await rename(gateway, ann, '/gone.txt', '/once.txt');
  await rename(gateway, ann, '/once.txt', '/twice.txt');
  await mkdir(gateway, ann, '/fresh');
  await rename(gateway, ann, '/docs', '/fresh/docs');
  await rename(gateway, ann, '/fresh', '/docs');
  const archive = await archiveOf(gateway);
  const other = evening(share);
  await rename(other, ann, '/gone.txt', '/once.txt');
  t.same((await restore(other, archive)).notes, []);
  t.same(
    await treeOf(other),
    await treeOf(gateway),
    'also where a made folder takes the name of a moved one',
  );
  t.match(await restore(other, archive), { restored: 0, notes: [] });
});

t.test('another realm gets the files; what was moved and removed stays', async (t) => {
  const share = await morning();
  const archive = await archiveOf(await day(share));
  const foreign = new MemoryVenus({ wall: () => start });
  await mkdir(foreign, ann, '/old');
  const { notes } = await restore(foreign, archive, 'other');
  const tree = await treeOf(foreign);
  t.match(tree, {
    '/docs/letter.txt': /^dear everybody /,
    '/new/older/y.txt': /^y /,
    '/docs/brief.txt': /^brief /,
  });
  t.ok(notes.some((note) => /another realm/.test(note)));
  await restore(foreign, archive, 'other');
  t.same(await treeOf(foreign), tree);
});

t.test('torn anywhere it is refused, and what was done is told and harmless', async (t) => {
  const share = await morning();
  const archive = await archiveOf(await day(share));
  const whole = evening(share);
  await restore(whole, archive);
  const tree = await treeOf(whole);
  let told = 0;
  for (let cut = 0; cut < archive.length; cut += 512) {
    // Long contents are the same everywhere.
    if (cut > 32 * 1024 && cut < archive.length - 16 * 1024 && cut % (37 * 512) !== 0) continue;
    const other = evening(share);
    const failed = await restoreArchive(pieces(archive.subarray(0, cut)), shareOf(other)).then(
      () => undefined,
      (error: unknown) => error,
    );
    if (!(failed instanceof Failure) || failed.kind !== 'invalid') t.fail(`cut at ${cut}: ${String(failed)}`);
    else if (/before that [1-9]\d* changes? w/.test(failed.message)) told += 1;
    idle(other);
    if (cut % (8 * 512) !== 0) continue;
    await restore(other, archive);
    t.same(await treeOf(other), tree, `a whole one behind one that was cut at ${cut}`);
  }
  t.ok(told > 10, 'what was done is told');
  const broken = async function* (): AsyncGenerator<Uint8Array> {
    yield archive.subarray(0, 5000);
    throw new Error('the sender went away');
  };
  await t.rejects(restoreArchive(broken(), shareOf(evening(share))), {
    kind: 'invalid',
    message: /went away/,
  });
  const rest = Buffer.concat([archive, Buffer.from('more')]);
  await t.rejects(restore(evening(share), rest), { kind: 'invalid', message: /behind its end/ });
  await restore(evening(share), Buffer.concat([archive, Buffer.alloc(10_240)]));
});

t.test('an altered byte is found', async (t) => {
  const share = await morning();
  const archive = await archiveOf(await day(share));
  const contentsStart = archive.indexOf('contents/');
  for (let place = 0; place < archive.length; place += place < 20_000 ? 131 : 20_011) {
    const altered = Buffer.from(archive);
    altered[place] = (altered[place] ?? 0) ^ 0x04;
    const other = evening(share);
    const failed = await restoreArchive(pieces(altered, 5000), shareOf(other)).then(
      () => undefined,
      (error: unknown) => error,
    );
    t.ok(failed instanceof Failure, `byte ${place} was altered: ${String(failed)}`);
    // Before anything is done, heading and lines have proved to be whole.
    if (place < contentsStart) t.notMatch(String(failed), /before that/);
    idle(other);
  }
});

t.test('forged archives get nothing', async (t) => {
  const share = await morning();
  const before = await treeOf(share);
  const base = entriesOf(await day(share)).flatMap(({ records }) => records);
  const creation = base.find(({ op }) => op === 'create') as Extract<Mutation, { op: 'create' }>;
  const store = base.find(({ op, ...rest }) => op === 'store' && 'length' in rest && rest.length > 0);
  if (store?.op !== 'store') throw new Error('the day has a store');
  const line = (record: object, paths: object = {}): string =>
    `${JSON.stringify({ sequence: 1, volume: 'root', reason: null, paths, record })}\n`;

  for (const name of ['..', '.', 'a/b', '/etc', 'a\u0000b', '', 'x'.repeat(300), '\ud800']) {
    await t.rejects(restore(share, forged(line({ ...creation, name }))), invalid, JSON.stringify(name));
  }
  for (const path of ['docs', '/docs/../../etc', '/a//b', '/a/', '/a\u0000', `/${'d/'.repeat(300)}d`]) {
    const lines = line(store, { [store.fid]: path });
    await t.rejects(
      restore(share, forged(lines)),
      { ...invalid, message: /line 1 .* malformed/ },
      JSON.stringify(path),
    );
  }
  const huge = 3 * 1024 ** 3;
  const promised = line({ ...store, length: huge });
  const giant = header(`contents/${store.digest}`, huge);
  await t.rejects(restore(share, forged(promised, giant)), { kind: 'invalid', message: /ends too early/ });
  await t.rejects(restore(share, forged(line(store), giant)), {
    kind: 'invalid',
    message: /no change names/,
  });
  await t.rejects(restore(share, forged(header('x', huge))), invalid);
  const outside = header('contents/../../etc/passwd', 0);
  await t.rejects(restore(share, forged(line(store), outside)), invalid);
  const wrong = Buffer.concat([
    header(`contents/${store.digest}`, 8),
    Buffer.from('not them'),
    tarPadding(8),
  ]);
  await t.rejects(restore(share, forged(line({ ...store, length: 8 }), wrong)), { message: /do not match/ });
  await t.rejects(restore(share, forged(line(store))), { message: /are missing/ });
  const trailing = await archiveOf(new MemoryVenus());
  await t.rejects(restore(share, Buffer.concat([trailing.subarray(0, -endBytes), header('tree/z', 0)])), {
    message: /behind its seal/,
  });
  const later = Buffer.from(trailing.toString('latin1').replace('"version": 2', '"version": 3'), 'latin1');
  await t.rejects(restore(share, later), { kind: 'incompatible', message: /has format 3/ });
  await t.rejects(restore(share, Buffer.from('PK\u0003\u0004'.padEnd(2000, 'x'))), invalid);
  t.same(await treeOf(share), before, 'the share is as it was');

  function forged(lines: string | Buffer, ...rest: Buffer[]): Buffer {
    const sha256 = (text: string | Buffer): string => createHash('sha256').update(text).digest('hex');
    const head = JSON.stringify({ format: 'coda-log', version: 1, realm, gateway: 'g1', time: start });
    const body = typeof lines === 'string' ? lines : '';
    const text = `${body}${JSON.stringify({ sha256: sha256(body), heading: sha256(head) })}\n`;
    const parts = [
      part('coda-log.json', head),
      typeof lines === 'string' ? part('changes.jsonl', text) : lines,
    ];
    const whole = Buffer.concat([...parts, ...rest]);
    return rest.length > 0
      ? whole
      : Buffer.concat([whole, part('coda-log.sha256', `${sha256(whole)}\n`), Buffer.alloc(1024)]);
  }
});

function header(name: string, size: number): Buffer {
  return Buffer.from(tarHeader({ name, type: 'file', size, target: '', modified: start }));
}

function part(name: string, text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([header(name, bytes.length), bytes, tarPadding(bytes.length)]);
}

t.test('an empty log, lost contents, a full disk', async (t) => {
  const share = await morning();
  t.same(await restore(share, await archiveOf(new MemoryVenus())), { restored: 0, present: 0, notes: [] });

  const gateway = await day(share);
  const archive = await archiveOf(gateway);
  const text = containers.get(digestOf(Buffer.from('brief'))) ?? Buffer.alloc(0);
  containers.set(digestOf(Buffer.from('brief')), Buffer.from('BRIEF'));
  await t.rejects(archiveOf(gateway), { kind: 'damaged', message: /do not match their checksum/ });
  containers.set(digestOf(Buffer.from('brief')), text);

  const full = evening(share);
  full.failNext('writer.write', new Failure('no-space', 'test', 'the disk is full'));
  await t.rejects(restore(full, archive), {
    kind: 'no-space',
    message: /the disk is full; before that \d+ changes/,
  });
  idle(full);
  const forbidden = evening(share);
  forbidden.failNext('writer.close', new Failure('access-denied', 'test', 'no right to this'));
  const { notes } = await restore(forbidden, archive);
  t.match(notes, [/letter\.txt" is not restored: no right to this/]);
  const raced = evening(share);
  raced.beforeNext('writer.write', () => put(raced, bob, '/docs/letter.txt', 'quick'));
  await restore(raced, archive);
  t.match(await treeOf(raced), {
    '/docs/letter.txt': /^quick /,
    '/docs/letter (restored ann 2026-01-02 03.05.05).txt': /^dear everybody /,
  });
});

t.test('what was decided about a file in conflict is told, and is not decided anew', async (t) => {
  const share = await morning();
  const gateway = await day(share);
  const { fid, version } = await at(gateway, '/docs/plan.txt');
  const dismiss = version === null ? [] : [version];
  const common = { time: start, author: 'ann', host: 'g1', base: {} };
  const storeId = `${archiverVenus}:999999` as Mutation['storeId'];
  const repair = (given: Fid, number = 90): ArchivedEntry => {
    const record: Mutation = {
      op: 'repair',
      storeId,
      ...common,
      fid: given,
      dismiss,
      accept: { name: 'plan.txt' },
    };
    return { sequence: number, volume: 'root', reason: null, records: [record] };
  };
  const gone = (await at(share, '/gone.txt')).fid;
  const archive = await archiveOf(gateway, [...entriesOf(gateway), repair(fid), repair(gone, 91)]);
  const { notes } = await restore(evening(share), archive);
  t.same(
    notes,
    ['"/docs/plan.txt" was in conflict and is not decided anew: look at it'],
    'not of a removed one',
  );
  const foreign = (await restore(evening(share), archive, 'other')).notes;
  t.ok(foreign.includes(notes[0] ?? ''));
  const known = async (): Promise<Record<string, number>> => ({ [archiverVenus]: 999_999 });
  const there = await restoreArchive(pieces(archive), { ...shareOf(evening(share)), known });
  t.notOk(
    there.notes.some((note) => note.includes('conflict')),
    'nor where it has arrived',
  );
  const sly = Buffer.from(
    archive.toString('latin1').replace('"accept":{"name":"plan', '"accept":{"name":"../x'),
    'latin1',
  );
  await t.rejects(restore(evening(share), sly), {
    ...invalid,
    message: /line \d+ of its changes is malformed/,
  });
});

t.test('an archive of the first format is read', async (t) => {
  const share = await morning();
  const gateway = await day(share);
  const before = entriesOf(gateway).map((entry) => ({ ...entry, records: entry.records.map(asBefore) }));
  const archive = await archiveOf(gateway, before);
  const other = evening(share);
  t.same((await restore(other, archive)).notes, []);
  t.same(await treeOf(other), await treeOf(gateway));

  /** Without the name of the gateway and the time of saving. */
  function asBefore(record: Mutation): Mutation {
    const { host: _host, ...rest } = record;
    if (rest.op !== 'store') return rest as Mutation;
    const { saved: _saved, ...store } = rest;
    return store as Mutation;
  }
});

t.test('names and headers, for any names', (t) => {
  const anyName = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom('..', '.', 'C:', 'a\\..\\b', 'unnamed'),
  );
  const entry = fc.record<TarEntry>({
    name: fc.string({ unit: 'binary', minLength: 1 }).filter((name) => !name.includes('\u0000')),
    type: fc.constant('file'),
    size: fc.oneof(fc.nat(), fc.constantFrom(8 ** 11 - 1, 8 ** 11, 2 ** 50)),
    target: fc.string({ unit: 'binary' }).filter((name) => !name.includes('\u0000')),
    modified: fc.nat().map((seconds) => seconds * 1000),
  });
  fc.assert(
    fc.property(entry, (given) => {
      const bytes = tarHeader(given);
      const first = parseBlock(bytes.subarray(0, 512));
      if (first?.type !== 'pax') {
        t.same(first, given);
        return;
      }
      const last = parseBlock(bytes.subarray(-512));
      if (last === undefined || last.type === 'pax') throw new Error('no header behind pax');
      t.same(withPax({ ...last, type: last.type }, bytes.subarray(512, 512 + first.size)), given);
    }),
    { numRuns: 300 },
  );
  fc.assert(
    fc.property(fc.array(fc.array(anyName, { maxLength: 4 }), { maxLength: 8 }), (paths) => {
      const tree = new TreeNames();
      const given = paths.map((path) => tree.file(`/${path.join('/')}`, path.at(-1) ?? ''));
      const set = new Set(given);
      const isBelow = (name: string): boolean => given.some((file) => name.startsWith(`${file}/`));
      return (
        set.size === given.length &&
        given.every((name) => /^tree\/(?!.*(^|\/)\.{0,2}(\/|$))[^\\:\u0000]+$/su.test(name) && !isBelow(name))
      );
    }),
    { numRuns: 500 },
  );
  fc.assert(
    fc.property(anyName, anyName, fc.nat(), (name, author, time) => {
      const beside = besideName(name.replaceAll(/[/\p{Cc}]/gu, ''), author, time, 2);
      return Buffer.byteLength(beside) <= 255 && !/[/\p{Cc}]/u.test(beside) && beside.includes('restored');
    }),
    { numRuns: 300 },
  );
  const tree = new TreeNames();
  t.equal(tree.file('/a', 'a'), 'tree/a');
  t.equal(tree.file('/a/b', 'b'), 'tree/unnamed/1-b', 'below a file');
  t.equal(tree.folder('/a'), undefined);
  t.equal(tree.folder('/c/d'), 'tree/c/d/');
  t.equal(tree.file('/c', 'c'), 'tree/unnamed/2-c', 'where a folder is');
  t.ok(staysInside('tree/a/b', '../c') && staysInside('tree/a', './x/../y'));
  for (const target of ['..', '../c', '/x', 'x/../..', '', 'C:\\x'])
    t.notOk(staysInside('tree/a', target), target);
  t.end();
});

/** Of all contents that are there. */
async function versionsOf(venus: MemoryVenus): Promise<string[]> {
  const statuses = await Promise.all(Object.keys(await treeOf(venus)).map((path) => at(venus, path)));
  return statuses.flatMap(({ version }) => version ?? []).sort();
}

type Move = readonly [op: string, from: number, to: number];

/** One operation somewhere in the tree; what makes no sense there is not done. */
async function move(venus: MemoryVenus, [op, from, to]: Move, index: number): Promise<void> {
  const paths = Object.keys(await treeOf(venus));
  const source = paths[from % Math.max(1, paths.length)] ?? '/none';
  const folders = ['', ...paths.filter((_, at) => at % 2 === to % 2)];
  const target = `${folders[to % folders.length] ?? ''}/${'abcdef'.at(to % 6) ?? ''}`;
  const work: Record<string, () => Promise<unknown>> = {
    store: () =>
      put(venus, index % 2 === 0 ? ann : bob, from % 2 === 0 ? source : target, `text ${index % 5}`),
    mkdir: () => mkdir(venus, ann, target),
    rename: () => rename(venus, bob, source, target),
    remove: () => remove(venus, ann, source),
    mode: async () => venus.setMode(ann, (await at(venus, source)).fid, 0o700 + (to % 8)),
    props: async () =>
      venus.setProperties(ann, (await at(venus, source)).fid, {
        set: { [`{x}${to % 3}`]: 'v' },
        remove: [`{x}${from % 3}`],
      }),
  };
  try {
    await work[op]?.();
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
  }
}

t.test('any day comes back whole, at once or in two goes', async () => {
  const moves = fc.array(
    fc.tuple(fc.constantFrom('store', 'mkdir', 'rename', 'remove', 'mode', 'props'), fc.nat(99), fc.nat(99)),
    {
      maxLength: 25,
    },
  );
  const runs = Number(process.env['RUNS'] ?? 150);
  await fc.assert(
    fc.asyncProperty(moves, moves, moves, fc.nat(100), async (before, during, meanwhile, percent) => {
      const share = new MemoryVenus({ wall: () => start });
      for (const [index, one] of before.entries()) await move(share, one, index);
      const fork = { from: share, venus: archiverVenus };
      const gateway = new MemoryVenus({ wall: () => start + 60_000, servers: ['s1'], fork });
      await gateway.disconnect([]);
      for (const [index, one] of during.entries()) await move(gateway, one, index);
      const archive = await archiveOf(gateway);
      const wanted = await treeOf(gateway);
      const other = evening(share);
      const { notes } = await restore(other, archive);
      deepEqual(await treeOf(other), wanted, notes.join('\n'));
      const present = gateway.log.changes().length;
      deepEqual(await restore(other, archive), { restored: 0, present, notes: [] });
      const busy = evening(share);
      for (const [index, one] of meanwhile.entries()) await move(busy, one, index);
      const theirs = (await versionsOf(busy)).filter((version) => version.startsWith(otherVenus));
      await restore(busy, archive);
      const left = await versionsOf(busy);
      for (const version of theirs) ok(left.includes(version), `${version} of somebody else is lost`);
      const all = await versionsOf(busy);
      await restore(busy, archive);
      deepEqual(await versionsOf(busy), all, 'the second time changes no contents');
      const cut = evening(share);
      await restore(cut, archive.subarray(0, (archive.length * percent) / 100)).catch(() => undefined);
      await restore(cut, archive);
      const contents = Object.values(await treeOf(cut)).map((words) => words.split(' {')[0]);
      for (const words of Object.values(wanted)) ok(contents.includes(words.split(' {')[0]), words);
    }),
    { numRuns: runs },
  );
});
