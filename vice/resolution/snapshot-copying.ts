/**
 * Snapshots come to replicas that lack them: those that were away when one was taken, and those that came to the volume
 * later. Every minute each replica asks the others what they have; what it lacks it copies from one of them, oldest
 * first, page by page, contents before the rows that name them (vice/volume/snapshot-copies.ts). Nobody waits for that
 * but a replica that leaves: it goes when others have all of its snapshots (`gather`).
 *
 * SY-1  A deleted snapshot does not come back: what others have deleted is heard before it is looked what is lacking.
 * SY-2  A replica that is being filled copies none: each row would be kept twice until the living one is there.
 * SY-3  What was taken just now is left alone for a minute: the same command is on its way to all, and what each takes
 *       by itself costs nothing.
 * SY-4  Contents that the other replica itself has no more hinder no copy: it is no worse than what it is made of.
 */
import {
  emptyDigest,
  Failure,
  isFailure,
  isOfDump,
  snapshotsHeld,
  versionsOf,
  volumeEntry,
  type FileData,
  type Result,
  type SnapshotId,
  type VnodeStatus,
} from '../interface/index.js';
import { sleep } from '../seam/clock.js';
import type { Link } from '../seam/network.js';
import type { Replica } from '../volume/replica.js';
import type { CopyUnderWay } from '../volume/copied-snapshots.js';
import { ask } from './ask.js';
import { containerFetcher } from './fetch-container.js';
import type { ResolverWorld } from './resolver-world.js';
import { askSmallContents } from './small-contents.js';
import { Turns } from './turns.js';

/** Milliseconds between two rounds, and between two pages. */
const roundMs = 60_000;
const pauseMs = 20;
/** SY-3. */
const settlingMs = 60_000;
/** Containers fetched at the same time. */
const fetchedAtOnce = 4;

const operation = 'resolution.snapshots';

interface Peer {
  readonly id: string;
  readonly server: string;
  readonly link: Link;
  readonly news: Result<'snapshotNews'>;
}

interface Heard {
  readonly peers: readonly Peer[];
  /** All other replicas have been asked. */
  readonly isAll: boolean;
}

export class SnapshotCopier {
  readonly #world: ResolverWorld;
  readonly #sweep: (replica: Replica) => void;
  readonly #fetch;
  readonly #stop = new AbortController();
  readonly #turns = new Turns(this.#stop.signal);
  readonly #told = new Map<string, string>();
  #running: Promise<void> = Promise.resolve();

  /** `sweep` begins to take away what no snapshot of a replica needs any more. */
  constructor(world: ResolverWorld, sweep: (replica: Replica) => void) {
    this.#world = world;
    this.#sweep = sweep;
    this.#fetch = containerFetcher(world.containers, (bytes) => world.meter.fetched(bytes));
  }

  start(): void {
    this.#running = this.#rounds();
  }

  /** Stops where it is. */
  async close(): Promise<void> {
    this.#stop.abort(new Error('the server closes'));
    await Promise.allSettled([this.#running, this.#turns.over()]);
  }

  /**
   * Brings all snapshots of the replica `id` to `replica`; the answer is how many it lacks all the same. Undefined: the
   * other one cannot be reached.
   */
  gather(replica: Replica, id: string): Promise<number | undefined> {
    return this.#turns.take(replica.volume, async () => {
      const { peers } = await this.#heard(replica, id);
      const [peer] = peers;
      if (peer === undefined) return undefined;
      await this.#bringAll(replica, peers, 0);
      const own = new Set(replica.snapshots.list().map(nameOf));
      const dropped = new Set(replica.snapshots.copies.dropped().map(nameOf));
      const wanted = peer.news.snapshots.filter((each) => !isOfDump(each.name) && !dropped.has(nameOf(each)));
      return wanted.filter((each) => !own.has(nameOf(each))).length;
    });
  }

