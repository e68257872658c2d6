/** What `coda log --json` prints of each change that waits in a gateway's log. A stable shape. */
import { z } from 'zod';

const pendingRecord = z.object({
  op: z.string(),
  fid: z.string(),
  version: z.string(),
  /** Null: the object cannot be named any more. */
  path: z.string().nullable(),
  /** Of new contents; else null. */
  length: z.number().nullable(),
  digest: z.string().nullable(),
});

export const pendingChangeSchema = z.object({
  sequence: z.number().int(),
  volume: z.string(),
  author: z.string(),
  /** Milliseconds since 1970. */
  time: z.number(),
  /** On this gateway only; on too few servers yet; refused for good. */
  state: z.enum(['pending', 'sent', 'kept']),
  reason: z.string().nullable(),
  records: z.array(pendingRecord),
});

export const restoredSchema = z.object({
  restored: z.number().int(),
  present: z.number().int(),
  notes: z.array(z.string()),
});

export type Change = z.infer<typeof pendingChangeSchema>;
export type ChangeRecord = z.infer<typeof pendingRecord>;
