/**
 * The names of cached directories: rows `e/<directory>/<name>`, in memory those of directories in use.
 *
 * A directory may have a hundred thousand names. Whatever touches all of them does so some at a time, and what is
 * bound or unbound meanwhile is not lost (DN-1); a single name is looked up without the others.
 *
 * DN-1  What is in memory of a directory is what its rows say, all of it.
 * DN-2  Many names are put in place by several transactions: until the last one the directory's object must not say
 *       that it is complete, or say that it is stale.
 * DN-3  A row that is damaged is forgotten: its directory's names are told to be not all there.
 */
import {
  intact,
  noNames,
  parseFid,
  seal,
  toggledName,
  type DirectoryEntry,
  type Fid,
} from '../../vice/interface/index.js';
import type { WriteBuffer } from '../store/write-buffer.js';
import { RecentMap } from './recent-map.js';

const hotNames = 1_000_000;
/** Names that are read or written in one turn of the event loop: about 2 ms. */
const turnNames = 200;
/** Names that may be ahead of the disk: what it has to take in one turn is bounded by them. */
const writtenNames = 10 * turnNames;
/** Names that are only compared in one turn. */
const turnCompared = 10_000;
/** Names whose digest is worked out in one turn. */
const turnDigested = 2000;
/** More changes than this are as good as all names anew. */
export const fewNames = turnNames;
export type Names = Map<string, DirectoryEntry>;

/** A name that comes, or (null) goes. */
export interface NameChange {
  readonly name: string;
  readonly entry: DirectoryEntry | null;
}

/** Told of the names that come and go. */
export interface NameListener {
  /** A row of the directory was damaged, and is gone. */
  readonly lost: (directory: Fid, name: string, key: string) => void;
  /** `before`: what has borne the name. */
  readonly come: (directory: Fid, entry: DirectoryEntry, before: DirectoryEntry | undefined) => void;
  readonly gone: (directory: Fid, entry: DirectoryEntry) => void;
}

export interface Replacement {
  readonly pause: () => Promise<void>;
  /** Whether these are still the names that the directory shall have. */
  readonly isDue: () => boolean;
  /** More has to be written than fits into one transaction (DN-2). */
  readonly onMany: () => void;
  /** In the turn, and so in the transaction, of the last name. */
  readonly onDone: () => void;
}

/** What others do to the names of a directory while many of them are on their way. */
interface Meanwhile {
  /** null: unbound. */
  readonly changes: Map<string, DirectoryEntry | null>;
  /** All names that were there before `changes` are gone. */
  isDropped: boolean;
}

export class DirectoryNames {
  readonly #buffer: WriteBuffer;
  readonly #listener: NameListener;
  readonly #hot = new RecentMap<Fid, Names>(hotNames, (names) => names.size + 1);
  readonly #loads = new Map<Fid, Promise<void>>();
  readonly #watched = new Map<Fid, Set<Meanwhile>>();
  /** Of names in memory; kept up once it has been asked for. */
  readonly #digests = new WeakMap<Names, string>();

  constructor(buffer: WriteBuffer, listener: NameListener) {
    this.#buffer = buffer;
    this.#listener = listener;
  }

  isLoaded(directory: Fid): boolean {
    return this.#hot.get(directory) !== undefined;
  }

  /** Brings the names into memory, some at a time. */
  load(directory: Fid, pause: () => Promise<void>): Promise<void> {
    const running = this.#loads.get(directory);
    if (running !== undefined) return running;
    const load = this.#load(directory, pause).finally(() => this.#loads.delete(directory));
    this.#loads.set(directory, load);
    return load;
  }

  /** All names; those that are not in memory are read in this turn. */
  all(directory: Fid): Names {
    const hot = this.#hot.get(directory);
    if (hot !== undefined) return hot;
    const names: Names = new Map();
    const lost: string[] = [];
    for (const { key, value } of this.#buffer.scan(prefixOf(directory))) {
      const entry = entryOf(directory, key, value);
      if (entry === undefined) lost.push(key);
      else names.set(entry.name, entry);
    }
    this.#hot.set(directory, names);
    for (const key of lost) this.#forget(directory, key);
    return names;
  }

  entry(directory: Fid, name: string): DirectoryEntry | undefined {
    const hot = this.#hot.get(directory);
    if (hot !== undefined) return hot.get(name);
    const key = `${prefixOf(directory)}${name}`;
    const value = this.#buffer.get(key);
    const entry = value && entryOf(directory, key, value);
    if (value === undefined || entry !== undefined) return entry;
    this.#forget(directory, key);
    // Whoever heard of it may know the name.
    const known = this.#buffer.get(key);
    return known && entryOf(directory, key, known);
  }

