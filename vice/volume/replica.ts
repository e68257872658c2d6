/**
 * One replica of one volume: what a server can be asked about it and told to do to it. Local: no peers.
 *
 * Invariants
 *   VR-1  Every change is one transaction, flushed before the promise resolves, containers before it.
 *   VR-2  Every change to an object (but one of its counts alone) takes the next stamp of the replica; stamps
 *         never repeat within an epoch (history.ts).
 *   VR-3  Every living object has exactly one name, in the directory that is its parent; the root has none.
 *   VR-4  What an object is said to know (`known`) it has incorporated.
 */
import type { VolumeCopies } from './copied-snapshots.js';
import type {
  Argument,
  Fid,
  Groups,
  History,
  Mark,
  Result,
  UpdateSet,
  VnodeStatus,
  VolumeId,
} from '../interface/index.js';
import type { Snapshot } from '../store/snapshot-rows.js';
import type { SpaceCount } from '../store/recounting.js';
import type { Bounds } from './bounds.js';

export interface Replica {
  readonly volume: VolumeId;
  /** Slot in version vectors. */
  readonly id: string;
  /** Changes when the replica's history was lost (new data folder, damage). */
  readonly incarnation: string;
  /** Of the last change. */
  readonly stamp: number;
  /** How its stamps were given out (history.ts). */
  readonly history: History;
  /** Ids of all replicas of the volume, own one included; from the realm document, may change at run time. */
  group: readonly string[];
  /** Set by the server, as the realm document says. Only a member takes changes of gateways. */
  standing: Standing;
  /** The same: what gateways may bring. */
  bounds: Bounds;

  /** Undefined when this replica does not have the object, or no longer. @throws Failure damaged */
  status(fid: Fid): VnodeStatus | undefined;
  /** The object also when it is removed: its tombstone. @throws Failure damaged */
  held(fid: Fid): VnodeStatus | undefined;
  /** Of its last change, removal included; undefined as in `held`. @throws Failure damaged */
  stampOf(fid: Fid): number | undefined;
  /** False while the last change of the object, as `status` shows it, is not on the disk and may be taken back. */
  isFlushed(fid: Fid): boolean;
  /**
   * The directory, a digest of its children's (Fid, StoreId) kept up incrementally, and its entries when
   * iterated, in the order of their names' UTF-8 bytes. Undefined when it is missing or no directory.
   */
  list(fid: Fid): Listing | undefined;
  /** The objects that bear names in the directory, as far as that can be read; undefined as in `Listing.steps`. */
  fidsIn(directory: Fid): Iterable<Fid | undefined>;
  /**
   * COP1: certifies (certify.ts) and applies a batch, all or nothing. Records that were applied before are
   * skipped. @throws Failure not-found (no fid) when contents that it names are not in the containers
   */
  mutate(argument: MutateArgument, speaker: Speaker): Promise<Mutated>;
  /**
   * COP2. Unknown StoreIds are ignored. Takes no stamp: counts are no news to clients or peers (see cop2.ts).
   */
  cop2(updates: readonly UpdateSet[]): Promise<void>;
  /** Fids changed after `since`, or null when this replica cannot tell (other incarnation, too far back). */
  changedSince(since: number, incarnation: string | null): readonly Fid[] | null;
  /** For a peer that catches up: changes after `since`, oldest first, tombstones included. */
  changes(since: number, limit: number): ChangePage;
  /**
   * Merges what a peer holds into what is here, in one transaction (merge-step.ts).
   * @throws Failure not-found (a container), invalid
   */
  merge(step: MergeStep): Promise<Merged>;
  readonly mending: Mending;
  /** Whether removed files keep their contents, for updates that did not know of the removal; false at first. */
  keepsRemoved: boolean;
  /** Lets the contents of removed files go, some at a time; the answer is how many. */
  dropRemoved(stamp: number): Promise<number>;
  /**
   * Forgets objects that were removed up to `stamp`, some at a time; the answer is how many. The caller knows that
   * every replica of the group has heard of them.
   */
  forgetRemoved(stamp: number): Promise<number>;
  /** Of what lies under a prefix of bucket numbers, or of the objects of one bucket (vice/store/state-digest.ts). */
  digests(prefix: string): ReadonlyMap<string, string>;
  /** Objects that a person has to decide about, after `after` in the order of their Fids. */
  conflictCount(): number;
  conflicts(after: Fid | null, limit: number): Result<'conflicts'>;
  /** For each user of the gateway `venus` the highest counter that a record had which came here. */
  seenOf(venus: string): readonly number[];
  /** How far this replica has caught up with `peer`'s changes. */
  caughtUp(peer: string): Mark | undefined;
  setCaughtUp(peer: string, mark: Mark): Promise<void>;
  /** Whether any object here names this container. */
  names(digest: string): boolean;
  /** A container that was brought here and will be named soon: kept from the sweep until released. */
  hold(digest: string): () => void;
  space(): Promise<Result<'space'>>;
  /** How many living objects there are beside the root, and the bytes of their contents. */
  readonly objects: number;
  readonly usedBytes: number;
  readonly snapshots: Snapshots & { readonly copies: VolumeCopies };
  /** Called after each change is flushed, in stamp order; must not throw. */
  onChange(listener: (change: Change) => void): void;
}

