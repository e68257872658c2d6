/**
 * Sees replicas in and out, at the server that publishes the realm document. An administrator has said what he wants
 * (`filling`, `leaving` in the document); the rest follows by itself, whoever is restarted or goes away meanwhile.
 *
 * SW-1  A replica becomes a member when it has all that the members have: of so many of them that no acknowledged
 *       change is unknown to it (`dispensable`).
 * SW-2  One that leaves takes no changes any more before anybody is asked for what it has (`fenced`): so nothing is
 *       added behind their backs. It is gone from the document when two of those that stay, or the only one, have all
 *       of it, contents and snapshots included.
 * SW-3  A member that replaces another one takes its share of changes for a moment before that one leaves: gateways go
 *       from the one to the other without a time in which the newest is nowhere to be read.
 * SW-4  What was found out holds for the document that it was asked for, and is not published on top of another one.
 */
import {
  dispensable,
  isFailure,
  membersOf,
  publisherOf,
  volumeEntry,
  type Argument,
  type RealmDocument,
  type ReplicaEntry,
  type Result,
  type VolumeEntry,
  type VolumeId,
} from '../interface/index.js';
import { dropped, finished, relieved } from '../location/intended.js';
import type { Location } from '../location/location.js';
import { sleep, type Clock } from '../seam/clock.js';
import type { Log } from '../seam/log.js';

export const stewardTiming = {
  /** Milliseconds until what could not be done is tried again. */
  againMs: 1000,
  /** Filling a replica takes its time; then it is asked again. */
  answerMs: 10 * 60 * 1000,
} as const;

export interface StewardWorld {
  readonly clock: Clock;
  readonly log: Log;
  readonly location: Location;
  /** Asks a server, or answers where it is this one. @throws Failure unreachable, timeout, stale */
  readonly covers: Asking<'covers'>;
  readonly fenced: Asking<'fenced'>;
}

type Asking<C extends 'covers' | 'fenced'> = (
  server: string,
  argument: Argument<C>,
  signal: AbortSignal,
) => Promise<Result<C>>;

/** Why a replica is not where it shall be yet, for the operator. */
export interface Waiting {
  readonly volume: VolumeId;
  readonly replica: string;
  readonly reason: string;
}

export class Steward {
  readonly #name: string;
  readonly #world: StewardWorld;
  readonly #stop = new AbortController();
  readonly #running = new Map<string, Promise<void>>();
  readonly #waiting = new Map<string, Waiting>();

  /** `name` is this server's own. */
  constructor(name: string, world: StewardWorld) {
    this.#name = name;
    this.#world = world;
  }

