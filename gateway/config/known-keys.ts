/** Which keys there are at a place of a configuration file. Pure. */
import { z } from 'zod';
import type { ConfigPath } from './config-text.js';

/** Of the object at `path`; none: it is no object, or any key will do. */
export function knownKeys(schema: z.ZodType, path: ConfigPath): readonly string[] {
  let at: z.ZodType | undefined = schema;
  for (const step of path) at = at && inside(bare(at), step);
  const object = at && bare(at);
  return object instanceof z.ZodObject ? Object.keys(object.shape) : [];
}

function inside(schema: z.ZodType, step: PropertyKey): z.ZodType | undefined {
  if (schema instanceof z.ZodObject) return (schema.shape as Record<PropertyKey, z.ZodType>)[step];
  if (schema instanceof z.ZodArray) return schema.element as z.ZodType;
  return schema instanceof z.ZodRecord ? (schema.valueType as z.ZodType) : undefined;
}

/** Without what says that it may be missing. */
function bare(schema: z.ZodType): z.ZodType {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable)
    return bare(schema.unwrap() as z.ZodType);
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault)
    return bare(schema.unwrap() as z.ZodType);
  return schema;
}
