/** What is to be done to the contents that somebody has to get the new ones: a decision over chunks. Pure. */
import type { Recipe } from './recipe.js';

/** A step; all steps in order make the new contents. */
export interface Operation {
  /** `copy` bytes of the old contents; or new bytes, `data`. */
  readonly kind: 'copy' | 'data';
  /** In the old contents; of data, in the new ones. */
  readonly offset: number;
  readonly length: number;
}

/** Steps are joined up to so many bytes. */
export interface Longest {
  readonly copy: number;
  readonly data: number;
}

/**
 * A copy is no longer than this, so that whoever carries it out is seen to get on, and whoever sends the steps of
 * contents that are still coming has not to wait for the end of what did not change.
 */
export const longest: Longest = { copy: 8 * 1024 * 1024, data: 8 * 1024 * 1024 };

/** The chunks of the old contents, to be looked up. It may grow while it is used. */
export class ChunkIndex {
  readonly #keys: string[] = [];
  readonly #offsets: number[] = [];
  /** The first chunk of each key. */
  readonly #first = new Map<string, number>();
  #bytes = 0;

  static of(recipe: Recipe): ChunkIndex {
    const index = new ChunkIndex();
    index.extend(recipe);
    return index;
  }

  /** Of the old contents that are in it. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Takes in the chunks by which `recipe` is longer. */
  extend(recipe: Recipe): void {
    for (let chunk = this.#keys.length; chunk < recipe.count; chunk += 1) {
      const key = recipe.keyOf(chunk);
      if (!this.#first.has(key)) this.#first.set(key, chunk);
      this.#keys.push(key);
      this.#offsets.push(this.#bytes);
      this.#bytes += recipe.lengthOf(chunk);
    }
  }

  /** A chunk with this key: the one behind `previous`, if it is one, so that copies become long. */
  find(key: string, previous: number): number | undefined {
    return previous >= 0 && this.#keys[previous + 1] === key ? previous + 1 : this.#first.get(key);
  }

  offsetOf(chunk: number): number {
    return this.#offsets[chunk] ?? 0;
  }
}

/** Turns the chunks of the new contents, one after the other, into steps. */
export class Differ {
  readonly #index: ChunkIndex;
  readonly #longest: Longest;
  #open: { kind: Operation['kind']; offset: number; length: number } | undefined;
  /** Of the old contents, if the last chunk was one of them; else -1. */
  #previous = -1;
  #position = 0;

  constructor(index: ChunkIndex, most: Longest = longest) {
    this.#index = index;
    this.#longest = most;
  }

  /** Whether the last chunk is data. */
  get isData(): boolean {
    return this.#open?.kind === 'data';
  }

  /** The next chunk. The step that it does not belong to any more, if there is one. */
  take(key: string, length: number): Operation | undefined {
    const found = this.#index.find(key, this.#previous);
    const kind = found === undefined ? 'data' : 'copy';
    const offset = found === undefined ? this.#position : this.#index.offsetOf(found);
    this.#previous = found ?? -1;
    this.#position += length;
    const open = this.#open;
    if (open?.kind === kind && open.offset + open.length === offset) {
      if (open.length + length <= this.#longest[kind]) {
        open.length += length;
        return undefined;
      }
    }
    this.#open = { kind, offset, length };
    return open;
  }

  /** The last step. */
  end(): Operation | undefined {
    const open = this.#open;
    this.#open = undefined;
    return open;
  }
}

/** The steps from what `index` knows to the contents of `recipe`. */
export function difference(index: ChunkIndex, recipe: Recipe, most?: Longest): readonly Operation[] {
  const differ = new Differ(index, most);
  const steps: Operation[] = [];
  for (let chunk = 0; chunk < recipe.count; chunk += 1) {
    const step = differ.take(recipe.keyOf(chunk), recipe.lengthOf(chunk));
    if (step !== undefined) steps.push(step);
  }
  const last = differ.end();
  if (last !== undefined) steps.push(last);
  return steps;
}

/** The steps that are left when the first `made` bytes of the new contents are there. */
export function stepsAfter(steps: readonly Operation[], made: number): readonly Operation[] {
  const left: Operation[] = [];
  let position = 0;
  for (const step of steps) {
    const done = Math.min(step.length, Math.max(0, made - position));
    position += step.length;
    if (done < step.length) left.push({ ...step, offset: step.offset + done, length: step.length - done });
  }
  return left;
}

/** Bytes that `steps` move. */
export function dataBytes(steps: readonly Operation[]): number {
  return steps.reduce((sum, { kind, length }) => sum + (kind === 'data' ? length : 0), 0);
}
