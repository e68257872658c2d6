/**
 * Decisions over the replies of several replicas (Coda: RVVCheck and the collation rules of mgrp.cc). Pure.
 */
import {
  isFailure,
  maximum,
  mergeStatus,
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
  /**
   * What a user sees: the newest version, with the vector that all holders will have once COP2 is through; where
   * versions do not contain each other, what they come to together. null: nobody has it.
   */
  readonly status: VnodeStatus | null;
  /** The same of the servers alone. */
  readonly accessible: VnodeStatus | null;
  /** Who holds exactly this version (empty when only the cache does, or nobody holds all of it). */
  readonly holders: readonly M[];
  /** Who holds a version that no other server's contains. */
  readonly sources: readonly M[];
  /** Who must be brought up to date. */
  readonly behind: readonly M[];
  /** Servers hold versions that do not contain each other: they are to resolve them. */
  readonly inconsistent: boolean;
}

/**
 * What an open may use: the version that dominates all others (seed 004: "if a non-preferred server dominates, read
 * the file from it"). The cached version takes part, because while its update is still on the way to a replica
 * that came back, the cache is newer than any server that can be asked. Versions made apart are merged as servers
 * will merge them (vice/interface/merge.ts), so that every gateway shows the same, and nothing that was known here
 * is lost to what others did meanwhile.
 */
export function collateStatus<M>(
  replies: readonly StatusReply<M>[],
  cached: VnodeStatus | undefined,
): CollatedStatus<M> {
  let accessible = null as VnodeStatus | null;
  for (const { status } of replies) {
    if (status !== null) accessible = accessible === null ? status : joined(accessible, status);
  }
  const status = accessible === null || cached === undefined ? accessible : joined(accessible, cached);
  const isOurs = status !== null && status === cached;
  const newest = isOurs ? status : accessible;
  const has = (wanted: VnodeStatus | null): M[] =>
    replies.filter((reply) => isSame(reply.status, wanted)).map(({ member }) => member);
  return {
    status,
    accessible,
    holders: has(newest),
    sources: replies.filter(({ status: own }) => isMaximal(own, replies)).map(({ member }) => member),
    behind: replies.filter((reply) => !isSame(reply.status, newest)).map(({ member }) => member),
    inconsistent: accessible !== null && has(accessible).length === 0,
  };
}

/** `best` and `other` as one; `best` itself, or `other`, where it has all that the other one has. */
function joined(best: VnodeStatus, other: VnodeStatus): VnodeStatus {
  switch (relate(other, best)) {
    case 'dominant':
      return other;
    case 'weakly-equal':
      return { ...best, vv: maximum(best.vv, other.vv) };
    case 'inconsistent':
      return mergeStatus(best, other);
    case 'equal':
    case 'submissive':
      return best;
  }
}

function isSame(a: VnodeStatus | null, b: VnodeStatus | null): boolean {
  return a !== null && b !== null && ['equal', 'weakly-equal'].includes(relate(a, b));
}

function isMaximal<M>(status: VnodeStatus | null, replies: readonly StatusReply<M>[]): boolean {
  if (status === null) return false;
  return replies.every(({ status: other }) => other === null || relate(status, other) !== 'submissive');
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
      /** Somebody has not answered who may have it. */
      readonly isOpen: boolean;
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
  const isOpen = replies.some(
    (item) => 'failure' in item && isFailure(item.failure, 'unreachable', 'timeout'),
  );
  return { outcome: 'refused', index: refusal.index, kind, message, fid, isOpen };
}
