/** All that a volume held at one moment: what is dumped, and what is restored, wherever it comes from. */
import {
  emptyDigest,
  versionsOf,
  type Fid,
  type FileData,
  type VnodeStatus,
} from '../../../vice/interface/index.js';
import type { DumpHeader } from './format.js';

export interface VolumeState {
  readonly header: Omit<DumpHeader, 'base'>;
  /** In the order of their Fids, which are of the volume that they were in; any number of times. */
  objects(): AsyncIterable<VnodeStatus>;
  /** Those of a version that `fid` has. Whoever takes them checks them. @throws Failure not-found, unreachable */
  contents(fid: Fid, version: FileData): AsyncIterable<Uint8Array>;
}

/** Versions whose contents have to be somewhere. */
export function storedVersions(status: VnodeStatus): readonly FileData[] {
  return versionsOf(status).filter(({ digest }) => digest !== emptyDigest);
}

/** Which state this is: what is restored from it is not restored from another one. */
export function nameOfState({ volume, state }: Pick<DumpHeader, 'volume' | 'state'>): string {
  return `${volume.id} ${state.time} ${state.replica} ${state.snapshot}`;
}

/**
 * Whether both are of one snapshot, perhaps as two replicas have it. These differ at most by what was under way when it
 * was taken, and what a restore has from both it merges as the replicas themselves do.
 */
export function isSameState(one: string | undefined, other: string): boolean {
  const snapshot = (name: string): string => name.replace(/^(\S+ \S+) \S*/, '$1');
  return one !== undefined && snapshot(one) === snapshot(other);
}

/** What `nameOfState` has named, for people. */
export function stateText(name: string): string {
  const [volume, time, , ...snapshot] = name.split(' ');
  const when = new Date(Number(time));
  return Number.isNaN(when.getTime())
    ? `"${name}"`
    : `volume ${volume} in "${snapshot.join(' ')}" of ${when.toISOString()}`;
}