  isEmpty(directory: Fid): boolean {
    const hot = this.#hot.get(directory);
    if (hot !== undefined) return hot.size === 0;
    for (const _ of this.#buffer.scan(prefixOf(directory), 1)) return false;
    return true;
  }

  /**
   * The digest of the names in memory, worked out from them: the object's own word for it is of no use where a crash
   * has left some of them behind (DN-2). undefined: they are not in memory, or somebody changes them just now.
   */
  async digest(directory: Fid, pause: () => Promise<void>): Promise<string | undefined> {
    const names = this.#hot.get(directory);
    if (names === undefined || this.#digests.has(names)) return names && this.#digests.get(names);
    const meanwhile = this.#watch(directory);
    try {
      let [digest, turn] = [noNames, 0];
      for (const { fid, name } of names.values()) {
        digest = toggledName(digest, fid, name);
        if ((turn += 1) % turnDigested === 0) await pause();
      }
      if (meanwhile.changes.size > 0 || this.#hot.get(directory) !== names) return undefined;
      this.#digests.set(names, digest);
      return digest;
    } finally {
      this.#unwatch(directory, meanwhile);
    }
  }

  /** The same, if it is worked out already. */
  knownDigest(directory: Fid): string | undefined {
    const names = this.#hot.get(directory);
    return names && this.#digests.get(names);
  }

  /** Carries out a few changes in one turn. */
  change(directory: Fid, changes: readonly NameChange[]): void {
    if (changes.length > fewNames) throw new Error(`${changes.length} names at once`);
    for (const { name, entry } of changes) this.#change(directory, name, entry);
  }

  bind(directory: Fid, entry: DirectoryEntry): void {
    this.#put(directory, entry);
  }

  unbind(directory: Fid, name: string): void {
    this.#remove(directory, name);
  }

  /**
   * Makes `entries` the names of `directory`, some at a time. False: somebody bound or unbound one meanwhile, which
   * holds, or it is not due any more; then `onDone` was not called.
   */
  async replace(
    directory: Fid,
    entries: ReadonlyMap<string, DirectoryEntry>,
    { pause, isDue, onMany, onDone }: Replacement,
  ): Promise<boolean> {
    if (!this.isLoaded(directory)) await this.load(directory, pause);
    const meanwhile = this.#watch(directory);
    const isStill = (): boolean => meanwhile.changes.size === 0 && !meanwhile.isDropped && isDue();
    try {
      const changes = await this.#changes(directory, entries, pause);
      if (!isStill()) return false;
      if (changes.length > turnNames) onMany();
      for (let from = 0; from < changes.length; from += turnNames) {
        if (from > 0) await pause();
        if (from > 0 && from % writtenNames === 0) await this.#buffer.flush().catch(() => undefined);
        if (meanwhile.isDropped) return false;
        for (const { name, entry } of changes.slice(from, from + turnNames)) {
          if (!meanwhile.changes.has(name)) this.#change(directory, name, entry, meanwhile);
        }
      }
      if (!isStill()) return false;
      onDone();
      return true;
    } finally {
      this.#unwatch(directory, meanwhile);
    }
  }

  /** Forgets the names of a directory that is no more; the answer is what bore them. */
  drop(directory: Fid): readonly Fid[] {
    const rows = [...this.#buffer.scan(prefixOf(directory))];
    for (const { key } of rows) this.#buffer.remove(key);
    this.#hot.delete(directory);
    for (const meanwhile of this.#watched.get(directory) ?? []) {
      meanwhile.changes.clear();
      meanwhile.isDropped = true;
    }
    return rows.flatMap(({ key, value }) => entryOf(directory, key, value)?.fid ?? []);
  }

  async #load(directory: Fid, pause: () => Promise<void>): Promise<void> {
    const meanwhile = this.#watch(directory);
    try {
      const names: Names = new Map();
      let turn = 0;
      for (const { key, value } of this.#buffer.walk(prefixOf(directory))) {
        const entry = entryOf(directory, key, value);
        if (entry === undefined) this.#forget(directory, key);
        else names.set(entry.name, entry);
        if ((turn += 1) % turnNames === 0) await pause();
      }
      // Somebody could not wait and has read them all.
      if (this.isLoaded(directory)) return;
      if (meanwhile.isDropped) names.clear();
      for (const [name, entry] of meanwhile.changes) {
        if (entry === null) names.delete(name);
        else names.set(name, entry);
      }
      this.#hot.set(directory, names);
    } finally {
      this.#unwatch(directory, meanwhile);
    }
  }

  /** What makes the present names `entries`: first what goes. */
  async #changes(
    directory: Fid,
    entries: ReadonlyMap<string, DirectoryEntry>,
    pause: () => Promise<void>,
  ): Promise<readonly NameChange[]> {
    const before = this.all(directory);
    const changes: NameChange[] = [];
    let turn = 0;
    for (const name of before.keys()) {
      if (!entries.has(name)) changes.push({ name, entry: null });
      if ((turn += 1) % turnCompared === 0) await pause();
    }
    for (const entry of entries.values()) {
      if (before.get(entry.name)?.fid !== entry.fid) changes.push({ name: entry.name, entry });
      if ((turn += 1) % turnCompared === 0) await pause();
    }
    return changes;
  }

  /** DN-3. */
  #forget(directory: Fid, key: string): void {
    // Others may have written it anew, or found the damage as well.
    const value = this.#buffer.get(key);
    if (value === undefined || entryOf(directory, key, value) !== undefined) return;
    this.#buffer.remove(key);
    this.#listener.lost(directory, key.slice(prefixOf(directory).length), key);
  }

  #change(directory: Fid, name: string, entry: DirectoryEntry | null, by?: Meanwhile): void {
    const before = this.entry(directory, name);
    if (entry !== null) {
      this.#put(directory, entry, by);
      return this.#listener.come(directory, entry, before);
    }
    if (before === undefined) return;
    this.#remove(directory, name, by);
    this.#listener.gone(directory, before);
  }

