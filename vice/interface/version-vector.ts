/**
 * Coda version vectors, keyed by replica id (not by position, so that a replication group can change under
 * them), and their relations (reference: coda-src/vv/inconsist.cc; seed 004, "Relations among two replicas").
 *
 * Invariants
 *   VV-1  A count never decreases at one replica.
 *   VV-2  A missing slot counts as 0, so {} (a runt: nothing known yet) is submissive to everything else.
 *   VV-3  Equal vectors with equal StoreIds have equal contents.
 */
import { isWithin, type StoreId, type StoreIdVector } from './store-id.js';

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

/** What a comparison of two replicas of one object can say. */
export type ReplicaRelation = Relation | 'weakly-equal';

/** What every replica holds of every object to compare it by (VnodeStatus has it). */
export interface Version {
  readonly vv: VersionVector;
  /** Of the last update; null for a runt. */
  readonly storeId: StoreId | null;
  readonly known: StoreIdVector;
}

/**
 * How replica `a` of an object stands to replica `b`.
 *
 * Counts and last StoreId, as the seed has them, answer the ordinary case. Where they differ, what each has known
 * decides: after a lost COP2 counts can call two ordered versions inconsistent, and where updates of two gateways
 * crossed, the same last StoreId can hide that one replica lacks an earlier update. Weakly equal: the same updates,
 * counted differently (a COP2 was lost); no contents differ.
 */
export function relate(a: Version, b: Version): ReplicaRelation {
  if (a.storeId === b.storeId && compare(a.vv, b.vv) === 'equal') return 'equal';
  const aInB = isWithin(a.known, b.known);
  const bInA = isWithin(b.known, a.known);
  if (aInB && bInA) return compare(a.vv, b.vv) === 'equal' ? 'equal' : 'weakly-equal';
  if (bInA) return 'dominant';
  return aInB ? 'submissive' : 'inconsistent';
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
export function isRunt(version: Pick<Version, 'vv' | 'storeId'>): boolean {
  return version.storeId === null && Object.keys(version.vv).length === 0;
}
