/** Hoarding and the cache as gateways and people see them: a part of interface.ts. */

/**
 * What of a folder is meant: `c` its members as they are now, `d` all that is below it now; `c+` and `d+` also what is
 * there at each later walk. '' is the object alone.
 */
export type HoardAttributes = '' | 'c' | 'c+' | 'd' | 'd+';

export interface HoardEntry {
  readonly user: string;
  /** Names from the realm's root. Where the object was moved, the entry follows it. */
  readonly path: readonly string[];
  /** 1 to 1000, the highest, which nothing displaces. */
  readonly priority: number;
  readonly attributes: '' | 'c+' | 'd+';
}

export type HoardCommand =
  | {
      readonly command: 'add';
      readonly path: readonly string[];
      readonly priority: number;
      readonly attributes: HoardAttributes;
    }
  | { readonly command: 'delete'; readonly path: readonly string[] }
  | { readonly command: 'clear' };

export interface HoardChange {
  /** Entries added or changed, and entries taken away. */
  readonly added: number;
  readonly removed: number;
}

export interface WalkProgress {
  /** `status`: names and statuses are made valid; `data`: contents are fetched. */
  readonly phase: 'status' | 'data';
  /** Objects and bytes that shall be cached, and those that are, or cannot be. */
  readonly objects: number;
  readonly doneObjects: number;
  readonly bytes: number;
  readonly doneBytes: number;
  /** Milliseconds that it may still take; null: it cannot be told yet. */
  readonly left: number | null;
}

export interface Walked {
  /** Of all users together. */
  readonly objects: number;
  readonly bytes: number;
  /** What was fetched in this walk. */
  readonly fetchedObjects: number;
  readonly fetchedBytes: number;
  /** What shall be cached and is not. */
  readonly missing: number;
}

export interface HoardState {
  /** Whether it walks by itself, every ten minutes. */
  readonly periodic: boolean;
  readonly entries: number;
  /** Of the walk under way. */
  readonly walk: WalkProgress | null;
  /** Milliseconds since 1970 of the end of the last walk; null: none since the start. */
  readonly lastWalk: number | null;
}

/**
 * Why something is hoarded and not cached:
 * - `not-found`: there is no such object; `access-denied`: the user may not read it;
 * - `no-room`: the cache is full of what is worth more;
 * - `unreachable`: no server answers; `failed`: it could not be fetched;
 * - `not-walked`: it came up after the last walk.
 */
export type MissingReason =
  'not-found' | 'access-denied' | 'no-room' | 'unreachable' | 'failed' | 'not-walked';

export interface MissingObject {
  readonly user: string;
  /** Of the object, or, where nothing is there, of the entry. */
  readonly path: readonly string[];
  readonly priority: number;
  /** Bytes; 0 for what is not a file. */
  readonly length: number;
  readonly reason: MissingReason;
}

/** What is cached under one digest; it may be the contents of several files. */
export interface CachedContents {
  /** Of one of them; null: nothing that is cached has them any more. */
  readonly path: readonly string[] | null;
  readonly digest: string;
  readonly length: number;
  /** Up to 100,000: the lowest goes first. */
  readonly priority: number;
  readonly hoard: number;
  /** Why it never goes: it is open, the log needs it, or it is hoarded at 1000; null: it goes in its turn. */
  readonly stay: 'open' | 'logged' | 'sticky' | null;
}

export interface CacheState {
  readonly limitBytes: number;
  readonly bytes: number;
  readonly files: number;
  /** What the disk still has. */
  readonly diskBytes: number;
}

export interface Opened {
  readonly user: string;
  /** Null: it cannot be named. */
  readonly path: readonly string[] | null;
}

/** What people want to have when no server answers (Coda: hoard), and what the cache makes of it. */
export interface Hoarding {
  /** Of one user, or of all (null), by falling priority. */
  entries(user: string | null): readonly HoardEntry[];
  /**
   * All of the commands or none. What is not there may be added all the same; a later walk looks again.
   * @throws Failure invalid, unreachable (`c`, `d`), access-denied, busy (too many entries), no-space
   */
  apply(user: string, commands: readonly HoardCommand[]): Promise<HoardChange>;
  /** Joins a walk that is under way. Resolves when all is cached that can be. */
  walk(): Promise<Walked>;
  /** Whether it walks by itself; kept over restarts. */
  setPeriodic(periodic: boolean): Promise<void>;
  state(): HoardState;
  /** What of the hoard of one user, or of all (null), is not cached, and why; as far as is known without asking. */
  verify(user: string | null): AsyncIterable<readonly MissingObject[]>;
  readonly cache: CacheControl;
  /** Tells what is opened from now on, until the result is called. */
  watchOpens(listener: (opened: Opened) => void): () => void;
}

export interface CacheControl {
  state(): Promise<CacheState>;
  /** What goes first comes first; what never goes is last. */
  contents(): AsyncIterable<readonly CachedContents[]>;
  /** Kept over restarts; null: as it is configured. Resolves when what is too much has gone. @throws Failure invalid */
  setLimit(bytes: number | null): Promise<void>;
}
