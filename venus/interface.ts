/**
 * The one door to Venus for gateways. Nothing of any gateway's protocol is in it: objects, names, opens and closes.
 *
 * Every operation says for whom it acts; the servers check rights again. Every expected failure is a Failure.
 * A change is acknowledged (the promise resolves) only when it is durable: on the servers while connected.
 */
import type { AccessList, Failure, Fid, StoreId } from '../vice/interface/index.js';
import type { Hoarding } from './hoarding.js';
import type { Leases } from './leases.js';
import type { PendingLog } from './pending-log.js';
import type { People } from './people.js';
import type { VenusState, VolumeMode } from './venus-state.js';
export type * from './hoarding.js';
export type * from './venus-state.js';
export type * from './leases.js';
export type { People, Standing } from './people.js';
export type { PendingChange, PendingLog, PendingRecord, Restored } from './pending-log.js';
export {
  administrators,
  checkedPassword,
  checkedUserName,
  Failure,
  isFailure,
  parseRights,
  rightsText,
  volumeOf,
} from '../vice/interface/index.js';
export type { AccessList, FailureKind, Fid, StoreId } from '../vice/interface/index.js';

export interface Caller {
  readonly user: string;
}

export interface ObjectStatus {
  /** Stable through renames and over all gateways; never reused. */
  readonly fid: Fid;
  readonly kind: 'file' | 'directory' | 'symlink';
  /** Bytes; 0 for directories. */
  readonly length: number;
  /**
   * For files the StoreId of the close that made the contents: equal ids, equal bytes, on every gateway; unchanged by
   * renames, properties and reintegration. For others null.
   */
  readonly version: StoreId | null;
  /** Of a file's contents: SHA-256 over the digests of their blocks (vice/seam/block-digests.ts); for others null. */
  readonly digest: string | null;
  /** Milliseconds since 1970. */
  readonly created: number;
  readonly modified: number;
  readonly mode: number;
  readonly owner: string;
  /** Who made the last change. */
  readonly author: string;
  /** `{namespace}name` -> XML fragment. */
  readonly properties: Readonly<Record<string, string>>;
  /** Text of a symbolic link. */
  readonly target: string | null;
  /** What a person has to decide about it; null: nothing. */
  readonly conflict: Conflict | null;
  /** Versions that were made apart and are not seen, since in its volume the last writer wins; absent: none. */
  readonly hiddenVersions?: number;
}

/**
 * - `versions`: its contents were changed apart; the other versions stand beside it, each under a name of its own.
 * - `sibling`: it is such a version. Its Fid is the file's, '@', and the version's StoreId.
 * - `name`: it was made under a name that another object keeps (`wanted`).
 * - `removal`: somebody removed it without knowing of an update that survives.
 * - `place`: it was moved to several places apart.
 * - `protection`: its access list was set apart to different ones; the stricter holds.
 */
export type ConflictKind = 'versions' | 'sibling' | 'name' | 'removal' | 'place' | 'protection';

export interface Conflict {
  readonly kind: ConflictKind;
  /** Who made what is seen under this name, on which gateway, when (milliseconds since 1970). */
  readonly author: string;
  readonly host: string;
  readonly time: number;
  /** The name that was asked for. */
  readonly wanted: string;
  /** Of the object at the servers: replica -> count. */
  readonly vector: Readonly<Record<string, number>>;
}

/** One version of an object in conflict, or what else there is to choose from. */
export interface ConflictVersion {
  /** Under which it is seen in its directory. */
  readonly name: string;
  /**
   * Where it is seen, or where this update put the object (`place`), in names from the realm's root; null when that
   * cannot be named (its directory was removed, or cannot be asked for).
   */
  readonly path: readonly string[] | null;
  readonly author: string;
  readonly host: string;
  /** Milliseconds since 1970. */
  readonly time: number;
  /** Bytes; 0 for what has no contents. */
  readonly size: number;
  /** Of the contents, or of the update that put it there: what `repair` takes. */
  readonly storeId: StoreId;
  /** To open and look at; of a version of a file the sibling's. */
  readonly fid: Fid;
  /** Of an access list: what it says; null: that the directory has none of its own. Absent: of anything else. */
  readonly list?: AccessList | null;
}

