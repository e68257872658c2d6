/**
 * The records of the client modify log, which are also what travels to the servers: there is one way for a
 * change to reach them (design.md 2; Coda: vicedep/cml.rpc2).
 *
 * A record names the updates that its author had seen of each object (`base`). With it a server certifies
 * (vice/volume/certify.ts): a file must have known nothing else, a directory may have (names are then checked).
 */
import type { AccessList } from './access-list.js';
import type { Fid, VolumeId } from './fid.js';
import type { StoreId, StoreIdVector } from './store-id.js';

interface RecordCommon {
  readonly storeId: StoreId;
  /** Milliseconds since 1970 at the gateway. */
  readonly time: number;
  /** The user who made the change; the server checks that the session may speak for this user. */
  readonly author: string;
  /** Name of the gateway where it was made, at most 64 characters. */
  readonly host: string;
  /**
   * The author was answered by his gateway's log: where the record collides with what others did meanwhile it is not
   * refused but merged, as replicas are (merge.ts).
   */
  readonly settled?: true | undefined;
  /**
   * For each existing object that the record touches, what its author had seen of it; also for directories whose lists
   * let it pass, and those above the target of a moved directory: servers must know these to judge.
   */
  readonly base: Readonly<Record<Fid, StoreIdVector>>;
}

/** A new, empty file. */
export interface CreateRecord extends RecordCommon {
  readonly op: 'create';
  readonly parent: Fid;
  readonly name: string;
  readonly fid: Fid;
  readonly mode: number;
}

export interface MakeDirRecord extends RecordCommon {
  readonly op: 'mkdir';
  readonly parent: Fid;
  readonly name: string;
  readonly fid: Fid;
  readonly mode: number;
}

export interface SymlinkRecord extends RecordCommon {
  readonly op: 'symlink';
  readonly parent: Fid;
  readonly name: string;
  readonly fid: Fid;
  readonly target: string;
}

/** The close of a written file: its whole new contents. */
export interface StoreRecord extends RecordCommon {
  readonly op: 'store';
  readonly fid: Fid;
  readonly length: number;
  readonly digest: string;
  readonly modified: number;
  /** See FileData. */
  readonly saved: number;
  /** Versions that the author had seen and leaves as they are (by `mark`); absent: it replaces all that he had seen. */
  readonly beside?: readonly StoreId[] | undefined;
}

/**
 * The result of a repair (Coda: CML Repair). Gives up versions of a file, by `mark`, and vouches for those that its
 * author saw and leaves, so that another repair made apart is a conflict again and no loss (merge.ts, MG-4).
 */
export interface RepairRecord extends RecordCommon {
  readonly op: 'repair';
  readonly fid: Fid;
  readonly dismiss: readonly StoreId[];
  /**
   * With `dismiss`: versions that were seen and are left, by `mark`. Absent, from a log of an earlier release: all that
   * are known and that nobody is known to have given up.
   */
  readonly leave?: readonly StoreId[] | undefined;
  /** The object stays where it is, under the name that it bears, and alive: removals, other places are taken back. */
  readonly accept: {
    readonly name: string;
    /** The directory where the author saw it; absent: where the replica has it. */
    readonly parent?: Fid | undefined;
    /** Where it keeps its name, when it got it (milliseconds since 1970): it keeps its turn for it; absent: now. */
    readonly since?: number | undefined;
  } | null;
}

/** Removes a file or symbolic link with its only name. */
export interface RemoveRecord extends RecordCommon {
  readonly op: 'remove';
  readonly parent: Fid;
  readonly name: string;
  readonly fid: Fid;
}

/** Removes an empty directory. */
export interface RemoveDirRecord extends RecordCommon {
  readonly op: 'rmdir';
  readonly parent: Fid;
  readonly name: string;
  readonly fid: Fid;
}

/** Moves a name. The target name must be free: an existing target is removed by a record of its own before. */
export interface RenameRecord extends RecordCommon {
  readonly op: 'rename';
  readonly fromParent: Fid;
  readonly fromName: string;
  readonly toParent: Fid;
  readonly toName: string;
  readonly fid: Fid;
}

export interface UtimesRecord extends RecordCommon {
  readonly op: 'utimes';
  readonly fid: Fid;
  readonly modified: number;
}

export interface ChmodRecord extends RecordCommon {
  readonly op: 'chmod';
  readonly fid: Fid;
  readonly mode: number;
}

export interface ChownRecord extends RecordCommon {
  readonly op: 'chown';
  readonly fid: Fid;
  readonly owner: string;
}

/** Sets and removes dead properties (Coda has none). */
export interface SetPropertiesRecord extends RecordCommon {
  readonly op: 'setprops';
  readonly fid: Fid;
  readonly set: Readonly<Record<string, string>>;
  readonly remove: readonly string[];
}

/** Gives a directory an access list of its own, or (null) takes it away (Coda: SetACL, which cannot be logged). */
export interface SetAccessRecord extends RecordCommon {
  readonly op: 'setacl';
  readonly fid: Fid;
  readonly list: AccessList | null;
}

export type Mutation =
  | CreateRecord
  | MakeDirRecord
  | SymlinkRecord
  | StoreRecord
  | RemoveRecord
  | RemoveDirRecord
  | RenameRecord
  | UtimesRecord
  | ChmodRecord
  | ChownRecord
  | SetPropertiesRecord
  | SetAccessRecord
  | RepairRecord;

/** Every object that `record` reads or changes, the created or removed one included; each once. */
export function fidsOf(record: Mutation): readonly Fid[] {
  switch (record.op) {
    case 'create':
    case 'mkdir':
    case 'symlink':
    case 'remove':
    case 'rmdir':
      return [record.parent, record.fid];
    case 'rename':
      // A directory moved into itself (a settled record is never refused for that) is its own target.
      return [...new Set([record.fromParent, record.toParent, record.fid])];
    case 'store':
    case 'utimes':
    case 'chmod':
    case 'chown':
    case 'setprops':
    case 'setacl':
    case 'repair':
      return [record.fid];
  }
}

/** Whether `record` makes a new object. */
export function isCreation(record: Mutation): record is CreateRecord | MakeDirRecord | SymlinkRecord {
  return record.op === 'create' || record.op === 'mkdir' || record.op === 'symlink';
}

/** Second phase of the update protocol: which replicas have applied an update (COP2, Coda's UpdateSet). */
export interface UpdateSet {
  readonly storeId: StoreId;
  /** Replica ids. */
  readonly replicas: readonly string[];
}

/** All records of one batch are in one volume. */
export interface Batch {
  readonly volume: VolumeId;
  readonly records: readonly Mutation[];
}
