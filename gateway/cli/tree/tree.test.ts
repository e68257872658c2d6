/** Trees in and out: the decisions, the headers against the system's tar, whole copies against a Venus in memory. */
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { skipWithout } from '../../../conformance/program.js';
import type { PendingState } from '../../realm/tree-object.js';
import { comparedStep, propertyStep, stepOf, type Compared } from './comparison.js';
import { drained, unsentText } from './drain.js';
import { Lanes } from './lanes.js';
import { memberHeader, padding, tarEnd, type TarMember } from './tar-header.js';
import { localForm, localNameFault, shareForm, shareNameFault } from './tree-name.js';
import { Pace } from './tree-progress.js';
import { clock, plain, replacing, verifying } from './tree-fixture.js';

t.test('what is done with one object', async (t) => {
  const file: Compared = { kind: 'file', length: 3, modified: 1000, target: null };
  const folder: Compared = { kind: 'directory', length: 0, modified: 1000, target: null };
  const link: Compared = { kind: 'symlink', length: 0, modified: 1000, target: 'there' };
  const longer = { ...file, length: 4 };
  const later = { ...file, modified: 1001 };
  const elsewhere = { ...link, target: 'elsewhere', modified: 7 };
  t.equal(stepOf(file, undefined, plain), 'make');
  t.equal(stepOf(file, file, plain), 'same');
  t.equal(stepOf(file, file, verifying), 'compare', 'size and time alone are not believed');
  t.equal(stepOf(file, later, plain), 'compare', 'a time may have been lost on the way');
  t.equal(stepOf(file, later, replacing), 'compare');
  t.match(stepOf(file, longer, plain), { refused: /differs; --replace/ });
  t.equal(stepOf(file, longer, replacing), 'replace');
  t.equal(comparedStep(true, replacing), 'same');
  t.equal(comparedStep(false, replacing), 'replace');
  t.match(comparedStep(false, plain), { refused: /differs/ });
  t.equal(stepOf(folder, { ...folder, modified: 5 }, plain), 'same');
  t.equal(stepOf(link, { ...link, modified: 5 }, plain), 'same');
  t.match(stepOf(link, elsewhere, plain), { refused: /differs/ });
  t.equal(stepOf(link, elsewhere, replacing), 'replace');
  for (const rules of [plain, replacing]) {
    t.match(stepOf(file, folder, rules), { refused: /there is a folder of this name/ });
    t.match(stepOf(folder, link, rules), { refused: /there is a symbolic link of this name/ });
  }
  const has = { '{x}a': '<a/>', '{x}b': '<b/>' };
  t.same(propertyStep(has, { '{x}b': '<b>2</b>', '{x}c': '<c/>' }, plain), {
    set: { '{x}c': '<c/>' },
    differing: ['{x}b'],
  });
  t.same(propertyStep(has, { '{x}b': '<b>2</b>' }, replacing), {
    set: { '{x}b': '<b>2</b>' },
    differing: [],
  });
  t.same(propertyStep(has, has, plain), { set: {}, differing: [] });
});

t.test('names of both sides', async (t) => {
  for (const name of ['plan.txt', ' a ', 'ü'.repeat(127), '%41 #?&', '.hidden', 'con', '-rf']) {
    t.equal(shareNameFault(name, true), undefined, name);
    t.equal(localNameFault(name, true, 'linux'), undefined, name);
  }
  t.match(shareNameFault('a\\b', false), /backslash/);
  t.match(shareNameFault('a\nb', false), /control/);
  t.match(shareNameFault('ü'.repeat(128), false), /longer/);
  t.match(shareNameFault('.coda', true), /own/);
  t.equal(shareNameFault('.coda', false), undefined);
  t.match(shareNameFault('.coda-export-0123456789ab.part', false), /left behind/);
  t.equal(shareForm('e\u0301'), shareForm('\u00e9'));
  t.match(localNameFault('..', false, 'linux'), /reserved/, 'whatever a server says');
  t.match(localNameFault('a/b', false, 'linux'), /slash/);
  t.match(localNameFault('.coda-properties.jsonl', true, 'linux'), /kept/);
  t.equal(localNameFault('.coda-properties.jsonl', false, 'linux'), undefined);
  for (const name of ['a:b', 'end.', 'end ', 'CON', 'nul.txt', 'what?']) {
    t.match(localNameFault(name, false, 'win32'), /Windows/, name);
  }
  t.equal(localForm('Plan', 'darwin'), localForm('plan', 'darwin'));
  t.not(localForm('Plan', 'linux'), localForm('plan', 'linux'));
});

const member = (path: string, more: Partial<TarMember> = {}): TarMember => ({
  path: path.split('/'),
  kind: 'file',
  length: 0,
  target: '',
  modified: 981_173_106_789,
  properties: {},
  ...more,
});

