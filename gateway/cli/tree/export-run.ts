/**
 * A tree of the share copied out of it: into a folder (folder-sink.ts), or into a tar (tar-sink.ts).
 *
 * EX-1  Nothing is dropped in silence: what is not copied is in the report, with why.
 * EX-2  What is written is a version of the file that the share told of, whole: its bytes have its digest.
 */
import type { TreeObject } from '../../realm/tree-object.js';
import type { Lanes } from './lanes.js';
import { reasonOf } from './refusal.js';
import { TreeRefusal, type ShareEntry, type ShareTree } from './share-tree.js';
import type { TreeProgress } from './tree-progress.js';
import type { TreeReport } from './tree-report.js';

/** What becomes of one object. */
export type Placed = 'copied' | 'same';

/** Where an exported tree goes; paths are names from its root. A TreeRefusal is about that object alone. */
export interface TreeSink {
  /** How many files may come at a time. */
  readonly lanes: number;
  /** Before all that is in it. `names`: of all that will come. @throws TreeRefusal: then nothing that is in it comes */
  folder(path: readonly string[], object: TreeObject, names: ReadonlySet<string>): Promise<Placed>;
  /** `bytes` is read at most once, and fails when it is not whole; then nothing is there. */
  file(path: readonly string[], object: TreeObject, bytes: AsyncIterable<Uint8Array>): Promise<Placed>;
  link(path: readonly string[], object: TreeObject): Promise<Placed>;
  /** After all that is in it. */
  leave(path: readonly string[], object: TreeObject): Promise<void>;
  /** After everything; only then it is whole. */
  end(): Promise<void>;
  /** Instead of `end`: gives up what is not whole. Idempotent. */
  abort(): Promise<void>;
}

export interface ExportWorld {
  readonly share: ShareTree;
  readonly sink: TreeSink;
  readonly report: TreeReport;
  readonly progress: TreeProgress;
  readonly lanes: Lanes;
}

/** A file that somebody goes on changing is tried so often. */
const attempts = 3;

export class ExportRun {
  readonly #world: ExportWorld;

  constructor(world: ExportWorld) {
    this.#world = world;
  }

  /** Copies all below the folder `top`. @throws what ended it before all was looked at */
  async run(top: TreeObject): Promise<void> {
    const { sink, lanes } = this.#world;
    try {
      await this.#folder([], top);
      await lanes.idle();
      await sink.end();
    } catch (error) {
      lanes.fail(error);
      await lanes.idle().catch(() => undefined);
      await sink.abort();
      throw error;
    }
  }

  async #folder(path: readonly string[], object: TreeObject): Promise<void> {
    const { share, sink, report, lanes } = this.#world;
    lanes.check();
    const placed = await this.#listed(path, async () => {
      const entries = await sorted(share.list(object.fid));
      const names = new Set(entries.map(({ name }) => name));
      return { entries, how: await sink.folder(path, object, names) };
    });
    if (placed === undefined) return;
    if (path.length > 0) (placed.how === 'copied' ? report.copied : report.passedOver).folders += 1;
    const open = new Set<Promise<void>>();
    const folders: ShareEntry[] = [];
    for (const entry of placed.entries) {
      if (entry.object.kind === 'directory') {
        folders.push(entry);
        continue;
      }
      const { over } = await lanes.start(() => this.#leaf([...path, entry.name], entry.object));
      open.add(over);
      void over.then(() => open.delete(over));
    }
    for (const { name, object: inner } of folders) await this.#folder([...path, name], inner);
    lanes.after([...open], async () => {
      await this.#listed(path, () => sink.leave(path, object));
    });
  }

  async #leaf(path: readonly string[], object: TreeObject): Promise<void> {
    const { sink, report, progress } = this.#world;
    if (object.kind === 'symlink') {
      const placed = await this.#listed(path, () => sink.link(path, object));
      if (placed !== undefined) (placed === 'copied' ? report.copied : report.passedOver).links += 1;
      return;
    }
    const done = await this.#listed(path, () => this.#file(path, object));
    if (done === undefined) return progress.fileDone(object.length);
    const tally = done.placed === 'copied' ? report.copied : report.passedOver;
    tally.files += 1;
    tally.bytes += done.length;
    progress.fileDone(done.placed === 'copied' ? 0 : done.length);
  }

  /** The newest version of the file, if it changes on the way. */
  async #file(
    path: readonly string[],
    object: TreeObject,
  ): Promise<{ readonly placed: Placed; readonly length: number }> {
    const { share, sink, progress, lanes } = this.#world;
    let version = object;
    for (let attempt = 1; ; attempt += 1) {
      const bytes = progress.count(share.read(version), () => lanes.check());
      try {
        return { placed: await sink.file(path, version, bytes), length: version.length };
      } catch (error) {
        lanes.check();
        if (!(error instanceof TreeRefusal) || attempt === attempts) throw error;
        const now = await share.status(object.fid);
        if (now.version === version.version) throw error;
        version = now;
      }
    }
  }

  /** What `work` comes to; undefined: it is in the report why not. */
  async #listed<T>(path: readonly string[], work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      // Broken off: that is no word about this object.
      this.#world.lanes.check();
      this.#world.report.refuse(path.join('/') || '.', reasonOf(error));
      return undefined;
    }
  }
}

/** Files and bytes below `top`, counted as they will be copied. */
export async function countShare(
  share: ShareTree,
  top: TreeObject,
  check: () => void,
): Promise<{ files: number; bytes: number }> {
  const count = { files: 0, bytes: 0 };
  const folders = [top.fid];
  for (let next = folders.pop(); next !== undefined; next = folders.pop()) {
    check();
    try {
      for await (const { object } of share.list(next)) {
        if (object.kind === 'directory') folders.push(object.fid);
        if (object.kind !== 'file') continue;
        count.files += 1;
        count.bytes += object.length;
      }
    } catch (error) {
      // What cannot be listed is told when it is copied.
      if (!(error instanceof TreeRefusal)) throw error;
    }
  }
  return count;
}

async function sorted(entries: AsyncIterable<ShareEntry>): Promise<readonly ShareEntry[]> {
  const all: ShareEntry[] = [];
  for await (const entry of entries) all.push(entry);
  return all.sort((a, b) => (a.name < b.name ? -1 : 1));
}
