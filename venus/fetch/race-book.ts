/** Remembers, over all files, whose late blocks came sooner from whom. */
import { raced, type Races } from './choice.js';

export class RaceBook {
  #races: Races | undefined;

  /** `winner` has overtaken `loser`; whether it is to be preferred from now on. */
  overtaken(loser: string, winner: string): boolean {
    const { races, replace } = raced(this.#races, loser, winner);
    this.#races = races;
    return replace;
  }

  /** A source that was thought late has won after all. */
  kept(): void {
    this.#races = undefined;
  }
}
