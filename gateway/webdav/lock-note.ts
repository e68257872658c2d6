/** A lock as it is persisted: the lease's note holds what a lease has no field for. */
import { z } from 'zod';
import type { Fid, Lease } from '../../venus/interface.js';
import { DavError } from './exchange.js';
import type { HeldLock } from './held-lock.js';

const maxNoteBytes = 8 * 1024;

const noteSchema = z.strictObject({
  lock: z.literal(1),
  scope: z.enum(['exclusive', 'shared']),
  depth: z.enum(['0', 'infinity']),
  owner: z.string(),
  timeout: z.number().int().positive(),
  root: z.array(z.string()),
  lineage: z.array(z.string()),
  collection: z.boolean(),
});

/** @throws DavError 507 when path and owner are too long to be kept */
export function leaseOf(lock: HeldLock): Lease {
  const { scope, depth, owner, timeout, root, lineage, collection } = lock;
  const note = JSON.stringify({ lock: 1, scope, depth, owner, timeout, root, lineage, collection });
  if (Buffer.byteLength(note) > maxNoteBytes) {
    throw new DavError(
      507,
      'The path and the owner of this lock are too long to be kept; lock a folder further up',
    );
  }
  return { token: lock.token, fid: lock.fid, holder: lock.principal, ends: lock.ends, note };
}

/** The lock in `lease`; undefined if it is none of ours or cannot be read. */
export function lockOf(lease: Lease): HeldLock | undefined {
  const parsed = noteSchema.safeParse(parseJson(lease.note));
  if (!parsed.success || parsed.data.lineage.length !== parsed.data.root.length) return undefined;
  const { scope, depth, owner, timeout, root, collection } = parsed.data;
  const lineage = parsed.data.lineage as Fid[];
  const { token, fid, holder: principal, ends } = lease;
  return { token, fid, principal, scope, depth, owner, timeout, ends, root, lineage, collection };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
