import type { Test } from 'tap';
import { sleep, type Clock } from '../../vice/seam/clock.js';

/** A clock, and what lets at least so many of its milliseconds pass. */
export interface ClockUnderTest {
  readonly clock: Clock;
  pass(milliseconds: number): Promise<void>;
}

/** What every Clock must do. No statement about how exact it is. */
export function clockContract(t: Test, name: string, make: () => ClockUnderTest): void {
  void t.test(`${name}: a clock`, async (t) => {
    await t.test(
      'timers run once, in the order of their times, none early, and not when cancelled',
      async (t) => {
        const { clock, pass } = make();
        const ran: string[] = [];
        const start = clock.monotonic();
        const early: string[] = [];
        const run = (label: string, delay: number) => () => {
          ran.push(label);
          // A millisecond: a real timer may round down.
          if (clock.monotonic() - start < delay - 1) early.push(label);
        };
        clock.after(20, run('second', 20));
        clock.after(5, run('first', 5));
        const cancelled = clock.after(10, run('cancelled', 10));
        const spent = clock.after(0, run('at once', 0));
        clock.after(20, run('third', 20));
        t.same(ran, [], 'never inside the call');
        cancelled.cancel();
        cancelled.cancel();
        await pass(60);
        spent.cancel();
        t.same(ran, ['at once', 'first', 'second', 'third']);
        t.same(early, []);
      },
    );

    await t.test('a delay of months does not run at once', async (t) => {
      const { clock, pass } = make();
      let ran = false;
      const timer = clock.after(2 ** 32, () => void (ran = true));
      await pass(10);
      t.notOk(ran);
      timer.cancel();
    });

    await t.test('monotonic time passes; wall time is a date', async (t) => {
      const { clock, pass } = make();
      const before = clock.monotonic();
      await pass(5.3);
      t.ok(clock.monotonic() > before);
      t.ok(clock.wall() > Date.UTC(2020, 0, 1));
      t.ok(Number.isInteger(clock.wall()));
    });

    await t.test('sleep resolves, or rejects with the reason of its signal', async (t) => {
      const { clock, pass } = make();
      const controller = new AbortController();
      const reason = new Error('no longer needed');
      const outcomes = Promise.allSettled([
        sleep(clock, 5),
        sleep(clock, 3_600_000, controller.signal),
        sleep(clock, 5, controller.signal),
      ]);
      await pass(30);
      controller.abort(reason);
      const [first, second, third] = await outcomes;
      t.equal(first.status, 'fulfilled');
      t.same(second, { status: 'rejected', reason });
      t.equal(third.status, 'fulfilled');
      await t.rejects(sleep(clock, 5, controller.signal), reason, 'also when it has aborted before');
    });
  });
}
