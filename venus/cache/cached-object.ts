/** One object in the cache, with what makes it valid. */
import { z } from 'zod';
import { statusSchema, type VnodeStatus } from '../../vice/interface/index.js';
import type { ObjectStatus } from '../interface.js';

export interface CachedObject {
  readonly status: VnodeStatus;
  /** The same for gateways; one frozen value as long as nothing changes, so that they may key caches by it. */
  readonly view: ObjectStatus;
  /** Epoch of its volume (see volume/volume.ts) in which it was last validated. */
  readonly epoch: number;
  /** A callback break named it since. */
  readonly suspect: boolean;
  /** Of a directory: all of its names are cached. */
  readonly complete: boolean;
  /** Those names are of an earlier time than its status: they serve only those who cannot ask. */
  readonly stale: boolean;
}

const row = z.strictObject({
  status: statusSchema,
  epoch: z.number(),
  suspect: z.boolean(),
  complete: z.boolean(),
  stale: z.boolean().default(false),
});

/** What is stored of `object`. */
export function objectRow(object: CachedObject): z.infer<typeof row> {
  const { status, epoch, suspect, complete, stale } = object;
  return { status, epoch, suspect, complete, stale };
}

/** The object in a stored row. @throws ZodError when another version wrote it */
export function objectFromRow(value: unknown): CachedObject {
  const { status, epoch, suspect, complete, stale } = row.parse(value);
  return { status, view: viewOf(status), epoch, suspect, complete, stale };
}

/** `status` as gateways see it. */
export function viewOf(status: VnodeStatus): ObjectStatus {
  return Object.freeze({
    fid: status.fid,
    kind: status.kind,
    length: status.data?.length ?? 0,
    version: status.data?.storeId ?? null,
    created: status.created,
    modified: status.modified,
    mode: status.mode,
    owner: status.owner,
    author: status.author,
    properties: Object.freeze({ ...status.properties }),
    target: status.target,
  });
}
