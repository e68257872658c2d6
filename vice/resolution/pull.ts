/**
 * Brings objects of one volume replica together with what one peer holds of them: decides about each (decide.ts),
 * fetches the contents that it lacks, and merges them in steps, directories above before what is in them.
 *
 * PL-1  A directory says that it has known an update only when all that the update put into it is here, and what it
 *       took out of it is here as removed (VR-4): so what directories have known is merged last, in `finish`, and not
 *       at all for those in which something is missing. One that said so too early would let its own removal pass with
 *       something in it, and be revived for ever (ST-1): here, or at whoever believes this replica. A list of names
 *       does not tell what was removed; only the peer's changes do, read after it.
 * PL-2  What is not here, though the directory that the peer has it in has known it here, was taken out or removed: who
 *       says otherwise and knows of no removal has not heard of that. It waits until he has, or another one tells.
 * PL-3  A removed directory in which something is here that the peer has no record of is not merged: it waits until the
 *       peer has looked at that (catch-up.ts, forgotten.ts), and says that it lives, or is removed, too. So does one
 *       that lives, where the peer's has known how that came into it: then the peer has forgotten that it was removed.
 */
import {
  isFailure,
  isRemoved,
  isRunt,
  isWithin,
  knows,
  limits,
  type Fid,
  type Result,
  type VnodeStatus,
} from '../interface/index.js';
import { sleep, type Clock } from '../seam/clock.js';
import { withKnownOf } from '../volume/merge-step.js';
import type { MergeStep, Replica } from '../volume/replica.js';
import { ask, askDirectory } from './ask.js';
import { decide, hasBeenIn } from './decide.js';
import { fetchContents, type ContentsSource, type ContentsWorld } from './object-contents.js';
import { withWayUp } from './way-up.js';

export interface PullWorld extends ContentsWorld {
  readonly replica: Replica;
  readonly clock: Clock;
  /** Told of each step. */
  readonly progress?: (objects: number) => void;
}

export type PullSource = ContentsSource;

export interface PullOutcome {
  /** Objects that are different now. */
  readonly installed: number;
  /** To be looked at again: contents that nobody has, or a directory that is not here. */
  readonly unresolved: ReadonlySet<Fid>;
}

/** Objects in one step, and between two turns of the event loop. */
const stepObjects = 100;
/** New directories followed by one `resolve`; what lies deeper comes with the next catch-up. */
const followedMost = 1000;

export class Pull {
  readonly #world: PullWorld;
  readonly #source: PullSource;
  readonly #takesAll: boolean;
  /** Directories whose known updates are merged at the end, as the peer held them. */
  readonly #later = new Map<Fid, VnodeStatus>();
  /** Directories as the peer has held them last: some are asked for again, on the way up. */
  readonly #latest = new Map<Fid, VnodeStatus>();
  readonly #unresolved = new Set<Fid>();
  /** Directories in which something is missing. */
  readonly #incomplete = new Set<Fid>();
  /** Damaged here, and asked for because another object could not be merged without them. */
  readonly #wanted = new Set<Fid>();
  #installed = 0;
  #needsChanges = false;
  #missesRemovals = false;

  /** `takesAll`: also what PL-2 would have wait. */
  constructor(world: PullWorld, source: PullSource, takesAll = false) {
    this.#world = world;
    this.#source = source;
    this.#takesAll = takesAll;
  }

