import t from 'tap';
import type { Fid, FileData, StoreId, VnodeStatus } from '../../vice/interface/index.js';
import { viewOf } from '../cache/cached-object.js';
import { acceptance, dismissal, storeOver, storeOverAll } from '../change/version-records.js';
import { reportOf } from './report.js';
import { fileOf, parseSibling, siblingFid, siblingNames, siblingVersion, siblingView } from './sibling.js';

const fid = '7f000001.2.00000000000000aa' as Fid;
const id = (venus: string, counter: number): StoreId => `${venus.padStart(16, '0')}:${counter}` as StoreId;
const day = Date.UTC(2026, 0, 2, 3, 4, 5);

function version(venus: string, counter: number, saved: number, digest: string): FileData {
  const storeId = id(venus, counter);
  const [author, host] = [`user-${venus}`, `g-${venus}`];
  return { storeId, mark: storeId, length: counter, digest, modified: saved, author, host, saved };
}

const shown = version('a', 3, day + 3000, 'A');
const older = version('b', 2, day + 2000, 'B');
const oldest = version('c', 1, day, 'C');
const place = { parent: '7f000001.1.1' as Fid, name: 'plan.txt', storeId: id('a', 1), time: day };
const status: VnodeStatus = {
  fid,
  kind: 'file',
  parent: place.parent,
  vv: { s1: 2, s2: 1 },
  storeId: shown.storeId,
  known: {},
  data: shown,
  siblings: [older, oldest],
  places: [{ ...place, author: 'ann', host: 'g1', isBroken: false }],
  gone: {},
  revived: {},
  names: '',
  target: null,
  created: 1,
  modified: shown.modified,
  mode: 0o640,
  owner: 'ann',
  author: 'ann',
  properties: {},
  setters: {},
};
const common = { storeId: id('d', 9), time: day + 9000, author: 'dan', host: 'g4', base: {} };
const contents = { digest: 'D', length: 5, modified: 7 };

t.test('a sibling has a Fid that names its file and its version, and nothing else is one', (t) => {
  const sibling = siblingFid(fid, older.storeId);
  t.same(parseSibling(sibling), { file: fid, version: older.storeId });
  t.equal(fileOf(sibling), fid);
  t.equal(fileOf(fid), fid);
  for (const text of [fid, `${fid}@`, `${fid}@x`, `x@${older.storeId}`, `${sibling}@${older.storeId}`]) {
    t.equal(parseSibling(text as Fid), undefined, text);
  }
  t.equal(siblingVersion(status, older.storeId), older);
  t.equal(siblingVersion(status, shown.storeId), undefined, 'the shown one stands beside nothing');
  t.end();
});

t.test('names beside the file say who, where and when; no two are the same', (t) => {
  const names = (taken: readonly string[], of = status): string[] =>
    siblingNames('plan.txt', of, (name) => taken.includes(name)).map(({ name }) => name);
  const [first, second] = names([]);
  t.equal(first, 'plan (conflict user-b g-b 2026-01-02 03.04.07).txt');
  t.equal(second, 'plan (conflict user-c g-c 2026-01-02 03.04.05).txt');
  const [distinct] = names([first ?? '']);
  t.match(distinct, /^plan \(conflict user-b g-b 2026-01-02 03\.04\.07 [0-9a-f]{6}\)\.txt$/);
  const twin = { ...version('b', 1, older.saved, 'T'), author: older.author, host: older.host };
  const twins = names([], { ...status, siblings: [older, twin] });
  t.equal(new Set(twins).size, 2, 'made by the same user in the same second');
  t.same(
    names([], { ...status, siblings: [{ ...older, digest: 'A' }] }),
    [],
    'the same bytes are no conflict',
  );
  t.end();
});

t.test('a sibling is seen as a file with its own contents; the same value as long as its file is', (t) => {
  const file = { status, view: viewOf(status) };
  t.match(file.view.conflict, { kind: 'versions', author: 'user-a', host: 'g-a', time: shown.saved });
  const view = siblingView(file, older);
  t.match(view, {
    fid: `${fid}@${older.storeId}`,
    length: 2,
    version: older.storeId,
    modified: older.modified,
  });
  t.match(view, { author: 'user-b', created: 1, mode: 0o640, kind: 'file' });
  t.same(view.conflict, {
    kind: 'sibling',
    author: 'user-b',
    host: 'g-b',
    time: older.saved,
    wanted: 'plan.txt',
    vector: { s1: 2, s2: 1 },
  });
  t.equal(siblingView(file, older), view);
  t.not(siblingView({ status, view: viewOf(status) }, older), view);
  const named = viewOf({ ...status, siblings: [] }, 'plan (conflict ann g1).txt');
  t.match(named.conflict, { kind: 'name', author: 'ann', host: 'g1', time: day, wanted: 'plan.txt' });
  t.equal(viewOf({ ...status, siblings: [] }, 'plan.txt').conflict, null);
  t.end();
});

