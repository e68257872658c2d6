/**
 * One replica of one volume: what a server can be asked about it and told to do to it. Local: it talks to no peer.
 *
 * Invariants
 *   VR-1  Every change is one transaction, flushed before the promise resolves, containers before it.
 *   VR-2  Every change to an object takes the next stamp of the replica; stamps never repeat within an incarnation.
 *   VR-3  A name in a directory is bound to an object that exists here; an object's parent has it bound, or the object
 *         is a stray that resolution has brought before its directory (invisible until then).
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

  status(fid: Fid): VnodeStatus | undefined;
  /** The directory, a digest of its children's (Fid, StoreId) kept up incrementally, and its entries when iterated. */
  list(fid: Fid): Listing | undefined;
  /** COP1: certifies and applies a batch, all or nothing; contents it names must be in the containers. */
  mutate(argument: MutateArgument, speaker: Speaker): Promise<Mutated>;
  /** COP2. Unknown StoreIds are ignored. */
  cop2(updates: readonly UpdateSet[]): Promise<void>;
  /** Fids changed after `since`, or null when this replica cannot tell (other incarnation, too far back). */
  changedSince(since: number, incarnation: string | null): readonly Fid[] | null;
  /** For a peer that catches up: changes after `since`, oldest first, tombstones included. */
  changes(since: number, limit: number): Omit<Result<'changes'>, 'replica' | 'incarnation'>;
  /** Installs what resolution decided, checking in the transaction that nothing here has overtaken the decision. */
  force(step: ForceStep): Promise<{ readonly installed: readonly Fid[]; readonly skipped: readonly Fid[] }>;
  /** How far this replica has caught up with `peer`'s changes. */
  caughtUp(peer: string): { readonly incarnation: string; readonly stamp: number } | undefined;
  setCaughtUp(peer: string, mark: { readonly incarnation: string; readonly stamp: number }): Promise<void>;
  /** Whether any object here names this container. */
  names(digest: string): boolean;
  /** A container that was brought here and will be named soon: kept from the sweep until released. */
  hold(digest: string): () => void;
  space(): Promise<Result<'space'>>;
  /** Called after each change is flushed; `speaker` is who made it, undefined for resolution. */
  onChange(listener: (change: Change) => void): void;
}

export type MutateArgument = Pick<Argument<'mutate'>, 'records' | 'watermark'>;

/** The session that a change came in by: it gets no callback break for it. */
export interface Speaker {
  readonly session: number;
}

export type Mutated = Result<'mutate'>;

export interface Change {
  readonly stamp: number;
  readonly fids: readonly Fid[];
  readonly speaker: Speaker | undefined;
}

export interface Listing {
  readonly status: VnodeStatus;
  readonly digest: string;
  readonly entries: Iterable<{ readonly name: string; readonly status: VnodeStatus }>;
}

/** One transaction of resolution. */
export interface ForceStep {
  /** Objects as they shall be; each must dominate, equal weakly or be missing here, else it is skipped. */
  readonly objects: readonly ForcedObject[];
  /** Tombstones: removed here if they dominate what is here. */
  readonly removed: readonly VnodeStatus[];
}

export interface ForcedObject {
  readonly status: VnodeStatus;
  /** For a directory whose names shall be replaced: all of them. Null leaves the names as they are. */
  readonly entries: readonly DirectoryEntry[] | null;
}
