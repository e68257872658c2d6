/**
 * A new volume, made once: the command that makes it may be killed at any time, and finds it when it is said again.
 */
import {
  Failure,
  volumeEntry,
  volumeId,
  type ConflictPolicy,
  type RealmDocument,
  type VolumeEntry,
  type VolumeId,
} from '../../vice/interface/index.js';
import { randomHex, type Random } from '../../vice/seam/random.js';
import type { Administration } from './administration.js';

export interface VolumeWish {
  readonly name: string;
  /** Absent: those that have the root volume. */
  readonly servers?: readonly string[] | undefined;
  readonly conflicts?: ConflictPolicy | undefined;
  /** What it is restored from, until it is opened. */
  readonly restoring?: string | undefined;
}

/** The volume that is wished for, and whether it is new. @throws Failure exists, not-found, refused, unreachable */
export async function madeVolume(
  administration: Administration,
  { name, servers, conflicts, restoring }: VolumeWish,
  random: Random,
): Promise<{ readonly volume: VolumeEntry; readonly isNew: boolean }> {
  const before = await administration.document();
  const known = before.volumes.find((volume) => volume.name === name);
  if (known !== undefined) {
    if (known.restoring !== undefined && restoring === undefined) {
      const message = `volume ${name} is being restored: say that again, or delete it by \`coda volume delete\``;
      throw new Failure('exists', 'administration.volume', message);
    }
    if (servers === undefined || isOn(known, servers)) return { volume: known, isNew: false };
    const where = known.replicas.map(({ server }) => server).join(', ');
    const message =
      `there is a volume ${name} already, on ${where}; give another name, ` +
      'or change its servers with `coda volume replica`';
    throw new Failure('exists', 'administration.volume', message);
  }
  const id = newVolumeId(before, random);
  const wanted = servers ?? serversOf(volumeEntry(before, before.rootVolume));
  await administration.publish({
    change: 'create-volume',
    id,
    name,
    servers: [...wanted],
    conflicts,
    restoring,
  });
  const volume = volumeEntry(administration.known, id);
  if (volume === undefined) throw new Error(`administration: volume ${id} is not in the document`);
  return { volume, isNew: true };
}

/** Neither of a volume that is nor of one that was. */
function newVolumeId({ volumes, retiredVolumes = [] }: RealmDocument, random: Random): VolumeId {
  const used = new Set([...volumes.map(({ id }) => id), ...retiredVolumes]);
  for (;;) {
    const id = volumeId(randomHex(random, 4));
    if (id !== undefined && !used.has(id)) return id;
  }
}

function isOn(volume: VolumeEntry, servers: readonly string[]): boolean {
  return serversOf(volume).sort().join() === [...new Set(servers)].sort().join();
}

function serversOf(volume: VolumeEntry | undefined): string[] {
  return (volume?.replicas ?? []).map(({ server }) => server);
}
