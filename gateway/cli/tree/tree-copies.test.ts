/** Whole trees in and out, against a Venus in memory. */
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Failure, parseRights, type Caller, type Fid } from '../../../venus/interface.js';
import { MemoryVenus } from '../../../venus/twin/memory-venus.js';
import { openControlDoor } from '../../realm/control-door.js';
import { venusAnswer } from '../../realm/venus-answer.js';
import { breakOff, endingOfCopy } from './ending.js';
import { ExportRun, type TreeSink } from './export-run.js';
import { FolderSink } from './folder-sink.js';
import { ImportRun } from './import-run.js';
import { Lanes } from './lanes.js';
import { readProperties } from './property-file.js';
import { ShareTree, TreeRefusal } from './share-tree.js';
import { TarSink } from './tar-sink.js';
import { TreeProgress } from './tree-progress.js';
import { TreeReport } from './tree-report.js';
import { clock, plain, replacing, verifying } from './tree-fixture.js';

const ann: Caller = { user: 'ann' };

/** A Venus in memory behind a door, and the copies of one person through it. */
class Stage {
  readonly folder: string;
  readonly local: string;
  readonly share: ShareTree;
  /** Of the copy that runs. */
  lanes = new Lanes(4);

  private constructor(
    readonly venus: MemoryVenus,
    folder: string,
  ) {
    this.folder = folder;
    this.local = join(folder, 'local');
    this.share = new ShareTree(join(folder, 'gateway'), ann.user);
  }

  static async open(
    t: Test,
    local: NonNullable<Parameters<Test['testdir']>[0]>,
    venus = new MemoryVenus(),
  ): Promise<Stage> {
    const folder = t.testdir({ gateway: {}, local });
    const door = await openControlDoor(join(folder, 'gateway'), venusAnswer(venus, clock), clock, 0);
    t.teardown(() => door.close());
    return new Stage(venus, folder);
  }

  async import(rules = plain, waitForRoom = async (): Promise<boolean> => false): Promise<TreeReport> {
    const { object, isShare } = await this.share.find([], false);
    if (object === null) throw new Error('there is a root');
    this.lanes = new Lanes(4);
    const report = new TreeReport();
    const { of: properties } = await readProperties(join(this.local, '.coda-properties.jsonl'));
    const progress = new TreeProgress({ files: 0, bytes: 0 });
    const common = { share: this.share, rules, report, progress, properties, waitForRoom };
    const run = new ImportRun({ ...common, lanes: this.lanes, enters: () => undefined });
    await run.run(this.local, { path: [], object, isNew: false, isShare });
    return report;
  }

  async export(target: string, rules = plain): Promise<TreeReport> {
    const { object } = await this.share.find([], false);
    if (object === null) throw new Error('there is a root');
    const path = join(this.folder, target);
    const sink: TreeSink = target.endsWith('.tar')
      ? await TarSink.open(path, rules.replace, () => this.lanes.check())
      : await FolderSink.open(path, rules, () => undefined);
    const report = new TreeReport();
    const progress = new TreeProgress({ files: 0, bytes: 0 });
    await new ExportRun({
      share: this.share,
      sink,
      report,
      progress,
      lanes: (this.lanes = new Lanes(sink.lanes)),
    }).run(object);
    return report;
  }

  async put(parent: Fid, name: string, bytes: Uint8Array): Promise<Fid> {
    const writer = await this.venus.write(ann);
    await writer.write(bytes);
    return (await writer.close({ parent, name })).status.fid;
  }

  async text(...path: string[]): Promise<string | null> {
    const { object } = await this.share.find(path, false);
    if (object === null) return null;
    const chunks: Uint8Array[] = [];
    for await (const chunk of this.share.read(object)) chunks.push(chunk);
    return Buffer.concat(chunks).toString();
  }