  waiting(): readonly Waiting[] {
    return [...this.#waiting.values()];
  }

  /** Something may be to be done. */
  look(): void {
    const { current } = this.#world.location;
    if (publisherOf(current) !== this.#name || this.#stop.signal.aborted) return;
    for (const { id: volume, replicas } of current.volumes) {
      for (const replica of replicas) {
        const key = `${volume}/${replica.id}`;
        if (!isOnTheWay(replica) || this.#running.has(key)) continue;
        const seen = this.#see(volume, replica.id)
          .catch((error: unknown) => {
            if (!this.#stop.signal.aborted) throw error;
          })
          .finally(() => {
            this.#running.delete(key);
            this.#waiting.delete(key);
          });
        this.#running.set(key, seen);
      }
    }
  }

  /** Stops where it is. */
  async close(): Promise<void> {
    this.#stop.abort(new Error('the server closes'));
    await Promise.all(this.#running.values());
  }

  /** Until the replica has come to where it shall be, or another server publishes. */
  async #see(volume: VolumeId, id: string): Promise<void> {
    const { clock, location, log } = this.#world;
    for (let told = ''; ;) {
      const { current } = location;
      const entry = volumeEntry(current, volume);
      const replica = entry?.replicas.find((each) => each.id === id);
      if (entry === undefined || replica === undefined || !isOnTheWay(replica)) return;
      if (publisherOf(current) !== this.#name) return;
      const reason = await this.#tried(() => this.#further(current, entry, replica));
      if (reason === undefined) {
        this.#waiting.delete(`${volume}/${id}`);
        continue;
      }
      this.#waiting.set(`${volume}/${id}`, { volume, replica: id, reason });
      if (reason !== told) log.info('replica waits', { volume, replica: id, state: replica.state, reason });
      told = reason;
      await sleep(clock, stewardTiming.againMs, this.#stop.signal);
    }
  }

  /** One step; what hinders it, in words, or undefined. */
  async #further(
    current: RealmDocument,
    entry: VolumeEntry,
    replica: ReplicaEntry,
  ): Promise<string | undefined> {
    const members = membersOf(entry);
    if (replica.state === 'filling') {
      const having = members.map((member) => [replica.server, member.id] as const);
      const reason = await this.#have(entry, having, members.length - dispensable(members.length));
      return reason ?? this.#publish(current, (document) => finished(document, entry.id, replica.id));
    }
    if (replica.state === undefined) return this.#relieve(current, entry, replica);
    const asked = { volume: entry.id, replica: replica.id };
    const { fenced } = await this.#world.fenced(replica.server, asked, this.#stop.signal);
    if (!fenced) return `${replica.server} has not heard yet that it shall leave`;
    const having = members.map((member) => [member.server, replica.id] as const);
    const reason = await this.#have(entry, having, dispensable(members.length) + 1);
    return reason ?? this.#publish(current, (document) => dropped(document, entry.id, replica.id));
  }

  /** SW-3. */
  async #relieve(
    current: RealmDocument,
    entry: VolumeEntry,
    replica: ReplicaEntry,
  ): Promise<string | undefined> {
    const old = entry.replicas.find(({ id }) => id === replica.replaces);
    await sleep(this.#world.clock, stewardTiming.againMs, this.#stop.signal);
    const reason = old && (await this.#have(entry, [[replica.server, old.id]], 1));
    return reason ?? this.#publish(current, (document) => relieved(document, entry.id, replica.id));
  }

  /** Whether `enough` of these servers have all that the replica has that stands beside each. */
  async #have(
    { id: volume }: VolumeEntry,
    pairs: readonly (readonly [server: string, replica: string])[],
    enough: number,
  ): Promise<string | undefined> {
    let having = 0;
    const reasons: string[] = [];
    for (const [server, replica] of pairs) {
      const reason = await this.#tried(async () => {
        const asked = { volume, replica };
        const {
          reached,
          lacking,
          snapshots = 0,
        } = await this.#world.covers(server, asked, this.#stop.signal);
        if (!reached) return `${server} does not reach the replica ${replica}`;
        if (lacking > 0) return `${server} lacks ${lacking} objects of the replica ${replica}`;
        return snapshots > 0 ? `${server} lacks ${snapshots} snapshots of the replica ${replica}` : undefined;
      });
      if (reason === undefined) having += 1;
      else reasons.push(reason);
    }
    return having >= enough ? undefined : [...new Set(reasons)].join('; ');
  }

  async #publish(
    seen: RealmDocument,
    decide: (document: RealmDocument) => RealmDocument,
  ): Promise<string | undefined> {
    const { location, log } = this.#world;
    const { version } = await location.publish((current) => {
      return current.version === seen.version && publisherOf(current) === this.#name
        ? decide(current)
        : current;
    });
    if (version > seen.version) log.info('published', { version, by: this.#name });
    return undefined;
  }

  async #tried(work: () => Promise<string | undefined>): Promise<string | undefined> {
    try {
      return await work();
    } catch (error) {
      this.#stop.signal.throwIfAborted();
      if (!isFailure(error)) throw error;
      return error.message;
    }
  }
}

function isOnTheWay({ state, replaces }: ReplicaEntry): boolean {
  return state !== undefined || replaces !== undefined;
}
