/** What an administrator orders of the volume's group while a scenario is played, and what has become of it. */
import { Administration } from '../../../gateway/administration/administration.js';
import { isFailure, membersOf, onlyKey, volumeEntry, type Intention } from '../../../vice/interface/index.js';
import { sleep } from '../../../vice/seam/clock.js';
import { realmKey, rootVolume, type SimulatedRealm } from '../simulated-realm.js';
import type { Fault } from './scenario.js';

export type GroupOrder = Extract<Fault, { do: 'grow' | 'shrink' | 'move' }>;

const host = 'administrator';
/** While the server that publishes is away, an order is said again. */
const againMs = 1000;
const again: ReadonlySet<string> = new Set(['unreachable', 'timeout', 'stale']);

export class GroupOrders {
  readonly #realm: SimulatedRealm;
  readonly #administration: Administration;
  readonly #isOver: () => boolean;
  #open = 0;

  /** `isOver`: no more orders are said again. */
  constructor(realm: SimulatedRealm, isOver: () => boolean) {
    this.#realm = realm;
    this.#isOver = isOver;
    const world = { clock: realm.network.clock(host), network: realm.network.host(host) };
    this.#administration = new Administration(realm.document, onlyKey(realmKey), host, world);
  }

  /** Servers of members, as the newest document that was heard of has them. */
  get members(): readonly string[] {
    const entry = volumeEntry(this.#administration.known, rootVolume);
    return entry === undefined ? [] : membersOf(entry).map(({ server }) => server);
  }

  /** Ids of replicas that are, with their servers. */
  get replicas(): ReadonlyMap<string, string> {
    const entry = volumeEntry(this.#administration.known, rootVolume);
    return new Map((entry?.replicas ?? []).map(({ id, server }) => [id, server]));
  }

  /** Resolves with what became of it, when that is known. */
  async give(order: GroupOrder): Promise<string> {
    this.#open += 1;
    try {
      for (;;) {
        try {
          const isNew = await this.#administration.publish(intentionOf(order));
          return isNew ? 'published' : 'nothing new';
        } catch (error) {
          if (!isFailure(error)) throw error;
          const { kind, message } = error;
          if (!again.has(kind)) return `${kind}: ${message}`;
          if (this.#isOver()) return 'given up';
        }
        await sleep(this.#realm.clock, againMs);
      }
    } finally {
      this.#open -= 1;
    }
  }

  /** Whether all that was ordered is done, and no replica is on its way. */
  async isSettled(): Promise<boolean> {
    if (this.#open > 0) return false;
    await this.#administration.document();
    const entry = volumeEntry(this.#administration.known, rootVolume);
    return entry?.replicas.every(({ state, replaces }) => (state ?? replaces) === undefined) === true;
  }
}

function intentionOf(order: GroupOrder): Intention {
  const volume = rootVolume;
  switch (order.do) {
    case 'grow':
      return { change: 'add-replica', volume, server: order.at, replaces: null };
    case 'shrink':
      return { change: 'remove-replica', volume, server: order.at, lost: false };
    case 'move':
      return { change: 'add-replica', volume, server: order.to, replaces: order.from };
  }
}
