/** A snapshot at one server, read page by page and file by file. */
import {
  dumpPath,
  isFailure,
  type Argument,
  type Fid,
  type FileData,
  type RealmDocument,
  type Result,
  type SnapshotId,
  type VnodeStatus,
  type VolumeEntry,
} from '../../../vice/interface/index.js';
import type { Administration } from '../administration.js';
import type { VolumeState } from './volume-state.js';

/** A line that breaks goes on at the byte where it broke. */
const attemptsMost = 5;

export interface SnapshotPlace {
  readonly server: string;
  readonly volume: VolumeEntry;
  readonly snapshot: SnapshotId;
}

/** @throws Failure unreachable, stale: the server does not hold the volume */
export function stateOfSnapshot(
  administration: Administration,
  realm: RealmDocument,
  { server, volume, snapshot }: SnapshotPlace,
): VolumeState {
  const replica = volume.replicas.find((each) => each.server === server)?.id ?? '';
  const { name, time } = snapshot;
  const header = {
    format: 'coda-dump',
    version: 1,
    realm: { id: realm.realm, name: realm.name },
    volume: { id: volume.id, name: volume.name },
    state: { snapshot: name, time, replica },
  } as const;
  return {
    header,
    objects: () => objects(administration, { server, volume, snapshot }),
    contents: (fid, version) => contents(administration, { server, volume, snapshot }, fid, version),
  };
}

async function* objects(
  administration: Administration,
  { server, volume, snapshot }: SnapshotPlace,
): AsyncGenerator<VnodeStatus> {
  let after: Fid | null = null;
  for (;;) {
    const { name, time } = snapshot;
    const argument: Argument<'snapshotObjects'> = { volume: volume.id, snapshot: { name, time }, after };
    const page: Result<'snapshotObjects'> = await again(() =>
      administration.carry(server, 'snapshotObjects', argument),
    );
    yield* page.objects;
    const last: Fid | undefined = page.objects.at(-1)?.fid;
    if (!page.more || last === undefined) return;
    after = last;
  }
}

async function* contents(
  administration: Administration,
  { server, volume, snapshot }: SnapshotPlace,
  fid: Fid,
  { digest, length }: FileData,
): AsyncGenerator<Uint8Array> {
  const path = dumpPath(volume.id, snapshot, fid, digest);
  let at = 0;
  for (let attempt = 1; at < length; attempt += 1) {
    try {
      const from = at;
      for await (const chunk of await administration.download(server, path, from)) {
        at += chunk.length;
        yield chunk;
      }
      return;
    } catch (error) {
      if (!isFailure(error, 'unreachable', 'timeout') || attempt >= attemptsMost) throw error;
    }
  }
}

async function again<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (!isFailure(error, 'unreachable', 'timeout') || attempt >= attemptsMost) throw error;
    }
  }
}
