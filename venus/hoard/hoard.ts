/** The hoard of a gateway: entries, walks on demand and every ten minutes, and what is known of them (hoarding.ts). */
import { intact, isFailure, seal, type Fid, type VnodeStatus } from '../../vice/interface/index.js';
import type { Timer } from '../../vice/seam/clock.js';
import { z } from 'zod';
import { nameBorne } from '../conflict/siblings.js';
import { cachedPath } from '../conflict/paths.js';
import type {
  CacheControl,
  HoardChange,
  HoardCommand,
  HoardEntry,
  Hoarding,
  HoardState,
  MissingObject,
  MissingReason,
  Opened,
  Walked,
} from '../hoarding.js';
import type { WriteBuffer } from '../store/write-buffer.js';
import { changesOf } from './expansion.js';
import { entryKey, namesIn, type EntryChanges } from './hoard-database.js';
import {
  hoardedFiles,
  nothingSurveyed,
  reasonWithout,
  remembered,
  survey,
  versionsIn,
  type Survey,
} from './hoard-survey.js';
import { HoardWalk, type Rebound, type WalkWorld } from './hoard-walk.js';
import type { Bound } from './name-context.js';

export interface HoardWorld extends Omit<WalkWorld, 'rebind' | 'onSurvey' | 'isClosed'> {
  readonly buffer: WriteBuffer;
  readonly cacheControl: CacheControl;
}

const periodMs = 10 * 60_000;
/** After the start, and after something hoarded has changed: soon, but not for each of many changes. */
const soonMs = 5_000;
const restMs = 30_000;
const periodicKey = 'hoard/periodic';

export class Hoard implements Hoarding {
  readonly cache: CacheControl;
  readonly #world: HoardWorld;
  readonly #listeners = new Set<(opened: Opened) => void>();
  #survey: Survey = nothingSurveyed;
  #faults: ReadonlyMap<Fid, MissingReason> = new Map();
  #periodic: boolean;
  #walk: HoardWalk | undefined;
  #walking: Promise<Walked> | undefined;
  #lastWalk: number | null = null;
  #restUntil = 0;
  #timer: Timer | undefined;
  #dueAt = Infinity;
  #closed = false;

  constructor(world: HoardWorld) {
    this.#world = world;
    this.cache = world.cacheControl;
    this.#periodic = z.boolean().parse(intact(world.buffer.get(periodicKey)) ?? true);
  }

