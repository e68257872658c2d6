/** Decisions of resolution: Coda's comparison table row by row, for every kind of object, from both sides. */
import fc from 'fast-check';
import t from 'tap';
import {
  conflictsOf,
  emptyDigest,
  isRemoved,
  isSameStatus,
  isWithin,
  makeFid,
  makeStoreId,
  venusOf,
  versionsOf,
  type Fid,
  type FileData,
  type StoreId,
  type StoreIdVector,
  type VenusId,
  type VersionVector,
  type VnodeKind,
  type VnodeStatus,
  type VolumeId,
} from '../interface/index.js';
import { decide, type Standing } from './decide.js';

const volume = '7f000001' as VolumeId;
const [p, q] = ['a', 'b'].map((digit) => digit.repeat(16) as VenusId) as [VenusId, VenusId];
const above = makeFid(volume, 1, p);
/** Where an update puts the object. */
const placeOf = (update: StoreId): Fid => (update === created ? above : makeFid(volume, 9, venusOf(update)));
const created = makeStoreId(p, 1);
const kinds = ['file', 'directory', 'symlink'] as const;

interface Shape {
  readonly vv?: VersionVector;
  readonly storeId?: StoreId | null;
  readonly known?: StoreIdVector;
  /** Of a file: who stored what is here. */
  readonly contents?: readonly StoreId[];
  readonly gone?: StoreIdVector;
  readonly setsMode?: StoreId;
  readonly movedBy?: StoreId;
}

function version(storeId: StoreId): FileData {
  const digest = storeId === created ? emptyDigest : storeId.slice(17).padStart(64, storeId.slice(0, 1));
  const length = storeId === created ? 0 : 1;
  return { storeId, mark: storeId, length, digest, modified: 0, author: 'ann', host: 'g1', saved: length };
}

function statusOf(kind: VnodeKind, shape: Shape): VnodeStatus {
  const { vv = {}, storeId = null, known = {}, gone = {}, setsMode, movedBy = created } = shape;
  const [data = null, ...siblings] = kind === 'file' ? (shape.contents ?? [created]).map(version) : [];
  const place = { name: 'x', time: 0, author: 'ann', host: 'g1', isBroken: false };
  return {
    fid: makeFid(volume, 2, p),
    kind,
    parent: placeOf(movedBy),
    vv,
    storeId,
    known,
    data,
    siblings,
    places: [{ ...place, parent: placeOf(movedBy), storeId: movedBy, time: movedBy === created ? 0 : 1 }],
    gone,
    revived: {},
    names: '',
    target: kind === 'symlink' ? 'x' : null,
    created: 0,
    modified: 0,
    mode: setsMode === undefined ? 0o644 : 0o600,
    owner: 'ann',
    author: 'ann',
    properties: {},
    setters: setsMode === undefined ? {} : { mode: { storeId: setsMode, rank: 2 } },
  };
}

const p1: Shape = { vv: { A: 1, B: 1 }, storeId: created, known: { [p]: 1 } };
const p1OnlyA: Shape = { ...p1, vv: { A: 1 } };
const p1OnlyB: Shape = { ...p1, vv: { B: 1 } };
const p2: Shape = { vv: { A: 2, B: 1 }, storeId: makeStoreId(p, 2), known: { [p]: 2 } };
const q1: Shape = { vv: { A: 1, B: 2 }, storeId: makeStoreId(q, 1), known: { [p]: 1, [q]: 1 } };
// Ordered updates whose counts look incomparable, as the COP2 messages were lost.
const p1Uncounted: Shape = { vv: { B: 1 }, storeId: created, known: { [p]: 1 } };
const p2Uncounted: Shape = { vv: { A: 2 }, storeId: makeStoreId(p, 2), known: { [p]: 2 } };
// Both know both updates, applied in different order.
const pThenQ: Shape = { vv: { A: 2, B: 2 }, storeId: makeStoreId(q, 1), known: { [p]: 1, [q]: 1 } };
const qThenP: Shape = { vv: { A: 2, B: 2 }, storeId: created, known: { [p]: 1, [q]: 1 } };
// Last update the same, but this one lacks an earlier one of somebody else.
const p2AndQ: Shape = { vv: { A: 3, B: 1 }, storeId: makeStoreId(p, 2), known: { [p]: 2, [q]: 1 } };

