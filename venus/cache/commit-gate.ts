/**
 * Containers are committed by digest and removed by digest. A commit of contents that are here already, and their
 * removal at the same moment, would leave nothing under a digest that is believed to be here; perhaps contents that the
 * log needs. So:
 *
 * CG-1  While a removal runs no commit does. Neither waits for what came after it.
 */
export class CommitGate {
  readonly #commits = new Set<Promise<unknown>>();
  #removal: Promise<unknown> | undefined;

  async commit<T>(work: () => Promise<T>): Promise<T> {
    while (this.#removal !== undefined) await this.#removal;
    const running = work();
    const settled = running.catch(() => undefined);
    this.#commits.add(settled);
    void settled.finally(() => this.#commits.delete(settled));
    return running;
  }

  /** `work` chooses what goes, and removes it. */
  async remove<T>(work: () => Promise<T>): Promise<T> {
    while (this.#removal !== undefined) await this.#removal;
    const running = Promise.all(this.#commits).then(work);
    this.#removal = running
      .catch(() => undefined)
      .finally(() => {
        this.#removal = undefined;
      });
    return running;
  }
}
