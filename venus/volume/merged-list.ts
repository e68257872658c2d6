/**
 * What the lists of a directory at several servers come to together, before the servers have resolved them. Pure.
 *
 * A name that one list has and another lacks was taken out by whoever knows the update that put it there; who does not
 * know that update lacks the name (the rule of vice/interface/merge.ts, for names).
 */
import {
  comparePlaces,
  isRemoved,
  knows,
  namesBeside,
  noNames,
  toggledName,
  type DirectoryEntry,
  type Fid,
  type Placement,
  type VnodeStatus,
} from '../../vice/interface/index.js';
import { collateStatus } from './collate.js';

export interface List {
  /** The replicas that told so. */
  readonly heard: readonly string[];
  /** Of the directory. */
  readonly status: VnodeStatus;
  readonly entries: readonly { readonly name: string; readonly status: VnodeStatus }[];
}

export interface MergedList {
  readonly names: ReadonlyMap<string, DirectoryEntry>;
  readonly children: ReadonlyMap<Fid, MergedChild>;
  /** Of the names. */
  readonly digest: string;
}

export interface MergedChild {
  readonly status: VnodeStatus;
  /** The replicas that have it in the directory: others may know more of it than that it is not there. */
  readonly heard: readonly string[];
}

/** An object and the name that it was given. */
interface Wanting extends Pick<DirectoryEntry, 'fid' | 'kind'> {
  readonly place: Placement;
}

export function mergedList([first, ...others]: readonly [List, ...List[]]): MergedList {
  if (others.length === 0) return single(first);
  const lists = [first, ...others].map((list) => ({
    list,
    byFid: new Map(list.entries.map((entry) => [entry.status.fid, entry])),
  }));
  const living: VnodeStatus[] = [];
  const children = new Map<Fid, MergedChild>();
  for (const fid of new Set(lists.flatMap(({ byFid }) => [...byFid.keys()]))) {
    const found = lists.flatMap(({ byFid }) => byFid.get(fid) ?? []);
    const statuses = found.map(({ status }) => ({ member: undefined, status }));
    const status = collateStatus(statuses, undefined).status;
    if (status === null || isRemoved(status) || status.parent !== first.status.fid) continue;
    const [place] = status.places;
    const isTakenOut = lists.some(
      ({ list, byFid }) => !byFid.has(fid) && place !== undefined && knows(list.status.known, place.storeId),
    );
    const heard = lists.flatMap(({ list, byFid }) => (byFid.has(fid) ? list.heard : []));
    children.set(fid, { status, heard });
    if (!isTakenOut) living.push(status);
  }
  const names = namesOf(living);
  return { names, children, digest: digestOf(names) };
}

function single({ heard, status: { names: digest }, entries }: List): MergedList {
  const names = new Map<string, DirectoryEntry>();
  const children = new Map<Fid, MergedChild>();
  for (const { name, status } of entries) {
    names.set(name, { name, fid: status.fid, kind: status.kind });
    children.set(status.fid, { status, heard });
  }
  return { names, children, digest };
}

/**
 * Names as servers will give them when they have all of `living` (NM-1 in vice/volume/naming.ts). What an object bears
 * at a server says nothing: it may stand beside one there that somebody has removed elsewhere.
 */
function namesOf(living: readonly VnodeStatus[]): Map<string, DirectoryEntry> {
  const keepers = new Map<string, Wanting>();
  const others: Wanting[] = [];
  for (const { fid, kind, places } of living) {
    const [place] = places;
    if (place === undefined) continue;
    const wanting = { fid, kind, place };
    const keeper = keepers.get(place.name);
    const isFirst = keeper === undefined || comparePlaces(place, keeper.place) < 0;
    if (isFirst) keepers.set(place.name, wanting);
    if (keeper !== undefined) others.push(isFirst ? keeper : wanting);
  }
  const names = new Map<string, DirectoryEntry>();
  for (const [name, { fid, kind }] of keepers) names.set(name, { name, fid, kind });
  for (const { fid, kind, place } of others.sort((one, other) => comparePlaces(one.place, other.place))) {
    const name = namesBeside(fid, place).find((each) => !names.has(each));
    if (name !== undefined) names.set(name, { name, fid, kind });
  }
  return names;
}

function digestOf(names: ReadonlyMap<string, DirectoryEntry>): string {
  let digest = noNames;
  for (const { fid, name } of names.values()) digest = toggledName(digest, fid, name);
  return digest;
}
