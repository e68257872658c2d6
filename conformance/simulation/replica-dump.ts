/** Everything that a user could ever see of one replica, so that replicas can be compared. */
import {
  conflictsOf,
  noNames,
  rootFid,
  toggledName,
  wantedVersions,
  type Fid,
  type VersionVector,
  type VnodeStatus,
  type VolumeId,
} from '../../vice/interface/index.js';
import type { Clock } from '../../vice/seam/clock.js';
import type { Containers } from '../../vice/seam/containers.js';
import { silentLog } from '../../vice/seam/log.js';
import { PackedContainers, storedRows } from '../../vice/seam/packed-containers.js';
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
  /** Contents of all versions that anybody may come to see, the shown one first. */
  readonly versions: readonly string[];
  /** All the rest of what replicas must agree on. */
  readonly status: Pick<
    VnodeStatus,
    'data' | 'siblings' | 'setAside' | 'places' | 'gone' | 'revived' | 'mode' | 'owner' | 'setters' | 'access'
  >;
  readonly conflicts: readonly string[];
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

export async function dumpReplica(given: DumpOptions): Promise<ReplicaDump> {
  const pause = (): Promise<void> => Promise.resolve();
  const rows = storedRows(given.store);
  const containers = new PackedContainers({ rows, containers: given.containers, packedBytes: 0, pause });
  const options = { ...given, containers };
  const replica = await openReplica({ ...options, group: [options.id], log: silentLog });
  const dumped: DumpedObject[] = [];
  const visit = async (path: string, name: string | null, fid: Fid): Promise<void> => {
    const status = replica.status(fid);
    if (status === undefined) throw new Error(`${options.id}: ${path} names ${fid}, which does not exist`);
    const versions: string[] = [];
    for (const { digest, length } of wantedVersions(status))
      versions.push(await text(options.containers, digest, length));
    const {
      data,
      siblings,
      setAside = [],
      places,
      gone,
      revived,
      mode,
      owner,
      setters,
      access = [],
    } = status;
    dumped.push({
      path,
      fid,
      kind: status.kind,
      vv: status.vv,
      storeId: status.storeId,
      known: status.known,
      contents: versions[0] ?? null,
      versions,
      status: { data, siblings, setAside, places, gone, revived, mode, owner, setters, access },
      conflicts: conflictsOf(status, name),
      properties: status.properties,
      modified: status.modified,
    });
    if (status.kind !== 'directory') return;
    let names: string = noNames;
    for (const { name: child, status: object } of [...(replica.list(fid)?.entries ?? [])]) {
      if (object.parent !== fid) throw new Error(`${options.id}: ${path}/${child} has another parent`);
      names = toggledName(names, object.fid, child);
      await visit(`${path}/${child}`, child, object.fid);
    }
    if (names !== status.names) throw new Error(`${options.id}: the digest of the names in ${path} is wrong`);
  };
  await visit('', null, rootFid(options.volume));
  return dumped;
}

/** Lines that two replicas can be compared by: no order of keys, no order of objects. */
export function withoutOrder(dump: ReplicaDump): readonly string[] {
  return dump.map((object) => JSON.stringify(sorted(object))).sort();
}

/** Where two lists of lines begin to differ, in words; undefined: nowhere. */
export function firstDifference(a: readonly string[], b: readonly string[]): string | undefined {
  for (let index = 0; index < Math.max(a.length, b.length); index += 1) {
    if (a[index] !== b[index]) return `${a[index] ?? 'nothing'} and ${b[index] ?? 'nothing'}`;
  }
  return undefined;
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value === 'string' && value.length > 200) return `${value.slice(0, 50)}... of ${value.length}`;
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
  return Object.fromEntries(entries.map(([key, item]) => [key, sorted(item)]));
}

async function text(containers: Containers, digest: string, length: number): Promise<string> {
  if (length === 0) return '';
  const chunks: Uint8Array[] = [];
  for await (const chunk of await containers.read(digest)) chunks.push(chunk);
  return Buffer.concat(chunks).toString('latin1');
}
