/** What a MemoryVenus says of its cache: it has everything, and nothing ever goes. */
import { Failure, type Fid } from '../../vice/interface/index.js';
import type { CacheControl, CachedContents, CacheState } from '../interface.js';
import type { MemoryTree } from './memory-tree.js';

const configured = 2 ** 30;

export class MemoryCache implements CacheControl {
  readonly #tree: MemoryTree;
  readonly #hoarded: (fid: Fid) => number;
  #limit = configured;

  constructor(tree: MemoryTree, hoarded: (fid: Fid) => number) {
    this.#tree = tree;
    this.#hoarded = hoarded;
  }

  async state(): Promise<CacheState> {
    const files = this.#files();
    const bytes = files.reduce((sum, { length }) => sum + length, 0);
    return { limitBytes: this.#limit, bytes, files: files.length, diskBytes: 2 ** 40 };
  }

  async *contents(): AsyncGenerator<readonly CachedContents[]> {
    yield this.#files().sort((a, b) => a.priority - b.priority);
  }

  async setLimit(bytes: number | null): Promise<void> {
    if (bytes !== null && !(Number.isSafeInteger(bytes) && bytes >= 1024 * 1024)) {
      throw new Failure('invalid', 'memory.cache', 'a cache has at least 1 MiB');
    }
    this.#limit = bytes ?? configured;
  }

  #files(): CachedContents[] {
    return [...this.#tree.statuses()].flatMap(({ fid, data }) => {
      if (data === null || data.length === 0) return [];
      const hoard = this.#hoarded(fid);
      const stay = hoard >= 1000 ? 'sticky' : null;
      const { digest, length } = data;
      return [{ path: this.#tree.namesTo(fid), digest, length, priority: 75 * hoard, hoard, stay }];
    });
  }
}
