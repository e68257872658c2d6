import t from 'tap';
import {
  applyRecord,
  emptyDigest,
  Failure,
  fidsOf,
  isFailure,
  knows,
  limits,
  makeFid,
  mutationSchema,
  statusSchema,
  type Effect,
  type FailureKind,
  type Mutation,
  type VnodeStatus,
} from './index.js';
import {
  chmod,
  chown,
  create,
  fidOf,
  Forest,
  other,
  remove,
  removeDir,
  rename,
  root,
  setProperties,
  store,
  storeId,
  thrown,
  unnamed,
  utimes,
  venus,
  volume,
} from './semantics-fixture.js';

const makeDir = { ...create, op: 'mkdir', mode: 0o755 } as const;

const symlink = { ...unnamed, op: 'symlink', target: '../readme' } as const;

void t.test('what a record does to a tree', async (t) => {
  const now = { storeId, author: 'bob', known: { [other]: 1, [venus]: 5 }, vv: { a: 1 } };
  const born = {
    ...now,
    known: { [venus]: 5 },
    vv: {},
    owner: 'bob',
    created: 77,
    modified: 77,
    parent: fidOf('docs'),
  };
  const parent = { fid: fidOf('docs'), ...now, modified: 77 };
  const table: readonly [Mutation, object][] = [
    [
      create,
      {
        changed: [
          parent,
          { ...born, kind: 'file', mode: 0o640, data: { storeId, length: 0, digest: emptyDigest } },
        ],
        bound: [{ directory: fidOf('docs'), entry: { name: 'n', fid: fidOf('new'), kind: 'file' } }],
      },
    ],
    [makeDir, { changed: [parent, { ...born, kind: 'directory', data: null, mode: 0o755 }] }],
    [
      symlink,
      { changed: [parent, { ...born, kind: 'symlink', data: null, target: '../readme', mode: 0o777 }] },
    ],
    [
      store,
      {
        changed: [
          { ...now, data: { storeId, length: 9, digest: 'cd'.repeat(32) }, modified: 55, owner: 'ann' },
        ],
      },
    ],
    [
      remove,
      {
        changed: [parent],
        removed: [{ fid: fidOf('report'), ...now }],
        unbound: [{ directory: fidOf('docs'), name: 'report.txt' }],
      },
    ],
    [removeDir, { changed: [{ fid: root }], removed: [{ fid: fidOf('empty'), ...now }], bound: [] }],
    [
      rename,
      {
        changed: [
          { fid: root, modified: 77 },
          { fid: fidOf('sub'), modified: 77 },
          { fid: fidOf('readme'), ...now, parent: fidOf('sub'), modified: 1, data: { length: 3 } },
        ],
        unbound: [{ directory: root, name: 'readme' }],
        bound: [{ directory: fidOf('sub'), entry: { name: 'moved', fid: fidOf('readme'), kind: 'file' } }],
      },
    ],
    [{ ...rename, toParent: root }, { changed: [{ fid: root }, { fid: fidOf('readme'), parent: root }] }],
    [utimes, { changed: [{ ...now, modified: 99 }] }],
    [chmod, { changed: [{ ...now, mode: 0o755, modified: 1 }] }],
    [chown, { changed: [{ ...now, owner: 'eve' }] }],
    [setProperties, { changed: [{ ...now, properties: { '{DAV:}new': '<new/>' } }] }],
  ];
  for (const [record, expected] of table) {
    const tree = new Forest();
    const before = structuredClone(tree.statuses);
    const effect = applyRecord(tree, record);
    t.match(effect, expected, record.op);
    t.same(tree.statuses, before, `${record.op} changes nothing by itself`);
    t.ok(mutationSchema.safeParse(record).success, `${record.op} passes the gate`);
    t.same(touchedBy(effect), [...fidsOf(record)].sort(), `${record.op} touches what it names`);
    for (const status of [...effect.changed, ...effect.removed]) {
      t.ok(statusSchema.safeParse(status).success, `${record.op} leaves a status that passes the gate`);
      t.ok(status.storeId !== null && knows(status.known, status.storeId), 'VN-3');
    }
  }
});

