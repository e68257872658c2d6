/**
 * Opens: makes cached statuses and directories valid again, by the rules of seed document 004. A valid object costs
 * no call; a doubtful one costs one call to every AVSG member, however many requests wait for it.
 */
import {
  Failure,
  ifFailed,
  isCreation,
  isFailure,
  type Fid,
  type Result,
  type VnodeStatus,
} from '../../vice/interface/index.js';
import type { Clock } from '../../vice/seam/clock.js';
import type { Log } from '../../vice/seam/log.js';
import type { CachedObject } from '../cache/cached-object.js';
import type { ObjectCache } from '../cache/object-cache.js';
import { isLocal, type ModifyLog } from '../log/modify-log.js';
import { askAll, type Answer } from './ask-all.js';
import { isBound } from './binding.js';
import { hasOtherNames } from './overlay.js';
import type { Fetching } from './fetching.js';
import { collateStatus, type CollatedStatus, type StatusReply } from './collate.js';
import { installList } from './list-install.js';
import { oneOfEachState, recentOf, replicasOf, type Listed } from './listed.js';
import type { List } from './merged-list.js';
import { areUnheard, installRecent, namesHere } from './recent-list.js';
import { resolveAt } from './resolve-call.js';
import { shared } from './shared-call.js';
import { installNothing, installStatus } from './status-install.js';
import type { Told } from './told.js';
import type { Member, Volume } from './volume.js';

/** Milliseconds between two parts of a list, where the link is not weak (AA-1). */
const partMs = 4000;
/** Objects in one status call. */
const callObjects = 100;

type ListReply = Result<'list'>;

export interface FetcherWorld {
  readonly cache: ObjectCache;
  readonly modifyLog: ModifyLog;
  /** Told of what users wait for: replayed contents then give way. */
  readonly gate: Fetching;
  readonly clock: Clock;
  readonly log: Log;
  /** @throws Failure not-found for a volume that the realm does not have */
  readonly volume: (fid: Fid) => Volume;
  /** Gives other requests a turn. */
  readonly pause: () => Promise<void>;
}

export class Fetcher {
  readonly #world: FetcherWorld;
  /** Each tells which objects no server that was asked has. */
  readonly #statusCalls = new Map<Fid, Promise<ReadonlySet<Fid>>>();
  readonly #listCalls = new Map<Fid, Promise<void>>();

  constructor(world: FetcherWorld) {
    this.#world = world;
  }

