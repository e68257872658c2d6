/**
 * What all changes have in common: who may go on with what, looking again where somebody else was faster, and what
 * every record says of its author and of what he had seen.
 */
import {
  Failure,
  isSameVector,
  limits,
  volumeOf,
  type Fid,
  type Mutation,
  type StoreId,
  type VnodeStatus,
} from '../../vice/interface/index.js';
import type { Clock } from '../../vice/seam/clock.js';
import type { AccessGuard } from '../access/access-guard.js';
import type { ObjectCache } from '../cache/object-cache.js';
import type { Caller } from '../interface.js';
import type { Transfers } from '../reintegration/batch-sender.js';
import type { Reintegrator } from '../reintegration/reintegrator.js';
import type { Committed } from '../reintegration/waiters.js';
import type { Identity } from '../store/identity.js';
import type { Fetcher } from '../volume/fetch.js';
import type { Mounts } from '../volume/mounts.js';
import type { Volume } from '../volume/volume.js';
import { overtaken, retrying } from './expectation.js';
import { Latches, type LatchRequest } from './latches.js';
import { mustRemoveNoMount } from './mount-guard.js';
import { Names } from './names.js';

/** What all records have. */
export type Common = Pick<Mutation, 'storeId' | 'time' | 'author' | 'host' | 'base'>;

/** Makes it for the next record of an entry. */
export type MakeCommon = (base: Common['base']) => Common;

/** For the records of one entry. */
export interface Draft {
  readonly make: MakeCommon;
  /** What has been seen of these objects: for what holds whatever becomes of them. */
  readonly seen: (...fids: readonly Fid[]) => Common['base'];
  /**
   * What had been seen when it was looked at: for what gives something up for it. @throws Failure conflict when it has
   * become another meanwhile (the cache has heard of more than whoever decides): look again
   */
  readonly lookedAt: (...statuses: readonly VnodeStatus[]) => Common['base'];
  /** For the move of an object from one directory to another. */
  readonly seenMoving: (moved: VnodeStatus, from: Fid, to: Fid) => Common['base'];
}

export interface ChangesWorld {
  readonly cache: ObjectCache;
  readonly fetcher: Fetcher;
  readonly guard: AccessGuard;
  readonly reintegrator: Reintegrator;
  readonly identity: Identity;
  readonly clock: Clock;
  /** Who may change something here at all. */
  readonly authors: { isKnown(user: string): boolean };
  /** Name of this gateway. */
  readonly host: string;
  readonly volume: (fid: Fid) => Volume;
  readonly mounts: Mounts;
}

export class Drafting {
  readonly world: ChangesWorld;
  readonly names: Names;
  readonly #latches = new Latches();
  /** Files whose contents are being changed, by whatever name: nobody sees the change before servers or log have it. */
  readonly #underWay = new Map<Fid, Promise<unknown>>();

  constructor(world: ChangesWorld) {
    this.world = world;
    const { cache, fetcher } = world;
    this.names = new Names({ cache, fetcher, hidesVersions: (fid) => this.hidesVersions(fid) });
  }

  /** Holds the latches; where the servers refuse what the cache allowed, looks again. */
  change<T>(latches: readonly LatchRequest[], work: () => Promise<T>): Promise<T> {
    return this.#latches.with(latches, () => retrying(work));
  }

  /** Holds the latches. */
  holding<T>(latches: readonly LatchRequest[], work: () => Promise<T>): Promise<T> {
    return this.#latches.with(latches, work);
  }

  /** Of several versions of the file `fid` only the one saved last is seen: what is done to its name is done to all. */
  hidesVersions(fid: Fid): boolean {
    return this.world.volume(fid).hidesVersions;
  }

  newFid(like: Fid): Fid {
    return this.world.identity.newFid(volumeOf(like));
  }

