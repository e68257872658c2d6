/**
 * When this server resolves: with a peer whose link comes up, every minute with every peer, and when asked.
 * Servers heal among themselves in the background; healing never waits for a client to look, and never
 * stops the server from serving. One pull at a time per replica, so that its steps do not overtake each
 * other.
 */
import {
  isFailure,
  isRemoved,
  volumeEntry,
  type Fid,
  type ReplicaEntry,
  type Result,
  type VolumeId,
} from '../interface/index.js';
import { sleep } from '../seam/clock.js';
import type { Link } from '../seam/network.js';
import type { Replica } from '../volume/replica.js';
import { catchUp, type CaughtUp, type Progress } from './catch-up.js';
import { containerFetcher } from './fetch-container.js';
import { rememberForgotten } from './forgotten.js';
import { Removed } from './removed.js';
import { askSmallContents } from './small-contents.js';
import { Pull, type PullSource, type PullWorld } from './pull.js';
import type { ResolverWorld } from './resolver-world.js';
import { ask } from './ask.js';
import { differing } from './differing.js';
import { Restoring } from './restoring.js';
import { Turns } from './turns.js';

/** Milliseconds between two rounds of all volumes with all peers. */
const roundMs = 60_000;
/** Milliseconds in which requests to tell a peer are put together. */
const nudgeMs = 200;

/** A catch-up with one peer that is under way. */
export interface CatchUpState {
  /** Server. */
  readonly peer: string;
  /** Milliseconds since 1970. */
  readonly since: number;
  /** Changes of the peer read so far, of all that there were (an estimate). */
  readonly done: number;
  readonly all: number;
  /** Objects that are different now. */
  readonly objects: number;
}

export interface ResolutionReport {
  readonly unsettled: readonly Fid[];
  readonly catchUps: readonly CatchUpState[];
}

/** A volume's replica at another server. */
type PeerReplica = ReplicaEntry;

export class Resolver {
  readonly #world: ResolverWorld;
  readonly #stop = new AbortController();
  readonly #fetch;
  readonly #turns = new Turns(this.#stop.signal);
  readonly #queued = new Map<string, Promise<void>>();
  readonly #progress = new Map<string, Progress>();
  readonly #catchUps = new Map<string, CatchUpState>();
  readonly #removed: Removed;
  readonly #nudged = new Set<string>();
  readonly #restoring: Restoring;
  readonly #running = new Set<Promise<unknown>>();

  constructor(world: ResolverWorld) {
    this.#world = world;
    const resolve = (replica: Replica, fids: readonly Fid[]): Promise<unknown> => this.resolve(replica, fids);
    this.#restoring = new Restoring({ ...world, signal: this.#stop.signal, resolve });
    this.#removed = new Removed(world, this.#stop.signal);
    this.#fetch = containerFetcher(world.containers, (bytes) => world.meter.fetched(bytes));
  }

  /** Starts the rounds. */
  start(): void {
    this.#background(this.#rounds());
    this.#background(this.#removed.watchSpace());
  }

  /** A peer server is reachable (again): catches up with all that it holds. */
  linkUp(server: string): void {
    for (const replica of this.#world.replicas()) {
      for (const peer of this.#sources(replica)) {
        if (peer.server === server) this.#background(this.#catchUpSoon(replica, peer));
      }
    }
  }

