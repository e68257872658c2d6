/** How far a run is, so that runs on several days can be added up: cuts by what was going on, changes, time. */

export class Tally {
  readonly #seed: number;
  readonly #wanted: number;
  readonly #cuts = new Map<string, number>();
  /** Milliseconds, by what was waited for. */
  readonly #times = new Map<string, number>();
  readonly #started = performance.now();
  /** Of writers, and of the administrator. */
  readonly #acknowledged = new Map<string, number>();
  #slowestMs = 0;

  constructor(seed: number, wanted: number) {
    this.#seed = seed;
    this.#wanted = wanted;
  }

  get cuts(): number {
    return [...this.#cuts.values()].reduce((sum, count) => sum + count, 0);
  }

  count(moment: string): void {
    this.#cuts.set(moment, (this.#cuts.get(moment) ?? 0) + 1);
  }

  acknowledge(what: string, count: number): void {
    this.#acknowledged.set(what, (this.#acknowledged.get(what) ?? 0) + count);
  }

  /** How long somebody waited for an answer at most. */
  waited(ms: number): void {
    this.#slowestMs = Math.max(this.#slowestMs, ms);
  }

  /** Does `work`, and remembers how long that took. */
  async time<T>(what: string, work: () => Promise<T>): Promise<T> {
    const begun = performance.now();
    try {
      return await work();
    } finally {
      this.#times.set(what, (this.#times.get(what) ?? 0) + performance.now() - begun);
    }
  }

  /** Everything since the run began. */
  get text(): string {
    const seconds = (performance.now() - this.#started) / 1000;
    const each = seconds / Math.max(1, this.cuts);
    const places = [...this.#cuts].map(([moment, count]) => `${moment} ${count}`).join(', ');
    const times = [...this.#times].map(([what, ms]) => `${what} ${(ms / 1000 / this.cuts).toFixed(2)}`);
    return [
      `power-cut: seed ${this.#seed}: ${this.cuts} of ${this.#wanted} cuts (${places})`,
      `acknowledged: ${[...this.#acknowledged].map(([what, count]) => `${what} ${count}`).join(', ')}`,
      `slowest answer ${(this.#slowestMs / 1000).toFixed(1)} s`,
      `${each.toFixed(1)} s a cut (${times.join(', ')})`,
      `${minutes(seconds)} so far, about ${minutes((this.#wanted - this.cuts) * each)} left`,
    ].join('; ');
  }
}

function minutes(seconds: number): string {
  return `${Math.round(seconds / 60)} min`;
}
