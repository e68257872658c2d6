/** The records of a copy: a new Fid for the same contents, which the volume's servers have, or this gateway. Pure. */
import type { Fid, Mutation, VnodeStatus } from '../../vice/interface/index.js';
import type { Draft } from './drafting.js';
import type { Bound } from './names.js';
import { firstStore, storeOver } from './version-records.js';

export interface CopyTarget {
  readonly parent: Fid;
  readonly name: string;
  readonly fid: Fid;
  /** The file that bears the name already and takes the contents over, but for the versions beside it. */
  readonly existing: Pick<Bound, 'object'> | undefined;
  /** Versions that are kept beside it; absent: all. */
  readonly most?: number;
}

export function copyRecords(
  source: VnodeStatus,
  { parent, name, fid, existing, most }: CopyTarget,
  { make, seen, lookedAt }: Draft,
): readonly Mutation[] {
  const records: Mutation[] = [];
  if (existing === undefined) {
    const made = { ...make(seen(parent)), parent, name, fid };
    records.push(
      source.kind === 'symlink'
        ? { op: 'symlink', ...made, target: source.target ?? '' }
        : { op: source.kind === 'directory' ? 'mkdir' : 'create', ...made, mode: source.mode },
    );
  }
  const base = existing === undefined ? { [fid]: {} } : lookedAt(existing.object.status);
  if (source.data !== null) {
    const contents = { ...source.data, modified: source.modified };
    const common = make(base);
    records.push(
      existing === undefined
        ? firstStore(fid, contents, common)
        : storeOver(existing.object.status, contents, common, most),
    );
  }
  const remove = Object.keys(existing?.object.status.properties ?? {});
  if (remove.length > 0 || Object.keys(source.properties).length > 0) {
    records.push({ op: 'setprops', ...make(base), fid, set: source.properties, remove });
  }
  return records;
}
