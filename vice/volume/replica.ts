/**
 * One replica of one volume: what a server can be asked about it and told to do to it. Local: no peers.
 *
 * Invariants
 *   VR-1  Every change is one transaction, flushed before the promise resolves, containers before it.
 *   VR-2  Every change to an object (but one of its counts alone) takes the next stamp of the replica; stamps
 *         never repeat within an incarnation.
 *   VR-3  A name in a directory is bound to an object that exists here, and only that name. An object's
 *         parent has it bound; only while resolution has brought an object before its directory, a new one
 *         has no name yet (it is a stray, invisible) and a moved one still its old name.
 *   VR-4  What an object is said to know (`known`) it has incorporated.
 */
import type {
  Argument,
  DirectoryEntry,
  Fid,
  Result,
  UpdateSet,
  VnodeStatus,
  VolumeId,
} from '../interface/index.js';

export interface Replica {
  readonly volume: VolumeId;
  /** Slot in version vectors. */
  readonly id: string;
  /** Changes when the replica's history was lost or replaced (new data folder, restored backup). */
  readonly incarnation: string;
  /** Of the last change. */
  readonly stamp: number;
  /** Ids of all replicas of the volume, own one included; from the realm document, may change at run time. */
  group: readonly string[];

  /** Undefined when this replica does not have the object, or no longer. @throws Failure damaged */
  status(fid: Fid): VnodeStatus | undefined;
  /**
   * The directory, a digest of its children's (Fid, StoreId) kept up incrementally, and its entries when
   * iterated, in the order of their names' UTF-8 bytes. Undefined when it is missing or no directory.
   */
  list(fid: Fid): Listing | undefined;
  /**
   * COP1: certifies (certify.ts) and applies a batch, all or nothing. Records that were applied before are
   * skipped.
   * @throws Failure not-found (no fid) when contents that it names are not in the containers
   */
  mutate(argument: MutateArgument, speaker: Speaker): Promise<Mutated>;
  /**
   * COP2. Unknown StoreIds are ignored. Takes no stamp: counts are no news to clients or peers (see cop2.ts).
   */
  cop2(updates: readonly UpdateSet[]): Promise<void>;
  /** Fids changed after `since`, or null when this replica cannot tell (other incarnation, too far back). */
  changedSince(since: number, incarnation: string | null): readonly Fid[] | null;
  /** For a peer that catches up: changes after `since`, oldest first, tombstones included. */
  changes(since: number, limit: number): Omit<Result<'changes'>, 'replica' | 'incarnation'>;
  /**
   * Installs what resolution decided, checking in the transaction that nothing here has overtaken the
   * decision.
   * @throws Failure not-found (a container), invalid
   */
  force(step: ForceStep): Promise<Forced>;
  /** The highest counter of `venus` that a record had which came here; 0: none did. */
  seenOf(venus: string): number;
  /** How far this replica has caught up with `peer`'s changes. */
  caughtUp(peer: string): Mark | undefined;
  setCaughtUp(peer: string, mark: Mark): Promise<void>;
  /** Whether any object here names this container. */
  names(digest: string): boolean;
  /** A container that was brought here and will be named soon: kept from the sweep until released. */
  hold(digest: string): () => void;
  space(): Promise<Result<'space'>>;
  /** Called after each change is flushed, in stamp order; must not throw. */
  onChange(listener: (change: Change) => void): void;
}

export type MutateArgument = Pick<Argument<'mutate'>, 'records' | 'watermark'>;

/** The session that a change came in by: it gets no callback break for it. */
export interface Speaker {
  readonly session: number;
}

export type Mutated = Result<'mutate'>;

/** What one transaction changed. */
export interface Change {
  /** The last one that it took. */
  readonly stamp: number;
  readonly fids: readonly Fid[];
  /** Who made it; undefined for resolution. */
  readonly speaker: Speaker | undefined;
}

/** A moment in a replica's history. */
export interface Mark {
  readonly incarnation: string;
  readonly stamp: number;
}

export interface Listing {
  readonly status: VnodeStatus;
  readonly digest: string;
  readonly entries: Iterable<{ readonly name: string; readonly status: VnodeStatus }>;
}

/**
 * One transaction of resolution. Every object is judged by itself (force-step.ts) and skipped when this
 * replica has updates that the decision did not know of, or when its turn has not come yet. Whoever skips is
 * not lost: try again after the rest. The order inside a step does not matter.
 */
export interface ForceStep {
  /**
   * Objects as they shall be. Installed: what has known more than the object here, or of what has known the
   * same the one with the larger StoreId, or what is missing here; always with the larger counts of both. The
   * same updates counted differently (weakly equal): only the counts are taken over.
   *
   * A file's container must be here, else the whole step fails with not-found.
   */
  readonly objects: readonly ForcedObject[];
  /**
   * Tombstones. The object here, and its name, goes if the tombstone has known everything that it has; a
   * directory only once it is empty. Of an object that was never here the tombstone is remembered.
   */
  readonly removed: readonly VnodeStatus[];
}

export interface Forced {
  readonly installed: readonly Fid[];
  readonly skipped: readonly Fid[];
}

export interface ForcedObject {
  readonly status: VnodeStatus;
  /**
   * For a directory, all its names, which replace those here. Null: they are not to hand; the directory is
   * installed only if it is missing here, and as a runt (no counts, nothing known), so that its parent can
   * name it and a later step fill it. For a file or symbolic link null.
   *
   * The directory is skipped unless every entry's object is here (or in this step) with this directory as its
   * parent, and every object whose name disappears is removed or named by another directory (before or in
   * this step): so nothing ever becomes unreachable. An object that another directory here still names moves
   * over.
   */
  readonly entries: readonly DirectoryEntry[] | null;
}
