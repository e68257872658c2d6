/**
 * One walk (Coda: coda-src/venus/hdb.cc, hdb_daemon.cc). First the status walk: what the entries mean now, which names
 * are in their folders, whether what is cached of all that is still valid. Then the data walk: missing contents, those
 * of the highest priority first.
 *
 * HW-1  After a walk no contents that are hoarded and missing could have been given room by evicting what is worth less
 *       (equilibrium), as long as servers answered and nothing happened meanwhile.
 * HW-2  It gives way: no user's fetch waits longer for it than for one slice (reintegration/trickle-gate.ts).
 * What a walk that broke off has fetched stays; the next one goes on with the rest.
 */
import { isFailure, type FileData, type Fid } from '../../vice/interface/index.js';
import type { Clock } from '../../vice/seam/clock.js';
import type { Log } from '../../vice/seam/log.js';
import type { ContainerCache } from '../cache/container-cache.js';
import { walkRequest } from '../cache/replacement.js';
import type { Contents } from '../change/contents.js';
import type { MissingReason, Walked, WalkProgress } from '../hoarding.js';
import type { Volume } from '../volume/volume.js';
import type { HoardDatabase, StoredEntry } from './hoard-database.js';
import { hoardedFiles, survey, versionsIn, type Survey, type SurveyWorld } from './hoard-survey.js';
import { bind, reasonOf, type Bound, type NamingWorld } from './name-context.js';

/** An entry as it was, and as it is to be kept now. */
export interface Rebound {
  readonly before: StoredEntry;
  readonly after: StoredEntry;
}

export interface WalkWorld extends NamingWorld, SurveyWorld {
  readonly database: HoardDatabase;
  readonly containers: ContainerCache;
  readonly contents: Pick<Contents, 'hold'>;
  readonly volume: (fid: Fid) => Volume;
  /** Resolves when work in the background may go on. */
  readonly turn: (bytes: number) => Promise<void>;
  /** Keeps entries as they are found to be. */
  readonly rebind: (rebound: readonly Rebound[]) => Promise<void>;
  /** Told what the walk has found so far. */
  readonly onSurvey: (survey: Survey, faults: ReadonlyMap<Fid, MissingReason>) => void;
  readonly isClosed: () => boolean;
  readonly clock: Clock;
  readonly log: Log;
}

/** What one call about names or statuses counts, in bytes of the link. */
const callBytes = 4 * 1024;
const callObjects = 100;

export class HoardWalk {
  readonly #world: WalkWorld;
  readonly #faults = new Map<Fid, MissingReason>();
  /** Files that were missing when the walk came to contents. */
  readonly #wanted = new Set<Fid>();
  /** What was not to be listed: its names count as they are cached, if they are. */
  readonly #unlistable = new Set<Fid>();
  #phase: WalkProgress['phase'] = 'status';
  readonly #all = { objects: 0, bytes: 0 };
  readonly #done = { objects: 0, bytes: 0 };
  readonly #fetched = { objects: 0, bytes: 0 };
  #missing = 0;
  /** Bytes of the transfer under way. */
  #under = 0;
  #dataSince = 0;

  constructor(world: WalkWorld) {
    this.#world = world;
  }

