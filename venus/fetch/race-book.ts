/** Remembers, over all files, whose late blocks came sooner from whom, and how many requests were made. */
import { raced, type Races } from './choice.js';

export class RaceBook {
  #races: Races | undefined;
  #asked = 0;

  /** `winner` has overtaken `loser`; whether it is to be preferred from now on. */
  overtaken(loser: string, winner: string): boolean {
    const { races, replace } = raced(this.#races, loser, winner);
    this.#races = races;
    return replace;
  }

  /** How many requests were made before this one. */
  ask(): number {
    this.#asked += 1;
    return this.#asked - 1;
  }

  /** A source that was thought late has won after all. */
  kept(): void {
    this.#races = undefined;
  }
}
