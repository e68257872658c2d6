/** The volumes of a scenario: all have a root volume; some have a second one, on other servers, mounted in the tree. */
import type { Fid, VolumeId } from '../../../vice/interface/index.js';
import { volumeOf } from '../../../vice/interface/index.js';
import { rootVolume } from '../simulated-realm.js';
import type { Topology, VolumeName } from './scenario.js';

export const annexVolume = '7f000002' as VolumeId;

/** Where the second volume is seen at the beginning, and when all is over. */
export const mountedAt = { first: 'v', last: 'annex' } as const;

export function idOf(volume: VolumeName): VolumeId {
  return volume === 'root' ? rootVolume : annexVolume;
}

export function nameOf(fid: Fid): VolumeName {
  return volumeOf(fid) === annexVolume ? 'annex' : 'root';
}

export function volumesOf({ volumes }: Topology): readonly VolumeName[] {
  return volumes === undefined ? ['root'] : ['root', 'annex'];
}

/** Servers with a replica; of a group that changes: that may have one. */
export function serversOf(topology: Topology, volume: VolumeName): readonly string[] {
  const all = Array.from({ length: topology.servers }, (_, index) => `s${index + 1}`);
  return topology.volumes === undefined ? all : topology.volumes[volume];
}