  /** Merges `peers`, in order. `isWhole`: also all that is in the directories among them is taken, before `finish`. */
  async take(peers: readonly VnodeStatus[], isWhole: boolean): Promise<void> {
    for (let start = 0; start < peers.length; start += stepObjects) {
      await this.#step(peers.slice(start, start + stepObjects), isWhole);
      await sleep(this.#world.clock, 0, this.#world.signal);
    }
  }

  /** Asks the peer how it holds `fids`; those that it does not know are left out. */
  async ask(fids: readonly Fid[]): Promise<readonly VnodeStatus[]> {
    const statuses: VnodeStatus[] = [];
    for (let start = 0; start < fids.length; start += 500) {
      const argument = { volume: this.#world.replica.volume, fids: fids.slice(start, start + 500), cop2: [] };
      const reply = await ask(this.#source.link, 'status', argument, this.#world.signal);
      for (const status of reply.statuses) if (status !== null) statuses.push(status);
    }
    return statuses;
  }

  /** A directory with all that is in it at the peer, and all that is in it here; new directories in it, too. */
  async takeDirectory(directory: Fid): Promise<void> {
    const queue = [directory];
    for (let followed = 0; queue.length > 0 && followed < followedMost; followed += 1) {
      const next = queue.shift() as Fid;
      const listing = await this.#list(next);
      if (listing === undefined) {
        this.#unresolved.add(next);
        this.#incomplete.add(next);
        continue;
      }
      const children = listing.entries.map(({ status }) => status);
      // Of names that are damaged here the peer says whose they may be; it is their objects here that say so.
      await this.#world.replica.mending.names(
        next,
        children.map(({ fid }) => fid),
      );
      for (const { kind, fid } of children) {
        if (kind === 'directory' && isNew(this.#own(fid))) queue.push(fid);
      }
      const listed = new Set(children.map(({ fid }) => fid));
      const others = (await this.#childrenOf(next)).filter((fid) => !listed.has(fid));
      const gone = await this.ask(others);
      this.#missesRemovals ||= gone.length < others.length;
      // What was in a removed directory is not known here, so it stays for now, and this one has not known its removal.
      const isWhole = !gone.some((status) => status.kind === 'directory' && isRemoved(status));
      if (!isWhole || !isWithin(listing.status?.known ?? {}, this.#own(next)?.known ?? {}))
        this.#needsChanges = true;
      if (listing.status !== null) await this.take([listing.status], isWhole);
      await this.take([...children, ...gone], false);
    }
  }

  /** What was removed in directories that were taken only the peer's changes tell: to be read before `finish`. */
  get needsChanges(): boolean {
    return this.#needsChanges;
  }

  /** Of what was read the peer may have forgotten what was removed in it. */
  missesRemovals(): void {
    this.#missesRemovals = true;
  }

  /**
   * Merges what directories have known. Nothing may be taken after it. `isRead` is false where the peer's changes were
   * needed and are not all here, or were not all told: then that waits.
   */
  async finish(isRead = true): Promise<PullOutcome> {
    if (!isRead) for (const fid of this.#later.keys()) this.#incomplete.add(fid);
    const latest = [...this.#later.values()].map((whole) => {
      // As the peer has held it last, but with what it had known when all that was in it was taken.
      return withKnownOf(whole, this.#latest.get(whole.fid) ?? whole);
    });
    const removed = new Set(latest.filter(isRemoved).map(({ fid }) => fid));
    for (const theirs of latest) {
      if (await this.#hasUnheardOf(theirs, removed)) this.#incomplete.add(theirs.fid);
    }
    for (const fid of [...this.#incomplete]) this.#keepAbove(fid, removed);
    for (const fid of this.#incomplete) if (this.#later.has(fid)) this.#unresolved.add(fid);
    const ready = latest.filter(({ fid }) => !this.#incomplete.has(fid));
    // Removed ones from below, as they are here: a directory in which there is still something is not removed. And they
    // before those that they were in, which have known that.
    const graves = ready.filter(isRemoved).map((status) => ({ status, depth: this.#depth(status) }));
    graves.sort((a, b) => b.depth - a.depth);
    const ordered = [...graves.map(({ status }) => status), ...ready.filter((status) => !isRemoved(status))];
    for (let start = 0; start < ordered.length; start += stepObjects) {
      await this.#merge({ objects: ordered.slice(start, start + stepObjects), withoutKnown: false });
    }
    const { mending } = this.#world.replica;
    for (const theirs of this.#later.values()) {
      const own = this.#own(theirs.fid);
      if (own !== undefined && !this.#incomplete.has(theirs.fid)) await mending.differentNames(own, theirs);
    }
    await mending.settleDoubts();
    return { installed: this.#installed, unresolved: this.#unresolved };
  }

  /**
   * A removed directory that has to wait is still in the one that it is in here: that one has not known the removal,
   * and waits, too, with its own removal if it is removed.
   */
  #keepAbove(fid: Fid, removed: ReadonlySet<Fid>): void {
    for (let at = fid; removed.has(at);) {
      const above = this.#own(at)?.parent ?? null;
      if (above === null || this.#incomplete.has(above)) return;
      this.#incomplete.add(above);
      at = above;
    }
  }

  /** PL-3. */
  async #hasUnheardOf({ fid, known, names }: VnodeStatus, removed: ReadonlySet<Fid>): Promise<boolean> {
    if (this.#takesAll) return false;
    const isGone = removed.has(fid);
    if (!isGone && (!this.#missesRemovals || this.#own(fid)?.names === names)) return false;
    const inside = (await this.#childrenOf(fid)).filter((child) => {
      if (removed.has(child)) return false;
      return isGone || this.#own(child)?.places.some(({ storeId }) => knows(known, storeId)) === true;
    });
    if (inside.length === 0) return false;
    const told = await this.ask(inside);
    // What the peer has come to know since its changes were read is not merged here yet; of directories what they have
    // known is merged with this one.
    const isUnread = (each: VnodeStatus): boolean => !this.#later.has(each.fid) && this.#isNews(each);
    return told.length < inside.length || told.some(isUnread);
  }

  async #step(peers: readonly VnodeStatus[], isWhole: boolean): Promise<void> {
    for (const peer of isWhole ? peers : []) {
      if (peer.kind === 'directory' && this.#isNews(peer)) this.#later.set(peer.fid, peer);
    }
    const world = { own: (fid: Fid) => this.#own(fid), ask: (fids: readonly Fid[]) => this.ask(fids) };
    const ordered = (await withWayUp(peers, world)).filter((peer) => {
      const waits = !this.#takesAll && this.#hasBeenHere(peer);
      if (waits) {
        this.#world.log.info('not taken back', { fid: peer.fid });
        this.#isMissing(peer);
      }
      return !waits;
    });
    if (ordered.length === 0) return;
    for (const peer of ordered) if (peer.kind === 'directory') this.#latest.set(peer.fid, peer);
    const releases: (() => void)[] = [];
    try {
      const objects = ordered.flatMap((peer) => decide(this.#own(peer.fid), peer).next ?? []);
      const { missing, packed } = await fetchContents(this.#world, this.#source, objects, releases);
      for (const peer of ordered) if (missing.has(peer.fid)) this.#isMissing(peer);
      const whole = ordered.filter(({ fid }) => !missing.has(fid));
      await this.#merge({ objects: whole, withoutKnown: true, packed });
    } finally {
      for (const release of releases) release();
    }
  }

  async #merge(step: MergeStep): Promise<void> {
    if (step.objects.length === 0) return;
    try {
      await this.#mergeAll(step);
    } catch (error) {
      if (!isFailure(error, 'damaged') || error.fid === undefined) throw error;
      await this.#mergeEach(step);
    }
  }

  async #mergeAll(step: MergeStep): Promise<void> {
    const { changed, skipped } = await this.#world.replica.merge(step);
    for (const status of step.objects) if (skipped.includes(status.fid)) this.#isMissing(status);
    this.#installed += changed.length;
    this.#world.progress?.(changed.length);
  }

  /**
   * What is damaged here holds up only what cannot be put into the tree without it: one object at a time, and again as
   * long as one of them has replaced what another one waits for.
   */
  async #mergeEach(step: MergeStep): Promise<void> {
    for (let left = step.objects, before = Infinity; left.length > 0 && left.length < before;) {
      before = left.length;
      const waiting: VnodeStatus[] = [];
      for (const object of left) {
        try {
          await this.#mergeAll({ ...step, objects: [object] });
        } catch (error) {
          if (!isFailure(error, 'damaged') || error.fid === undefined) throw error;
          if (!(await this.#mergeWith(object, error.fid))) waiting.push(object);
        }
      }
      left = waiting;
      if (left.length === before) for (const object of left) this.#isMissing(object);
    }
  }

  /** Together with what is damaged here and in its way. */
  async #mergeWith(object: VnodeStatus, damaged: Fid): Promise<boolean> {
    this.#world.log.warn('object not merged', { fid: object.fid, damaged });
    if (damaged === object.fid || this.#wanted.has(damaged)) return false;
    this.#wanted.add(damaged);
    const others = await this.ask([damaged]);
    if (others.length > 0) await this.#step([...others, object], false);
    return others.length > 0;
  }

  /** What says that it has the object (or had it) must not say so here: where it is, and where it was. */
  #isMissing(peer: VnodeStatus): void {
    this.#unresolved.add(peer.fid);
    this.#incomplete.add(peer.fid);
    for (const { places } of [peer, this.#own(peer.fid) ?? peer]) {
      for (const { parent } of places) this.#incomplete.add(parent);
    }
  }

  /** PL-2. What is damaged here counts as missing, and is taken; but nothing is in a directory that is removed. */
  #hasBeenHere(peer: VnodeStatus): boolean {
    const [place] = peer.places;
    const directory = place && this.#own(place.parent);
    if (directory === undefined || !hasBeenIn(directory, peer)) return false;
    try {
      return this.#world.replica.held(peer.fid) === undefined;
    } catch (error) {
      if (isFailure(error, 'damaged')) return isRemoved(directory);
      throw error;
    }
  }

  #isNews(peer: VnodeStatus): boolean {
    return decide(this.#own(peer.fid), peer).next !== undefined;
  }

  /** A damaged object counts as missing: what the peer has comes in its place. */
  #own(fid: Fid): VnodeStatus | undefined {
    try {
      return this.#world.replica.held(fid);
    } catch (error) {
      if (!isFailure(error, 'damaged')) throw error;
      this.#world.log.warn('object damaged', { fid });
      return undefined;
    }
  }

  /** Those that can be read: another one is brought anew with the directory. */
  async #childrenOf(directory: Fid): Promise<readonly Fid[]> {
    const { replica, clock, signal } = this.#world;
    const fids: Fid[] = [];
    for (const fid of replica.fidsIn(directory)) {
      if (fid === undefined) await sleep(clock, 0, signal);
      else fids.push(fid);
    }
    return fids;
  }

  /** Of where it is here, until its removal is merged: the peer may have moved it before. */
  #depth(status: VnodeStatus): number {
    let depth = 0;
    for (
      let next = (this.#own(status.fid) ?? status).parent;
      next !== null && depth < limits.depth;
      depth += 1
    ) {
      next = this.#own(next)?.parent ?? null;
    }
    return depth;
  }

  /**
   * The peer's directory, its status and names of one moment; undefined when it is gone or never keeps still.
   */
  async #list(fid: Fid): Promise<Result<'list'> | undefined> {
    const { link } = this.#source;
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const listing = await askDirectory(link, fid, this.#world.clock, this.#world.signal);
      if (listing?.status?.fid !== fid || listing.status.kind !== 'directory') return undefined;
      const [now] = await this.ask([fid]);
      // Unchanged after the last name as before the first one: the names are of this version.
      if (now === undefined) return undefined;
      if (now.names === listing.status.names && isWithin(now.known, listing.status.known)) return listing;
    }
    return undefined;
  }
}

/** Whether nothing that is in the directory need be here. */
function isNew(own: VnodeStatus | undefined): boolean {
  return own === undefined || isRunt(own);
}
