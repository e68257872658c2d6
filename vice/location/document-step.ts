/** What all decisions about the realm document are made of. Pure. */
import {
  Failure,
  volumeEntry,
  type RealmDocument,
  type VolumeEntry,
  type VolumeId,
} from '../interface/index.js';

const operation = 'vice.publish';

/** As many as one COP2 message names. */
export const replicasMost = 64;

export function next(document: RealmDocument, change: Partial<RealmDocument>): RealmDocument {
  return { ...document, ...change, version: document.version + 1 };
}

export function withVolume(document: RealmDocument, entry: VolumeEntry): RealmDocument {
  return next(document, { volumes: document.volumes.map((each) => (each.id === entry.id ? entry : each)) });
}

/** @throws Failure not-found */
export function required(document: RealmDocument, id: VolumeId): VolumeEntry {
  const entry = volumeEntry(document, id);
  if (entry === undefined) throw new Failure('not-found', operation, `the realm has no volume ${id}`);
  return entry;
}

/** @throws Failure not-found */
export function requireServer({ servers }: RealmDocument, name: string): void {
  if (servers.some((server) => server.name === name)) return;
  const names = servers.map((server) => server.name).join(', ');
  throw new Failure('not-found', operation, `the realm has no server ${name}; it has: ${names}`);
}

export function refused(message: string): Failure {
  return new Failure('refused', operation, message);
}

export function exists(message: string): Failure {
  return new Failure('exists', operation, message);
}
