/**
 * What servers said of a directory and its children, taken into the cache: some objects in one turn of the event loop,
 * however many there are.
 */
import {
  isWithin,
  mergeStatus,
  type DirectoryEntry,
  type Fid,
  type VnodeStatus,
} from '../../vice/interface/index.js';
import type { ObjectCache } from '../cache/object-cache.js';
import type { ModifyLog } from '../log/modify-log.js';
import { mergedList, type List } from './merged-list.js';
import { digestAfter, overlaid, overlayOf } from './overlay.js';
import { installStatus } from './status-install.js';
import type { Told } from './told.js';
import type { Volume } from './volume.js';

/** Objects cached in one turn of the event loop: some milliseconds. */
const turnObjects = 100;
/** Objects that may be ahead of the disk: what it has to take in one turn is bounded by them. */
const writtenObjects = 1000;

export interface ListWorld {
  readonly cache: ObjectCache;
  readonly modifyLog: ModifyLog;
  readonly volume: (fid: Fid) => Volume;
  /** Gives other requests a turn. */
  readonly pause: () => Promise<void>;
  /** Resolves when the disk has what was cached, or could not take it: a slow one must not be far behind. */
  readonly written: () => Promise<void>;
  /** What is said of children by those replicas. */
  readonly told: (replicas: readonly string[]) => Told;
}

/**
 * `accessible`: the directory as the servers have it, and `told` what that is worth; it is not marked valid when its
 * names were changed here meanwhile, and must be asked for again.
 */
export async function installList(
  world: ListWorld,
  volume: Volume,
  accessible: VnodeStatus,
  [first, ...others]: readonly List[],
  told: Told,
): Promise<void> {
  // Removed between two calls: asked again.
  if (first === undefined) return;
  const { cache, modifyLog } = world;
  const { fid } = accessible;
  const { names, digest } = await installed(world, volume, [first, ...others]);
  const cached = cache.get(fid);
  const { records, known } = overlayOf(accessible, modifyLog.touching(fid));
  const isDue = (): boolean => {
    const now = cache.get(fid);
    // An update of ours has been applied here while the list was on its way.
    return now === undefined || isWithin(now.status.known, known);
  };
  if (!isDue()) return;
  const wasListed = cached?.complete === true;
  if (wasListed && !cache.hasNames(fid)) await cache.loadNames(fid, world.pause);
  const after = records.length === 0 ? names : overlaid(fid, names, records, (each) => cache.status(each));
  const listed = records.length === 0 ? digest : digestAfter(digest, names, after);
  const hidden = records.length === 0 ? [] : await nameless(names, after, world.pause);
  const gone = wasListed ? await missing(cache.names(fid), after, world.pause) : [];
  await cache.setNames(fid, after, {
    pause: world.pause,
    isDue,
    onDone: () => {
      const now = cache.get(fid);
      const isOver = now !== undefined && !isWithin(now.status.known, accessible.known);
      const status = { ...(isOver ? mergeStatus(accessible, now.status) : accessible), known };
      const object = cache.putStatus({ ...status, names: listed }, told.validation(now), true);
      if (told.wasBroken(fid)) cache.put({ ...object, suspect: true });
      for (const entry of gone) world.volume(entry.fid).doubt(entry.fid);
    },
  });
  // Servers still have what is removed in our log, and told of it. Nobody will tell us when they remove it.
  let turn = 0;
  for (const child of hidden) {
    if (cache.get(child)?.status.parent === fid) cache.drop(child);
    if ((turn += 1) % turnObjects === 0) await world.pause();
  }
}

/** The children are cached; the names that they have together. */
async function installed(
  world: ListWorld,
  volume: Volume,
  [first, ...others]: readonly [List, ...List[]],
): Promise<{ readonly names: ReadonlyMap<string, DirectoryEntry>; readonly digest: string }> {
  let turn = 0;
  const take = async (child: VnodeStatus, told: Told): Promise<void> => {
    volume.met(child.known);
    installStatus(world, told, child);
    if ((turn += 1) % turnObjects === 0) await world.pause();
    if (turn % writtenObjects === 0) await world.written();
  };
  if (others.length > 0) {
    const merged = mergedList([first, ...others]);
    for (const { status, heard } of merged.children.values()) await take(status, world.told(heard));
    return merged;
  }
  const told = world.told(first.heard);
  const names = new Map<string, DirectoryEntry>();
  for (const { name, status } of first.entries) {
    names.set(name, { name, fid: status.fid, kind: status.kind });
    await take(status, told);
  }
  return { names, digest: first.status.names };
}

/** Those of `before` whose names `after` has not. */
async function missing(
  before: ReadonlyMap<string, DirectoryEntry> | undefined,
  after: ReadonlyMap<string, DirectoryEntry>,
  pause: () => Promise<void>,
): Promise<readonly DirectoryEntry[]> {
  const gone: DirectoryEntry[] = [];
  let turn = 0;
  for (const entry of before?.values() ?? []) {
    if (!after.has(entry.name)) gone.push(entry);
    if ((turn += 1) % (turnObjects * 100) === 0) await pause();
  }
  return gone;
}

/** Objects of `before` that have no name in `after`. */
async function nameless(
  before: ReadonlyMap<string, DirectoryEntry>,
  after: ReadonlyMap<string, DirectoryEntry>,
  pause: () => Promise<void>,
): Promise<readonly Fid[]> {
  const unlike = new Set<Fid>();
  let turn = 0;
  for (const { name, fid } of before.values()) {
    if (after.get(name)?.fid !== fid) unlike.add(fid);
    if ((turn += 1) % (turnObjects * 100) === 0) await pause();
  }
  if (unlike.size === 0) return [];
  // They may have another name.
  for (const { fid } of after.values()) {
    unlike.delete(fid);
    if ((turn += 1) % (turnObjects * 100) === 0) await pause();
  }
  return [...unlike];
}
