/**
 * Makes room in the cache: for what is coming, before it comes, and so much more that the next does not wait. Room has
 * two bounds, the cache's limit and what is left of the disk, which others fill too; whichever is nearer counts.
 *
 * RM-1  Room for something is made whole or not at all: nothing is evicted in vain.
 * RM-2  Held contents (open, or needed by the log) and sticky ones are never evicted.
 * RM-3  What is in rows of the store goes for the limit's sake, never for the disk's: the store keeps its room.
 */
import type { Containers } from '../../vice/seam/containers.js';
import type { Log } from '../../vice/seam/log.js';
import type { CommitGate } from './commit-gate.js';
import type { EvictionOrder, Kept } from './eviction-order.js';
import { foregroundRequest, generationShift, isSticky, marginOf, marginRequest } from './replacement.js';

/** Contents in part: they take room of the same cache. */
export interface Beside {
  readonly bytes: number;
  /** Bytes that `trim` could give up at most. */
  spare(limit: number): number;
  /**
   * Gives up what nobody has open, the least recently used first, while there is `excess` and they have more than their
   * share of `limit`.
   */
  trim(excess: () => number, limit: number): Promise<void>;
  /** These contents are here as a whole now. */
  came(digest: string): void;
}

/** Bytes that are to go: for the limit, and from the file system, which rows of the store give nothing back. */
interface Excess {
  readonly limit: number;
  readonly disk: number;
}

/** What is chosen, and what is removed, in one turn of the event loop: some milliseconds. */
const takenAtOnce = 1_000;
const removedAtOnce = 100;
/** So many bytes come without the disk being asked for its space, as long as it had much. */
const littleBytes = 64 * 1024;

export interface RoomWorld {
  readonly containers: Containers;
  readonly order: EvictionOrder;
  readonly gate: CommitGate;
  /** Whether the modify log needs a container. */
  readonly isNeeded: (digest: string) => boolean;
  /** Bytes that spools are going to have, and bytes of them that are on the disk already. */
  readonly coming: () => { readonly claimed: number; readonly written: number };
  readonly beside: () => Beside;
  /** It is about to be removed. */
  readonly forget: (digest: string) => void;
  /** Lets others run. */
  readonly pause: () => Promise<void>;
  readonly log: Log;
}

export class Room {
  readonly #world: RoomWorld;
  #limit: number;
  #tidying = false;
  #untidy = false;
  /** What the disk had when it was last asked, and bytes noted since. */
  #heard = 0;
  #blind = 0;
  /** So many more before it is asked again: a part of the margin that was seen. */
  #blindMost = 0;
  /** Longer than the whole cache: they go first once nobody reads them. */
  readonly #oversize = new Set<Kept>();
  /** Bytes that the file system has been given back. */
  #freed = 0;

  constructor(limit: number, world: RoomWorld) {
    this.#limit = limit;
    this.#world = world;
  }

  get limit(): number {
    return this.#limit;
  }

