/** Everything that a user could ever see of one replica, so that replicas can be compared. */
import { rootFid, type Fid, type VersionVector, type VolumeId } from '../../vice/interface/index.js';
import type { Clock } from '../../vice/seam/clock.js';
import type { Containers } from '../../vice/seam/containers.js';
import { silentLog } from '../../vice/seam/log.js';
import type { Random } from '../../vice/seam/random.js';
import type { Store } from '../../vice/seam/store.js';
import { openReplica } from '../../vice/volume/open-replica.js';

export interface DumpedObject {
  readonly path: string;
  readonly fid: Fid;
  readonly kind: string;
  readonly vv: VersionVector;
  readonly storeId: string | null;
  readonly known: Readonly<Record<string, number>>;
  readonly contents: string | null;
  readonly properties: Readonly<Record<string, string>>;
  readonly modified: number;
}

export type ReplicaDump = readonly DumpedObject[];

export interface DumpOptions {
  readonly store: Store;
  readonly containers: Containers;
  readonly clock: Clock;
  readonly random: Random;
  readonly volume: VolumeId;
  readonly id: string;
}

export async function dumpReplica(options: DumpOptions): Promise<ReplicaDump> {
  const replica = await openReplica({ ...options, group: [options.id], log: silentLog });
  const dumped: DumpedObject[] = [];
  const visit = async (path: string, fid: Fid): Promise<void> => {
    const status = replica.status(fid);
    if (status === undefined) throw new Error(`${options.id}: ${path} names ${fid}, which does not exist`);
    dumped.push({
      path,
      fid,
      kind: status.kind,
      vv: status.vv,
      storeId: status.storeId,
      known: status.known,
      contents:
        status.data === null ? null : await text(options.containers, status.data.digest, status.data.length),
      properties: status.properties,
      modified: status.modified,
    });
    if (status.kind !== 'directory') return;
    for (const { name, status: child } of [...(replica.list(fid)?.entries ?? [])]) {
      if (child.parent !== fid) throw new Error(`${options.id}: ${path}/${name} has another parent`);
      await visit(`${path}/${name}`, child.fid);
    }
  };
  await visit('', rootFid(options.volume));
  return dumped;
}

async function text(containers: Containers, digest: string, length: number): Promise<string> {
  if (length === 0) return '';
  const chunks: Uint8Array[] = [];
  for await (const chunk of await containers.read(digest)) chunks.push(chunk);
  return Buffer.concat(chunks).toString('latin1');
}
