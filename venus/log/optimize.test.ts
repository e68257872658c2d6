/** A story for every row of the optimizer's table and of the table of dependence. */
import t from 'tap';
import {
  bobsVenus,
  digestFor,
  LoggingVenus,
  planted,
  root,
  venus,
  volume,
  type Change,
} from '../../conformance/modify-log/logging-venus.js';
import { difference } from '../../conformance/modify-log/plain-tree.js';
import { replay } from '../../conformance/modify-log/random-walk.js';
import { makeFid, makeStoreId, type Fid, type Mutation } from '../../vice/interface/index.js';
import { Precedents } from './dependence.js';
import type { Logged } from './draft.js';
import { dependsOn, optimize, withdraw, type LogView } from './optimize.js';

const docs = makeFid(volume, 2, venus);
const report = makeFid(volume, 3, venus);
const spare = makeFid(volume, 4, venus);

/** /docs/report and the empty directory /spare are on the servers. */
function disconnected(): { readonly venus: LoggingVenus; readonly end: () => string | undefined } {
  const start = planted([
    { fid: root, parent: null, name: '', kind: 'directory' },
    { fid: docs, parent: root, name: 'docs', kind: 'directory', own: 2 },
    { fid: report, parent: docs, name: 'report', kind: 'file', own: 3, properties: { old: '1' } },
    { fid: spare, parent: root, name: 'spare', kind: 'directory' },
  ]);
  const servers = start.clone();
  const client = new LoggingVenus(start);
  return {
    venus: client,
    end: () => {
      replay(servers, client.log.values());
      return difference(client.cache, servers);
    },
  };
}

/** The log in words: entries by their records. */
function wordsOf(log: Iterable<Logged>): string[] {
  return [...log].map(({ records }) => records.map(({ op }) => op).join(' + '));
}

let contents = 1;
const store = (fid: Fid): Change => {
  contents += 1;
  return { op: 'store', fid, length: 9, digest: digestFor(contents), modified: contents, saved: contents };
};
const utimes = (fid: Fid): Change => ({ op: 'utimes', fid, modified: 1234 });
const chmod = (fid: Fid): Change => ({ op: 'chmod', fid, mode: 0o600 });
const chown = (fid: Fid): Change => ({ op: 'chown', fid, owner: 'bob' });
const setprops = (fid: Fid): Change => ({ op: 'setprops', fid, set: { color: 'red' }, remove: ['old'] });
const create = (parent: Fid, name: string, fid: Fid): Change => ({
  op: 'create',
  parent,
  name,
  fid,
  mode: 0o644,
});
const mkdir = (parent: Fid, name: string, fid: Fid): Change => ({
  op: 'mkdir',
  parent,
  name,
  fid,
  mode: 0o755,
});
const symlink = (parent: Fid, name: string, fid: Fid): Change => ({
  op: 'symlink',
  parent,
  name,
  fid,
  target: 'x',
});
const remove = (parent: Fid, name: string, fid: Fid): Change => ({ op: 'remove', parent, name, fid });
const rmdir = (parent: Fid, name: string, fid: Fid): Change => ({ op: 'rmdir', parent, name, fid });
const rename = (from: readonly [Fid, string], to: readonly [Fid, string], fid: Fid): Change => ({
  op: 'rename',
  fromParent: from[0],
  fromName: from[1],
  toParent: to[0],
  toName: to[1],
  fid,
});

const attributes = { store, utimes, chmod, chown, setprops };
type Attribute = keyof typeof attributes;
const all: readonly Attribute[] = ['store', 'utimes', 'chmod', 'chown', 'setprops'];
const ofDirectories = all.filter((op) => op !== 'store');

interface Row {
  readonly later: string;
  readonly change: Change;
  readonly object: Fid;
  readonly voids: readonly Attribute[];
}

const rows: readonly Row[] = [
  { later: 'store', change: store(report), object: report, voids: ['store', 'utimes'] },
  { later: 'utimes', change: utimes(report), object: report, voids: ['utimes'] },
  { later: 'chmod', change: chmod(report), object: report, voids: ['chmod'] },
  { later: 'chown', change: chown(report), object: report, voids: ['chown'] },
  { later: 'setprops', change: setprops(report), object: report, voids: ['setprops'] },
  { later: 'remove', change: remove(docs, 'report', report), object: report, voids: all },
  { later: 'rmdir', change: rmdir(root, 'spare', spare), object: spare, voids: ofDirectories },
];

