/**
 * What a scrub can find wrong, what is done about each, and what is told to a person when that does not help. Pure.
 *
 * Whatever follows from other rows of this disk is worked out again from them. What only another replica can know is
 * fetched from one. Nothing that may be the last of its kind is removed: a damaged container is set aside (CO-2), an
 * object that nobody can read stays where it is.
 */
import type { Fid, VolumeId } from '../interface/index.js';

export const faults = [
  /** A record names contents that are not on this disk. */
  'contents-missing',
  /** The bytes on the disk are not those that the digest says; they have been set aside. */
  'contents-damaged',
  /** The disk does not give the bytes. */
  'contents-unreadable',
  /** The contents are as their digest says, but the record that names them has another length. */
  'contents-length',
  /** Nothing counts the record that names these contents: removing another file would remove them. */
  'contents-uncounted',
  /** The record does not match its checksum. */
  'record-damaged',
  /** The record is not one that this house writes. */
  'record-invalid',
  /** An object whose directory has no such name. */
  'name-missing',
  /** A living object without any name. */
  'no-name',
  /** An object in a directory that is not there. */
  'no-directory',
  /** A name whose object is not there. */
  'name-dangling',
  /** A name whose object bears another one, or was removed. */
  'second-name',
  /** A name that does not match its checksum. */
  'name-damaged',
  /** A directory that is below itself. */
  'circle',
  /** Figures that follow from other records, and do not. */
  'digest-wrong',
  /** A record that only snapshots read does not match its checksum, or is not one that this house writes. */
  'snapshot-damaged',
  /** A name in a snapshot whose object is not in it. */
  'snapshot-dangling',
  /** Replicas that know the same updates of an object and hold it differently. */
  'replicas-differ',
] as const;
export type Fault = (typeof faults)[number];

/**
 * `fetch` the contents from a peer; `recount` what follows from other rows; `resolve` the object with the peers;
 * `search` all objects for those that a directory's damaged names are of. They are tried in this order until nothing is
 * wrong any more. `renew` a snapshot from another server that has it.
 */
export type Remedy = 'fetch' | 'recount' | 'resolve' | 'search' | 'renew';

const remedies: Readonly<Record<Fault, readonly Remedy[]>> = {
  'contents-missing': ['fetch'],
  'contents-damaged': ['fetch'],
  'contents-unreadable': ['fetch'],
  // The digest proves the contents, so it is the record that is wrong.
  'contents-length': ['resolve'],
  'contents-uncounted': ['recount'],
  // It may still be in memory, whole.
  'record-damaged': ['recount', 'resolve'],
  'record-invalid': ['resolve'],
  'name-missing': ['recount', 'resolve'],
  'no-name': ['recount', 'resolve'],
  'no-directory': ['recount', 'resolve'],
  'name-dangling': ['resolve'],
  'second-name': ['recount'],
  'name-damaged': ['recount', 'resolve', 'search'],
  circle: ['resolve'],
  'digest-wrong': ['recount'],
  'snapshot-damaged': ['renew'],
  'snapshot-dangling': ['renew'],
  'replicas-differ': ['resolve'],
};

export function remediesFor(fault: Fault): readonly Remedy[] {
  return remedies[fault];
}

/** Something that is wrong, as it was just seen. */
export interface Found {
  readonly fault: Fault;
  readonly fid: Fid | null;
  /** Of the contents that it is about. */
  readonly digest: string | null;
  /** The server that the object was compared with. */
  readonly peer: string | null;
  /** The name of an object that is not here. */
  readonly entry?: { readonly directory: Fid; readonly name: string };
}

/** Something that nothing helped against, kept until it does, or until it is no longer so. */
export interface Finding extends Found {
  readonly volume: VolumeId;
  /** Where the object is in its volume; null: not known. */
  readonly path: string | null;
  /** When it was found first, milliseconds since 1970. */
  readonly since: number;
  /** What hindered the last attempt, in words. */
  readonly reason: string;
}

/** Two findings of the same key are the same finding. */
export function keyOf({ fault, fid, digest, peer }: Found, volume: VolumeId): string {
  // Missing, damaged or unreadable: the contents are not to be had, whichever it was this time.
  if (digest !== null && remedies[fault].includes('fetch')) return `${volume}/contents/${digest}`;
  return [volume, fault, fid ?? '', digest ?? '', peer ?? ''].join('/');
}

/** What a person can do about what is left. */
export function adviceFor(fault: Fault): string {
  switch (fault) {
    case 'contents-missing':
    case 'contents-damaged':
    case 'contents-unreadable':
      return (
        'no server has a good copy: start the servers that are down; else save the file again from a gateway that ' +
        'still has it in its cache, or from a backup'
      );
    case 'contents-length':
    case 'record-damaged':
    case 'record-invalid':
    case 'no-directory':
    case 'no-name':
    case 'circle':
      return 'start the servers that are down: one may have a good record; else restore the object from a backup';
    case 'name-dangling':
      return 'start the servers that are down: one of them may have the object; else restore it from a backup';
    case 'snapshot-damaged':
    case 'snapshot-dangling':
      return (
        'start the servers that are down: one may have the snapshot whole; else it stays so until the snapshot is ' +
        'deleted'
      );
    case 'replicas-differ':
      return 'look at the object at both servers; what is saved or set anew is the same everywhere again';
    default:
      return 'look at the log of the server: its disk may be failing or full';
  }
}
