/** Everything about a run that a law may look at. */
import type { Fid } from '../../../vice/interface/index.js';
import type { ConflictReport, Lease, PendingChange } from '../../../venus/interface.js';
import type { ReplicaDump } from '../replica-dump.js';
import type { Ledger } from './ledger.js';
import type { Scenario } from './scenario.js';

/** A replica of the second volume is named by its server and this. */
export const annexSuffix = '/annex';

/** What one gateway shows when all is healed. */
export interface View {
  readonly gateway: string;
  /** Paths of all objects, versions beside a file left out. */
  readonly paths: readonly string[];
  /** Of every file and every version of one. */
  readonly texts: readonly string[];
  readonly conflicts: readonly ConflictReport[];
  /** What has not left the log. */
  readonly pending: readonly PendingChange[];
  readonly leases: readonly Lease[];
  /** By user: by path of each directory the rights that he has there, in letters, or `hidden`. */
  readonly rights: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Contents that the log needs and that are not on its disk. */
  readonly missing: readonly string[];
}

/** One look at everything. */
export interface Look {
  readonly when: 'healed' | 'repaired';
  /** By replica: the server, with `/annex` of the second volume. An error: it cannot be read as a tree. */
  readonly dumps: ReadonlyMap<string, ReplicaDump | Error>;
  readonly views: readonly View[];
}

/** A replica was seen to go back, or to count what is not there. */
export interface Regression {
  readonly server: string;
  readonly fid: Fid;
  readonly what: string;
}

export interface Run {
  readonly scenario: Scenario;
  readonly ledger: Ledger;
  readonly looks: readonly Look[];
  readonly regressions: readonly Regression[];
  /** Milliseconds until all was equal; undefined: it never was. */
  readonly settledMs: number | undefined;
  /** Errors that no caller was told of. */
  readonly accidents: readonly string[];
  /** Rows and containers of each host at the end. */
  readonly sizes: readonly Size[];
}

/** What each volume holds, by a replica of it that can be read. */
export function dumpsByVolume(look: Look | undefined): readonly ReplicaDump[] {
  const dumps = new Map<boolean, ReplicaDump>();
  for (const [replica, dump] of look?.dumps ?? []) {
    const isAnnex = replica.endsWith(annexSuffix);
    if (!(dump instanceof Error) && !dumps.has(isAnnex)) dumps.set(isAnnex, dump);
  }
  return [...dumps.values()];
}

/** Numbers of rows by table (vice/store/README.md, venus/store/README.md). */
export type Rows = Readonly<Record<string, number>>;

/** What a host keeps. */
export interface Size {
  /** Or its replica of the second volume, named as in the looks. */
  readonly host: string;
  readonly isServer: boolean;
  /** Bodies that are half written. */
  readonly spools: number;
  /** Of a server's replica of the volume. */
  readonly rows: Rows;
  /** Of a server: of no volume, told of once. Of a gateway: all. */
  readonly others: Rows | undefined;
  /** Contents that objects of the replica name, living ones and removed ones that keep them. */
  readonly needed: number;
  /** Rows of applied updates below their author's watermark. */
  readonly overdue: number;
  /** Of a gateway: it had the time to forget what others have removed. */
  readonly hasForgotten: boolean;
  /** Bytes that a server says are used. */
  readonly used: number | undefined;
  /** Containers that no object needs, without those that travelled ahead of a change: they are kept for a while. */
  readonly unnamed: number;
}

/** Sentences about what is broken; none when the law holds. */
export type Law = (run: Run) => readonly string[];
