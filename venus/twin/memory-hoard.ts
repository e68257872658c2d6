/**
 * The hoard of a MemoryVenus: entries that follow their objects at each walk. All that is there is in memory, so
 * nothing is ever missing but what a test says is.
 */
import { Failure, nameFault, type Fid } from '../../vice/interface/index.js';
import type {
  CacheControl,
  HoardChange,
  HoardCommand,
  HoardEntry,
  Hoarding,
  HoardState,
  MissingObject,
  MissingReason,
  Opened,
  Walked,
} from '../interface.js';
import { MemoryCache } from './memory-cache.js';
import type { MemoryTree } from './memory-tree.js';

interface Remembered extends HoardEntry {
  readonly fid: Fid | null;
}

export class MemoryHoard implements Hoarding {
  readonly cache: CacheControl;
  readonly #tree: MemoryTree;
  readonly #wall: () => number;
  readonly #enter: (operation: 'walk') => Promise<void>;
  readonly #listeners = new Set<(opened: Opened) => void>();
  readonly #lacking = new Map<Fid, MissingReason>();
  #entries: readonly Remembered[] = [];
  #periodic = true;
  #lastWalk: number | null = null;
  #walking = false;

  constructor(tree: MemoryTree, wall: () => number, enter: (operation: 'walk') => Promise<void>) {
    this.#tree = tree;
    this.#wall = wall;
    this.#enter = enter;
    this.cache = new MemoryCache(tree, (fid) => this.#worth().get(fid)?.priority ?? 0);
  }

  /** As if a file were not cached, for this reason; null: it is. */
  lack(fid: Fid, reason: MissingReason | null): void {
    if (reason === null) this.#lacking.delete(fid);
    else this.#lacking.set(fid, reason);
  }

  entries(user: string | null): readonly HoardEntry[] {
    return this.#of(user).map(({ fid: _fid, ...entry }) => entry);
  }

  async apply(user: string, commands: readonly HoardCommand[]): Promise<HoardChange> {
    let entries = this.#entries;
    const change = { added: 0, removed: 0 };
    const without = (path: readonly string[]): readonly Remembered[] =>
      entries.filter((each) => each.user !== user || each.path.join('/') !== path.join('/'));
    for (const command of commands) {
      const count = entries.length;
      if (command.command === 'clear') entries = entries.filter((entry) => entry.user !== user);
      else if (command.command === 'delete') entries = without(command.path);
      if (command.command !== 'add') {
        change.removed += count - entries.length;
        continue;
      }
      for (const entry of this.#added(user, command)) {
        entries = [...without(entry.path), entry];
        change.added += 1;
      }
    }
    this.#entries = entries;
    return change;
  }

  async walk(): Promise<Walked> {
    this.#walking = true;
    await this.#enter('walk').finally(() => (this.#walking = false));
    this.#lastWalk = this.#wall();
    this.#entries = this.#entries.map((entry) => {
      const named = this.#find(entry.path);
      if (named !== null) return { ...entry, fid: named };
      const path = entry.fid === null ? null : this.#tree.namesTo(entry.fid);
      return path === null ? entry : { ...entry, path };
    });
    const worth = this.#worth();
    const files = [...worth.keys()].flatMap((fid) => this.#tree.status(fid)?.data ?? []);
    const bytes = files.reduce((sum, { length }) => sum + length, 0);
    const missing = [...worth.keys()].filter((fid) => this.#lacking.has(fid)).length;
    return { objects: worth.size, bytes, fetchedObjects: 0, fetchedBytes: 0, missing };
  }

  async setPeriodic(periodic: boolean): Promise<void> {
    this.#periodic = periodic;
  }

  state(): HoardState {
    const none = { objects: 0, doneObjects: 0, bytes: 0, doneBytes: 0, left: null };
    return {
      periodic: this.#periodic,
      entries: this.#entries.length,
      walk: this.#walking ? { phase: 'status', ...none } : null,
      lastWalk: this.#lastWalk,
    };
  }

  async *verify(user: string | null): AsyncGenerator<readonly MissingObject[]> {
    for (const entry of this.#of(user)) {
      if (this.#find(entry.path) !== null) continue;
      yield [
        { user: entry.user, path: entry.path, priority: entry.priority, length: 0, reason: 'not-found' },
      ];
    }
    for (const [fid, entry] of this.#worth(user)) {
      const reason = this.#lacking.get(fid);
      if (reason === undefined) continue;
      const path = this.#tree.namesTo(fid) ?? [];
      const length = this.#tree.status(fid)?.data?.length ?? 0;
      yield [{ user: entry.user, path, priority: entry.priority, length, reason }];
    }
  }

  watchOpens(listener: (opened: Opened) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  opened(user: string, fid: Fid): void {
    for (const listener of this.#listeners) listener({ user, path: this.#tree.namesTo(fid) });
  }

  #of(user: string | null): readonly Remembered[] {
    const own = this.#entries.filter((entry) => user === null || entry.user === user);
    return own.toSorted((a, b) => b.priority - a.priority);
  }

  #added(
    user: string,
    { path, priority, attributes }: Extract<HoardCommand, { command: 'add' }>,
  ): readonly Remembered[] {
    if (path.some((name) => nameFault(name) !== undefined) || !(priority >= 1 && priority <= 1000)) {
      throw new Failure('invalid', 'memory.hoard', 'a path and a priority from 1 to 1000 are needed');
    }
    const lasting = attributes === 'c+' || attributes === 'd+' ? attributes : '';
    const fid = this.#find(path);
    const first: Remembered = { user, path, priority, attributes: lasting, fid };
    if (attributes !== 'c' && attributes !== 'd') return [first];
    if (fid === null) throw new Failure('not-found', 'memory.hoard', `there is no ${path.join('/')}`);
    const depth = attributes === 'c' ? 1 : Infinity;
    const below = this.#below(fid, depth).map((each) => {
      return { ...first, path: this.#tree.namesTo(each) ?? [], fid: each };
    });
    return [first, ...below];
  }

  #find(path: readonly string[]): Fid | null {
    let at: Fid | null = this.#tree.root;
    for (const name of path) at = at === null ? null : (this.#tree.entry(at, name)?.fid ?? null);
    return at;
  }

  #below(fid: Fid, depth: number): readonly Fid[] {
    if (depth === 0) return [];
    return this.#tree.entries(fid).flatMap((entry) => [entry.fid, ...this.#below(entry.fid, depth - 1)]);
  }

  /** What is hoarded, each with the entry of the highest priority. */
  #worth(user: string | null = null): ReadonlyMap<Fid, HoardEntry> {
    const worth = new Map<Fid, HoardEntry>();
    for (const entry of this.#of(user)) {
      const fid = this.#find(entry.path);
      if (fid === null) continue;
      const depth = entry.attributes === 'd+' ? Infinity : entry.attributes === 'c+' ? 1 : 0;
      for (const each of [fid, ...this.#below(fid, depth)]) if (!worth.has(each)) worth.set(each, entry);
    }
    return worth;
  }
}
