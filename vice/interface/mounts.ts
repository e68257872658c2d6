/**
 * Where volumes are in the tree. A volume is mounted on a directory of another volume: its root then covers the
 * directory, as a Unix mount does. Pure; the realm document says which one, so the publisher decides alone.
 *
 * (Coda's mount points are symbolic links of a special form that any client can write, so loops are found while
 * walking, if at all. Here the directory is an ordinary one: it is made, renamed, and merged like all others, and the
 * mount goes with its Fid, whatever it is called.)
 *
 * MT-1  A volume is mounted at most once, and a directory is covered by at most one volume.
 * MT-2  From every mounted volume the mounts lead up to the root volume, or end at one that is not mounted; never in a
 *       circle.
 * MT-3  The root volume is not mounted.
 */
import { rootFid, volumeOf, type Fid, type VolumeId } from './fid.js';
import type { RealmDocument, VolumeEntry } from './realm.js';

type Mounted = Pick<RealmDocument, 'volumes' | 'rootVolume'>;

/** Covered directory -> the volume whose root is seen there. */
export function mountsOf({ volumes }: Mounted): ReadonlyMap<Fid, VolumeId> {
  return new Map(volumes.flatMap(({ id, mount }) => (mount === undefined ? [] : [[mount, id] as const])));
}

/** The volumes in whose trees `volume` is, itself first; a circle, which cannot be, is cut. */
export function volumesAbove({ volumes }: Mounted, volume: VolumeId): readonly VolumeId[] {
  const byId = new Map<VolumeId, VolumeEntry>(volumes.map((entry) => [entry.id, entry]));
  const above: VolumeId[] = [];
  for (let at: VolumeId | undefined = volume; at !== undefined && !above.includes(at);) {
    above.push(at);
    const mount: Fid | undefined = byId.get(at)?.mount;
    at = mount === undefined ? undefined : volumeOf(mount);
  }
  return above;
}

/** Why `volume` cannot be mounted on `directory`, in words; undefined: it can (MT-1 to MT-3). */
export function mountFault(realm: Mounted, volume: VolumeId, directory: Fid): string | undefined {
  if (volume === realm.rootVolume) return 'it is the root volume, which all others are below';
  const entry = realm.volumes.find(({ id }) => id === volume);
  if (entry?.restoring !== undefined) return 'it is being restored, and is not whole; say the restore again';
  if (entry?.mount === directory) return undefined;
  if (entry?.mount !== undefined) return 'it is mounted elsewhere; unmount it there first';
  if (directory === rootFid(volumeOf(directory)))
    return 'that is the root of a volume, which covers its own place';
  const other = mountsOf(realm).get(directory);
  if (other !== undefined) return 'another volume is mounted there';
  if (volumesAbove(realm, volumeOf(directory)).includes(volume)) return 'that is inside the volume itself';
  return undefined;
}