/** One object that a person has to decide about. */
export interface ConflictReport {
  readonly volume: string;
  readonly fid: Fid;
  /** Names from the realm's root; null when it cannot be named (a directory above it cannot be asked for). */
  readonly path: readonly string[] | null;
  readonly kind: Exclude<ConflictKind, 'sibling'>;
  /** What is seen under the object's own name comes first. */
  readonly versions: readonly ConflictVersion[];
}

/**
 * How a conflict is decided. `keep` one version and give the others up, as far as they are `among` those of the report
 * that was looked at: what came since stays beside it; or `giveUp` one version of a file's contents, whatever becomes
 * of the others; or take all as they are (`keepAll`: siblings become files of their own, names and places stay as they
 * are seen).
 */
export type Decision = Keep | { readonly giveUp: StoreId } | { readonly keepAll: true };

export interface Keep {
  readonly keep: StoreId;
  readonly among: readonly StoreId[];
}

export interface Conflicts {
  /** All of the realm, as the accessible servers and this gateway know them; of the cache when no server answers. */
  list(caller: Caller): AsyncIterable<readonly ConflictReport[]>;
  /**
   * Files whose versions made apart are not seen (`last-writer-wins`), each with all of them: the shown one first, then
   * those that it has overwritten, without a path. `repair` gives them up, `copy` brings them back.
   */
  overwritten(caller: Caller): AsyncIterable<readonly ConflictReport[]>;
  /** Those of one object, its overwritten versions included. @throws Failure not-found, unreachable */
  of(caller: Caller, fid: Fid): Promise<readonly ConflictReport[]>;
  /**
   * A logged change, so it works while disconnected; two repairs made apart are a conflict again.
   * @throws Failure not-found (no such object, version, or no conflict), access-denied (the only version)
   */
  repair(caller: Caller, fid: Fid, decision: Decision): Promise<void>;
  /** How many there are of each kind, as far as this gateway knows. */
  count(): Readonly<Partial<Record<ConflictKind, number>>>;
}

export interface Entry {
  readonly name: string;
  readonly status: ObjectStatus;
}

/** Where a path leads. */
export interface Place {
  /** The directory that holds the last name; null for the root. */
  readonly parent: Fid | null;
  /** The last name as it is stored (the asked one if it does not exist); '' for the root. */
  readonly name: string;
  /** The object, or null when only the last name does not exist. */
  readonly object: ObjectStatus | null;
  /** All directories from the root down to `parent`, root first; empty for the root. */
  readonly ancestors: readonly Fid[];
}

/** What a caller may do with an object, and why. */
export interface Access {
  /** Letters of `rlidwka` (vice/interface/access.ts). */
  readonly rights: string;
  /**
   * The lists that decide, each with its directory, nearest first; none: everybody may do all but set lists. Several of
   * one directory were set apart: the stricter holds.
   */
  readonly lists: readonly { readonly directory: Fid; readonly list: AccessList | null }[];
}

/** What must hold at the moment of the change, checked together with it; else it fails with `changed`. */
export interface Expectation {
  /** The file must exist with exactly this version (null: the name must be free). */
  readonly version?: StoreId | null;
  /**
   * The name must bear this object, as it is here: contents, time, mode, properties. A directory's time does not count:
   * there must be nothing in it, and nothing mounted on it (else the change fails with `not-empty`, `refused`). For
   * `remove` only.
   */
  readonly unchanged?: ObjectStatus;
}

export interface OpenFile {
  /** As of the open; reads yield exactly this version whatever happens meanwhile. */
  readonly status: ObjectStatus;
  /** Bytes from `start` up to but not including `end`. @throws Failure damaged, unreachable while reading */
  read(start?: number, end?: number): AsyncIterable<Uint8Array>;
  close(): Promise<void>;
}

