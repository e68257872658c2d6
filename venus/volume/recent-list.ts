/**
 * A directory whose names are here and of which little has changed: servers are asked for that alone (`since` in
 * vice/interface/rpc.ts). Only while all else that is known of it is of this epoch and of all servers, as a whole list
 * makes all of its children valid, and while no change of ours is under way in it.
 */
import { isWithin, type Fid, type Result, type VnodeStatus } from '../../vice/interface/index.js';
import { fewNames } from '../cache/directory-names.js';
import type { ObjectCache } from '../cache/object-cache.js';
import type { ListWorld } from './list-install.js';
import { installStatus } from './status-install.js';
import type { Told } from './told.js';
import type { Volume } from './volume.js';

/** Of a directory that was listed without a server, all have been. */
const sampledNames = 8;

export interface Recent extends Pick<Result<'list'>, 'entries'> {
  readonly gone: readonly string[];
  /** The digest of the names that were here. */
  readonly since: string;
  /** The replicas that told so of the children. */
  readonly heard: readonly string[];
}

/** The digest of the names that are here; undefined: all names are to be asked for. */
export async function namesHere(
  { cache, modifyLog, pause }: Pick<ListWorld, 'cache' | 'modifyLog' | 'pause'>,
  volume: Volume,
  fid: Fid,
): Promise<string | undefined> {
  const cached = cache.get(fid);
  if (cached?.complete !== true || cached.epoch !== volume.epoch) return undefined;
  if (modifyLog.touching(fid).length > 0) return undefined;
  const digest = await cache.namesDigest(fid, pause);
  return areUnheard(cache, volume, fid) ? undefined : digest;
}

/** Whether a server is there without which the children of a directory were listed, as far as the first ones tell. */
export function areUnheard(cache: ObjectCache, volume: Volume, directory: Fid): boolean {
  if (!cache.hasNames(directory)) return false;
  let left = sampledNames;
  for (const { fid } of cache.names(directory)?.values() ?? []) {
    const child = cache.get(fid);
    if (child === undefined || child.unheard.length === 0 || volume.isValid(child)) return false;
    if ((left -= 1) === 0) break;
  }
  return left < sampledNames;
}

/**
 * Takes in what has changed in the names of a directory. `accessible`: the directory as the servers have it, and `told`
 * what that is worth. False: it does not fit what is here any more, and all names are to be asked for.
 */
export function installRecent(
  world: Omit<ListWorld, 'pause' | 'written'>,
  volume: Volume,
  accessible: VnodeStatus,
  { entries, gone, since, heard }: Recent,
  told: Told,
): boolean {
  const { cache, modifyLog } = world;
  const { fid } = accessible;
  if (gone.length + entries.length > fewNames) return false;
  const ofChildren = world.told(heard);
  for (const { status } of entries) {
    volume.met(status.known);
    installStatus(world, ofChildren, status);
  }
  const now = cache.get(fid);
  if (now?.complete !== true || !isWithin(now.status.known, accessible.known)) return false;
  if (modifyLog.touching(fid).length > 0 || cache.knownNamesDigest(fid) !== since) return false;
  const left = gone.flatMap((name) => cache.entry(fid, name) ?? []);
  cache.changeNames(fid, [
    ...gone.map((name) => ({ name, entry: null })),
    ...entries.map(({ name, status }) => ({ name, entry: { name, fid: status.fid, kind: status.kind } })),
  ]);
  const object = cache.putStatus(accessible, told.validation(now), true);
  if (told.wasBroken(fid)) cache.put({ ...object, suspect: true });
  for (const entry of left) world.volume(entry.fid).doubt(entry.fid);
  if (cache.knownNamesDigest(fid) === accessible.names) return true;
  cache.unlist(fid);
  return false;
}
