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
  type Server,
} from '../../conformance/bare-realm/bare-replica.js';
import {
  conflictsOf,
  isRemoved,
  versionsOf,
  type ConflictKind,
  type Fid,
  type Mutation,
  type VnodeStatus,
} from '../interface/index.js';
import type { Replica } from './replica.js';

/** Two servers, a person at each, and what was there before they parted. */
class Parted {
  readonly anna = new Venus('a');
  readonly ben = new Venus('b');
  readonly #releases: (() => void)[] = [];

  private constructor(
    readonly servers: readonly [Server, Server],
    readonly a: Replica,
    readonly b: Replica,
  ) {}

  static async begin(): Promise<Parted> {
    const servers = [server(), server()] as const;
    const [one, two] = servers;
    const parted = new Parted(servers, await one.open({ id: 'a' }), await two.open({ id: 'b' }));
    let now = 1000;
    for (const venus of [parted.anna, parted.ben]) venus.time = () => (now += 1000);
    return parted;
  }

  /** Made by Anna while all is well. */
  async make(op: 'create' | 'mkdir', parent: Fid, name: string): Promise<Creation> {
    const record = this.anna.make(this.a, op, parent, name);
    for (const replica of [this.a, this.b]) await apply(replica, record);
    return record;
  }

  /** Contents that are at both, and stay there until `release`. */
  async upload(text: string): Promise<string> {
    const [one, two] = this.servers;
    const digest = await one.upload(text);
    await two.upload(text);
    this.#releases.push(this.a.hold(digest), this.b.hold(digest));
    return digest;
  }

  async release(): Promise<void> {
    for (const release of this.#releases.splice(0)) release();
    await new Promise(setImmediate);
  }

  /** Both have merged all of the other, and are the same. */
  async meet(t: Tap): Promise<void> {
    for (let round = 0; round < 3; round += 1) {
      await mergeAll(this.a, this.b);
      await mergeAll(this.b, this.a);
    }
    await check(this.a, this.servers[0].store);
    await check(this.b, this.servers[1].store);
    t.same(plain(this.b), plain(this.a), 'the same on both sides');
  }
}

interface Tap {
  same(found: unknown, wanted: unknown, message: string): unknown;
}

function plain(replica: Replica): ReadonlyMap<Fid, VnodeStatus> {
  return new Map([...heldBy(replica)].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function conflicts(replica: Replica, fid: Fid): readonly ConflictKind[] {
  const { conflicts } = replica.conflicts(null, 100);
  const found = conflicts.find(({ status }) => status.fid === fid);
  return found === undefined ? [] : conflictsOf(found.status, found.name);
}

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

function fault(): never {
  throw new Error('not there');
}
