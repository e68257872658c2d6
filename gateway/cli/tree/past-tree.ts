/** A snapshot as `coda volume snapshot restore` asks a gateway for it (gateway/realm/past-orders.ts). */
import { z } from 'zod';
import { ContentsDigest } from '../../../venus/archive/contents-digest.js';
import { systemClock } from '../../../vice/seam/real/system-clock.js';
import { callControlDoor, downloadFromDoor } from '../../realm/control-door.js';
import { treeEntrySchema, treeObjectSchema, type TreeObject } from '../../realm/tree-object.js';
import { linesOf } from '../json-lines.js';
import { listable, streamed, TreeRefusal, valueOf, type ShareEntry } from './share-tree.js';

const foundSchema = z.union([
  z.object({ object: treeObjectSchema.nullable(), time: z.number() }),
  z.object({ failure: z.object({ kind: z.string(), message: z.string() }) }),
]);

/** Where the root of a volume is in a snapshot. */
export interface PastVolume {
  readonly path: readonly string[];
  /** When the snapshot was taken. */
  readonly time: number;
}

/** What fails with TreeRefusal may be listed; any other error ends the whole. */
export class PastTree {
  readonly #folder: string;
  readonly #order: { readonly user: string; readonly snapshot: string };

  /** `folder`: of the gateway, with its control door; `user`: in whose name. */
  constructor(folder: string, user: string, snapshot: string) {
    this.#folder = folder;
    this.#order = { user, snapshot };
  }

  /**
   * Where the snapshot has the volume: in the place where it is mounted, or, where no snapshot above leads there, under
   * its name. Undefined: it has it nowhere.
   */
  async volume(id: string, name: string, mounted: readonly string[]): Promise<PastVolume | undefined> {
    for (const path of [mounted, [name]]) {
      const found = await this.#find(path).catch((error: unknown) => {
        // What is on the way there need not have been a folder then.
        if (error instanceof TreeRefusal && error.kind === 'not-directory') return undefined;
        throw error;
      });
      if (found?.object?.fid.startsWith(`${id}.`) === true) return { path, time: found.time };
    }
    return undefined;
  }

  /** Null: nothing was there. */
  async find(path: readonly string[]): Promise<TreeObject | null> {
    return (await this.#find(path)).object;
  }

  async *list(path: readonly string[]): AsyncGenerator<ShareEntry> {
    const bytes = await this.#download('/past/list', path);
    for await (const line of linesOf(bytes, treeEntrySchema)) {
      if ('failure' in line) throw new TreeRefusal(line.failure.kind, line.failure.message);
      yield line;
    }
  }

  /** The contents of a file, whole: of the length and the digest that were told (else TreeRefusal). */
  async *read(path: readonly string[], { length, digest }: TreeObject): AsyncGenerator<Uint8Array> {
    const sum = new ContentsDigest();
    for await (const chunk of await this.#download('/past/read', path)) {
      sum.add(chunk);
      yield chunk;
    }
    if (sum.length === length && (digest === null || sum.end() === digest)) return;
    throw new TreeRefusal('damaged', 'what came is not what the snapshot says it holds; run `coda scrub`');
  }

  async #find(path: readonly string[]) {
    const reply = listable(callControlDoor(this.#folder, 'POST', '/past/find', { ...this.#order, path }));
    return valueOf(await reply, foundSchema);
  }

  async *#download(route: string, path: readonly string[]): AsyncGenerator<Uint8Array> {
    const order = { ...this.#order, path };
    yield* streamed(() => downloadFromDoor(this.#folder, route, order, systemClock()));
  }
}
