/** Priorities, and the order of eviction beside a twin that sorts everything each time. */
import fc from 'fast-check';
import t from 'tap';
import { EvictionOrder, type Kept } from './eviction-order.js';
import {
  foregroundRequest,
  generationShift,
  isAgain,
  isSticky,
  marginOf,
  priority,
  tieOf,
} from './replacement.js';

const digest = (index: number): string => index.toString(16).padStart(8, '0').repeat(8);

t.test('the formula: a quarter is recency, three quarters are what people ask for', async (t) => {
  const shift = 2;
  const again = { hoard: 0, used: 4000, again: true };
  t.equal(priority({ ...again, hoard: 1000 }, 4000, shift), 100_000, 'nothing is worth more');
  t.equal(priority(again, 4000, shift), 25_000);
  t.equal(priority(again, 4004, shift), 24_975, 'one generation later');
  t.equal(priority(again, 4000 + 999 * 4, shift), 25, 'the end of the scale');
  t.equal(priority(again, 400_000, shift), 25, 'and no further');
  t.equal(priority({ hoard: 7, used: 0, again: false }, 400_000, shift), 525, 'never opened');
  t.equal(priority({ hoard: 0, used: 4000, again: false }, 4000, shift), 725, 'opened once');
  t.ok(
    priority({ hoard: 0, used: 4000, again: false }, 4000, shift) < 75 * 10,
    'less than hoarded by default',
  );
  t.ok(isAgain(10, 74) && !isAgain(10, 73));
  t.equal(generationShift(10 * 2 ** 30), 10, 'a cache of 10 GiB');
  t.equal(generationShift(2 ** 20), 0, 'a small one');
  t.equal(marginOf(6400, 100, 1e9), 100);
  t.equal(marginOf(6400, 100, 540), 10, 'of the disk where that is the nearer bound');
});

interface TwinItem {
  digest: string;
  inRows: boolean;
  hoard: number;
  used: number;
  again: boolean;
  since: number;
  held: boolean;
}

/** The same by sorting. */
class Twin {
  readonly items = new Map<string, TwinItem>();
  references = 0;
  shift: number;
  readonly #seed: number;

  constructor(shift: number, seed: number) {
    this.shift = shift;
    this.#seed = seed;
  }

  reference(item: TwinItem): void {
    this.references += 1;
    if (item.since === 0) item.since = this.references;
    item.used = this.references;
    item.again ||= isAgain(item.since, this.references);
  }

  least(below: number, onlyFiles = false): string | undefined {
    const worth = (item: TwinItem): number => priority(item, this.references, this.shift);
    const [first] = [...this.items.values()]
      .filter(
        (item) => !item.held && !(onlyFiles && item.inRows) && !isSticky(item.hoard) && worth(item) < below,
      )
      .sort((a, b) => worth(a) - worth(b) || tieOf(a.digest, this.#seed) - tieOf(b.digest, this.#seed));
    return first?.digest;
  }
}

type Step = readonly [
  'add' | 'open' | 'opens' | 'hoard' | 'hold' | 'free' | 'evict' | 'evict file' | 'scale',
  number,
  number,
];

const steps = fc.array(
  fc.oneof(
    fc.tuple(fc.constantFrom('add', 'open', 'hold', 'free'), fc.nat(11), fc.constant(0)),
    fc.tuple(fc.constant('opens'), fc.nat(11), fc.integer({ min: 1, max: 3000 })),
    fc.tuple(fc.constant('hoard'), fc.nat(11), fc.constantFrom(0, 1, 9, 10, 300, 999, 1000)),
    fc.tuple(
      fc.constantFrom('evict', 'evict file'),
      fc.nat(11),
      fc.constantFrom(30, 725, 26_000, foregroundRequest, Infinity),
    ),
    fc.tuple(fc.constant('scale'), fc.nat(2), fc.constant(0)),
  ),
  { maxLength: 120 },
) as fc.Arbitrary<Step[]>;

t.test('whatever happens, what goes is what sorting all would give', async () => {
  fc.assert(
    fc.property(steps, fc.nat(), (history, seed) => {
      const order = new EvictionOrder(0, seed);
      const twin = new Twin(0, seed);
      for (let index = 0; index < 12; index += 1) play(order, twin, ['add', index, 0]);
      for (const step of history) {
        const [wanted, found] = play(order, twin, step);
        if (wanted !== found) throw new Error(`${step.join(' ')}: ${found} instead of ${wanted}`);
      }
      for (let wanted = twin.least(Infinity); wanted !== undefined; wanted = twin.least(Infinity)) {
        const [expected, found] = play(order, twin, ['evict', 0, Infinity]);
        if (expected !== found) throw new Error(`at the end: ${found} instead of ${expected}`);
      }
    }),
    { numRuns: 300 },
  );
});

/** What goes by the twin, and by the order, in this step. */
function play(
  order: EvictionOrder,
  twin: Twin,
  [what, index, amount]: Step,
): readonly (string | undefined)[] {
  const name = digest(index);
  const [kept, item] = [order.get(name), twin.items.get(name)];
  if (what === 'scale') {
    Array.from(order.rescale(index));
    twin.shift = index;
  } else if (what === 'evict' || what === 'evict file') {
    const onlyFiles = what === 'evict file';
    const wanted = twin.least(amount, onlyFiles);
    const found = order.take(amount, ({ digest: each }) => twin.items.get(each)?.held === true, onlyFiles);
    if (found !== undefined) order.remove(found);
    if (wanted !== undefined) twin.items.delete(wanted);
    return [wanted, found?.digest];
  } else if (kept === undefined || item === undefined) {
    if (what !== 'add') return [];
    const inRows = index % 3 === 0;
    order.add(name, 1, 0, inRows);
    twin.items.set(name, { digest: name, inRows, hoard: 0, used: 0, again: false, since: 0, held: false });
  } else playOn(order, twin, kept, item, [what, index, amount]);
  return [];
}

function playOn(order: EvictionOrder, twin: Twin, kept: Kept, item: TwinItem, [what, , amount]: Step): void {
  for (let left = what === 'opens' ? amount : what === 'open' ? 1 : 0; left > 0; left -= 1) {
    order.reference(kept);
    twin.reference(item);
  }
  if (what === 'hoard') {
    order.setHoard(kept, amount);
    item.hoard = amount;
  }
  if (what === 'hold') item.held = true;
  if (what === 'free') {
    item.held = false;
    order.restore(kept);
  }
}

t.test('an eviction among very many looks at few of them', async (t) => {
  const counted = (count: number): number => {
    const order = new EvictionOrder(4, 1);
    for (let index = 0; index < count; index += 1) {
      const kept = order.add(digest(Math.imul(index, 0x9e3779b1) >>> 0), 1, index % 7 === 0 ? 10 : 0);
      if (index % 3 === 0) order.reference(kept);
    }
    let looks = 0;
    const watched = order.priority.bind(order);
    order.priority = (kept) => {
      looks += 1;
      return watched(kept);
    };
    for (let gone = 0; gone < 1000; gone += 1) {
      const kept = order.take(Infinity, () => false);
      if (kept !== undefined) order.remove(kept);
    }
    return looks;
  };
  const [few, many] = [counted(2_000), counted(64_000)];
  t.ok(many < few * 3, `${few} looks among 2,000, ${many} among 64,000`);
});
