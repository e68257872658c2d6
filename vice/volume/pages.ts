/** What a replica tells of many objects at a time, in pages that fit into a frame (16 MiB). */
import { isFailure, type Fid, type Result } from '../interface/index.js';
import type { ObjectRow, VolumeReader } from '../store/volume-store.js';
import type { ChangePage } from './replica.js';
import { sizeOf } from './status-size.js';

export const page = { objects: 1000, bytes: 2 * 1024 * 1024 } as const;

/** Undefined: not here, or damaged. */
type Read = (fid: Fid) => ObjectRow | undefined;

interface PageAsked {
  readonly since: number;
  readonly limit: number;
  /** Of the last change. */
  readonly stamp: number;
  /** Stamp up to which removals may be forgotten. */
  readonly forgotten?: number | undefined;
}

/** @see Replica.changes; `read` throws what is damaged. */
export function changePage(
  reader: VolumeReader,
  read: Read,
  { since, limit, stamp: last, forgotten }: PageAsked,
): ChangePage {
  const changes: Result<'changes'>['changes'] = [];
  const most = atMost(limit);
  const damaged: Fid[] = [];
  const told = (): Pick<Result<'changes'>, 'changes' | 'damaged' | 'forgotten'> => {
    return {
      changes,
      ...(damaged.length > 0 && { damaged }),
      ...(forgotten !== undefined && { forgotten }),
    };
  };
  let upTo = 0;
  let bytes = 0;
  for (const { stamp, fid } of reader.changedAfter(since)) {
    // Objects of one record share a stamp; a page never ends between them.
    const full = changes.length >= most || bytes >= page.bytes;
    if (full && stamp > upTo) return { ...told(), upTo, more: true, last };
    upTo = stamp;
    const row = unlessDamaged(read, fid, damaged);
    if (row === undefined || row.stamp !== stamp) continue;
    bytes += sizeOf(row.status);
    changes.push({ stamp, status: row.status });
  }
  return { ...told(), upTo: Math.max(upTo, last), more: false, last };
}

function unlessDamaged(read: Read, fid: Fid, damaged: Fid[]): ObjectRow | undefined {
  try {
    return read(fid);
  } catch (error) {
    if (!isFailure(error, 'damaged')) throw error;
    damaged.push(fid);
    return undefined;
  }
}

/** @see Replica.conflicts */
export function conflictPage(
  reader: VolumeReader,
  read: Read,
  after: Fid | null,
  limit: number,
): Result<'conflicts'> {
  const conflicts: Result<'conflicts'>['conflicts'] = [];
  let bytes = 0;
  for (const fid of reader.conflicts(after)) {
    if (conflicts.length >= atMost(limit) || bytes >= page.bytes) return { conflicts, more: true };
    const row = read(fid);
    if (row === undefined) continue;
    bytes += sizeOf(row.status);
    conflicts.push({ status: row.status, name: row.bound?.name ?? null });
  }
  return { conflicts, more: false };
}

export function conflictCount(reader: VolumeReader): number {
  let count = 0;
  for (const _ of reader.conflicts(null)) count += 1;
  return count;
}

function atMost(limit: number): number {
  return Math.min(Math.max(limit, 1), page.objects);
}