for (const { later, change, object, voids } of rows) {
  const earlier = object === spare ? ofDirectories : all;
  const spared = earlier.filter((op) => !voids.includes(op));

  t.test(`${later} cancels ${voids.join(', ')} of the same object`, async (t) => {
    const { venus, end } = disconnected();
    for (const op of earlier) venus.change('ann', [attributes[op](object)]);
    venus.change('ann', [change]);
    t.same(wordsOf(venus.log.values()), [...spared, later]);
    t.equal(end(), undefined);
  });

  t.test(`${later} cancels nothing that a server may have`, async (t) => {
    const { venus, end } = disconnected();
    for (const op of earlier) venus.change('ann', [attributes[op](object)]);
    for (const sequence of venus.log.keys())
      venus.freeze(sequence, sequence % 2 === 0 ? 'offered' : 'applied');
    venus.change('ann', [change]);
    t.same(wordsOf(venus.log.values()), [...earlier, later]);
    t.equal(end(), undefined);
  });

  t.test(`${later} cancels nothing of another user`, async (t) => {
    const { venus, end } = disconnected();
    for (const op of earlier) venus.change('bob', [attributes[op](object)]);
    venus.change('ann', [change]);
    t.same(wordsOf(venus.log.values()), [...earlier, later]);
    t.equal(end(), undefined);
  });
}

t.test('the chain of an object', async (t) => {
  await t.test('closes over what goes, whatever frozen records are in it', async (t) => {
    const { venus: client, end } = disconnected();
    client.change('ann', [store(report)]);
    client.change('ann', [chmod(report)]);
    client.freeze(2, 'offered');
    client.change('ann', [store(report)]);
    client.change('ann', [utimes(report)]);
    client.change('ann', [store(report)]);
    t.same(
      wordsOf(client.log.values()),
      ['store', 'chmod', 'store'],
      'a frozen record names the first store',
    );
    const own = client.records().map(({ base }) => base[report]?.[venus]);
    const [first = '', second = ''] = client.records().map(({ storeId }) => storeId);
    t.same(own, [3, Number(first.slice(17)), Number(second.slice(17))]);
    t.equal(end(), undefined);
  });

  await t.test('starts with nothing of ours where the first record goes', async (t) => {
    const { venus: client, end } = disconnected();
    client.change('ann', [chmod(spare)]);
    client.change('ann', [utimes(spare)]);
    client.change('ann', [chmod(spare)]);
    t.same(wordsOf(client.log.values()), ['utimes', 'chmod']);
    const [first] = client.records();
    t.same(first?.base, { [spare]: { '00000000000000ff': 7 } });
    t.equal(end(), undefined);
  });

  await t.test('an empty base stays: its author has seen the object', async (t) => {
    const fid = report;
    const common = { time: 1, author: 'ann', host: 'gateway', fid };
    const log = logOf([
      [{ op: 'chmod', ...common, mode: 1, storeId: makeStoreId(venus, 5), base: { [fid]: {} } }],
      [
        {
          op: 'utimes',
          ...common,
          modified: 1,
          storeId: makeStoreId(venus, 6),
          base: { [fid]: { [venus]: 5 } },
        },
      ],
    ]);
    const added = { ...common, storeId: makeStoreId(venus, 7), base: { [fid]: { [venus]: 6 } } };
    const { rewritten, records, gone } = optimize([{ op: 'chmod', ...added, mode: 2 }], log);
    t.same(rewritten.get(1), []);
    t.same(rewritten.get(2)?.[0]?.base, { [fid]: {} });
    t.same(records[0]?.base, { [fid]: { [venus]: 6 } });
    t.same([...gone], [makeStoreId(venus, 5)]);
  });

  await t.test('that goes round is no chain', async (t) => {
    const common = { time: 1, author: 'ann', host: 'gateway', fid: report, mode: 1 };
    const circle = (counter: number, named: number): Mutation => ({
      op: 'chmod',
      ...common,
      storeId: makeStoreId(venus, counter),
      base: { [report]: { [venus]: named } },
    });
    const log = logOf([[circle(5, 6)], [circle(6, 5)]]);
    t.throws(() => optimize([circle(7, 6)], log), { message: /circle/ });
  });

  await t.test('of another incarnation of this gateway is left alone', async (t) => {
    const before = makeStoreId('0000000000000001' as typeof venus, 5);
    const common = { op: 'chmod', time: 1, author: 'ann', host: 'gateway', fid: report, mode: 1 } as const;
    const log = logOf([[{ ...common, storeId: before, base: { [report]: {} } }]]);
    const records = [{ ...common, storeId: makeStoreId(venus, 1), base: { [report]: {} } }];
    t.equal(optimize(records, log).rewritten.size, 0);
  });
});

