/** Replicas that were changed apart: contents of every version, settled records, parts of a merge. */
import t from 'tap';
import {
  apply,
  check,
  mergeAll,
  names,
  refusal,
  root,
  take,
  type Creation,
} from '../../conformance/bare-realm/bare-replica.js';
import { versionsOf, type Fid, type Mutation } from '../interface/index.js';
import { conflicts, fault, Parted } from '../../conformance/bare-realm/parted.js';

t.test('contents of every version are counted, and kept as long as one is seen', async (t) => {
  const parted = await Parted.begin();
  const { a, b, anna, ben } = parted;
  const file = await parted.make('create', root, 'file');
  const [mine, hers] = [await parted.upload('mine'), await parted.upload('her text')];
  await apply(a, anna.store(a, file.fid, hers, 8));
  await apply(b, ben.store(b, file.fid, mine, 4));
  await parted.meet(t);
  await parted.release();
  for (const [index, replica] of [a, b].entries()) {
    t.same([replica.names(mine), replica.names(hers)], [true, true], 'both are named');
    t.equal((await replica.space()).used, 12, 'and take room');
    t.ok(await parted.servers[index]?.containers.has(hers));
    t.equal(replica.status(file.fid)?.data?.digest, mine, 'the one saved last is shown');
    t.same(conflicts(replica, file.fid), ['versions']);
  }
  const final = await parted.upload('both');
  await apply(a, anna.store(a, file.fid, final, 4));
  await parted.meet(t);
  t.same(
    versionsOf(b.status(file.fid) ?? fault()).map(({ digest }) => digest),
    [final],
    'written by one who saw both',
  );
  await parted.release();
  t.same([a.names(mine), b.names(hers), (await b.space()).used], [false, false, 4]);
  t.notOk(await parted.servers[1].containers.has(hers));

  t.comment('the same contents twice are no conflict');
  await apply(a, anna.store(a, file.fid, await parted.upload('equal'), 5));
  await apply(b, ben.store(b, file.fid, await parted.upload('equal'), 5));
  await parted.meet(t);
  t.same(conflicts(a, file.fid), []);
});

t.test(
  'a file whose contents a removal took may come back by a move, before or after they are gone',
  async (t) => {
    const parted = await Parted.begin();
    const { a, b, anna, ben } = parted;
    const file = await parted.make('create', root, 'file');
    const digest = await parted.upload('text');
    await apply(a, anna.store(a, file.fid, digest, 4));
    await apply(a, anna.remove(a, 'remove', root, 'file', file.fid));
    await apply(b, ben.rename(b, file.fid, [root, 'file'], [root, 'saved']));
    await new Promise(setImmediate);
    await parted.servers[1].containers.remove(digest);
    await parted.meet(t);
    t.same(
      [names(a), names(b), conflicts(b, file.fid)],
      [['saved'], ['saved'], ['removal']],
      'on both sides the same',
    );
  },
);