/** Puts right what is damaged, as far as other rows of this disk say it; some rows at a time (mending.ts). */
export interface Mending {
  /** What does not follow from an object: its name, digests, the count of its contents; of a directory its digests. */
  object(fid: Fid): Promise<void>;
  /** Names of `directory` whose rows are damaged, if they are those of `candidates`. Whether none is left. */
  names(directory: Fid, candidates: readonly Fid[]): Promise<boolean>;
  /** The same of all objects, however many there are. Whether there was one. */
  search(directory: Fid): Promise<boolean>;
  /** The digests by which replicas find out which objects they hold differently. */
  figures(fids: readonly Fid[]): Promise<void>;
  /** The same of one bucket (vice/store/state-digest.ts). Whether it was another one. */
  bucket(bucket: string): Promise<boolean>;
  /** All of them; the answer is how many were. */
  buckets(): Promise<number>;
  /** A peer that has the same of a directory has other names: this one's digest may be wrong. */
  differentNames(own: VnodeStatus, theirs: VnodeStatus): Promise<void>;
  /** Counts what damage has left in doubt: digests of directories, and if need be what the volume uses. */
  settleDoubts(isSpaceToo?: boolean): Promise<void>;
  /** `walk` takes all objects, in their order; whether they come to something else than was said. */
  space(walk: (count: SpaceCount) => Promise<void>): Promise<boolean>;
  /** What goes on ends. */
  stop(): void;
}

/** What the volume was at this replica when somebody asked for it to be kept (snapshots.ts). */
export interface Snapshots {
  /** Oldest first. */
  list(): readonly Snapshot[];
  /**
   * At once, whatever the volume holds. False: the same one is there already.
   * @throws Failure exists (another one of this name), refused (too many), stale (no member of the group)
   */
  take(snapshot: Snapshot): Promise<boolean>;
  /** False: there is none of this name. What it alone has kept goes with the next sweep. */
  drop(name: string): Promise<boolean>;
  /** Takes away what no snapshot needs any more; idempotent. At once where there is nothing. */
  sweep(): Promise<void>;
  /** @throws Failure not-found (no such snapshot), damaged */
  status(snapshot: Snapshot, fid: Fid): VnodeStatus | undefined;
  /** In no order; undefined wherever others may have a turn of the event loop. @throws as `status` */
  entries(snapshot: Snapshot, directory: Fid): Iterable<ListedEntry | undefined>;
  /** All objects after `after`, in the order of their Fids; undefined as above. @throws as `status` */
  objects(snapshot: Snapshot, after: Fid | null): Iterable<VnodeStatus | undefined>;
}

/** `dropped`: it has left the group, and its rows are being taken away. */
export type Standing = 'member' | 'filling' | 'leaving' | 'dropped';

export interface MutateArgument extends Pick<Argument<'mutate'>, 'records' | 'watermark'> {
  /** Contents that records name and that are no containers yet, by digest (checked): stored in the same transaction. */
  readonly packed?: ReadonlyMap<string, Uint8Array>;
}

/** The session that a change came in by: it gets no callback break for it. */
export interface Speaker {
  readonly session: number;
  /** Of the realm; what they grant is asked for the author of each record. Absent: there are none. */
  readonly groups?: Groups | undefined;
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

export type ChangePage = Pick<
  Result<'changes'>,
  'changes' | 'damaged' | 'forgotten' | 'upTo' | 'more' | 'last'
>;

export interface ListedEntry {
  readonly name: string;
  readonly status: VnodeStatus;
}

/** `status` and `digest` are of the moment at which the names were, once the first entry was given. */
export interface Listing {
  readonly status: VnodeStatus;
  readonly digest: string;
  readonly entries: Iterable<ListedEntry>;
  /** The same, with an undefined wherever others may have a turn of the event loop. */
  readonly steps: Iterable<ListedEntry | undefined>;
  /**
   * What has changed in its names since they had the digest `names` (`status` and `digest` are of this moment then);
   * undefined: that is not known here any more, or too much. @throws Failure damaged
   */
  since(names: string): RecentNames | undefined;
}

export interface RecentNames {
  /** Names that came, or lead to another object. */
  readonly entries: readonly ListedEntry[];
  readonly gone: readonly string[];
}

/** One transaction of resolution: objects as a peer holds them, removed ones too, in any order. */
export interface MergeStep {
  readonly objects: readonly VnodeStatus[];
  /**
   * Of directories everything but what they have known, and that they were removed: what their names come from is not
   * all here yet (VR-4). A new one so is a runt until a later step knows better.
   */
  readonly withoutKnown: boolean;
  /** Contents that objects name and that are no containers yet, by digest (checked): stored in the same transaction. */
  readonly packed?: ReadonlyMap<string, Uint8Array>;
}

export interface Merged {
  /** Objects that are different now. */
  readonly changed: readonly Fid[];
  /** Those whose directory is not here: to be tried again when it is. */
  readonly skipped: readonly Fid[];
}
