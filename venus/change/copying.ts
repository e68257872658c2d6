/** The records of a copy: a new Fid for the same contents, which the servers have already. Pure. */
import type { Fid, Mutation, StoreIdVector, VnodeStatus } from '../../vice/interface/index.js';
import type { CachedObject } from '../cache/cached-object.js';

/** What all records have. */
export type Common = Pick<Mutation, 'storeId' | 'time' | 'author' | 'base'>;

/** Makes it for the next record of an entry. */
export type MakeCommon = (base: Common['base']) => Common;

export interface CopyTarget {
  readonly parent: Fid;
  readonly name: string;
  readonly fid: Fid;
  /** The file that bears the name already and takes the contents over. */
  readonly existing: CachedObject | undefined;
}

/** `parentBase` is what has been seen of the target's directory. */
export function copyRecords(
  source: VnodeStatus,
  { parent, name, fid, existing }: CopyTarget,
  parentBase: Readonly<Record<Fid, StoreIdVector>>,
  make: MakeCommon,
): readonly Mutation[] {
  const records: Mutation[] = [];
  if (existing === undefined) {
    const made = { ...make(parentBase), parent, name, fid };
    if (source.kind === 'symlink') return [{ op: 'symlink', ...made, target: source.target ?? '' }];
    records.push({ op: source.kind === 'directory' ? 'mkdir' : 'create', ...made, mode: source.mode });
  }
  const base = { [fid]: existing?.status.known ?? {} };
  if (source.data !== null) {
    const { length, digest } = source.data;
    records.push({ op: 'store', ...make(base), fid, length, digest, modified: source.modified });
  }
  const remove = Object.keys(existing?.status.properties ?? {});
  if (remove.length > 0 || Object.keys(source.properties).length > 0) {
    records.push({ op: 'setprops', ...make(base), fid, set: source.properties, remove });
  }
  return records;
}
