/** Records whose authors were answered: they are not refused but merged. */
import t from 'tap';
import {
  applyRecord,
  conflictsOf,
  Failure,
  isRemoved,
  limits,
  makeStoreId,
  noNames,
  versionsOf,
  type Effect,
  type FailureKind,
  type Fid,
  type Mutation,
  type VnodeStatus,
} from './index.js';
import {
  base,
  chmod,
  chown,
  create,
  failureKind,
  fidOf,
  Forest,
  other,
  placeOf,
  remove,
  removeDir,
  rename,
  root,
  setProperties,
  store,
  storeId,
  third,
  thrown,
  unseen,
  utimes,
  versionOf,
} from './semantics-fixture.js';

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
