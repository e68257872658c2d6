/**
 * Recipes of containers (vice/difference), for gateways that have an older version and fetch what is new.
 *
 * RC-1  A container is read once for all who ask at the same time, and told as it is read: the first chunks of 10 GiB
 *       are on their way when the last ones have not been looked at.
 * RC-2  At most `atOnce` containers are read for it; whoever asks for another one is told `busy`, and fetches it whole.
 *       When nobody waits any more the reading ends.
 * RC-3  Between two blocks everybody else has his turn: a block takes a millisecond or two.
 */
import { Failure } from '../interface/index.js';
import { recipeHeader, recipeRows } from '../difference/recipe-codec.js';
import { RecipeMaker, type Recipe } from '../difference/recipe.js';
import type { Containers } from '../seam/containers.js';

/** Bytes of finished recipes that are kept, of about 8 GiB of contents. */
const keptBytes = 4 * 1024 * 1024;
const atOnce = 2;
const rowsAtOnce = 1000;

export class Recipes {
  readonly #containers: Containers;
  readonly #running = new Map<string, RunningRecipe>();
  /** The one that was asked for last at the end. */
  readonly #kept = new Map<string, Recipe>();
  #keptBytes = 0;

  constructor(containers: Containers) {
    this.#containers = containers;
  }

  /** The recipe of a container, as bytes. @throws Failure not-found, busy at once; damaged while reading */
  async read(digest: string): Promise<AsyncIterable<Uint8Array>> {
    const length = await this.#containers.length(digest);
    const kept = this.#kept.get(digest);
    if (kept !== undefined) {
      this.#kept.delete(digest);
      this.#kept.set(digest, kept);
      return told(length, kept);
    }
    return told(length, this.#running.get(digest) ?? this.#start(digest));
  }

  #start(digest: string): RunningRecipe {
    if (this.#running.size >= atOnce) {
      throw new Failure('busy', 'vice.download', 'other contents are being compared: fetch these whole');
    }
    const running = new RunningRecipe();
    this.#running.set(digest, running);
    void running
      .run(() => this.#containers.read(digest))
      .then((recipe) => {
        this.#running.delete(digest);
        if (recipe !== undefined) this.#keep(digest, recipe);
      });
    return running;
  }

  #keep(digest: string, recipe: Recipe): void {
    this.#kept.set(digest, recipe);
    this.#keptBytes += recipe.weight;
    for (const [oldest, { weight }] of this.#kept) {
      if (this.#keptBytes <= keptBytes || oldest === digest) break;
      this.#kept.delete(oldest);
      this.#keptBytes -= weight;
    }
  }
}

/** A recipe that is being made. */
class RunningRecipe {
  readonly #maker = new RecipeMaker();
  readonly #wake = new Set<() => void>();
  #asking = 0;
  #wasAsked = false;
  #ended: { readonly error?: unknown } | undefined;

  get recipe(): Recipe {
    return this.#maker.recipe;
  }

  /** Counts one who waits for it; the result when he does no more. */
  ask(): () => void {
    this.#asking += 1;
    this.#wasAsked = true;
    return () => (this.#asking -= 1);
  }

  /** Whether there are more chunks than `count`: waits until it is known. @throws what ended it */
  async hasMore(count: number): Promise<boolean> {
    while (this.recipe.count <= count) {
      if (this.#ended !== undefined && 'error' in this.#ended) throw this.#ended.error;
      if (this.#ended !== undefined) return false;
      await new Promise<void>((resolve) => this.#wake.add(resolve));
    }
    return true;
  }

  /** Reads the contents to their end. The recipe, if it is whole; never rejects. */
  async run(open: () => Promise<AsyncIterable<Uint8Array>>): Promise<Recipe | undefined> {
    try {
      for await (const block of await open()) {
        this.#maker.push(block);
        this.#tell();
        if (this.#wasAsked && this.#asking === 0) {
          throw new Failure('cancelled', 'vice.download', 'nobody waits for the recipe any more');
        }
      }
      this.#maker.end();
      this.#ended = {};
      return this.recipe;
    } catch (error) {
      this.#ended = { error };
      return undefined;
    } finally {
      this.#tell();
    }
  }

  #tell(): void {
    const waiting = [...this.#wake];
    this.#wake.clear();
    for (const wake of waiting) wake();
  }
}

async function* told(
  length: number,
  from: Recipe | RunningRecipe,
): AsyncGenerator<Uint8Array, void, undefined> {
  const running = from instanceof RunningRecipe ? from : undefined;
  const recipe = from instanceof RunningRecipe ? from.recipe : from;
  const gone = running?.ask();
  try {
    yield recipeHeader(length);
    for (let sent = 0; (await running?.hasMore(sent)) ?? sent < recipe.count;) {
      const end = Math.min(recipe.count, sent + rowsAtOnce);
      yield recipeRows(recipe, sent, end);
      sent = end;
    }
  } finally {
    gone?.();
  }
}
