/** What a scrub is given: the server's rows and replicas, and the ways by which other servers help. */
import type { Fid, SnapshotId } from '../interface/index.js';
import type { Clock } from '../seam/clock.js';
import type { Containers } from '../seam/containers.js';
import type { Log } from '../seam/log.js';
import type { Link } from '../seam/network.js';
import type { Store } from '../seam/store.js';
import type { ContainerReferences } from '../store/container-references.js';
import type { Replica } from '../volume/replica.js';

export interface ScrubSettings {
  /** Days from the end of one pass to the beginning of the next; 0: only when it is asked for. */
  readonly everyDays: number;
  /** Bytes of contents and records read in a second. */
  readonly bytesPerSecond: number;
}

export const defaultScrub: ScrubSettings = { everyDays: 7, bytesPerSecond: 8 * 1024 * 1024 };

export interface ScrubWorld {
  readonly clock: Clock;
  readonly store: Store;
  readonly containers: Containers;
  readonly log: Log;
  readonly references: ContainerReferences;
  readonly settings: ScrubSettings;
  replicas(): readonly Replica[];
  /** The other replicas of the volume that are members, by server; no link: it cannot be reached now. */
  peers(replica: Replica): readonly ScrubPeer[];
  /** Brings contents here that are not, from any peer, checked and flushed. @throws Failure */
  fetch(digest: string): Promise<void>;
  /** Brings objects of `replica` up to date with its peers. @throws Failure */
  resolve(replica: Replica, fids: readonly Fid[]): Promise<void>;
  /** Puts a snapshot of `replica` right by what another server has of it. @throws Failure */
  renew(replica: Replica, snapshot: SnapshotId): Promise<void>;
  /** Whether somebody waits for an answer of this server. */
  isBusy(): boolean;
}

export interface ScrubPeer {
  readonly server: string;
  readonly link: Link | undefined;
}
