/** The log as people handle it: listed with paths, archived, restored, given up (venus/interface.ts, PendingLog). */
import { Failure, type Fid, type Mutation, type VolumeId } from '../../vice/interface/index.js';
import { sleep, type Clock } from '../../vice/seam/clock.js';
import { checkpointArchive } from '../archive/checkpoint.js';
import { restoreArchive } from '../archive/restore.js';
import type { RestoreTarget } from '../archive/restore-target.js';
import type { ObjectCache } from '../cache/object-cache.js';
import type { Mounts } from '../volume/mounts.js';
import type { PendingChange, PendingLog, PendingRecord, Restored } from '../interface.js';
import { isLocal, type LogEntry, type ModifyLog, type Remains } from './modify-log.js';

export interface HandledLogWorld {
  readonly modifyLog: ModifyLog;
  readonly cache: ObjectCache;
  readonly mounts: Mounts;
  readonly realm: string;
  readonly gateway: string;
  readonly clock: Clock;
  readonly volumeName: (id: VolumeId) => string;
  readonly discard: (id: VolumeId, entries: readonly LogEntry[]) => Promise<readonly number[]>;
  readonly contents: (digest: string, length: number) => AsyncIterable<Uint8Array>;
  /** Whether changes of `author` wait for him to log in again. */
  readonly awaits: (author: string) => boolean;
  /** Where an archive's changes are made anew. */
  readonly target: RestoreTarget;
}

/** An entry, and why servers refused it, if they did. */
interface Handled {
  readonly entry: LogEntry;
  readonly reason: string | null;
  readonly remains: Remains | undefined;
}

/** Directories above an object that are followed at most; a loop cannot be, but a damaged cache can. */
const depthMost = 1000;

export class HandledLog implements PendingLog {
  readonly #world: HandledLogWorld;

  constructor(world: HandledLogWorld) {
    this.#world = world;
  }

  changes(): readonly PendingChange[] {
    const entries = this.#entries();
    const pathOf = this.#paths(entries);
    return entries.map(({ entry, reason, remains }) => ({
      sequence: entry.sequence,
      volume: remains?.volume ?? this.#world.volumeName(entry.volume),
      author: entry.records[0]?.author ?? '',
      time: entry.records[0]?.time ?? 0,
      state: reason !== null ? 'kept' : isLocal(entry) && !entry.offered ? 'pending' : 'sent',
      reason: reason ?? this.#waitsFor(entry),
      records: entry.records.map((record) => readable(record, pathOf)),
    }));
  }

  #waitsFor({ records }: LogEntry): string | null {
    const author = records[0]?.author ?? '';
    return this.#world.awaits(author) ? `waits for ${author} to log in again` : null;
  }

  checkpoint(sequences?: readonly number[]): AsyncIterable<Uint8Array> {
    const { realm, gateway, clock } = this.#world;
    const handled = this.#chosen(sequences);
    const chosen = handled.map(({ entry, reason, remains }) => ({
      sequence: entry.sequence,
      volume: remains?.volume ?? this.#world.volumeName(entry.volume),
      records: entry.records,
      reason,
    }));
    return checkpointArchive(
      { realm, gateway, time: clock.wall() },
      {
        entries: chosen,
        pathOf: this.#paths(handled),
        contents: (digest, length) => this.#world.contents(digest, length),
        pause: () => sleep(clock, 0),
      },
    );
  }

  restore(archive: AsyncIterable<Uint8Array>): Promise<Restored> {
    return restoreArchive(archive, this.#world.target);
  }

  async discard(sequences: readonly number[]): Promise<readonly number[]> {
    const { modifyLog } = this.#world;
    const kept = new Map(modifyLog.kept().map((item) => [item.entry.sequence, item]));
    const asked = new Set(sequences);
    const waiting = new Map<VolumeId, LogEntry[]>();
    for (const sequence of asked) {
      const entry = modifyLog.get(sequence);
      if (entry === undefined && !kept.has(sequence)) {
        throw noSuchChange(sequence);
      }
      if (entry !== undefined) waiting.set(entry.volume, [...(waiting.get(entry.volume) ?? []), entry]);
    }
    const given: number[] = [];
    for (const [volume, entries] of waiting) given.push(...(await this.#world.discard(volume, entries)));
    for (const sequence of asked) {
      if (!kept.has(sequence)) continue;
      modifyLog.forget(sequence);
      given.push(sequence);
    }
    await modifyLog.durable();
    return given.sort((a, b) => a - b);
  }

  /** @throws Failure not-found */
  #chosen(sequences: readonly number[] | undefined): readonly Handled[] {
    const all = this.#entries();
    if (sequences === undefined) return all;
    const bySequence = new Map(all.map((item) => [item.entry.sequence, item]));
    return [...new Set(sequences)]
      .sort((a, b) => a - b)
      .map((sequence) => {
        const found = bySequence.get(sequence);
        if (found === undefined) throw noSuchChange(sequence);
        return found;
      });
  }

  #entries(): readonly Handled[] {
    const { modifyLog } = this.#world;
    const all: Handled[] = modifyLog.kept().map((kept) => ({ ...kept, remains: kept.remains }));
    for (const entry of modifyLog.all()) all.push({ entry, reason: null, remains: undefined });
    return all.sort((a, b) => a.entry.sequence - b.entry.sequence);
  }

  /**
   * A function from Fids to paths as the cache has them, or as they were in a volume that is deleted; what it found it
   * remembers, so use it in one turn.
   */
  #paths(entries: readonly Handled[]): (fid: Fid) => string | null {
    const { cache, mounts } = this.#world;
    const former = new Map(entries.flatMap(({ remains }) => Object.entries(remains?.paths ?? {})));
    const names = new Map<Fid, ReadonlyMap<Fid, string>>();
    const nameIn = (directory: Fid, fid: Fid): string | undefined => {
      let known = names.get(directory);
      if (known === undefined) {
        known = new Map(
          [...(cache.names(directory)?.values() ?? [])].map((entry) => [entry.fid, entry.name]),
        );
        names.set(directory, known);
      }
      return known.get(fid);
    };
    return (fid) => {
      const was = former.get(fid);
      if (was !== undefined) return was;
      const path: string[] = [];
      for (let at = fid; at !== mounts.root;) {
        const bears = mounts.under(at);
        const parent = mounts.above(cache.status(bears)?.parent ?? null);
        const name = parent === null ? undefined : nameIn(parent, bears);
        if (parent === null || name === undefined || path.length > depthMost) return null;
        path.unshift(name);
        at = parent;
      }
      return `/${path.join('/')}`;
    };
  }
}

function noSuchChange(sequence: number): Failure {
  return new Failure('not-found', 'venus.log', `there is no pending change ${sequence}`);
}

/** For people to read; what has gone is named by where it was. */
function readable(record: Mutation, pathOf: (fid: Fid) => string | null): PendingRecord {
  const now = pathOf(record.fid);
  const where = 'parent' in record ? pathOf(record.parent) : null;
  const was = 'parent' in record && where !== null ? `${where === '/' ? '' : where}/${record.name}` : null;
  return {
    op: record.op,
    fid: record.fid,
    version: record.storeId,
    path: now ?? was,
    length: record.op === 'store' ? record.length : null,
    digest: record.op === 'store' ? record.digest : null,
  };
}
