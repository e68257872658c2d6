/** Records that change one version of a file's contents and leave those beside it as they are. Pure. */
import {
  type Fid,
  type FileData,
  type RepairRecord,
  type StoreRecord,
  type VnodeStatus,
} from '../../vice/interface/index.js';
import { seenVersions } from '../conflict/sibling.js';
import type { Common } from './drafting.js';

export type NewContents = Pick<FileData, 'digest' | 'length' | 'modified'>;

/** The first contents of a new file. */
export function firstStore(fid: Fid, contents: NewContents, common: Common): StoreRecord {
  const { digest, length, modified } = contents;
  return { op: 'store', ...common, fid, length, digest, modified, saved: common.time };
}

/**
 * `contents` in the place of one version of the file: of the shown one, or (`sibling`) of one beside it, where they
 * stay beside it. What has the same contents already is replaced, too.
 */
export function storeOver(
  status: VnodeStatus,
  sibling: FileData | null,
  contents: NewContents,
  common: Common,
): StoreRecord {
  const { data } = status;
  const shown = data?.saved ?? 0;
  const saved = sibling === null ? Math.max(common.time, shown + 1) : Math.min(sibling.saved, shown - 1);
  const isReplaced = (version: FileData): boolean =>
    version.digest === (sibling ?? data)?.digest ||
    (version.digest === contents.digest && (sibling === null || version.digest !== data?.digest));
  const beside = seenVersions(status)
    .filter((version) => !isReplaced(version))
    .map(({ mark }) => mark);
  const record = { ...firstStore(status.fid, contents, common), saved };
  return beside.length === 0 ? record : { ...record, beside };
}

/** `contents` in the place of all versions. */
export function storeOverAll(status: VnodeStatus, contents: NewContents, common: Common): StoreRecord {
  const saved = Math.max(common.time, (status.data?.saved ?? 0) + 1);
  return { ...firstStore(status.fid, contents, common), saved };
}

/** Gives up the versions with these contents. */
export function dismissal(status: VnodeStatus, { digest }: FileData, common: Common): RepairRecord {
  const given = seenVersions(status).filter((version) => version.digest === digest);
  return { op: 'repair', ...common, fid: status.fid, dismiss: given.map(({ mark }) => mark), accept: null };
}

/** Gives up all versions but `kept`, and takes the object as it is otherwise, under the `name` that it bears. */
export function acceptance(
  status: VnodeStatus,
  kept: readonly FileData[],
  name: string | null,
  common: Common,
): RepairRecord {
  const dismiss = seenVersions(status).flatMap((version) => (kept.includes(version) ? [] : [version.mark]));
  const { fid, parent } = status;
  const [place] = status.places;
  const since = place?.name === name ? place?.time : undefined;
  const where = { ...(parent !== null && { parent }), ...(since !== undefined && { since }) };
  const accept = name === null ? null : { name, ...where };
  return { op: 'repair', ...common, fid, dismiss, accept };
}
