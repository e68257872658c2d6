/**
 * Records as they were written down, in logs and archives, before they said at which gateway a change was made and
 * when contents were saved.
 */
import { z } from 'zod';
import { counterOf, mutationSchema, venusOf, type Mutation } from '../../vice/interface/index.js';

/** A record of this version or an earlier one. */
export const storedRecordSchema: z.ZodType<Mutation> = z
  .preprocess(completed, mutationSchema)
  .refine(isAfterWhatItNames, 'a record names itself or a later one of its author as what it comes after');

/** Without this the chains of draft.ts have no end. */
function isAfterWhatItNames({ storeId, base }: Mutation): boolean {
  const [venus, counter] = [venusOf(storeId), counterOf(storeId)];
  return Object.values(base).every((seen) => (seen[venus] ?? 0) < counter);
}

function completed(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const isEarlierStore = 'op' in value && value.op === 'store' && 'time' in value;
  return { host: '', ...(isEarlierStore && { saved: value.time }), ...value };
}
