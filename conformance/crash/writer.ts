/**
 * A writer: makes change after change in folders of its own, one at a time, and keeps account of what was
 * acknowledged.
 *
 * It works in one folder until a change goes without an answer; that folder then has two possible worlds, and
 * the writer begins a new one. A put without an answer is tried again, with other contents, as a user would:
 * once that is acknowledged the folder has one possible world again, in which the contents of the first put
 * must never appear.
 */
import type { WebdavClient } from '../webdav-client.js';
import { markNamespace } from './folder-reader.js';
import { mixedLengths, nextStep, put, type Lengths, type Step } from './generator.js';
import type { Seeded } from './seeded.js';
import { apply, emptyWorld, type Change, type World } from './world.js';

export interface Folder {
  /** From the share's root; has no characters to be escaped. */
  readonly path: string;
  /** What it may hold; undefined: that it does not exist. */
  worlds: readonly (World | undefined)[];
  /** What was tried in it, when (seconds of the writer's life) and what came of it, for the report. */
  readonly history: string[];
  /** It was compared, where the servers have it, since the last change in it. */
  proven: boolean;
}

type Outcome =
  | { readonly kind: 'done' }
  /** No answer, or one that leaves open whether it was done. */
  | { readonly kind: 'unknown' }
  /** An answer that says it was not done, to a change that was possible. */
  | { readonly kind: 'refused'; readonly answer: string };

const stepsPerFolder = 40;
const mostTries = 2_000;
const pauseMs = 20;
const clearedAtOnce = 2;

export class Writer {
  readonly folders: Folder[] = [];
  /** Changes that were acknowledged, and that had no answer. */
  acknowledged = 0;
  unknown = 0;
  /** Milliseconds of the slowest acknowledged change. */
  slowest = 0;
  /** What must not happen, seen while working. */
  readonly faults: string[] = [];
  /** Answers of the kind "not now" (5xx): none may come where the gateway can do its work alone. */
  readonly unavailable: string[] = [];
  readonly #client: WebdavClient;
  readonly #name: string;
  readonly #seeded: Seeded;
  readonly #lengths: Lengths;
  #stopping = false;
  #pause: Pause | undefined;

  constructor(client: WebdavClient, name: string, seeded: Seeded, lengths: Lengths = mixedLengths) {
    this.#client = client;
    this.#name = name;
    this.#seeded = seeded;
    this.#lengths = lengths;
  }

  /** Works until `stop`. */
  async run(): Promise<void> {
    while (!this.#stopping) {
      const folder: Folder = {
        path: `/${this.#name}-${this.folders.length}`,
        worlds: [undefined],
        history: [],
        proven: false,
      };
      this.folders.push(folder);
      await this.#workIn(folder);
      await this.#clear();
    }
  }

  stop(): void {
    this.#stopping = true;
    this.resume();
  }

