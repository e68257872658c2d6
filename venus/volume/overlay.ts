/**
 * What servers say of a directory, with this gateway's own changes of it that they do not have yet. Pure. Others'
 * changes so become visible while the log still waits, and ours stay visible.
 */
import {
  counterOf,
  knows,
  venusOf,
  type DirectoryEntry,
  type Fid,
  type Mutation,
  type StoreIdVector,
  type VnodeStatus,
} from '../../vice/interface/index.js';
import { directoriesOf } from '../log/dependence.js';
import { isLocal, type LogEntry } from '../log/modify-log.js';

export interface Overlay {
  /** Records that touch the directory and that `status` does not know, in order. */
  readonly records: readonly Mutation[];
  /** What the directory has known with them. */
  readonly known: StoreIdVector;
}

/** The records of `entries` that come on top of `status`. */
export function overlayOf(status: VnodeStatus, entries: readonly LogEntry[]): Overlay {
  const records = entries
    .filter(isLocal)
    .flatMap((entry) => entry.records)
    .filter((record) => directoriesOf(record).includes(status.fid) && !knows(status.known, record.storeId));
  const known: Record<string, number> = { ...status.known };
  for (const { storeId } of records) {
    const venus = venusOf(storeId);
    known[venus] = Math.max(known[venus] ?? 0, counterOf(storeId));
  }
  return { records, known };
}

/** `names` of `directory` after `records`. A name that somebody else has taken meanwhile stays his. */
export function overlaid(
  directory: Fid,
  names: ReadonlyMap<string, DirectoryEntry>,
  records: readonly Mutation[],
  kindOf: (fid: Fid) => DirectoryEntry['kind'] | undefined,
): Map<string, DirectoryEntry> {
  const result = new Map(names);
  const bind = (name: string, fid: Fid, kind: DirectoryEntry['kind'] | undefined): void => {
    if (!result.has(name) && kind !== undefined) result.set(name, { name, fid, kind });
  };
  const unbind = (name: string, fid: Fid): void => {
    if (result.get(name)?.fid === fid) result.delete(name);
  };
  for (const record of records) {
    switch (record.op) {
      case 'create':
        bind(record.name, record.fid, 'file');
        break;
      case 'mkdir':
        bind(record.name, record.fid, 'directory');
        break;
      case 'symlink':
        bind(record.name, record.fid, 'symlink');
        break;
      case 'remove':
      case 'rmdir':
        unbind(record.name, record.fid);
        break;
      case 'rename': {
        const kind = result.get(record.fromName)?.kind ?? kindOf(record.fid);
        if (record.fromParent === directory) unbind(record.fromName, record.fid);
        if (record.toParent === directory) bind(record.toName, record.fid, kind);
        break;
      }
      default:
    }
  }
  return result;
}
