/** Takes snapshots of the volumes of this server by its schedule, and deletes those that it wants no more. */
import { isFailure } from '../interface/index.js';
import { sleep } from '../seam/clock.js';
import type { Replica } from '../volume/replica.js';
import { dueSnapshots, type SnapshotSchedule } from '../volume/snapshots-due.js';
import type { ServerContext } from './context.js';
import { broughtUpToDate } from './snapshotting.js';

const lookMs = 60_000;

type World = Pick<ServerContext, 'volumes' | 'resolver' | 'world'>;

export class ScheduledSnapshots {
  readonly #schedule: SnapshotSchedule;
  readonly #world: World;
  readonly #stop = new AbortController();
  #running: Promise<void> = Promise.resolve();
  /** What has hindered it last, by volume: told once. */
  readonly #hindered = new Map<string, string>();

  private constructor(schedule: SnapshotSchedule, world: World) {
    this.#schedule = schedule;
    this.#world = world;
  }

  /** The first look is a minute later: what a server missed while it was down it has by then. */
  static started(schedule: SnapshotSchedule | undefined, world: World): ScheduledSnapshots | undefined {
    if (schedule === undefined) return undefined;
    const scheduled = new ScheduledSnapshots(schedule, world);
    scheduled.#running = scheduled.#run();
    return scheduled;
  }

  close(): Promise<void> {
    this.#stop.abort(new Error('closing'));
    return this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    const { clock } = this.#world.world;
    for (;;) {
      await sleep(clock, lookMs, signal).catch(() => undefined);
      if (signal.aborted) return;
      for (const replica of this.#world.volumes.all()) {
        if (!signal.aborted && replica.standing === 'member') await this.#look(replica);
      }
    }
  }

  async #look(replica: Replica): Promise<void> {
    const { volumes, world } = this.#world;
    const { volume, snapshots } = replica;
    try {
      const { take, drop } = dueSnapshots(this.#schedule, Math.round(world.clock.wall()), snapshots.list());
      if (take.length > 0) await broughtUpToDate(this.#world, replica);
      for (const snapshot of take) {
        await snapshots.take(snapshot);
        world.log.info('snapshot taken', { volume, ...snapshot, by: 'schedule' });
      }
      for (const name of drop) {
        await snapshots.drop(name);
        world.log.info('snapshot deleted', { volume, name, by: 'schedule' });
      }
      if (drop.length > 0) volumes.sweepSnapshots(replica);
      this.#hindered.delete(volume);
    } catch (error) {
      if (!isFailure(error)) throw error;
      if (this.#hindered.get(volume) === error.message) return;
      this.#hindered.set(volume, error.message);
      world.log.warn('snapshot not taken', { volume, by: 'schedule', reason: error.message });
    }
  }
}