  #put(directory: Fid, entry: DirectoryEntry, by?: Meanwhile): void {
    this.#buffer.put(`${prefixOf(directory)}${entry.name}`, seal([entry.fid, entry.kind]));
    this.#tell(directory, entry.name, entry, by);
    const hot = this.#hot.get(directory);
    if (hot === undefined) return;
    this.#toggle(hot, hot.get(entry.name), entry);
    hot.set(entry.name, entry);
    // It weighs more now.
    this.#hot.set(directory, hot);
  }

  #remove(directory: Fid, name: string, by?: Meanwhile): void {
    this.#buffer.remove(`${prefixOf(directory)}${name}`);
    this.#tell(directory, name, null, by);
    const hot = this.#hot.get(directory);
    if (hot === undefined) return;
    this.#toggle(hot, hot.get(name));
    hot.delete(name);
    this.#hot.set(directory, hot);
  }

  #toggle(names: Names, ...entries: readonly (DirectoryEntry | undefined)[]): void {
    const digest = this.#digests.get(names);
    if (digest === undefined) return;
    const toggled = entries.reduce(
      (all, entry) => (entry === undefined ? all : toggledName(all, entry.fid, entry.name)),
      digest,
    );
    this.#digests.set(names, toggled);
  }

  #watch(directory: Fid): Meanwhile {
    const meanwhile: Meanwhile = { changes: new Map(), isDropped: false };
    const watching = this.#watched.get(directory) ?? new Set();
    this.#watched.set(directory, watching.add(meanwhile));
    return meanwhile;
  }

  #unwatch(directory: Fid, meanwhile: Meanwhile): void {
    const watching = this.#watched.get(directory);
    watching?.delete(meanwhile);
    if (watching?.size === 0) this.#watched.delete(directory);
  }

  #tell(directory: Fid, name: string, entry: DirectoryEntry | null, by: Meanwhile | undefined): void {
    for (const meanwhile of this.#watched.get(directory) ?? []) {
      if (meanwhile !== by) meanwhile.changes.set(name, entry);
    }
  }
}

function prefixOf(directory: Fid): string {
  return `e/${directory}/`;
}

/** undefined: the row is damaged. */
function entryOf(directory: Fid, key: string, value: Uint8Array): DirectoryEntry | undefined {
  const row = intact(value);
  if (row === undefined) return undefined;
  const [fid, kind] = Array.isArray(row) ? (row as readonly unknown[]) : [];
  if (typeof fid !== 'string' || parseFid(fid) === undefined || !isKind(kind)) {
    throw new Error(`the row ${key} holds no name of a directory`);
  }
  return { name: key.slice(prefixOf(directory).length), fid: fid as Fid, kind };
}

function isKind(kind: unknown): kind is DirectoryEntry['kind'] {
  return kind === 'file' || kind === 'directory' || kind === 'symlink';
}
