/**
 * When this server resolves: with a peer whose link comes up, every minute with every peer, and when asked.
 * Servers heal among themselves in the background; healing never waits for a client to look, and never
 * stops the server from serving. One pull at a time per replica, so that its steps do not overtake each
 * other.
 */
import {
  isFailure,
  volumeEntry,
  type Fid,
  type RealmDocument,
  type Result,
  type VolumeId,
} from '../interface/index.js';
import { sleep, type Clock } from '../seam/clock.js';
import type { Containers } from '../seam/containers.js';
import type { Log } from '../seam/log.js';
import type { Link } from '../seam/network.js';
import type { Replica } from '../volume/replica.js';
import { catchUp, type Progress } from './catch-up.js';
import { containerFetcher } from './fetch-container.js';
import type { ServerLinks } from './links.js';
import { pull, type PullSource, type PullWorld, type Subject } from './pull.js';
import { ask } from './ask.js';

export interface ResolverWorld {
  readonly clock: Clock;
  readonly containers: Containers;
  readonly log: Log;
  readonly links: ServerLinks;
  realm(): RealmDocument;
  replica(volume: VolumeId): Replica | undefined;
  replicas(): Iterable<Replica>;
  readonly meter: ResolutionMeter;
}

/** Told what resolution did, for the metrics. */
export interface ResolutionMeter {
  /** Objects installed from peers. */
  installed(count: number): void;
  /** Container bytes fetched from peers. */
  fetched(bytes: number): void;
  /** A container that should be here was missing or did not match its digest. */
  damaged(): void;
}

/** Milliseconds between two rounds of all volumes with all peers. */
const roundMs = 60_000;
/** Milliseconds in which requests to tell a peer are put together. */
const nudgeMs = 200;

/** A volume's replica at another server. */
interface PeerReplica {
  readonly server: string;
  readonly id: string;
}

export class Resolver {
  readonly #world: ResolverWorld;
  readonly #stop = new AbortController();
  readonly #fetch;
  readonly #turns = new Map<VolumeId, Promise<unknown>>();
  readonly #queued = new Map<string, Promise<void>>();
  readonly #progress = new Map<string, Progress>();
  readonly #nudged = new Set<string>();
  readonly #running = new Set<Promise<unknown>>();

  constructor(world: ResolverWorld) {
    this.#world = world;
    this.#fetch = containerFetcher(world.containers, (bytes) => world.meter.fetched(bytes));
  }

  /** Starts the rounds. */
  start(): void {
    this.#background(this.#rounds());
  }

  /** A peer server is reachable (again): catches up with all that it holds. */
  linkUp(server: string): void {
    for (const replica of this.#world.replicas()) {
      for (const peer of this.#peers(replica)) {
        if (peer.server === server) this.#background(this.#catchUpSoon(replica, peer));
      }
    }
  }

