/**
 * Brings objects of one volume replica up to date from one peer: decides about each (decide.ts), fetches
 * what is needed, and installs it in steps that keep the tree a tree (plan.ts).
 *
 * Two ways in: what concerns one object only (new contents, larger counts, an object that no directory here
 * names yet) is installed in batches as it comes, so that memory stays bounded however much was missed;
 * what changes names waits in `candidates` until all that belongs to it is known.
 *
 * New directories are brought from below: a directory is installed after everything in it, and only then
 * bound, so that nobody here ever sees half of a new tree.
 */
import {
  emptyDigest,
  isFailure,
  isWithin,
  limits,
  type DirectoryEntry,
  type Fid,
  type Result,
  type VnodeStatus,
} from '../interface/index.js';
import { sleep, type Clock } from '../seam/clock.js';
import type { Log } from '../seam/log.js';
import type { Link } from '../seam/network.js';
import type { ForcedObject, ForceStep, Replica } from '../volume/replica.js';
import { ask, askDirectory } from './ask.js';
import { decide, healed, pulled, type Held } from './decide.js';
import type { FetchContainer } from './fetch-container.js';
import { plan, stepObjects, type Candidate, type OwnTree } from './plan.js';

export interface PullWorld {
  readonly replica: Replica;
  readonly fetch: FetchContainer;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

export interface PullSource {
  readonly link: Link;
  /** Where containers may be fetched: the link first. */
  readonly containerSources: readonly Link[];
}

export interface PullOutcome {
  /** Objects installed or removed. */
  installed: number;
  /** Both sides have updates that the other has not. */
  readonly inconsistent: Set<Fid>;
  /** To be looked at again: what belongs to them is missing or inconsistent, or was overtaken here. */
  readonly unresolved: Set<Fid>;
}

/** Containers fetched at the same time. */
const fetchedAtOnce = 4;
/** Objects decided between two turns of the event loop. */
const judgedAtOnce = 200;

/** What the peer holds: as it said; `ask` has it asked, undefined: the peer knows nothing of it. */
export type Subject = Held | 'ask' | undefined;

export async function pull(
  world: PullWorld,
  source: PullSource,
  subjects: ReadonlyMap<Fid, Subject>,
): Promise<PullOutcome> {
  return new Pull(world, source, subjects).run();
}

class Pull {
  readonly #world: PullWorld;
  readonly #replica: Replica;
  readonly #source: PullSource;
  readonly #subjects: Map<Fid, Subject>;
  readonly #queue: Fid[];
  readonly #judged = new Set<Fid>();
  /** Whole in themselves, to be installed with the next batch, in this order. */
  readonly #ready = new Map<Fid, ForcedObject>();
  readonly #candidates = new Map<Fid, Candidate>();
  /** New directories being brought, outermost first. */
  readonly #bringing = new Set<Fid>();
  readonly #children = new Map<Fid, ReadonlySet<Fid>>();
  readonly #outcome: PullOutcome = { installed: 0, inconsistent: new Set(), unresolved: new Set() };

  constructor(world: PullWorld, source: PullSource, subjects: ReadonlyMap<Fid, Subject>) {
    this.#world = world;
    this.#replica = world.replica;
    this.#source = source;
    this.#subjects = new Map(subjects);
    this.#queue = [...subjects.keys()];
  }

  async run(): Promise<PullOutcome> {
    for (let judged = 1; ; judged += 1) {
      const fid = this.#queue.shift();
      if (fid === undefined) break;
      if (this.#judged.has(fid)) continue;
      this.#judged.add(fid);
      await this.#judge(fid, await this.#subject(fid));
      if (judged % judgedAtOnce === 0) await sleep(this.#world.clock, 0, this.#world.signal);
    }
    await this.#installReady();
    await this.#installCandidates();
    return this.#outcome;
  }

  /** Has `fid` judged too, by what the peer holds (default: ask it). */
  #need(fid: Fid | null | undefined, subject: Subject = 'ask'): void {
    if (fid === null || fid === undefined || this.#judged.has(fid)) return;
    if (!this.#subjects.has(fid)) this.#subjects.set(fid, subject);
    this.#queue.push(fid);
  }

  async #subject(fid: Fid): Promise<Held | undefined> {
    const subject = this.#subjects.get(fid);
    if (subject !== 'ask') return subject;
    const asked = this.#queue.filter((other) => this.#subjects.get(other) === 'ask');
    const fids = [...new Set([fid, ...asked])].slice(0, 500);
    const argument = { volume: this.#replica.volume, fids, cop2: [] };
    const { statuses } = await ask(this.#source.link, 'status', argument, this.#world.signal);
    for (const [index, each] of fids.entries()) {
      const status = statuses[index];
      this.#subjects.set(each, status?.fid === each ? { status, removed: false } : undefined);
    }
    const answer = this.#subjects.get(fid);
    return answer === 'ask' ? undefined : answer;
  }

  #own(fid: Fid): Held | undefined {
    const status = this.#ownStatus(fid);
    return status === undefined ? undefined : { status, removed: false };
  }

  /** A damaged object counts as missing: what the peer has comes in its place. */
  #ownStatus(fid: Fid): VnodeStatus | undefined {
    try {
      return this.#replica.status(fid);
    } catch (error) {
      if (!isFailure(error, 'damaged')) throw error;
      this.#world.log.warn('object damaged', { fid });
      return undefined;
    }
  }

  /** Parent of an object that is here or about to be; undefined: it is neither. */
  #parentHere(fid: Fid): Fid | null | undefined {
    return this.#ready.get(fid)?.status.parent ?? this.#ownStatus(fid)?.parent;
  }

  async #judge(fid: Fid, peer: Held | undefined): Promise<void> {
    const own = this.#own(fid);
    const verdict = decide(own, peer);
    if (peer === undefined || verdict === 'keep') return;
    switch (verdict) {
      case 'inconsistent':
        this.#outcome.inconsistent.add(fid);
        return;
      case 'pull-vector':
        if (own !== undefined) await this.#add({ status: healed(own.status, peer.status), entries: null });
        return;
      case 'remove':
        return this.#remove(own?.status, peer.status);
      case 'pull':
        if (peer.status.kind === 'directory') return this.#pullDirectory(fid);
        return this.#pullLeaf(own?.status, peer.status);
    }
  }

