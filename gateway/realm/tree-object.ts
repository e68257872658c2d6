/** Objects as they go through the door of a gateway to `coda import` and `coda export`, and what is said of them. */
import { z } from 'zod';
import { parseFid } from '../../vice/interface/index.js';
import { isFailure, type Fid, type ObjectStatus } from '../../venus/interface.js';

/** Also of a version in conflict: the file's, '@', the version. */
export const fid = z.custom<Fid>(
  (value) => typeof value === 'string' && parseFid(value.split('@', 1)[0] ?? '') !== undefined,
);
/** Milliseconds since 1970, as far as a Date goes. */
export const time = z.number().int().min(-8.64e15).max(8.64e15);

/** As it comes out of the door. */
export const treeObjectSchema = z.object({
  fid: z.string(),
  kind: z.enum(['file', 'directory', 'symlink']),
  length: z.number(),
  version: z.string().nullable(),
  digest: z.string().nullable(),
  modified: z.number(),
  target: z.string().nullable(),
  properties: z.record(z.string(), z.string()),
});
export type TreeObject = z.infer<typeof treeObjectSchema>;
const failureSchema = z.object({ failure: z.object({ kind: z.string(), message: z.string() }) });
export const treeEntrySchema = z.union([
  z.object({ name: z.string(), object: treeObjectSchema }),
  failureSchema,
]);
export const treeAnswerSchema = z.union([z.object({ object: treeObjectSchema }), failureSchema]);
export const unlockedSchema = z.union([z.object({ unlocked: z.literal(true) }), failureSchema]);
export const foundSchema = z.union([
  z.object({
    /** Null: there is no such object. */
    object: treeObjectSchema.nullable(),
    /** Folders that were made on the way. */
    made: z.number(),
    /** It is the root of the share, where a name is reserved (`/.coda`). */
    isShare: z.boolean(),
  }),
  failureSchema,
]);
export type Found = Exclude<z.infer<typeof foundSchema>, { failure: unknown }>;
export const pendingStateSchema = z.object({
  changes: z.number(),
  bytes: z.number(),
  /** Refused by the servers for good. */
  kept: z.number(),
  /** Each of the volumes has a server that is reached. */
  isReached: z.boolean(),
  awaitedLogins: z.array(z.string()),
  lastError: z.string().nullable(),
});
export type PendingState = z.infer<typeof pendingStateSchema>;

/** What Venus refuses, as a value (TO-1 in tree-orders.ts). */
export async function answered(work: () => Promise<object>): Promise<object> {
  try {
    return await work();
  } catch (error) {
    if (isFailure(error)) return { failure: { kind: error.kind, message: error.message } };
    throw error;
  }
}

export function plain(status: ObjectStatus): TreeObject {
  const { kind, length, version, digest, modified, target } = status;
  return {
    fid: status.fid,
    kind,
    length,
    version,
    digest,
    modified,
    target,
    properties: { ...status.properties },
  };
}
