/** Replicas that were changed apart, and what they come to: stories; the properties are in apart-properties.test.ts. */
import t from 'tap';
import {
  apply,
  check,
  heldBy,
  mergeAll,
  names,
  refusal,
  root,
  server,
  take,
  tree,
  Venus,
  type Creation,
} from '../../conformance/bare-realm/bare-replica.js';
import { isRemoved, versionsOf, type Fid, type Mutation, type VnodeStatus } from '../interface/index.js';
import type { Replica } from './replica.js';
import { conflicts, fault, Parted } from '../../conformance/bare-realm/parted.js';

t.test(
  'a new replica is filled in any order; what is here and the peer does not know of stays',
  async (t) => {
    const parted = await Parted.begin();
    const { a, b, anna, ben } = parted;
    const dir = anna.make(a, 'mkdir', root, 'dir');
    await apply(a, dir);
    const file = anna.make(a, 'create', dir.fid, 'file');
    await apply(a, file);
    const early = await b.merge({
      objects: [...heldBy(a).values()].filter(({ fid }) => fid === file.fid),
      withoutKnown: true,
    });
    t.same(early, { changed: [], skipped: [file.fid] }, 'its directory is not here');
    t.equal(b.stamp, 0, 'what came to nothing takes no stamp');
    const digest = await parted.servers[0].upload('text');
    await apply(a, anna.store(a, file.fid, digest, 4));
    await t.rejects(mergeAll(b, a), /must be fetched first/, 'contents first');
    t.same(names(b), [], 'and nothing of such a step is here');
    await parted.servers[1].upload('text');
    const bare = await b.merge({
      objects: [...heldBy(a).values()].filter(({ kind }) => kind === 'directory'),
      withoutKnown: true,
    });
    t.same(
      [bare.skipped, b.status(dir.fid)?.known],
      [[], {}],
      'a directory that is not complete knows nothing yet',
    );
    const changes: number[] = [];
    b.onChange(({ fids }) => changes.push(fids.length));
    const fresh = ben.make(b, 'create', dir.fid, 'fresh');
    await apply(b, fresh);
    await mergeAll(b, a);
    t.same(names(b, dir.fid), ['file', 'fresh']);
    t.same(names(a, dir.fid), ['file'], 'one side only so far');
    const before = b.stamp;
    t.same(await mergeAll(b, a), { changed: [], skipped: [] }, 'again: nothing to do');
    t.equal(b.stamp, before);
    await parted.meet(t);
    t.same(tree(a), tree(b));
  },
);

t.test('what no correct replica would say is refused whole', async (t) => {
  const { a, b, anna } = await Parted.begin();
  const good = anna.make(a, 'create', root, 'good');
  const bad = anna.make(a, 'create', root, 'bad');
  await apply(a, good, bad);
  const [sound, status] = [a.held(good.fid), a.held(bad.fid)];
  if (sound === undefined || status === undefined) throw new Error('two');
  const [place] = status.places;
  if (place === undefined) throw new Error('a place');
  const lies: readonly VnodeStatus[] = [
    { ...status, places: [] },
    { ...status, data: null },
    { ...status, places: [{ ...place, name: '../passwd' }] },
    { ...status, places: [{ ...place, parent: '7f000002.1.1' as Fid }] },
    { ...status, kind: 'symlink', data: null, siblings: versionsOf(status) },
  ];
  for (const lie of lies) {
    await t.rejects(b.merge({ objects: [sound, lie], withoutKnown: false }));
    t.same(names(b), []);
  }
});

t.test('one name for two objects: the first one keeps it, on every replica, and gives it back', async (t) => {
  const parted = await Parted.begin();
  const { a, b, anna, ben } = parted;
  const [first, second] = [anna.make(a, 'create', root, 'n.txt'), ben.make(b, 'mkdir', root, 'n.txt')];
  await apply(a, first);
  await apply(b, second);
  await parted.meet(t);
  const beside = 'n (conflict b g-b 1970-01-01 00.00.03).txt';
  t.same(names(a), [beside, 'n.txt'], 'Ben was second');
  t.equal(names(b).indexOf(beside), 0);
  t.same([conflicts(a, first.fid), conflicts(a, second.fid)], [[], ['name']]);
  const inside = anna.make(a, 'create', second.fid, 'inside');
  await apply(a, inside);

  t.comment('an earlier one comes from a third side');
  const carl = new Venus('c');
  carl.time = () => 1;
  const earliest = carl.make(a, 'create', root, 'n.txt');
  await apply(b, { ...earliest, settled: true });
  await parted.meet(t);
  t.same(names(a), ['n (conflict a g-a 1970-01-01 00.00.02).txt', beside, 'n.txt']);

  t.comment('it goes: who comes next has the name again');
  await apply(b, carl.remove(b, 'remove', root, 'n.txt', earliest.fid));
  await parted.meet(t);
  t.same(names(a), [beside, 'n.txt']);
  await apply(a, anna.rename(a, first.fid, [root, 'n.txt'], [root, 'elsewhere']));
  t.same(names(a), ['elsewhere', 'n.txt'], 'at once');
  t.same([names(a, second.fid), conflicts(a, second.fid)], [['inside'], []]);
  await parted.meet(t);
});