  /** Makes no further change until `resume`; resolves when the one under way has its outcome. */
  async pause(): Promise<void> {
    if (this.#stopping) return;
    this.#pause ??= new Pause();
    await this.#pause.reached;
  }

  resume(): void {
    this.#pause?.end();
    this.#pause = undefined;
  }

  /** The folders in which it does not work any more. */
  get finished(): readonly Folder[] {
    return this.#stopping ? this.folders : this.folders.slice(0, -1);
  }

  async #workIn(folder: Folder): Promise<void> {
    const made = await this.#make(folder, emptyWorld, {
      change: { kind: 'mkcol', path: '' },
      body: undefined,
    });
    let world: World | undefined = made ? emptyWorld : undefined;
    for (let count = 0; count < stepsPerFolder && world !== undefined && !this.#stopping; count += 1) {
      const step = nextStep(world, this.#seeded, this.#lengths);
      const after = apply(world, step.change);
      if (await this.#make(folder, after, step)) world = after;
      else if (step.change.kind === 'put') world = await this.#putAgain(folder, world, step.change.path);
      else world = undefined;
    }
  }

  /** Deletes the oldest folders that were proven, so that a realm that is killed for hours does not only grow. */
  async #clear(): Promise<void> {
    const isThere = ({ worlds }: Folder): boolean => worlds.every((world) => world !== undefined);
    const old = this.folders.filter((folder) => folder.proven && isThere(folder));
    for (const folder of old.slice(0, clearedAtOnce)) {
      await this.#make(folder, undefined, { change: { kind: 'delete', path: '' }, body: undefined });
    }
  }

  /** Makes one change that ends in `after`; whether it was acknowledged. `folder.worlds` says what may be now. */
  async #make(folder: Folder, after: World | undefined, step: Step): Promise<boolean> {
    await this.#pause?.wait();
    // One that waited until the end has made nothing.
    if (this.#stopping) return false;
    folder.proven = false;
    const started = performance.now();
    const outcome = await this.#send(folder.path, step);
    const [begun, ended] = [started, performance.now()].map((at) => (at / 1000).toFixed(1));
    folder.history.push(`${begun}-${ended} ${describe(folder, step.change)}: ${outcome.kind}`);
    if (outcome.kind === 'done') {
      this.acknowledged += 1;
      this.slowest = Math.max(this.slowest, performance.now() - started);
      folder.worlds = [after];
      return true;
    }
    if (outcome.kind === 'refused') {
      this.faults.push(`${describe(folder, step.change)} was possible, but answered ${outcome.answer}`);
      return false;
    }
    this.unknown += 1;
    folder.worlds = [...folder.worlds, after];
    await pause(pauseMs);
    return false;
  }

  /**
   * Puts other contents to `path` until that is acknowledged; the world then, or undefined when it cannot be.
   */
  async #putAgain(folder: Folder, world: World, path: string): Promise<World | undefined> {
    for (let count = 0; count < mostTries && !this.#stopping; count += 1) {
      const step = put(path, this.#seeded, this.#lengths);
      const faults = this.faults.length;
      const after = apply(world, step.change);
      if (await this.#make(folder, after, step)) return after;
      if (this.faults.length > faults) return undefined;
    }
    return undefined;
  }

  async #send(folder: string, step: Step): Promise<Outcome> {
    const { method, path, headers, body } = this.#request(folder, step);
    for (let count = 0; count < mostTries; count += 1) {
      try {
        const options = { headers, timeoutMs: 30_000, ...(body !== undefined && { body }) };
        const reply = await this.#client.request(method, path, options);
        const text = `${reply.status} ${reply.body.toString('utf8', 0, 300)}`;
        if (reply.status === 207) {
          return / 200 /.test(text) ? { kind: 'done' } : { kind: 'refused', answer: text };
        }
        if (reply.status < 300) return { kind: 'done' };
        if (reply.status < 500) return { kind: 'refused', answer: text };
        this.unavailable.push(`${method} ${path}: ${text}`);
        return { kind: 'unknown' };
      } catch (error) {
        if (error instanceof Error && error.name === 'TimeoutError') {
          this.faults.push(`${method} ${path} had no answer in 30 s`);
        }
        // Nobody listened, so nothing was done; any other break may have come after the request.
        if (!isRefused(error)) return { kind: 'unknown' };
        if (this.#stopping) return { kind: 'unknown' };
      }
      await pause(pauseMs);
    }
    return { kind: 'unknown' };
  }

  #request(folder: string, { change, body }: Step) {
    const path = escape(folder, change.path);
    const headers: Record<string, string> = {};
    switch (change.kind) {
      case 'put':
        return { method: 'PUT', path, headers, body };
      case 'mkcol':
        return { method: 'MKCOL', path, headers, body };
      case 'delete':
        return { method: 'DELETE', path, headers, body };
      case 'move':
        headers['destination'] = this.#client.absolute(escape(folder, change.to));
        return { method: 'MOVE', path, headers, body };
      case 'proppatch': {
        headers['content-type'] = 'application/xml';
        const mark = `<M:mark xmlns:M="${markNamespace}">${change.mark}</M:mark>`;
        const set = `<D:set><D:prop>${mark}</D:prop></D:set>`;
        const update = `<D:propertyupdate xmlns:D="DAV:">${set}</D:propertyupdate>`;
        return { method: 'PROPPATCH', path, headers, body: Buffer.from(update) };
      }
    }
  }
}

/** A place where a writer waits. */
class Pause {
  /** It stands there. */
  readonly reached: Promise<void>;
  end: () => void = () => undefined;
  #reach: () => void = () => undefined;
  readonly #ended: Promise<void>;

  constructor() {
    this.reached = new Promise((resolve) => (this.#reach = resolve));
    this.#ended = new Promise((resolve) => (this.end = resolve));
  }

  wait(): Promise<void> {
    this.#reach();
    return this.#ended;
  }
}

function escape(folder: string, path: string): string {
  if (path === '') return folder;
  return `${folder}/${path.split('/').map(encodeURIComponent).join('/')}`;
}

/** A change as people read it in reports. */
export function describe(folder: Pick<Folder, 'path'>, change: Change): string {
  const to = change.kind === 'move' ? ` to ${change.to}` : '';
  return `${change.kind} ${folder.path}/${change.path}${to}`;
}

function isRefused(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ECONNREFUSED';
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
