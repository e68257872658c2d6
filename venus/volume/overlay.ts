/**
 * What servers say of a directory, with this gateway's own changes that they do not have yet. Pure. Others'
 * changes so become visible while the log still waits, and ours stay visible.
 */
import {
  comparePlaces,
  counterOf,
  fidsOf,
  isBeside,
  isWithin,
  knows,
  namesBeside,
  toggledName,
  venusOf,
  type DirectoryEntry,
  type Fid,
  type Mutation,
  type Origin,
  type Placement,
  type StoreIdVector,
  type VnodeStatus,
} from '../../vice/interface/index.js';
import { directoriesOf } from '../log/dependence.js';
import { isLocal, type LogEntry } from '../log/modify-log.js';
import { heirsOf } from './heirs.js';

export interface Overlay {
  /** Records that change the directory's names and that `status` does not know, in order. */
  readonly records: readonly Mutation[];
  /**
   * What the directory has known with them, and with ours that change it otherwise. Less than the cache knows, where
   * servers lack changes of ours that other servers have had: then what is cached is newer than what they say.
   */
  readonly known: StoreIdVector;
}

/** The records of `entries` that come on top of `status`. */
export function overlayOf({ fid, known: before }: VnodeStatus, entries: readonly LogEntry[]): Overlay {
  const unknown = entries
    .filter(isLocal)
    .flatMap((entry) => entry.records)
    .filter((record) => fidsOf(record).includes(fid) && !knows(before, record.storeId));
  const known: Record<string, number> = { ...before };
  for (const { storeId, base } of unknown) {
    const venus = venusOf(storeId);
    // Its author's last record before it is no more in the log, and these servers lack it: a later one does not tell
    // what that one did (log/draft.ts: the chain).
    if ((base[fid]?.[venus] ?? 0) > (known[venus] ?? 0)) continue;
    known[venus] = Math.max(known[venus] ?? 0, counterOf(storeId));
  }
  return { records: unknown.filter((record) => directoriesOf(record).includes(fid)), known };
}

/** The names of `directory` that `entries` (the log's, of this directory) have made, and have left there. */
export function ownNames(
  directory: Fid,
  entries: readonly LogEntry[],
  cache: { status(fid: Fid): VnodeStatus | undefined },
): ReadonlyMap<string, DirectoryEntry> {
  const records = entries.filter(isLocal).flatMap((entry) => entry.records);
  const naming = records.filter((record) => directoriesOf(record).includes(directory));
  return overlaid(directory, new Map(), naming, (fid) => cache.status(fid));
}

/**
 * Whether servers have other names of a directory, whose status there is `theirs`, than are cached as `cached`, but for
 * those that `entries` (the log's, of this directory) are about to change. false where that cannot be told, because
 * changes of ours are no more in the log and not at these servers.
 */
export function hasOtherNames(
  cached: VnodeStatus,
  theirs: VnodeStatus,
  entries: readonly LogEntry[],
): boolean {
  const { records, known } = overlayOf(theirs, entries);
  if (!isWithin(cached.known, known)) return false;
  let digest = theirs.names;
  for (const { fid, name } of records.flatMap((record) => toggledBy(cached.fid, record))) {
    digest = toggledName(digest, fid, name);
  }
  return digest !== cached.names;
}

/** `digest`, of the names `before`, as it is of the names `after`. */
export function digestAfter(
  digest: string,
  before: ReadonlyMap<string, DirectoryEntry>,
  after: ReadonlyMap<string, DirectoryEntry>,
): string {
  let toggled = digest;
  const toggleMissing = (from: typeof before, to: typeof before): void => {
    for (const { name, fid } of from.values()) {
      if (to.get(name)?.fid !== fid) toggled = toggledName(toggled, fid, name);
    }
  };
  toggleMissing(before, after);
  toggleMissing(after, before);
  return toggled;
}

/**
 * `names` of `directory` after `records`. A name that somebody else has taken meanwhile is his who was there first; the
 * other object is seen beside it, as it will be when the servers have both. What stands beside a name that is left free
 * gets it, as there (NM-1 in vice/volume/naming.ts).
 */
