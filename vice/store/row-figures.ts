/** What one row amounts to beside itself. Pure. */
import { emptyDigest, versionsOf, type Fid, type VnodeStatus } from '../interface/index.js';
import { noChildren, toggled } from './children-digest.js';
import { childDigest, stateDigest } from './state-digest.js';
import type { Binding, ObjectRow } from './volume-store.js';

export function sameBinding(a: Binding | null | undefined, b: Binding | null | undefined): boolean {
  return (a?.directory ?? '') === (b?.directory ?? '') && (a?.name ?? '') === (b?.name ?? '');
}

export function digestOfRow(row: ObjectRow | undefined): bigint {
  return row === undefined || row.removed ? noChildren : stateDigest(row.status);
}

/** A child that came or went changes the digest of its directory. */
export function toggleChild(digests: Map<Fid, bigint>, directory: Fid, child: VnodeStatus): void {
  digests.set(directory, toggled(digests.get(directory) ?? noChildren, childDigest(child)));
}

/** Bytes that an object counts for in its volume's use of space. */
export function bytesOf(row: ObjectRow | undefined): number {
  if (row === undefined || row.removed) return 0;
  return versionsOf(row.status).reduce((bytes, { length }) => bytes + length, 0);
}

/** 1 for a living object beside the root. */
export function livingOf(row: ObjectRow | undefined): number {
  return row === undefined || row.removed || row.status.parent === null ? 0 : 1;
}

/** Each version of a living file needs its container; a removed one may keep them for a while. */
export function count(references: Map<string, number>, row: ObjectRow | undefined, change: number): void {
  if (row === undefined || (row.removed && row.keeps !== true)) return;
  for (const { digest } of versionsOf(row.status)) {
    if (digest !== emptyDigest) references.set(digest, (references.get(digest) ?? 0) + change);
  }
}
