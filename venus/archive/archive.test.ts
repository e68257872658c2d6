/** An archive of a log: written, unpacked with tar, restored, torn, altered, forged. */
import { deepEqual, ok } from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { Failure, type Fid, type Mutation } from '../../vice/interface/index.js';
import { digestOf } from '../../vice/seam/block-digests.js';
import { MemoryVenus } from '../twin/memory-venus.js';
import { besideName } from './beside-name.js';
import type { ArchivedEntry } from './checkpoint.js';
import { restoreArchive } from './restore.js';
import { parseBlock, tarHeader, withPax, type TarEntry } from './tar.js';
import { staysInside, TreeNames } from './tree-names.js';
import {
  ann,
  archiveOf,
  archiverVenus,
  at,
  bob,
  day,
  entriesOf,
  evening,
  invalid,
  longName,
  mkdir,
  morning,
  otherVenus,
  pieces,
  put,
  remove,
  rename,
  restore,
  shareOf,
  start,
  treeOf,
} from '../../conformance/bare-venus/archived-day.js';

/** For many RUNS. */
t.setTimeout(600_000);

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
