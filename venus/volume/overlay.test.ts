import t from 'tap';
import {
  makeFid,
  makeStoreId,
  namesBeside,
  noNames,
  venusId,
  volumeId,
  type DirectoryEntry,
  type Fid,
  type Mutation,
  type Placement,
  type VnodeStatus,
} from '../../vice/interface/index.js';
import type { LogEntry } from '../log/modify-log.js';
import { digestAfter, hasOtherNames, overlaid, overlayOf } from './overlay.js';

const venus = venusId('00000000000000aa');
const other = venusId('00000000000000bb');
const volume = volumeId('7f000001');
if (venus === undefined || other === undefined || volume === undefined) throw new Error('bad ids');
const fid = (vnode: number): Fid => makeFid(volume, vnode, venus);
const directory = fid(1);
const elsewhere = fid(2);

const common = (counter: number): Pick<Mutation, 'storeId' | 'time' | 'author' | 'host' | 'base'> => ({
  storeId: makeStoreId(venus, counter),
  time: counter,
  author: 'ann',
  host: 'g1',
  base: {},
});
const create = (counter: number, name: string, file: Fid): Mutation => {
  return { op: 'create', ...common(counter), parent: directory, name, fid: file, mode: 0o644 };
};
const entry = (records: readonly Mutation[], appliedBy: readonly string[] = []): LogEntry => {
  return { sequence: 1, volume, records, appliedBy, acknowledged: true, offered: false };
};
/** Somebody else's place. */
const placed = (time: number): Placement => ({
  parent: directory,
  name: 'taken',
  storeId: makeStoreId(other, 1),
  time,
  author: 'bob',
  host: 'g2',
  isBroken: false,
});
const names = (...entries: readonly [string, Fid][]): Map<string, DirectoryEntry> => {
  return new Map(entries.map(([name, file]) => [name, { name, fid: file, kind: 'file' }]));
};
const status = (known: VnodeStatus['known'], digest = noNames): VnodeStatus => ({
  fid: directory,
  kind: 'directory',
  parent: null,
  vv: {},
  storeId: null,
  known,
  data: null,
  siblings: [],
  places: [],
  gone: {},
  revived: {},
  names: digest,
  target: null,
  created: 0,
  modified: 0,
  mode: 0o755,
  owner: 'ann',
  author: 'ann',
  properties: {},
  setters: {},
});
const digestOf = (all: ReadonlyMap<string, DirectoryEntry>): string => digestAfter(noNames, new Map(), all);

t.test('only what the servers cannot know yet comes on top', (t) => {
  const waiting = entry([create(7, 'new', fid(7))]);
  const { records, known } = overlayOf(status({ [venus]: 5, [other]: 3 }), [
    entry([create(4, 'old', fid(4))]),
    entry([create(6, 'sent', fid(6))], ['s1']),
    waiting,
    entry([{ op: 'chmod', ...common(8), fid: fid(7), mode: 0o600 }]),
  ]);
  t.same(records, waiting.records, 'not what they know, have, or what is no name of the directory');
  t.same(known, { [venus]: 7, [other]: 3 });
  t.end();
});

t.test('a change that waits does not say that servers have those before it', (t) => {
  const chained = (counter: number, before: number, name: string): Mutation => {
    return { ...create(counter, name, fid(counter)), base: { [directory]: { [venus]: before } } };
  };
  const waiting = [entry([chained(7, 6, 'one')]), entry([chained(9, 7, 'two')])];
  t.same(
    overlayOf(status({ [venus]: 6 }), waiting).known,
    { [venus]: 9 },
    'they have the one before the first',
  );
  const { records, known } = overlayOf(status({ [venus]: 5 }), waiting);
  t.same(known, { [venus]: 5 }, 'they lack it: another server has it, which is not reached');
  t.equal(records.length, 2, 'what waits is seen all the same');
  const cached = status({ [venus]: 9 }, digestOf(names(['six', fid(6)], ['one', fid(7)], ['two', fid(9)])));
  t.notOk(hasOtherNames(cached, status({ [venus]: 5 }), waiting), 'so the cache knows better');
  t.end();
});

