/** The cached view takes over what the servers have applied, exactly as they did. */
import {
  applyRecord,
  fidsOf,
  isCreation,
  isFailure,
  namesBeside,
  toggledName,
  type DirectoryEntry,
  type Effect,
  type Fid,
  type Mutation,
  type Placement,
  type VersionVector,
} from '../../vice/interface/index.js';
import { allHeard } from '../cache/cached-object.js';
import type { ObjectCache } from '../cache/object-cache.js';
import { heirsOf } from '../volume/heirs.js';
import type { Volume } from '../volume/volume.js';
import { overTakenBack } from './taken-back.js';

/** Applies `records`; `vectors` are the objects' counts at the servers, where they are known. */
export function applyToCache(
  cache: ObjectCache,
  volume: Volume,
  records: readonly Mutation[],
  vectors: ReadonlyMap<Fid, VersionVector>,
): void {
  for (const record of records) {
    try {
      show(cache, volume, record, applyRecord(cache, overTakenBack(cache, record)), vectors);
    } catch (error) {
      if (!isFailure(error)) throw error;
      // The cache has been fetched again meanwhile, or evicted: it will be asked for.
      for (const fid of fidsOf(record)) volume.doubt(fid);
    }
  }
}

/**
 * The same for what the log answers: whatever others have done since, servers will merge it (it is sent settled). Where
 * somebody has taken a name meanwhile, what is made here is seen beside it until they say who bears it.
 */
export function applySettled(cache: ObjectCache, volume: Volume, records: readonly Mutation[]): void {
  applyEach(cache, volume, records);
  giveNames(cache, records);
}

/**
 * What stands beside a name that `records`, which the log answers for, have left free gets it, as it will at servers
 * (NM-1 in vice/volume/naming.ts). Of what servers have answered for they tell themselves.
 */
export function giveNames(cache: ObjectCache, records: readonly Mutation[]): void {
  for (const { directory, name } of records.flatMap(leftName)) giveName(cache, directory, name);
}

function applyEach(cache: ObjectCache, volume: Volume, records: readonly Mutation[]): void {
  for (const record of records) {
    const wanted = wantedName(record);
    const holder = wanted && cache.entry(wanted.directory, wanted.name);
    if (wanted === undefined || holder === undefined || holder.fid === record.fid) {
      applyToCache(cache, volume, [record], new Map());
      continue;
    }
    try {
      const effect = applyRecord(cache, { ...overTakenBack(cache, record), settled: true });
      show(cache, volume, record, { ...effect, bound: [] }, new Map());
      for (const { directory, entry } of effect.bound) {
        const name = freeName(cache, directory, entry.fid);
        if (name === undefined || cache.get(directory)?.complete !== true) continue;
        cache.bindBeside(directory, { ...entry, name });
        digestRenamed(cache, entry, directory, name);
      }
    } catch (error) {
      if (!isFailure(error)) throw error;
    }
    for (const fid of fidsOf(record)) volume.doubt(fid);
  }
}

/** What the record gives its object. */
function wantedName(record: Mutation): { readonly directory: Fid; readonly name: string } | undefined {
  if (isCreation(record)) return { directory: record.parent, name: record.name };
  return record.op === 'rename' ? { directory: record.toParent, name: record.toName } : undefined;
}

/** What the record takes from its object. */
function leftName(record: Mutation): readonly { readonly directory: Fid; readonly name: string }[] {
  if (record.op === 'remove' || record.op === 'rmdir')
    return [{ directory: record.parent, name: record.name }];
  return record.op === 'rename' ? [{ directory: record.fromParent, name: record.fromName }] : [];
}

/** If nobody bears the name, who wanted it and was there first gets it. */
function giveName(cache: ObjectCache, directory: Fid, name: string): void {
  const parent = cache.get(directory);
  if (parent?.complete !== true || cache.entry(directory, name) !== undefined) return;
  const besides = [...(cache.conflicts.in(directory) ?? [])].flatMap((fid) => {
    const borne = cache.conflicts.get(fid)?.name ?? undefined;
    const entry = borne === undefined ? undefined : cache.entry(directory, borne);
    return entry?.fid === fid ? [entry] : [];
  });
  const placeOf = (fid: Fid): Placement | undefined => cache.status(fid)?.places[0];
  const entry = heirsOf(directory, new Set([name]), besides, placeOf).get(name);
  if (entry === undefined) return;
  cache.unbind(directory, entry.name);
  cache.bind(directory, { ...entry, name });
  digestRenamed(cache, entry, directory, name);
}

/**
 * The directory's digest, of the names with `entry`, is that of the names with `name` instead of it (OC-1). Or a server
 * that has `entry` is taken to have the names that are here, and is not asked for them.
 */
function digestRenamed(cache: ObjectCache, entry: DirectoryEntry, directory: Fid, name: string): void {
  const parent = cache.get(directory);
  if (parent === undefined) return;
  const names = toggledName(toggledName(parent.status.names, entry.fid, entry.name), entry.fid, name);
  cache.put({ ...parent, status: { ...parent.status, names } });
}

/** The first of the names beside its own that nobody bears there. */
function freeName(cache: ObjectCache, directory: Fid, fid: Fid): string | undefined {
  const [place] = cache.status(fid)?.places ?? [];
  return place && namesBeside(fid, place).find((name) => cache.entry(directory, name) === undefined);
}

function show(
  cache: ObjectCache,
  volume: Volume,
  record: Mutation,
  effect: Effect,
  vectors: ReadonlyMap<Fid, VersionVector>,
): void {
  for (const { directory, name } of effect.unbound) {
    if (cache.get(directory)?.complete === true) cache.unbind(directory, name);
  }
  for (const { directory, entry } of effect.bound) {
    if (cache.get(directory)?.complete === true) cache.bind(directory, entry);
  }
  for (const status of effect.changed) {
    const before = cache.get(status.fid);
    const object = cache.putStatus(
      { ...status, vv: vectors.get(status.fid) ?? status.vv },
      before ?? { epoch: volume.epoch, unheard: allHeard },
      before?.complete ?? (isCreation(record) && record.op === 'mkdir'),
      before?.stale ?? false,
    );
    // Somebody has found and changed what is made here before all servers have answered.
    const isBroken = before === undefined && volume.breaks.has(status.fid);
    if (before?.suspect === true || isBroken) cache.put({ ...object, suspect: true });
  }
  for (const { fid } of effect.removed) cache.drop(fid);
}
