/** What one reader, or one who wants the whole, still wants of a file. */
import type { Run } from './block-source.js';
import { onward, paceFrom, type Pace, type Window } from './plan.js';

export class Demand {
  /** The whole contents are wanted in the cache. */
  readonly isWhole: boolean;
  /** A user waits for it; else it gives way to users. */
  readonly urgent: boolean;
  /** Told of new blocks of the file. */
  readonly came: (bytes: number) => void;
  /** Nothing is to be done before more has come. */
  waiting = false;
  /** Why no more will come. */
  failure: Error | undefined;
  readonly #last: number;
  #next: number;
  #pace: Pace;

  private constructor(
    kind: Pick<Demand, 'isWhole' | 'urgent' | 'came'>,
    next: number,
    last: number,
    pace: Pace,
  ) {
    this.came = kind.came;
    this.isWhole = kind.isWhole;
    this.urgent = kind.urgent;
    this.#next = next;
    this.#last = last;
    this.#pace = pace;
  }

  static reading(first: number, last: number, ahead?: number): Demand {
    const kind = { isWhole: false, urgent: true, came: () => undefined };
    return new Demand(kind, first, last, paceFrom(first, ahead));
  }

  static holding(blocks: number, urgent: boolean, came: (bytes: number) => void): Demand {
    return new Demand({ isWhole: true, urgent, came }, 0, blocks, paceFrom(0, blocks));
  }

  get ahead(): number {
    return this.#pace.ahead;
  }

  /** What is asked for first: smaller is sooner. */
  get rank(): number {
    if (this.isWhole) return this.urgent ? 2 : 3;
    return this.waiting ? 0 : 1;
  }

  get window(): Window {
    const next = this.#next;
    const { ahead } = this.#pace;
    // A short rest comes with the same request: a file of a few blocks is one call.
    const end = this.#last <= next + 2 * ahead ? this.#last : next + ahead;
    return { next, end, last: this.#last };
  }

  wants({ first, end }: Run): boolean {
    const { window } = this;
    return first < window.end && end > window.next;
  }

  /** The reader has come to `block`. */
  advance(block: number, aheadMost: number): void {
    this.#next = block;
    this.#pace = onward(this.#pace, block, aheadMost);
  }
}