  /**
   * Puts a snapshot of `replica` right that is damaged here. Until that is done it is not to be seen here.
   * @throws Failure not-found: no other server that can be reached has it
   */
  renew(replica: Replica, snapshot: SnapshotId): Promise<void> {
    return this.#turns.take(replica.volume, async () => {
      const { copies } = replica.snapshots;
      const { peers } = await this.#heard(replica);
      let hindered = new Failure(
        'not-found',
        operation,
        'no other server that can be reached has the snapshot',
      );
      for (const peer of peers) {
        if (!peer.news.snapshots.some((each) => nameOf(each) === nameOf(snapshot))) continue;
        const copy = await copies.renew(snapshot, peer.id);
        if (copy === undefined) return;
        try {
          if (await this.#copy(replica, copy, peer, peers)) return;
        } catch (error) {
          this.#stop.signal.throwIfAborted();
          if (!isFailure(error)) throw error;
          hindered = error;
          await copies.cancel(snapshot);
        }
      }
      throw hindered;
    });
  }

  async #rounds(): Promise<void> {
    const { signal } = this.#stop;
    for (;;) {
      await sleep(this.#world.clock, roundMs, signal).catch(() => undefined);
      if (signal.aborted) return;
      for (const replica of [...this.#world.replicas()]) {
        if (replica.standing !== 'member') continue;
        await this.#turns
          .take(replica.volume, () => this.#round(replica))
          .catch((error: unknown) => {
            this.#survive(error, replica, '');
          });
      }
    }
  }

  async #round(replica: Replica): Promise<void> {
    const { peers, isAll } = await this.#heard(replica);
    await this.#bringAll(replica, peers, settlingMs);
    if (!isAll) return;
    const held = new Set(peers.flatMap(({ news }) => [...news.snapshots, ...news.coming]).map(nameOf));
    const { copies } = replica.snapshots;
    const orphans = copies.underWay().filter((copy) => !held.has(nameOf(copy)));
    for (const orphan of orphans) await copies.cancel(orphan);
    if (orphans.length > 0) this.#sweep(replica);
    const forgettable = copies.dropped().filter((each) => !held.has(nameOf(each)));
    if (forgettable.length > 0) await copies.forget(forgettable);
  }

  /** SY-1. `only`: one replica. */
  async #heard(replica: Replica, only?: string): Promise<Heard> {
    const entries = volumeEntry(this.#world.realm(), replica.volume)?.replicas ?? [];
    // One that was removed has no business with the others any more.
    if (!entries.some(({ id }) => id === replica.id)) return { peers: [], isAll: false };
    const others = entries.filter(({ id, state }) => id !== replica.id && state !== 'filling');
    const peers: Peer[] = [];
    for (const { id, server } of others) {
      if (only !== undefined && id !== only) continue;
      const link = this.#world.links.linked(server);
      if (link === undefined) continue;
      try {
        const news = await ask(link, 'snapshotNews', { volume: replica.volume }, this.#stop.signal);
        if (news.replica === id) peers.push({ id, server, link, news });
      } catch (error) {
        this.#survive(error, replica, server);
      }
    }
    const dropped = peers.flatMap(({ news }) => news.dropped);
    if (dropped.length > 0) {
      const gone = await replica.snapshots.copies.hear(dropped);
      for (const { name } of gone) {
        this.#world.log.info('snapshot deleted', { volume: replica.volume, name, by: 'another server' });
      }
      if (gone.length > 0) this.#sweep(replica);
    }
    return { peers, isAll: peers.length === others.length };
  }

  async #bringAll(replica: Replica, peers: readonly Peer[], youngestMs: number): Promise<void> {
    if (replica.standing !== 'member') return;
    const held = snapshotsHeld(peers.map(({ id, news }) => [id, news.snapshots] as const));
    const own = new Set(replica.snapshots.list().map(nameOf));
    const now = this.#world.clock.wall();
    for (const { name, time, holders } of held) {
      if (own.has(nameOf({ name, time })) || isOfDump(name) || now - time < youngestMs) continue;
      const copying = replica.snapshots.copies.underWay().find((each) => each.name === name)?.copy.from;
      const from = peers.filter(({ id }) => holders.includes(id));
      // One that is under way goes on where it was; while its holder is only out of reach it is begun anew (SC-2).
      from.sort((a, b) => Number(b.id === copying) - Number(a.id === copying));
      for (const peer of from) if (await this.#tried(replica, { name, time }, peer, [...peers])) break;
    }
  }

  /** Whether there is nothing more to be done about it. */
  async #tried(replica: Replica, snapshot: SnapshotId, peer: Peer, peers: readonly Peer[]): Promise<boolean> {
    const fields = { volume: replica.volume, name: snapshot.name, from: peer.server };
    const key = `${replica.volume}/${replica.id}/${peer.id}/${nameOf(snapshot)}`;
    try {
      const begun = await replica.snapshots.copies.begin(snapshot, peer.id);
      if (begun === undefined) return true;
      if (typeof begun === 'string') {
        this.#tell(key, begun, fields);
        return true;
      }
      const isWhole = await this.#copy(replica, begun, peer, peers);
      if (isWhole) this.#world.log.info('snapshot brought', fields);
      else this.#sweep(replica);
      this.#told.delete(key);
      return true;
    } catch (error) {
      this.#stop.signal.throwIfAborted();
      if (!isFailure(error)) throw error;
      this.#tell(key, error.message, fields);
      return false;
    }
  }

  /** False: it was deleted meanwhile. */
  async #copy(replica: Replica, copy: CopyUnderWay, peer: Peer, peers: readonly Peer[]): Promise<boolean> {
    const { volume, snapshots } = replica;
    const { signal } = this.#stop;
    const snapshot = { name: copy.name, time: copy.time };
    let { after } = copy.copy;
    for (;;) {
      const argument = { volume, replica: peer.id, snapshot, after };
      const page = await ask(peer.link, 'snapshotRows', argument, signal);
      const releases: (() => void)[] = [];
      try {
        const objects = snapshots.copies.differing(copy, page.objects);
        const packed = await this.#contents(replica, objects, peer, peers, releases);
        while (after !== page.upTo) {
          const mark = await snapshots.copies.put(copy, page, packed);
          if (mark === undefined) return false;
          if (mark.after === after) throw incompatible(peer);
          ({ after } = mark);
        }
      } finally {
        for (const release of releases) release();
      }
      if (!page.more) return true;
      await sleep(this.#world.clock, pauseMs, signal);
    }
  }

  /** Holds the contents of `objects`, and fetches those that are not here; the small ones are put with their rows. */
  async #contents(
    replica: Replica,
    objects: readonly VnodeStatus[],
    peer: Peer,
    peers: readonly Peer[],
    releases: (() => void)[],
  ): Promise<ReadonlyMap<string, Uint8Array>> {
    const { containers, meter } = this.#world;
    const { signal } = this.#stop;
    const versions = objects.flatMap(versionsOf).filter(({ digest }) => digest !== emptyDigest);
    // Held before it is asked whether they are here.
    for (const { digest } of versions) releases.push(replica.hold(digest));
    const packed = await askSmallContents(containers, { wanted: versions, link: peer.link, signal });
    for (const { length } of packed.values()) meter.fetched(length);
    const waiting = [...new Map(versions.map((version) => [version.digest, version])).values()].filter(
      ({ digest }) => !packed.has(digest),
    );
    const fetchNext = async (): Promise<void> => {
      for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
        await this.#fetched(replica, next, peer, peers);
      }
    };
    for (const outcome of await Promise.allSettled(Array.from({ length: fetchedAtOnce }, fetchNext)))
      if (outcome.status === 'rejected') throw outcome.reason;
    return packed;
  }

  /** SY-4. */
  async #fetched(
    replica: Replica,
    { digest, length }: FileData,
    peer: Peer,
    peers: readonly Peer[],
  ): Promise<void> {
    const { signal } = this.#stop;
    const links = [peer.link, ...peers.flatMap(({ link }) => (link === peer.link ? [] : [link]))];
    try {
      await this.#fetch({ digest, length, sources: links, signal });
    } catch (error) {
      if (!isFailure(error, 'not-found', 'damaged', 'unreachable', 'timeout')) throw error;
      try {
        await this.#fetch({ digest, length, sources: [peer.link], signal });
      } catch (again) {
        if (!isFailure(again, 'not-found', 'damaged')) throw again;
        const { message: reason } = again;
        this.#world.log.warn('contents of a snapshot not fetched', {
          volume: replica.volume,
          digest,
          reason,
        });
      }
    }
  }

  /** Once. */
  #tell(key: string, reason: string, fields: Readonly<Record<string, string>>): void {
    if (this.#told.get(key) === reason) return;
    this.#told.set(key, reason);
    this.#world.log.warn('snapshot not brought', { ...fields, reason });
  }

  #survive(error: unknown, { volume }: Replica, peer: string): void {
    if (this.#stop.signal.aborted) return;
    if (!isFailure(error)) throw error;
    this.#world.log.warn('snapshots not compared', { volume, peer, reason: error.message });
  }
}

function nameOf({ name, time }: SnapshotId): string {
  return `${time} ${name}`;
}

function incompatible({ server }: Peer): Failure {
  return new Failure('incompatible', operation, `${server} tells of no rows that this server knows`);
}
