/**
 * Records as they were written down, in logs and archives, before they said at which gateway a change was made and
 * when contents were saved.
 */
import { z } from 'zod';
import { mutationSchema, type Mutation } from '../../vice/interface/index.js';

/** A record of this version or an earlier one. */
export const storedRecordSchema: z.ZodType<Mutation> = z.preprocess(completed, mutationSchema);

function completed(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const isEarlierStore = 'op' in value && value.op === 'store' && 'time' in value;
  return { host: '', ...(isEarlierStore && { saved: value.time }), ...value };
}
