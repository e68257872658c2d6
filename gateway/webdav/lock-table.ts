/**
 * The locks of this gateway: held in memory, found by Fid and by token, kept over restarts as leases of
 * Venus.
 *
 * A lock belongs to a Fid, so it stays with its object when another gateway renames it or a directory above
 * it. Its path (`root`, `lineage`) is what was seen last and may be stale: it is checked against Venus
 * before anybody is refused because of it (see `placeBelow`), and a lock whose object is gone is dropped
 * then. A MOVE through this gateway drops the locks of what it moves (RFC 4918 section 7.7).
 *
 * LT-1  A lock is in memory only if it is in the leases or on its way there; it is granted once it is
 *       durable.
 * LT-2  Of two locks that cover one object when granted, both are shared.
 * LT-3  A lapsed lock is never seen outside, swept or not. Locks lapse by the monotonic clock (P14).
 */
import type { Clock } from '../../vice/seam/clock.js';
import type { Log } from '../../vice/seam/log.js';
import type { Random } from '../../vice/seam/random.js';
import { isFailure, type Caller, type Fid, type Place, type Venus } from '../../venus/interface.js';
import { DavError, type Exchange } from './exchange.js';
import { rootOf, type HeldLock, type HeldLocks, type Obstacle } from './held-lock.js';
import { hrefOf } from './href.js';
import { guard } from './lock-guard.js';
import { leaseOf, lockOf } from './lock-note.js';
import { isMoveNote } from './unfinished-moves.js';
import type { Intent, Lock, Locks } from './exchange.js';

const maxLocks = 100_000;
const maxPerObject = 32;
const sweepEveryMs = 60_000;
/** Hrefs in one refusal; the client learns the rest by asking again. */
const maxReported = 10;
const none: readonly HeldLock[] = [];

export interface LockTableOptions {
  readonly venus: Venus;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** What LOCK asks for. */
export interface LockRequest {
  readonly principal: string;
  readonly scope: Lock['scope'];
  readonly depth: Lock['depth'];
  readonly owner: string;
  /** Seconds. */
  readonly timeout: number;
}

/** The locks of a share, with those that `venus` has kept. */
export function createLocks(options: LockTableOptions): LockTable {
  return new LockTable(options);
}

/** The table behind `locks`. */
export function lockTableOf(locks: Locks): LockTable {
  if (!(locks instanceof LockTable)) throw new Error('the share was made without createLocks');
  return locks;
}

export class LockTable implements Locks, HeldLocks {
  readonly #venus: Venus;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #log: Log;
  readonly #byToken = new Map<string, HeldLock>();
  readonly #byFid = new Map<Fid, readonly HeldLock[]>();
  #nextSweep = 0;

  constructor({ venus, clock, random, log }: LockTableOptions) {
    this.#venus = venus;
    this.#clock = clock;
    this.#random = random;
    this.#log = log;
    for (const lease of venus.leases.all().filter((each) => !isMoveNote(each))) {
      const lock = lockOf(lease);
      if (lock === undefined) log.warn('lock.unreadable', { fid: lease.fid, holder: lease.holder });
      // Venus does not bound what is left of a lease that an earlier release has kept.
      else this.#add({ ...lock, ends: Math.min(lock.ends, clock.monotonic() + lock.timeout * 1000) });
    }
  }