t.test('a write replaces the version that is seen under the name, and no other', (t) => {
  const overName = storeOver(status, contents, common);
  t.same(overName.beside, [older.mark, oldest.mark]);
  t.equal(overName.saved, common.time);
  const slow = storeOver(status, contents, { ...common, time: 5 });
  t.equal(slow.saved, shown.saved + 1, 'a clock that is behind does not hide what was written last');
  const chosen = storeOver(status, older, common);
  t.same(chosen.beside, [oldest.mark], 'a version moved over the name is no more beside it');
  t.equal(storeOver({ ...status, siblings: [] }, contents, common).beside, undefined);
  t.same(storeOver(status, contents, common, 1).beside, [older.mark], 'at most one, the last of them');
  t.equal(storeOver(status, contents, common, 0).beside, undefined);
  t.equal(storeOverAll(status, older, common).beside, undefined);
  t.end();
});

t.test('repairs give up versions, with all that have the same bytes', (t) => {
  const again = { ...version('e', 5, day, 'B') };
  const twice = { ...status, siblings: [older, again, oldest] };
  t.same(dismissal(twice, older, common), {
    op: 'repair',
    ...common,
    fid,
    dismiss: [older.mark, again.mark],
    leave: [shown.mark, oldest.mark],
    accept: null,
  });
  t.same(
    dismissal(twice, older, common, oldest).leave,
    [shown.mark],
    'nor what its own entry gives up before',
  );
  const accepted = acceptance(twice, [shown], 'plan.txt', common);
  t.same([accepted.dismiss, accepted.leave], [[older.mark, again.mark, oldest.mark], [shown.mark]]);
  t.equal(
    acceptance(twice, [shown, older, again, oldest], 'plan.txt', common).leave,
    undefined,
    'nothing is given up',
  );
  t.same(
    accepted.accept,
    { name: 'plan.txt', parent: place.parent, since: day },
    'it keeps its rank among names',
  );
  const other = acceptance(twice, [shown], 'plan (conflict).txt', common);
  t.same(other.accept, { name: 'plan (conflict).txt', parent: place.parent });
  const later = acceptance({ ...status, setAside: [again] }, [shown], null, common);
  t.same(later.dismiss, [older.mark, oldest.mark], 'not what somebody has given up already');
  t.equal(later.accept, null);
  t.end();
});

t.test('what is reported of each kind is what there is to choose from', (t) => {
  const keeper = { ...status, fid: '7f000001.9.00000000000000aa' as Fid };
  const reported = {
    volume: 'root',
    status,
    path: ['plan.txt'],
    name: 'plan (conflict).txt',
    siblings: siblingNames('plan.txt', status, () => false),
    keeper,
    directories: new Map([[place.parent, []]]),
    hidesVersions: false,
  };
  const versions = reportOf(reported, 'versions').versions;
  t.same(
    versions.map(({ name, storeId, size, fid: of }) => [name, storeId, size, of]),
    [
      ['plan (conflict).txt', shown.storeId, 3, fid],
      [
        'plan (conflict user-b g-b 2026-01-02 03.04.07).txt',
        older.storeId,
        2,
        siblingFid(fid, older.storeId),
      ],
      [
        'plan (conflict user-c g-c 2026-01-02 03.04.05).txt',
        oldest.storeId,
        1,
        siblingFid(fid, oldest.storeId),
      ],
    ],
  );
  t.same(
    reportOf(reported, 'name').versions.map(({ name, fid: of }) => [name, of]),
    [
      ['plan (conflict).txt', fid],
      ['plan.txt', keeper.fid],
    ],
  );
  t.equal(reportOf(reported, 'removal').versions.length, 1);
  t.equal(reportOf(reported, 'place').versions[0]?.storeId, place.storeId);
  t.end();
});

t.test('each place is told by its whole path', (t) => {
  const [folder, gone] = ['7f000001.7.00000000000000aa', '7f000001.8.00000000000000aa'] as Fid[];
  const [own] = status.places;
  if (own === undefined || folder === undefined || gone === undefined) throw new Error('it has a place');
  const moved = { ...status, places: [own, { ...own, parent: folder, name: 'p' }, { ...own, parent: gone }] };
  const report = {
    volume: 'root',
    status: moved,
    path: ['plan (conflict).txt'],
    name: 'plan (conflict).txt',
    siblings: siblingNames('plan.txt', status, () => false),
    keeper: undefined,
    directories: new Map([
      [own.parent, []],
      [folder, ['docs', 'old']],
      [gone, null],
    ]),
    hidesVersions: false,
  };
  const paths = (kind: 'place' | 'versions' | 'removal'): unknown =>
    reportOf(report, kind).versions.map(({ path }) => path?.join('/') ?? null);
  t.same(paths('place'), ['plan (conflict).txt', 'docs/old/p', null]);
  t.same(paths('versions'), [
    'plan (conflict).txt',
    'plan (conflict user-b g-b 2026-01-02 03.04.07).txt',
    'plan (conflict user-c g-c 2026-01-02 03.04.05).txt',
  ]);
  t.same(paths('removal'), ['plan (conflict).txt']);
  t.same(reportOf({ ...report, path: null }, 'versions').versions[1]?.path, null);
  const [name, hidden] = reportOf({ ...report, hidesVersions: true }, 'versions').versions;
  t.ok(name?.path, 'the shown version is seen under the name');
  t.equal(hidden?.path, null, 'what it has overwritten is not');
  t.end();
});
