/** One deed of one session: what its author was shown, what he was told, and what it may have done. */
import type { FailureKind, Fid, StoreId } from '../../../vice/interface/index.js';
import type { Deed, VolumeName } from './scenario.js';

/**
 * - `pending`: never answered, since its gateway died.
 * - `ok`
 * - `nothing`: there was nothing to do (no such name).
 * - a kind of failure; `broken`: an error that is no Failure.
 */
export type Outcome = 'pending' | 'ok' | 'nothing' | 'broken' | FailureKind;

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
  /** The same, before the deed. */
  shown?: Seen | null;
  /** The object that the deed has made, or given new contents. */
  made?: Fid;
  /** The version of that which a copy has made. */
  copied?: StoreId | null;
  /** Lists that it replaces knowingly: those that the directory had when its author looked. */
  replaces?: readonly string[];
  /** The directory that it puts an object in, whether or not that is ever answered. */
  into?: Fid;
  /** Where it puts an object. */
  placed?: { readonly fid: Fid; readonly parent: Fid; readonly name: string };
  /** What an object that has come from another volume is now. */
  becomes?: Fid;
  /** What it says about an object: a property's name or `mode`, and the value. */
  marked?: { readonly fid: Fid; readonly what: string; readonly value: string } | undefined;
  /** Whatever bears this name goes, also what its author was not shown: a directory and the name. */
  blind?: { readonly parent: Fid; readonly name: string };
  /** Whether the gateway, too, gives up exactly what `removes` and `givesUp` say. */
  seesAll?: boolean;
  /** Bytes that the volume uses when it begins, and when it is answered: what the server says that has most. */
  usedBefore?: number;
  used?: number;
  /** The volume that it is about. */
  volume?: VolumeName;
  /** The object that it changes, if that was there before. */
  touches?: Fid;
  /** What a read came to. */
  read?: string;
  /** How many servers the gateway reached at the beginning. */
  reaches?: number;
  /** Of these the ones to which the way was quiet from a while before the deed to its end. */
  steady?: readonly string[];
  /** Whether the gateway showed what servers have: it reached some, and nothing waited in its log. */
  isCurrent?: boolean;
  /** When its gateway had found that its disk is an old copy: no server lets it join until it has an empty one. */
  shutOut?: boolean;
  /** When the gateway said that it was connected and nothing waited, at the beginning. */
  connected?: boolean;
  /** Where its gateway saw the second volume, from its beginning to its end; '': nowhere. */
  readonly mounts: Set<string>;
  /** Contents that nobody may expect any more if this has happened. */
  readonly givesUp: Set<string>;
  /** Versions whose contents nobody had told of then. */
  readonly givesUpVersions: Set<StoreId>;
  /** Objects that are at another name if this has happened. */
  readonly takes: Set<Fid>;
  /** Objects that are removed if this has happened. */
  readonly removes: Set<Fid>;
}

/** A deed that begins: nothing is known of it yet. */
export function begun(
  number: number,
  deed: Deed,
  at: Pick<Attempt, 'gateway' | 'begin' | 'generation'>,
): Attempt {
  return {
    ...at,
    number,
    deed,
    by: deed.by,
    end: undefined,
    outcome: 'pending',
    message: '',
    mounts: new Set(),
    givesUp: new Set(),
    givesUpVersions: new Set(),
    takes: new Set(),
    removes: new Set(),
  };
}

/** What this attempt writes into a file: so many bytes, and nobody else's. */
export function textFor({ by, number }: Attempt, bytes: number): string {
  const tag = `${by} ${number}.`;
  return bytes === 0 ? '' : tag.repeat(Math.ceil(bytes / tag.length)).slice(0, Math.max(bytes, tag.length));
}