  async fid(...path: string[]): Promise<Fid> {
    const { object } = await this.venus.lookup(ann, path);
    if (object === null) throw new Error(`there is no ${path.join('/')}`);
    return object.fid;
  }
}

t.test('a tree comes in, and nothing is dropped in silence', async (t) => {
  const stage = await Stage.open(t, {
    docs: { 'plan.txt': 'plan', deep: {} },
    'big.bin': 'x'.repeat(700_000),
  });
  const { local, venus } = stage;
  fs.writeFileSync(join(local, 'docs', 'e\u0301'), 'one');
  fs.writeFileSync(join(local, 'docs', '\u00e9'), 'two');
  fs.writeFileSync(join(local, 'back\\slash'), '');
  fs.writeFileSync(Buffer.concat([Buffer.from(`${local}/bad`), Buffer.from([0xff])]), '');
  fs.mkdirSync(join(local, '.coda'));
  fs.symlinkSync('docs/plan.txt', join(local, 'link'));
  fs.lutimesSync(join(local, 'link'), 1_000_000_000.5, 1_000_000_000.5);
  execFileSync('mkfifo', [join(local, 'pipe')]);
  fs.utimesSync(join(local, 'docs', 'plan.txt'), 981_173_106.789, 981_173_106.789);
  fs.utimesSync(join(local, 'docs'), 946_684_800, 946_684_800);

  const report = await stage.import();
  t.same(report.copied, { files: 3, folders: 2, links: 1, bytes: 700_007 });
  t.same(report.refused.map(({ path }) => path).sort(), [
    '.coda',
    'back\\slash',
    'bad\u00ff',
    'docs/\u00e9',
    'pipe',
  ]);
  t.match(report.text(), /not copied: 5\n.*\n.*\n?.*pipe: it is a pipe/s);
  const plan = await venus.status(ann, await stage.fid('docs', 'plan.txt'));
  t.match(plan, { modified: 981_173_106_789, length: 4 });
  t.equal(
    (await venus.status(ann, await stage.fid('docs'))).modified,
    946_684_800_000,
    'after what is in it',
  );
  t.match(await venus.status(ann, await stage.fid('link')), { kind: 'symlink', target: 'docs/plan.txt' });
  const link = { kind: 'symlink', target: 'docs/plan.txt', modified: 1_000_000_000_500 };
  t.match(await venus.status(ann, await stage.fid('link')), link);
  t.equal(await stage.text('docs', 'e\u0301'), 'one');

  const again = await stage.import();
  t.same(again.copied, { files: 0, folders: 0, links: 0, bytes: 0 });
  t.same(again.passedOver, { files: 3, folders: 2, links: 1, bytes: 700_007 });
  t.equal((await venus.status(ann, plan.fid)).version, plan.version, 'not touched');

  // Something new in a folder whose own time is as it was.
  fs.writeFileSync(join(local, 'docs', 'new'), '');
  fs.utimesSync(join(local, 'docs'), 946_684_800, 946_684_800);
  t.match((await stage.import()).copied, { files: 1 });
  t.equal((await venus.status(ann, await stage.fid('docs'))).modified, 946_684_800_000);

  // Another time, the same contents; then other contents of the same size.
  fs.utimesSync(join(local, 'docs', 'plan.txt'), 5, 5);
  t.equal((await stage.import()).refusals, 5);
  fs.writeFileSync(join(local, 'docs', 'plan.txt'), 'plot');
  t.match((await stage.import()).refused.at(-1), {
    path: 'docs/plan.txt',
    reason: /it is there and differs/,
  });
  t.equal(await stage.text('docs', 'plan.txt'), 'plan');
  fs.utimesSync(join(local, 'docs', 'plan.txt'), 981_173_106.789, 981_173_106.789);
  t.equal((await stage.import()).refusals, 5, 'size and time are believed');
  t.equal((await stage.import(verifying)).refusals, 6, 'unless they are not');
  const replaced = await stage.import({ replace: true, verify: true });
  t.match(replaced.copied, { files: 1, bytes: 4 });
  t.equal(await stage.text('docs', 'plan.txt'), 'plot');
  t.equal(await stage.fid('docs', 'plan.txt'), plan.fid, 'it is the same file, of another version');
  // The same contents with another time: that is set if it shall be as here. A link is never replaced.
  fs.utimesSync(join(local, 'docs', 'plan.txt'), 7, 7);
  fs.rmSync(join(local, 'link'));
  fs.symlinkSync('elsewhere', join(local, 'link'));
  const timed = await stage.import(replacing);
  t.equal((await venus.status(ann, plan.fid)).modified, 7_000);
  t.match(timed.copied, { files: 0 });
  t.match(
    timed.refused.find(({ path }) => path === 'link'),
    { reason: /leads elsewhere; delete it/ },
  );
  t.equal(venus.openWriters, 0);
});