t.test('properties', async (t) => {
  const change = (set: Record<string, string>, remove: readonly string[] = []): Change => ({
    op: 'setprops',
    fid: report,
    set,
    remove,
  });
  const merged = (client: LoggingVenus): unknown =>
    client.records().map((record) => (record.op === 'setprops' ? [record.set, record.remove] : record.op));

  await t.test('of several records become those of one; what was removed is removed', async (t) => {
    const { venus: client, end } = disconnected();
    client.change('ann', [change({ a: '1', b: '1' }, ['old'])]);
    client.change('ann', [chmod(report)]);
    client.change('ann', [change({ b: '2', c: '2' }, ['a'])]);
    t.same(merged(client), ['chmod', [{ b: '2', c: '2' }, ['old', 'a']]]);
    client.change('ann', [change({ old: '3' })]);
    t.same(merged(client), ['chmod', [{ b: '2', c: '2', old: '3' }, ['a']]]);
    t.equal(end(), undefined);
  });

  await t.test('are not moved past a record of properties that stays', async (t) => {
    const { venus: client, end } = disconnected();
    client.change('ann', [change({ a: '1' })]);
    client.change('bob', [change({ b: '1' })]);
    client.change('ann', [change({ a: '2' })]);
    t.same(merged(client), [
      [{ a: '1' }, []],
      [{ b: '1' }, []],
      [{ a: '2' }, []],
    ]);
    t.equal(end(), undefined);
  });

  await t.test('of an operation of several records do not move out of it', async (t) => {
    const { venus: client, end } = disconnected();
    client.change('ann', [store(report), change({ a: '1', b: '1' })]);
    client.change('ann', [change({ a: '2' })]);
    t.same(merged(client), ['store', [{ a: '1', b: '1' }, []], [{ a: '2' }, []]]);
    client.change('ann', [store(report), change({ a: '3' })]);
    t.same(merged(client), [[{ a: '1', b: '1' }, []], 'store', [{ a: '3' }, []]], 'unless all is overridden');
    t.equal(end(), undefined);
  });

  await t.test('are removed by as many names as one record may hold', async (t) => {
    const { venus: client, end } = disconnected();
    const names = (from: number, count: number): string[] =>
      Array.from({ length: count }, (_, index) => `name ${from + index}`);
    client.change('ann', [change({}, names(0, 600))]);
    client.change('ann', [change({}, names(600, 400))]);
    t.same(wordsOf(client.log.values()), ['setprops']);
    client.change('ann', [change({}, names(1000, 1))]);
    t.same(wordsOf(client.log.values()), ['setprops', 'setprops']);
    t.equal(end(), undefined);
  });
});

