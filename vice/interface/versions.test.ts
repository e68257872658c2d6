/** Which of several versions of a file its name shows: the one that was written last, on every gateway. */
import fc from 'fast-check';
import t from 'tap';
import type { StoreId } from './store-id.js';
import { divided } from './versions.js';
import type { FileData } from './vnode.js';

function version(venus: string, counter: number, saved: number): FileData {
  const storeId = `${venus.padStart(16, '0')}:${counter}` as StoreId;
  const [author, host] = [`user-${venus}`, `g-${venus}`];
  return { storeId, mark: storeId, length: 1, digest: storeId, modified: 0, author, host, saved };
}

t.test('the one saved last is shown; of two saved at once the one with the greater StoreId', (t) => {
  const [first, second] = [version('a', 1, 10), version('b', 9, 20)];
  t.same(divided([first, second], {}).seen, [second, first]);
  const even = version('c', 1, 20);
  t.same(divided([even, second, first], {}).seen, [even, second, first]);
  t.end();
});

t.test('it is the same one in whatever order versions became known', (t) => {
  const some = fc.uniqueArray(
    fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.integer({ min: 1, max: 5 }), fc.integer({ min: 0, max: 3 })),
    { minLength: 2, selector: ([venus, counter]) => `${venus}:${counter}` },
  );
  fc.assert(
    fc.property(
      some.chain((made) =>
        fc.tuple(fc.constant(made), fc.shuffledSubarray(made, { minLength: made.length })),
      ),
      ([made, shuffled]) => {
        const shown = (each: typeof made): readonly string[] =>
          divided(
            each.map((one) => version(...one)),
            {},
          ).seen.map(({ storeId }) => storeId);
        t.same(shown(shuffled), shown(made));
        const [one] = divided(
          made.map((each) => version(...each)),
          {},
        ).seen;
        t.equal(one?.saved, Math.max(...made.map(([, , saved]) => saved)));
      },
    ),
    { numRuns: 50 },
  );
  t.end();
});