  covering(place: Place): readonly HeldLock[] {
    if (this.#byToken.size === 0) return none;
    const found = place.object === null ? [] : [...this.locksOn(place.object.fid)];
    for (const ancestor of place.ancestors) {
      for (const lock of this.locksOn(ancestor)) if (lock.depth === 'infinity') found.push(lock);
    }
    return found;
  }

  locksOn(fid: Fid): readonly HeldLock[] {
    const locks = this.#byFid.get(fid);
    if (locks === undefined) return none;
    const now = this.#clock.monotonic();
    return locks.every((lock) => lock.ends > now) ? locks : locks.filter((lock) => lock.ends > now);
  }

  guard(exchange: Exchange, intents: readonly Intent[]): Promise<void> {
    return guard(this, exchange, intents);
  }

  mayShowToken(caller: Caller, lock: Lock): boolean {
    return caller.user === lock.principal;
  }

  /**
   * A new lock on the object of `place`; durable when it resolves.
   * @throws DavError 423 no-conflicting-lock, 507 (too many locks); Failure of the leases
   */
  async grant(exchange: Exchange, place: Place, request: LockRequest): Promise<HeldLock> {
    const { object, ancestors } = place;
    if (object === null) throw new Error('a lock needs an object');
    this.#sweep();
    const conflicts = (lock: HeldLock): boolean =>
      request.scope === 'exclusive' || lock.scope === 'exclusive';
    if (object.kind === 'directory' && request.depth === 'infinity') {
      const cleared = new Set<string>();
      const unclear = (lock: HeldLock): boolean => conflicts(lock) && !cleared.has(lock.token);
      while (this.#below(object.fid, unclear).length > 0) {
        const below = await this.obstaclesBelow(exchange.caller, object.fid, exchange.path, unclear, cleared);
        if (below.length > 0) throw conflicting(exchange, below);
      }
    }
    // From here to the insertion nothing is awaited: two requests for one object must not both be granted.
    this.refuseConflict(exchange, place, request.scope);
    if (this.#byToken.size >= maxLocks || this.locksOn(object.fid).length >= maxPerObject) {
      throw new DavError(507, 'There are too many locks; release some or wait until they lapse');
    }
    const lock: HeldLock = {
      ...request,
      token: this.#newToken(),
      fid: object.fid,
      ends: this.#clock.monotonic() + request.timeout * 1000,
      root: exchange.path,
      lineage: ancestors,
      collection: object.kind === 'directory',
    };
    const lease = leaseOf(lock);
    this.#add(lock);
    try {
      await this.#venus.leases.put(lease);
    } catch (error) {
      this.#forget(lock.token);
      throw error;
    }
    return lock;
  }

  /** @throws DavError 423 when a lock of `scope` cannot be had beside those that cover `place` */
  refuseConflict(exchange: Exchange, place: Place, scope: Lock['scope']): void {
    const covering = this.covering(place).filter(
      (lock) => scope === 'exclusive' || lock.scope === 'exclusive',
    );
    if (covering.length === 0) return;
    throw conflicting(
      exchange,
      covering.map((lock) => ({ lock, path: rootOf(lock, place, exchange.path) })),
    );
  }

  /** Restarts the lock's time; durable when it resolves. The lock must be live. */
  async refresh(lock: HeldLock, timeout: number): Promise<HeldLock> {
    const renewed = { ...lock, timeout, ends: this.#clock.monotonic() + timeout * 1000 };
    await this.#venus.leases.put(leaseOf(renewed));
    // Released while it was written: it stays released.
    if (this.#byToken.has(lock.token)) this.#replace(renewed);
    else await this.#venus.leases.remove(lock.token);
    return renewed;
  }

  /** Idempotent; durable when it resolves. */
  async release(token: string): Promise<void> {
    this.#forget(token);
    await this.#venus.leases.remove(token);
  }

  async dropAll(fids: readonly Fid[]): Promise<void> {
    if (this.#byToken.size === 0 || fids.length === 0) return;
    const gone = new Set(fids);
    const dropped = [...this.#byToken.values()].filter(
      (lock) => gone.has(lock.fid) || lock.lineage.some((fid) => gone.has(fid)),
    );
    for (const lock of dropped) this.#forget(lock.token);
    await Promise.all(dropped.map((lock) => this.#venus.leases.remove(lock.token)));
  }

  async adopt(former: Fid, fid: Fid): Promise<void> {
    for (const lock of this.locksOn(former)) {
      const adopted = { ...lock, fid };
      this.#replace(adopted);
      await this.#venus.leases.put(leaseOf(adopted));
      // Released while it was written: it stays released.
      if (!this.#byToken.has(lock.token)) await this.#venus.leases.remove(lock.token);
    }
  }

  /** Walks the table's own locks, not the tree. */
  async obstaclesBelow(
    caller: Caller,
    fid: Fid,
    path: readonly string[],
    matters: (lock: HeldLock) => boolean,
    cleared = new Set<string>(),
  ): Promise<readonly Obstacle[]> {
    const obstacles: Obstacle[] = [];
    for (const lock of this.#below(fid, matters)) {
      if (!this.#byToken.has(lock.token)) continue;
      const at = await this.#placeBelow(caller, lock, fid, path);
      if (at === undefined) cleared.add(lock.token);
      else obstacles.push({ lock, path: at });
      if (obstacles.length >= maxReported) break;
    }
    return obstacles;
  }

  #below(fid: Fid, wanted: (lock: HeldLock) => boolean): readonly HeldLock[] {
    const now = this.#clock.monotonic();
    return [...this.#byToken.values()].filter(
      (lock) => lock.lineage.includes(fid) && lock.ends > now && wanted(lock),
    );
  }

  /**
   * Where `lock`'s root is now below directory `fid`; undefined if it is there no more. Looks where it was
   * seen last, relative to the directory and from the share's root; if it is at neither and still exists,
   * it counts as below: a refusal too many until the lock lapses, rather than a locked object removed.
   */
  async #placeBelow(
    caller: Caller,
    lock: HeldLock,
    fid: Fid,
    path: readonly string[],
  ): Promise<readonly string[] | undefined> {
    const relative = lock.root.slice(lock.lineage.indexOf(fid));
    for (const candidate of [[...path, ...relative], lock.root]) {
      const place = await this.#lookup(caller, candidate);
      if (place?.object?.fid !== lock.fid) continue;
      if (this.#byToken.get(lock.token) === lock) {
        this.#replace({ ...lock, root: candidate, lineage: place.ancestors });
      }
      return place.ancestors.includes(fid) ? candidate : undefined;
    }
    try {
      await this.#venus.status(caller, lock.fid);
    } catch (error) {
      if (isFailure(error, 'not-found')) {
        await this.release(lock.token);
        return undefined;
      }
      if (!isFailure(error)) throw error;
    }
    return lock.root;
  }

  async #lookup(caller: Caller, path: readonly string[]): Promise<Place | undefined> {
    try {
      return await this.#venus.lookup(caller, path);
    } catch (error) {
      if (isFailure(error)) return undefined;
      throw error;
    }
  }

  #newToken(): string {
    const bytes = Buffer.from(this.#random.bytes(16));
    bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x40, 6);
    bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
    return `urn:uuid:${bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')}`;
  }

  #add(lock: HeldLock): void {
    this.#byToken.set(lock.token, lock);
    this.#byFid.set(lock.fid, [...(this.#byFid.get(lock.fid) ?? none), lock]);
  }

  #replace(lock: HeldLock): void {
    this.#forget(lock.token);
    this.#add(lock);
  }

  #forget(token: string): void {
    const lock = this.#byToken.get(token);
    if (lock === undefined) return;
    this.#byToken.delete(token);
    const rest = (this.#byFid.get(lock.fid) ?? none).filter((other) => other.token !== token);
    if (rest.length === 0) this.#byFid.delete(lock.fid);
    else this.#byFid.set(lock.fid, rest);
  }

  /**
   * Forgets what has lapsed, now and then. Its leases are removed without anybody waiting: they have lapsed
   * too.
   */
  #sweep(): void {
    const now = this.#clock.monotonic();
    if (now < this.#nextSweep) return;
    this.#nextSweep = now + sweepEveryMs;
    for (const lock of [...this.#byToken.values()]) {
      if (lock.ends > now) continue;
      this.release(lock.token).catch((error: unknown) => {
        this.#log.warn('lock.sweep', { fid: lock.fid, error: String(error) });
      });
    }
  }
}

function conflicting(exchange: Exchange, obstacles: readonly Obstacle[]): DavError {
  const [first] = obstacles;
  const hrefs = obstacles.map(({ lock, path }) => hrefOf(exchange.share.prefix, path, lock.collection));
  return new DavError(423, `Locked by ${first?.lock.principal ?? 'another'}`, 'no-conflicting-lock', hrefs);
}