t.test('identity cancellation', async (t) => {
  const [a, b, c] = [11, 12, 13].map((vnode) => makeFid(volume, vnode, venus)) as [Fid, Fid, Fid];

  await t.test('of a file: written, renamed, changed and removed, it never was', async (t) => {
    const { venus: client, end } = disconnected();
    client.change('ann', [create(docs, 'a', a), store(a)]);
    client.change('ann', [rename([docs, 'a'], [spare, 'b'], a)]);
    for (const op of all) client.change('ann', [attributes[op](a)]);
    const { records, known, gone } = client.change('ann', [remove(spare, 'b', a)]);
    t.same(wordsOf(client.log.values()), []);
    t.same(records, []);
    t.same(
      known,
      new Map([
        [docs, { [venus]: 2 }],
        [spare, { [venus]: 0 }],
      ]),
      'the cache knows of the directories what it knew',
    );
    t.ok(gone.size >= 6);
    client.change('ann', [create(docs, 'a', b)]);
    t.equal(end(), undefined, 'and the next change of the directory is in its place');
  });

  await t.test('of a symbolic link', async (t) => {
    const { venus: client } = disconnected();
    client.change('ann', [symlink(docs, 'a', a)]);
    client.change('ann', [remove(docs, 'a', a)]);
    t.equal(client.log.size, 0);
  });

  await t.test('not of what was there before', async (t) => {
    const { venus: client, end } = disconnected();
    client.change('ann', [rename([docs, 'report'], [docs, 'old'], report)]);
    client.change('ann', [remove(docs, 'old', report)]);
    t.same(wordsOf(client.log.values()), ['rename', 'remove']);
    t.equal(end(), undefined);
  });

  await t.test('not with a frozen record, wherever it is; the attributes go all the same', async (t) => {
    for (const frozen of [1, 2, 3]) {
      const { venus: client, end } = disconnected();
      client.change('ann', [create(docs, 'a', a)]);
      client.change('ann', [store(a)]);
      client.change('ann', [rename([docs, 'a'], [docs, 'b'], a)]);
      client.change('ann', [chmod(spare)]);
      client.change('ann', [utimes(a)]);
      client.freeze(frozen, 'offered');
      client.change('ann', [remove(docs, 'b', a)]);
      const words = wordsOf(client.log.values());
      t.notOk(words.includes('utimes'));
      // The frozen rename names the store as its predecessor.
      const stores = frozen === 1 ? [] : ['store'];
      t.same(words, ['create', ...stores, 'rename', 'chmod', 'remove']);
      t.equal(end(), undefined);
    }
  });

  await t.test('not when another user has changed it', async (t) => {
    const { venus: client, end } = disconnected();
    client.change('ann', [create(docs, 'a', a)]);
    client.change('bob', [store(a)]);
    client.change('ann', [remove(docs, 'a', a)]);
    t.same(wordsOf(client.log.values()), ['create', 'store', 'remove']);
    t.equal(end(), undefined);
  });

  await t.test('leaves others that bore the same names', async (t) => {
    const { venus: client, end } = disconnected();
    client.change('ann', [create(docs, 'a', a), store(a)]);
    client.change('ann', [rename([docs, 'a'], [docs, 'b'], a)]);
    client.change('ann', [create(docs, 'a', b), store(b)]);
    client.change('ann', [remove(docs, 'b', a)]);
    client.change('ann', [create(docs, 'b', c)]);
    t.same(wordsOf(client.log.values()), ['create + store', 'create']);
    t.equal(end(), undefined);
  });

  await t.test('keeps the removal of a replaced target in its entry', async (t) => {
    const { venus: client, end } = disconnected();
    client.change('ann', [create(docs, 'new', a), store(a)]);
    client.change('ann', [remove(docs, 'report', report), rename([docs, 'new'], [docs, 'report'], a)]);
    t.same(wordsOf(client.log.values()), ['create + store', 'remove + rename']);
    client.change('ann', [create(docs, 'new', b), store(b)]);
    client.change('ann', [remove(docs, 'report', a), rename([docs, 'new'], [docs, 'report'], b)]);
    t.same(wordsOf(client.log.values()), ['remove', 'create + store', 'rename']);
    t.equal(end(), undefined);
  });

  await t.test('of a directory, when all that was in it never was', async (t) => {
    const { venus: client } = disconnected();
    client.change('ann', [mkdir(docs, 'd', a)]);
    client.change('ann', [mkdir(a, 'e', b)]);
    client.change('ann', [create(b, 'f', c), store(c)]);
    client.change('ann', [rename([docs, 'd'], [root, 'moved'], a)]);
    client.change('ann', [remove(b, 'f', c), rmdir(a, 'e', b), rmdir(root, 'moved', a)]);
    t.equal(client.log.size, 0);
  });

  await t.test('not of a directory that something has come from or gone through', async (t) => {
    const { venus: client, end } = disconnected();
    client.change('ann', [mkdir(root, 'd', a)]);
    client.change('ann', [utimes(a)]);
    client.change('ann', [rename([docs, 'report'], [a, 'report'], report)]);
    client.change('ann', [rename([a, 'report'], [spare, 'report'], report)]);
    client.change('ann', [rmdir(root, 'd', a)]);
    t.same(wordsOf(client.log.values()), ['mkdir', 'rename', 'rename', 'rmdir']);
    t.equal(end(), undefined);
  });

  await t.test('of a removed directory later, when the last that came from it is gone', async (t) => {
    const { venus: client, end } = disconnected();
    client.change('ann', [mkdir(root, 'd', a)]);
    client.change('ann', [create(a, 'f', b), store(b)]);
    client.change('ann', [rename([a, 'f'], [docs, 'f'], b)]);
    client.change('ann', [rmdir(root, 'd', a)]);
    t.same(wordsOf(client.log.values()), ['mkdir', 'create + store', 'rename', 'rmdir']);
    const { known } = client.change('ann', [remove(docs, 'f', b)]);
    t.same(wordsOf(client.log.values()), []);
    t.same(
      known,
      new Map([
        [docs, { [venus]: 2 }],
        [root, { [venus]: 0 }],
      ]),
    );
    t.equal(end(), undefined);
  });
});