void t.test('what a record cannot do', async (t) => {
  const absent = fidOf('none');
  const table: readonly [string, FailureKind, Mutation][] = [
    ['create in nothing', 'not-found', { ...create, parent: absent }],
    ['create in a file', 'not-directory', { ...create, parent: fidOf('readme') }],
    ['create under a taken name', 'exists', { ...create, name: 'report.txt' }],
    ['create a Fid again', 'exists', { ...create, fid: fidOf('readme') }],
    ['create a bad name', 'invalid', { ...create, name: '..' }],
    ['create in another volume than the parent', 'cross-volume', { ...create, fid: fidOf('foreign') }],
    ['mkdir under a taken name', 'exists', { ...makeDir, parent: root, name: 'empty' }],
    [
      'symlink with an endless target',
      'too-large',
      { ...symlink, target: 'x'.repeat(limits.targetBytes + 1) },
    ],
    ['store to nothing', 'not-found', { ...store, fid: absent }],
    ['store to a directory', 'is-directory', { ...store, fid: fidOf('docs') }],
    ['store to a symbolic link', 'invalid', { ...store, fid: fidOf('link') }],
    ['remove from nothing', 'not-found', { ...remove, parent: absent }],
    ['remove a name that is free', 'not-found', { ...remove, name: 'other' }],
    ['remove a name that has another object', 'not-found', { ...remove, fid: fidOf('readme') }],
    ['remove a directory', 'is-directory', { ...remove, name: 'sub', fid: fidOf('sub') }],
    ['rmdir a file', 'not-directory', { ...removeDir, name: 'readme', fid: fidOf('readme') }],
    ['rmdir what has entries', 'not-empty', { ...removeDir, name: 'docs', fid: fidOf('docs') }],
    ['rename from nothing', 'not-found', { ...rename, fromParent: absent }],
    ['rename a name that is free', 'not-found', { ...rename, fromName: 'other' }],
    ['rename to nothing', 'not-found', { ...rename, toParent: absent }],
    ['rename into a file', 'not-directory', { ...rename, toParent: fidOf('report') }],
    ['rename onto a taken name', 'exists', { ...rename, toParent: root, toName: 'docs' }],
    ['rename onto itself', 'exists', { ...rename, toParent: root, toName: 'readme' }],
    ['rename to a bad name', 'invalid', { ...rename, toName: 'a/b' }],
    [
      'rename into itself',
      'loop',
      { ...rename, fromName: 'docs', fid: fidOf('docs'), toParent: fidOf('docs') },
    ],
    [
      'rename below itself',
      'loop',
      { ...rename, fromName: 'docs', fid: fidOf('docs'), toParent: fidOf('deep') },
    ],
    ['utimes of nothing', 'not-found', { ...utimes, fid: absent }],
    ['chmod of nothing', 'not-found', { ...chmod, fid: absent }],
    ['chown of nothing', 'not-found', { ...chown, fid: absent }],
    ['setprops of nothing', 'not-found', { ...setProperties, fid: absent }],
    [
      'endless properties',
      'too-large',
      { ...setProperties, set: { '{DAV:}a': 'x'.repeat(limits.propertyBytes) } },
    ],
  ];
  for (const [name, kind, record] of table) {
    const error = thrown(() => applyRecord(new Forest(), record));
    t.ok(isFailure(error, kind), `${name}: ${error instanceof Failure ? error.kind : String(error)}`);
    t.ok(
      error instanceof Failure && error.message.length > 10 && error.fid !== undefined,
      'and says why, and where',
    );
  }

  await t.test('a rename across volumes', async (t) => {
    const tree = new Forest();
    tree.add(null, '', 'foreign', 'directory');
    t.ok(
      isFailure(
        thrown(() => applyRecord(tree, { ...rename, toParent: fidOf('foreign') })),
        'cross-volume',
      ),
    );
  });

  await t.test('a tree deeper than the limit', async (t) => {
    const tree = new Forest();
    let parent = fidOf('empty');
    for (let depth = 0; depth < limits.depth + 2; depth += 1) {
      const fid = makeFid(volume, 1000 + depth, venus);
      const status = tree.status(parent);
      if (status !== undefined) tree.statuses.set(fid, { ...status, fid, parent });
      parent = fid;
    }
    const record = { ...rename, fromName: 'docs', fid: fidOf('docs'), toParent: parent };
    t.ok(
      isFailure(
        thrown(() => applyRecord(tree, record)),
        'too-large',
      ),
    );
  });

  await t.test('a directory is once where its move puts it, also where resolution was faster', async (t) => {
    const forest = new Forest();
    const fid = fidOf('empty');
    const move: Mutation = { ...rename, fromName: 'empty', fid, settled: true };
    const moved = (): VnodeStatus | undefined =>
      applyRecord(forest, move).changed.find((one) => one.fid === fid);
    const before = forest.statuses.get(fid);
    if (before !== undefined) forest.statuses.set(fid, { ...before, places: moved()?.places ?? [] });
    t.same(
      moved()?.places.map(({ storeId: by }) => by),
      [move.storeId],
    );
  });

  await t.test('a property named as what every object inherits is an ordinary one', async (t) => {
    const effect = applyRecord(new Forest(), { ...setProperties, set: { constructor: '<y/>' } });
    t.same(effect.changed[0]?.properties, { constructor: '<y/>' });
  });
});

/** Every object that an effect changes or removes. */
function touchedBy(effect: Effect): string[] {
  return [...effect.changed, ...effect.removed].map(({ fid }) => fid).sort();
}