t.test('names beside follow from the objects, too, whatever came first', async (t) => {
  const parted = await Parted.begin();
  const { a, b, anna, ben } = parted;
  const at = (time: number, venus: Venus, replica: Replica, name: string): Mutation => {
    venus.time = () => time;
    return { ...venus.make(replica, 'create', root, name), author: 'x', host: 'h', settled: true };
  };
  await apply(a, at(0, anna, a, 'n'));
  t.comment('two that come second, in the same second, told of in another order on each side');
  const [one, other] = [at(1500, anna, a, 'n'), at(1400, ben, b, 'n')];
  await apply(a, one);
  await apply(b, other);
  await parted.meet(t);
  const plainName = 'n (conflict x h 1970-01-01 00.00.01)';
  t.ok(names(a).includes(plainName) && names(a).length === 3, names(a).join());
  t.equal([...(a.list(root)?.entries ?? [])].find(({ name }) => name === plainName)?.status.fid, other.fid);

  t.comment('somebody gives a file that very name, and then another one');
  const taken = at(3000, ben, b, plainName);
  await apply(b, taken);
  await parted.meet(t);
  t.equal([...(a.list(root)?.entries ?? [])].find(({ name }) => name === plainName)?.status.fid, taken.fid);
  await apply(a, anna.rename(a, taken.fid, [root, plainName], [root, 'm']));
  await parted.meet(t);
  const late = await server().open({ id: 'late' });
  await mergeAll(late, b);
  t.same(names(late), names(a), 'who has never heard of that calls them the same');
});

t.test('an update survives the removal that did not know of it', async (t) => {
  const parted = await Parted.begin();
  const { a, b, anna, ben } = parted;
  const digest = await parted.upload('new text');
  const made = await Promise.all(
    ['stored', 'moved', 'changed', 'gone'].map((name) => parted.make('create', root, name)),
  );
  const [stored, moved, changed, gone] = made;
  if (stored === undefined || moved === undefined || changed === undefined || gone === undefined)
    throw new Error('four');
  const dir = await parted.make('mkdir', root, 'dir');
  const deep = await parted.make('mkdir', dir.fid, 'deep');
  for (const { name, fid } of made) await apply(a, anna.remove(a, 'remove', root, name, fid));
  await apply(
    a,
    anna.remove(a, 'rmdir', dir.fid, 'deep', deep.fid),
    anna.remove(a, 'rmdir', root, 'dir', dir.fid),
  );
  t.same(names(a), []);
  await apply(b, ben.store(b, stored.fid, digest, 8));
  await apply(b, ben.rename(b, moved.fid, [root, 'moved'], [root, 'saved']));
  await apply(b, ben.chmod(b, changed.fid, 0o600));
  await apply(b, ben.make(b, 'create', deep.fid, 'inside'));
  await parted.meet(t);
  t.same(names(a), ['dir', 'saved', 'stored'], 'an attribute alone does not keep a file');
  t.same([names(a, dir.fid), names(a, deep.fid)], [['deep'], ['inside']], 'the directories above live again');
  t.same(
    [conflicts(a, stored.fid), conflicts(a, moved.fid)],
    [['removal'], ['removal']],
    'and a person is told',
  );
  t.equal(a.status(stored.fid)?.data?.digest, digest);

  t.comment('whoever knows of it all may remove it for good');
  for (const [name, fid] of [
    ['saved', moved.fid],
    ['stored', stored.fid],
  ] as const) {
    await apply(a, anna.remove(a, 'remove', root, name, fid));
  }
  await parted.meet(t);
  t.same(names(b), ['dir']);
});

t.test(
  'who never had the contents of a removed file is no judge of a move that did not know of it',
  async (t) => {
    const [one, two] = [server(), server()];
    const [a, b] = [await one.open({ id: 'a' }), await two.open({ id: 'b' })];
    a.keepsRemoved = b.keepsRemoved = true;
    const [anna, ben] = [new Venus('a'), new Venus('b')];
    const file = anna.make(a, 'create', root, 'file');
    await apply(a, file);
    await apply(a, anna.store(a, file.fid, await one.upload('text'), 4));
    const move = { ...anna.rename(a, file.fid, [root, 'file'], [root, 'moved']), settled: true as const };
    await apply(a, ben.remove(a, 'remove', root, 'file', file.fid));
    for (const fid of [root, file.fid]) await take(b, a, fid);
    t.equal(
      await refusal(b, move),
      '0 stale',
      'b heard of the file when it was removed: another one may have it all',
    );
    await apply(a, move);
    t.same(names(a), ['moved'], 'a has kept the contents: the update survives');
  },
);

