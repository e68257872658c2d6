/** Conflicts as they come out of a gateway's control door. */
import { z } from 'zod';

const conflictVersion = z.object({
  name: z.string(),
  /** From the realm's root; null: it cannot be named. */
  path: z.string().nullable(),
  author: z.string(),
  host: z.string(),
  /** Milliseconds since 1970. */
  time: z.number(),
  size: z.number(),
  storeId: z.string(),
  fid: z.string(),
});

export const conflictSchema = z.object({
  fid: z.string(),
  /** From the realm's root; null: it cannot be named. */
  path: z.string().nullable(),
  kind: z.enum(['versions', 'name', 'removal', 'place', 'protection']),
  /** What is seen under the object's own name comes first. */
  versions: z.array(conflictVersion),
  /** Which resolver could do nothing for it, and why, in words; null: none has failed. */
  resolver: z.string().nullable().default(null),
});

export const conflictsSchema = z.object({ conflicts: z.array(conflictSchema) });

/** What is in a directory, for comparison. */
export const directoryEntrySchema = z.object({
  name: z.string(),
  kind: z.enum(['file', 'directory', 'symlink']),
  length: z.number(),
  modified: z.number(),
});

export type ConflictOf = z.infer<typeof conflictSchema>;
export type VersionOf = z.infer<typeof conflictVersion>;
export type DirectoryEntryOf = z.infer<typeof directoryEntrySchema>;