  /** The newest accessible status of `fid`. @throws Failure not-found, unreachable */
  async fresh(fid: Fid): Promise<CachedObject> {
    const volume = this.#world.volume(fid);
    const cached = this.#world.cache.get(fid);
    if (cached !== undefined && this.#isUsable(volume, cached)) return cached;
    if (volume.avsg.length === 0) throw unreachable(fid, volume);
    await this.#validate(volume, [fid]);
    return this.#found(fid);
  }

  /** Whether `fresh` would answer from the cache. */
  isFresh(fid: Fid): boolean {
    const cached = this.#world.cache.get(fid);
    return cached !== undefined && this.#isUsable(this.#world.volume(fid), cached);
  }

  /** As `fresh`, for many objects in few calls; those that still exist, and can be asked for, are valid then. */
  async freshen(fids: readonly Fid[]): Promise<void> {
    const doubtful = new Map<Volume, Fid[]>();
    for (const fid of fids) {
      const volume = this.#world.volume(fid);
      const cached = this.#world.cache.get(fid);
      if (cached !== undefined && this.#isUsable(volume, cached)) continue;
      const others = doubtful.get(volume);
      if (others === undefined) doubtful.set(volume, [fid]);
      else others.push(fid);
    }
    for (const [volume, some] of doubtful) await this.#freshenIn(volume, some);
  }

  async #freshenIn(volume: Volume, doubtful: readonly Fid[]): Promise<void> {
    for (let start = 0; start < doubtful.length; start += callObjects) {
      if (volume.avsg.length === 0) return;
      await this.#validate(volume, doubtful.slice(start, start + callObjects));
    }
  }

  /**
   * The directory with all of its names, valid. `isWalked`: all that is in it will be looked at; where much of that is
   * in doubt, one list says as much as many calls.
   * @throws Failure not-found, not-directory, unreachable
   */
  async directory(fid: Fid, isWalked = false): Promise<CachedObject> {
    const volume = this.#world.volume(fid);
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const loading = this.#loadNames(fid);
      if (loading !== undefined) await loading;
      const cached = this.#world.cache.get(fid);
      if (cached !== undefined && cached.status.kind !== 'directory') throw notDirectory(fid);
      const isListed = isWalked && attempt === 0 && areUnheard(this.#world.cache, volume, fid);
      if (!isListed && cached?.complete === true && this.#hasNames(volume, cached)) return cached;
      if (volume.avsg.length === 0) break;
      await shared(this.#listCalls, fid, () => this.#list(volume, fid)).catch((error: unknown) => {
        // A server went away in the middle: the others are asked again.
        const isPassing = isFailure(error, 'unreachable', 'timeout') && attempt < 2;
        if (!isPassing && !(isListed && isFailure(error))) throw error;
      });
    }
    const cached = this.#world.cache.get(fid);
    if (cached !== undefined && cached.status.kind !== 'directory') throw notDirectory(fid);
    // Changed faster than it can be listed: what we have is complete and as new as any answer could be.
    if (cached?.complete === true) return cached;
    // Servers have answered, and it is not here: somebody has removed it while it was listed.
    if (cached === undefined && volume.avsg.length > 0) this.#found(fid);
    throw unreachable(fid, volume);
  }

  /**
   * Whether nobody needs to be asked. What has a change that no server knows is the newest there is: a file as a
   * whole, and a directory that was made here (Coda: dirty objects are not validated).
   */
  #isUsable(volume: Volume, object: CachedObject): boolean {
    if (volume.isValid(object)) return true;
    const { fid, kind } = object.status;
    const { modifyLog } = this.#world;
    if (!modifyLog.isDirty(fid)) return false;
    if (kind !== 'directory') return true;
    return modifyLog
      .touching(fid)
      .some(
        (entry) => isLocal(entry) && entry.records.some((record) => record.fid === fid && isCreation(record)),
      );
  }

