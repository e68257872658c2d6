/** How far a test that kills is: a line now and then, with what is left. */
const everyKills = 20;

export class KillCount {
  done = 0;
  readonly #wanted: number;
  readonly #started = performance.now();

  constructor(wanted: number) {
    this.#wanted = wanted;
  }

  get isReached(): boolean {
    return this.done >= this.#wanted;
  }

  /** @param further what else is to be said of the state of things */
  add(further: () => string): void {
    this.done += 1;
    if (this.done % everyKills === 0 || this.isReached) this.tell(further());
  }

  tell(further: string): void {
    const seconds = (performance.now() - this.#started) / 1000;
    const each = seconds / Math.max(1, this.done);
    const left = Math.max(0, this.#wanted - this.done) * each;
    const rate = `${each.toFixed(2)} s a kill, ${timeText(seconds)} so far, about ${timeText(left)} left`;
    console.error(`crash: ${this.done} of ${this.#wanted} kills, ${rate}; ${further}`);
  }
}

function timeText(seconds: number): string {
  return seconds < 120 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`;
}
