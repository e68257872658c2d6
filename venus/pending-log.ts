/** The client modify log as gateways and people see it: a part of interface.ts. */
import type { Fid, StoreId } from '../vice/interface/index.js';

/** One record of a pending change, for people to read. */
export interface PendingRecord {
  readonly op: string;
  readonly fid: Fid;
  readonly version: StoreId;
  /** Of the object, as this gateway shows it, from the realm's root; null: it cannot be named any more. */
  readonly path: string | null;
  /** Of new contents; else null. */
  readonly length: number | null;
  readonly digest: string | null;
}

/** One operation of a user that is not yet safe on enough servers. */
export interface PendingChange {
  readonly sequence: number;
  /** Name of the volume. */
  readonly volume: string;
  readonly author: string;
  /** Milliseconds since 1970. */
  readonly time: number;
  /** `pending`: on this gateway only; `sent`: on too few servers yet; `kept`: refused for good. */
  readonly state: 'pending' | 'sent' | 'kept';
  /** Why it was refused, or what else than servers it waits for; null: nothing. */
  readonly reason: string | null;
  readonly records: readonly PendingRecord[];
}

/** What a restored archive came to. */
export interface Restored {
  /** Changes made anew. */
  readonly restored: number;
  /** Changes that were in the share already. */
  readonly present: number;
  /** Where contents went that would have replaced somebody's newer ones, and what could not be done, in words. */
  readonly notes: readonly string[];
}

/** The client modify log as people handle it (Coda: cfs listlocal, checkpointml, discardlocal). */
export interface PendingLog {
  /** In order. */
  changes(): readonly PendingChange[];
  /** A portable archive of the changes (all, or those named) with their contents. @throws Failure not-found, damaged */
  checkpoint(sequences?: readonly number[]): AsyncIterable<Uint8Array>;
  /**
   * Makes the changes of an archive anew, in the names of their authors; never overwrites what the archive's author
   * had not seen. @throws Failure invalid (no such archive, torn), no-space
   */
  restore(archive: AsyncIterable<Uint8Array>): Promise<Restored>;
  /**
   * Gives changes up, and with them all that build on them; the servers' state shows again where they can be asked.
   * Resolves with the sequence numbers given up. @throws Failure not-found, busy (under way to a server)
   */
  discard(sequences: readonly number[]): Promise<readonly number[]>;
}
