/** What a replica tells of many objects at a time, in pages that fit into a frame (16 MiB). */
import type { Fid, Result } from '../interface/index.js';
import { propertySize } from '../store/row-cache.js';
import type { ObjectRow, VolumeReader } from '../store/volume-store.js';

const page = { objects: 1000, properties: 2 * 1024 * 1024 } as const;

/** Undefined: not here, or damaged. */
type Read = (fid: Fid) => ObjectRow | undefined;

/** @see Replica.changes; `last` is the stamp of the last change. */
export function changePage(
  reader: VolumeReader,
  read: Read,
  { since, limit, last }: { readonly since: number; readonly limit: number; readonly last: number },
): Omit<Result<'changes'>, 'replica' | 'incarnation'> {
  const changes: Result<'changes'>['changes'] = [];
  const most = atMost(limit);
  let upTo = 0;
  let properties = 0;
  for (const { stamp, fid } of reader.changedAfter(since)) {
    // Objects of one record share a stamp; a page never ends between them.
    const full = changes.length >= most || properties >= page.properties;
    if (full && stamp > upTo) return { changes, upTo, more: true, last };
    upTo = stamp;
    const row = read(fid);
    if (row === undefined || row.stamp !== stamp) continue;
    properties += propertySize(row);
    changes.push({ stamp, status: row.status });
  }
  return { changes, upTo: Math.max(upTo, last), more: false, last };
}

/** @see Replica.conflicts */
export function conflictPage(
  reader: VolumeReader,
  read: Read,
  after: Fid | null,
  limit: number,
): Result<'conflicts'> {
  const conflicts: Result<'conflicts'>['conflicts'] = [];
  for (const fid of reader.conflicts(after)) {
    if (conflicts.length >= atMost(limit)) return { conflicts, more: true };
    const row = read(fid);
    if (row !== undefined) conflicts.push({ status: row.status, name: row.bound?.name ?? null });
  }
  return { conflicts, more: false };
}

function atMost(limit: number): number {
  return Math.min(Math.max(limit, 1), page.objects);
}
