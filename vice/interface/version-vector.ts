/**
 * Coda version vectors, keyed by replica id (not by position, so that a replication group can change under
 * them), and their relations (reference: coda-src/vv/inconsist.cc; seed 004, "Relations among two replicas").
 *
 * Invariants
 *   VV-1  A count never decreases at one replica.
 *   VV-2  A missing slot counts as 0, so {} (a runt: nothing known yet) is submissive to everything else.
 *   VV-3  Equal vectors with equal StoreIds have equal contents.
 */
import type { StoreId } from './store-id.js';

/** Replica id -> number of updates that this replica is known to have applied to the object. */
export type VersionVector = Readonly<Record<string, number>>;

export type Relation = 'equal' | 'dominant' | 'submissive' | 'inconsistent';

/** How `a` stands to `b`: dominant means that `a` has all that `b` has, and more. */
export function compare(a: VersionVector, b: VersionVector): Relation {
  let more = false;
  let less = false;
  for (const replica in a) if ((a[replica] ?? 0) > (b[replica] ?? 0)) more = true;
  for (const replica in b) if ((b[replica] ?? 0) > (a[replica] ?? 0)) less = true;
  if (more) return less ? 'inconsistent' : 'dominant';
  return less ? 'submissive' : 'equal';
}

/** What a comparison of two replicas of one object can say, StoreIds included. */
export type ReplicaRelation = Relation | 'weakly-equal';

/** A vector and the StoreId of the last update, as every replica holds them for every object. */
export interface Version {
  readonly vv: VersionVector;
  readonly storeId: StoreId | null;
}

/** `compare`, but with the StoreIds: the same last update and different counts is a lost COP2, no difference. */
export function relate(a: Version, b: Version): ReplicaRelation {
  const relation = compare(a.vv, b.vv);
  return relation !== 'equal' && a.storeId !== null && a.storeId === b.storeId ? 'weakly-equal' : relation;
}

/** `vv` with one more update at each of `replicas`. */
export function increment(vv: VersionVector, replicas: readonly string[]): VersionVector {
  const next: Record<string, number> = { ...vv };
  for (const replica of replicas) next[replica] = (next[replica] ?? 0) + 1;
  return next;
}

/** Slot by slot the larger count. */
export function maximum(a: VersionVector, b: VersionVector): VersionVector {
  const next: Record<string, number> = { ...a };
  for (const replica in b) next[replica] = Math.max(next[replica] ?? 0, b[replica] ?? 0);
  return next;
}

/** Whether a replica has the object's name but has never had any of its updates. */
export function isRunt(version: Version): boolean {
  return version.storeId === null && Object.keys(version.vv).length === 0;
}