t.test("the system's tar reads the headers", { skip: skipWithout('tar') }, async (t) => {
  const folder = t.testdir({ out: {} });
  const long = `${'d'.repeat(200)}/${'ü'.repeat(100)}/${'f'.repeat(60)}`;
  const members: readonly TarMember[] = [
    member('docs', { kind: 'directory', modified: 946_684_800_000 }),
    member('docs/plan.txt', { length: 5 }),
    member('docs/-odd "name" ü%41', { length: 512 }),
    member('docs/link', { kind: 'symlink', target: `../${'t'.repeat(150)}/ü` }),
    member('docs/short-link', { kind: 'symlink', target: 'plan.txt' }),
    member('docs/before-1970', { modified: -1500 }),
    member('docs/far', { modified: 8 ** 11 * 1000 + 1 }),
    member(long, { length: 513, properties: { '{urn:x}a': `<a xmlns="urn:x">${'ä'.repeat(5000)}</a>` } }),
  ];
  const contents = (at: TarMember): Buffer => Buffer.alloc(at.length, at.path.at(-1) ?? '');
  const parts = members.flatMap((at) => [memberHeader(at), contents(at), padding(at.length)]);
  fs.writeFileSync(join(folder, 'a.tar'), Buffer.concat([...parts, tarEnd]));
  const tar = (...options: readonly string[]): string =>
    execFileSync('tar', ['--warning=no-unknown-keyword', ...options], { encoding: 'utf8', stdio: 'pipe' });
  tar('-xf', join(folder, 'a.tar'), '-C', join(folder, 'out'));
  for (const at of members) {
    const path = join(folder, 'out', ...at.path);
    t.equal(Math.round(fs.lstatSync(path).mtimeMs), at.modified, `time of ${at.path.at(-1) ?? ''}`);
    if (at.kind === 'file') t.ok(fs.readFileSync(path).equals(contents(at)));
    if (at.kind === 'symlink') t.equal(fs.readlinkSync(path), at.target);
  }
  // A size that fits no octal field: the contents are a hole in the file.
  const huge = 9 * 2 ** 30;
  const header = memberHeader(member('huge', { length: huge }));
  const file = fs.openSync(join(folder, 'huge.tar'), 'w');
  fs.writeSync(file, header);
  fs.writeSync(file, memberHeader(member('behind', { modified: 1000 })), 0, 512, header.length + huge);
  fs.ftruncateSync(file, header.length + huge + 2048);
  fs.closeSync(file);
  t.match(tar('-tvf', join(folder, 'huge.tar')), new RegExp(` ${huge} .* huge\\n.* behind\\n$`));
  fs.rmSync(join(folder, 'huge.tar'));
});

t.test('progress, waiting, and lanes', async (t) => {
  const pace = new Pace({ files: 10, bytes: 100 * 2 ** 20 }, 0);
  t.equal(pace.text(0), '0 of 10 files, 0 B of 100 MiB');
  [pace.files, pace.bytes] = [2, 20 * 2 ** 20];
  t.equal(pace.text(10_000), '2 of 10 files, 20.0 MiB of 100 MiB, 2.0 MiB/s, 40 s left');
  t.match(pace.text(60_000), /^2 of 10 files, 20.0 MiB of 100 MiB$/, 'what was long ago tells nothing');

  const state: PendingState = {
    changes: 2,
    bytes: 100,
    kept: 1,
    isReached: true,
    awaitedLogins: [],
    lastError: null,
  };
  const answers = [state, { ...state, changes: 1 }, { ...state, changes: 0, kept: 3 }];
  const told: string[] = [];
  const options = {
    keptBefore: 1,
    user: 'ann',
    stopped: () => false,
    tell: (text: string) => told.push(text),
  };
  const ask = async (): Promise<PendingState> => answers.shift() ?? state;
  t.match(await drained(ask, clock, options), { isSent: true, kept: 2 });
  t.equal(told[0], 'waiting for the servers: 2 changes (100 B)');
  answers.push({ ...state, isReached: false });
  const cut = await drained(ask, clock, options);
  t.equal(cut.isSent, false, 'nobody waits for servers that are not there');
  t.match(unsentText('g1', 'coda', cut), /2 changes \(100 B\) still wait at g1.*when a server is reached/);
  answers.push({ ...state, awaitedLogins: ['ann'] });
  t.match(unsentText('g1', 'coda', await drained(ask, clock, options)), /when ann logs in/);
  t.equal((await drained(ask, clock, { ...options, stopped: () => true })).isSent, false, 'Ctrl-C');

  const lanes = new Lanes(2);
  const order: string[] = [];
  const ends: (() => void)[] = [];
  const task = (name: string) => async (): Promise<void> => {
    order.push(name);
    await new Promise<void>((resolve) => ends.push(resolve));
  };
  const first = await lanes.start(task('a'));
  const second = await lanes.start(task('b'));
  const third = lanes.start(task('c'));
  lanes.after([first.over, second.over], async () => void order.push('after'));
  t.same(order, ['a', 'b'], 'two at a time');
  ends[1]?.();
  await third;
  t.same(order, ['a', 'b', 'c']);
  ends[0]?.();
  ends[2]?.();
  await lanes.idle();
  t.same(order, ['a', 'b', 'c', 'after']);
  await lanes.start(() => Promise.reject(new Error('enough')));
  await t.rejects(lanes.idle(), /enough/);
  await t.rejects(lanes.start(task('d')), /enough/, 'nothing begins after a failure');
});
