/** How fast a transfer goes: at once for somebody who waits, else as the background may; until somebody waits, too. */
import type { Background, Fetching } from '../volume/fetching.js';

export class Pace {
  readonly #gate: Fetching;
  readonly #background: Background | undefined;
  readonly #hurried: Promise<void>;
  #hurry: () => void = () => undefined;
  #isUrgent: boolean;
  #fetched: (() => void) | undefined;

  constructor(gate: Fetching, background: Background | undefined) {
    this.#gate = gate;
    this.#background = background;
    this.#hurried = new Promise((resolve) => (this.#hurry = resolve));
    this.#isUrgent = background === undefined;
    if (this.#isUrgent) this.#fetched = gate.fetching();
  }

  /** It was begun for the background. */
  get isBackground(): boolean {
    return this.#background !== undefined;
  }

  /** A user waits for it. */
  get isUrgent(): boolean {
    return this.#isUrgent;
  }

  /** What it may evict is worth less than this; undefined: what a user's fetch may. */
  get request(): number | undefined {
    return this.#background?.request;
  }

  /** Somebody waits for it by now. */
  hurry(): void {
    if (this.#isUrgent) return;
    this.#isUrgent = true;
    this.#fetched = this.#gate.fetching();
    this.#hurry();
  }

  /** Resolves when it may go on; `bytes` have come. */
  async turn(bytes: number): Promise<void> {
    this.#background?.came(bytes);
    if (this.#isUrgent || this.#background === undefined) return;
    await Promise.race([this.#background.turn(bytes), this.#hurried]);
  }

  end(): void {
    this.#fetched?.();
  }
}
