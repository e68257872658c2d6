/** What repairs decide, attributes that were set apart, and names. */
import t from 'tap';
import {
  applyRecord,
  conflictsOf,
  isRemoved,
  makeStoreId,
  mergeStatus,
  mutationSchema,
  nameFault,
  statusSchema,
  versionsOf,
  type Mutation,
  type Setter,
  type StoreId,
  type VenusId,
  type VnodeStatus,
} from './index.js';
import {
  base,
  chmod,
  common,
  failureKind,
  fidOf,
  Forest,
  other,
  placeOf,
  root,
  setProperties,
  store,
  storeId,
  third,
  unseen,
  utimes,
  venus,
  versionOf,
} from './semantics-fixture.js';

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
