/** What a server tells of its scrub: how far a pass is, and what is wrong and could not be healed (vice/scrub). */
import { z } from 'zod';
import { count, digest, fid, volume } from './value-schemas.js';

const finding = z.strictObject({
  /** As vice/scrub/finding.ts names it. */
  fault: z.string().max(64),
  volume,
  /** The object, and where it is in its volume; null: not known. */
  fid: fid.nullable(),
  path: z.string().nullable(),
  /** Of the contents that are missing or damaged. */
  digest: digest.nullable(),
  /** The server that holds the object differently. */
  peer: z.string().max(64).nullable(),
  /** When it was found first, milliseconds since 1970. */
  since: count,
  /** What hindered the last attempt to heal it, and what a person can do. */
  reason: z.string(),
  advice: z.string(),
});

export const scrubReportSchema = z.strictObject({
  running: z.boolean(),
  /** Milliseconds since 1970; null: there was none yet, or it runs. */
  startedAt: count.nullable(),
  endedAt: count.nullable(),
  /** When the next pass begins by itself; null: never. */
  dueAt: count.nullable(),
  /** What the pass is at. */
  phase: z.string().max(32).nullable(),
  /** What this pass, or the last one, has looked at; `bytes` of contents. */
  objects: count,
  containers: count,
  bytes: count,
  /** About what there is. */
  allObjects: count,
  allBytes: count,
  /** Of contents, as this pass goes since it began or went on; 0: none runs. */
  bytesPerSecond: count,
  /** Faults healed in this pass, or the last one. */
  healed: count,
  /** Faults that are not healed; the oldest of them are listed. */
  open: count,
  findings: z.array(finding).max(1000),
});
export type ScrubReport = z.infer<typeof scrubReportSchema>;
