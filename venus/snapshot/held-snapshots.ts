/** Which snapshots of a volume there are, and which of its servers have them: asked, and kept for a moment. */
import {
  Failure,
  isFailure,
  snapshotsHeld,
  type SnapshotId,
  type VolumeId,
} from '../../vice/interface/index.js';
import type { Clock } from '../../vice/seam/clock.js';
import type { Log } from '../../vice/seam/log.js';
import { membersOf } from '../fetch/server-source.js';
import { shared } from '../volume/shared-call.js';
import type { Member, Volume } from '../volume/volume.js';

/** A new one, or a deletion, is seen after that at the latest. */
const keptMs = 1000;

export interface HeldSnapshot extends SnapshotId {
  /** Ids of the replicas that have it. */
  readonly replicas: readonly string[];
}

interface Kept {
  readonly until: number;
  readonly snapshots: readonly HeldSnapshot[];
}

export interface HeldSnapshotsWorld {
  readonly clock: Clock;
  readonly log: Log;
}

export class HeldSnapshots {
  readonly #world: HeldSnapshotsWorld;
  readonly #kept = new Map<VolumeId, Kept>();
  readonly #asking = new Map<VolumeId, Promise<readonly HeldSnapshot[]>>();

  constructor(world: HeldSnapshotsWorld) {
    this.#world = world;
  }

  /** Oldest first; while no server can be asked, what was known last. @throws Failure unreachable */
  of(volume: Volume): Promise<readonly HeldSnapshot[]> {
    const kept = this.#kept.get(volume.id);
    if (kept !== undefined && kept.until > this.#world.clock.monotonic())
      return Promise.resolve(kept.snapshots);
    return shared(this.#asking, volume.id, () => this.#ask(volume));
  }

  /** The newest of this name. @throws Failure unreachable */
  async named(volume: Volume, name: string): Promise<HeldSnapshot | undefined> {
    return (await this.of(volume)).findLast((snapshot) => snapshot.name === name);
  }

  /** What those servers have said that cannot be asked now still holds. */
  async #ask(volume: Volume): Promise<readonly HeldSnapshot[]> {
    const kept = this.#kept.get(volume.id)?.snapshots;
    const answers = await Promise.all(membersOf(volume).map((member) => this.#askOne(volume, member)));
    const told = new Map(answers.flatMap((answer) => (answer === undefined ? [] : [answer])));
    if (told.size === 0) {
      if (kept !== undefined) return kept;
      const message = `no server of volume ${volume.name} tells which snapshots there are`;
      throw new Failure('unreachable', 'venus.snapshots', message);
    }
    const snapshots = merged(told, kept ?? []);
    this.#kept.set(volume.id, { until: this.#world.clock.monotonic() + keptMs, snapshots });
    return snapshots;
  }

  async #askOne(
    volume: Volume,
    { server, replica }: Member,
  ): Promise<readonly [string, readonly SnapshotId[]] | undefined> {
    try {
      return [replica, (await server.call('snapshots', { volume: volume.id })).snapshots];
    } catch (error) {
      if (!isFailure(error)) throw error;
      this.#world.log.debug('snapshots not told', { server: server.name, message: error.message });
      return undefined;
    }
  }
}

/** What was told, and of those who did not tell what was known. */
function merged(
  told: ReadonlyMap<string, readonly SnapshotId[]>,
  kept: readonly HeldSnapshot[],
): readonly HeldSnapshot[] {
  const known = kept.flatMap((snapshot) => {
    const silent = snapshot.replicas.filter((replica) => !told.has(replica));
    return silent.map((replica) => [replica, [snapshot]] as const);
  });
  return snapshotsHeld([...told, ...known]).map(({ name, time, holders }) => ({
    name,
    time,
    replicas: holders,
  }));
}
