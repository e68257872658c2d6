/** What a Venus tells of itself: its servers, its volumes, its cache. */
import type { ConflictPolicy } from '../vice/interface/index.js';

export interface ServerState {
  readonly name: string;
  readonly address: string;
  readonly reachable: boolean;
  /** Milliseconds since it was last heard; null if never. */
  readonly silence: number | null;
  /** Disconnected on purpose (`disconnect`): not dialled until `reconnect`. */
  readonly planned: boolean;
}

/** How changes are acknowledged while servers are accessible: by them, or by the log on the gateway's own disk. */
export type VolumeMode = 'write-through' | 'write-disconnected';

/** How far the replay of the log has come. */
export interface Replay {
  /** Milliseconds since 1970. */
  readonly since: number;
  readonly doneRecords: number;
  readonly doneBytes: number;
  /** Of the last seconds. */
  readonly recordsPerSecond: number;
  readonly bytesPerSecond: number;
}

export interface VolumeState {
  readonly id: string;
  readonly name: string;
  /** Where its root is seen, in names from the realm's root; null: nowhere, or that cannot be told now. */
  readonly path: readonly string[] | null;
  /** Names are in the directory that its root covers, as far as is known: nobody sees them until it is unmounted. */
  readonly hidesNames: boolean;
  /** Coda's states; see venus/volume. */
  readonly state: 'hoarding' | 'write-disconnected' | 'emulating' | 'reintegrating' | 'resolving';
  /** Names of the servers that hold a replica, and of those now accessible. */
  readonly vsg: readonly string[];
  readonly avsg: readonly string[];
  readonly preferred: string | null;
  readonly pendingRecords: number;
  readonly pendingBytes: number;
  /** At these bounds new contents are refused (`no-space`); removing goes on. */
  readonly limitRecords: number;
  readonly limitBytes: number;
  /** When the oldest pending change was made, milliseconds since 1970; null: none is pending. */
  readonly oldestPending: number | null;
  /** Changes that the servers refused for good: kept with their contents until a person decides. */
  readonly keptRecords: number;
  /** Users whose changes wait for them to log in again. */
  readonly awaitedLogins: readonly string[];
  readonly mode: VolumeMode;
  /** What is seen of versions of a file that were made apart: all, or the one saved last. */
  readonly conflicts: ConflictPolicy;
  /** The links to the servers were measured to be slow. */
  readonly weak: boolean;
  /** While the log is replayed. */
  readonly replay: Replay | null;
  /** The last thing that went wrong with the log, in words; null: nothing did since it was last empty. */
  readonly lastError: string | null;
}

/** A volume that is no more, of which this gateway keeps changes that no server took. */
export interface DeletedVolume {
  readonly id: string;
  readonly name: string;
  readonly keptRecords: number;
}

export interface VenusState {
  readonly venus: string;
  readonly servers: readonly ServerState[];
  readonly volumes: readonly VolumeState[];
  readonly deletedVolumes: readonly DeletedVolume[];
  readonly cache: { readonly objects: number; readonly containers: number; readonly bytes: number };
}