/** What becomes of the object here: it stays, it is as the peer's, only its counts are, or it is both. */
type Outcome = 'keep' | 'take' | 'counts' | 'both';
type Side = readonly [standing: Standing, outcome: Outcome];
type Row = readonly [row: string, own: Shape | null, peer: Shape | null, here: Side, there: Side];

const rows: readonly Row[] = [
  ['1 equal', p1, p1, ['equal', 'keep'], ['equal', 'keep']],
  ['2 missing here', null, p1, ['missing', 'take'], ['dominant', 'keep']],
  ['2 missing on both sides', null, null, ['missing', 'keep'], ['missing', 'keep']],
  ['3 runt here', {}, p1, ['runt', 'take'], ['dominant', 'keep']],
  ['3 runts on both sides', {}, {}, ['equal', 'keep'], ['equal', 'keep']],
  ['3 a runt tells nothing to whom it is missing', null, {}, ['missing', 'keep'], ['dominant', 'keep']],
  ['4 weakly equal', p1OnlyA, p1OnlyB, ['weakly-equal', 'counts'], ['weakly-equal', 'counts']],
  ['4 weakly equal, one counted all', p1, p1OnlyB, ['weakly-equal', 'keep'], ['weakly-equal', 'take']],
  ['5 dominated here', p1, p2, ['submissive', 'take'], ['dominant', 'keep']],
  [
    '5 dominated, the counts are lost',
    p1Uncounted,
    p2Uncounted,
    ['submissive', 'both'],
    ['dominant', 'counts'],
  ],
  ['5 same last update, one is missing', p2, p2AndQ, ['submissive', 'take'], ['dominant', 'keep']],
  ['6 inconsistent', p2, q1, ['inconsistent', 'both'], ['inconsistent', 'both']],
];

function outcomeOf(own: VnodeStatus | undefined, peer: VnodeStatus | null): Side {
  const { standing, next } = decide(own, peer);
  if (next === undefined) return [standing, 'keep'];
  if (peer !== null && isSameStatus(next, peer)) return [standing, 'take'];
  if (own !== undefined && isSameStatus({ ...next, vv: own.vv }, own)) return [standing, 'counts'];
  return [standing, 'both'];
}

t.test('every row of the comparison table, for every kind of object, from both sides', async (t) => {
  for (const kind of kinds) {
    for (const [row, own, peer, here, there] of rows) {
      const [mine, theirs] = [own, peer].map((shape) => (shape === null ? null : statusOf(kind, shape)));
      t.same(outcomeOf(mine ?? undefined, theirs ?? null), here, `${kind}: ${row}`);
      t.same(outcomeOf(theirs ?? undefined, mine ?? null), there, `${kind}: ${row}, from the other side`);
    }
    const [one, two] = [statusOf(kind, qThenP), statusOf(kind, pThenQ)];
    t.equal(decide(one, two).standing, 'equal', `${kind}: 7 the same updates, crossed: as good as equal`);
    const ends = [decide(one, two).next ?? one, decide(two, one).next ?? two];
    t.same(ends[0], ends[1], 'and the same last update on both sides');
  }
});

