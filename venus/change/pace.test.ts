/** How a transfer in the background gives way (HW-2 of the hoard walk), and stops doing so. */
import t from 'tap';
import { SimulatedClock } from '../../vice/seam/twin/simulated-clock.js';
import { TrickleGate } from '../reintegration/trickle-gate.js';
import { Pace } from './pace.js';

const kilobyte = 1024;

/** Counts the chunks of 32 KiB that `pace` lets through until `isDone`. */
function pump(pace: Pace, isDone: () => boolean): { chunks: number } {
  const count = { chunks: 0 };
  const go = async (): Promise<void> => {
    while (!isDone()) {
      await pace.turn(32 * kilobyte);
      count.chunks += 1;
      if (count.chunks > 100_000) throw new Error('it was never held up');
      // A chunk from the network is a turn of the event loop at least.
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  void go();
  return count;
}

t.test('a walk goes on by slices while a user waits for something else', async (t) => {
  const clock = new SimulatedClock();
  const gate = new TrickleGate(clock);
  const walk = new Pace(gate, { request: 750, came: () => undefined, turn: (bytes) => gate.turn(bytes) });
  const user = new Pace(gate, undefined);
  let done = false;
  const moved = pump(walk, () => done);
  await clock.advance(20_000);
  t.ok(moved.chunks >= 5 && moved.chunks <= 11, `${moved.chunks} chunks in 20 seconds`);
  t.equal(user.request, undefined, 'a user evicts what a user may');
  t.equal(walk.request, 750);
  const before = moved.chunks;
  user.end();
  await clock.advance(250);
  for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  t.ok(moved.chunks > before + 20, 'and soon when nobody waits');
  done = true;
});

t.test('at once when the user waits for just that', async (t) => {
  const clock = new SimulatedClock();
  const gate = new TrickleGate(clock);
  const other = new Pace(gate, undefined);
  const walk = new Pace(gate, { request: 750, came: () => undefined, turn: (bytes) => gate.turn(bytes) });
  let done = false;
  const moved = pump(walk, () => done);
  await clock.advance(2_500);
  const before = moved.chunks;
  walk.hurry();
  for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  t.ok(moved.chunks > before + 20, `${moved.chunks - before} chunks while time stood still`);
  t.ok(walk.isBackground, 'though it was begun in the background');
  other.end();
  let isHeldUp = true;
  void gate.turn(1).then(() => (isHeldUp = false));
  await clock.advance(10);
  t.ok(isHeldUp, 'the log gives way to it by now');
  walk.end();
  await clock.advance(250);
  t.notOk(isHeldUp);
  done = true;
});
