/** One object in the cache, with what makes it valid. */
import { z } from 'zod';
import {
  conflictsOf,
  statusSchema,
  type ConflictKind,
  type VnodeStatus,
} from '../../vice/interface/index.js';
import type { Conflict, ObjectStatus } from '../interface.js';

/** What was said of an object is worth (volume/volume.ts). */
export interface Validation {
  /** Epoch of its volume in which it was last validated. */
  readonly epoch: number;
  /** The replicas that had no part in that: what they have of it is not known here (PR-4). */
  readonly unheard: readonly string[];
}

/** Of nearly all objects; one value, since there are many. */
export const allHeard: readonly string[] = Object.freeze([]);

export interface CachedObject extends Validation {
  readonly status: VnodeStatus;
  /** The same for gateways; one frozen value as long as nothing changes, so that they may key caches by it. */
  readonly view: ObjectStatus;
  /** A callback break named it since. */
  readonly suspect: boolean;
  /** Of a directory: all of its names are cached, and `status.names` is their digest. */
  readonly complete: boolean;
  /** Those names are of an earlier time than its status: they serve only those who cannot ask. */
  readonly stale: boolean;
}

const row = z.strictObject({
  status: statusSchema,
  epoch: z.number(),
  suspect: z.boolean(),
  complete: z.boolean(),
  stale: z.boolean().default(false),
  unheard: z.array(z.string()).optional(),
});

/** What is stored of `object`. */
export function objectRow(object: CachedObject): z.infer<typeof row> {
  const { status, epoch, suspect, complete, stale, unheard } = object;
  const row = { status, epoch, suspect, complete, stale };
  return unheard.length === 0 ? row : { ...row, unheard: [...unheard] };
}

/**
 * The object in a stored row, as it is seen under `name` (see viewOf); undefined when another version of this program
 * wrote it: then it is as if it were not cached.
 */
export function objectFromRow(
  value: unknown,
  name: string | null = null,
  hidesVersions = false,
): CachedObject | undefined {
  const parsed = row.safeParse(value);
  if (!parsed.success) return undefined;
  const { status, epoch, suspect, complete, stale, unheard = allHeard } = parsed.data;
  const view = viewOf(status, name, hidesVersions);
  return { status, view, epoch, suspect, complete, stale, unheard };
}

/**
 * `status` as gateways see it. `name`: where it bears another one than it was given; else null. `hidesVersions`: that
 * of several versions only one is seen leaves nothing to decide.
 */
export function viewOf(status: VnodeStatus, name: string | null = null, hidesVersions = false): ObjectStatus {
  return Object.freeze({
    fid: status.fid,
    kind: status.kind,
    length: status.data?.length ?? 0,
    version: status.data?.storeId ?? null,
    digest: status.data?.digest ?? null,
    created: status.created,
    modified: status.modified,
    mode: status.mode,
    owner: status.owner,
    author: status.author,
    properties: Object.freeze({ ...status.properties }),
    target: status.target,
    conflict: conflictOf(status, name, hidesVersions),
    ...(hidesVersions && status.siblings.length > 0 && { hiddenVersions: status.siblings.length }),
  });
}

function conflictOf(status: VnodeStatus, name: string | null, hidesVersions: boolean): Conflict | null {
  const [kind] = decidable(conflictsOf(status, name), hidesVersions);
  if (kind === undefined) return null;
  const [place] = status.places;
  const { data } = status;
  const made = kind === 'versions' && data !== null ? { ...data, time: data.saved } : place;
  return Object.freeze({
    kind,
    author: made?.author ?? status.author,
    host: made?.host ?? '',
    time: made?.time ?? status.modified,
    wanted: place?.name ?? '',
    vector: Object.freeze({ ...status.vv }),
  });
}

/** Those of the conflicts `kinds` that a person has to decide about. */
export function decidable(kinds: readonly ConflictKind[], hidesVersions: boolean): readonly ConflictKind[] {
  return hidesVersions ? kinds.filter((kind) => kind !== 'versions') : kinds;
}

/** Whether two views of one object, all else being equal, tell the same of its conflict. */
export function isSameConflict(a: ObjectStatus, b: ObjectStatus): boolean {
  return a.hiddenVersions === b.hiddenVersions && JSON.stringify(a.conflict) === JSON.stringify(b.conflict);
}
