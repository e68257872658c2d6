import t from 'tap';
import {
  counterOf,
  Failure,
  mergeStatus,
  type Fid,
  type FileData,
  type Result,
  type StoreId,
  type VnodeStatus,
} from '../../vice/interface/index.js';
import { collateStatus, collateUpdate } from './collate.js';

const fid = '7f000001.2.00000000000000aa' as Fid;
const update = (venus: string, counter: number): StoreId =>
  `${venus.padStart(16, '0')}:${counter}` as StoreId;

function version(vv: Record<string, number>, known: Record<string, number>, storeId: StoreId): VnodeStatus {
  return {
    fid,
    kind: 'file',
    parent: null,
    vv,
    storeId,
    known: Object.fromEntries(
      Object.entries(known).map(([venus, count]) => [venus.padStart(16, '0'), count]),
    ),
    data: contents(storeId),
    siblings: [],
    places: [],
    gone: {},
    revived: {},
    names: '',
    target: null,
    created: 0,
    modified: 0,
    mode: 0o644,
    owner: 'ann',
    author: 'ann',
    properties: {},
    setters: {},
  };
}

/** Each update has its own bytes, saved the later the higher its counter. */
function contents(storeId: StoreId): FileData {
  const saved = counterOf(storeId);
  return {
    storeId,
    mark: storeId,
    length: 1,
    digest: storeId,
    modified: 0,
    author: 'ann',
    host: 'g1',
    saved,
  };
}

const first = version({ s1: 1, s2: 1, s3: 1 }, { a: 1 }, update('a', 1));
const second = version({ s1: 2, s2: 2, s3: 1 }, { a: 2 }, update('a', 2));
const rival = version({ s1: 1, s2: 1, s3: 2 }, { a: 1, b: 1 }, update('b', 1));

t.test('an open takes the version that dominates, whoever holds it', (t) => {
  const replies = [
    { member: 's3', status: first },
    { member: 's1', status: second },
    { member: 's2', status: second },
  ];
  const collated = collateStatus(replies, undefined);
  t.equal(collated.status, second);
  t.same(collated.holders, ['s1', 's2']);
  t.same(collated.behind, ['s3'], 'the server that missed the update is to be resolved');
  t.equal(collated.inconsistent, false);
  t.end();
});

t.test('a lost COP2 is no difference: the vectors are joined, nobody is behind', (t) => {
  const counted = { ...second, vv: { s1: 2, s2: 1, s3: 1 } };
  const other = { ...second, vv: { s1: 1, s2: 2, s3: 1 } };
  const collated = collateStatus(
    [
      { member: 's1', status: counted },
      { member: 's2', status: other },
    ],
    undefined,
  );
  t.same(collated.status?.vv, { s1: 2, s2: 2, s3: 1 });
  t.same(collated.behind, []);
  t.equal(collated.inconsistent, false);
  t.end();
});

t.test('the same last update does not hide that one replica lacks an earlier one', (t) => {
  const whole = version({ s1: 2, s2: 1 }, { a: 1, b: 1 }, update('b', 1));
  const lacking = version({ s2: 1, s1: 1 }, { b: 1 }, update('b', 1));
  const collated = collateStatus(
    [
      { member: 's2', status: lacking },
      { member: 's1', status: whole },
    ],
    undefined,
  );
  t.equal(collated.status, whole);
  t.same(collated.behind, ['s2']);
  t.end();
});

t.test('an object that some servers do not have yet is taken from those who have it', (t) => {
  const collated = collateStatus(
    [
      { member: 's1', status: null },
      { member: 's2', status: first },
    ],
    undefined,
  );
  t.equal(collated.status, first);
  t.same(collated.behind, ['s1']);
  t.equal(collateStatus([{ member: 's1', status: null }], first).status, null, 'nobody has it: it is gone');
  t.end();
});

