/** What a restoration has come to so far: by change, and in words for what a person must know. */
import type { Restored } from '../interface.js';
import type { Act } from './restore-plan.js';

/** More notes are counted only. */
const notesMost = 1000;

export class RestoreOutcome {
  readonly #sequences: ReadonlySet<number>;
  readonly #done = new Set<number>();
  readonly #failed = new Set<number>();
  readonly #notes: string[] = [];
  #unsaid = 0;

  constructor(sequences: ReadonlySet<number>) {
    this.#sequences = sequences;
  }

  /** Something of the change was made anew. */
  done({ sequence }: Act): void {
    this.#done.add(sequence);
  }

  /** Something of the change was not made anew, or not where it was. */
  note({ sequence }: Act, words: string): void {
    this.#failed.add(sequence);
    this.remark(words);
  }

  remark(words: string): void {
    if (this.#notes.length < notesMost) this.#notes.push(words);
    else this.#unsaid += 1;
  }

  /** Of changes that were reached, when all were. */
  result(): Restored {
    let present = 0;
    for (const sequence of this.#sequences) {
      if (!this.#done.has(sequence) && !this.#failed.has(sequence)) present += 1;
    }
    const more = this.#unsaid === 0 ? [] : [`and ${this.#unsaid} notes more`];
    return { restored: this.#done.size, present, notes: [...this.#notes, ...more] };
  }

  /** For a restoration that ends early: what it has done. */
  soFar(): string {
    const changes = this.#done.size === 1 ? '1 change was' : `${this.#done.size} changes were`;
    const notes = this.#notes.slice(0, 10).map((note) => `; ${note}`);
    const told = `before that ${changes} made anew${notes.join('')}`;
    return `${told}; a whole archive may be restored again, that does no harm`;
  }
}
