/**
 * Decisions over the replies of several replicas (Coda: RVVCheck and the collation rules of mgrp.cc). Pure.
 */
import {
  maximum,
  relate,
  type Failure,
  type Fid,
  type Result,
  type VersionVector,
  type VnodeStatus,
} from '../../vice/interface/index.js';

export interface StatusReply<M> {
  readonly member: M;
  readonly status: VnodeStatus | null;
}

export interface CollatedStatus<M> {
  /** The newest version, with the vector that all holders will have once COP2 is through; null: nobody has it. */
  readonly status: VnodeStatus | null;
  /** Who holds exactly this version (empty when only the cache does). */
  readonly holders: readonly M[];
  /** Who must be brought up to date. */
  readonly behind: readonly M[];
  /** Versions that neither contains the other: a person or resolution has to merge them. */
  readonly inconsistent: boolean;
}

/**
 * What an open may use: the version that dominates all others (seed 004: "if a non-preferred server dominates, read
 * the file from it"). The cached version takes part, because while its update is still on the way to a replica
 * that came back, the cache is newer than any server that can be asked.
 */
export function collateStatus<M>(
  replies: readonly StatusReply<M>[],
  cached: VnodeStatus | undefined,
): CollatedStatus<M> {
  let best = null as VnodeStatus | null;
  let inconsistent = false;
  for (const { status } of replies) {
    if (status === null) continue;
    const relation = best === null ? 'dominant' : relate(status, best);
    if (best === null || relation === 'dominant') best = status;
    else if (relation === 'weakly-equal') best = { ...best, vv: maximum(best.vv, status.vv) };
    else if (relation === 'inconsistent') {
      inconsistent = true;
      best = deterministic(best, status);
    }
  }
  if (best !== null && cached !== undefined && relate(cached, best) === 'dominant') best = cached;
  const chosen = best;
  const same = (status: VnodeStatus | null): boolean =>
    status !== null && chosen !== null && ['equal', 'weakly-equal'].includes(relate(status, chosen));
  return {
    status: chosen,
    holders: replies.filter(({ status }) => same(status)).map(({ member }) => member),
    behind: replies.filter(({ status }) => !same(status)).map(({ member }) => member),
    inconsistent,
  };
}

/** Every gateway shows the same version of an inconsistent object: the one with the larger StoreId. */
function deterministic(a: VnodeStatus, b: VnodeStatus): VnodeStatus {
  return (a.storeId ?? '') >= (b.storeId ?? '') ? a : b;
}

export type UpdateReply<M> =
  | { readonly member: M; readonly reply: Result<'mutate'> }
  | { readonly member: M; readonly failure: Failure };

export type CollatedUpdate<M> =
  /** At least one replica has it: the close has succeeded (Coda: VOL_CollateCOP1). */
  | {
      readonly outcome: 'applied';
      readonly by: readonly M[];
      readonly vectors: ReadonlyMap<Fid, VersionVector>;
      readonly ahead: ReadonlySet<Fid>;
      /** Replicas that answered but did not apply it: they need resolution. */
      readonly behind: readonly M[];
    }
  | {
      readonly outcome: 'refused';
      readonly index: number;
      readonly kind: Failure['kind'];
      readonly message: string;
      readonly fid: Fid | null;
    }
  /** Every replica that answered lacks updates that we have seen: resolve them, then try again. */
  | {
      readonly outcome: 'stale';
      readonly behind: readonly M[];
      /** Of the records that one of them could not judge. */
      readonly indexes: readonly number[];
    }
  /** Nobody answered: the outcome is unknown. */
  | { readonly outcome: 'unreachable' };

/** What the replies to one mutate call, sent to the whole AVSG, mean together. */
export function collateUpdate<M>(replies: readonly UpdateReply<M>[]): CollatedUpdate<M> {
  const by: M[] = [];
  const behind: M[] = [];
  const vectors = new Map<Fid, VersionVector>();
  const ahead = new Set<Fid>();
  const indexes = new Set<number>();
  let refusal: Extract<Result<'mutate'>, { outcome: 'refused' }> | undefined;
  for (const item of replies) {
    if ('failure' in item) continue;
    if (item.reply.outcome === 'refused') {
      behind.push(item.member);
      if (item.reply.failure.kind === 'stale') indexes.add(item.reply.index);
      if (refusal === undefined || refusal.failure.kind === 'stale') refusal = item.reply;
      continue;
    }
    by.push(item.member);
    for (const { fid, vv } of item.reply.versions) vectors.set(fid, maximum(vectors.get(fid) ?? {}, vv));
    for (const fid of item.reply.ahead) ahead.add(fid);
  }
  if (by.length > 0) return { outcome: 'applied', by, vectors, ahead, behind };
  if (refusal === undefined) return { outcome: 'unreachable' };
  if (refusal.failure.kind === 'stale') return { outcome: 'stale', behind, indexes: [...indexes] };
  const { kind, message, fid } = refusal.failure;
  return { outcome: 'refused', index: refusal.index, kind, message, fid };
}
