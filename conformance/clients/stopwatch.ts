/** Says how long each part of a story took. */
export class Stopwatch {
  readonly #say: (text: string) => void;
  #last = performance.now();

  constructor(say: (text: string) => void) {
    this.#say = say;
  }

  lap(what: string): void {
    const now = performance.now();
    this.#say(`${what} in ${((now - this.#last) / 1000).toFixed(1)} s`);
    this.#last = now;
  }
}
