/** What a replica says of snapshots that others have taken, and takes of them (snapshot-copies.ts). */
import type { Fid, VnodeStatus } from '../interface/index.js';
import type { CopyMark, Snapshot } from '../store/snapshot-rows.js';
import type { EntryRow } from '../store/volume-store.js';

export interface CopiedEntry extends EntryRow {
  readonly directory: Fid;
  readonly name: string;
}

/** All that a snapshot has behind one position and up to another. */
export interface SnapshotPage {
  readonly objects: readonly VnodeStatus[];
  readonly entries: readonly CopiedEntry[];
  readonly upTo: string;
  readonly more: boolean;
}

export interface CopyUnderWay extends Snapshot {
  readonly copy: CopyMark;
}

export interface VolumeCopies {
  underWay(): readonly CopyUnderWay[];
  /** Deleted ones that others may not have heard of. */
  dropped(): readonly Snapshot[];
  /** Others have deleted these; the answer is which were here, or coming. They go with the next sweep. */
  hear(dropped: readonly Snapshot[]): Promise<readonly Snapshot[]>;
  /** DS-1. */
  forget(dropped: readonly Snapshot[]): Promise<void>;
  /**
   * A copy of what the replica `from` has; one that is under way goes on, if it is of the same replica. In words, why
   * there is none to be; undefined: it is here, or was deleted. @throws Failure stale
   */
  begin(snapshot: Snapshot, from: string): Promise<CopyUnderWay | string | undefined>;
  /**
   * Begins to put one that is here, and damaged, right by what the replica `from` has; undefined: it is not here, or is
   * a copy under way. @throws Failure stale
   */
  renew(snapshot: Snapshot, from: string): Promise<CopyUnderWay | undefined>;
  /** Takes what has come of it back, if it is not whole; one that was here before stays. */
  cancel(snapshot: Snapshot): Promise<void>;
  /** Objects of a page whose contents must be here before it is put. */
  differing(copy: CopyUnderWay, objects: readonly VnodeStatus[]): readonly VnodeStatus[];
  /**
   * Some of a page, in one transaction: the copy's new mark, which is at the end of the page when all of it is here;
   * undefined: there is no such copy any more. The caller holds the contents of its objects. With the last page the
   * copy is a snapshot like any other. @throws Failure stale, incompatible
   */
  put(
    copy: CopyUnderWay,
    page: SnapshotPage,
    packed: ReadonlyMap<string, Uint8Array>,
  ): Promise<CopyMark | undefined>;
  /** Of a snapshot that is here whole. @throws Failure not-found, damaged */
  page(snapshot: Snapshot, after: string): SnapshotPage;
}