t.test('inconsistent: what was made apart is kept, on both sides the same', async (t) => {
  const both = (mine: VnodeStatus, theirs: VnodeStatus): VnodeStatus => {
    const [here, there] = [decide(mine, theirs).next ?? mine, decide(theirs, mine).next ?? theirs];
    t.ok(isSameStatus(here, there), 'the same on both sides');
    return here;
  };
  const [byP, byQ] = [makeStoreId(p, 2), makeStoreId(q, 1)];
  const contents = both(
    statusOf('file', { ...p2, contents: [byP] }),
    statusOf('file', { ...q1, contents: [byQ] }),
  );
  t.same(
    versionsOf(contents).map(({ storeId }) => storeId),
    [byQ, byP],
    'two versions of a file',
  );
  t.same(conflictsOf(contents, 'x'), ['versions']);
  const one = both(statusOf('file', { ...p2, contents: [byP] }), statusOf('file', { ...q1, setsMode: byQ }));
  t.same(
    [one.data?.storeId, one.siblings, one.mode],
    [byP, [], 0o600],
    'contents against an attribute is no conflict',
  );
  for (const kind of kinds) {
    const moved = both(statusOf(kind, { ...p2, movedBy: byP }), statusOf(kind, { ...q1, movedBy: byQ }));
    t.equal(moved.places.length, 2, `${kind}: two places`);
    t.same(conflictsOf(moved, 'x'), ['place']);
    const merely = both(statusOf(kind, { ...p2, movedBy: byP }), statusOf(kind, q1));
    t.same(
      [merely.parent, conflictsOf(merely, 'x')],
      [placeOf(byP), []],
      `${kind}: moved, and changed otherwise`,
    );
  }
});

t.test('removed objects are compared like living ones', async (t) => {
  const removedBy = (shape: Shape, seen: StoreIdVector): Shape => ({ ...shape, gone: seen });
  for (const kind of kinds) {
    const gone = statusOf(kind, removedBy(p2, { [p]: 2 }));
    t.same(outcomeOf(statusOf(kind, p1), gone), ['submissive', 'take'], `${kind}: the remover knew all`);
    t.same(outcomeOf(gone, statusOf(kind, p1)), ['dominant', 'keep']);
    t.same(outcomeOf(undefined, gone), ['missing', 'take'], 'remembered, though it never was here');
    t.same(outcomeOf(gone, null), ['dominant', 'keep']);
    const changed = statusOf(kind, q1);
    t.ok(isRemoved(decide(changed, gone).next ?? changed), 'an attribute does not keep it');
    const kept = statusOf(kind, { ...q1, movedBy: makeStoreId(q, 1) });
    const next = decide(kept, gone).next ?? kept;
    t.same(
      [isRemoved(next), conflictsOf(next, 'x')],
      [false, ['removal']],
      'a move that it did not know of does',
    );
    t.ok(
      isRemoved(decide(gone, statusOf(kind, removedBy(q1, { [p]: 1, [q]: 1 }))).next ?? gone),
      'removed twice',
    );
  }
  const gone = statusOf('file', removedBy(p2, { [p]: 2 }));
  const stored = statusOf('file', { ...q1, contents: [makeStoreId(q, 1)] });
  const next = decide(gone, stored).next ?? gone;
  t.same(
    [isRemoved(next), next.data?.storeId, next.siblings],
    [false, makeStoreId(q, 1), []],
    'the update survives',
  );
});

t.test('two that cannot be one object are refused', async (t) => {
  t.throws(() => decide(statusOf('file', p1), statusOf('directory', p2)), /cannot be one/);
});

t.test('property: deciding never loses a count or a known update, and both sides end the same', async (t) => {
  const vector = fc.record({ [p]: fc.constantFrom(1, 2), [q]: fc.nat(2) });
  const counts = fc.record({ A: fc.nat(2), B: fc.nat(2) });
  const storeId = fc.constantFrom(created, makeStoreId(p, 2), makeStoreId(q, 1));
  const shape = fc.record({ vv: counts, known: vector, storeId });
  fc.assert(
    fc.property(shape, shape, fc.constantFrom(...kinds), (a, b, kind) => {
      const [here, there] = [statusOf(kind, a), statusOf(kind, b)];
      const [next, back] = [decide(here, there).next ?? here, decide(there, here).next ?? there];
      if (!isSameStatus(next, back)) return false;
      return [here, there].every(({ vv, known }) => {
        const isCounted = ['A', 'B'].every((slot) => (next.vv[slot] ?? 0) >= (vv[slot] ?? 0));
        return isCounted && isWithin(known, next.known);
      });
    }),
    { numRuns: 1000, seed: 1 },
  );
  t.pass();
});
