/** What an administrator orders of the root volume's group while a scenario is played, and what has become of it. */
import { membersOf, volumeEntry, type Intention } from '../../../vice/interface/index.js';
import { rootVolume } from '../simulated-realm.js';
import type { Orders } from './orders.js';
import type { Fault } from './scenario.js';

export type GroupOrder = Extract<Fault, { do: 'grow' | 'shrink' | 'move' }>;

export class GroupOrders {
  readonly #orders: Orders;

  constructor(orders: Orders) {
    this.#orders = orders;
  }

  /** Servers of members, as the newest document that was heard of has them. */
  get members(): readonly string[] {
    const entry = volumeEntry(this.#orders.known, rootVolume);
    return entry === undefined ? [] : membersOf(entry).map(({ server }) => server);
  }

  /** Ids of replicas that are, with their servers. */
  get replicas(): ReadonlyMap<string, string> {
    const entry = volumeEntry(this.#orders.known, rootVolume);
    return new Map((entry?.replicas ?? []).map(({ id, server }) => [id, server]));
  }

  /** Resolves with what became of it, when that is known. */
  give(order: GroupOrder): Promise<string> {
    return this.#orders.give(intentionOf(order));
  }

  /** Whether all that was ordered is done, and no replica is on its way. */
  async isSettled(): Promise<boolean> {
    if (!this.#orders.isIdle) return false;
    const entry = volumeEntry(await this.#orders.document(), rootVolume);
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