  /** Whoever has waited for a directory finds its names in memory. */
  #loadNames(fid: Fid): Promise<void> | undefined {
    const { cache, pause } = this.#world;
    const isRead = cache.get(fid)?.complete !== true || cache.hasNames(fid);
    return isRead ? undefined : cache.loadNames(fid, pause);
  }

  #hasNames(volume: Volume, directory: CachedObject): boolean {
    return this.#isUsable(volume, directory) && (!directory.stale || volume.avsg.length === 0);
  }

  #found(fid: Fid): CachedObject {
    const object = this.#world.cache.get(fid);
    if (object === undefined) throw new Failure('not-found', 'venus.status', 'the object is gone', { fid });
    return object;
  }

  async #validate(volume: Volume, fids: readonly Fid[]): Promise<void> {
    const waiting: Promise<ReadonlySet<Fid>>[] = [];
    const mine = fids.filter((fid) => {
      const call = this.#statusCalls.get(fid);
      if (call !== undefined) waiting.push(call);
      return call === undefined;
    });
    if (mine.length > 0) {
      const call = this.#askStatus(volume, mine).finally(() => {
        for (const fid of mine) this.#statusCalls.delete(fid);
      });
      for (const fid of mine) this.#statusCalls.set(fid, call);
      waiting.push(call);
    }
    const unknown = await Promise.all(waiting);
    await this.#askDirectories(volume, fids);
    for (const fid of fids) if (unknown.some((some) => some.has(fid))) this.#dropNameless(fid);
  }

  /** What no server has, and its directory, asked since, has no more either, was removed: it is not shown once more. */
  #dropNameless(fid: Fid): void {
    const { cache, modifyLog } = this.#world;
    const cached = cache.get(fid);
    const parent = cached?.status.parent ?? null;
    if (cached === undefined || parent === null || this.isFresh(fid) || modifyLog.isDirty(fid)) return;
    if (cache.get(parent)?.complete === true && !isBound(cache, cached)) cache.drop(fid);
  }

  /** What no server knows although its directory has it may have been removed: a directory in doubt is asked, too. */
  async #askDirectories(volume: Volume, fids: readonly Fid[]): Promise<void> {
    for (const fid of fids) {
      const parent = this.isFresh(fid) ? null : (this.#world.cache.get(fid)?.status.parent ?? null);
      if (parent === null || volume.avsg.length === 0 || this.isFresh(parent)) continue;
      // Without an answer the cache is as good as before.
      await this.directory(parent).catch(ifFailed(undefined));
    }
  }

  /** B32: version vectors from every AVSG member; B33, B34: the dominant one is used and preferred. */
  async #askStatus(volume: Volume, fids: readonly Fid[]): Promise<ReadonlySet<Fid>> {
    const unknown = new Set<Fid>();
    const fetch = volume.beginFetch();
    try {
      const replies = await this.#askAll(volume, (member) =>
        member.server.call('status', {
          volume: volume.id,
          replica: member.replica,
          fids: [...fids],
          cop2: volume.takeCop2(member),
        }),
      );
      if (replies.length === 0) {
        // Everybody is gone meanwhile: the cache will do, if it has it.
        if (fids.every((fid) => this.#world.cache.get(fid) !== undefined)) return unknown;
        throw unreachable(fids[0] as Fid, volume);
      }
      const told = fetch.told(replicasOf(replies));
      const behind = new Set<Fid>();
      fids.forEach((fid, index) => {
        const statuses = replies.map(({ member, reply }) => ({
          member,
          status: reply.statuses[index] ?? null,
        }));
        const collated = this.#collate(volume, fid, statuses);
        if (collated.behind.length > 0 && collated.status !== null) behind.add(fid);
        if (collated.status === null) unknown.add(fid);
        this.#install(fid, told, collated);
      });
      if (behind.size > 0) this.#bringUpToDate(volume, [...behind]);
      return unknown;
    } finally {
      fetch.end();
    }
  }

  #collate(volume: Volume, fid: Fid, replies: readonly StatusReply<Member>[]): CollatedStatus<Member> {
    const cached = this.#world.cache.get(fid);
    const collated = collateStatus(replies, cached?.stale === true ? undefined : cached?.status);
    if (collated.accessible !== null) volume.met(collated.accessible.known);
    const [holder] = collated.holders;
    const { preferred } = volume;
    if (holder !== undefined && preferred !== undefined && !collated.holders.includes(preferred)) {
      volume.prefer(holder);
    }
    if (collated.inconsistent) {
      this.#world.log.warn('inconsistent', { volume: volume.name, fid, versions: replies.length });
    }
    return collated;
  }

  #install(fid: Fid, told: Told, { status, accessible }: CollatedStatus<Member>): void {
    if (status === null || accessible === null) installNothing(this.#world, fid);
    else installStatus(this.#world, told, status, accessible);
  }

  #hasOtherNames(cached: CachedObject, accessible: VnodeStatus): boolean {
    return hasOtherNames(cached.status, accessible, this.#world.modifyLog.touching(cached.status.fid));
  }

  /** One call to every AVSG member, whatever the number of names: the preferred one sends them all. */
  async #list(volume: Volume, fid: Fid): Promise<void> {
    const since = await namesHere(this.#world, volume, fid);
    const fetch = volume.beginFetch();
    try {
      const { preferred } = volume;
      const isPreferred = (member: Member): boolean => member === preferred;
      const listed = async (member: Member): Promise<{ full: boolean; list: ListReply }> => {
        const isAsked = isPreferred(member);
        const list = await this.#callList(volume, member, fid, isAsked, isAsked ? since : undefined);
        return { full: isAsked && list.gone === undefined, list };
      };
      const asked = await this.#askAll(volume, listed, isPreferred);
      const replies = asked.map(({ member, reply: { full, list } }) => ({ member, full, reply: list }));
      if (replies.length === 0) {
        if (this.#world.cache.get(fid)?.complete === true) return;
        throw unreachable(fid, volume);
      }
      const told = fetch.told(replicasOf(replies));
      const collated = this.#collate(
        volume,
        fid,
        replies.map(({ member, reply }) => ({ member, status: reply.status })),
      );
      const { status, accessible } = collated;
      if (status === null || accessible === null) return installNothing(this.#world, fid);
      if (collated.behind.length > 0) this.#bringUpToDate(volume, [fid]);
      const cached = this.#world.cache.get(fid);
      const isOurs = cached?.status === status && cached.complete && !this.#hasOtherNames(cached, accessible);
      // Only the cache has it: our own updates are on their way to servers that have just come back.
      if (isOurs) return installStatus(this.#world, told, status, accessible);
      const newest = replies.filter(({ member }) => collated.sources.includes(member));
      const world = { ...this.#world, told: fetch.told, written: () => this.#world.cache.written() };
      const recent = since === undefined ? undefined : recentOf(newest, since);
      if (recent !== undefined && installRecent(world, volume, accessible, recent, told)) return;
      const lists = await this.#differingLists(volume, fid, newest);
      await installList(world, volume, accessible, lists, told);
    } finally {
      fetch.end();
    }
  }

  /**
   * The full lists that are needed: one of those who hold the newest directory (of each state of it, where there are
   * several), and one for each further state of its children among them (a server can be up to date with a directory
   * and behind with a file in it).
   */
  async #differingLists(volume: Volume, fid: Fid, replies: readonly Listed[]): Promise<readonly List[]> {
    const each = oneOfEachState(replies);
    if (each.length > 1) this.#bringUpToDate(volume, [fid]);
    const lists = await Promise.all(
      each.map(async ({ member, full, reply, heard }) => {
        const { status, entries } = full ? reply : await this.#callList(volume, member, fid, true);
        return status === null ? undefined : { heard, status, entries };
      }),
    );
    return lists.filter((list) => list !== undefined);
  }

  #callList(volume: Volume, member: Member, fid: Fid, full: boolean, since?: string): Promise<ListReply> {
    const cop2 = volume.takeCop2(member);
    const asked = { fid, full, ...(since !== undefined && { since }) };
    const argument = { volume: volume.id, replica: member.replica, ...asked, cop2 };
    return member.server.call('list', argument, member.server.weak ? undefined : { timeoutMs: partMs });
  }

  async #askAll<R>(
    volume: Volume,
    ask: (member: Member) => Promise<R>,
    isLong?: (member: Member) => boolean,
  ): Promise<readonly Answer<R>[]> {
    const fetched = this.#world.gate.fetching();
    try {
      return await askAll(volume.avsg, ask, this.#world, isLong);
    } finally {
      fetched();
    }
  }

  /** Asks everybody to resolve; nobody waits for it. */
  #bringUpToDate(volume: Volume, fids: readonly Fid[]): void {
    volume.signal('diverged');
    void resolveAt(volume, volume.avsg, fids).then(() => volume.signal('resolved'));
  }
}

function unreachable(fid: Fid, volume: Volume): Failure {
  const servers = volume.members.map(({ server }) => server.name).join(', ');
  const message = `none of the servers ${servers} answers, and the cache does not have it`;
  return new Failure('unreachable', 'venus.fetch', message, { fid });
}

function notDirectory(fid: Fid): Failure {
  return new Failure('not-directory', 'venus.list', 'it is no directory', { fid });
}