  /**
   * Logs one entry of the volume of `fid`. `records` runs in this turn (see Submission.records), unless directories
   * above must be asked for first.
   * @throws Failure access-denied; refused: the volume is locked; conflict when another change of the same contents was
   * under way, once that is over: its author had not seen it (a file has two names while a rename is heard of), and yet
   * servers take what this gateway has sent before for seen (batch.ts).
   */
  submit(
    fid: Fid,
    caller: Caller,
    records: (draft: Draft) => readonly Mutation[],
    transfers?: Transfers,
  ): Promise<Committed> {
    const { reintegrator, volume, guard, cache, mounts, authors } = this.world;
    if (!authors.isKnown(caller.user)) return Promise.reject(neverLoggedIn(caller.user, fid));
    // Servers would refuse it, too; in the log it would wait for the lock to go, and hide what is there.
    if (volume(fid).isLocked) return Promise.reject(locked(fid));
    const submitted = async (): Promise<Committed> => {
      let before: Promise<unknown> | undefined;
      const fids: Fid[] = [];
      const committed = reintegrator.submit(volume(fid), {
        records: (newStoreId) => {
          const made = records(this.#draft(caller, newStoreId));
          guard.check(made);
          mustRemoveNoMount(mounts, made);
          fids.push(...made.flatMap((record) => (replacesContents(record) ? [record.fid] : [])));
          before = fids.map((each) => this.#underWay.get(each)).find((each) => each !== undefined);
          if (before !== undefined) throw overtaken(fids[0]);
          return made;
        },
        ...(transfers !== undefined && { transfers }),
      });
      if (before === undefined) for (const each of fids) this.#underWay.set(each, committed);
      try {
        return await committed;
      } finally {
        await before?.catch(() => undefined);
        for (const each of fids) if (this.#underWay.get(each) === committed) this.#underWay.delete(each);
      }
    };
    const unknown = cache.get(fid) === undefined ? undefined : guard.prepare(fid);
    return unknown === undefined ? submitted() : unknown.then(submitted);
  }

  #draft({ user: author }: Caller, newStoreId: (author: string) => StoreId): Draft {
    const { clock, host, cache, guard } = this.world;
    const time = clock.wall();
    const seen: Draft['seen'] = (...fids) =>
      Object.fromEntries(fids.map((fid) => [fid, cache.status(fid)?.known ?? {}]));
    const lookedAt: Draft['lookedAt'] = (...statuses) => {
      const other = statuses.find(({ fid, known }) => {
        const now = cache.status(fid)?.known;
        return now === undefined || !isSameVector(now, known);
      });
      if (other !== undefined) throw overtaken(other.fid);
      return Object.fromEntries(statuses.map(({ fid, known }) => [fid, known]));
    };
    return {
      seen,
      lookedAt,
      // A server that missed a move above the target must not take that of a directory for a circle (certify.ts).
      seenMoving: ({ fid, kind }, from, to) =>
        seen(from, fid, ...(kind === 'directory' ? this.#above(to) : [to])),
      // Servers must know the lists that let it pass, too, or they are no judges (needed-rights.ts).
      make: (base) => {
        const all = { ...seen(...guard.deciding(Object.keys(base) as Fid[])), ...base };
        return { storeId: newStoreId(author), time, author, host, base: all };
      },
    };
  }

  /** A directory, and those above it. */
  #above(directory: Fid): readonly Fid[] {
    const { cache } = this.world;
    const above: Fid[] = [];
    for (let at: Fid | null = directory; at !== null && above.length < limits.depth;) {
      above.push(at);
      at = cache.status(at)?.parent ?? null;
    }
    return above;
  }
}

function neverLoggedIn(user: string, fid: Fid): Failure {
  const message = `${user} has not logged in at this gateway, so nothing is changed in that name`;
  return new Failure('logged-out', 'venus.change', message, { fid });
}

function locked(fid: Fid): Failure {
  const message = 'an administrator has locked this volume: it can only be read';
  return new Failure('refused', 'venus.change', message, { fid });
}

function replacesContents({ op }: Mutation): boolean {
  return op === 'store' || op === 'remove' || op === 'repair';
}
