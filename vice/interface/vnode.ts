/** What a server keeps of one object beside its contents, and what a client caches of it. */
import type { AccessVersion } from './access-list.js';
import type { Fid } from './fid.js';
import type { StoreId, StoreIdVector } from './store-id.js';
import type { VersionVector } from './version-vector.js';

export type VnodeKind = 'file' | 'directory' | 'symlink';

/** One version of a file's contents: which close made them, and the container that holds them. */
export interface FileData {
  /** The update that stored these bytes; the ETag of every gateway. */
  readonly storeId: StoreId;
  /** The same: what records name it by. */
  readonly mark: StoreId;
  /** Bytes. */
  readonly length: number;
  /** Container digest (see vice/seam/containers.ts), 64 hexadecimal digits. */
  readonly digest: string;
  /** Milliseconds since 1970, as the client set it. */
  readonly modified: number;
  readonly author: string;
  /** Name of the gateway where it was made. */
  readonly host: string;
  /**
   * When it was saved, milliseconds since 1970 by the gateway's clock, but later than what it replaced: of versions
   * made apart the greatest is shown.
   */
  readonly saved: number;
  /** Repairs that left it when they gave up others; absent: none. */
  readonly vouched?: StoreIdVector | undefined;
  /** What the authors of repairs that gave it up had seen; absent: nobody has (merge.ts, MG-4). */
  readonly givenUp?: StoreIdVector | undefined;
}

/** Who has set an attribute last, and where he stands in the order of all who ever did (attributes.ts). */
export interface Setter {
  readonly storeId: StoreId;
  readonly rank: number;
}

/** Where an object was put: by its creation, or by a rename. */
export interface Placement {
  readonly parent: Fid;
  /** The name that was asked for. Where another object keeps that, the object bears a name beside it (conflict.ts). */
  readonly name: string;
  /** The update that put it there. */
  readonly storeId: StoreId;
  /** Milliseconds since 1970 at the gateway. */
  readonly time: number;
  readonly author: string;
  readonly host: string;
  /** Following this move would make a circle: the object is in the volume's root instead. */
  readonly isBroken: boolean;
}

/**
 * Invariants
 *   VN-1  `data` is present exactly for files, `target` exactly for symbolic links.
 *   VN-2  `parent` is null, and `places` empty, exactly for a volume's root.
 *   VN-3  `known` holds `storeId` and every StoreId of versions and places.
 *   VN-4  `data` and `places[0]` come first in the order of merge.ts; `parent` is that of `places[0]`.
 */
export interface VnodeStatus {
  readonly fid: Fid;
  readonly kind: VnodeKind;
  readonly parent: Fid | null;
  readonly vv: VersionVector;
  /** The last update of any kind; null for a runt. */
  readonly storeId: StoreId | null;
  /** Of replicas that were changed apart the one with the greater rank had the last update; absent: 0. */
  readonly rank?: number | undefined;
  /** Every update that this object has incorporated, deletions of names in a directory included. */
  readonly known: StoreIdVector;
  /** The version that is shown. */
  readonly data: FileData | null;
  /** Versions that were made apart from it; empty unless a person has to decide. */
  readonly siblings: readonly FileData[];
  /**
   * Versions that a repair or a removal gave up and no store has replaced yet: not seen, but kept, since another repair
   * made apart may have given up the rest (merge.ts, MG-4). Absent: none.
   */
  readonly setAside?: readonly FileData[] | undefined;
  /** Where it is; others are places that it was given apart. */
  readonly places: readonly Placement[];
  /** What the authors of removals had seen of it; {}: nobody has removed it (merge.ts, MG-3). */
  readonly gone: StoreIdVector;
  /** The part of `gone` that was taken back. */
  readonly revived: StoreIdVector;
  /** Of a directory: the list that was set, or those that were set apart (access.ts); absent: nobody has set any. */
  readonly access?: readonly AccessVersion[] | undefined;
  /** Of a directory: digest of the names in it (names-digest.ts); of others ''. */
  readonly names: string;
  /** Of a symbolic link: its text. */
  readonly target: string | null;
  /** Milliseconds since 1970 by the clock of the gateway that made the object; never used to order updates. */
  readonly created: number;
  /** Milliseconds since 1970; for a file as its client set it, else the time of the close. */
  readonly modified: number;
  /** Permission bits as Unix knows them. */
  readonly mode: number;
  readonly owner: string;
  /** Who made the last update. */
  readonly author: string;
  /** Dead properties: `{namespace}name` in Clark notation -> XML fragment. */
  readonly properties: Readonly<Record<string, string>>;
  /**
   * `mode`, `owner`, `modified`, `contents` or the name of a property -> who last set it (or removed it). Absent:
   * nobody since the object was made.
   */
  readonly setters: Readonly<Record<string, Setter>>;
}

/** One name in a directory. */
export interface DirectoryEntry {
  readonly name: string;
  readonly fid: Fid;
  readonly kind: VnodeKind;
}

/** The empty file has no container. */
export const emptyDigest = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

/** Limits that every part enforces at its gate. */
export const limits = {
  /** Bytes of one name in UTF-8. */
  nameBytes: 255,
  /** Bytes of one symbolic link's text. */
  targetBytes: 4096,
  /** Bytes of all dead properties of one object, names included. */
  propertyBytes: 64 * 1024,
  /** Directories between a volume's root and an object. */
  depth: 256,
  /** Versions or places of one object; more are refused at replay and kept by the gateway. */
  alternatives: 100,
  /** Entries of an access list. */
  accessEntries: 64,
  /** Records in one mutate call. */
  batchRecords: 100,
  /** Bytes of one file that travel inside a mutate call instead of beside it. */
  inlineBytes: 64 * 1024,
  /** Contents in the reply to one `contents` call, and their bytes together. */
  contentsAtOnce: 100,
  contentsBytes: 1024 * 1024,
} as const;

/** Why `name` cannot name an object, or undefined if it can. */
export function nameFault(name: string): string | undefined {
  if (name === '' || name === '.' || name === '..') return 'is reserved';
  // Exactly these break paths and XML 1.0.
  if (/[/\u0000-\u001f\u007f\ufffe\uffff]/.test(name)) return 'has a slash or a control character';
  if (!name.isWellFormed()) return 'is no well-formed Unicode';
  if (Buffer.byteLength(name) > limits.nameBytes) return `is longer than ${limits.nameBytes} bytes`;
  return undefined;
}