t.test('the log is asked for the objects alone whose records may go, once each', async (t) => {
  const { venus: client } = disconnected();
  const [a, b] = [11, 12].map((vnode) => makeFid(volume, vnode, venus)) as [Fid, Fid];
  const asked: Fid[] = [];
  const touching = client.touching.bind(client);
  client.touching = (fid) => {
    asked.push(fid);
    return touching(fid);
  };
  const askedFor = (...changes: readonly Change[]): readonly Fid[] => {
    asked.length = 0;
    client.change('ann', changes);
    return [...asked].sort();
  };
  t.same(askedFor(create(docs, 'a', a)), []);
  t.same(askedFor(create(docs, 'b', b), store(b)), [b]);
  t.same(askedFor(rename([docs, 'b'], [root, 'b'], b)), []);
  t.same(askedFor(store(b)), [b]);
  t.same(askedFor(remove(docs, 'report', report)), [report]);
  t.same(askedFor(remove(docs, 'a', a), remove(root, 'b', b)), [root, docs, a, b].sort());
});

t.test('what another user had seen, and goes, he has not seen', async (t) => {
  const { venus: client, end } = disconnected();
  const [a, b] = [11, 12].map((vnode) => makeFid(volume, vnode, venus)) as [Fid, Fid];
  client.change('ann', [create(docs, 'a', a)]);
  client.change('bob', [create(docs, 'b', b)]);
  client.change('ann', [chmod(docs)]);
  t.ok((client.records()[1]?.base[docs]?.[venus] ?? 0) > 2, "ann's new file");
  const { known } = client.change('ann', [remove(docs, 'a', a)]);
  t.same(wordsOf(client.log.values()), ['create', 'chmod']);
  t.same(
    client.records().map(({ base }) => base[docs]?.[venus]),
    [2, 2],
    'what she had done before the log began',
  );
  const [, changed] = client.records();
  const last = Number(changed?.storeId.slice(17));
  t.same(known, new Map([[docs, { [venus]: last }]]), 'her last change of the directory stays');
  t.equal(end(), undefined);
});

t.test('nothing is cancelled that a repair of somebody else has seen', async (t) => {
  const { venus: client, end } = disconnected();
  client.change('ann', [utimes(report)]);
  client.change('bob', [
    { op: 'repair', fid: report, dismiss: [], accept: { name: 'report', parent: docs } },
  ]);
  client.change('ann', [utimes(report)]);
  t.same(wordsOf(client.log.values()), ['utimes', 'repair', 'utimes']);
  t.equal(end(), undefined);
});

t.test('an entry that is withdrawn', async (t) => {
  const { venus: client } = disconnected();
  client.change('ann', [chmod(report)]);
  client.change('ann', [create(docs, 'a', makeFid(volume, 11, venus))]);
  client.change('bob', [create(docs, 'b', makeFid(volume, 12, venus))]);
  client.freeze(2, 'offered');
  client.freeze(3, 'offered');
  const [, second, third] = client.log.values();
  if (second === undefined || third === undefined) throw new Error('there are three entries');
  const { rewritten, records, known, gone } = withdraw([second], client);
  t.same([...rewritten.keys()], [3], 'changes who had seen it, frozen or not, and is not in the plan itself');
  t.equal(rewritten.get(3)?.[0]?.base[docs]?.[venus], 2);
  t.same(records, []);
  t.same(known, new Map([[docs, { [venus]: 2 }]]), 'it was her latest; his stays');
  t.equal(gone.size, 1);
  t.same(withdraw([third], client).known, new Map([[docs, { [bobsVenus]: 0 }]]));
  t.same(withdraw([second, third], client).known, new Map([[docs, { [venus]: 2, [bobsVenus]: 0 }]]));
});

