/**
 * Recipes of cached contents: made when they are needed, and kept for the next time, since the new version of today is
 * the old one of tomorrow.
 */
import { isFailure } from '../../vice/interface/index.js';
import { ChunkIndex } from '../../vice/difference/difference.js';
import { RecipeMaker, type Recipe } from '../../vice/difference/recipe.js';
import type { ContainerCache } from '../cache/container-cache.js';
import { RecentMap } from '../cache/recent-map.js';

/** Of about 16 GiB of contents. */
const keptBytes = 8 * 1024 * 1024;

/** Contents by digest, as a server and this gateway may both have them. */
export interface Held {
  readonly digest: string;
  readonly length: number;
}

export class KnownRecipes {
  readonly #containers: ContainerCache;
  readonly #kept = new RecentMap<string, Recipe>(keptBytes, ({ weight }) => weight);

  constructor(containers: ContainerCache) {
    this.#containers = containers;
  }

  /** `recipe` is that of the whole contents. */
  remember(digest: string, recipe: Recipe): void {
    this.#kept.set(digest, recipe);
  }

  /** Cached contents to be compared with; they stay until `close`. */
  open(held: Held): OldContents {
    return new OldContents(this.#containers, held, this.#kept.get(held.digest), (recipe) =>
      this.remember(held.digest, recipe),
    );
  }

  /** @throws Failure not-found, damaged */
  async of(held: Held): Promise<Recipe> {
    const known = this.#kept.get(held.digest);
    if (known !== undefined) return known;
    const maker = new RecipeMaker();
    for await (const block of this.#containers.read(held.digest, 0, held.length)) maker.push(block);
    maker.end();
    this.remember(held.digest, maker.recipe);
    return maker.recipe;
  }
}

/** Old contents, whose chunks become known as far as somebody wants to know. */
export class OldContents {
  readonly held: Held;
  readonly index = new ChunkIndex();
  readonly #maker = new RecipeMaker();
  readonly #blocks: AsyncGenerator<Uint8Array>;
  readonly #release: () => void;
  readonly #whole: (recipe: Recipe) => void;
  #isRead = false;

  constructor(
    containers: ContainerCache,
    held: Held,
    known: Recipe | undefined,
    whole: (recipe: Recipe) => void,
  ) {
    this.held = held;
    this.#release = containers.pin(held.digest);
    this.#blocks = containers.read(held.digest, 0, held.length);
    this.#whole = whole;
    if (known === undefined) return;
    this.index.extend(known);
    this.#isRead = true;
  }

  /**
   * Knows the chunks of the first `bytes` of the contents, when it resolves; or those before the byte at which they
   * cannot be read any more. Calls do not overlap.
   */
  async upTo(bytes: number): Promise<void> {
    const { recipe } = this.#maker;
    while (!this.#isRead && this.index.bytes < Math.min(bytes, this.held.length)) {
      const block = await this.#next();
      if (block === undefined) {
        this.#isRead = true;
        this.#maker.end();
        if (recipe.bytes === this.held.length) this.#whole(recipe);
      } else {
        this.#maker.push(block);
      }
      this.index.extend(recipe);
    }
  }

  async close(): Promise<void> {
    this.#isRead = true;
    this.#release();
    await this.#blocks.return(undefined);
  }

  async #next(): Promise<Uint8Array | undefined> {
    try {
      const next = await this.#blocks.next();
      return next.done === true ? undefined : next.value;
    } catch (error) {
      // What cannot be read is not in common with anything.
      if (!isFailure(error)) throw error;
      return undefined;
    }
  }
}
