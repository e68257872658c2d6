/**
 * Changes that the gateway's own disk answers for: while no server does, or not fast enough. They enter the log
 * optimized and the cache at once; when servers refuse one for good, it is kept, and the cache is told to forget it.
 */
import {
  isCreation,
  makeStoreId,
  type Fid,
  type Mutation,
  type VenusId,
} from '../../vice/interface/index.js';
import type { ObjectCache } from '../cache/object-cache.js';
import { isLocal, type LogEntry, type ModifyLog } from '../log/modify-log.js';
import { directoriesOf, Precedents } from '../log/dependence.js';
import { optimize, withdraw, type Plan } from '../log/optimize.js';
import type { Identity } from '../store/identity.js';
import type { Volume } from '../volume/volume.js';
import { threaded } from './batch.js';
import { applySettled, applyToCache, giveNames } from './cache-update.js';
import type { Salvaged } from './salvage.js';

export interface LocalLogWorld {
  readonly modifyLog: ModifyLog;
  readonly cache: ObjectCache;
  readonly identity: Identity;
}

export class LocalLog {
  readonly #world: LocalLogWorld;

  constructor(world: LocalLogWorld) {
    this.#world = world;
  }

  /** Logs the records of one operation and shows their effect; all in this turn, so in one transaction. */
  append(volume: Volume, operation: readonly Mutation[]): void {
    const { modifyLog, cache } = this.#world;
    const records = this.#threaded(operation);
    const plan = optimize(records, modifyLog);
    applyToCache(cache, volume, records, new Map());
    giveNames(cache, records);
    this.#carryOut(plan);
    if (plan.records.length > 0) modifyLog.append(volume.id, plan.records, true);
  }

  /** Shows the effect of an entry whose author is answered although no server has confirmed it. */
  acknowledge(volume: Volume, entry: LogEntry): void {
    const records = this.#threaded(entry.records);
    applySettled(this.#world.cache, volume, records);
    this.#world.modifyLog.update({ ...entry, records, acknowledged: true });
  }

  /** Keeps an entry that servers refused for good, and those that build on it. */
  keep(volume: Volume, refused: LogEntry, reason: string): readonly LogEntry[] {
    const entries = this.#withdraw(volume, [refused]);
    for (const entry of entries) {
      const why =
        entry.sequence === refused.sequence ? reason : `it builds on a change that was refused: ${reason}`;
      this.#world.modifyLog.keep(entry, why);
    }
    return entries;
  }

  /** Gives entries up, and those that build on them. */
  discard(volume: Volume, entries: readonly LogEntry[]): readonly LogEntry[] {
    const given = this.#withdraw(volume, entries);
    for (const entry of given) this.#world.modifyLog.remove(entry);
    return given;
  }

  /** An entry, and those that build on it. */
  dependents(volume: Volume, entry: LogEntry): readonly LogEntry[] {
    return closure(this.#world.modifyLog.of(volume.id), [entry]);
  }

  /** Logs `operations` in the place of `entries`; the objects `gone` are nowhere any more. */
  replace(
    volume: Volume,
    entries: readonly LogEntry[],
    gone: ReadonlySet<Fid>,
    operations: readonly Salvaged[],
  ): void {
    const { cache, identity } = this.#world;
    this.discard(volume, entries);
    for (const fid of gone) {
      const [place] = cache.status(fid)?.places ?? [];
      if (place !== undefined && cache.entry(place.parent, place.name)?.fid === fid)
        cache.unbind(place.parent, place.name);
      cache.drop(fid);
    }
    for (const { records } of operations) {
      this.append(
        volume,
        records.map((record) => ({ ...record, storeId: identity.newStoreId(record.author) })),
      );
    }
  }

  /** Takes entries, and those that build on them, out of the others' history and out of the cached view. */
  #withdraw(volume: Volume, entries: readonly LogEntry[]): readonly LogEntry[] {
    const { modifyLog } = this.#world;
    const closed = closure(modifyLog.of(volume.id), entries);
    this.#carryOut(withdraw(closed, modifyLog));
    for (const { records } of closed) for (const record of records) this.#disown(volume, record);
    return closed;
  }

  #carryOut(plan: Plan): void {
    const { modifyLog, cache } = this.#world;
    modifyLog.rewrite(plan);
    for (const [fid, known] of plan.known) {
      for (const [venus, counter] of Object.entries(known) as [VenusId, number][]) {
        const now = cache.status(fid)?.known[venus] ?? 0;
        if (now > 0 && plan.gone.has(makeStoreId(venus, now))) cache.setOwnKnown(fid, venus, counter);
      }
    }
  }

  /**
   * What the cache shows of `record` is ours alone: the servers' view takes its place as soon as it can be had, and
   * stays until then for those who cannot ask. What the object had known without it, it has known (TB-1).
   */
  #disown(volume: Volume, record: Mutation): void {
    const { cache } = this.#world;
    if (isCreation(record)) {
      if (cache.entry(record.parent, record.name)?.fid === record.fid)
        cache.unbind(record.parent, record.name);
      cache.drop(record.fid);
    } else cache.suspect(record.fid);
    for (const directory of directoriesOf(record)) {
      volume.doubt(directory);
      cache.unlist(directory);
    }
  }

  #threaded(records: readonly Mutation[]): readonly Mutation[] {
    return threaded(records, (fid) => this.#world.cache.status(fid)?.known);
  }
}

/** `entries` and all later ones of this gateway alone that depend on one of them. */
function closure(log: Iterable<LogEntry>, entries: readonly LogEntry[]): readonly LogEntry[] {
  const asked = new Set(entries.map(({ sequence }) => sequence));
  const closed: LogEntry[] = [];
  const precedents = new Precedents();
  for (const entry of log) {
    const isDependent = isLocal(entry) && precedents.isNeededBy(entry);
    if (!asked.has(entry.sequence) && !isDependent) continue;
    closed.push(entry);
    precedents.add(entry);
  }
  return closed;
}
