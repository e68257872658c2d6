/**
 * Entity tags. A file's tag is the StoreId of the close that made its contents: strong, the same on every
 * gateway, unchanged by renames, properties and reintegration (design.md section 6).
 */
import type { ObjectStatus } from '../../venus/interface.js';

/**
 * The strong tag with its quotes, or null for what has no contents of its own (directories, symbolic links).
 */
export function etagOf(status: Pick<ObjectStatus, 'version'>): string | null {
  return status.version === null ? null : `"${status.version.replace(':', '-')}"`;
}
