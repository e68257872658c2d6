/** What an administrator orders while a scenario is played: said again while the server that publishes is away. */
import { Administration } from '../../../gateway/administration/administration.js';
import {
  isFailure,
  onlyKey,
  type Fid,
  type Intention,
  type RealmDocument,
  type ScrubReport,
} from '../../../vice/interface/index.js';
import { sleep } from '../../../vice/seam/clock.js';
import { realmKey, type SimulatedRealm } from '../simulated-realm.js';
import type { Fault } from './scenario.js';
import { annexVolume, idOf } from './volumes.js';

export type VolumeOrder = Extract<
  Fault,
  { do: 'lock-volume' | 'unlock-volume' | 'quota' | 'unmount' | 'mount' }
>;

const host = 'administrator';
const againMs = 1000;
/** Turns that a scrub may take, with two more looks at what it could not heal at once. */
const scrubTurns = 180;
const again: ReadonlySet<string> = new Set(['unreachable', 'timeout', 'stale']);

export class Orders {
  readonly #clock;
  readonly #administration: Administration;
  readonly #isOver: () => boolean;
  #open = 0;

  /** `isOver`: no more orders are said again. */
  constructor(realm: SimulatedRealm, isOver: () => boolean) {
    this.#clock = realm.clock;
    this.#isOver = isOver;
    const world = { clock: realm.network.clock(host), network: realm.network.host(host) };
    this.#administration = new Administration(realm.document, onlyKey(realmKey), host, world);
  }

  /** The newest document that was heard of. */
  get known(): RealmDocument {
    return this.#administration.known;
  }

  /** Has a server check all that it holds; `report` is what it tells of that. Resolves with what it cannot heal. */
  async scrub(server: string, report: () => ScrubReport): Promise<ScrubReport['findings']> {
    if ((await this.#administration.scrub(server, true)) === undefined)
      throw new Error(`${server} does not answer who wants it to scrub`);
    for (let turn = 0; turn < scrubTurns; turn += 1) {
      await sleep(this.#clock, againMs);
      const { running, endedAt, open } = report();
      // What could not be healed is tried again each minute.
      if (!running && endedAt !== null && open === 0) return [];
    }
    return report().findings;
  }

  /** No order is under way. */
  get isIdle(): boolean {
    return this.#open === 0;
  }

  /** The newest document that there is. */
  document(): Promise<RealmDocument> {
    return this.#administration.document();
  }

  /** Resolves with what became of it, when that is known. */
  async give(intention: Intention): Promise<string> {
    this.#open += 1;
    try {
      for (;;) {
        try {
          const isNew = await this.#administration.publish(intention);
          return isNew ? 'published' : 'nothing new';
        } catch (error) {
          if (!isFailure(error)) throw error;
          const { kind, message } = error;
          if (!again.has(kind)) return `${kind}: ${message}`;
          if (this.#isOver()) return 'given up';
        }
        await sleep(this.#clock, againMs);
      }
    } finally {
      this.#open -= 1;
    }
  }
}

/** `directory`: what is at the path of a mount. */
export function intentionOf(order: VolumeOrder, directory: Fid | undefined): Intention | undefined {
  switch (order.do) {
    case 'lock-volume':
    case 'unlock-volume':
      return { change: order.do, volume: idOf(order.volume) };
    case 'quota':
      return { change: 'set-quota', volume: idOf(order.volume), bytes: order.bytes };
    case 'unmount':
      return { change: 'unmount-volume', volume: annexVolume };
    case 'mount':
      return directory && { change: 'mount-volume', volume: annexVolume, directory };
  }
}
