/**
 * A directory whose names are here and of which little has changed: servers are asked for that alone (`since` in
 * vice/interface/rpc.ts). Only while all else that is known of it is of this epoch, as a whole list makes all of its
 * children valid, and while no change of ours is under way in it.
 */
import { isWithin, type Fid, type Result, type VnodeStatus } from '../../vice/interface/index.js';
import { fewNames } from '../cache/directory-names.js';
import type { ListWorld } from './list-install.js';
import type { Volume } from './volume.js';

export type Recent = Pick<Result<'list'>, 'entries'> & { readonly gone: readonly string[] };

/** The digest of the names that are here; undefined: all names are to be asked for. */
export async function namesHere(
  { cache, modifyLog, pause }: Pick<ListWorld, 'cache' | 'modifyLog' | 'pause'>,
  volume: Volume,
  fid: Fid,
): Promise<string | undefined> {
  const cached = cache.get(fid);
  if (cached?.complete !== true || cached.epoch !== volume.epoch) return undefined;
  if (modifyLog.touching(fid).length > 0) return undefined;
  return cache.namesDigest(fid, pause);
}

/**
 * Takes in what has changed in a directory since its names had the digest `since`. `accessible`: the directory as the
 * servers have it. False: it does not fit what is here any more, and all names are to be asked for.
 */
export function installRecent(
  world: Omit<ListWorld, 'pause' | 'written'>,
  volume: Volume,
  accessible: VnodeStatus,
  { entries, gone }: Recent,
  since: string,
  wasBroken: (fid: Fid) => boolean,
): boolean {
  const { cache, modifyLog, install } = world;
  const { fid } = accessible;
  if (gone.length + entries.length > fewNames) return false;
  for (const { status } of entries) {
    volume.met(status.known);
    install(status);
  }
  const now = cache.get(fid);
  if (now?.complete !== true || !isWithin(now.status.known, accessible.known)) return false;
  if (modifyLog.touching(fid).length > 0 || cache.knownNamesDigest(fid) !== since) return false;
  const left = gone.flatMap((name) => cache.entry(fid, name) ?? []);
  cache.changeNames(fid, [
    ...gone.map((name) => ({ name, entry: null })),
    ...entries.map(({ name, status }) => ({ name, entry: { name, fid: status.fid, kind: status.kind } })),
  ]);
  const object = cache.putStatus(accessible, volume.epoch, true);
  if (wasBroken(fid)) cache.put({ ...object, suspect: true });
  for (const entry of left) world.volume(entry.fid).doubt(entry.fid);
  if (cache.knownNamesDigest(fid) === accessible.names) return true;
  cache.unlist(fid);
  return false;
}