t.test('a report names some and counts all', async (t) => {
  const report = new TreeReport();
  for (let at = 0; at < 1500; at += 1) report.refuse(`\u001b[2J${at}`, 'why');
  t.equal(report.refused.length, 1000);
  t.equal(report.refusals, 1500);
  t.match(report.text(), /not copied: 1500\n {2}\ufffd\[2J0: why\n.*\.\.\. and 1400 more/s);
});

t.test('what happens while a file is on its way in', async (t) => {
  const stage = await Stage.open(
    t,
    { a: 'a'.repeat(600_000), b: 'b' },
    new MemoryVenus({ capacity: 700_000, groups: { 'System:Administrators': ['root'] } }),
  );
  const { local, venus } = stage;
  venus.beforeNext('writer.write', async () => fs.appendFileSync(join(local, 'a'), 'more'));
  const torn = await stage.import();
  t.match(torn.refused, [{ path: 'a', reason: /changed while it was read/ }]);
  t.equal(await stage.text('a'), null, 'nothing of it is there');
  t.equal(await stage.text('b'), 'b');
  const bytes = Buffer.alloc(600_000, 'other');
  fs.writeFileSync(join(local, 'a'), 'a'.repeat(600_000));
  venus.beforeNext('writer.write', async () => fs.writeFileSync(join(local, 'a'), bytes));
  t.match((await stage.import()).refused, [{ path: 'a', reason: /changed/ }], 'of the same size');
  const write = venus.write.bind(venus);
  venus.write = async (...order) => {
    const writer = await write(...order);
    const written = writer.write.bind(writer);
    return Object.assign(writer, { write: (chunk: Uint8Array) => written(chunk.map((byte) => byte ^ 1)) });
  };
  t.match((await stage.import()).refused, [{ path: 'a', reason: /holds other bytes than were sent/ }]);
  venus.write = write;
  await venus.remove(ann, await stage.fid(), 'a');
  await t.rejects(
    venus.lookup(ann, ['a']).then(({ object }) => object ?? Promise.reject(new Error('free'))),
    /free/,
  );

  const root = await stage.fid();
  venus.beforeNext('writer.close', async () => void (await stage.put(root, 'a', Buffer.from('theirs'))));
  t.match(
    (await stage.import()).refused,
    [{ path: 'a' }],
    'a name that was taken meanwhile is not taken over',
  );
  t.equal(await stage.text('a'), 'theirs');
  await venus.leases.put({ token: 'l', fid: await stage.fid('a'), holder: 'bob', ends: 8e15, note: '' });
  t.match((await stage.import(replacing)).refused, [{ path: 'a', reason: /bob has locked it/ }]);
  await venus.leases.remove('l');
  await venus.makeDirectory(ann, root, 'd');
  fs.mkdirSync(join(local, 'd'));
  fs.writeFileSync(join(local, 'd', 'in'), 'in');
  const lock = {
    lock: 1,
    scope: 'exclusive',
    owner: '',
    timeout: 60,
    root: ['d'],
    lineage: [root],
    collection: true,
  };
  const hold = async (depth: '0' | 'infinity'): Promise<void> => {
    const note = JSON.stringify({ ...lock, depth });
    await venus.leases.put({ token: 'l', fid: await stage.fid('d'), holder: 'bob', ends: 8e15, note });
  };
  await hold('infinity');
  const locked = { path: 'd/in', reason: /bob has locked a folder above it/ };
  t.match(
    (await stage.import(replacing)).refused.filter(({ path }) => path !== 'a'),
    [locked],
    'a new file',
  );
  await venus.leases.remove('l');
  t.match((await stage.import(replacing)).copied, { files: 1 });
  await hold('infinity');
  fs.writeFileSync(join(local, 'd', 'in'), 'other');
  t.match(
    (await stage.import(replacing)).refused.filter(({ path }) => path !== 'a'),
    [locked],
    'one that is there',
  );
  t.equal(await stage.text('d', 'in'), 'in');
  await hold('0');
  t.match(
    (await stage.import(replacing)).copied,
    { files: 1 },
    'a lock of the folder alone is none of its files',
  );
  await venus.leases.remove('l');
  fs.writeFileSync(join(local, 'a'), 'again');
  await venus.setAccess({ user: 'root' }, root, {
    positive: { ann: parseRights('read') ?? 0 },
    negative: {},
  });
  t.match((await stage.import(replacing)).refused, [{ path: 'a', reason: /may put nothing/ }]);
  t.equal(venus.openWriters, 0);
});

t.test('a full share ends it, unless there will be room', async (t) => {
  const stage = await Stage.open(
    t,
    { a: 'a'.repeat(600_000), z: 'z' },
    new MemoryVenus({ capacity: 500_000 }),
  );
  await t.rejects(stage.import(), { name: 'TreeRefusal', kind: 'no-space' });
  t.equal(stage.venus.openWriters, 0);
  stage.venus.failNext('write', new Failure('logged-out', 'test', 'ann has not logged in at this gateway'));
  await t.rejects(
    stage.import(),
    { name: 'TreeRefusal', kind: 'logged-out' },
    'nor does anything go on in the name of a stranger',
  );
  const ended = (why: unknown) => (): void => endingOfCopy(new TreeReport(), { why }, 0, 'g1');
  t.throws(ended(new TreeRefusal('quota', 'full')), /Broken off: full. What was copied stays. Make room/);
  t.throws(ended(new TreeRefusal('logged-out', 'no')), /Log in once/);
  t.throws(ended(Object.assign(new Error('ENOSPC: disk'), { code: 'ENOSPC' })), {
    name: 'OperatorError',
    kind: 'refused',
  });
  t.throws(ended(new TypeError('a fault of ours')), { name: 'TypeError' });
  const other = await Stage.open(t, { a: 'a'.repeat(600_000) }, new MemoryVenus({ capacity: 800_000 }));
  const bulk = await other.put(await other.fid(), 'bulk', Buffer.alloc(700_000));
  t.ok(bulk);
  const made = await other.import(plain, async () => {
    await other.venus.remove(ann, await other.fid(), 'bulk');
    return true;
  });
  t.match(made, { copied: { files: 1 }, refusals: 0 });
});

t.test('Ctrl-C, in and out', async (t) => {
  const stage = await Stage.open(t, { a: 'a'.repeat(600_000), docs: { b: 'b' } });
  const { venus, folder } = stage;
  const stop = async (): Promise<void> => stage.lanes.fail(breakOff());
  venus.beforeNext('writer.write', stop);
  await t.rejects(stage.import(), /Broken off.*run the command again/);
  t.equal(await stage.text('a'), null);
  t.equal(venus.openWriters, 0);
  t.match(await stage.import(), { refusals: 0 });
  for (const target of ['out', 'all.tar']) {
    venus.beforeNext('read', stop);
    await t.rejects(stage.export(target), /Broken off/);
    const left = (): string[] => {
      const all = fs.readdirSync(folder, { recursive: true, encoding: 'utf8' });
      return all.filter((path) => /part$|tmp$/.test(path));
    };
    // Of a tar what is whole stays under another name (tar-sink.test.ts).
    if (target === 'out') t.same(left(), [], 'nothing half is left');
    t.notOk(fs.existsSync(target === 'out' ? join(folder, 'out', 'a') : join(folder, target)));
    t.match(await stage.export(target), { refusals: 0 });
    t.same(left(), [], `${target}: nothing is left`);
  }
  t.equal(venus.openFiles, 0);
});

t.test('a tree goes out, and what is there stays', async (t) => {
  const stage = await Stage.open(t, {});
  const { venus, folder } = stage;
  const root = await stage.fid();
  const docs = await venus.makeDirectory(ann, root, 'docs');
  const plan = await stage.put(docs.fid, 'plan.txt', Buffer.from('plan'));
  const big = Buffer.alloc(600_000, 'big');
  await stage.put(root, 'big.bin', big);
  const empty = await venus.makeDirectory(ann, root, 'empty');
  await venus.setModified(ann, plan, 981_173_106_789);
  await venus.setModified(ann, empty.fid, -1500);
  await venus.setModified(ann, docs.fid, 946_684_800_000);
  await venus.makeSymlink(ann, root, 'link', '/etc');
  const color = '{urn:x}color';
  await venus.setProperties(ann, plan, {
    set: { [color]: '<x:color xmlns:x="urn:x">red</x:color>' },
    remove: [],
  });
  const out = (...path: string[]): string => join(folder, 'out', ...path);

  venus.failNext('read', new Failure('damaged', 'test', 'its bytes are not its bytes'));
  const torn = await stage.export('out');
  t.match(torn.refused, [{ path: 'big.bin', reason: /not its bytes/ }]);
  t.same(
    fs.readdirSync(out()).sort(),
    ['.coda-properties.jsonl', 'docs', 'empty', 'link'],
    'and nothing half',
  );
  const open = venus.open.bind(venus);
  venus.open = async (...order) => {
    const file = await open(...order);
    return {
      ...file,
      read: async function* () {
        yield Buffer.alloc(file.status.length, 'x');
      },
    };
  };
  const other = await stage.export('out');
  t.match(other.refused, [{ path: 'big.bin', reason: /not what the share says it holds/ }]);
  t.notOk(fs.existsSync(out('big.bin')));
  venus.open = open;
  const left = [out('.coda-export-0123456789ab.part'), out('docs', '.coda-export-0123456789ab.part')];
  for (const part of left) fs.writeFileSync(part, 'left by one that was killed');
  const whole = await stage.export('out');
  t.match(whole, {
    copied: { files: 1, folders: 0 },
    passedOver: { files: 1, folders: 2, links: 1 },
    refusals: 0,
  });
  for (const part of left) t.notOk(fs.existsSync(part));
  t.ok(fs.readFileSync(out('big.bin')).equals(big));
  t.equal(Math.round(fs.statSync(out('docs', 'plan.txt')).mtimeMs), 981_173_106_789);
  t.equal(Math.round(fs.statSync(out('docs')).mtimeMs), 946_684_800_000);
  t.equal(Math.round(fs.statSync(out('empty')).mtimeMs), -1500);
  t.equal(fs.readlinkSync(out('link')), '/etc');
  const line = { path: 'docs/plan.txt', properties: { [color]: '<x:color xmlns:x="urn:x">red</x:color>' } };
  t.same(JSON.parse(fs.readFileSync(out('.coda-properties.jsonl'), 'utf8')), line);

  // A name that is taken while its file is on the way.
  const late = await stage.put(root, 'late', Buffer.from('late'));
  t.ok(late);
  venus.beforeNext('read', async () => fs.writeFileSync(out('late'), 'mine'));
  t.match((await stage.export('out')).refused, [{ path: 'late', reason: /came meanwhile/ }]);
  t.equal(fs.readFileSync(out('late'), 'utf8'), 'mine');
  await venus.remove(ann, root, 'late');

  // What is there and differs; and links that lead out of the folder.
  fs.writeFileSync(out('docs', 'plan.txt'), 'mine');
  fs.rmSync(out('empty'), { recursive: true });
  fs.mkdirSync(join(folder, 'outside'));
  fs.symlinkSync(join(folder, 'outside'), out('empty'));
  fs.rmSync(out('big.bin'));
  fs.symlinkSync(join(folder, 'outside', 'big'), out('big.bin'));
  await stage.put(empty.fid, 'inner', Buffer.from('x'));
  for (const rules of [plain, replacing]) {
    const refused = await stage.export('out', rules);
    const paths = refused.refused.map(({ path }) => path).sort();
    t.match(refused.refused.find(({ path }) => path === 'empty')?.reason, /a symbolic link of this name/);
    t.same(paths, rules.replace ? ['big.bin', 'empty'] : ['big.bin', 'docs/plan.txt', 'empty']);
    t.same(fs.readdirSync(join(folder, 'outside')), [], 'nothing is written through a link');
  }
  t.equal(fs.readFileSync(out('docs', 'plan.txt'), 'utf8'), 'plan', '--replace');

  // A tar takes back what broke off, and is not given up for it.
  venus.failNext('read', new Failure('unreachable', 'test', 'no server has it'));
  const tar = await stage.export('all.tar');
  t.match(tar.refused, [{ path: 'big.bin' }]);
  t.ok(fs.statSync(join(folder, 'all.tar')).size < 20_000, 'nothing of it is left');
  const list = execFileSync('tar', ['--warning=no-unknown-keyword', '-tf', join(folder, 'all.tar')], {
    encoding: 'utf8',
  });
  t.same(list.split('\n').sort(), ['', 'docs/', 'docs/plan.txt', 'empty/', 'empty/inner', 'link']);
  await t.rejects(stage.export('all.tar'), /exists.*--replace/);
  t.match(await stage.export('all.tar', replacing), { refusals: 0 });
  t.same(
    fs.readdirSync(folder).filter((name) => name.endsWith('.tmp')),
    [],
  );
  t.equal(venus.openFiles, 0);
});

t.test('properties that an export wrote come back, and no others', async (t) => {
  const good = '<x:color xmlns:x="urn:x">red</x:color>';
  const lines = [
    { path: 'plan.txt', properties: { '{urn:x}color': good } },
    { path: 'docs', properties: { '{urn:x}color': good } },
    { path: 'evil', properties: { '{urn:x}color': '</D:prop><D:href>elsewhere</D:href>' } },
    { path: 'other', properties: { '{urn:x}other': good } },
    { path: 'live', properties: { '{DAV:}getetag': '<D:getetag xmlns:D="DAV:">"1"</D:getetag>' } },
  ].map((line) => JSON.stringify(line));
  const text = [...lines, 'no line', ''].join('\n');
  const files = { 'plan.txt': 'p', evil: '', live: '', other: '', docs: {}, '.coda-properties.jsonl': text };
  const stage = await Stage.open(t, files);
  const { venus } = stage;
  const report = await stage.import();
  t.same(report.refused.map(({ path }) => path).sort(), ['evil', 'live', 'other']);
  t.match(await readProperties(join(stage.local, '.coda-properties.jsonl')), { faults: [/line 6/] });
  for (const path of ['plan.txt', 'docs']) {
    const { properties } = await venus.status(ann, await stage.fid(path));
    t.same(properties, { '{urn:x}color': good });
  }
  t.same((await venus.status(ann, await stage.fid('evil'))).properties, {});
  t.equal(await stage.text('.coda-properties.jsonl'), null, 'it is no file of the tree');
});
