/** Who goes first on a link (TG-1 to TG-3). */
import t from 'tap';
import { SimulatedClock } from '../../vice/seam/twin/simulated-clock.js';
import { TrickleGate } from './trickle-gate.js';

const chunk = 32 * 1024;

/** A gate, and whether what waits there has gone. */
class Stage {
  readonly clock = new SimulatedClock();
  readonly gate = new TrickleGate(this.clock);
  gone = 0;

  wait(bytes = chunk): void {
    void this.gate.turn(bytes).then(() => (this.gone += 1));
  }

  /** A fetch that takes so long. */
  async fetch(ms: number): Promise<void> {
    const end = this.gate.fetching();
    await this.clock.advance(ms);
    end();
  }
}

t.test('while somebody fetches, one slice goes at a time, and nothing waits too long', async (t) => {
  const clock = new SimulatedClock();
  const gate = new TrickleGate(clock);
  await gate.turn(1e9);
  t.equal(clock.pending, 0, 'open while nobody fetches');

  const releases = [gate.fetching(), gate.fetching()];
  const waited: number[] = [];
  const start = clock.monotonic();
  const turns = Array.from({ length: 12 }, () =>
    gate.turn(32 * 1024).then(() => waited.push(clock.monotonic() - start)),
  );
  await clock.advance(30_000);
  t.same(waited.slice(0, 4), [2000, 4000, 6000, 8000], 'in turn, one slice at a time');
  t.ok(
    waited.every((ms) => ms <= 10_000),
    'never longer than a server waits for a byte',
  );
  await Promise.all(turns);

  let large = false;
  void gate.turn(1e6).then(() => (large = true));
  await clock.advance(2000);
  t.ok(large, 'more than a slice is a slice');

  let small = 0;
  for (let count = 0; count < 8; count += 1) void gate.turn(8 * 1024).then(() => (small += 1));
  await clock.advance(2000);
  t.equal(small, 4, 'a slice is bytes');
  releases[0]?.();
  releases[0]?.();
  await clock.advance(100);
  t.equal(small, 4, 'the other fetch is under way');
  releases[1]?.();
  await clock.advance(250);
  t.equal(small, 8, 'and the rest when nobody fetches any more');
  t.equal(clock.pending, 0);
  await gate.turn(1);
});

t.test('after a fetch that took long the next one is awaited for a moment', async (t) => {
  const stage = new Stage();
  await stage.fetch(600);
  stage.wait();
  await stage.clock.advance(140);
  t.equal(stage.gone, 0);
  await stage.fetch(600);
  await stage.clock.advance(140);
  t.equal(stage.gone, 0, 'the next one came in time');
  await stage.clock.advance(20);
  t.equal(stage.gone, 1, 'there was none after it');
});

t.test('and not after one that was quick', async (t) => {
  const stage = new Stage();
  await stage.fetch(20);
  stage.wait();
  await stage.clock.advance(0);
  t.equal(stage.gone, 1);
  await stage.fetch(1_000_000);
  stage.wait();
  await stage.clock.advance(250);
  t.equal(stage.gone, 2, 'and never for long');
});