/** New contents on their way. Nothing is changed before `close` resolves. */
export interface Writer {
  readonly length: number;
  /** Calls do not overlap. @throws Failure no-space */
  write(chunk: Uint8Array): Promise<void>;
  /**
   * The close: stores the contents whole, as one update of the file bound to `name` in `parent` (same Fid), or as a
   * new file there.
   * @throws Failure not-found (parent), is-directory, changed, no-space, quota, access-denied, unreachable
   */
  close(target: WriteTarget): Promise<WriteOutcome>;
  /** Forgets everything. Idempotent, also after close. */
  abort(): Promise<void>;
}

/** What will probably be written to. */
export interface ExpectedTarget {
  /** To the servers of this directory's volume the bytes go as they come. Default: the realm's root. */
  readonly into?: Fid | undefined;
  /** The file whose contents are replaced: what is new against them is all that need be moved. */
  readonly replaces?: Fid | undefined;
}

export interface WriteTarget {
  readonly parent: Fid;
  readonly name: string;
  readonly expect?: Expectation;
  /** Default: now. */
  readonly modified?: number;
}

export interface WriteOutcome {
  readonly created: boolean;
  /** Of what was written, with its version, whatever somebody else has put in its place since. */
  readonly status: ObjectStatus;
}

export interface Space {
  readonly usedBytes: number;
  readonly availableBytes: number;
}

/** A snapshot of volumes. Nothing in one ever changes. */
export interface SnapshotSeen {
  readonly name: string;
  /** Milliseconds since 1970: when it was taken. */
  readonly time: number;
}

/**
 * Paths are names below a snapshot, which is the tree of the realm's root volume as it was, and leads on where another
 * volume is mounted now that has a snapshot of the same name. Where the root volume has none of that name, the volumes
 * that do are folders of it.
 *
 * What a user may see and read the access lists in the snapshot say, with the groups as they are now.
 */
export interface Snapshots {
  /** All that servers have, oldest first; of those that cannot be asked, what was there. @throws Failure unreachable */
  list(): Promise<readonly SnapshotSeen[]>;
  /** Null: nothing was there. @throws Failure unreachable, access-denied, not-directory (a file on the way), damaged */
  status(caller: Caller, snapshot: string, path: readonly string[]): Promise<ObjectStatus | null>;
  /** @throws Failure not-found, not-directory, unreachable, access-denied, damaged */
  entries(caller: Caller, snapshot: string, path: readonly string[]): Promise<readonly Entry[]>;
  /** @throws Failure not-found, is-directory, unreachable, access-denied, damaged */
  open(caller: Caller, snapshot: string, path: readonly string[]): Promise<OpenFile>;
}

