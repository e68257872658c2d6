/** Records that change one version of a file's contents and leave those beside it as they are. Pure. */
import {
  type Fid,
  type FileData,
  type RepairRecord,
  type StoreId,
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

/** Versions that are kept beside a file where they are not seen: more would fill it, unnoticed, up to its limit. */
export const overwrittenMost = 20;

/**
 * `contents` in the place of the shown version of the file. What has the same contents already is replaced, too; of the
 * others the `most` that were saved last stay.
 */
export function storeOver(
  status: VnodeStatus,
  contents: NewContents,
  common: Common,
  most = Infinity,
): StoreRecord {
  const replaced = [status.data?.digest, contents.digest];
  const others = seenVersions(status).filter(({ digest }) => !replaced.includes(digest));
  const beside = others.slice(0, most);
  const record = storeOverAll(status, contents, common);
  return beside.length === 0 ? record : { ...record, beside: beside.map(({ mark }) => mark) };
}

/** `contents` in the place of all versions. */
export function storeOverAll(status: VnodeStatus, contents: NewContents, common: Common): StoreRecord {
  const saved = Math.max(common.time, (status.data?.saved ?? 0) + 1);
  return { ...firstStore(status.fid, contents, common), saved };
}

/** Those whose contents are none of the `known` versions'. (Of versions that are alike reports show one.) */
export function unknownVersions(status: VnodeStatus, known: readonly StoreId[]): readonly FileData[] {
  const seen = seenVersions(status);
  const digests = new Set(seen.flatMap(({ storeId, digest }) => (known.includes(storeId) ? [digest] : [])));
  return seen.filter(({ digest }) => !digests.has(digest));
}

/** Gives up the versions with these contents; `before`: of what an earlier record of the entry has given up already. */
export function dismissal(
  status: VnodeStatus,
  { digest }: FileData,
  common: Common,
  before?: FileData,
): RepairRecord {
  const { dismiss, leave } = chosen(status, (version) => version.digest !== digest);
  const gone = seenVersions(status).flatMap((version) =>
    version.digest === before?.digest ? [version.mark] : [],
  );
  const left = leave?.filter((mark) => !gone.includes(mark));
  return { op: 'repair', ...common, fid: status.fid, dismiss, leave: left, accept: null };
}

/** Gives up all versions but `kept`, and takes the object as it is otherwise, under the `name` that it bears. */
export function acceptance(
  status: VnodeStatus,
  kept: readonly FileData[],
  name: string | null,
  common: Common,
): RepairRecord {
  const choice = chosen(status, (version) => kept.includes(version));
  const { fid, parent } = status;
  const [place] = status.places;
  const since = place?.name === name ? place?.time : undefined;
  const where = { ...(parent !== null && { parent }), ...(since !== undefined && { since }) };
  const accept = name === null ? null : { name, ...where };
  return { op: 'repair', ...common, fid, ...choice, accept };
}

/** Which of the versions that are seen stay. */
function chosen(
  status: VnodeStatus,
  stays: (version: FileData) => boolean,
): Pick<RepairRecord, 'dismiss' | 'leave'> {
  const seen = seenVersions(status);
  const dismiss = seen.flatMap((version) => (stays(version) ? [] : [version.mark]));
  const leave = seen.flatMap((version) => (stays(version) ? [version.mark] : []));
  return dismiss.length === 0 ? { dismiss } : { dismiss, leave };
}
