/**
 * Calls about snapshots of volumes; a part of rpc.ts. Each server takes its own, under the name and the time that it is
 * given: both together say which one is meant, so that one deleted and one made later under its name are not mixed up.
 *
 * - `takeSnapshot` of the replica here. `taken`: false when the same one was there already. Another one of this name is
 *   `exists`. The replica first asks its peers for what it lacks, but not for long.
 * - `dropSnapshot` whatever its time; `dropped`: false when there was none.
 * - `snapshots` that this server has of the volume, oldest first.
 * - `snapshotStatus` of an object as it was; null: it was not there. `not-found`: this server has no such snapshot.
 * - `snapshotNews` (servers only) those that this replica has, those that are being brought to it, and those that it
 *   knows to be deleted.
 * - `snapshotRows` (servers only) of one that the replica has: objects and names, as far as one page goes. It holds all
 *   that there is behind `after` and up to `upTo`, which is the next `after`; '' is the beginning.
 * - `snapshotList` of a directory as it was: names with the objects' statuses, in no order, perhaps in parts.
 */
import { z } from 'zod';
import { count, fid, meant, replicaId, statusSchema, volume } from './value-schemas.js';

/** Also names a folder, on every client's system. */
export const snapshotNameSchema = z
  .string()
  .regex(
    /^[\p{L}\p{N}](?:[\p{L}\p{N}._ -]{0,62}[\p{L}\p{N}_-])?$/u,
    'up to 64 letters, digits, spaces or ._-, with a letter or digit first and no space or dot last',
  );

const snapshot = z.strictObject({ name: z.string().max(128), time: count });
/** Of a row among the rows of a snapshot. */
const position = z.string().max(2000);
const taken = z.strictObject({ name: snapshotNameSchema, time: count });
/** Deleted snapshots that a replica remembers, so that they do not come back from a server that was away. */
export const droppedMost = 1000;
export type SnapshotId = z.infer<typeof snapshot>;

export const snapshotCalls = {
  takeSnapshot: {
    roles: ['operator'],
    argument: z.strictObject({ volume, snapshot: taken }),
    result: z.strictObject({ taken: z.boolean() }),
  },
  dropSnapshot: {
    roles: ['operator'],
    argument: z.strictObject({ volume, name: z.string().max(128) }),
    result: z.strictObject({ dropped: z.boolean() }),
  },
  snapshots: {
    roles: ['gateway', 'operator'],
    argument: z.strictObject({ volume }),
    result: z.strictObject({ snapshots: z.array(snapshot) }),
  },
  snapshotNews: {
    roles: ['server'],
    argument: z.strictObject({ volume }),
    result: z.strictObject({
      replica: replicaId,
      snapshots: z.array(snapshot).max(1000),
      coming: z.array(snapshot).max(1000),
      dropped: z.array(snapshot).max(droppedMost),
    }),
  },
  snapshotRows: {
    roles: ['server'],
    argument: z.strictObject({ volume, replica: meant, snapshot, after: position }),
    result: z.strictObject({
      objects: z.array(statusSchema),
      entries: z.array(
        z.strictObject({
          directory: fid,
          name: z.string().max(1024),
          fid,
          kind: z.enum(['file', 'directory', 'symlink']),
        }),
      ),
      upTo: position,
      more: z.boolean(),
    }),
  },
  snapshotStatus: {
    roles: ['gateway'],
    argument: z.strictObject({ volume, replica: meant, snapshot, fid }),
    result: z.strictObject({ status: statusSchema.nullable() }),
  },
  snapshotList: {
    roles: ['gateway'],
    argument: z.strictObject({ volume, replica: meant, snapshot, fid }),
    result: z.strictObject({
      entries: z.array(z.strictObject({ name: z.string(), status: statusSchema })),
    }),
  },
} as const;
