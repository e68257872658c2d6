/** The plan of a walk beside one that is made by following every entry to every object. */
import fc from 'fast-check';
import t from 'tap';
import type { Fid } from '../../vice/interface/index.js';
import { planning, type Extent, type Known, type Plan, type Wanted } from './hoard-plan.js';

const users = ['ann', 'bob'];
const fidOf = (index: number): Fid => `${index}` as Fid;

/** A tree of directories: each has a parent made before it. Some are not listed, some are closed to bob. */
interface Tree {
  readonly parents: readonly number[];
  readonly unlisted: readonly number[];
  readonly closed: readonly number[];
}

function planOf(wanted: readonly Wanted[], look: (fid: Fid, user: string) => Known | undefined): Plan {
  const steps = planning(wanted, look);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

function lookIn({ parents, unlisted, closed }: Tree): (fid: Fid, user: string) => Known {
  return (fid, user) => {
    const index = Number(fid);
    const children = parents.flatMap((parent, child) =>
      parent === index && child > 0 ? [fidOf(child)] : [],
    );
    const isDenied = user === 'bob' && closed.includes(index);
    return { isDenied, children: unlisted.includes(index) ? null : children };
  };
}

/** What one entry reaches, all else being forgotten. */
function reach({ fid, extent, user }: Wanted, look: (fid: Fid, user: string) => Known): ReadonlySet<Fid> {
  const found = new Set<Fid>();
  const { isDenied, children } = look(fid, user);
  if (isDenied) return found;
  found.add(fid);
  if (extent === 'object') return found;
  const below: Extent = extent === 'children' ? 'object' : 'descendants';
  for (const child of children ?? [])
    for (const each of reach({ fid: child, extent: below, user, priority: 0 }, look)) found.add(each);
  return found;
}

const trees: fc.Arbitrary<Tree> = fc.integer({ min: 1, max: 25 }).chain((size) =>
  fc.record({
    parents: fc.tuple(...Array.from({ length: size }, (_, index) => fc.nat(Math.max(0, index - 1)))),
    unlisted: fc.array(fc.nat(size - 1), { maxLength: 4 }),
    closed: fc.array(fc.nat(size - 1), { maxLength: 4 }),
  }),
);

const histories = trees.chain((tree) =>
  fc.record({
    tree: fc.constant(tree),
    wanted: fc.array(
      fc.record({
        user: fc.constantFrom(...users),
        fid: fc.nat(tree.parents.length - 1).map(fidOf),
        priority: fc.constantFrom(1, 10, 10, 100, 1000),
        extent: fc.constantFrom<Extent>('object', 'children', 'descendants'),
      }),
      { maxLength: 8 },
    ),
  }),
);

t.test('every object has the highest priority of those who want it', async () => {
  fc.assert(
    fc.property(histories, ({ tree, wanted }) => {
      const look = lookIn(tree);
      const expected = new Map<Fid, number>();
      for (const each of wanted)
        for (const fid of reach(each, look))
          expected.set(fid, Math.max(expected.get(fid) ?? 0, each.priority));
      const { priorities } = planOf(wanted, look);
      const plain = (map: ReadonlyMap<Fid, number>): string =>
        JSON.stringify([...map].sort(([a], [b]) => Number(a) - Number(b)));
      if (plain(priorities) !== plain(expected))
        throw new Error(`${plain(priorities)} instead of ${plain(expected)}`);
    }),
    { numRuns: 500 },
  );
});

t.test(
  'what must be listed first is told, those of the highest priority first; what is denied as well',
  async (t) => {
    const tree: Tree = { parents: [0, 0, 0, 1, 2], unlisted: [1, 2], closed: [4] };
    const wanted: Wanted[] = [
      { user: 'bob', fid: fidOf(2), priority: 10, extent: 'children' },
      { user: 'ann', fid: fidOf(1), priority: 500, extent: 'descendants' },
      { user: 'bob', fid: fidOf(4), priority: 20, extent: 'object' },
    ];
    const { unlisted, denied } = planOf(wanted, lookIn(tree));
    t.same(unlisted, [fidOf(1), fidOf(2)]);
    t.same(denied, [{ user: 'bob', fid: fidOf(4), priority: 20 }]);
    const nothing = planOf(wanted, () => undefined);
    t.equal(nothing.priorities.size, 3, 'of what nothing is known, it is known that it is wanted');
  },
);

t.test('a large plan lets others have the event loop', async (t) => {
  const tree = (fid: Fid): Known => {
    const index = Number(fid);
    return { isDenied: false, children: index >= 5000 ? [] : [2 * index, 2 * index + 1].map(fidOf) };
  };
  const steps = planning([{ user: 'ann', fid: fidOf(1), priority: 1, extent: 'descendants' }], tree);
  let yields = 0;
  while (steps.next().done !== true) yields += 1;
  t.ok(yields >= 9, `${yields} times among 10,000`);
});
