/**
 * Calls that carry whole volumes out of a realm and into it (gateway/administration/dump); a part of rpc.ts. Only an
 * operator makes them. He reads nothing but snapshots, and writes nothing but volumes that are being restored.
 *
 * - `snapshotObjects` of a snapshot, after `after` in the order of their Fids. `replica`: whose snapshot that is.
 *   What files of it hold he downloads at `dumpPath`, and nowhere else.
 * - `lackingContents` which of these contents this server does not have. Those that it has it keeps for some minutes:
 *   `restoreObjects` may name them.
 * - `restoreObjects` puts these objects, of which each directory comes before what is in it, into a volume that is
 *   being restored. `inline` and `transfers` as in `mutate`; a transfer is best called by its digest: then one that a
 *   command has left that died is let go with the objects of the next one. `skipped`: those whose directory is not
 *   here. Said again it changes nothing.
 */
import { z } from 'zod';
import type { Fid, VolumeId } from './fid.js';
import type { SnapshotId } from './snapshot-calls.js';
import { bytes, count, digest, fid, fids, replicaId, statusSchema, volume } from './value-schemas.js';

const snapshot = z.strictObject({ name: z.string().max(128), time: count });

/** Objects in one `restoreObjects`, and contents in it or in one `lackingContents`. */
export const restoredAtOnce = { objects: 100, contents: 1000 } as const;

export const dumpCalls = {
  snapshotObjects: {
    roles: ['operator'],
    argument: z.strictObject({ volume, snapshot, after: fid.nullable() }),
    result: z.strictObject({ replica: replicaId, objects: z.array(statusSchema), more: z.boolean() }),
  },
  lackingContents: {
    roles: ['operator'],
    argument: z.strictObject({ volume, contents: z.array(digest).max(restoredAtOnce.contents) }),
    result: z.strictObject({ lacking: z.array(digest) }),
  },
  restoreObjects: {
    roles: ['operator'],
    argument: z.strictObject({
      volume,
      objects: z.array(statusSchema).max(restoredAtOnce.objects),
      inline: z.record(digest, bytes),
      transfers: z.record(digest, z.string().max(64)),
    }),
    result: z.strictObject({ changed: count, skipped: fids }),
  },
} as const;

/** Where contents of an object are that it has in a snapshot. */
export function dumpPath(volume: VolumeId, { name, time }: SnapshotId, fid: Fid, digest: string): string {
  return `dump/${volume}/${time}/${name}/${fid}/${digest}`;
}

export interface DumpedContents {
  readonly volume: string;
  readonly snapshot: SnapshotId;
  readonly fid: string;
  readonly digest: string;
}

/** What `dumpPath` has named; undefined: it is no such path. */
export function dumpedContents(path: string): DumpedContents | undefined {
  const pattern = /^dump\/([0-9a-f]{8})\/(\d{1,16})\/([^/]{1,128})\/([0-9a-f.]{1,40})\/([0-9a-f]{64})$/;
  const [, volume, time, name, fid, digest] = pattern.exec(path) ?? [];
  if (volume === undefined || name === undefined || fid === undefined || digest === undefined)
    return undefined;
  return { volume, snapshot: { name, time: Number(time) }, fid, digest };
}
