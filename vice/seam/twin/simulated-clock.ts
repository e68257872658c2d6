import type { Clock, Timer } from '../clock.js';

interface Waiting {
  readonly due: number;
  readonly task: () => void;
  cancelled: boolean;
}

/**
 * A clock that stands still until it is told to advance. Timers run in order of their due times, those of one
 * time in the order in which they were set.
 */
export class SimulatedClock implements Clock {
  #monotonic = 0;
  #wall: number;
  /** Sorted by due time; equal ones in the order of their setting. */
  readonly #timers: Waiting[] = [];
  #advancing = false;

  /** `wall`: what wall() says at first, milliseconds since 1970. */
  constructor(wall = Date.UTC(2024, 0, 1)) {
    this.#wall = wall;
  }

  /** Whole, as every computer's. */
  wall(): number {
    return Math.round(this.#wall + this.#monotonic);
  }

  monotonic(): number {
    return this.#monotonic;
  }

  after(delay: number, task: () => void): Timer {
    const timer: Waiting = { due: this.#monotonic + Math.max(0, delay), task, cancelled: false };
    this.#timers.splice(this.#placeOf(timer.due), 0, timer);
    return {
      cancel: () => {
        timer.cancelled = true;
      },
    };
  }

  /** Makes wall() say `wall` from now on, as when an operator or NTP sets the clock. Timers do not notice. */
  setWall(wall: number): void {
    this.#wall = wall - this.#monotonic;
  }

  /**
   * Lets `milliseconds` pass: runs what falls due meanwhile, also what is set on the way, and after each
   * timer lets all promises settle that can.
   */
  async advance(milliseconds: number): Promise<void> {
    await this.#exclusively(async () => {
      const until = this.#monotonic + milliseconds;
      await settle();
      for (let due = this.#next(); due !== undefined && due <= until; due = this.#next())
        await this.#step(due);
      this.#monotonic = until;
      await settle();
    });
  }

  /**
   * Lets time pass, from timer to timer, until `promise` settles, and returns what it came to.
   * @throws Error when it has not settled after `limit` milliseconds, or when no timer is left to wait for
   */
  async until<T>(promise: Promise<T>, limit = 3_600_000): Promise<T> {
    let settled = false;
    const mark = (): void => void (settled = true);
    promise.then(mark, mark);
    await this.#exclusively(async () => {
      const latest = this.#monotonic + limit;
      await settle();
      while (!settled) {
        const due = this.#next();
        if (due === undefined) throw new Error('the promise does not settle: no timer is left');
        if (due > latest) throw new Error(`the promise has not settled after ${limit} ms`);
        await this.#step(due);
      }
    });
    return promise;
  }

  /** Timers that are set and not cancelled. */
  get pending(): number {
    return this.#timers.filter((timer) => !timer.cancelled).length;
  }

  /** When the next timer is due. */
  #next(): number | undefined {
    while (this.#timers[0]?.cancelled === true) this.#timers.shift();
    return this.#timers[0]?.due;
  }

  async #step(due: number): Promise<void> {
    const timer = this.#timers.shift();
    this.#monotonic = Math.max(this.#monotonic, due);
    timer?.task();
    await settle();
  }

  async #exclusively(work: () => Promise<void>): Promise<void> {
    if (this.#advancing) throw new Error('the simulated clock is already advancing');
    this.#advancing = true;
    try {
      await work();
    } finally {
      this.#advancing = false;
    }
  }

  #placeOf(due: number): number {
    let low = 0;
    let high = this.#timers.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#timers[middle]?.due ?? 0) <= due) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/**
 * Until every promise that needs neither time nor the world has settled: a turn of the event loop empties the
 * queue of microtasks, the second one is for what itself waits a turn.
 */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 2; turn += 1) await new Promise<void>((resolve) => setImmediate(resolve));
}
