/**
 * Where things are: which servers a realm has and which of them hold which volume (Coda's VLDB and VRDB in one
 * versioned document). One server publishes it, every server keeps a copy, clients cache it.
 */
import type { Groups } from './access.js';
import type { Fid, VolumeId } from './fid.js';
import type { PeopleEntry } from './people.js';
import type { Revocation } from './revocation.js';

export interface ServerEntry {
  readonly name: string;
  /** `ws://host:port` or `wss://host:port`. */
  readonly address: string;
}

/**
 * A replica on its way into the group (`filling`: it has not got everything yet) or out of it (`leaving`: it takes no
 * changes any more, and the others have not yet shown that they have all of it). Both resolve with the others; to
 * gateways they are none of the group: not read from, not written to, no disk that acknowledges.
 */
export const replicaStates = ['filling', 'leaving'] as const;
export type ReplicaState = (typeof replicaStates)[number];

export interface ReplicaEntry {
  /** Slot name in version vectors; never reused within the volume. */
  readonly id: string;
  /** Name of the server that holds this replica. */
  readonly server: string;
  /** Absent: a member of the group. */
  readonly state?: ReplicaState | undefined;
  /** The replica (its id) that leaves once this one is a member. */
  readonly replaces?: string | undefined;
}

/**
 * What is seen of versions of a file that were made apart: all (`keep`), or the one saved last (`last-writer-wins`).
 * Only gateways act on it: servers keep all versions in any case.
 */
export const conflictPolicies = ['keep', 'last-writer-wins'] as const;
export type ConflictPolicy = (typeof conflictPolicies)[number];

export interface VolumeEntry {
  readonly id: VolumeId;
  readonly name: string;
  /** The volume storage group (VSG), with those on their way into it and out of it. */
  readonly replicas: readonly ReplicaEntry[];
  /** Ids of replicas that were: their servers drop what they still have of them. */
  readonly retired?: readonly string[] | undefined;
  /** Absent: `keep`. */
  readonly conflicts?: ConflictPolicy | undefined;
  /** The directory of another volume that this one's root covers (mounts.ts). Absent: it is in no tree. */
  readonly mount?: Fid | undefined;
  /** What the contents of all its files may take together. Absent: as much as the disks take. */
  readonly quotaBytes?: number | undefined;
  /** It takes no changes of gateways; reading and resolution go on. Absent: it does. */
  readonly locked?: true | undefined;
  /**
   * It is being restored from what bears this name, and is not whole: it takes no changes of gateways and cannot be
   * mounted. Absent: it is no such one, or no longer.
   */
  readonly restoring?: string | undefined;
  /** It was restored from what bears this name, and was whole: who says that restore again is told so. */
  readonly restored?: string | undefined;
}

/** Characters of `restoring` and `restored`. */
export const restoringMost = 256;

export interface RealmDocument {
  readonly format: 1;
  /** Counts publications; a higher version replaces a lower one everywhere. */
  readonly version: number;
  /** Random id of the realm: a server or a gateway never mixes two realms. */
  readonly realm: string;
  readonly name: string;
  /** The server that makes new versions. Absent: the first of `servers`. */
  readonly publisher?: string | undefined;
  readonly servers: readonly ServerEntry[];
  readonly volumes: readonly VolumeEntry[];
  /** The volume whose root directory is the realm's root. */
  readonly rootVolume: VolumeId;
  /** Ids of volumes that were: never given again, and servers drop what they still have of them. */
  readonly retiredVolumes?: readonly VolumeId[] | undefined;
  /** Groups of access lists: name -> users and groups. Absent: there are none. */
  readonly groups?: Groups | undefined;
  /** The servers keep the people. Absent: each gateway has users of its own, and servers believe whom it names. */
  readonly people?: PeopleEntry | undefined;
  /** Certificates that count no more. Absent: there are none. */
  readonly revoked?: readonly Revocation[] | undefined;
}

/** The volume entry of `id`, if the realm has it. */
export function volumeEntry(realm: RealmDocument, id: VolumeId): VolumeEntry | undefined {
  return realm.volumes.find((volume) => volume.id === id);
}

/** Those that are written to and read from. */
export function membersOf({ replicas }: VolumeEntry): readonly ReplicaEntry[] {
  return replicas.filter(({ state }) => state === undefined);
}

/** The name of the server that makes new versions of the document; undefined: there is no server. */
export function publisherOf({ publisher, servers }: RealmDocument): string | undefined {
  return servers.some(({ name }) => name === publisher) ? publisher : servers[0]?.name;
}

/**
 * How many of `members` replicas there may be at most that nobody has heard of, and yet no acknowledged change is
 * unknown: each is on two disks as soon as there are two members, or waits in its gateway's log.
 */
export function dispensable(members: number): number {
  return Math.min(2, members) - 1;
}

/** The realm's root directory. */
export function realmRoot(realm: RealmDocument): Fid {
  return `${realm.rootVolume}.1.1` as Fid;
}
