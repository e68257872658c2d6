/** Nothing of another volume. Pure. */
import { Failure, volumeOf, type Fid, type VolumeId } from '../interface/index.js';

/** @throws Failure invalid when an object of another volume is named. */
export function mustBeIn(volume: VolumeId, fids: readonly Fid[]): void {
  for (const fid of fids) {
    if (volumeOf(fid) !== volume) {
      throw new Failure('cross-volume', 'vice.mutate', `the object is not in volume ${volume}`, { fid });
    }
  }
}
