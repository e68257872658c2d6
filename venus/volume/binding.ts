import type { CachedObject } from '../cache/cached-object.js';
import type { ObjectCache } from '../cache/object-cache.js';

/**
 * Whether the cached directory of `object` still has it. Servers that missed its creation answer that they do not know
 * it; only one that knows its removal has taken the name out of the directory.
 */
export function isBound(cache: ObjectCache, { status }: CachedObject): boolean {
  const names = status.parent === null ? undefined : cache.names(status.parent);
  for (const entry of names?.values() ?? []) if (entry.fid === status.fid) return true;
  return false;
}