t.test('dependence', async (t) => {
  const [a, b] = [11, 12].map((vnode) => makeFid(volume, vnode, venus)) as [Fid, Fid];
  const yes: readonly (readonly [string, Change, Change])[] = [
    ['the same object', store(report), chmod(report)],
    ['a name that was made free', remove(docs, 'report', report), create(docs, 'report', a)],
    ['a name that was left', rename([docs, 'report'], [docs, 'b'], report), mkdir(docs, 'report', a)],
    ['a name that was taken', rename([docs, 'x'], [docs, 'b'], report), rename([docs, 'b'], [docs, 'c'], a)],
    ['a new directory', mkdir(root, 'd', a), create(a, 'f', b)],
    ['a new directory as a target', mkdir(root, 'd', a), rename([docs, 'report'], [a, 'f'], report)],
    ['an emptied directory, by removal', remove(docs, 'report', report), rmdir(root, 'docs', docs)],
    ['an emptied directory, by rmdir', rmdir(docs, 'd', a), rmdir(root, 'docs', docs)],
    ['an emptied directory, by renaming', rename([docs, 'x'], [root, 'x'], a), rmdir(root, 'docs', docs)],
    ['a move into a moved directory', rename([docs, 'd'], [root, 'd'], a), rename([root, 'e'], [a, 'e'], b)],
    [
      'a move of a directory that was left',
      rename([b, 'd'], [root, 'd'], a),
      rename([root, 'e'], [spare, 'e'], b),
    ],
  ];
  const no: readonly (readonly [string, Change, Change])[] = [
    ['other names of one directory', create(docs, 'a', a), create(docs, 'b', b)],
    ['the same name in other directories', create(docs, 'a', a), create(spare, 'a', b)],
    ['a new file in a changed directory', chmod(docs), create(docs, 'a', a)],
    ['a new file in a moved directory', rename([root, 'docs'], [spare, 'docs'], docs), create(docs, 'a', a)],
    ['an emptied directory, of what was put into it', create(docs, 'a', a), rmdir(root, 'docs', docs)],
    [
      'a new name in the directory, of a moved one',
      rename([docs, 'd'], [root, 'd'], a),
      rename([root, 'e'], [root, 'f'], b),
    ],
    [
      'a rename within a renamed directory',
      rename([docs, 'd'], [docs, 'e'], a),
      rename([spare, 'e'], [a, 'e'], b),
    ],
  ];
  for (const [name, earlier, later] of yes) t.equal(dependsOn(entryOf(later), entryOf(earlier)), true, name);
  for (const [name, earlier, later] of no) t.equal(dependsOn(entryOf(later), entryOf(earlier)), false, name);

  const precedents = new Precedents();
  precedents.add(entryOf(mkdir(root, 'd', a)));
  precedents.add(entryOf(chmod(report)));
  t.equal(
    precedents.isNeededBy(entryOf(create(spare, 'x', b), create(a, 'x', b))),
    true,
    'any record of either',
  );
  t.equal(precedents.isNeededBy(entryOf(create(spare, 'x', b))), false);
});

function entryOf(...changes: readonly Change[]): Logged {
  const common = { storeId: makeStoreId(venus, 1), time: 1, author: 'ann', host: 'gateway', base: {} };
  return {
    sequence: 1,
    records: changes.map((change) => ({ ...change, ...common })),
    appliedBy: [],
    offered: false,
  };
}

function logOf(entries: readonly (readonly Mutation[])[]): LogView {
  const log = entries.map((records, index) => ({
    sequence: index + 1,
    records,
    appliedBy: [],
    offered: false,
  }));
  return { touching: (fid) => log.filter(({ records }) => records.some((record) => record.fid === fid)) };
}