t.test('names made, removed and moved here; where a name is taken, both objects are seen', (t) => {
  const records: Mutation[] = [
    create(1, 'mine', fid(11)),
    create(2, 'taken', fid(12)),
    { op: 'remove', ...common(3), parent: directory, name: 'gone', fid: fid(13) },
    { op: 'remove', ...common(4), parent: directory, name: 'replaced', fid: fid(14) },
    {
      op: 'rename',
      ...common(5),
      fromParent: directory,
      fromName: 'before',
      toParent: elsewhere,
      toName: 'after',
      fid: fid(15),
    },
    {
      op: 'rename',
      ...common(6),
      fromParent: elsewhere,
      fromName: 'out',
      toParent: directory,
      toName: 'in',
      fid: fid(16),
    },
    { op: 'mkdir', ...common(7), parent: directory, name: 'folder', fid: fid(17), mode: 0o755 },
  ];
  const theirs = names(
    ['taken', fid(92)],
    ['gone', fid(13)],
    ['replaced', fid(94)],
    ['before', fid(15)],
    ['theirs', fid(99)],
  );
  const objectOf = (): Pick<VnodeStatus, 'kind' | 'places'> => ({ kind: 'symlink', places: [placed(1)] });
  const result = overlaid(directory, theirs, records, objectOf);
  const beside = 'taken (conflict ann g1 1970-01-01 00.00.00)';
  t.same([...result.keys()].sort(), ['folder', 'in', 'mine', 'replaced', 'taken', beside, 'theirs']);
  t.equal(result.get('taken')?.fid, fid(92), 'who was there first keeps it');
  t.equal(result.get(beside)?.fid, fid(12), 'nothing of ours is hidden');
  const later = (): Pick<VnodeStatus, 'kind' | 'places'> => ({ kind: 'symlink', places: [placed(9000)] });
  const ours = overlaid(directory, theirs, records, later);
  t.equal(ours.get('taken')?.fid, fid(12));
  t.equal(ours.get('taken (conflict bob g2 1970-01-01 00.00.09)')?.fid, fid(92));
  t.equal(result.get('replaced')?.fid, fid(94), 'the removal was of another object');
  t.equal(result.get('in')?.kind, 'symlink');
  t.equal(result.get('folder')?.kind, 'directory');
  t.equal(theirs.size, 5, 'what was given stays as it is');
  t.end();
});

t.test('what stands beside a name takes that of nobody else', (t) => {
  const place = { ...placed(1), ...common(2) };
  const [plain = '', marked = '', own = ''] = namesBeside(fid(12), place);
  const theirs = names(['taken', fid(92)], [plain, fid(93)], [marked, fid(94)]);
  const objectOf = (): Pick<VnodeStatus, 'kind' | 'places'> => ({ kind: 'file', places: [placed(1)] });
  const result = overlaid(directory, theirs, [create(2, 'taken', fid(12))], objectOf);
  t.same(result, new Map([...theirs, ...names([own, fid(12)])]), 'the last one has its own Fid in it');
  t.end();
});

t.test('an object that servers have renamed meanwhile goes all the same', (t) => {
  const gone: Mutation = { op: 'remove', ...common(1), parent: directory, name: 'report', fid: fid(11) };
  const theirs = names(['report (conflict)', fid(11)], ['report', fid(12)]);
  const result = overlaid(directory, theirs, [gone], () => undefined);
  t.same([...result.keys()], ['report'], 'its name, and not the one that another object bears');
  t.end();
});

t.test('what stands beside a name that is left free gets it', (t) => {
  const [first, second] = ['taken (conflict bob g2 1)', 'taken (conflict bob g2 2)'];
  const theirs = names([second, fid(13)], ['taken', fid(11)], [first, fid(12)]);
  const objectOf = (of: Fid): Pick<VnodeStatus, 'kind' | 'places'> => {
    return { kind: 'file', places: [placed(of === fid(13) ? 2 : 1)] };
  };
  const gone: Mutation = { op: 'remove', ...common(1), parent: directory, name: 'taken', fid: fid(11) };
  const left = overlaid(directory, theirs, [gone], objectOf);
  t.same(left, names([second, fid(13)], ['taken', fid(12)]), 'who was there first');
  const replaced = overlaid(directory, theirs, [gone, create(2, 'taken', fid(14))], objectOf);
  t.equal(replaced.get('taken')?.fid, fid(14), 'not where it is taken again at once');
  t.equal(replaced.size, 3);
  t.end();
});

t.test('a digest tells whether servers have other names than are cached', (t) => {
  const before = names(['a', fid(11)], ['b', fid(12)]);
  const waiting = [
    create(7, 'c', fid(13)),
    { op: 'remove', ...common(8), parent: directory, name: 'b', fid: fid(12) },
  ];
  const entries = [entry(waiting as Mutation[])];
  const after = overlaid(directory, before, waiting as Mutation[], () => undefined);
  const cached = status({ [venus]: 8 }, digestAfter(digestOf(before), before, after));
  t.equal(cached.names, digestOf(after), 'step by step or all at once');
  t.notOk(hasOtherNames(cached, status({}, digestOf(before)), entries), 'only ours differ');
  const renamed = names(['a (conflict)', fid(11)], ['b', fid(12)]);
  t.ok(hasOtherNames(cached, status({}, digestOf(renamed)), entries), 'a merge has changed a name');
  t.ok(hasOtherNames(status({}, digestOf(before)), status({}, digestOf(renamed)), []));
  t.notOk(hasOtherNames(cached, status({}, digestOf(before)), []), 'ours are on their way: nobody can tell');
  t.end();
});
