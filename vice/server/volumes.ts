/** The replicas that this server holds, as the realm document assigns them. */
import { Failure, type RealmDocument, type VolumeId } from '../interface/index.js';
import type { Clock } from '../seam/clock.js';
import type { Containers } from '../seam/containers.js';
import type { Log } from '../seam/log.js';
import type { Random } from '../seam/random.js';
import type { Store } from '../seam/store.js';
import { openReplica } from '../volume/open-replica.js';
import type { Change, Replica } from '../volume/replica.js';

export interface VolumesWorld {
  readonly clock: Clock;
  readonly random: Random;
  readonly store: Store;
  readonly containers: Containers;
  readonly log: Log;
}

export class Volumes {
  readonly #server: string;
  readonly #world: VolumesWorld;
  readonly #changed: (replica: Replica, change: Change) => void;
  readonly #open = new Map<VolumeId, Replica>();
  /**
   * Replicas of this run that are not assigned any more: opened once only, a listener cannot be taken back.
   */
  readonly #idle = new Map<string, Replica>();

  /** `changed` is called after every change of every replica, before the call that made it is answered. */
  constructor(server: string, world: VolumesWorld, changed: (replica: Replica, change: Change) => void) {
    this.#server = server;
    this.#world = world;
    this.#changed = changed;
  }

  get(volume: VolumeId): Replica | undefined {
    return this.#open.get(volume);
  }

  all(): readonly Replica[] {
    return [...this.#open.values()];
  }

  /**
   * @throws Failure stale when this server holds no replica: the caller's realm document is too old, or
   * ours is
   */
  required(volume: VolumeId): Replica {
    const replica = this.#open.get(volume);
    if (replica !== undefined) return replica;
    const hint = `server ${this.#server} holds no replica of volume ${volume}; locate it again`;
    throw new Failure('stale', 'vice.volumes', hint);
  }

  /**
   * Opens what `realm` assigns to this server (empty, if it is new here) and lets go of what it does not:
   * that data stays on the disk, it is never served again unless it is assigned again.
   */
  async follow(realm: RealmDocument): Promise<void> {
    const assigned = new Set<VolumeId>();
    for (const { id: volume, replicas } of realm.volumes) {
      const own = replicas.find((replica) => replica.server === this.#server);
      if (own === undefined) continue;
      assigned.add(volume);
      const group = replicas.map((replica) => replica.id);
      const open = this.#open.get(volume);
      if (open?.id === own.id) {
        open.group = group;
        continue;
      }
      if (open !== undefined) this.#letGo(open);
      this.#open.set(volume, await this.#openReplica(volume, own.id, group));
    }
    for (const [volume, replica] of this.#open) if (!assigned.has(volume)) this.#letGo(replica);
  }

  async #openReplica(volume: VolumeId, id: string, group: readonly string[]): Promise<Replica> {
    const key = `${volume}/${id}`;
    const idle = this.#idle.get(key);
    if (idle !== undefined) {
      this.#idle.delete(key);
      idle.group = group;
      return idle;
    }
    const replica = await openReplica({ volume, id, group, ...this.#world });
    replica.onChange((change) => this.#changed(replica, change));
    return replica;
  }

  #letGo(replica: Replica): void {
    this.#open.delete(replica.volume);
    this.#idle.set(`${replica.volume}/${replica.id}`, replica);
  }
}