export function overlaid(
  directory: Fid,
  names: ReadonlyMap<string, DirectoryEntry>,
  records: readonly Mutation[],
  objectOf: (fid: Fid) => Pick<VnodeStatus, 'kind' | 'places'> | undefined,
): Map<string, DirectoryEntry> {
  const layer = new Layer(names, objectOf);
  for (const record of records) {
    switch (record.op) {
      case 'create':
        layer.bind(record.name, record.fid, 'file', record);
        break;
      case 'mkdir':
        layer.bind(record.name, record.fid, 'directory', record);
        break;
      case 'symlink':
        layer.bind(record.name, record.fid, 'symlink', record);
        break;
      case 'remove':
      case 'rmdir':
        layer.unbind(record.name, record.fid);
        break;
      case 'rename': {
        const kind = layer.names.get(record.fromName)?.kind ?? objectOf(record.fid)?.kind;
        layer.unbind(record.fromName, record.fid);
        if (record.toParent === directory) layer.bind(record.toName, record.fid, kind, record);
        break;
      }
      default:
    }
  }
  layer.giveFreed(directory);
  return layer.names;
}

class Layer {
  readonly names: Map<string, DirectoryEntry>;
  readonly #freed = new Set<string>();
  readonly #objectOf: (fid: Fid) => Pick<VnodeStatus, 'places'> | undefined;
  /** Names by object; made when one does not bear the name that it bore here. */
  #byFid: Map<Fid, string> | undefined;

  constructor(
    names: ReadonlyMap<string, DirectoryEntry>,
    objectOf: (fid: Fid) => Pick<VnodeStatus, 'places'> | undefined,
  ) {
    this.names = new Map(names);
    this.#objectOf = objectOf;
  }

  bind(name: string, fid: Fid, kind: DirectoryEntry['kind'] | undefined, origin: Origin): void {
    if (kind === undefined) return;
    const entry = { name, fid, kind };
    const holder = this.names.get(name);
    if (holder === undefined || holder.fid === fid) return this.#set(entry);
    const [place] = this.#objectOf(holder.fid)?.places ?? [];
    const isOurs = place !== undefined && compareOrigins(origin, place) < 0;
    if (isOurs) this.#set(entry);
    this.#setBeside(name, isOurs ? holder : entry, isOurs ? place : origin);
  }

  /** Servers may have given it another name meanwhile. */
  unbind(name: string, fid: Fid): void {
    if (this.names.get(name)?.fid === fid) {
      this.#free(name);
      return;
    }
    this.#byFid ??= new Map([...this.names.values()].map((entry) => [entry.fid, entry.name]));
    const other = this.#byFid.get(fid);
    if (other !== undefined && this.names.get(other)?.fid === fid) this.#free(other);
  }

  /** Names that nobody has taken again go to those who want them and were there first. */
  giveFreed(directory: Fid): void {
    const free = new Set([...this.#freed].filter((name) => !this.names.has(name)));
    if (free.size === 0) return;
    const besides = [...this.names.values()].filter(({ name }) => isBeside(name));
    const heirs = heirsOf(directory, free, besides, (fid) => this.#objectOf(fid)?.places[0]);
    for (const [name, entry] of heirs) {
      this.names.delete(entry.name);
      this.#set({ ...entry, name });
    }
  }

  #free(name: string): void {
    this.names.delete(name);
    this.#freed.add(name);
  }

  /** The first of the names beside its own that nobody bears here, as at servers. */
  #setBeside(name: string, entry: DirectoryEntry, origin: Origin): void {
    const free = namesBeside(entry.fid, { ...origin, name }).find((each) => !this.names.has(each));
    if (free !== undefined) this.#set({ ...entry, name: free });
  }

  #set(entry: DirectoryEntry): void {
    this.names.set(entry.name, entry);
    this.#byFid?.set(entry.fid, entry.name);
  }
}

/** @see comparePlaces */
function compareOrigins(a: Pick<Placement, 'storeId' | 'time'>, b: Placement): number {
  return comparePlaces({ ...b, ...a }, b);
}

/** The names in `directory` that come or go with `record`. */
function toggledBy(
  directory: Fid,
  record: Mutation,
): readonly { readonly fid: Fid; readonly name: string }[] {
  switch (record.op) {
    case 'create':
    case 'mkdir':
    case 'symlink':
    case 'remove':
    case 'rmdir':
      return [record];
    case 'rename': {
      const { fid, fromParent, fromName, toParent, toName } = record;
      const from = fromParent === directory ? [{ fid, name: fromName }] : [];
      return toParent === directory ? [...from, { fid, name: toName }] : from;
    }
    default:
      return [];
  }
}