t.test('versions that do not contain each other are seen together, the same from every side', (t) => {
  const replies = [
    { member: 's1', status: second },
    { member: 's3', status: rival },
  ];
  const collated = collateStatus(replies, undefined);
  const reversed = collateStatus([...replies].reverse(), undefined);
  t.equal(collated.inconsistent, true);
  t.same(collated.status, reversed.status);
  t.equal(collated.status?.data?.storeId, update('a', 2), 'the one saved last is shown');
  t.same(
    collated.status?.siblings.map(({ storeId }) => storeId),
    [update('b', 1)],
    'the other one is not lost',
  );
  t.same(collated.behind, ['s1', 's3'], 'both are to resolve each other');
  t.same(collated.sources, ['s1', 's3'], 'either has something that the other one lacks');
  const resolved = { member: 's2', status: mergeStatus(second, rival) };
  const after = collateStatus([...replies, resolved], undefined);
  t.equal(after.inconsistent, false, 'one server has all of it already');
  t.same([after.holders, after.sources, after.behind], [['s2'], ['s2'], ['s1', 's3']]);
  t.end();
});

t.test('what others did meanwhile comes beside what only the cache knows', (t) => {
  const ours = version({ s1: 1, s2: 1, s3: 1 }, { a: 1, c: 1 }, update('c', 1));
  const collated = collateStatus([{ member: 's1', status: second }], ours);
  t.equal(collated.accessible, second, 'what the servers alone have');
  t.same(collated.holders, ['s1']);
  t.same(collated.behind, [], 'no server lacks what another one has');
  t.equal(collated.inconsistent, false, 'there is nothing that servers could resolve');
  const versions = [collated.status?.data, ...(collated.status?.siblings ?? [])];
  t.same(
    versions.map((each) => each?.storeId),
    [update('a', 2), update('c', 1)],
  );
  t.end();
});

t.test('what the cache knows and no accessible server does yet stays', (t) => {
  const collated = collateStatus([{ member: 's3', status: first }], second);
  t.equal(collated.status, second);
  t.same(collated.holders, []);
  t.same(collated.behind, ['s3']);
  t.end();
});

const applied = (replica: string, count: number): Result<'mutate'> => ({
  outcome: 'applied',
  replica,
  stamp: 7,
  versions: [{ fid, vv: { [replica]: count }, storeId: update('a', 2) }],
  ahead: [],
});
const refused = (kind: Failure['kind'], index = 0): Result<'mutate'> => ({
  outcome: 'refused',
  index,
  failure: { kind, message: kind, fid: null },
});
const gone = new Failure('unreachable', 'test', 'gone');

t.test('one replica that has the change on disk makes the close succeed', (t) => {
  const collated = collateUpdate([
    { member: 's1', reply: applied('s1', 2) },
    { member: 's2', reply: applied('s2', 3) },
    { member: 's3', failure: gone },
  ]);
  if (collated.outcome !== 'applied') throw new Error(collated.outcome);
  t.same(collated.by, ['s1', 's2']);
  t.same(collated.vectors.get(fid), { s1: 2, s2: 3 }, 'the vector that all will have after COP2');
  t.end();
});

t.test('a replica that refuses what another applied needs resolution', (t) => {
  const collated = collateUpdate([
    { member: 's1', reply: refused('stale') },
    { member: 's2', reply: applied('s2', 1) },
  ]);
  if (collated.outcome !== 'applied') throw new Error(collated.outcome);
  t.same(collated.behind, ['s1']);
  t.end();
});

t.test('a real refusal says more than a stale replica', (t) => {
  const collated = collateUpdate([
    { member: 's1', reply: refused('stale') },
    { member: 's2', reply: refused('exists', 3) },
  ]);
  t.match(collated, { outcome: 'refused', kind: 'exists', index: 3 });
  t.match(collateUpdate([{ member: 's1', reply: refused('stale') }]), { outcome: 'stale', behind: ['s1'] });
  t.match(collateUpdate([{ member: 's1', failure: gone }]), { outcome: 'unreachable' });
  t.match(collateUpdate([]), { outcome: 'unreachable' });
  t.end();
});
