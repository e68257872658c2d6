/** What a server keeps of one object beside its contents, and what a client caches of it. */
import type { Fid } from './fid.js';
import type { StoreId, StoreIdVector } from './store-id.js';
import type { VersionVector } from './version-vector.js';

export type VnodeKind = 'file' | 'directory' | 'symlink';

/** The contents of a file: which close made them, and the container that holds them. */
export interface FileData {
  /** The update that stored these bytes; the ETag of every gateway. */
  readonly storeId: StoreId;
  /** Bytes. */
  readonly length: number;
  /** Container digest (see vice/seam/containers.ts), 64 hexadecimal digits. */
  readonly digest: string;
}

/**
 * Invariants
 *   VN-1  `data` is present exactly for files, `target` exactly for symbolic links.
 *   VN-2  `parent` is null exactly for a volume's root.
 *   VN-3  `known` holds `storeId` and, for files, `data.storeId`.
 */
export interface VnodeStatus {
  readonly fid: Fid;
  readonly kind: VnodeKind;
  readonly parent: Fid | null;
  readonly vv: VersionVector;
  /** The last update of any kind; null for a runt. */
  readonly storeId: StoreId | null;
  /** Every update that this object has incorporated, deletions of names in a directory included. */
  readonly known: StoreIdVector;
  readonly data: FileData | null;
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
  /** Records in one mutate call. */
  batchRecords: 100,
  /** Bytes of one file that travel inside a mutate call instead of beside it. */
  inlineBytes: 64 * 1024,
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
