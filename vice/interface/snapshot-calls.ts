/**
 * Calls about snapshots of volumes; a part of rpc.ts. Each server takes its own, under the name and the time that it is
 * given: both together say which one is meant, so that one deleted and one made later under its name are not mixed up.
 *
 * - `takeSnapshot` of the replica here. `taken`: false when the same one was there already. Another one of this name is
 *   `exists`. The replica first asks its peers for what it lacks, but not for long.
 * - `dropSnapshot` whatever its time; `dropped`: false when there was none.
 * - `snapshots` that this server has of the volume, oldest first.
 * - `snapshotStatus` of an object as it was; null: it was not there. `not-found`: this server has no such snapshot.
 * - `snapshotList` of a directory as it was: names with the objects' statuses, in no order, perhaps in parts.
 */
import { z } from 'zod';
import { count, fid, meant, statusSchema, volume } from './value-schemas.js';

/** Also names a folder, on every client's system. */
export const snapshotNameSchema = z
  .string()
  .regex(
    /^[\p{L}\p{N}](?:[\p{L}\p{N}._ -]{0,62}[\p{L}\p{N}_-])?$/u,
    'up to 64 letters, digits, spaces or ._-, with a letter or digit first and no space or dot last',
  );

const snapshot = z.strictObject({ name: z.string().max(128), time: count });
const taken = z.strictObject({ name: snapshotNameSchema, time: count });
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
