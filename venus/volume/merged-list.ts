/**
 * What the lists of a directory at several servers come to together, before the servers have resolved them. Pure.
 *
 * A name that one list has and another lacks was taken out by whoever knows the update that put it there; who does not
 * know that update lacks the name (the rule of vice/interface/merge.ts, for names).
 */
import {
  comparePlaces,
  conflictName,
  isRemoved,
  knows,
  noNames,
  toggledName,
  type DirectoryEntry,
  type Fid,
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

type Child = List['entries'][number];

export function mergedList([first, ...others]: readonly [List, ...List[]]): MergedList {
  if (others.length === 0) return single(first);
  const lists = [first, ...others].map((list) => ({
    list,
    byFid: new Map(list.entries.map((entry) => [entry.status.fid, entry])),
  }));
  const names = new Map<string, DirectoryEntry>();
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
    if (!isTakenOut) bind(names, children, nameOf(found, status), status);
  }
  giveBack(names, children);
  return { names, children, digest: digestOf(names) };
}

/**
 * An object that stands beside its name, where nobody bears that any more, bears it itself, as it will at the servers
 * (vice/volume/naming.ts): at one of them somebody has it whom others know to be gone.
 */
function giveBack(names: Map<string, DirectoryEntry>, children: ReadonlyMap<Fid, MergedChild>): void {
  const beside = [...names.values()].flatMap((entry) => {
    const [place] = children.get(entry.fid)?.status.places ?? [];
    return place === undefined || place.name === entry.name ? [] : [{ entry, place }];
  });
  for (const { entry, place } of beside.sort((a, b) => comparePlaces(a.place, b.place))) {
    if (names.has(place.name)) continue;
    names.delete(entry.name);
    names.set(place.name, { ...entry, name: place.name });
  }
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

/** What it bears at a server that knows its latest place. */
function nameOf(found: readonly Child[], { places }: VnodeStatus): string {
  const [place] = places;
  const knowing = found.find(({ status }) => status.places[0]?.storeId === place?.storeId);
  return knowing?.name ?? place?.name ?? '';
}

/** Of two objects that want one name, who was there first keeps it; the other one is seen beside it. */
function bind(
  names: Map<string, DirectoryEntry>,
  children: ReadonlyMap<Fid, MergedChild>,
  name: string,
  status: VnodeStatus,
): void {
  const holder = names.get(name);
  if (holder === undefined) {
    names.set(name, { name, fid: status.fid, kind: status.kind });
    return;
  }
  const held = children.get(holder.fid)?.status;
  const [place] = status.places;
  const [heldPlace] = held?.places ?? [];
  if (held === undefined || place === undefined || heldPlace === undefined) return;
  const [keeper, other] = comparePlaces(heldPlace, place) <= 0 ? [held, status] : [status, held];
  const origin = keeper === held ? place : heldPlace;
  const beside = conflictName(name, origin);
  const free = names.has(beside) ? conflictName(name, origin, true) : beside;
  names.set(name, { name, fid: keeper.fid, kind: keeper.kind });
  names.set(free, { name: free, fid: other.fid, kind: other.kind });
}

function digestOf(names: ReadonlyMap<string, DirectoryEntry>): string {
  let digest = noNames;
  for (const { fid, name } of names.values()) digest = toggledName(digest, fid, name);
  return digest;
}
