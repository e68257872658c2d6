/** Which blocks are asked for next (FP-1 to FP-3), and which are given up. */
import fc from 'fast-check';
import t from 'tap';
import { nextRun, onward, paceFrom, readAhead, segmentToDrop, type Window } from './plan.js';

t.test('the reader who waits comes first, then what is read ahead, then the rest', async (t) => {
  const missing = (block: number): boolean => block < 100;
  const waits = { next: 40, end: 44, last: 100 };
  const whole = { next: 0, end: 100, last: 100 };
  t.same(nextRun([waits, whole], missing, 64), { first: 40, end: 44 });
  t.same(nextRun([whole, waits], missing, 64), { first: 0, end: 64 });
  t.equal(nextRun([], missing, 64), undefined);
});

t.test('what is here or on its way is passed over, and ends a run', async (t) => {
  const here = new Set([0, 1, 4, 5]);
  const missing = (block: number): boolean => !here.has(block);
  const window = { next: 0, end: 8, last: 8 };
  t.same(nextRun([window], missing, 64), { first: 2, end: 4 });
  here.add(2).add(3);
  t.same(nextRun([window], missing, 1), { first: 6, end: 7 });
  here.add(6).add(7);
  t.equal(nextRun([window], missing, 64), undefined);
});

t.test('a few blocks at the far end of a window that moves on wait for more', async (t) => {
  const missing = (block: number): boolean => block >= 14;
  t.equal(nextRun([{ next: 0, end: 16, last: 100 }], missing, 64), undefined);
  t.same(nextRun([{ next: 0, end: 16, last: 16 }], missing, 64), { first: 14, end: 16 }, 'but for the last');
  t.same(nextRun([{ next: 6, end: 22, last: 100 }], missing, 64), { first: 14, end: 22 });
  t.same(nextRun([{ next: 14, end: 16, last: 100 }], missing, 64), { first: 14, end: 16 }, 'none is here');
});

t.test('the pace doubles when all that was read ahead has been read, up to a bound', async (t) => {
  let pace = paceFrom(10);
  t.equal(onward(pace, 12).ahead, readAhead.first);
  const seen: number[] = [];
  for (let block = 10; block < 500; block += 1) {
    pace = onward(pace, block);
    if (seen.at(-1) !== pace.ahead) seen.push(pace.ahead);
  }
  t.same(seen, [4, 8, 16, 32, 64]);
  t.equal(onward(pace, 500, 16).ahead, 16, 'a smaller bound holds at once');
});

t.test('any windows: a run is missing blocks of one window, no more than are allowed', async () => {
  const windows = fc.array(
    fc
      .tuple(fc.nat(30), fc.nat(30), fc.nat(30))
      .map(([next, size, more]): Window => ({ next, end: next + size, last: next + size + more })),
    { maxLength: 4 },
  );
  fc.assert(
    fc.property(
      windows,
      fc.uniqueArray(fc.nat(90)),
      fc.integer({ min: 1, max: 20 }),
      (wanted, here, most) => {
        const missing = (block: number): boolean => !here.includes(block);
        const run = nextRun(wanted, missing, most);
        if (run === undefined) {
          // Whoever stands before a missing block is never left waiting.
          return wanted.every(({ next, end }) => next >= end || !missing(next));
        }
        const size = run.end - run.first;
        const blocks = Array.from({ length: size }, (_, index) => run.first + index);
        return (
          size >= 1 &&
          size <= most &&
          blocks.every(missing) &&
          wanted.some(({ next, end }) => run.first >= next && run.end <= end)
        );
      },
    ),
  );
});

t.test('the segment used least recently goes, but none that somebody is about to read', async (t) => {
  const segments = [
    { index: 7, used: 3 },
    { index: 2, used: 1 },
    { index: 5, used: 2 },
  ];
  t.equal(
    segmentToDrop(segments, () => false),
    2,
  );
  t.equal(
    segmentToDrop(segments, (segment) => segment === 2),
    5,
  );
  t.equal(
    segmentToDrop(segments, () => true),
    undefined,
  );
});
