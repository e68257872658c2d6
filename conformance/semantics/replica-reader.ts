/** Looks into the data folders of Vice servers that do not run: copies of them, opened as the servers would. */
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { realmDocumentSchema, type VolumeId } from '../../vice/interface/index.js';
import type { Containers } from '../../vice/seam/containers.js';
import { openFileContainers } from '../../vice/seam/real/file-containers.js';
import { openLmdbStore } from '../../vice/seam/real/lmdb-store.js';
import { systemClock } from '../../vice/seam/real/system-clock.js';
import { systemRandom } from '../../vice/seam/real/system-random.js';
import type { Store } from '../../vice/seam/store.js';
import { dumpReplica, type DumpedObject, type ReplicaDump } from '../simulation/replica-dump.js';

/**
 * The replica of a volume, of the root volume if none is named, at `server`, whose process must not run; its folder is
 * left as it is.
 * @param data folder of the realm
 */
export function readReplica(data: string, server: string, volume?: VolumeId): Promise<ReplicaDump> {
  return withDisk(data, join('servers', server), ({ store, containers, rootVolume }) => {
    const world = { clock: systemClock(), random: systemRandom(), store, containers };
    return dumpReplica({ ...world, volume: volume ?? rootVolume, id: server });
  });
}

export interface CopiedDisk {
  readonly store: Store;
  readonly containers: Containers;
  readonly rootVolume: VolumeId;
}

/** What `use` finds on a copy of the disk of a role, whose process must not run; `folder` is in that of the realm. */
export async function withDisk<T>(
  data: string,
  folder: string,
  use: (disk: CopiedDisk) => T | Promise<T>,
): Promise<T> {
  const { rootVolume } = realmDocumentSchema.parse(
    JSON.parse(await readFile(join(data, 'realm.json'), 'utf8')),
  );
  const copy = await mkdtemp(join(tmpdir(), 'coda-replica-'));
  try {
    await cp(join(data, folder), copy, { recursive: true });
    const store = await openLmdbStore(join(copy, 'store'));
    const containers = await openFileContainers(join(copy, 'containers'));
    try {
      return await use({ store, containers, rootVolume });
    } finally {
      await containers.close();
      await store.close();
    }
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
}

/**
 * One sentence for each object in which two replicas differ: name, Fid, kind, last StoreId, contents,
 * properties, time. Version vectors may differ: a COP2 that was lost is made up for in the background.
 */
export function replicaDifferences(one: ReplicaDump, other: ReplicaDump): string[] {
  const left = new Map(one.map((object) => [object.path, described(object)]));
  const right = new Map(other.map((object) => [object.path, described(object)]));
  return [...new Set([...left.keys(), ...right.keys()])]
    .filter((path) => left.get(path) !== right.get(path))
    .map((path) => `${path || '/'}: ${left.get(path) ?? 'nothing'} and ${right.get(path) ?? 'nothing'}`);
}

function described({ fid, kind, storeId, contents, properties, modified }: DumpedObject): string {
  const sorted = Object.entries(properties).sort(([a], [b]) => (a < b ? -1 : 1));
  const text = JSON.stringify({ fid, kind, storeId, modified, properties: sorted });
  return contents === null ? text : `${text} ${contents.length} bytes ${contents.slice(0, 20)}`;
}
