/** Decisions of resolution: Coda's comparison table row by row, and the plans that keep a tree a tree. */
import fc from 'fast-check';
import t from 'tap';
import {
  emptyDigest,
  makeFid,
  makeStoreId,
  type DirectoryEntry,
  type Fid,
  type StoreId,
  type StoreIdVector,
  type VenusId,
  type VersionVector,
  type VnodeKind,
  type VnodeStatus,
  type VolumeId,
} from '../interface/index.js';
import { decide, healed, pulled, type Held, type Verdict } from './decide.js';
import { plan, stepObjects, type Candidate, type OwnTree } from './plan.js';

const volume = '7f000001' as VolumeId;
const p = 'a'.repeat(16) as VenusId;
const q = 'b'.repeat(16) as VenusId;
const fidOf = (vnode: number): Fid => makeFid(volume, vnode, p);

interface Shape {
  readonly vv?: VersionVector;
  readonly storeId?: StoreId | null;
  readonly known?: StoreIdVector;
  readonly parent?: Fid | null;
}

function statusOf(kind: VnodeKind, shape: Shape = {}, fid = fidOf(2)): VnodeStatus {
  const { vv = {}, storeId = null, known = {}, parent = fidOf(1) } = shape;
  const data = { storeId: makeStoreId(p, 1), length: 0, digest: emptyDigest };
  return {
    fid,
    kind,
    parent,
    vv,
    storeId,
    known,
    data: kind === 'file' ? data : null,
    target: kind === 'symlink' ? 'x' : null,
    created: 0,
    modified: 0,
    mode: 0o644,
    owner: 'ann',
    author: 'ann',
    properties: {},
  };
}

const living = (status: VnodeStatus): Held => ({ status, removed: false });
const tombstone = (status: VnodeStatus): Held => ({ status, removed: true });

const p1: Shape = { vv: { A: 1, B: 1 }, storeId: makeStoreId(p, 1), known: { [p]: 1 } };
const p1OnlyA: Shape = { ...p1, vv: { A: 1 } };
const p1OnlyB: Shape = { ...p1, vv: { B: 1 } };
const p2: Shape = { vv: { A: 2, B: 1 }, storeId: makeStoreId(p, 2), known: { [p]: 2 } };
const q1: Shape = { vv: { A: 1, B: 2 }, storeId: makeStoreId(q, 1), known: { [p]: 1, [q]: 1 } };
// Ordered updates whose counts look incomparable, as the COP2 messages were lost.
const p1Uncounted: Shape = { vv: { B: 1 }, storeId: makeStoreId(p, 1), known: { [p]: 1 } };
const p2Uncounted: Shape = { vv: { A: 2 }, storeId: makeStoreId(p, 2), known: { [p]: 2 } };
// Both know both updates, applied in different order.
const pThenQ: Shape = { vv: { A: 2, B: 2 }, storeId: makeStoreId(q, 1), known: { [p]: 1, [q]: 1 } };
const qThenP: Shape = { vv: { A: 2, B: 2 }, storeId: makeStoreId(p, 1), known: { [p]: 1, [q]: 1 } };
// Last update the same, but this one lacks an earlier one of somebody else.
const p2AndQ: Shape = { vv: { A: 3, B: 1 }, storeId: makeStoreId(p, 2), known: { [p]: 2, [q]: 1 } };

type Row = readonly [row: string, own: Shape | null, peer: Shape | null, verdict: Verdict, back: Verdict];

const livingRows: readonly Row[] = [
  ['1 equal', p1, p1, 'keep', 'keep'],
  ['2 missing here', null, p1, 'pull', 'keep'],
  ['2 missing on both sides', null, null, 'keep', 'keep'],
  ['3 runt here', {}, p1, 'pull', 'keep'],
  ['3 runts on both sides', {}, {}, 'keep', 'keep'],
  ['3 a runt tells nothing to whom it is missing', null, {}, 'keep', 'keep'],
  ['4 weakly equal', p1OnlyA, p1OnlyB, 'pull-vector', 'pull-vector'],
  ['4 weakly equal, one has counted all', p1, p1OnlyB, 'keep', 'pull-vector'],
  ['5 dominated here', p1, p2, 'pull', 'keep'],
  ['5 dominated, but the counts are lost', p1Uncounted, p2Uncounted, 'pull', 'keep'],
  ['5 same last update, but one is missing here', p2, p2AndQ, 'pull', 'keep'],
  ['6 incomparable', p2, q1, 'inconsistent', 'inconsistent'],
  ['7 the same updates crossed', qThenP, pThenQ, 'pull', 'keep'],
];

