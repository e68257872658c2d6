/** What users did and were told: the history that the laws are judged by. */
import {
  fidsOf,
  type FailureKind,
  type Fid,
  type Mutation,
  type StoreId,
} from '../../../vice/interface/index.js';
import type { Deed } from './scenario.js';

/**
 * - `pending`: never answered, since its gateway died.
 * - `ok`
 * - `nothing`: there was nothing to do (no such name).
 * - a kind of failure; `broken`: an error that is no Failure.
 */
export type Outcome = 'pending' | 'ok' | 'nothing' | 'broken' | FailureKind;

/** Refusals that say for sure that nothing was done. */
const certain: readonly Outcome[] = [
  ...([
    'nothing',
    'changed',
    'exists',
    'not-found',
    'not-directory',
    'is-directory',
    'not-empty',
    'loop',
  ] as const),
  ...(['invalid', 'access-denied', 'too-large'] as const),
];

/** Of contents put in a directory before its removal was begun the removal may know although a listing did not. */
const newsMs = 40_000;

export interface Seen {
  readonly fid: Fid;
  readonly version: StoreId | null;
}

/** One deed of one session, from its start to its answer. */
export interface Attempt {
  readonly number: number;
  readonly deed: Deed;
  readonly by: string;
  readonly gateway: string;
  /** Counts the disks of this gateway: a restored or wiped one begins anew. */
  readonly generation: number;
  /** Simulated milliseconds. */
  readonly begin: number;
  end: number | undefined;
  outcome: Outcome;
  message: string;
  /** Contents on their way, and what they become and replace. */
  text?: string;
  version?: StoreId | null;
  base?: StoreId | null;
  /** The object at the deed's path, as the session was shown it; null: none. */
  seen?: Seen | null;
  /** What a read came to. */
  read?: string;
  /** When the gateway said that it was connected and nothing waited, at the beginning. */
  connected?: boolean;
  /** Contents that nobody may expect any more if this has happened. */
  readonly givesUp: Set<string>;
  /** Objects that are at another name if this has happened. */
  readonly takes: Set<Fid>;
  /** Objects that are removed if this has happened. */
  readonly removes: Set<Fid>;
}

export class Ledger {
  readonly attempts: Attempt[] = [];
  /** By version. */
  readonly texts = new Map<StoreId, string>();
  /** Directories in which an object was ever put. */
  readonly parents = new Map<Fid, Set<Fid>>();
  /** Digests of contents that waited in the log of a gateway whose disk was replaced by an old copy. */
  readonly forgiven = new Set<string>();
  /** By object: StoreIds of all records that any gateway has sent of it. */
  readonly sent = new Map<Fid, Set<StoreId>>();
  /** Spans of simulated time in which something was wrong: [begin, end). */
  readonly troubles: { readonly begin: number; end: number }[] = [];

  sentRecords(records: readonly Mutation[]): void {
    for (const record of records) {
      for (const fid of fidsOf(record)) {
        let ids = this.sent.get(fid);
        if (ids === undefined) this.sent.set(fid, (ids = new Set()));
        ids.add(record.storeId);
      }
    }
  }

  put(fid: Fid, parent: Fid): void {
    const parents = this.parents.get(fid);
    if (parents === undefined) this.parents.set(fid, new Set([parent]));
    else parents.add(parent);
  }

  /** Whether it may have happened, for all that its author knows. */
  mayHaveHappened({ outcome }: Attempt): boolean {
    return !certain.includes(outcome);
  }

  /** `fid` and every directory that it was ever in, however deep. */
  wasIn(fid: Fid): ReadonlySet<Fid> {
    const found = new Set<Fid>([fid]);
    for (const at of found) for (const parent of this.parents.get(at) ?? []) found.add(parent);
    return found;
  }

  /** Contents that were acknowledged and that nobody has given up: they must be there. */
  standing(): ReadonlyMap<string, Attempt> {
    const standing = new Map<string, Attempt>();
    for (const attempt of this.attempts) {
      if (attempt.outcome === 'ok' && attempt.text !== undefined && attempt.text !== '')
        standing.set(attempt.text, attempt);
    }
    for (const attempt of this.attempts) {
      if (!this.mayHaveHappened(attempt)) continue;
      for (const text of attempt.givesUp) standing.delete(text);
      if (attempt.removes.size > 0) for (const text of this.#news(attempt, standing)) standing.delete(text);
    }
    return standing;
  }

  /** What others put below a directory about when it was removed: the gateway may have heard of it in between. */
  *#news(removal: Attempt, standing: ReadonlyMap<string, Attempt>): Generator<string> {
    const { begin, end = Infinity, removes } = removal;
    for (const [text, put] of standing) {
      const fid = put.seen?.fid;
      if (fid === undefined || put.begin > end || (put.end ?? Infinity) < begin - newsMs) continue;
      if ([...this.wasIn(fid)].some((directory) => directory !== fid && removes.has(directory))) yield text;
    }
  }

  /** Whether nothing was wrong anywhere from `begin` to `end`. */
  wasCalm(begin: number, end: number): boolean {
    return this.troubles.every((trouble) => trouble.end <= begin || trouble.begin >= end);
  }
}

/** Contents in a line. */
export function brief(text: string | undefined): string {
  if (text === undefined) return 'nothing';
  const end = text.indexOf('.');
  return text.length <= 24 || end < 0
    ? `"${text.slice(0, 24)}"`
    : `"${text.slice(0, end)}" of ${text.length}`;
}
