/** Choices of a seeded schedule. */
import type { Random } from '../../vice/seam/random.js';

export class Choice {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  chance(probability: number): boolean {
    return this.#random.fraction() < probability;
  }

  below(bound: number): number {
    return Math.floor(this.#random.fraction() * bound);
  }

  of<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new Error('nothing to choose from');
    return item;
  }
}
