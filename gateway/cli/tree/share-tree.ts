/** The share as `coda import` and `coda export` ask for it: the orders of gateway/realm/tree-orders.ts, one by one. */
import type { z } from 'zod';
import { ContentsDigest } from '../../../venus/archive/contents-digest.js';
import { systemClock } from '../../../vice/seam/real/system-clock.js';
import { OperatorError } from '../../config/operator-error.js';
import { callControlDoor, downloadFromDoor, uploadToDoor } from '../../realm/control-door.js';
import {
  foundSchema,
  pendingStateSchema,
  treeAnswerSchema,
  treeEntrySchema,
  unlockedSchema,
  type Found,
  type PendingState,
  type TreeObject,
} from '../../realm/tree-object.js';
import { linesOf } from '../json-lines.js';

/** One object could not be read, made or changed, while others may be: `kind` is a Failure's, or `door`. */
export class TreeRefusal extends Error {
  override readonly name = 'TreeRefusal';
  readonly kind: string;

  constructor(kind: string, message: string) {
    super(message);
    this.kind = kind;
  }
}

export interface ShareEntry {
  readonly name: string;
  readonly object: TreeObject;
}

export interface NewFile {
  readonly parent: string;
  readonly name: string;
  readonly length: number;
  readonly modified: number;
  /** The file that is replaced, in this version; null: the name must be free. */
  readonly replaces: Pick<TreeObject, 'fid' | 'version'> | null;
}

/** What fails with TreeRefusal may be listed; any other error ends the whole. */
export class ShareTree {
  readonly #folder: string;
  readonly #user: string;

  /** `folder`: of the gateway, with its control door; `user`: in whose name. */
  constructor(folder: string, user: string) {
    this.#folder = folder;
    this.#user = user;
  }

  /** What is at `path`, names from the root of the share; `make`: missing folders are made. */
  find(path: readonly string[], make: boolean): Promise<Found> {
    return this.#ask('/tree/find', { path, make }, foundSchema);
  }

  /** All that is in a folder, as it is now. */
  async *list(fid: string): AsyncGenerator<ShareEntry> {
    const bytes = await this.#download('/tree/list', { fid });
    for await (const line of linesOf(bytes, treeEntrySchema)) {
      if ('failure' in line) throw new TreeRefusal(line.failure.kind, line.failure.message);
      yield line;
    }
  }

  async status(fid: string): Promise<TreeObject> {
    return (await this.#ask('/tree/status', { fid }, treeAnswerSchema)).object;
  }

  /** The contents of this version of a file, whole: of the length and the digest that were told (else TreeRefusal). */
  async *read({ fid, version, length, digest }: TreeObject): AsyncGenerator<Uint8Array> {
    const sum = new ContentsDigest();
    for await (const chunk of await this.#download('/tree/read', { fid, version: version ?? '' })) {
      sum.add(chunk);
      yield chunk;
    }
    if (sum.length === length && (digest === null || sum.end() === digest)) return;
    throw new TreeRefusal('damaged', 'what came is not what the share says it holds; run `coda scrub`');
  }

  /** @throws TreeRefusal busy: somebody has locked this folder, or one above it */
  async mustBeUnlocked(path: readonly string[], fid: string): Promise<void> {
    await this.#ask('/tree/unlocked', { path, fid }, unlockedSchema);
  }

  async makeFolder(parent: string, name: string): Promise<TreeObject> {
    return (await this.#ask('/tree/folder', { parent, name }, treeAnswerSchema)).object;
  }

  async makeLink(parent: string, name: string, target: string): Promise<TreeObject> {
    return (await this.#ask('/tree/link', { parent, name, target }, treeAnswerSchema)).object;
  }

  /** Stores `bytes` whole; what they fail with goes on, and nothing is changed. */
  async put(file: NewFile, bytes: AsyncIterable<Uint8Array>): Promise<TreeObject> {
    const { length, modified, replaces, ...place } = file;
    const query = new URLSearchParams({
      user: this.#user,
      ...place,
      length: String(length),
      modified: String(modified),
      replaces: replaces?.version ?? '',
      file: replaces?.fid ?? '',
    });
    const sum = new ContentsDigest();
    const summed = async function* (): AsyncGenerator<Uint8Array> {
      for await (const chunk of bytes) {
        sum.add(chunk);
        yield chunk;
      }
    };
    const reply = await listable(uploadToDoor(this.#folder, `/tree/put?${query}`, summed()));
    const { object } = valueOf(reply, treeAnswerSchema);
    if (object.digest === sum.end()) return object;
    throw new TreeRefusal(
      'damaged',
      'the share holds other bytes than were sent; copy it again with --replace',
    );
  }

  async setAttributes(
    fid: string,
    attributes: { readonly modified?: number; readonly properties?: Readonly<Record<string, string>> },
  ): Promise<TreeObject> {
    return (await this.#ask('/tree/attributes', { fid, ...attributes }, treeAnswerSchema)).object;
  }

  /** What of these volumes waits at the gateway for the servers. */
  async pending(volumes: readonly string[]): Promise<PendingState> {
    return pendingStateSchema.parse(
      await callControlDoor(this.#folder, 'POST', '/tree/pending', { volumes }),
    );
  }

  async #ask<T>(route: string, order: object, schema: z.ZodType<T>): Promise<Answer<T>> {
    const body = { user: this.#user, ...order };
    return valueOf(await listable(callControlDoor(this.#folder, 'POST', route, body)), schema);
  }

  async *#download(route: string, order: object): AsyncGenerator<Uint8Array> {
    const body = { user: this.#user, ...order };
    yield* streamed(() => downloadFromDoor(this.#folder, route, body, systemClock()));
  }
}

/** Bytes out of a door; what it refuses is a TreeRefusal. */
export async function* streamed(open: () => Promise<AsyncIterable<Uint8Array>>): AsyncGenerator<Uint8Array> {
  const iterator = (await listable(open()))[Symbol.asyncIterator]();
  try {
    for (
      let next = await listable(iterator.next());
      next.done !== true;
      next = await listable(iterator.next())
    ) {
      yield next.value;
    }
  } finally {
    await iterator.return?.();
  }
}

type Answer<T> = Exclude<T, { readonly failure: unknown }>;

export function valueOf<T>(reply: unknown, schema: z.ZodType<T>): Answer<T> {
  const answer = schema.parse(reply);
  if (isFailed(answer)) throw new TreeRefusal(answer.failure.kind, answer.failure.message);
  return answer as Answer<T>;
}

function isFailed(answer: unknown): answer is { failure: { kind: string; message: string } } {
  return typeof answer === 'object' && answer !== null && 'failure' in answer;
}

/** What the door refuses is about this one object; that it does not answer is about all. */
export async function listable<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof OperatorError) || error.kind !== 'refused') throw error;
    throw new TreeRefusal('door', error.message);
  }
}