t.test('every row of the comparison table, for every kind of object, from both sides', async (t) => {
  for (const kind of ['file', 'directory', 'symlink'] as const) {
    for (const [row, own, peer, verdict, back] of livingRows) {
      const [here, there] = [own, peer].map((shape) => shape && living(statusOf(kind, shape)));
      t.equal(decide(here ?? undefined, there ?? undefined), verdict, `${kind}: ${row}`);
      t.equal(decide(there ?? undefined, here ?? undefined), back, `${kind}: ${row}, from the other side`);
    }
  }
});

t.test('removed objects', async (t) => {
  for (const kind of ['file', 'directory', 'symlink'] as const) {
    const old = living(statusOf(kind, p1));
    const gone = tombstone(statusOf(kind, p2));
    const changed = living(statusOf(kind, q1));
    t.equal(decide(old, gone), 'remove', `${kind}: the remover knew all that is here`);
    t.equal(decide(gone, old), 'keep', `${kind}: the other side has nothing new`);
    t.equal(decide(changed, gone), 'inconsistent', `${kind}: changed here, removed there`);
    t.equal(decide(gone, changed), 'inconsistent', `${kind}: removed here, changed there`);
    t.equal(decide(living(statusOf(kind)), gone), 'remove', `${kind}: a runt goes`);
    t.equal(decide(undefined, gone), 'remove', `${kind}: remembered, though it never was here`);
    t.equal(decide(gone, tombstone(statusOf(kind, q1))), 'keep', `${kind}: both removed it`);
    t.equal(decide(gone, undefined), 'keep', `${kind}: the other side knows nothing`);
  }
});

t.test('a replica that claims another kind or other contents is not believed', async (t) => {
  t.equal(decide(living(statusOf('file', p1)), living(statusOf('directory', p2))), 'inconsistent');
  const other = statusOf('file', p1);
  const data = { storeId: makeStoreId(q, 9), length: 1, digest: 'f'.repeat(64) };
  t.equal(decide(living(other), living({ ...other, data })), 'inconsistent');
});

t.test('pulling never loses a count or a known update; one side acts, the other keeps', async () => {
  const vector = fc.record({ [p]: fc.nat(2), [q]: fc.nat(2) });
  const counts = fc.record({ A: fc.nat(2), B: fc.nat(2) });
  const storeId = fc.constantFrom(makeStoreId(p, 1), makeStoreId(p, 2), makeStoreId(q, 1));
  const shape = fc.record({ vv: counts, known: vector, storeId });
  fc.assert(
    fc.property(shape, shape, fc.boolean(), (a, b, removed) => {
      const [here, there] = [statusOf('file', a), statusOf('file', b)];
      const verdicts = [
        decide(living(here), { status: there, removed }),
        decide({ status: there, removed }, living(here)),
      ];
      const acting = verdicts.filter((verdict) => verdict === 'pull' || verdict === 'remove');
      if (acting.length > 1) return false;
      if (verdicts.includes('inconsistent') && verdicts[0] !== verdicts[1]) return false;
      const next = verdicts[0] === 'pull-vector' ? healed(here, there) : pulled(here, there);
      const counted = ['A', 'B'].every((slot) => (next.vv[slot] ?? 0) >= (here.vv[slot] ?? 0));
      return counted && [p, q].every((venus) => (next.known[venus] ?? 0) >= (here.known[venus] ?? 0));
    }),
    { numRuns: 2000 },
  );
});

/** A tree by hand: directory -> objects in it; the names do not matter. */
class Tree implements OwnTree {
  readonly parents = new Map<Fid, Fid | null>([[fidOf(1), null]]);

  put(parent: number, ...children: readonly number[]): this {
    for (const child of children) this.parents.set(fidOf(child), fidOf(parent));
    return this;
  }

  parent(fid: Fid): Fid | null | undefined {
    return this.parents.get(fid);
  }

  children(directory: Fid): ReadonlySet<Fid> {
    const children = [...this.parents].filter(([, parent]) => parent === directory);
    return new Set(children.map(([child]) => child));
  }
}

