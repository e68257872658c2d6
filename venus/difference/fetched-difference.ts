/**
 * A new version that is fetched by an older one which is here: the server tells its recipe, what is in common comes
 * from the cache, the rest from the server, in the order of the bytes.
 *
 * FD-1  What it yields is not checked: whoever fetches holds the whole against its digest, and begins again, plainly.
 * FD-2  What is missing is asked for in ranges, some at a time: not so many that the server waits long for a reader
 *       that copies meanwhile.
 */
import { Failure, isFailure, type Fid } from '../../vice/interface/index.js';
import { dataBytes, difference, stepsAfter, type Operation } from '../../vice/difference/difference.js';
import { readRecipe } from '../../vice/difference/recipe-codec.js';
import type { Log } from '../../vice/seam/log.js';
import type { ContainerCache } from '../cache/container-cache.js';
import type { ServerLink } from '../remote/server-link.js';
import type { Bases } from './bases.js';
import type { Held, KnownRecipes } from './known-recipes.js';
import type { StaleContents } from './stale-contents.js';
import { mostMoved } from './worth.js';

export interface FetchDifferencesWorld {
  readonly bases: Bases;
  readonly recipes: KnownRecipes;
  readonly containers: ContainerCache;
  readonly stale: StaleContents;
  readonly log: Log;
}

/** What is used of the way to a server. */
export type Source = Pick<ServerLink, 'name' | 'download' | 'quality'>;

/** Ranges in one question; and bytes that are copied between the first and the last of them. */
const atOnce = { ranges: 64, copied: 64 * 1024 * 1024 } as const;

export class FetchDifferences {
  readonly #world: FetchDifferencesWorld;

  constructor(world: FetchDifferencesWorld) {
    this.#world = world;
  }

  /** A fetch of new contents of `fid` by an older version that is here; undefined: there is none. */
  begin(fid: Fid, data: Held): FetchedDifference | undefined {
    const held = this.#world.stale.of(fid);
    return held === undefined || held.digest === data.digest
      ? undefined
      : new FetchedDifference(this.#world, held, data);
  }

  /** Whether new contents of `fid` are sooner here by an older version than plainly, from the first of `servers`. */
  isWorthWaiting(fid: Fid, data: Held, [first]: readonly Source[]): boolean {
    const held = this.#world.stale.of(fid);
    if (held === undefined || held.digest === data.digest || first === undefined) return false;
    return this.#world.bases.isWorthWaiting(first.quality, held, data.length);
  }

  /** The newest contents of `fid` are here. */
  arrived(fid: Fid): void {
    this.#world.stale.release(fid);
  }
}

export class FetchedDifference {
  readonly #world: FetchDifferencesWorld;
  readonly #held: Held;
  readonly #data: Held;
  #steps: readonly Operation[] | undefined;
  #isGivenUp = false;

  constructor(world: FetchDifferencesWorld, held: Held, data: Held) {
    this.#world = world;
    this.#held = held;
    this.#data = data;
  }

  /** The bytes from `start` on; undefined: fetch them plainly. Reading them fails as a download or the cache does. */
  async from(server: Source, start: number): Promise<AsyncGenerator<Uint8Array> | undefined> {
    const { bases, containers, log } = this.#world;
    if (this.#isGivenUp || !containers.has(this.#held.digest)) return undefined;
    if (!bases.isWorth(server.quality, this.#held, this.#data.length)) return undefined;
    try {
      this.#steps ??= await this.#compare(server);
      const moved = dataBytes(this.#steps);
      this.#isGivenUp = moved > this.#data.length * mostMoved;
      if (this.#isGivenUp) return undefined;
      log.debug('fetch of a difference', { server: server.name, bytes: this.#data.length, moved });
      return this.#bytes(server, stepsAfter(this.#steps, start));
    } catch (error) {
      // An old server (`not-found`), one that is busy, or a recipe that cannot be.
      if (!isFailure(error)) throw error;
      log.debug('no difference', { server: server.name, kind: error.kind, message: error.message });
      return undefined;
    }
  }

  async #compare(server: Source): Promise<readonly Operation[]> {
    const { digest, length } = this.#data;
    const old = this.#world.recipes.open(this.#held);
    try {
      // The server reads its copy while it answers: that says nothing of the link.
      const told = await server.download(`recipe/${digest}`, 0, undefined, Infinity);
      const [recipe] = await Promise.all([readRecipe(told, length), old.upTo(Infinity)]);
      return difference(old.index, recipe);
    } finally {
      await old.close();
    }
  }

  async *#bytes(server: Source, steps: readonly Operation[]): AsyncGenerator<Uint8Array> {
    const pieces = new Pieces(server, this.#data.digest, steps);
    const unpin = this.#world.containers.pin(this.#held.digest);
    try {
      for (const [index, { kind, offset, length }] of steps.entries()) {
        if (kind === 'data') yield* pieces.take(index, length);
        else yield* this.#world.containers.read(this.#held.digest, offset, offset + length);
      }
    } finally {
      unpin();
      await pieces.close();
    }
  }
}

/** What the server sends of the data in `steps`. */
class Pieces {
  readonly #server: Source;
  readonly #digest: string;
  readonly #steps: readonly Operation[];
  #source: AsyncIterator<Uint8Array> | undefined;
  /** The steps before this one have been asked for. */
  #asked = 0;
  #rest: Uint8Array = new Uint8Array();

  constructor(server: Source, digest: string, steps: readonly Operation[]) {
    this.#server = server;
    this.#digest = digest;
    this.#steps = steps;
  }

  /** The bytes of the step at `index`; steps are taken in order. */
  async *take(index: number, length: number): AsyncGenerator<Uint8Array> {
    if (index >= this.#asked) await this.#ask(index);
    for (let left = length; left > 0;) {
      if (this.#rest.length === 0) {
        const next = await this.#source?.next();
        if (next?.done !== false)
          throw new Failure('damaged', 'venus.fetch', 'the server sent too few bytes');
        this.#rest = next.value;
      }
      const bytes = this.#rest.subarray(0, left);
      this.#rest = this.#rest.subarray(bytes.length);
      left -= bytes.length;
      if (bytes.length > 0) yield bytes;
    }
  }

  async close(): Promise<void> {
    const source = this.#source;
    this.#source = undefined;
    await source?.return?.();
  }

  async #ask(first: number): Promise<void> {
    await this.close();
    const ranges: string[] = [];
    let copied = 0;
    let index = first;
    for (; index < this.#steps.length && ranges.length < atOnce.ranges; index += 1) {
      const step = this.#steps[index];
      if (step === undefined) break;
      if (step.kind === 'data') ranges.push(`${step.offset}-${step.offset + step.length}`);
      else if ((copied += step.length) > atOnce.copied) break;
    }
    this.#asked = index;
    this.#rest = new Uint8Array();
    const path = `pieces/${this.#digest}/${ranges.join('_')}`;
    this.#source = (await this.#server.download(path, 0))[Symbol.asyncIterator]();
  }
}
