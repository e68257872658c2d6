/** A few tasks at a time, begun in order. The first that fails stops all: no other begins, and those that run ask. */

export class Lanes {
  readonly #open = new Set<Promise<void>>();
  readonly #waiting: (() => void)[] = [];
  #free: number;
  #failure: { readonly why: unknown } | undefined;

  /** `count` tasks run at a time. */
  constructor(count: number) {
    this.#free = count;
  }

  /** Stops all, as if a task had failed so. */
  fail(why: unknown): void {
    this.#failure ??= { why };
    for (const wake of this.#waiting.splice(0)) wake();
  }

  /** @throws why all is stopped */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure.why;
  }

  /** Resolves when `task` has begun, with when it is over (that never fails). @throws as check */
  async start(task: () => Promise<void>): Promise<{ readonly over: Promise<void> }> {
    this.check();
    while (this.#free === 0) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
      this.check();
    }
    this.#free -= 1;
    return { over: this.#followed(task().finally(() => this.#release())) };
  }

  /** Runs `task` in a lane when all of `before` are over. */
  after(before: Iterable<Promise<void>>, task: () => Promise<void>): void {
    const ended = Promise.all(before);
    this.#followed(ended.then(async () => (await this.start(task)).over));
  }

  /** When nothing runs any more. @throws as check */
  async idle(): Promise<void> {
    while (this.#open.size > 0) await Promise.all(this.#open);
    this.check();
  }

  #release(): void {
    this.#free += 1;
    this.#waiting.shift()?.();
  }

  #followed(work: Promise<void>): Promise<void> {
    const over = work.catch((error: unknown) => this.fail(error)).finally(() => this.#open.delete(over));
    this.#open.add(over);
    return over;
  }
}