  get progress(): WalkProgress {
    const [bytes, doneBytes] = [this.#all.bytes, this.#done.bytes + this.#under];
    const spent = this.#world.clock.monotonic() - this.#dataSince;
    const came = this.#fetched.bytes + this.#under;
    const left = this.#phase === 'data' && came > 0 ? Math.round((spent * (bytes - doneBytes)) / came) : null;
    return {
      phase: this.#phase,
      objects: this.#all.objects,
      doneObjects: this.#done.objects,
      bytes,
      doneBytes,
      left,
    };
  }

  async run(): Promise<Walked> {
    const found = await this.#statusWalk();
    await this.#count(found);
    this.#phase = 'data';
    this.#dataSince = this.#world.clock.monotonic();
    await this.#dataWalk(found);
    this.#world.onSurvey(found, this.#faults);
    const walked = {
      ...this.#all,
      fetchedObjects: this.#fetched.objects,
      fetchedBytes: this.#fetched.bytes,
      missing: this.#missing,
    };
    this.#world.log.info('hoard walk', walked);
    return walked;
  }

  async #statusWalk(): Promise<Survey> {
    const { database, turn, rebind } = this.#world;
    const bound: Bound[] = [];
    const rebound: Rebound[] = [];
    for (const before of database.of(null)) {
      await turn(callBytes);
      const found = await bind(this.#world, before);
      bound.push(found);
      rebound.push({ before, after: found.entry });
    }
    await rebind(rebound);
    for (;;) {
      const found = await survey(this.#world, bound, (fid) => this.#unlistable.has(fid));
      this.#world.onSurvey(found, this.#faults);
      const left = found.plan.unlisted.filter((fid) => !this.#unlistable.has(fid));
      if (left.length === 0 || this.#world.isClosed()) {
        await this.#validate(found);
        return found;
      }
      for (const fid of left) await this.#list(fid);
    }
  }

  async #list(fid: Fid): Promise<void> {
    // Whatever comes of it, it is not asked for twice: a folder that never stands still ends no walk.
    this.#unlistable.add(fid);
    try {
      await this.#world.turn(callBytes);
      await this.#world.fetcher.directory(fid);
    } catch (error) {
      if (!isFailure(error)) throw error;
      this.#faults.set(fid, reasonOf(error));
    }
  }

  async #validate({ plan }: Survey): Promise<void> {
    const { fetcher, turn } = this.#world;
    const doubtful = [...plan.priorities.keys()].filter((fid) => !fetcher.isFresh(fid));
    for (let start = 0; start < doubtful.length; start += callObjects) {
      await turn(callBytes);
      await fetcher.freshen(doubtful.slice(start, start + callObjects)).catch((error: unknown) => {
        if (!isFailure(error)) throw error;
      });
    }
  }

  /** Tells the cache what contents are worth. */
  async #count({ plan }: Survey): Promise<void> {
    const { containers } = this.#world;
    const worth = new Map<string, number>();
    this.#all.objects = plan.priorities.size;
    this.#done.objects = plan.priorities.size;
    for await (const batch of hoardedFiles(this.#world, plan)) {
      for (const { fid, priority, versions } of batch) {
        let isCached = true;
        for (const { digest, length } of versions) {
          if (worth.has(digest)) continue;
          worth.set(digest, priority);
          this.#all.bytes += length;
          if (containers.has(digest)) this.#done.bytes += length;
          else isCached = false;
        }
        if (isCached) continue;
        this.#wanted.add(fid);
        this.#done.objects -= 1;
      }
    }
    containers.setHoarded(worth);
  }

  /** All that is hoarded, also what was here at the beginning: what is worth more may have taken its room since. */
  async #dataWalk({ plan }: Survey): Promise<void> {
    /** Whatever is worth less and longer than this has no room either. */
    let room = Infinity;
    for await (const batch of hoardedFiles(this.#world, plan)) {
      for (const { fid, priority } of batch) {
        if (this.#world.isClosed()) return;
        const missing = this.#missingOf(fid);
        if (missing.length === 0 && !this.#wanted.has(fid)) continue;
        room = await this.#complete(fid, priority, missing, room);
      }
    }
  }

  #missingOf(fid: Fid): readonly FileData[] {
    const { cache, containers } = this.#world;
    return versionsIn(cache, fid).filter(({ digest }) => !containers.has(digest));
  }

  /** @returns the most room that there can be for what is worth less */
  async #complete(fid: Fid, priority: number, missing: readonly FileData[], most: number): Promise<number> {
    let room = most;
    let fault: MissingReason | null = null;
    if (!this.#wanted.has(fid)) {
      this.#done.objects -= 1;
      for (const { length } of missing) this.#done.bytes -= length;
    }
    for (const version of missing) {
      if (version.length > room) {
        fault = 'no-room';
        this.#done.bytes += version.length;
      } else fault = (await this.#fetch(fid, priority, version)) ?? fault;
      if (fault === 'no-room' && version.length <= room)
        room = await this.#world.containers.mostRoom(walkRequest(priority));
    }
    this.#done.objects += 1;
    if (fault === null) this.#fetched.objects += 1;
    else {
      this.#faults.set(fid, fault);
      this.#missing += 1;
    }
    return room;
  }

  /** @returns why it is not cached, if it is not */
  async #fetch(fid: Fid, priority: number, data: FileData): Promise<MissingReason | null> {
    const { contents, volume, turn } = this.#world;
    const background = {
      request: walkRequest(priority),
      came: (bytes: number): void => {
        this.#under += bytes;
      },
      turn,
    };
    try {
      await turn(0);
      (await contents.hold(volume(fid), fid, data, background))();
      this.#fetched.bytes += data.length;
      return null;
    } catch (error) {
      if (!isFailure(error)) throw error;
      return reasonOf(error);
    } finally {
      this.#under = 0;
      this.#done.bytes += data.length;
    }
  }
}
