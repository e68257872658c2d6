/** Snapshots in memory: full copies of the tree, taken when a test says so. */
import { Failure, type Fid, type FileData } from '../../vice/interface/index.js';
import type { Caller, Entry, ObjectStatus, OpenFile, Snapshots, SnapshotSeen } from '../interface.js';
import { seenByFid, viewOf } from './memory-names.js';
import type { MemoryTree } from './memory-tree.js';

/** The tree as it is now, and its contents. */
type Source = readonly [MemoryTree, (data: FileData | null) => Uint8Array];

interface Copy extends SnapshotSeen {
  readonly tree: MemoryTree;
  readonly contents: ReadonlyMap<Fid, Uint8Array>;
}

export class MemorySnapshots implements Snapshots {
  /** Whether servers can be asked. */
  isReachable = true;
  readonly #source: () => Source;
  readonly #copies: Copy[] = [];

  constructor(source: () => Source) {
    this.#source = source;
  }

  take(name: string, time: number): void {
    const [living, bytesOf] = this.#source();
    const tree = living.fork('00000000000000ff');
    const contents = new Map([...tree.statuses()].map(({ fid, data }) => [fid, bytesOf(data)]));
    this.#copies.push({ name, time, tree, contents });
  }

  list(): Promise<readonly SnapshotSeen[]> {
    return this.#ask(() => this.#copies.map(({ name, time }) => ({ name, time })));
  }

  status(_: Caller, snapshot: string, path: readonly string[]): Promise<ObjectStatus | null> {
    return this.#ask(() => {
      const found = this.#walk(snapshot, path);
      return found === undefined ? null : view(found);
    });
  }

  entries(_: Caller, snapshot: string, path: readonly string[]): Promise<readonly Entry[]> {
    return this.#ask(() => {
      const { copy, fid: directory } = this.#required(snapshot, path);
      return copy.tree.entries(directory).map(({ name, fid }) => ({ name, status: view({ copy, fid }) }));
    });
  }

  open(_: Caller, snapshot: string, path: readonly string[]): Promise<OpenFile> {
    return this.#ask(() => {
      const found = this.#required(snapshot, path);
      const bytes = found.copy.contents.get(found.fid) ?? new Uint8Array();
      return {
        status: view(found),
        async *read(start = 0, end = bytes.length) {
          yield bytes.subarray(start, end);
        },
        close: () => Promise.resolve(),
      };
    });
  }

  async #ask<T>(answer: () => T): Promise<T> {
    if (!this.isReachable) throw new Failure('unreachable', 'memory.snapshots', 'nobody to ask');
    return answer();
  }

  #required(snapshot: string, path: readonly string[]): Found {
    const found = this.#walk(snapshot, path);
    if (found !== undefined) return found;
    throw new Failure('not-found', 'memory.snapshots', 'there was nothing of this name');
  }

  #walk(snapshot: string, path: readonly string[]): Found | undefined {
    const copy = this.#copies.find(({ name }) => name === snapshot);
    let fid = copy?.tree.root;
    for (const name of path) fid = fid && copy?.tree.entry(fid, name)?.fid;
    return copy && fid && { copy, fid };
  }
}

interface Found {
  readonly copy: Copy;
  readonly fid: Fid;
}

function view({ copy: { tree }, fid }: Found): ObjectStatus {
  return { ...viewOf(tree, seenByFid(tree, fid, 'snapshots')), conflict: null };
}
