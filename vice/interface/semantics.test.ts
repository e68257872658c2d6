import t from 'tap';
import {
  applyRecord,
  conflictsOf,
  emptyDigest,
  Failure,
  fidsOf,
  isFailure,
  isRemoved,
  knows,
  limits,
  makeFid,
  makeStoreId,
  mergeStatus,
  mutationSchema,
  nameFault,
  noNames,
  rootFid,
  statusSchema,
  versionsOf,
  type DirectoryEntry,
  type Effect,
  type FailureKind,
  type Fid,
  type FileData,
  type Mutation,
  type Placement,
  type Setter,
  type StoreId,
  type Tree,
  type VenusId,
  type VnodeKind,
  type VnodeStatus,
  type VolumeId,
} from './index.js';

const venus = '9c3e5d7b01f2a4c6' as VenusId;
const other = '00000000000000ff' as VenusId;
const third = 'cccccccccccccccc' as VenusId;
const volume = '7f000001' as VolumeId;
const root = rootFid(volume);

/** A tree to apply records to: /docs (with report.txt and sub/deep), /empty, /link, /readme. */
class Forest implements Tree {
  readonly statuses = new Map<Fid, VnodeStatus>();
  readonly tombstones = new Map<Fid, VnodeStatus>();
  readonly #entries = new Map<Fid, Map<string, DirectoryEntry>>();

  constructor() {
    this.add(null, '', 'root', 'directory');
    this.add('root', 'docs', 'docs', 'directory');
    this.add('docs', 'report.txt', 'report', 'file');
    this.add('docs', 'sub', 'sub', 'directory');
    this.add('sub', 'deep', 'deep', 'directory');
    this.add('root', 'empty', 'empty', 'directory');
    this.add('root', 'readme', 'readme', 'file');
    this.add('root', 'link', 'link', 'symlink');
  }

  add(parent: string | null, name: string, id: string, kind: VnodeKind): void {
    const first = makeStoreId(other, 1);
    this.statuses.set(fidOf(id), {
      fid: fidOf(id),
      kind,
      parent: parent === null ? null : fidOf(parent),
      vv: { a: 1 },
      storeId: first,
      known: { [other]: 1 },
      data: kind === 'file' ? versionOf(first, 'ab') : null,
      siblings: [],
      places: parent === null ? [] : [placeOf(first, parent, name)],
      gone: {},
      revived: {},
      names: kind === 'directory' ? noNames : '',
      target: kind === 'symlink' ? 'docs' : null,
      created: 1,
      modified: 1,
      mode: 0o644,
      owner: 'ann',
      author: 'ann',
      properties: { '{DAV:}old': '<old/>' },
      setters: {},
    });
    if (kind === 'directory') this.#entries.set(fidOf(id), new Map());
    if (parent !== null) this.#entries.get(fidOf(parent))?.set(name, { name, fid: fidOf(id), kind });
  }

  /** As after a removal by somebody who knew all of it. */
  remove(id: string): void {
    const status = at(this.statuses, fidOf(id));
    const gone = { ...status.known, [third]: 3 };
    this.tombstones.set(fidOf(id), { ...status, known: gone, gone });
    this.statuses.delete(fidOf(id));
    for (const names of this.#entries.values()) {
      for (const [name, entry] of names) if (entry.fid === fidOf(id)) names.delete(name);
    }
  }

  /** Another state of an object that is there. */
  change(id: string, change: Partial<VnodeStatus>): void {
    this.statuses.set(fidOf(id), { ...at(this.statuses, fidOf(id)), ...change });
  }

  put(status: VnodeStatus): void {
    this.statuses.set(status.fid, status);
  }

  status(fid: Fid): VnodeStatus | undefined {
    return this.statuses.get(fid);
  }

  tombstone(fid: Fid): VnodeStatus | undefined {
    return this.tombstones.get(fid);
  }

  entry(directory: Fid, name: string): DirectoryEntry | undefined {
    return this.#entries.get(directory)?.get(name);
  }

