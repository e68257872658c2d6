/** The replicas that this server holds, as the realm document assigns them. */
import {
  Failure,
  isFailure,
  type RealmDocument,
  type VolumeEntry,
  type VolumeId,
} from '../interface/index.js';
import type { Clock } from '../seam/clock.js';
import type { Containers } from '../seam/containers.js';
import type { Log } from '../seam/log.js';
import type { Random } from '../seam/random.js';
import type { Store } from '../seam/store.js';
import { ContainerReferences } from '../store/container-references.js';
import { claimRows, dropRows, hasRows, ownerOfRows } from '../store/dropped-volume.js';
import { boundsOf } from '../volume/bounds.js';
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
  readonly #drops = new Map<VolumeId, Promise<void>>();

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
   * `meant`: the id of the replica that the caller means, if it says so.
   * @throws Failure stale when this server holds no replica, or another one: the caller's realm document is too old, or
   * ours is
   */
  required(volume: VolumeId, meant?: string): Replica {
    const replica = this.#open.get(volume);
    if (replica !== undefined && (meant === undefined || meant === replica.id)) return replica;
    const what = meant === undefined ? 'no replica' : `not the replica ${meant}`;
    const hint = `server ${this.#server} holds ${what} of volume ${volume}; locate it again`;
    throw new Failure('stale', 'vice.volumes', hint);
  }

  /**
   * Opens what `realm` assigns to this server (empty, if it is new here), and begins to drop what it says has left:
   * when this resolves nothing can be written into that any more. What is neither assigned nor has left stays on the
   * disk; it is not served unless it is assigned again.
   */
  async follow(realm: RealmDocument): Promise<void> {
    const assigned = new Set<VolumeId>();
    for (const deleted of realm.retiredVolumes ?? []) this.#dropDeleted(deleted);
    for (const entry of realm.volumes) {
      const own = entry.replicas.find((replica) => replica.server === this.#server);
      const open = this.#open.get(entry.id);
      if (open !== undefined && open.id !== own?.id) this.#letGo(open);
      this.#dropRetired(entry);
      if (own === undefined || !(await this.#isFree(entry.id, own.id))) continue;
      assigned.add(entry.id);
      const replica = this.#open.get(entry.id) ?? (await this.#openReplica(entry.id, own.id));
      replica.group = entry.replicas.map(({ id }) => id);
      replica.standing = own.state ?? 'member';
      replica.bounds = boundsOf(entry);
      this.#open.set(entry.id, replica);
    }
    for (const [volume, replica] of this.#open) if (!assigned.has(volume)) this.#letGo(replica);
    // What the old standings let in is done.
    await this.#world.store.transact(() => undefined);
  }

  /** Has what no snapshot needs any more taken away; nobody waits for it, the next start goes on with it. */
  sweepSnapshots({ snapshots, volume }: Replica): void {
    void snapshots.sweep().catch((error: unknown) => {
      this.#world.log.warn('snapshots not swept', { volume, reason: String(error) });
    });
  }

  /** Waits for what is being dropped. */
  async close(): Promise<void> {
    await Promise.all(this.#drops.values());
  }

  #dropRetired({ id: volume, retired = [] }: VolumeEntry): void {
    const owner = ownerOfRows(this.#world.store, volume);
    if (owner === undefined || !retired.includes(owner) || this.#drops.has(volume)) return;
    this.#beginDrop(volume, owner);
  }

  /** Whosever its rows are, if only their owner's record is damaged. */
  #dropDeleted(volume: VolumeId): void {
    const open = this.#open.get(volume);
    if (open !== undefined) this.#letGo(open);
    if (!hasRows(this.#world.store, volume) || this.#drops.has(volume)) return;
    this.#beginDrop(volume, open?.id ?? ownerOfRows(this.#world.store, volume) ?? 'unknown');
  }

  #beginDrop(volume: VolumeId, owner: string): void {
    const key = `${volume}/${owner}`;
    const idle = this.#idle.get(key);
    if (idle !== undefined) idle.standing = 'dropped';
    this.#idle.delete(key);
    this.#drops.set(
      volume,
      this.#drop(volume, owner).finally(() => this.#drops.delete(volume)),
    );
  }

  /** What hinders is told; it is tried again at the next start, or with the next document. */
  async #drop(volume: VolumeId, replica: string): Promise<void> {
    const { store, log } = this.#world;
    try {
      await dropRows(store, ContainerReferences.of(this.#world), volume);
      log.info('replica dropped', { volume, replica });
    } catch (error) {
      if (!isFailure(error)) throw error;
      log.error('replica not dropped', { volume, replica, reason: error.message });
    }
  }

  /** Whether there is nothing here of another replica of the volume. */
  async #isFree(volume: VolumeId, id: string): Promise<boolean> {
    await this.#drops.get(volume);
    const owner = ownerOfRows(this.#world.store, volume);
    if (owner === undefined || owner === id) return true;
    const reason = `the data here is of replica ${owner}; remove that one by \`coda volume replica remove\` first`;
    this.#world.log.error('replica not opened', { volume, replica: id, reason });
    return false;
  }

  async #openReplica(volume: VolumeId, id: string): Promise<Replica> {
    const key = `${volume}/${id}`;
    const idle = this.#idle.get(key);
    if (idle !== undefined) {
      this.#idle.delete(key);
      return idle;
    }
    await claimRows(this.#world.store, volume, id);
    const replica = await openReplica({ volume, id, group: [id], ...this.#world });
    replica.onChange((change) => this.#changed(replica, change));
    this.sweepSnapshots(replica);
    return replica;
  }

  #letGo(replica: Replica): void {
    this.#open.delete(replica.volume);
    this.#idle.set(`${replica.volume}/${replica.id}`, replica);
  }
}