  /** A file or symbolic link: by itself, unless it has moved. */
  async #pullLeaf(own: VnodeStatus | undefined, peer: VnodeStatus): Promise<void> {
    const next = pulled(own, peer);
    if (own === undefined || own.parent === peer.parent) return this.#add({ status: next, entries: null });
    this.#candidates.set(peer.fid, { fid: peer.fid, own, next, removed: false, entries: null });
    this.#need(own.parent);
    this.#need(peer.parent);
  }

  #remove(own: VnodeStatus | undefined, tombstone: VnodeStatus): void {
    const fid = tombstone.fid;
    const next = own === undefined ? tombstone : pulled(own, tombstone);
    this.#candidates.set(fid, { fid, own, next, removed: true, entries: null });
    if (own === undefined) return;
    this.#need(own.parent);
    for (const child of this.#childrenOf(fid)) this.#need(child);
  }

  /** A directory: with all its names, and all that they name. */
  async #pullDirectory(fid: Fid): Promise<void> {
    const listing = await this.#list(fid);
    if (listing === undefined) {
      this.#outcome.unresolved.add(fid);
      return;
    }
    // Judged again by what was listed: the peer, or this replica, may have moved on.
    const own = this.#own(fid);
    const verdict = decide(own, { status: listing.status, removed: false });
    if (verdict === 'inconsistent') this.#outcome.inconsistent.add(fid);
    if (verdict === 'pull-vector' && own !== undefined) {
      return this.#add({ status: healed(own.status, listing.status), entries: null });
    }
    if (verdict !== 'pull') return;
    await this.#bringChildren(fid, listing);
    const entries = listing.entries.map(({ name, status }) => ({ name, fid: status.fid, kind: status.kind }));
    const next = pulled(own?.status, listing.status);
    if (own === undefined && entries.every((entry) => this.#parentHere(entry.fid) === fid)) {
      return this.#add({ status: next, entries });
    }
    this.#candidates.set(fid, { fid, own: own?.status, next, removed: false, entries });
    this.#needNeighbours(own?.status, next, listing, entries);
  }

