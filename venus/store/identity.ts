/**
 * Who this Venus is, and the Fids and StoreIds that it makes, the latter under a VenusId for each user (store-id.ts).
 * All count with one counter. Counters are reserved on disk in blocks ahead of use, so that a crash at any point may
 * skip numbers but never repeats one.
 *
 * ID-1  A data folder can be an old copy of itself, put back from a backup. Of what was made since that copy the disk
 *       knows nothing. So each life begins at a random distance: it will not meet those numbers.
 * ID-2  The ranges of the last lives are kept. A counter outside them that a server has met tells that this is a copy,
 *       in later lives, too.
 * ID-3  A folder that is elsewhere than it was is a copy, and what it was made from may be at work, too, out of reach:
 *       two that count apart under one name would each be taken to have known what the other did. So it goes on under
 *       a new VenusId. What waits in its log keeps the former one: the other may have sent it. So it does, too, where
 *       this row cannot be read any more: then nothing is known of the former one.
 */
import {
  Failure,
  gatewayOf,
  intact,
  makeFid,
  makeStoreId,
  seal,
  venusId,
  venusOfAuthor,
  type Fid,
  type StoreId,
  type StoreIdVector,
  type VenusId,
  type VolumeId,
} from '../../vice/interface/index.js';
import { randomHex, type Random } from '../../vice/seam/random.js';
import { z } from 'zod';
import type { WriteBuffer } from './write-buffer.js';

const key = 'identity';
const block = 100_000;
/** From the end of one life to the beginning of the next: lives of two copies meet once in thousands of pairs. */
const gapMost = 2 ** 32;
const livesMost = 200;

const counter = z.number().int().nonnegative();
const life = z.tuple([counter, counter]);
/**
 * `lives`: first and last counter, oldest first. Without them (an older program): one, from 1 on.
 * `place`: where the folder was. Without it (an older program): where it is now.
 * `former`: what it was called elsewhere, last first.
 */
const row = z.strictObject({
  venus: z.string(),
  limit: counter,
  lives: z.array(life).optional(),
  place: z.string().optional(),
  former: z.array(z.strictObject({ venus: z.string(), lives: z.array(life) })).optional(),
});
/** Of folders that are moved again before what waits in their logs could be sent. */
const formerMost = 20;

type Life = readonly [first: number, last: number];

interface Former {
  readonly venus: string;
  readonly lives: Life[];
}

interface Kept {
  readonly venus: VenusId;
  readonly lives: readonly Life[];
  readonly former: readonly Former[];
  readonly place: string;
  /** The first counter of this life. */
  readonly first: number;
}

export class Identity {
  readonly venus: VenusId;
  readonly #buffer: WriteBuffer;
  readonly #place: string;
  /** Before this one. */
  readonly #lives: readonly Life[];
  readonly #former: readonly Former[];
  /** What is common to all VenusIds of this folder, and to those of each of its former ones. */
  readonly #ours: ReadonlySet<string>;
  /** The first counter of this life. */
  readonly #first: number;
  #next: number;
  /** Durably reserved up to here. */
  #limit: number;
  #extending = false;

  private constructor(buffer: WriteBuffer, { venus, lives, former, place, first }: Kept) {
    this.#buffer = buffer;
    this.venus = venus;
    this.#place = place;
    this.#lives = lives.slice(-livesMost);
    this.#former = former.slice(0, formerMost);
    this.#ours = new Set([venus, ...this.#former.map((each) => each.venus)].map(gatewayOf));
    this.#first = first;
    this.#next = first;
    this.#limit = first - 1;
  }

  /** The identity of this data folder; made at its first opening, and at the first one in another `place` (ID-3). */
  static async open(buffer: WriteBuffer, random: Random, place: string): Promise<Identity> {
    const stored = buffer.get(key);
    const parsed = row.optional().parse(intact(stored));
    const { limit, lives = [[1, limit]], former = [] } = parsed ?? { limit: 0, lives: [] };
    const gap = stored === undefined ? 0 : Math.floor(random.fraction() * gapMost);
    const kept = { place, first: limit + gap + 1 };
    const isMoved = parsed !== undefined && (parsed.place ?? place) !== place;
    const identity =
      parsed === undefined || isMoved
        ? new Identity(buffer, {
            ...kept,
            venus: known(randomHex(random, 8)),
            lives: [],
            former: isMoved ? [{ venus: parsed.venus, lives }, ...former] : [],
          })
        : new Identity(buffer, { ...kept, venus: known(parsed.venus), lives, former });
    await identity.#extend();
    return identity;
  }

  /** A Fid for a new object: never made before, by anybody. */
  newFid(volume: VolumeId): Fid {
    return makeFid(volume, this.#take(), this.venus);
  }

  /** The StoreId of the next update by `author`; later ones have larger counters, whoever makes them. */
  newStoreId(author: string): StoreId {
    return makeStoreId(venusOfAuthor(this.venus, author), this.#take());
  }

  /** No counter below this will be made any more. */
  get nextCounter(): number {
    return this.#next;
  }

  /** Whether one of `known` is of this gateway, and this gateway cannot have made it. */
  isStranger(known: StoreIdVector): boolean {
    const own = gatewayOf(this.venus);
    for (const venus in known) {
      if (gatewayOf(venus) === own && !this.mayHaveMade(known[venus] ?? 0)) return true;
    }
    return false;
  }

  /** Whether what is made under `venus` is of this folder, here or where it was before. */
  isOurs(venus: string): boolean {
    return this.#ours.has(gatewayOf(venus));
  }

  /**
   * Whether this gateway has made `counter` under `venus`, or may have: of lives too long ago nothing is known. The one
   * before a life counts as of it: a watermark, "all below", can be a life's first.
   */
  mayHaveMade(counter: number, venus: string = this.venus): boolean {
    const former = this.#former.find((each) => gatewayOf(each.venus) === gatewayOf(venus));
    const lives = former?.lives ?? [...this.#lives, [this.#first, this.#next - 1] as const];
    const [oldest] = lives;
    if (counter < (oldest?.[0] ?? this.#first)) return true;
    return lives.some(([first, last]) => counter >= first - 1 && counter <= last);
  }

  #take(): number {
    if (this.#next > this.#limit) {
      throw new Failure(
        'busy',
        'venus.identity',
        'the disk is too slow to reserve new identifiers; try again',
      );
    }
    if (this.#limit - this.#next < block / 2) void this.#extend().catch(() => undefined);
    return this.#next++;
  }

  async #extend(): Promise<void> {
    if (this.#extending) return;
    this.#extending = true;
    try {
      const limit = this.#next + block;
      const lives = [...this.#lives, [this.#first, limit]];
      const told = { venus: this.venus, limit, lives, place: this.#place, former: this.#former };
      this.#buffer.put(key, seal(told));
      await this.#buffer.flush();
      this.#limit = limit;
    } finally {
      this.#extending = false;
    }
  }
}

function known(text: string): VenusId {
  const venus = venusId(text);
  if (venus === undefined) throw new Error('identity: stored VenusId is malformed');
  return venus;
}
