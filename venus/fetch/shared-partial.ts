/** Contents in part that several read and write at once; they end when none of that is under way any more. */
import { Failure } from '../../vice/interface/index.js';
import type { PartialContainer } from '../../vice/seam/partial-container.js';

export class SharedPartial {
  readonly #partial: PartialContainer;
  #uses = 0;
  #ending = false;
  #unused: (() => void) | undefined;

  constructor(partial: PartialContainer) {
    this.#partial = partial;
  }

  get bytes(): number {
    return this.#partial.bytes;
  }

  get segmentBlocks(): number | undefined {
    return this.#partial.segmentBlocks;
  }

  get isWhole(): boolean {
    return this.#partial.bytes === this.#partial.length;
  }

  has(block: number): boolean {
    return this.#partial.has(block);
  }

  /** @throws Failure not-found (also when all of it has ended), damaged */
  read(block: number): Promise<Uint8Array> {
    return this.#use(() => this.#partial.read(block));
  }

  /** @throws Failure damaged, no-space, not-found when all of it has ended */
  write(block: number, bytes: Uint8Array): Promise<void> {
    return this.#use(() => this.#partial.write(block, bytes));
  }

  drop(segment: number): Promise<void> {
    return this.#use(() => this.#partial.drop(segment));
  }

  /** Makes a container of it, and ends it; false: blocks are missing, and it goes on. @throws Failure no-space */
  async complete(): Promise<boolean> {
    await this.#stop();
    try {
      const isComplete = await this.#partial.complete();
      this.#ending = isComplete;
      return isComplete;
    } catch (error) {
      this.#ending = false;
      throw error;
    }
  }

  /** Ends it; what is here stays, if anything is. */
  async close(): Promise<void> {
    await this.#stop();
    await (this.bytes === 0 ? this.#partial.remove() : this.#partial.close());
  }

  /** Ends it; nothing of it stays. */
  async remove(): Promise<void> {
    await this.#stop();
    await this.#partial.remove();
  }

  async #stop(): Promise<void> {
    this.#ending = true;
    if (this.#uses > 0) await new Promise<void>((resolve) => (this.#unused = resolve));
  }

  async #use<T>(work: () => Promise<T>): Promise<T> {
    if (this.#ending) throw new Failure('not-found', 'venus.fetch', 'these contents in part have ended');
    this.#uses += 1;
    try {
      return await work();
    } finally {
      this.#uses -= 1;
      if (this.#uses === 0) this.#unused?.();
    }
  }
}