  /** Resolves when what is too much for it has gone, as far as it may. */
  async setLimit(limit: number): Promise<void> {
    this.#limit = limit;
    for (const _ of this.#world.order.rescale(generationShift(limit))) await this.#world.pause();
    const over = (): number => this.#taken - limit;
    await this.#world.beside().trim(over, limit);
    await this.#shrink(() => ({ limit: over(), disk: 0 }), Infinity);
    await this.#world.beside().trim(over, 0);
  }

  /** Something has come into the cache. */
  noted(kept: Kept): void {
    this.#blind += kept.length;
    if (kept.length > this.#limit) this.#oversize.add(kept);
    this.#world.beside().came(kept.digest);
  }

  /** Contents in part have come to have so many bytes more. */
  grew(bytes: number): void {
    this.#blind += Math.max(0, bytes);
    this.tidy();
  }

  /**
   * Makes room for `bytes` more by evicting what is worth less than `request`; then the margins stay free. Without
   * `request` it is for a user. False: that would not be enough, and nothing was evicted; `space` is what the disk has.
   */
  async make(bytes: number, request?: number): Promise<{ readonly isMade: boolean; readonly space: number }> {
    // Asking the disk costs as much as storing little does.
    const isKnown = bytes <= littleBytes && this.#blind < this.#blindMost;
    let space = isKnown ? this.#heard - this.#blind : await this.#world.containers.space();
    const margin = (): number => marginOf(this.#limit, this.#taken, space);
    const isRoom = (): boolean =>
      greater(this.#missing(bytes + (request === undefined ? 0 : margin()), space)) <= 0;
    // What is open stays on the disk when it is removed: one look is not always enough.
    for (let attempt = 0; !isRoom() && attempt < 3; attempt += 1) {
      await this.#trim(() => greater(this.#missing(bytes + margin(), space)), space);
      const isMade = await this.#world.gate.remove(async () => {
        space = await this.#world.containers.space();
        const worth = request ?? foregroundRequest;
        if (await this.#evict(this.#missing(bytes + margin(), space), worth)) return true;
        return request === undefined && this.#evict(this.#missing(bytes, space), worth);
      });
      space = await this.#world.containers.space();
      if (!isMade) break;
    }
    return { isMade: isRoom(), space };
  }

  /** Removes what nobody holds. */
  async drop(kept: Kept): Promise<void> {
    await this.#world.gate.remove(async () => {
      if (this.#world.order.get(kept.digest) === kept && !this.#isHeld(kept)) await this.#remove(kept);
    });
  }

  /** Bytes that could be had for something worth `request`, at most. */
  async most(request: number): Promise<number> {
    const { order, containers } = this.#world;
    const space = await containers.space();
    const spare = this.#world.beside().spare(Math.min(this.#limit, this.#taken + space));
    let [all, files] = [spare, spare];
    for (const kept of order.all()) {
      if (this.#isHeld(kept) || isSticky(kept.hoard) || order.priority(kept) >= request) continue;
      all += kept.length;
      if (!kept.inRows) files += kept.length;
    }
    const { limit, disk } = this.#missing(marginOf(this.#limit, this.#taken, space), space);
    return Math.min(all - limit, files - disk);
  }

  /** Restores limit and margins, in the background. */
  tidy(): void {
    const { log } = this.#world;
    const { size } = this.#oversize;
    const isQuiet = this.#taken <= this.#limit - marginOf(this.#limit, this.#taken, Infinity) && size === 0;
    if (isQuiet && this.#blind < this.#blindMost) return;
    this.#untidy = true;
    if (this.#tidying) return;
    this.#tidying = true;
    void this.#tidyUp()
      .catch((error: unknown) => log.warn('making room failed', { message: String(error) }))
      .finally(() => (this.#tidying = false));
  }

  async #tidyUp(): Promise<void> {
    const world = this.#world;
    while (this.#untidy) {
      this.#untidy = false;
      const space = await world.containers.space();
      this.#blind = 0;
      this.#heard = space;
      const margin = marginOf(this.#limit, this.#taken, space);
      this.#blindMost = margin / 4;
      const [freed, beside] = [this.#freed, world.beside().bytes];
      const over = (): number => this.#taken - this.#limit;
      const short = (): Excess => ({
        limit: over() + margin,
        disk: margin - space - (this.#freed - freed) - (beside - world.beside().bytes),
      });
      if (greater(short()) <= 0) continue;
      await this.#trim(() => greater(short()), space);
      await world.gate.remove(() => this.#dropOversize(over));
      await this.#shrink(() => ({ limit: over(), disk: 0 }), foregroundRequest);
      await this.#shrink(short, marginRequest);
      // Whatever is whole is in use, or worth more.
      await world.beside().trim(over, 0);
    }
  }

  /** Contents in part are brought down to their share first. */
  async #trim(excess: () => number, space: number): Promise<void> {
    await this.#world.beside().trim(excess, Math.min(this.#limit, this.#taken + space));
  }

  /** Evicts while there is too much, and something that may go: some at a time, so that nobody waits for all. */
  async #shrink(excess: () => Excess, request: number): Promise<void> {
    const { gate, order, pause } = this.#world;
    const some = async (): Promise<boolean> => {
      for (let removed = 0; removed < removedAtOnce; removed += 1) {
        const left = excess();
        if (greater(left) <= 0) return false;
        const kept = order.take(request, this.#isHeld, left.limit <= 0);
        if (kept === undefined) return false;
        await this.#remove(kept);
      }
      return true;
    };
    while (await gate.remove(some)) await pause();
  }

  async #dropOversize(tooMuch: () => number): Promise<void> {
    for (const kept of this.#oversize) {
      if (kept.length <= this.#limit || this.#world.order.get(kept.digest) !== kept)
        this.#oversize.delete(kept);
      else if (tooMuch() > 0 && !this.#isHeld(kept) && !isSticky(kept.hoard)) await this.#remove(kept);
    }
  }

  async #evict(missing: Excess, request: number): Promise<boolean> {
    const { order, pause } = this.#world;
    const victims: Kept[] = [];
    let { limit, disk } = missing;
    while (greater({ limit, disk }) > 0) {
      const victim = order.take(request, this.#isHeld, limit <= 0);
      if (victim === undefined) {
        for (const each of victims) order.restore(each);
        return false;
      }
      victims.push(victim);
      if (victims.length % takenAtOnce === 0) await pause();
      limit -= victim.length;
      if (!victim.inRows) disk -= victim.length;
    }
    for (const [index, victim] of victims.entries()) {
      await this.#remove(victim);
      if ((index + 1) % removedAtOnce === 0) await pause();
    }
    return true;
  }

  /** Bytes of all that is here, but for what spools have. */
  get #taken(): number {
    return this.#world.order.bytes + this.#world.beside().bytes;
  }

  /** Bytes that must go before `bytes` more fit. */
  #missing(bytes: number, space: number): Excess {
    const { claimed, written } = this.#world.coming();
    return {
      limit: this.#taken + claimed + bytes - this.#limit,
      disk: bytes + (claimed - written) - space,
    };
  }

  async #remove(kept: Kept): Promise<void> {
    // Opened or logged while others were removed: it stays.
    if (this.#isHeld(kept)) return this.#world.order.restore(kept);
    this.#world.order.remove(kept);
    this.#world.forget(kept.digest);
    if (!kept.inRows) this.#freed += kept.length;
    await this.#world.containers.remove(kept.digest);
  }

  readonly #isHeld = (kept: Kept): boolean => kept.pins > 0 || this.#world.isNeeded(kept.digest);
}

function greater({ limit, disk }: Excess): number {
  return Math.max(limit, disk);
}