export interface Venus {
  /**
   * Walks names down from the realm's root, and on at the root of a volume where one is mounted: that is seen in the
   * place of the directory, with its Fid and attributes. A name is found byte for byte, else under the other Unicode
   * normal form.
   * @throws Failure not-found (a directory on the way), not-directory, unreachable, access-denied, invalid
   */
  lookup(caller: Caller, path: readonly string[]): Promise<Place>;
  /** @throws Failure not-found, unreachable, access-denied */
  status(caller: Caller, fid: Fid): Promise<ObjectStatus>;
  /**
   * All names of a directory with their objects, in batches so that nobody waits long; one snapshot of the names. The
   * other versions of a file in conflict are listed as objects of their own, each behind its file.
   */
  list(caller: Caller, directory: Fid): AsyncIterable<readonly Entry[]>;
  /** Opens the newest accessible version for reading. @throws Failure not-found, is-directory, unreachable, damaged */
  open(caller: Caller, fid: Fid): Promise<OpenFile>;
  /**
   * Starts a write of `announced` bytes, if known. What `expected` says decides nothing: where it was wrong, bytes have
   * gone to servers for nothing. @throws Failure no-space
   */
  write(caller: Caller, announced?: number, expected?: ExpectedTarget): Promise<Writer>;
  /** @throws Failure exists, not-found, not-directory, no-space, quota, access-denied, unreachable, invalid */
  makeDirectory(caller: Caller, parent: Fid, name: string): Promise<ObjectStatus>;
  /** @throws as makeDirectory */
  makeSymlink(caller: Caller, parent: Fid, name: string, target: string): Promise<ObjectStatus>;
  /**
   * Removes a name and its object; of a directory all that is below it, bottom up. Of a file in conflict only the
   * version that is seen under this name: another one then takes the name.
   * @throws Failure not-found, changed, access-denied, unreachable, refused (a volume is mounted on it or in it)
   */
  remove(caller: Caller, parent: Fid, name: string, expect?: Expectation): Promise<void>;
  /**
   * Moves a name, in one step; what bore the target name is removed in the same step (`replaced`). Another version of a
   * file in conflict, moved over the file's name, takes the place of the version seen there; moved elsewhere it
   * becomes a file of its own. A volume that is mounted on it, or in it, goes along. Before anything is changed it
   * fails with `cross-volume`, or `refused`: a volume is mounted on what would be replaced, or in it.
   * @throws Failure not-found, exists (without `replace`), loop, changed, access-denied, unreachable
   */
  rename(
    caller: Caller,
    from: Name,
    to: Name,
    options: ReplaceOptions,
  ): Promise<{ readonly replaced: boolean }>;
  /**
   * Copies a file with its properties under a new Fid, or a directory (itself only: members are the gateway's walk).
   * Bytes move only where another volume's servers do not have them. @throws as rename
   */
  copy(caller: Caller, source: Fid, to: Name, options: ReplaceOptions): Promise<WriteOutcome>;
  setModified(caller: Caller, fid: Fid, modified: number): Promise<ObjectStatus>;
  setMode(caller: Caller, fid: Fid, mode: number): Promise<ObjectStatus>;
  /** All or nothing. @throws Failure not-found, too-large, access-denied, unreachable */
  setProperties(caller: Caller, fid: Fid, changes: PropertyChanges): Promise<ObjectStatus>;
  /** Of a directory, or of the one that a file is in. @throws Failure not-found, unreachable, access-denied */
  access(caller: Caller, fid: Fid): Promise<Access>;
  /**
   * Gives a directory a list of its own, which holds for all below that has none; or (null) takes it away.
   * @throws Failure not-found, not-directory, invalid, too-large, access-denied, unreachable
   */
  setAccess(caller: Caller, directory: Fid, list: AccessList | null): Promise<void>;
  /** Whether the volume of `fid` can only be read, as far as it is known here: every change of it is then `refused`. */
  isLocked(fid: Fid): boolean;
  /** Of the volume that a directory is in. @throws Failure not-found, unreachable */
  space(caller: Caller, directory: Fid): Promise<Space>;
  readonly leases: Leases;
  readonly log: PendingLog;
  readonly conflicts: Conflicts;
  readonly hoard: Hoarding;
  readonly people: People;
  readonly snapshots: Snapshots;
  /** Planned disconnection from the named servers (none named: all), kept over restarts. @throws Failure not-found */
  disconnect(servers: readonly string[]): Promise<void>;
  /** @throws Failure not-found */
  reconnect(servers: readonly string[]): Promise<void>;
  /** Of the named volume, or of all; kept over restarts. @throws Failure not-found */
  setVolumeMode(volume: string | null, mode: VolumeMode): Promise<void>;
  state(): VenusState;
  /** Finishes what is under way, flushes, closes. */
  close(): Promise<void>;
}

export interface Name {
  readonly parent: Fid;
  readonly name: string;
}

export interface ReplaceOptions {
  /** Whether an object at the target name may be replaced. */
  readonly replace: boolean;
  readonly expect?: Expectation;
}

export interface PropertyChanges {
  readonly set: Readonly<Record<string, string>>;
  readonly remove: readonly string[];
}

/** What `venus` operations reject with. */
export type VenusFailure = Failure;