  /**
   * Brings `fids` (null: all objects) of a volume up to date from every peer that is linked now; peers that
   * fail are left out, with a line in the log.
   */
  async resolve(replica: Replica, fids: readonly Fid[] | null): Promise<Result<'resolve'>> {
    let pulled = 0;
    const inconsistent = new Set<Fid>();
    for (const peer of this.#peers(replica)) {
      const source = this.#source(replica, peer.server);
      if (source === undefined) continue;
      try {
        pulled += await this.#turn(replica, () => {
          return this.#resolveWith(replica, peer, source, fids, inconsistent);
        });
      } catch (error) {
        this.#survive(error, replica, peer);
      }
    }
    return { pulled, inconsistent: [...inconsistent] };
  }

  /**
   * Replicas `ids` lack an update that this one has: their servers are asked to pull, or pull when they
   * link up.
   */
  nudge(replica: Replica, ids: readonly string[]): void {
    for (const peer of this.#peers(replica)) {
      const key = `${replica.volume}/${peer.server}`;
      if (!ids.includes(peer.id) || this.#nudged.has(key)) continue;
      this.#nudged.add(key);
      this.#background(this.#tell(replica, peer).finally(() => this.#nudged.delete(key)));
    }
  }

  /** An object turned out to be damaged here: fetches it again, soon. */
  restore(replica: Replica, fid: Fid): void {
    this.#world.meter.damaged();
    this.#background(this.resolve(replica, [fid]));
  }

  /**
   * Fetches a container that is missing or damaged here from any peer. @throws Failure not-found,
   * unreachable
   */
  async heal(digest: string): Promise<void> {
    this.#world.meter.damaged();
    this.#world.log.warn('container fetched again', { digest });
    const sources = [...this.#world.links.all().values()];
    await this.#fetch({ digest, length: null, sources, signal: this.#stop.signal });
  }

  /** For the operator: objects that each side changed on its own, by volume. */
  inconsistent(volume: VolumeId): readonly Fid[] {
    const found = new Set<Fid>();
    for (const [key, progress] of this.#progress) {
      if (key.startsWith(volume)) for (const fid of progress.inconsistent) found.add(fid);
    }
    return [...found];
  }

  /** Stops where it is and waits for what is under way. */
  async close(): Promise<void> {
    this.#stop.abort(new Error('the server closes'));
    await Promise.allSettled([...this.#running, ...this.#turns.values()]);
  }

  async #rounds(): Promise<void> {
    for (;;) {
      await sleep(this.#world.clock, roundMs, this.#stop.signal);
      for (const replica of [...this.#world.replicas()]) {
        for (const peer of this.#peers(replica)) await this.#catchUpSoon(replica, peer);
      }
    }
  }

  /** A catch-up that begins after this call; calls that find one waiting share it. */
  #catchUpSoon(replica: Replica, peer: PeerReplica): Promise<void> {
    const key = keyOf(replica, peer);
    const queued = this.#queued.get(key);
    if (queued !== undefined) return queued;
    const turn = this.#turn(replica, async () => {
      this.#queued.delete(key);
      const source = this.#source(replica, peer.server);
      if (source !== undefined) await this.#catchUp(replica, peer, source);
    }).catch((error: unknown) => {
      this.#survive(error, replica, peer);
    });
    this.#queued.set(key, turn);
    return turn;
  }

  async #catchUp(replica: Replica, peer: PeerReplica, source: PullSource): Promise<number> {
    const key = keyOf(replica, peer);
    const last = this.#progress.get(key);
    const { installed, progress } = await catchUp(this.#pullWorld(replica), source, peer.id, last);
    this.#progress.set(key, progress);
    this.#settled(replica, peer, installed, progress.inconsistent);
    return installed;
  }

  async #resolveWith(
    replica: Replica,
    peer: PeerReplica,
    source: PullSource,
    fids: readonly Fid[] | null,
    inconsistent: Set<Fid>,
  ): Promise<number> {
    let installed = 0;
    let complete = fids === null;
    if (fids !== null) {
      const argument = { volume: replica.volume, fids: [...fids], cop2: [] };
      const { statuses } = await ask(source.link, 'status', argument, this.#stop.signal);
      const subjects = new Map<Fid, Subject>();
      for (const status of statuses) {
        if (status !== null) subjects.set(status.fid, { status, removed: false });
      }
      const outcome = await pull(this.#pullWorld(replica), source, subjects);
      installed = outcome.installed;
      for (const fid of outcome.inconsistent) inconsistent.add(fid);
      this.#settled(replica, peer, installed, outcome.inconsistent);
      // Gone at the peer, or waiting for a tombstone: only its changes tell.
      complete = outcome.unresolved.size > 0 || subjects.size < new Set(fids).size;
    }
    if (!complete) return installed;
    installed += await this.#catchUp(replica, peer, source);
    for (const fid of this.#progress.get(keyOf(replica, peer))?.inconsistent ?? []) inconsistent.add(fid);
    return installed;
  }

  async #tell(replica: Replica, peer: PeerReplica): Promise<void> {
    await sleep(this.#world.clock, nudgeMs, this.#stop.signal);
    const link = this.#world.links.linked(peer.server);
    if (link === undefined) return;
    try {
      await ask(link, 'resolve', { volume: replica.volume, fids: null }, this.#stop.signal);
    } catch (error) {
      this.#survive(error, replica, peer);
    }
  }

  #peers(replica: Replica): readonly PeerReplica[] {
    const entries = volumeEntry(this.#world.realm(), replica.volume)?.replicas ?? [];
    return entries.filter(({ id }) => id !== replica.id);
  }

  #source(replica: Replica, server: string): PullSource | undefined {
    const link = this.#world.links.linked(server);
    if (link === undefined) return undefined;
    const others: Link[] = [];
    for (const peer of this.#peers(replica)) {
      const other = this.#world.links.linked(peer.server);
      if (other !== undefined && other !== link) others.push(other);
    }
    return { link, containerSources: [link, ...others] };
  }

  #pullWorld(replica: Replica): PullWorld {
    const { clock, log } = this.#world;
    return { replica, fetch: this.#fetch, clock, log, signal: this.#stop.signal };
  }

  #turn<T>(replica: Replica, work: () => Promise<T>): Promise<T> {
    const turn = (this.#turns.get(replica.volume) ?? Promise.resolve()).then(() => {
      this.#stop.signal.throwIfAborted();
      return work();
    });
    this.#turns.set(
      replica.volume,
      turn.catch(() => undefined),
    );
    return turn;
  }

  #settled(replica: Replica, peer: PeerReplica, installed: number, inconsistent: ReadonlySet<Fid>): void {
    this.#world.meter.installed(installed);
    if (installed === 0 && inconsistent.size === 0) return;
    const fields = { volume: replica.volume, peer: peer.server, installed, inconsistent: inconsistent.size };
    this.#world.log.info('resolved', fields);
  }

  /** A peer that fails is tried again later; a broken invariant is not survived. */
  #survive(error: unknown, replica: Replica, peer: PeerReplica): void {
    if (this.#stop.signal.aborted) return;
    if (!isFailure(error)) throw error;
    const fields = { volume: replica.volume, peer: peer.server, kind: error.kind, reason: error.message };
    this.#world.log.warn('not resolved', fields);
  }

  #background(work: Promise<unknown>): void {
    const running = work.catch((error: unknown) => {
      if (!this.#stop.signal.aborted) throw error;
    });
    this.#running.add(running);
    void running.finally(() => this.#running.delete(running));
  }
}

function keyOf(replica: Replica, peer: PeerReplica): string {
  return `${replica.volume}/${peer.id}`;
}