  isEmpty(directory: Fid): boolean {
    return (this.#entries.get(directory)?.size ?? 0) === 0;
  }
}

function versionOf(storeId: StoreId, digest: string, saved = 1): FileData {
  const contents = { length: 3, digest: digest.repeat(32), modified: 1, saved };
  return { storeId, mark: storeId, author: 'ann', host: 'home', ...contents };
}

function placeOf(storeId: StoreId, parent: string, name: string, time = 1): Placement {
  return { parent: fidOf(parent), name, storeId, time, author: 'ann', host: 'home', isBroken: false };
}

const ids = ['none', 'root', 'docs', 'report', 'sub', 'deep', 'empty', 'readme', 'link', 'new'];

function fidOf(id: string): Fid {
  if (id === 'foreign') return makeFid('7f000002' as VolumeId, 3, venus);
  return id === 'root' ? root : makeFid(volume, ids.indexOf(id) + 1, venus);
}

const storeId = makeStoreId(venus, 5);
const base = Object.fromEntries(ids.map((id) => [fidOf(id), { [other]: 1 }])) as Mutation['base'];
const common = { storeId, time: 77, author: 'bob', host: 'office', base };

const create = {
  op: 'create',
  ...common,
  parent: fidOf('docs'),
  name: 'n',
  fid: fidOf('new'),
  mode: 0o100640,
} as const;
const makeDir = { ...create, op: 'mkdir', mode: 0o755 } as const;
const { mode: _, ...unnamed } = create;
const symlink = { ...unnamed, op: 'symlink', target: '../readme' } as const;
const store = {
  op: 'store',
  ...common,
  fid: fidOf('readme'),
  length: 9,
  digest: 'cd'.repeat(32),
  modified: 55,
  saved: 66,
} as const;
const remove = {
  op: 'remove',
  ...common,
  parent: fidOf('docs'),
  name: 'report.txt',
  fid: fidOf('report'),
} as const;
const removeDir = { op: 'rmdir', ...common, parent: root, name: 'empty', fid: fidOf('empty') } as const;
const rename = {
  op: 'rename',
  ...common,
  fromParent: root,
  fromName: 'readme',
  toParent: fidOf('sub'),
  toName: 'moved',
  fid: fidOf('readme'),
} as const;
const utimes = { op: 'utimes', ...common, fid: fidOf('docs'), modified: 99 } as const;
const chmod = { op: 'chmod', ...common, fid: fidOf('docs'), mode: 0o100755 } as const;
const chown = { op: 'chown', ...common, fid: fidOf('link'), owner: 'eve' } as const;
const setProperties = {
  op: 'setprops',
  ...common,
  fid: fidOf('docs'),
  set: { '{DAV:}new': '<new/>' },
  remove: ['{DAV:}old'],
} as const;

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

/** Some update that the author of the records above did not know of. */
const unseen = makeStoreId(third, 2);

void t.test('a record whose author was answered is not refused but merged', async (t) => {
  const settled = <M extends Mutation>(record: M): M => ({ ...record, settled: true });
  const object = (effect: Effect, fid: Fid): VnodeStatus => {
    const status = [...effect.changed, ...effect.removed].find((one) => one.fid === fid);
    if (status === undefined) throw new Error(`${fid} is not in the effect`);
    return status;
  };
  const isLeft = (effect: Effect, fid: Fid): boolean => effect.changed.some((status) => status.fid === fid);
  const conflicts = (status: VnodeStatus): readonly string[] =>
    conflictsOf(status, status.places[0]?.name ?? null);
  const removed = (...list: string[]): Forest => {
    const tree = new Forest();
    for (const id of list) tree.remove(id);
    return tree;
  };
  const refused = (tree: Forest, record: Mutation): FailureKind | undefined => {
    const error = thrown(() => applyRecord(tree, { ...record, settled: undefined }));
    return error instanceof Failure ? error.kind : undefined;
  };

  await t.test('create in a directory that was removed brings it back', async (t) => {
    const tree = removed('docs');
    t.equal(refused(tree, create), 'not-found');
    const docs = object(applyRecord(tree, settled(create)), fidOf('docs'));
    t.notOk(isRemoved(docs));
    t.same(conflicts(docs), [], 'and nobody is asked');
  });

  await t.test('create of a name that was taken meanwhile makes a second object that wants it', async (t) => {
    const record = { ...create, name: 'report.txt' };
    t.equal(refused(new Forest(), record), 'exists');
    const made = object(applyRecord(new Forest(), settled(record)), fidOf('new'));
    t.match(made.places, [{ name: 'report.txt', author: 'bob', host: 'office', time: 77 }]);
    t.same(conflictsOf(made, 'report (conflict).txt'), ['name']);
  });

  await t.test('create of a Fid that is there is no new object', async (t) => {
    t.equal(
      failureKind(() => applyRecord(new Forest(), settled({ ...create, fid: fidOf('readme') }))),
      'exists',
    );
  });

  await t.test('store after a removal: the file lives, with what was stored', async (t) => {
    const tree = removed('readme');
    t.equal(refused(tree, store), 'not-found');
    const effect = applyRecord(tree, settled(store));
    const file = object(effect, fidOf('readme'));
    t.ok(isLeft(effect, fidOf('readme')));
    t.same(
      versionsOf(file).map((version) => version.storeId),
      [storeId],
    );
    t.same(conflicts(file), ['removal'], 'and a person hears of the removal');
  });

  await t.test('store by somebody who knew of the removal takes it back', async (t) => {
    const tree = removed('readme');
    const known = { ...base, [fidOf('readme')]: { [other]: 1, [third]: 3 } };
    const file = object(applyRecord(tree, settled({ ...store, base: known })), fidOf('readme'));
    t.same(conflicts(file), []);
  });

  await t.test('store beside contents that its author had not seen: both are kept', async (t) => {
    const tree = new Forest();
    tree.change('readme', { data: versionOf(unseen, 'ee', 50), known: { [other]: 1, [third]: 2 } });
    const file = object(applyRecord(tree, settled(store)), fidOf('readme'));
    t.match(file.data, { storeId, saved: 66 }, 'what was saved last is shown');
    t.match(file.siblings, [{ storeId: unseen }]);
    const earlier = object(applyRecord(tree, settled({ ...store, saved: 49 })), fidOf('readme'));
    t.match(earlier.data, { storeId: unseen });
    t.equal(earlier.modified, 1, 'with its time');
  });

  await t.test(
    'store leaves alone what it says (`beside`), and replaces the rest that its author had seen',
    async (t) => {
      const tree = new Forest();
      const [one, two] = [makeStoreId(other, 2), makeStoreId(other, 3)];
      const siblings = [versionOf(one, 'e1'), versionOf(two, 'e2')];
      tree.change('readme', { siblings, known: { [other]: 3 } });
      const known = { ...base, [fidOf('readme')]: { [other]: 3 } };
      const file = object(applyRecord(tree, { ...store, base: known, beside: [two] }), fidOf('readme'));
      t.same([file.data?.storeId, ...file.siblings.map((version) => version.storeId)], [storeId, two]);
    },
  );

  await t.test('store of the hundred-and-first version is too much even so', async (t) => {
    const tree = new Forest();
    const many = Array.from({ length: limits.alternatives }, (_, index) =>
      versionOf(makeStoreId(third, index + 1), 'ee'),
    );
    tree.change('readme', {
      data: many[0] ?? null,
      siblings: many.slice(1),
      known: { [other]: 1, [third]: 100 },
    });
    t.equal(
      failureKind(() => applyRecord(tree, settled(store))),
      'too-large',
    );
  });

  await t.test('remove of what was changed meanwhile: the change survives', async (t) => {
    const tree = new Forest();
    tree.change('report', { data: versionOf(unseen, 'ee'), known: { [other]: 1, [third]: 2 } });
    const effect = applyRecord(tree, settled(remove));
    const report = object(effect, fidOf('report'));
    t.ok(isLeft(effect, fidOf('report')));
    t.same([effect.unbound, conflicts(report)], [[], ['removal']]);
    const both = new Forest();
    both.change('report', { siblings: [versionOf(unseen, 'ee')], known: { [other]: 1, [third]: 2 } });
    const left = object(applyRecord(both, settled(remove)), fidOf('report'));
    t.equal(left.data?.storeId, unseen, 'and only that is seen: the rest was removed');
    t.same([left.siblings, left.setAside?.length], [[], 1]);
  });

  await t.test('remove of what was moved meanwhile: it stays where it is', async (t) => {
    const tree = new Forest();
    tree.change('report', { places: [placeOf(unseen, 'sub', 'moved')], known: { [other]: 1, [third]: 2 } });
    const report = object(applyRecord(tree, settled(remove)), fidOf('report'));
    t.notOk(isRemoved(report));
    t.same(conflicts(report), ['removal']);
  });

  await t.test('remove of what nobody has changed, and twice', async (t) => {
    const effect = applyRecord(new Forest(), settled(remove));
    t.match(effect, { removed: [{ fid: fidOf('report') }], unbound: [{ name: 'report.txt' }] });
    const again = applyRecord(removed('report'), settled(remove));
    t.match(again, { removed: [{ fid: fidOf('report') }], unbound: [] });
  });

  await t.test(
    'remove covers only the removal that it is: who took back another has not taken back this',
    async (t) => {
      const tree = new Forest();
      tree.change('empty', { gone: { [other]: 1, [third]: 3 }, revived: { [other]: 1, [third]: 3 } });
      for (const record of [removeDir, settled(removeDir)]) {
        t.match(applyRecord(tree, record).removed, [{ fid: fidOf('empty') }]);
      }
    },
  );

  await t.test(
    'remove by somebody who waits takes what the servers have, a place he has not seen included',
    async (t) => {
      const tree = new Forest();
      const places = [placeOf(unseen, 'docs', 'report.txt', 5)];
      tree.change('report', { places, known: { [other]: 1, [third]: 2 } });
      t.match(applyRecord(tree, remove).removed, [{ fid: fidOf('report') }]);
    },
  );

  await t.test('rename of what was removed meanwhile: it lives in its new place', async (t) => {
    const tree = removed('readme');
    t.equal(refused(tree, rename), 'not-found');
    const file = object(applyRecord(tree, settled(rename)), fidOf('readme'));
    t.match(file, { parent: fidOf('sub'), places: [{ name: 'moved' }] });
    t.notOk(isRemoved(file));
    t.same(conflicts(file), ['removal']);
  });

  await t.test('rename of what was moved meanwhile: two places, the later one counts', async (t) => {
    for (const [time, name] of [
      [76, 'moved'],
      [78, 'theirs'],
    ] as const) {
      const tree = new Forest();
      tree.change('readme', {
        places: [placeOf(unseen, 'docs', 'theirs', time)],
        known: { [other]: 1, [third]: 2 },
      });
      const file = object(applyRecord(tree, settled(rename)), fidOf('readme'));
      t.same([file.places[0]?.name, file.places.length, conflicts(file)], [name, 2, ['place']]);
      t.equal(file.parent, file.places[0]?.parent);
    }
  });

  await t.test('rename does not take away a name that the object no longer bears', async (t) => {
    const tree = removed('readme');
    const effect = applyRecord(tree, settled(rename));
    t.same(effect.unbound, []);
    t.equal(object(effect, root).names, noNames);
  });

  await t.test('rename to a name that was taken meanwhile', async (t) => {
    const record = { ...rename, toParent: fidOf('docs'), toName: 'report.txt' };
    t.equal(refused(new Forest(), record), 'exists');
    t.match(object(applyRecord(new Forest(), settled(record)), fidOf('readme')).places, [
      { name: 'report.txt' },
    ]);
  });

  await t.test('rename into a directory that was removed brings it back', async (t) => {
    t.notOk(isRemoved(object(applyRecord(removed('sub'), settled(rename)), fidOf('sub'))));
  });

  await t.test('rename out of a directory that was removed leaves it so', async (t) => {
    const record = {
      ...rename,
      fromParent: fidOf('docs'),
      fromName: 'report.txt',
      fid: fidOf('report'),
      toParent: root,
    };
    t.ok(isRemoved(object(applyRecord(removed('docs'), settled(record)), fidOf('docs'))));
  });

  await t.test('rename into itself is let through: a replica breaks the circle', async (t) => {
    const record = { ...rename, fromName: 'docs', fid: fidOf('docs'), toParent: fidOf('deep') };
    t.equal(refused(new Forest(), record), 'loop');
    t.equal(object(applyRecord(new Forest(), settled(record)), fidOf('docs')).parent, fidOf('deep'));
  });

  await t.test(
    'rmdir of a directory that is not empty any more: it lives, and nobody is asked',
    async (t) => {
      const record = { ...removeDir, name: 'docs', fid: fidOf('docs') };
      t.equal(refused(new Forest(), record), 'not-empty');
      const effect = applyRecord(new Forest(), settled(record));
      t.ok(isLeft(effect, fidOf('docs')));
      t.same(conflicts(object(effect, fidOf('docs'))), []);
      t.same(effect.unbound, []);
    },
  );

  await t.test('attributes of what was removed are set, and it stays removed', async (t) => {
    const tree = removed('readme');
    for (const record of [chmod, chown, utimes, setProperties]) {
      const effect = applyRecord(tree, settled({ ...record, fid: fidOf('readme') }));
      t.match(effect, { changed: [], removed: [{ fid: fidOf('readme'), storeId }] }, record.op);
      t.equal(refused(tree, { ...record, fid: fidOf('readme') }), 'not-found');
    }
    t.equal(
      object(applyRecord(tree, settled({ ...chmod, fid: fidOf('readme') })), fidOf('readme')).mode,
      0o755,
    );
  });

  await t.test('what makes no sense is refused even so', async (t) => {
    const table: readonly [string, FailureKind, Mutation][] = [
      ['an object that never was', 'not-found', { ...store, fid: fidOf('none') }],
      ['a parent that never was', 'not-found', { ...create, parent: fidOf('none') }],
      ['a file as a directory', 'not-directory', { ...create, parent: fidOf('readme') }],
      ['the root', 'invalid', { ...removeDir, fid: root }],
      ['a bad name', 'invalid', { ...rename, toName: 'a/b' }],
    ];
    for (const [name, kind, record] of table) {
      t.equal(
        failureKind(() => applyRecord(new Forest(), settled(record))),
        kind,
        name,
      );
    }
  });
});

void t.test('attributes that were set apart', async (t) => {
  /** `setter` had seen nothing but the beginning. */
  const afterwards = (setter: Setter, record: Mutation): VnodeStatus | undefined => {
    const tree = new Forest();
    tree.change('docs', { mode: 0o711, known: { [other]: 1, [third]: 9 }, setters: { mode: setter } });
    return applyRecord(tree, record).changed[0];
  };
  t.equal(afterwards({ storeId: unseen, rank: 99 }, chmod)?.mode, 0o711, 'the greater rank stands');
  t.equal(afterwards({ storeId: unseen, rank: 5 }, chmod)?.mode, 0o755, 'here that of the record');
  t.equal(afterwards({ storeId: unseen, rank: 6 }, chmod)?.mode, 0o711, 'of equals the greater StoreId');
  const late = { ...base, [fidOf('docs')]: { [other]: 1, [third]: 9 } };
  t.match(
    afterwards({ storeId: unseen, rank: 9 }, { ...chmod, base: late }),
    {
      mode: 0o755,
      setters: { mode: { storeId, rank: 15 } },
    },
    'who has seen a setter outranks it',
  );

  await t.test(
    'the time of a file is that of its contents, until somebody who knew them sets it',
    async (t) => {
      const tree = new Forest();
      const stored = applyRecord(tree, store).changed[0];
      const known = { ...base, [fidOf('readme')]: { [other]: 1, [venus]: 5 } };
      const later = { storeId: makeStoreId(venus, 6), base: known };
      tree.change('readme', { ...stored });
      t.match(applyRecord(tree, { ...utimes, ...later, fid: fidOf('readme') }).changed, [{ modified: 99 }]);
      const apart = { storeId: makeStoreId(other, 2), base: { ...base, [fidOf('readme')]: { [other]: 1 } } };
      const effect = applyRecord(tree, { ...utimes, ...apart, fid: fidOf('readme') });
      t.match(effect.changed, [{ modified: 55, setters: { modified: { storeId: apart.storeId } } }]);
    },
  );

  await t.test('no property is called as an attribute', async (t) => {
    for (const name of ['mode', 'owner', 'modified', 'contents']) {
      t.equal(
        failureKind(() => applyRecord(new Forest(), { ...setProperties, set: { [name]: '' } })),
        'invalid',
        name,
      );
      t.equal(
        failureKind(() => applyRecord(new Forest(), { ...setProperties, remove: [name] })),
        'invalid',
        name,
      );
    }
  });
});

void t.test('repair', async (t) => {
  const [first, second, hidden] = [makeStoreId(other, 1), makeStoreId(other, 2), makeStoreId(other, 3)];
  const known = { [other]: 3 };
  const repair = {
    op: 'repair',
    ...common,
    base: { ...base, [fidOf('readme')]: known },
    fid: fidOf('readme'),
    dismiss: [first] as readonly StoreId[],
    accept: null,
  } as const;
  /** /readme with a version from before, a later one, and if wanted one that was set aside. */
  const contested = (change: Partial<VnodeStatus> = {}): Forest => {
    const tree = new Forest();
    const versions = { data: versionOf(second, 'e2', 9), siblings: [versionOf(first, 'ab')] };
    tree.change('readme', { ...versions, known, ...change });
    return tree;
  };
  const after = (tree: Forest, record: Mutation): VnodeStatus => {
    const { changed, removed } = applyRecord(tree, record);
    const [status] = [...changed, ...removed];
    if (status === undefined) throw new Error('nothing was changed');
    t.ok(statusSchema.safeParse(status).success, 'the status passes the gate');
    return status;
  };
  const aside = { ...versionOf(hidden, 'e3', 20), givenUp: { [other]: 3, [third]: 2 } };
  const storeIds = ({ data, siblings, setAside = [] }: VnodeStatus): string[][] =>
    [[data, ...siblings], setAside].map((list) => list.flatMap((version) => version?.storeId ?? []));

  t.ok(mutationSchema.safeParse(repair).success);
  t.ok(mutationSchema.safeParse({ ...repair, accept: { name: 'x', parent: root } }).success);

  await t.test('gives up a version: it is seen no more, but kept until a store replaces it', async (t) => {
    const status = after(contested(), repair);
    t.same(storeIds(status), [[second], [first]]);
    t.same(conflictsOf(status, 'readme'), []);
    t.equal(status.data?.storeId, second, 'the ETag is as before');
    const tree = new Forest();
    tree.put(status);
    const written = {
      ...store,
      storeId: makeStoreId(venus, 6),
      base: { ...base, [fidOf('readme')]: status.known },
    };
    t.same(storeIds(after(tree, written)), [[written.storeId], []]);
  });

  await t.test('gives up what is shown: another takes the name', async (t) => {
    const status = after(contested(), { ...repair, dismiss: [second] });
    t.same(storeIds(status), [[first], [second]]);
    t.equal(status.modified, status.data?.modified);
  });

  await t.test('does not give up what its author has not seen', async (t) => {
    const tree = contested({ siblings: [versionOf(unseen, 'ee')], known: { ...known, [third]: 2 } });
    t.same(storeIds(after(tree, { ...repair, dismiss: [unseen] })), [[second, unseen], []]);
  });

  await t.test('does not bring back what had been given up', async (t) => {
    const seen = { ...base, [fidOf('readme')]: { ...known, [third]: 2 } };
    const tree = contested({ setAside: [aside], known: { ...known, [third]: 2 } });
    t.same(storeIds(after(tree, { ...repair, base: seen })), [[second], [hidden, first]]);
  });

  await t.test('two that were made apart are a conflict again, in either order', async (t) => {
    const theirs = { ...repair, storeId: makeStoreId(third, 5), dismiss: [second], settled: true } as const;
    const ours = { ...repair, settled: true } as const;
    for (const [one, two] of [
      [ours, theirs],
      [theirs, ours],
    ] as const) {
      const tree = contested();
      tree.put(after(tree, one));
      t.same(storeIds(after(tree, two)), [[second, first], []]);
    }
    const apart = [after(contested(), ours), after(contested(), theirs)] as const;
    t.same(storeIds(mergeStatus(...apart)), [[second, first], []]);
  });

  await t.test(
    'two that were made apart do not hide what each has kept behind a third version',
    async (t) => {
      const theirs = { ...repair, storeId: makeStoreId(third, 5), dismiss: [second], settled: true } as const;
      const tree = contested();
      tree.put(after(tree, { ...repair, settled: true }));
      tree.put(after(tree, theirs));
      const apart = makeStoreId(third, 6);
      const status = after(tree, { ...store, storeId: apart, base: {}, settled: true });
      t.same(storeIds(status), [[apart, second, first], []]);
    },
  );

  await t.test('two that give up the same are one', async (t) => {
    const tree = contested();
    tree.put(after(tree, { ...repair, settled: true }));
    t.same(storeIds(after(tree, { ...repair, storeId: makeStoreId(third, 5), settled: true })), [
      [second],
      [first],
    ]);
  });

  await t.test('that leaves nothing is invalid; of a settled one all is seen after all', async (t) => {
    const all = { ...repair, dismiss: [first, second] };
    t.equal(
      failureKind(() => applyRecord(contested(), all)),
      'invalid',
    );
    t.same(storeIds(after(contested(), { ...all, settled: true })), [[second, first], []]);
  });

  await t.test('where crossing ones gave up everything, a person can still choose', async (t) => {
    const theirs = makeStoreId(third, 5);
    const all = { ...repair, dismiss: [first, second], leave: [], settled: true } as const;
    const tree = contested();
    tree.put(after(tree, all));
    tree.put(after(tree, { ...all, storeId: theirs }));
    const seen = { ...base, [fidOf('readme')]: { ...known, [venus]: 5, [third]: 5 } };
    const choice = { ...repair, storeId: makeStoreId(venus, 6), base: seen, leave: [second] };
    const status = after(tree, choice);
    t.same([storeIds(status), conflictsOf(status, 'readme')], [[[second], [first]], []]);
    t.ok(mutationSchema.safeParse(choice).success);
    t.equal(
      failureKind(() => applyRecord(tree, { ...choice, leave: undefined })),
      'invalid',
      'a log of an earlier release does not say what it leaves',
    );
  });

  await t.test('does not bring back what a removal has taken', async (t) => {
    const taken = versionOf(unseen, 'e4', 5);
    const gone = { [third]: 2 };
    const tree = contested({ setAside: [taken], gone, revived: gone, known: { ...known, ...gone } });
    const seen = { ...base, [fidOf('readme')]: { ...known, ...gone } };
    const status = after(tree, { ...repair, base: seen, leave: [second] });
    t.same(storeIds(status), [[second], [unseen, first]]);
  });

  await t.test('leaves what its author says, whoever else gave that up, in either order', async (t) => {
    const seen = { ...base, [fidOf('readme')]: { ...known, [third]: 2 } };
    const ours = { ...repair, base: seen, leave: [second], settled: true } as const;
    // By somebody who did not know that the hidden one had been given up before.
    const fourth = 'dddddddddddddddd' as VenusId;
    const given = { storeId: makeStoreId(fourth, 5), dismiss: [hidden], leave: [first, second] };
    const theirs = { ...repair, ...given, settled: true } as const;
    const [one, two] = [
      [ours, theirs],
      [theirs, ours],
    ].map((records) => {
      const tree = contested({ setAside: [aside], known: { ...known, [third]: 2 } });
      for (const record of records) tree.put(after(tree, record));
      const status = tree.status(fidOf('readme'));
      return status === undefined ? [] : versionsOf(status);
    });
    t.same(one, two);
    t.equal(one?.length, 3);
  });

  await t.test('accepts the name that it bears', async (t) => {
    const tree = contested();
    const status = after(tree, { ...repair, dismiss: [], accept: { name: 'beside' } });
    t.match(status.places, [{ name: 'beside', parent: root, storeId, author: 'bob' }]);
    t.same(conflictsOf(status, 'beside'), ['versions'], 'versions are another matter');
    t.equal(
      failureKind(() => applyRecord(tree, { ...repair, accept: { name: 'a/b' } })),
      'invalid',
    );
  });

  await t.test('accepts the place where its author saw it, and gives up others', async (t) => {
    const places = [placeOf(second, 'docs', 'b', 9), placeOf(first, 'root', 'a')];
    const record = { ...repair, dismiss: [], accept: { name: 'b', parent: fidOf('docs') } };
    const status = after(contested({ places, parent: fidOf('docs'), siblings: [] }), record);
    t.match(status, { parent: fidOf('docs'), places: [{ name: 'b' }] });
    t.equal(status.places.length, 1);
    const moved = contested({ places: [placeOf(unseen, 'sub', 'c', 99)], parent: fidOf('sub') });
    t.match(after(moved, { ...record, settled: true }).places, [
      { name: 'c' },
      { parent: fidOf('docs'), name: 'b' },
    ]);
    const foreign = { ...record, accept: { name: 'b', parent: fidOf('foreign') } };
    t.equal(
      failureKind(() => applyRecord(contested(), foreign)),
      'cross-volume',
    );
  });

  await t.test('accepts an object that survived a removal', async (t) => {
    const survivor = { gone: { [other]: 1, [third]: 3 }, siblings: [], known: { [other]: 3, [third]: 3 } };
    const tree = contested({
      ...survivor,
      data: versionOf(second, 'e2'),
      setAside: [versionOf(first, 'ab')],
    });
    const seen = { ...base, [fidOf('readme')]: survivor.known };
    const status = after(tree, {
      ...repair,
      base: seen,
      dismiss: [],
      accept: { name: 'readme', parent: root },
    });
    t.same(conflictsOf(status, 'readme'), []);
    t.same(storeIds(status), [[second], [first]], 'what the removal gave up stays given up');
    t.same(conflictsOf(after(tree, { ...repair, dismiss: [], accept: { name: 'readme' } }), 'readme'), [
      'removal',
    ]);
  });

  await t.test('accepts the contents of an object that only a move has saved', async (t) => {
    const gone = { [other]: 1, [third]: 3 };
    const survivor = { gone, siblings: [], known: { [other]: 3, [third]: 3 }, data: versionOf(first, 'ab') };
    const tree = contested({ ...survivor, places: [placeOf(second, 'root', 'readme')] });
    const seen = { ...base, [fidOf('readme')]: survivor.known };
    const status = after(tree, {
      ...repair,
      base: seen,
      dismiss: [],
      accept: { name: 'readme', parent: root },
    });
    t.same(status.data?.vouched, { [venus]: 5 });
    const theirs = makeStoreId(third, 9);
    tree.put(status);
    t.same(storeIds(after(tree, { ...store, storeId: theirs, base: {}, settled: true })), [
      [theirs, first],
      [],
    ]);
  });

  await t.test('of what was removed', async (t) => {
    const tree = contested();
    tree.remove('readme');
    t.equal(
      failureKind(() => applyRecord(tree, repair)),
      'not-found',
    );
    const status = after(tree, { ...repair, settled: true });
    t.notOk(isRemoved(status), 'whoever chose a version knew of no removal: it lives');
    t.same([storeIds(status), conflictsOf(status, 'readme')], [[[second], [first]], ['removal']]);
  });

  await t.test('of a directory', async (t) => {
    const record = { ...repair, fid: fidOf('docs'), dismiss: [], accept: { name: 'docs', parent: root } };
    t.match(after(new Forest(), record), { data: null, places: [{ storeId }] });
    const accepted = after(new Forest(), { ...record, fid: root, accept: { name: 'x' } });
    t.same([accepted.parent, accepted.places], [null, []], 'the root has no place');
  });
});

void t.test('names', async (t) => {
  const good = [
    'a',
    'Ünïcödé',
    '…',
    'a b',
    '.hidden',
    '...',
    'con',
    'a\\b',
    'x'.repeat(255),
    '\u{1f600}'.repeat(63),
    'é'.normalize('NFD'),
  ];
  for (const name of good) t.equal(nameFault(name), undefined, JSON.stringify(name));
  const wrong: readonly [string, RegExp][] = [
    ['', /reserved/],
    ['.', /reserved/],
    ['..', /reserved/],
    ['a/b', /slash/],
    ['a\u0000', /control/],
    ['a\nb', /control/],
    ['\u007f', /control/],
    ['\ud800', /Unicode/],
    ['x'.repeat(256), /longer/],
    ['ü'.repeat(128), /longer/],
    ['a\uffff', /character/],
    ['a\ufffe', /character/],
  ];
  for (const [name, fault] of wrong)
    t.match(nameFault(name) ?? 'no fault', fault, JSON.stringify(name.slice(0, 10)));
});

function at<T>(map: ReadonlyMap<Fid, T>, fid: Fid): T {
  const item = map.get(fid);
  if (item === undefined) throw new Error(`no ${fid}`);
  return item;
}

function failureKind(action: () => unknown): FailureKind | undefined {
  const error = thrown(action);
  return error instanceof Failure ? error.kind : undefined;
}

/** Every object that an effect changes or removes. */
function touchedBy(effect: Effect): string[] {
  return [...effect.changed, ...effect.removed].map(({ fid }) => fid).sort();
}

function thrown(action: () => unknown): unknown {
  try {
    action();
    return undefined;
  } catch (error) {
    return error;
  }
}