  /**
   * Brings `replica` up to date with all that replica `id` of a peer has now; the answer is how many objects it lacks
   * all the same. Undefined: the peer cannot be reached. @throws Failure unreachable, timeout
   */
  async gather(replica: Replica, id: string): Promise<number | undefined> {
    const peer = this.#peers(replica).find((each) => each.id === id);
    if (peer === undefined) return undefined;
    return this.#turns.take(replica.volume, async () => {
      const source = this.#source(replica, peer.server);
      if (source === undefined) return undefined;
      await this.#catchUp(replica, peer, source);
      const different = await this.#compare(replica, peer, source, true);
      return different + (await this.#catchUp(replica, peer, source)).unsettled;
    });
  }

  /**
   * Brings `fids` (null: all objects) of a volume up to date from every peer that is linked now; peers that
   * fail are left out, with a line in the log. What could not be settled is `inconsistent`.
   */
  async resolve(replica: Replica, fids: readonly Fid[] | null): Promise<Result<'resolve'>> {
    let pulled = 0;
    const inconsistent = new Set<Fid>();
    for (const peer of this.#sources(replica)) {
      const source = this.#source(replica, peer.server);
      if (source === undefined) continue;
      try {
        pulled += await this.#turns.take(replica.volume, () => {
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
    const restored = this.#restoring.begin(replica, fid);
    if (restored === undefined) return;
    this.#world.meter.damaged();
    this.#background(restored);
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

  /** Replica `reader` has merged all changes of `replica` up to `stamp`. */
  wasRead(replica: Replica, reader: string, stamp: number): void {
    this.#removed.wasRead(replica, reader, stamp);
  }

  /** For the operator: catch-ups under way, and objects that could not be settled, by volume. */
  report(volume: VolumeId): ResolutionReport {
    const unsettled = new Set<Fid>();
    for (const [key, progress] of this.#progress) {
      if (key.startsWith(volume)) for (const fid of progress.open) unsettled.add(fid);
    }
    const catchUps = [...this.#catchUps].filter(([key]) => key.startsWith(volume)).map(([, state]) => state);
    return { unsettled: [...unsettled], catchUps };
  }

  /** Stops where it is and waits for what is under way. */
  async close(): Promise<void> {
    this.#stop.abort(new Error('the server closes'));
    for (const { mending } of this.#world.replicas()) mending.stop();
    await Promise.allSettled([...this.#running, this.#turns.over()]);
  }

  async #rounds(): Promise<void> {
    for (;;) {
      await sleep(this.#world.clock, roundMs, this.#stop.signal);
      for (const replica of [...this.#world.replicas()]) {
        for (const peer of this.#sources(replica)) await this.#catchUpSoon(replica, peer, true);
        await this.#removed.forget(
          replica,
          this.#peers(replica).map(({ id }) => id),
        );
        await this.#removed.untilNone(replica, 'not counted anew', () =>
          replica.mending.settleDoubts(true).then(() => 0),
        );
      }
    }
  }

  /**
   * A catch-up that begins after this call; calls that find one waiting share it. `isRound`: all peers have their turn.
   */
  #catchUpSoon(replica: Replica, peer: PeerReplica, isRound = false): Promise<void> {
    const key = keyOf(replica, peer);
    const queued = this.#queued.get(key);
    if (queued !== undefined) return queued;
    const turn = this.#turns
      .take(replica.volume, async () => {
        this.#queued.delete(key);
        const source = this.#source(replica, peer.server);
        if (source === undefined) return;
        const { stamp } = replica;
        await this.#catchUp(replica, peer, source);
        // Where all is quiet, and yet the two differ, no change will ever tell.
        if (replica.stamp === stamp) await this.#compare(replica, peer, source, isRound);
      })
      .catch((error: unknown) => {
        this.#survive(error, replica, peer);
      });
    this.#queued.set(key, turn);
    return turn;
  }

  async #catchUp(replica: Replica, peer: PeerReplica, source: PullSource): Promise<CaughtUp> {
    const key = keyOf(replica, peer);
    const state = { peer: peer.server, since: this.#world.clock.wall(), done: 0, all: 0, objects: 0 };
    this.#catchUps.set(key, state);
    try {
      const world = this.#pullWorld(replica, (objects) => (state.objects += objects));
      const read = (done: number, all: number): void => void Object.assign(state, { done, all });
      const caughtUp = await catchUp(world, source, peer.id, this.#progress.get(key), { read });
      const { installed, progress } = caughtUp;
      this.#progress.set(key, progress);
      this.#settled(replica, peer, installed, progress.open);
      return caughtUp;
    } finally {
      this.#catchUps.delete(key);
    }
  }

  async #resolveWith(
    replica: Replica,
    peer: PeerReplica,
    source: PullSource,
    fids: readonly Fid[] | null,
    inconsistent: Set<Fid>,
    takesAll = false,
  ): Promise<number> {
    if (fids === null) return (await this.#catchUp(replica, peer, source)).installed;
    const pull = new Pull(this.#pullWorld(replica), source, takesAll);
    const statuses = await pull.ask(fids);
    const leaves = statuses.filter(({ kind }) => kind !== 'directory');
    const directories = statuses.filter((status) => status.kind === 'directory' && !isRemoved(status));
    for (const { fid } of directories) await pull.takeDirectory(fid);
    await pull.take(leaves, false);
    // Never heard of at the peer, or a directory that was removed with all that was in it: only its changes tell.
    const isAll = leaves.length + directories.length === new Set(fids).size;
    const changes = isAll && !pull.needsChanges ? undefined : await this.#catchUp(replica, peer, source);
    const { installed, unresolved } = await pull.finish(
      takesAll || !pull.needsChanges || changes?.unsettled === 0,
    );
    for (const fid of unresolved) inconsistent.add(fid);
    this.#settled(replica, peer, installed, unresolved);
    if (changes !== undefined || unresolved.size === 0) return installed + (changes?.installed ?? 0);
    return installed + (await this.#catchUp(replica, peer, source)).installed;
  }

  /**
   * Merges objects in which the two replicas differ although both have read all changes of each other; the answer is
   * how many cannot be settled. What only a peer that lacks something can tell (PL-2) is believed when all others were
   * asked.
   */
  async #compare(replica: Replica, peer: PeerReplica, source: PullSource, isRound: boolean): Promise<number> {
    let unsettled = 0;
    for await (const fids of differing(replica, source.link, this.#stop.signal)) {
      const compared = await this.#settleDifferent(replica, peer, source, fids, isRound);
      unsettled += compared.unsettled;
      // What is left the next round finds; but of an old disk all is wrong at once.
      if (compared.forgotten === 0) break;
    }
    return unsettled;
  }

  async #settleDifferent(
    replica: Replica,
    peer: PeerReplica,
    source: PullSource,
    fids: readonly Fid[],
    isRound: boolean,
  ): Promise<{ readonly unsettled: number; readonly forgotten: number }> {
    if (fids.length === 0) return { unsettled: 0, forgotten: 0 };
    const fields = { volume: replica.volume, peer: peer.server, objects: fids.length };
    this.#world.log.info('replicas differ', fields);
    await replica.mending.figures(fids);
    const world = { ...this.#world, signal: this.#stop.signal };
    const forgotten = await rememberForgotten(replica, peer.id, source.link, fids, world);
    if (forgotten.size > 0) this.nudge(replica, [peer.id]);
    const unsettled = new Set<Fid>();
    const isLast = isRound && this.#sources(replica).length === this.#peers(replica).length;
    const others = fids.filter((fid) => !forgotten.has(fid));
    if (others.length > 0) await this.#resolveWith(replica, peer, source, others, unsettled, isLast);
    return { unsettled: unsettled.size, forgotten: forgotten.size };
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
    // One that was removed has no business with the others any more.
    if (!entries.some(({ id }) => id === replica.id)) return [];
    return entries.filter(({ id }) => id !== replica.id);
  }

  /** Those that may have what this one has not: one that is being filled has nothing of its own. */
  #sources(replica: Replica): readonly PeerReplica[] {
    return this.#peers(replica).filter(({ state }) => state !== 'filling');
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

  #pullWorld(replica: Replica, progress: (objects: number) => void = () => undefined): PullWorld {
    const { clock, log } = this.#world;
    const { signal } = this.#stop;
    return { replica, fetch: this.#fetch, small: this.#small, clock, log, signal, progress };
  }

  readonly #small: PullWorld['small'] = async (link, wanted) => {
    const { containers, meter } = this.#world;
    const contents = await askSmallContents(containers, { wanted, link, signal: this.#stop.signal });
    for (const { length } of contents.values()) meter.fetched(length);
    return contents;
  };

  #settled(replica: Replica, peer: PeerReplica, installed: number, unsettled: ReadonlySet<Fid>): void {
    this.#world.meter.installed(installed);
    if (installed === 0 && unsettled.size === 0) return;
    const fields = { volume: replica.volume, peer: peer.server, installed, unsettled: unsettled.size };
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
  return `${replica.volume}/${replica.id}/${peer.id}`;
}
