/** New versions on their way to servers that have an older one: as the body of a PUT, or from the cache. */
import { isFailure, type Fid } from '../../vice/interface/index.js';
import { dataBytes, difference, stepsAfter, type Operation } from '../../vice/difference/difference.js';
import { stepHeader } from '../../vice/difference/operation-codec.js';
import type { ContainerCache } from '../cache/container-cache.js';
import { differencePath, type Asked, type Bases, type Wanted } from './bases.js';
import { DifferenceStream, type Sink } from './difference-stream.js';
import type { Held, KnownRecipes } from './known-recipes.js';
import { mostMoved } from './worth.js';

export interface UploadDifferencesWorld {
  readonly bases: Bases;
  readonly recipes: KnownRecipes;
  readonly containers: ContainerCache;
}

/** Cached contents that a server shall have. */
export interface Cached extends Wanted {
  readonly digest: string;
  readonly transfer: string;
}

/** How they can be sent as steps. */
export interface Plan {
  /** Where they are uploaded to. */
  readonly path: string;
  /** What is sent when the first `start` bytes of the contents are there. @throws Failure not-found, damaged */
  body(start: number): AsyncGenerator<Uint8Array, void, undefined>;
}

export class UploadDifferences {
  readonly #world: UploadDifferencesWorld;

  constructor(world: UploadDifferencesWorld) {
    this.#world = world;
  }

  /** The servers that have contents by which new ones of `fid` can be told, and these; undefined: none has. */
  async shared<M extends { readonly server: Asked }>(
    members: readonly M[],
    wanted: Wanted,
  ): Promise<{ readonly held: Held; readonly members: ReadonlySet<M> } | undefined> {
    const found = await Promise.all(
      members.map(async (member) => ({ member, held: await this.#world.bases.find(member.server, wanted) })),
    );
    const held = found.find((each) => each.held !== undefined)?.held;
    if (held === undefined) return undefined;
    // Whoever has another version is sent everything: a body is compared with one version only.
    const alike = found.filter((each) => each.held?.digest === held.digest);
    return { held, members: new Set(alike.map(({ member }) => member)) };
  }

  /** A body that is told by `held`. The result is closed in the end. */
  stream(held: Held, sinks: readonly Sink[]): DifferenceStream {
    return new DifferenceStream(this.#world.recipes.open(held), sinks);
  }

  /** A body that was sent is in the cache now. */
  sent(stream: DifferenceStream, { digest, length }: Held): void {
    const recipe = stream.recipe(length);
    if (recipe !== undefined) this.#world.recipes.remember(digest, recipe);
  }

  /** How cached contents can go to `server`; undefined: send all of them. */
  async plan(server: Asked, cached: Cached): Promise<Plan | undefined> {
    const held = await this.#world.bases.find(server, cached);
    if (held === undefined || held.digest === cached.digest) return undefined;
    const steps = await this.#steps(held, cached);
    if (steps === undefined || dataBytes(steps) > cached.length * mostMoved) return undefined;
    return {
      path: differencePath(cached.transfer, cached.fid, held),
      body: (start) => this.#body(cached, stepsAfter(steps, start)),
    };
  }

  async #steps(held: Held, cached: Cached): Promise<readonly Operation[] | undefined> {
    const { recipes } = this.#world;
    const old = recipes.open(held);
    try {
      await old.upTo(Infinity);
      return difference(old.index, await recipes.of(cached));
    } catch (error) {
      // Whoever sends all of it will meet it, too.
      if (!isFailure(error, 'not-found', 'damaged')) throw error;
      return undefined;
    } finally {
      await old.close();
    }
  }

  async *#body({ digest }: Cached, steps: readonly Operation[]): AsyncGenerator<Uint8Array, void, undefined> {
    for (const step of steps) {
      yield stepHeader(step);
      if (step.kind === 'copy') continue;
      yield* this.#world.containers.read(digest, step.offset, step.offset + step.length);
    }
  }
}

/** A file that is going to be written, as far as its writer may read it. */
export interface Replaced {
  readonly fid: Fid;
  readonly length: number;
}