t.test('settled records of each kind are merged with what others did meanwhile', async (t) => {
  const parted = await Parted.begin();
  const { a, anna, ben } = parted;
  const settled = (record: Mutation): Mutation => ({ ...record, settled: true });
  const at = (directory: Fid, fid: Fid): string | undefined =>
    [...(a.list(directory)?.entries ?? [])].find(({ status }) => status.fid === fid)?.name;
  const [x, y] = [await parted.make('mkdir', root, 'x'), await parted.make('mkdir', root, 'y')];
  const made = async (op: 'create' | 'mkdir', directory: Fid, name: string): Promise<Creation> => {
    const record = anna.make(a, op, directory, name);
    await apply(a, record);
    return record;
  };
  const make = (name: string): Promise<Creation> => made('create', x.fid, name);
  const [ours, theirs] = [await parted.upload('ours'), await parted.upload('theirs')];

  t.comment('store against store');
  const stored = await make('stored');
  const late = ben.store(a, stored.fid, theirs, 6);
  await apply(a, anna.store(a, stored.fid, ours, 4));
  t.equal(await refusal(a, late), '0 conflict', 'who can still be told is told');
  t.same((await apply(a, settled(late))).ahead, [stored.fid]);
  t.same(conflicts(a, stored.fid), ['versions']);

  t.comment('remove against store, store against remove');
  const kept = await make('kept');
  const removal = ben.remove(a, 'remove', x.fid, 'kept', kept.fid);
  const store = ben.store(a, (await make('back')).fid, theirs, 6);
  await apply(a, anna.store(a, kept.fid, ours, 4));
  t.same(new Set((await apply(a, settled(removal))).ahead), new Set([x.fid, kept.fid]), 'he must list again');
  t.same([at(x.fid, kept.fid), conflicts(a, kept.fid)], ['kept', ['removal']]);
  await apply(a, anna.remove(a, 'remove', x.fid, 'back', store.fid));
  t.equal(await refusal(a, store), '0 not-found');
  const { ahead } = await apply(a, settled(store));
  t.ok(ahead.includes(x.fid) && ahead.includes(store.fid), 'its directory has a name more than he believes');
  t.same([at(x.fid, store.fid), conflicts(a, store.fid)], ['back', ['removal']]);

  t.comment(
    'remove of a later version against store: what only the removal has seen may be nowhere any more',
  );
  const replaced = await make('replaced');
  const unaware = ben.store(a, replaced.fid, theirs, 6);
  const renaming = ben.rename(a, replaced.fid, [x.fid, 'replaced'], [root, 'renamed']);
  await apply(a, anna.store(a, replaced.fid, await parted.upload('gone'), 4));
  await apply(a, anna.remove(a, 'remove', x.fid, 'replaced', replaced.fid));
  t.equal(await refusal(a, settled(renaming)), '0 stale', 'nothing is here to be under the new name');
  await apply(a, settled(unaware));
  t.equal(a.status(replaced.fid)?.data?.digest, theirs, 'what he was answered for is there');

  t.comment('rename against rename, to a name that is taken');
  const moved = await make('moved');
  const rename = ben.rename(a, moved.fid, [x.fid, 'moved'], [y.fid, 'n']);
  await apply(a, anna.make(a, 'create', y.fid, 'n'));
  await apply(a, anna.rename(a, moved.fid, [x.fid, 'moved'], [root, 'moved']));
  t.equal(await refusal(a, rename), '0 not-found');
  ben.time = () => 90_000;
  const again = { ...rename, time: 90_000 };
  const moves = (await apply(a, settled(again))).ahead;
  t.ok(moves.includes(y.fid));
  t.ok(
    moves.includes(root),
    'it is gone from where the other one had put it, which his record does not name',
  );
  t.same(
    [at(y.fid, moved.fid), conflicts(a, moved.fid)],
    ['n (conflict b g-b 1970-01-01 00.01.30)', ['name', 'place']],
  );

  t.comment('create, mkdir, symlink: the name is taken, or the directory is removed');
  const doomed = await made('mkdir', y.fid, 'doomed');
  const created = ben.make(a, 'create', x.fid, 'stored');
  const inside = ben.make(a, 'mkdir', doomed.fid, 'inside');
  const link: Mutation = { ...ben.make(a, 'create', doomed.fid, 'link'), op: 'symlink', target: 'x' };
  await apply(a, anna.remove(a, 'rmdir', y.fid, 'doomed', doomed.fid));
  t.equal(await refusal(a, created), '0 exists');
  t.equal(await refusal(a, inside), '0 not-found');
  await apply(a, settled(created));
  t.equal(at(x.fid, created.fid), 'stored (conflict b g-b 1970-01-01 00.01.30)');
  const revived = await apply(a, settled(inside), settled(link));
  t.same([names(a, doomed.fid), at(y.fid, doomed.fid)], [['inside', 'link'], 'doomed']);
  t.ok(revived.ahead.includes(y.fid), 'y has a name again that he may not know of');

  t.comment('rmdir of what is full meanwhile');
  const full = await made('mkdir', root, 'full');
  const rmdir = ben.remove(a, 'rmdir', root, 'full', full.fid);
  await apply(a, anna.make(a, 'create', full.fid, 'new'));
  t.equal(await refusal(a, rmdir), '0 not-empty');
  const refilled = await apply(a, settled(rmdir));
  t.ok(refilled.ahead.includes(root));
  t.same([at(root, full.fid), names(a, full.fid)], ['full', ['new']]);

  t.comment('attributes of what was removed: it stays removed');
  const gone = await make('gone');
  const records: Mutation[] = [
    ben.chmod(a, gone.fid, 0o600),
    { ...ben.chmod(a, gone.fid, 0), op: 'chown', owner: 'ben' } as Mutation,
    { ...ben.chmod(a, gone.fid, 0), op: 'utimes', modified: 1 } as Mutation,
    { ...ben.chmod(a, gone.fid, 0), op: 'setprops', set: { '{x}y': 'z' }, remove: [] } as Mutation,
  ];
  await apply(a, anna.remove(a, 'remove', x.fid, 'gone', gone.fid));
  for (const record of records) {
    t.equal(await refusal(a, record), '0 not-found', record.op);
    await apply(a, settled(record));
    t.equal(a.status(gone.fid), undefined, record.op);
  }

  t.comment('a directory into itself, by two moves');
  const loop = ben.rename(a, x.fid, [root, 'x'], [y.fid, 'x']);
  await apply(a, anna.rename(a, y.fid, [root, 'y'], [x.fid, 'y']));
  t.equal(await refusal(a, loop), '0 loop');
  const broken = await apply(a, settled({ ...loop, time: 99_000 }));
  t.equal(a.status(x.fid)?.parent, root);
  t.ok(
    broken.ahead.includes(x.fid) && broken.ahead.includes(y.fid) && broken.ahead.includes(root),
    broken.ahead.join(),
  );
  await parted.meet(t);
});

t.test('a partial merge never lets a directory claim more than is here', async (t) => {
  const parted = await Parted.begin();
  const { a, b, anna } = parted;
  const dir = await parted.make('mkdir', root, 'dir');
  const file = anna.make(a, 'create', dir.fid, 'file');
  await apply(a, file);
  const known = b.status(dir.fid)?.known;
  await b.merge({ objects: [a.held(dir.fid) ?? fault()], withoutKnown: true });
  t.same(b.status(dir.fid)?.known, known);
  await take(b, a, file.fid);
  t.equal(await refusal(b, file), '0 stale', 'in the middle of it');
  await take(b, a, dir.fid);
  await take(b, a, root);
  t.equal(await refusal(b, file), 'applied');
  await check(b);
});

t.test('the record that made a directory waits while that is here without what it has known', async (t) => {
  const parted = await Parted.begin();
  const { a, b, anna } = parted;
  const dir = anna.make(a, 'mkdir', root, 'dir');
  await apply(a, dir);
  await b.merge({ objects: [a.held(root) ?? fault(), a.held(dir.fid) ?? fault()], withoutKnown: true });
  t.same(b.status(dir.fid)?.known, {}, 'a runt');
  t.equal(await refusal(b, dir), '0 stale');
  t.equal(
    await refusal(b, { ...dir, settled: true }),
    '0 stale',
    'its author was answered: it must not be refused for good',
  );
  await mergeAll(b, a);
  t.equal(await refusal(b, dir), 'applied', 'that is, it has been');
  await parted.meet(t);
});
