/**
 * The other versions of a file in conflict, as objects of their own: each has a Fid (the file's, '@', its StoreId), a
 * name beside the file's, and is seen as a file. Pure, but for a memory of views.
 */
import {
  conflictName,
  parseFid,
  parseStoreId,
  siblingsOf,
  type Fid,
  type FileData,
  type StoreId,
  type VnodeStatus,
} from '../../vice/interface/index.js';
import type { ObjectStatus } from '../interface.js';

export interface Sibling {
  readonly file: Fid;
  readonly version: StoreId;
}

/** An object with what gateways see of it (CachedObject of cache/cached-object.ts is one). */
export interface Seen {
  readonly status: VnodeStatus;
  readonly view: ObjectStatus;
}

export function siblingFid(file: Fid, version: StoreId): Fid {
  return `${file}@${version}` as Fid;
}

/** What `fid` means, if it is a sibling's. */
export function parseSibling(fid: Fid): Sibling | undefined {
  const at = fid.indexOf('@');
  if (at < 0) return undefined;
  const file = parseFid(fid.slice(0, at));
  const version = parseStoreId(fid.slice(at + 1));
  return file === undefined || version === undefined ? undefined : { file, version };
}

/** The object that has `fid`, or of which it is a version. */
export function fileOf(fid: Fid): Fid {
  return parseSibling(fid)?.file ?? fid;
}

/** The versions of a file that are seen, the shown one first; not those that somebody has given up. */
export function seenVersions({ data, siblings }: VnodeStatus): readonly FileData[] {
  return data === null ? [] : [data, ...siblings];
}

/** The version of `status` that stands beside the shown one under this StoreId. */
export function siblingVersion(status: VnodeStatus, version: StoreId): FileData | undefined {
  return siblingsOf(status).find(({ storeId }) => storeId === version);
}

/** The names under which the versions beside the file that bears `name` are seen. */
export function siblingNames(
  name: string,
  status: VnodeStatus,
  isTaken: (name: string) => boolean,
): readonly { readonly name: string; readonly version: FileData }[] {
  const given = new Set<string>();
  return siblingsOf(status).map((version) => {
    const origin = { ...version, time: version.saved };
    const plain = conflictName(name, origin);
    const free = isTaken(plain) || given.has(plain) ? conflictName(name, origin, true) : plain;
    given.add(free);
    return { name: free, version };
  });
}

/** What has been seen of a file's siblings, as long as the file is seen the same: gateways key caches by it. */
const views = new WeakMap<ObjectStatus, Map<StoreId, ObjectStatus>>();

/** `version` of `file` as gateways see it. */
export function siblingView(file: Seen, version: FileData): ObjectStatus {
  let known = views.get(file.view);
  if (known === undefined) views.set(file.view, (known = new Map()));
  let view = known.get(version.storeId);
  if (view === undefined) known.set(version.storeId, (view = makeView(file, version)));
  return view;
}

function makeView({ status, view }: Seen, version: FileData): ObjectStatus {
  const { storeId, length, digest, modified, author, host, saved } = version;
  const wanted = status.places[0]?.name ?? '';
  const conflict = Object.freeze({
    kind: 'sibling',
    author,
    host,
    time: saved,
    wanted,
    vector: Object.freeze({ ...status.vv }),
  } as const);
  return Object.freeze({
    ...view,
    fid: siblingFid(status.fid, storeId),
    length,
    version: storeId,
    digest,
    modified,
    author,
    conflict,
  });
}