t.test('a tree that was removed on one side is gone on the other, from below', async (t) => {
  const parted = await Parted.begin();
  const { a, b, anna, ben } = parted;
  const [x, y] = [await parted.make('mkdir', root, 'x'), await parted.make('mkdir', root, 'keep')];
  const z = await parted.make('mkdir', x.fid, 'z');
  const file = await parted.make('create', z.fid, 'file');
  const rescued = await parted.make('create', z.fid, 'rescued');
  await apply(a, anna.rename(a, rescued.fid, [z.fid, 'rescued'], [y.fid, 'rescued']));
  await apply(a, anna.remove(a, 'remove', z.fid, 'file', file.fid));
  await apply(a, anna.remove(a, 'rmdir', x.fid, 'z', z.fid), anna.remove(a, 'rmdir', root, 'x', x.fid));
  await apply(b, ben.chmod(b, rescued.fid, 0o600));
  await parted.meet(t);
  t.same([names(b), names(b, y.fid)], [['keep'], ['rescued']]);
  t.match(b.status(rescued.fid), { mode: 0o600, places: [{ parent: y.fid }] });
  t.same(b.conflicts(null, 9).conflicts, [], 'nothing for a person to decide');
  t.ok([x, z, file].every(({ fid }) => isRemoved(b.held(fid) ?? fault())));
});

t.test('a move is no circle where only an earlier move is missing', async (t) => {
  const parted = await Parted.begin();
  const { a, b, anna } = parted;
  const top = await parted.make('mkdir', root, 'top');
  const middle = await parted.make('mkdir', top.fid, 'middle');
  const project = await parted.make('mkdir', middle.fid, 'project');
  const inside = await parted.make('mkdir', project.fid, 'inside');
  const other = await parted.make('mkdir', root, 'other');
  await apply(a, anna.rename(a, project.fid, [middle.fid, 'project'], [other.fid, 'project']));
  const moved = anna.rename(a, top.fid, [root, 'top'], [inside.fid, 'top']);
  // Of what both moves touch the second one touches nothing: only the way up says that something is missing.
  const above = [project.fid, other.fid].map((fid) => [fid, a.status(fid)?.known ?? fault()] as const);
  const base = { ...Object.fromEntries(above), ...moved.base };
  const record: Mutation = { ...moved, base, settled: true };
  t.equal(await refusal(b, record), '0 stale');
  await apply(a, record);
  await mergeAll(b, a);
  t.match(await apply(b, record), { ahead: [] });
  for (const replica of [a, b]) {
    t.match(replica.status(top.fid), { parent: inside.fid, places: [{ isBroken: false }] });
    t.same(conflicts(replica, top.fid), []);
  }
  await parted.meet(t);
});

t.test('moves that would make a circle: the last one ends in the root', async (t) => {
  for (const count of [2, 3]) {
    const parted = await Parted.begin();
    const carl = new Venus('c');
    const dirs: Creation[] = [];
    for (let index = 0; index < count; index += 1) dirs.push(await parted.make('mkdir', root, `d${index}`));
    const third = await server().open({ id: 'c' });
    await mergeAll(third, parted.a);
    const sides = [parted.a, parted.b, third];
    const people = [parted.anna, parted.ben, carl];
    for (const [index, dir] of dirs.entries()) {
      const into = dirs[(index + 1) % count];
      const [person, replica] = [people[index], sides[index]];
      if (person === undefined || replica === undefined || into === undefined) throw new Error('three');
      person.time = () => 50_000 + index;
      await apply(replica, person.rename(replica, dir.fid, [root, `d${index}`], [into.fid, 'moved']));
    }
    for (const replica of sides)
      for (const peer of sides) if (peer !== replica) await mergeAll(replica, peer);
    await mergeAll(third, parted.a);
    await parted.meet(t);
    for (const replica of sides) {
      await check(replica);
      t.same(names(replica), ['moved'], `${count} moves: one tree in the root`);
    }
    t.same(tree(third), tree(parted.a));
    const last = dirs[count - 1]?.fid ?? root;
    t.same(parted.a.status(last)?.parent, root, 'of the last move');
    t.same(conflicts(parted.b, last), ['place'], 'a person is told');

    t.comment('and puts it right');
    const { anna, a } = parted;
    await apply(a, anna.rename(a, last, [root, 'moved'], [root, 'sorted']));
    await parted.meet(t);
    t.same(conflicts(parted.b, last), []);
  }
});