interface Wanted {
  readonly kind?: VnodeKind;
  readonly parent?: number | null;
  readonly entries?: readonly number[];
  readonly removed?: boolean;
}

function entryOf(child: number): DirectoryEntry {
  return { name: `n${child}`, fid: fidOf(child), kind: 'file' };
}

/** Candidates by vnode. */
function candidates(tree: Tree, wanted: Readonly<Record<number, Wanted>>): Map<Fid, Candidate> {
  const all = new Map<Fid, Candidate>();
  for (const [vnode, { kind, parent, entries, removed = false }] of Object.entries(wanted)) {
    const fid = fidOf(Number(vnode));
    const at = tree.parent(fid);
    const isDirectory = kind === 'directory' || entries !== undefined;
    const here = isDirectory ? 'directory' : 'file';
    const to = parent === undefined ? (at ?? null) : parent === null ? null : fidOf(parent);
    all.set(fid, {
      fid,
      own: at === undefined ? undefined : statusOf(here, { ...p1, parent: at }, fid),
      next: statusOf(here, { ...p2, parent: to }, fid),
      removed,
      entries: entries?.map(entryOf) ?? null,
    });
  }
  return all;
}

t.test('a rename is installed with both directories in one step, or not at all', async (t) => {
  // root 1 holds directories 2 and 3; file 4 is in 2.
  const tree = new Tree().put(1, 2, 3).put(2, 4);
  const whole = { 2: { entries: [] }, 3: { entries: [4] }, 4: { parent: 3 } };
  const done = plan(tree, candidates(tree, whole));
  t.same(done.blocked, []);
  t.equal(done.steps.length, 1);
  t.equal(done.steps[0]?.objects.length, 3);

  for (const missing of [2, 3, 4] as const) {
    const part: Record<number, Wanted> = { ...whole };
    delete part[missing];
    const { steps, blocked } = plan(tree, candidates(tree, part));
    t.same(steps, [], `without ${missing} nothing is installed`);
    t.equal(blocked.length, 2);
  }
});

t.test('a name goes with its object, a directory goes when it is empty', async (t) => {
  const tree = new Tree().put(1, 2).put(2, 3);
  const gone = { removed: true };
  const emptied = { 1: { entries: [], parent: null }, 2: { kind: 'directory', ...gone } } as const;
  const all = plan(tree, candidates(tree, { ...emptied, 3: gone }));
  t.same(all.blocked, []);
  t.equal(all.steps.length, 1);
  t.equal(all.steps[0]?.removed.length, 2);
  const stays = plan(tree, candidates(tree, emptied));
  t.same(stays.steps, [], 'what is in it is not known to be removed');
  const nameless = plan(tree, candidates(tree, { 2: { entries: [] } }));
  t.same(nameless.steps, [], 'a name whose object would stay is kept');
  const bound = plan(tree, candidates(tree, { 3: gone }));
  t.same(bound.steps, [], 'an object whose directory still names it is kept');
});

t.test('renames that cross never make a directory its own ancestor', async (t) => {
  // Here 3 (from 5) was moved below 2: 1 -> 4 -> 2 -> 3, and there 2 (from 4) below 3.
  const tree = new Tree().put(1, 4, 5).put(4, 2).put(2, 3);
  const there = { 4: { entries: [] }, 2: { kind: 'directory', parent: 3 }, 3: { entries: [2] } } as const;
  const { steps, blocked } = plan(tree, candidates(tree, there));
  t.same(steps, []);
  t.equal(blocked.length, 3);
});

t.test('independent changes go on beside a blocked one, in bounded steps', async (t) => {
  const tree = new Tree().put(1, 2, 3);
  const wanted: Record<number, Wanted> = { 2: { entries: [] }, 3: { entries: [99] } };
  for (let vnode = 1000; vnode < 1250; vnode += 1) {
    tree.put(1, vnode);
    wanted[vnode] = { entries: [] };
  }
  const { steps, blocked } = plan(tree, candidates(tree, wanted));
  t.same(blocked, [fidOf(3)], 'its child is not here');
  t.equal(
    steps.reduce((count, step) => count + step.objects.length, 0),
    251,
  );
  t.ok(steps.every((step) => step.objects.length <= stepObjects));
});