  /** All that changes its place together with a directory's names. */
  #needNeighbours(
    own: VnodeStatus | undefined,
    next: VnodeStatus,
    listing: DirectoryListing,
    entries: readonly DirectoryEntry[],
  ): void {
    for (const { status } of listing.entries) {
      if (this.#parentHere(status.fid) !== next.fid) this.#need(status.fid, { status, removed: false });
    }
    if (own === undefined) return;
    const named = new Set(entries.map((entry) => entry.fid));
    for (const child of this.#childrenOf(own.fid)) if (!named.has(child)) this.#need(child);
    if (own.parent === next.parent) return;
    this.#need(own.parent);
    this.#need(next.parent);
  }

  /** Brings what a directory of the peer names and this replica does not have, directories whole. */
  async #bringChildren(directory: Fid, listing: DirectoryListing): Promise<void> {
    if (this.#bringing.has(directory) || this.#bringing.size > limits.depth) return;
    this.#bringing.add(directory);
    for (const { status } of listing.entries) {
      if (this.#parentHere(status.fid) !== undefined || this.#candidates.has(status.fid)) continue;
      if (decide(undefined, { status, removed: false }) !== 'pull') continue;
      this.#judged.add(status.fid);
      if (status.kind === 'directory') await this.#pullDirectory(status.fid);
      else await this.#add({ status, entries: null });
    }
    this.#bringing.delete(directory);
  }

  /**
   * The peer's directory, its status and names of one moment; undefined when it is gone or never keeps
   * still.
   */
  async #list(fid: Fid): Promise<DirectoryListing | undefined> {
    const { link } = this.#source;
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const listing = await askDirectory(link, fid, this.#world.clock, this.#world.signal);
      if (listing?.status?.fid !== fid || listing.status.kind !== 'directory') return undefined;
      const argument = { volume: this.#replica.volume, fids: [fid], cop2: [] };
      const [now] = (await ask(link, 'status', argument, this.#world.signal)).statuses;
      // Unchanged after the last name as before the first one: the names are of this version.
      if (now === null || now === undefined) return undefined;
      if (now.storeId === listing.status.storeId && isWithin(now.known, listing.status.known)) {
        return { status: listing.status, entries: listing.entries };
      }
    }
    return undefined;
  }

  #childrenOf(directory: Fid): ReadonlySet<Fid> {
    const known = this.#children.get(directory);
    if (known !== undefined) return known;
    const children = new Set<Fid>();
    try {
      for (const { status } of this.#replica.list(directory)?.entries ?? []) children.add(status.fid);
    } catch (error) {
      // What cannot be read here is brought anew with the directory.
      if (!isFailure(error, 'damaged')) throw error;
    }
    this.#children.set(directory, children);
    return children;
  }

  async #add(object: ForcedObject): Promise<void> {
    this.#ready.set(object.status.fid, object);
    if (this.#ready.size >= stepObjects) await this.#installReady();
  }

  async #installReady(): Promise<void> {
    const batch = [...this.#ready.values()];
    if (batch.length === 0) return;
    const releases: (() => void)[] = [];
    try {
      const missing = await this.#fetchContents(batch, releases);
      const objects: ForcedObject[] = [];
      for (const object of batch) {
        const lacks = object.entries?.some((entry) => missing.has(entry.fid)) === true;
        if (lacks) missing.add(object.status.fid);
        if (missing.has(object.status.fid)) this.#outcome.unresolved.add(object.status.fid);
        else objects.push(object);
      }
      await this.#force({ objects, removed: [] });
    } finally {
      this.#ready.clear();
      for (const release of releases) release();
    }
  }

  async #installCandidates(): Promise<void> {
    const tree: OwnTree = {
      parent: (fid) => this.#ownStatus(fid)?.parent,
      children: (directory) => this.#childrenOf(directory),
    };
    const { steps, blocked } = plan(tree, this.#candidates);
    for (const fid of blocked) this.#outcome.unresolved.add(fid);
    for (const step of steps) {
      const releases: (() => void)[] = [];
      try {
        const missing = await this.#fetchContents(step.objects, releases);
        if (missing.size === 0) await this.#force(step);
        else for (const { status } of step.objects) this.#outcome.unresolved.add(status.fid);
      } finally {
        for (const release of releases) release();
      }
    }
  }

  /**
   * Fetches the containers of `objects` and holds them; the answer is the objects whose contents nobody
   * has.
   */
  async #fetchContents(objects: readonly ForcedObject[], releases: (() => void)[]): Promise<Set<Fid>> {
    const missing = new Set<Fid>();
    const waiting = objects.filter(({ status: { data } }) => data !== null && data.digest !== emptyDigest);
    const fetchNext = async (): Promise<void> => {
      for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
        const data = next.status.data;
        if (data === null) continue;
        const { digest, length } = data;
        releases.push(this.#replica.hold(digest));
        const sources = this.#source.containerSources;
        try {
          await this.#world.fetch({ digest, length, sources, signal: this.#world.signal });
        } catch (error) {
          if (!isFailure(error, 'not-found', 'damaged', 'unreachable', 'timeout')) throw error;
          const { fid } = next.status;
          this.#world.log.warn('contents not fetched', { fid, digest, reason: error.message });
          missing.add(fid);
        }
      }
    };
    await Promise.all(Array.from({ length: fetchedAtOnce }, fetchNext));
    return missing;
  }

  async #force(step: ForceStep): Promise<void> {
    if (step.objects.length + step.removed.length === 0) return;
    const { installed, skipped } = await this.#replica.force(step);
    this.#outcome.installed += installed.length;
    for (const { status } of step.objects) this.#children.delete(status.fid);
    // A file that is still not here, or a tombstone for nothing, was skipped for a tombstone that is here
    // already.
    for (const fid of skipped) {
      const isLeaf = step.objects.every(({ status }) => status.fid !== fid || status.kind !== 'directory');
      if (!isLeaf || this.#own(fid) !== undefined) this.#outcome.unresolved.add(fid);
    }
  }
}

interface DirectoryListing {
  readonly status: VnodeStatus;
  readonly entries: Result<'list'>['entries'];
}