  /** Tells the cache what is hoarded as far as that was known when this gateway ended, and begins to walk. */
  start(): void {
    this.#recall().catch((error: unknown) => {
      this.#world.log.error('hoard not recalled', { message: String(error) });
    });
  }

  async #recall(): Promise<void> {
    const bound = this.#world.database.of(null).map(remembered);
    const known = await survey(this.#world, bound, () => true);
    if (this.#walking !== undefined || this.#closed) return;
    this.#survey = known;
    await this.#tellWorth(known);
    this.#schedule(soonMs);
  }

  entries(user: string | null): readonly HoardEntry[] {
    return this.#world.database.of(user).map(({ user: owner, path, priority, attributes }) => {
      return { user: owner, path: namesIn(path), priority, attributes };
    });
  }

  async apply(user: string, commands: readonly HoardCommand[]): Promise<HoardChange> {
    const { changes, change } = await changesOf(this.#world, user, commands);
    await this.#world.database.change(changes);
    this.#nudge();
    return change;
  }

  walk(): Promise<Walked> {
    this.#walking ??= this.#run();
    return this.#walking;
  }

  async setPeriodic(periodic: boolean): Promise<void> {
    this.#periodic = periodic;
    this.#world.buffer.put(periodicKey, seal(periodic));
    if (periodic) this.#schedule(soonMs);
    else this.#unschedule();
    await this.#world.buffer.flush();
  }

  state(): HoardState {
    return {
      periodic: this.#periodic,
      entries: this.#world.database.size,
      walk: this.#walk?.progress ?? null,
      lastWalk: this.#lastWalk,
    };
  }

  async *verify(user: string | null): AsyncGenerator<readonly MissingObject[]> {
    const last = new Map(this.#survey.bound.map((bound) => [entryKey(bound.entry), bound]));
    for (const owner of user === null ? this.#users() : [user]) {
      const bound = this.#world.database.of(owner).map((entry) => {
        const found = last.get(entryKey(entry));
        return found === undefined ? remembered(entry) : { ...found, entry };
      });
      const faulty = bound.flatMap((each) => this.#faulty(each));
      if (faulty.length > 0) yield faulty;
      const found = await survey(this.#world, bound, () => true);
      yield* this.#missing(owner, found);
    }
  }

  watchOpens(listener: (opened: Opened) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Somebody has opened a file. */
  opened(user: string, fid: Fid): void {
    if (this.#listeners.size === 0) return;
    const path = cachedPath(this.#world.cache, this.#world.mounts, fid);
    for (const listener of this.#listeners) listener({ user, path });
  }

  /** The cache knows something new of an object. */
  noticed({ fid }: VnodeStatus, isSuspect: boolean): void {
    const priority = this.#survey.plan.priorities.get(fid);
    if (priority === undefined) return;
    const { containers, cache } = this.#world;
    const versions = versionsIn(cache, fid);
    for (const { digest } of versions) containers.raiseHoarded(digest, priority);
    if (isSuspect || versions.some(({ digest }) => !containers.has(digest))) this.#nudge();
  }

  /** Begins no walk any more. */
  stop(): void {
    this.#closed = true;
    this.#unschedule();
  }

  /** Resolves when the walk under way has ended. */
  async ended(): Promise<void> {
    await this.#walking?.catch(() => undefined);
  }

  async #run(): Promise<Walked> {
    const { clock } = this.#world;
    const walk = new HoardWalk({
      ...this.#world,
      rebind: (rebound) => this.#rebind(rebound),
      onSurvey: (found, faults) => {
        this.#survey = found;
        this.#faults = faults;
      },
      isClosed: () => this.#closed,
    });
    this.#walk = walk;
    this.#unschedule();
    try {
      return await walk.run();
    } finally {
      this.#walk = undefined;
      this.#walking = undefined;
      this.#lastWalk = clock.wall();
      this.#restUntil = clock.monotonic() + restMs;
      this.#schedule(periodMs);
    }
  }

  /** Entries that have followed their objects are kept as they are now, if they are still there. */
  async #rebind(rebound: readonly Rebound[]): Promise<void> {
    const { database } = this.#world;
    const changes: EntryChanges = new Map();
    for (const { before, after } of rebound) {
      const [from, to] = [entryKey(before), entryKey(after)];
      if (database.get(from) !== before || before === after) continue;
      if (from !== to) changes.set(from, null);
      if (from === to || database.get(to) === undefined) changes.set(to, after);
    }
    await database.change(changes).catch((error: unknown) => {
      if (!isFailure(error)) throw error;
      this.#world.log.warn('hoard not kept', { message: error.message });
    });
  }

  async #tellWorth({ plan }: Survey): Promise<void> {
    const worth = new Map<string, number>();
    for await (const batch of hoardedFiles(this.#world, plan)) {
      for (const { versions, priority } of batch)
        for (const { digest } of versions) if (!worth.has(digest)) worth.set(digest, priority);
    }
    this.#world.containers.setHoarded(worth);
  }

  #faulty({ entry, fault }: Bound): readonly MissingObject[] {
    if (fault === null) return [];
    const { user, path, priority } = entry;
    return [{ user, path: namesIn(path), priority, length: 0, reason: fault }];
  }

  async *#missing(user: string, { plan }: Survey): AsyncGenerator<readonly MissingObject[]> {
    const { containers } = this.#world;
    const all = new Map(this.#survey.plan.priorities);
    const seen = (fid: Fid, priority: number, length: number, reason: MissingReason): MissingObject => {
      return { user, path: this.#pathOf(fid), priority, length, reason };
    };
    yield [
      ...plan.denied.map(({ fid, priority }) => seen(fid, priority, 0, 'access-denied')),
      ...plan.unlisted.map((fid) => seen(fid, plan.priorities.get(fid) ?? 0, 0, this.#reason(fid))),
    ];
    for await (const batch of hoardedFiles(this.#world, plan)) {
      yield batch.flatMap(({ fid, priority, versions }) =>
        versions
          .filter(({ digest }) => !containers.has(digest))
          .map(({ length }) => seen(fid, priority, length, all.has(fid) ? this.#reason(fid) : 'not-walked')),
      );
    }
  }

  #reason(fid: Fid): MissingReason {
    const fault = this.#faults.get(fid);
    if (fault !== undefined) return fault;
    try {
      return reasonWithout(this.#world.volume(fid).avsg.length > 0);
    } catch (error) {
      // The volume is deleted.
      if (!isFailure(error, 'not-found')) throw error;
      return 'not-found';
    }
  }

  #pathOf(fid: Fid): readonly string[] {
    const { cache, mounts } = this.#world;
    const path = cachedPath(cache, mounts, fid);
    if (path !== null) return path;
    const object = cache.get(fid);
    return [object === undefined ? fid : nameBorne(cache, object)];
  }

  #users(): readonly string[] {
    return [...new Set(this.#world.database.of(null).map(({ user }) => user))];
  }

  /** Something hoarded is missing or doubtful: it is walked soon. */
  #nudge(): void {
    const { clock } = this.#world;
    this.#schedule(Math.max(soonMs, this.#restUntil - clock.monotonic()));
  }

  #schedule(delay: number): void {
    const { clock, log } = this.#world;
    const due = clock.monotonic() + delay;
    if (!this.#periodic || this.#closed || this.#walking !== undefined || due >= this.#dueAt) return;
    this.#timer?.cancel();
    this.#dueAt = due;
    this.#timer = clock.after(delay, () => {
      this.#unschedule();
      if (this.#world.database.size === 0) return;
      this.walk().catch((error: unknown) => log.error('hoard walk failed', { message: String(error) }));
    });
  }

  #unschedule(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#dueAt = Infinity;
  }
}
