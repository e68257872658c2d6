/**
 * Where things are: which servers a realm has and which of them hold which volume (Coda's VLDB and VRDB in one
 * versioned document). One server publishes it, every server keeps a copy, clients cache it.
 */
import type { Groups } from './access.js';
import type { Fid, VolumeId } from './fid.js';

export interface ServerEntry {
  readonly name: string;
  /** `ws://host:port` or `wss://host:port`. */
  readonly address: string;
}

export interface ReplicaEntry {
  /** Slot name in version vectors; never reused within the volume. */
  readonly id: string;
  /** Name of the server that holds this replica. */
  readonly server: string;
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
  /** The volume storage group (VSG). */
  readonly replicas: readonly ReplicaEntry[];
  /** Absent: `keep`. */
  readonly conflicts?: ConflictPolicy | undefined;
}

export interface RealmDocument {
  readonly format: 1;
  /** Counts publications; a higher version replaces a lower one everywhere. */
  readonly version: number;
  /** Random id of the realm: a server or a gateway never mixes two realms. */
  readonly realm: string;
  readonly name: string;
  readonly servers: readonly ServerEntry[];
  readonly volumes: readonly VolumeEntry[];
  /** The volume whose root directory is the realm's root. */
  readonly rootVolume: VolumeId;
  /** Groups of access lists: name -> users and groups. Absent: there are none. */
  readonly groups?: Groups | undefined;
}

/** The volume entry of `id`, if the realm has it. */
export function volumeEntry(realm: RealmDocument, id: VolumeId): VolumeEntry | undefined {
  return realm.volumes.find((volume) => volume.id === id);
}

/** The realm's root directory. */
export function realmRoot(realm: RealmDocument): Fid {
  return `${realm.rootVolume}.1.1` as Fid;
}
