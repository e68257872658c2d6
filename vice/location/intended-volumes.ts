/**
 * What becomes of the realm document when an administrator wants something of a volume as a whole. Pure, and a part of
 * `intended`: what is so already gives back the very document.
 *
 * VO-1  The id of a volume is never given again: its Fids are in caches, logs and archives that nobody can reach, and a
 *       server that was away still has its rows.
 * VO-2  No two volumes have one name.
 * VO-3  A volume goes only when nothing is seen through it: it is in no tree, and no other volume is in its own.
 */
import {
  membersOf,
  mountFault,
  volumeEntry,
  volumeOf,
  type Fid,
  type Intention,
  type RealmDocument,
  type ReplicaEntry,
  type VolumeEntry,
  type VolumeId,
} from '../interface/index.js';
import { exists, next, refused, replicasMost, required, requireServer, withVolume } from './document-step.js';

/** Each gateway watches all of them. */
const volumesMost = 1000;
/** As many as the document holds. */
const retiredMost = 10_000;

type Create = Extract<Intention, { change: 'create-volume' }>;

/** `newId` makes the id of a replica from its server's name. @throws Failure refused, exists, not-found */
export function withNewVolume(
  document: RealmDocument,
  intention: Create,
  newId: (server: string) => string,
): RealmDocument {
  const { id, name, conflicts, restoring } = intention;
  const known = volumeEntry(document, id);
  if (known?.name === name) return document;
  if (known !== undefined) throw exists(`the id ${id} is that of volume ${known.name}`);
  if (document.retiredVolumes?.includes(id) === true)
    throw refused(`the id ${id} was that of a volume that is deleted`);
  mustBeFree(document, name);
  if (document.volumes.length >= volumesMost) throw refused(`a realm has at most ${volumesMost} volumes`);
  const servers = [...new Set(intention.servers)];
  if (servers.length > replicasMost) throw refused(`a volume has at most ${replicasMost} replicas`);
  const replicas: ReplicaEntry[] = [];
  for (const server of servers) {
    requireServer(document, server);
    let replica = newId(server);
    while (replicas.some((other) => other.id === replica)) replica = newId(server);
    replicas.push({ id: replica, server });
  }
  const entry: VolumeEntry = {
    id,
    name,
    replicas,
    ...(conflicts !== undefined && { conflicts }),
    ...(restoring !== undefined && { restoring }),
  };
  return next(document, { volumes: [...document.volumes, entry] });
}

/** It is whole, and from then on as any other; what it was restored from stays known. @throws Failure not-found */
export function opened(document: RealmDocument, volume: VolumeId): RealmDocument {
  const { restoring, ...rest } = required(document, volume);
  return restoring === undefined ? document : withVolume(document, { ...rest, restored: restoring });
}

/** @throws Failure exists, not-found */
export function renamed(document: RealmDocument, volume: VolumeId, name: string): RealmDocument {
  const entry = required(document, volume);
  if (entry.name === name) return document;
  mustBeFree(document, name);
  return withVolume(document, { ...entry, name });
}

/** @throws Failure refused, not-found */
export function withoutVolume(document: RealmDocument, volume: VolumeId): RealmDocument {
  const { rootVolume, volumes, retiredVolumes = [] } = document;
  if (retiredVolumes.includes(volume)) return document;
  const entry = required(document, volume);
  if (volume === rootVolume) throw refused(`${entry.name} is the root volume: all others are below it`);
  if (entry.mount !== undefined) throw refused(`${entry.name} is mounted; unmount it first`);
  const inside = volumes.filter(({ mount }) => mount !== undefined && volumeOf(mount) === volume);
  if (inside.length > 0) {
    const names = inside.map(({ name }) => name).join(', ');
    throw refused(`volumes are mounted inside ${entry.name}: ${names}; unmount them first`);
  }
  if (retiredVolumes.length >= retiredMost) {
    throw refused(`${retiredMost} volumes were deleted: there is no room to remember one more`);
  }
  return next(document, {
    volumes: volumes.filter((each) => each !== entry),
    retiredVolumes: [...retiredVolumes, volume],
  });
}

/** @throws Failure refused, not-found */
export function mounted(document: RealmDocument, volume: VolumeId, directory: Fid): RealmDocument {
  const entry = required(document, volume);
  required(document, volumeOf(directory));
  const fault = mountFault(document, volume, directory);
  if (fault !== undefined) throw refused(`${entry.name} cannot be mounted there: ${fault}`);
  return entry.mount === directory ? document : withVolume(document, { ...entry, mount: directory });
}

/** @throws Failure not-found */
export function unmounted(document: RealmDocument, volume: VolumeId): RealmDocument {
  const { mount, ...rest } = required(document, volume);
  return mount === undefined ? document : withVolume(document, rest);
}

/** `bytes` null: none. @throws Failure not-found */
export function withQuota(document: RealmDocument, volume: VolumeId, bytes: number | null): RealmDocument {
  const { quotaBytes, ...rest } = required(document, volume);
  if (quotaBytes === (bytes ?? undefined)) return document;
  return withVolume(document, bytes === null ? rest : { ...rest, quotaBytes: bytes });
}

/** @throws Failure not-found */
export function withLock(document: RealmDocument, volume: VolumeId, isLocked: boolean): RealmDocument {
  const { locked = false, ...rest } = required(document, volume);
  if (locked === isLocked) return document;
  return withVolume(document, isLocked ? { ...rest, locked: true } : rest);
}

function mustBeFree({ volumes }: RealmDocument, name: string): void {
  const other = volumes.find((volume) => volume.name === name);
  if (other === undefined) return;
  const servers = membersOf(other).map(({ server }) => server);
  throw exists(`there is a volume ${name} already (${other.id}), on ${servers.join(', ')}`);
}
