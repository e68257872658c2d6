/**
 * Objects that bear no name here any more: others have removed them, or moved them to where nobody has looked yet.
 * Nobody asks for them again, so without this what is cached of them would stay for ever.
 *
 * NO-1  What bears no name is asked for now and then, unless it is known to be valid. What no server has goes, and what
 *       was in it bears no name any more: of that no server says each for itself that it is gone, so it is in doubt.
 *       While nobody can be asked it waits.
 * NO-2  What an earlier life of the gateway has left is found by looking once at all that is cached, a while after the
 *       start; and so is what is too much to be remembered.
 */
import { isFailure, type Fid, type VnodeStatus } from '../../vice/interface/index.js';
import type { Clock, Timer } from '../../vice/seam/clock.js';
import type { Log } from '../../vice/seam/log.js';
import type { ObjectCache } from '../cache/object-cache.js';
import type { ModifyLog } from '../log/modify-log.js';
import type { Fetcher } from './fetch.js';

/** Between two rounds. What is moved is mostly looked at sooner, where it is now. */
export const roundMs = 120_000;
/** Asked for at once: whoever is told that they are gone looks through all names of their directories. */
const askedAtOnce = 20;
/** Remembered between two rounds: a large folder that is listed for the first time is all new. */
const notedMost = 100_000;
/** Objects looked at in one turn of the event loop. */
const turnObjects = 100;

export interface NamelessWorld {
  readonly cache: ObjectCache;
  readonly fetcher: Pick<Fetcher, 'freshen'>;
  readonly modifyLog: Pick<ModifyLog, 'isDirty'>;
  readonly clock: Clock;
  readonly log: Log;
  /** Gives other requests a turn. */
  readonly pause: () => Promise<void>;
}

export class NamelessObjects {
  readonly #world: NamelessWorld;
  readonly #fids = new Set<Fid>();
  #hasLooked = false;
  #timer: Timer | undefined;
  #isStopped = false;

  constructor(world: NamelessWorld) {
    this.#world = world;
    world.cache.onNameless = (fid) => void this.#note(fid);
  }

  start(): void {
    this.#timer = this.#world.clock.after(roundMs, () => {
      this.#round()
        .catch((error: unknown) => {
          this.#world.log.error('objects without a name not looked at', { message: String(error) });
        })
        .finally(() => {
          if (!this.#isStopped) this.start();
        });
    });
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  #note(fid: Fid): void {
    if (this.#fids.size >= notedMost) {
      this.#fids.clear();
      this.#hasLooked = false;
    }
    this.#fids.add(fid);
  }

  async #round(): Promise<void> {
    if (!this.#hasLooked) await this.#lookAtAll();
    const asked = new Set<Fid>();
    // What was in a directory that goes is met in the same round.
    for (let before = -1; before < asked.size && !this.#isStopped;) {
      before = asked.size;
      await this.#askOthers(asked);
    }
  }

  async #askOthers(asked: Set<Fid>): Promise<void> {
    let batch: Fid[] = [];
    for (const fid of this.#fids) {
      if (this.#isStopped) return;
      if (asked.has(fid)) continue;
      if (!this.#isNameless(this.#world.cache.status(fid))) this.#fids.delete(fid);
      else if (!this.#world.modifyLog.isDirty(fid)) batch.push(fid);
      if (batch.length < askedAtOnce) continue;
      await this.#ask(batch, asked);
      batch = [];
    }
    await this.#ask(batch, asked);
  }

  /** NO-2 */
  async #lookAtAll(): Promise<void> {
    let turn = 0;
    this.#hasLooked = true;
    for (const status of this.#world.cache.statuses()) {
      if (this.#isNameless(status)) this.#fids.add(status.fid);
      if ((turn += 1) % turnObjects === 0) await this.#world.pause();
      if (this.#isStopped) return;
    }
  }

  async #ask(fids: readonly Fid[], asked: Set<Fid>): Promise<void> {
    const { cache, fetcher, pause } = this.#world;
    for (const fid of fids) {
      asked.add(fid);
      const parent = cache.status(fid)?.parent ?? null;
      if (parent !== null && cache.status(parent) === undefined) cache.suspect(fid);
    }
    try {
      await fetcher.freshen(fids);
    } catch (error) {
      if (!isFailure(error)) throw error;
    }
    for (const fid of fids) if (cache.status(fid) === undefined) this.#fids.delete(fid);
    await pause();
  }

  /** Whoever bears another name than it was given counts as nameless: then it is asked for in vain. */
  #isNameless(status: VnodeStatus | undefined): boolean {
    const [parent, place] = [status?.parent ?? null, status?.places[0]];
    if (status === undefined || parent === null) return false;
    return place === undefined || this.#world.cache.entry(parent, place.name)?.fid !== status.fid;
  }
}
