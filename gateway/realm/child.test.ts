import t from 'tap';
import type { Clock, Timer } from '../../vice/seam/clock.js';
import { OperatorError } from '../config/operator-error.js';
import { afterDeath, noDeaths } from './backoff.js';
import { Child, type ChildReport, type Launched } from './child.js';

/** Time that passes only when told. */
class HandClock implements Clock {
  #now = 0;
  readonly #tasks = new Set<{ readonly due: number; run(): void }>();

  wall(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#now;
  }

  after(delay: number, run: () => void): Timer {
    const task = { due: this.#now + delay, run };
    this.#tasks.add(task);
    return { cancel: () => void this.#tasks.delete(task) };
  }

  pass(milliseconds: number): void {
    this.#now += milliseconds;
    for (const task of [...this.#tasks]) {
      if (task.due > this.#now || !this.#tasks.delete(task)) continue;
      task.run();
    }
  }
}

/** A process that does what the test says. */
class Puppet implements Launched {
  readonly ended: Promise<string>;
  end: (reason: string) => void = () => undefined;
  stopsAsked = 0;
  killed = false;

  constructor(
    readonly pid: number,
    readonly report: (report: ChildReport) => void,
  ) {
    this.ended = new Promise((resolve) => {
      this.end = resolve;
    });
  }

  stop(): void {
    this.stopsAsked += 1;
  }

  kill(): void {
    this.killed = true;
    this.end('signal SIGKILL');
  }
}

function stage() {
  const clock = new HandClock();
  const puppets: Puppet[] = [];
  const told: string[] = [];
  const child = new Child({
    name: 's1',
    clock,
    launch(report) {
      const puppet = new Puppet(100 + puppets.length, report);
      puppets.push(puppet);
      return puppet;
    },
    changed: (_child, why) => told.push(why),
  });
  const last = (): Puppet => puppets.at(-1) ?? new Puppet(0, () => undefined);
  const dies = async (): Promise<void> => {
    last().end('signal SIGSEGV');
    await last().ended;
    await new Promise(setImmediate);
  };
  return { clock, child, puppets, told, last, dies };
}

const ready: ChildReport = { report: 'ready', url: 'http://127.0.0.1:7001/' };

t.test('waits double up to 30 s, and a long life is forgiven', async (t) => {
  let deaths = noDeaths;
  const delays: number[] = [];
  for (let count = 0; count < 7; count += 1) {
    const next = afterDeath(deaths, 500);
    deaths = next.deaths;
    delays.push(next.delayMs / 1000);
  }
  t.same(delays, [1, 2, 4, 8, 16, 30, 30]);
  t.equal(afterDeath(deaths, 59_999).delayMs, 30_000);
  t.equal(afterDeath(deaths, 60_000).delayMs, 1_000);
  t.equal(afterDeath({ inRow: 5_000 }, 0).delayMs, 30_000);
});

t.test('a child that dies is started again, after its time and not before', async (t) => {
  const { clock, child, puppets, told, last, dies } = stage();
  const started = child.start();
  t.equal(child.state, 'starting');
  last().report(ready);
  await started;
  t.equal(child.state, 'running');
  t.equal(child.url, 'http://127.0.0.1:7001/');

  await dies();
  t.equal(child.state, 'waiting');
  t.equal(child.pid, null);
  t.match(told.at(-1), /died \(signal SIGSEGV\); starting it again in 1 s/);
  clock.pass(999);
  t.equal(puppets.length, 1);
  clock.pass(1);
  t.equal(puppets.length, 2);
  t.equal(child.pid, 101);

  await dies();
  clock.pass(1_999);
  t.equal(puppets.length, 2, 'the second time it waits two seconds');
  clock.pass(1);
  t.equal(puppets.length, 3);
});

t.test('what a child says of its failure is what the caller gets', async (t) => {
  const { child, last } = stage();
  const started = child.start();
  last().report({ report: 'failed', kind: 'refused', message: 'the port is in use' });
  last().end('exit code 4');
  await t.rejects(started, new OperatorError('refused', 'the port is in use'));
  t.equal(child.state, 'waiting', 'it is tried again until somebody stops it');
  await child.stop();
  t.equal(child.state, 'stopped');
});

t.test('a stopped child stays stopped, is killed when it hangs, and can be started again', async (t) => {
  const { clock, child, puppets, last } = stage();
  const started = child.start();
  last().report(ready);
  await started;
  const stopped = child.stop();
  t.equal(last().stopsAsked, 1);
  t.equal(child.state, 'stopping');
  clock.pass(3_999);
  t.notOk(last().killed);
  const again = child.start();
  t.equal(puppets.length, 1, 'a new process waits for the end of the old one');
  clock.pass(1);
  t.ok(last().killed);
  await stopped;
  await new Promise(setImmediate);
  t.equal(puppets.length, 2);
  last().report(ready);
  await again;
  t.equal(child.state, 'running');
  clock.pass(100_000);
  t.equal(puppets.length, 2);
});

t.test('a child that never gets ready is killed', async (t) => {
  const { clock, child, last } = stage();
  const started = child.start();
  clock.pass(60_000);
  t.ok(last().killed);
  await t.rejects(started, /s1 ended before it was ready/);
  await child.stop();
});
