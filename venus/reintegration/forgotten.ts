/**
 * Changes that all servers refuse as `stale`, again and again, because they build on objects that nobody knows any
 * more: this gateway was away for longer than servers remember removals, or than they keep what a removed file had in
 * it (mustHaveOldContents in vice/volume/apply-batch.ts). Nothing will ever bring these objects back, so
 * the changes are made anew without them (salvage.ts), or kept for a person where that cannot be.
 */
import { fidsOf, isCreation, isFailure, type Fid } from '../../vice/interface/index.js';
import type { Log } from '../../vice/seam/log.js';
import type { ContainerCache } from '../cache/container-cache.js';
import type { ObjectCache } from '../cache/object-cache.js';
import type { LogEntry } from '../log/modify-log.js';
import type { Identity } from '../store/identity.js';
import type { Member, Volume } from '../volume/volume.js';
import { refusalsLeast } from './held.js';
import type { LocalLog } from './local-log.js';
import type { Replay } from './replay.js';
import { salvaged, Unsalvageable, type Salvaged } from './salvage.js';

/** Objects that one question names. */
const fidsMost = 1000;

export interface ForgottenWorld {
  readonly cache: ObjectCache;
  readonly containers: ContainerCache;
  readonly identity: Identity;
  readonly log: Log;
}

export class Forgotten {
  readonly #world: ForgottenWorld;
  readonly #localLog: LocalLog;

  constructor(world: ForgottenWorld, localLog: LocalLog) {
    this.#world = world;
    this.#localLog = localLog;
  }

  /** Looks after `entries`, which `refusing` have just refused as stale. */
  async look(
    volume: Volume,
    replay: Replay,
    entries: ReadonlySet<LogEntry>,
    refusing: readonly Member[],
  ): Promise<void> {
    if (!volume.members.every((member) => refusing.includes(member))) return;
    for (const entry of entries) {
      if (replay.tries(entry) < refusalsLeast) continue;
      const closed = this.#localLog.dependents(volume, entry);
      const asked = this.#above(closed);
      const gone = await this.#unknownToAll(volume, asked);
      // What came into the log meanwhile may build on it, too: then the next refusal tells.
      const now = this.#localLog.dependents(volume, entry);
      if (this.#above(now).some((fid) => !asked.includes(fid))) continue;
      if (entry.records.some((record) => fidsOf(record).some((fid) => gone.has(fid)))) {
        this.#makeAnew(volume, replay, entry, now, gone);
      }
    }
  }

  #makeAnew(
    volume: Volume,
    replay: Replay,
    entry: LogEntry,
    closed: readonly LogEntry[],
    gone: ReadonlySet<Fid>,
  ): void {
    const { cache, containers, identity, log } = this.#world;
    const told = { volume: volume.name, changes: closed.length, gone: gone.size };
    let operations: readonly Salvaged[];
    try {
      operations = salvaged(closed, gone, {
        isOurs: (venus) => identity.isOurs(venus),
        status: (fid) => cache.status(fid),
        newFid: () => identity.newFid(volume.id),
        has: (digest) => containers.has(digest),
      });
    } catch (error) {
      if (!(error instanceof Unsalvageable)) throw error;
      const why = `not-found: what it changes was removed by others long ago, and ${error.message}`;
      for (const each of this.#localLog.keep(volume, entry, why)) replay.forget(each);
      replay.note(why);
      log.error('change of a forgotten object kept', { ...told, why });
      return;
    }
    this.#localLog.replace(volume, closed, gone, operations);
    for (const each of closed) replay.forget(each);
    log.warn('changes of forgotten objects made anew', told);
  }

  /** What `entries` touch and did not make, and the directories above. */
  #above(entries: readonly LogEntry[]): readonly Fid[] {
    const { cache } = this.#world;
    const records = entries.flatMap((entry) => entry.records);
    const made = new Set(records.flatMap((record) => (isCreation(record) ? [record.fid] : [])));
    const all = new Set<Fid>();
    for (const fid of records.flatMap(fidsOf)) {
      for (let at: Fid | null = fid; at !== null && !all.has(at); at = cache.status(at)?.parent ?? null) {
        all.add(at);
      }
    }
    return [...all].filter((fid) => !made.has(fid));
  }

  /** Of `fids` those that no server of the group knows; none when one of them does not say. */
  async #unknownToAll(volume: Volume, fids: readonly Fid[]): Promise<ReadonlySet<Fid>> {
    const unknown = new Set(fids);
    try {
      for (let start = 0; start < fids.length; start += fidsMost) {
        const some = fids.slice(start, start + fidsMost);
        const argument = { volume: volume.id, fids: some, cop2: [] };
        const replies = await Promise.all(
          volume.members.map(({ server }) => server.call('status', argument)),
        );
        for (const { statuses } of replies) {
          for (const [index, fid] of some.entries()) if (statuses[index] !== null) unknown.delete(fid);
        }
      }
    } catch (error) {
      if (!isFailure(error)) throw error;
      return new Set();
    }
    return unknown;
  }
}
