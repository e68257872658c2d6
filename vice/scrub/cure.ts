/** Tries what may help against what a scrub has found, looks again, and keeps what nothing helped against. */
import { isFailure, type Fid, type VolumeId } from '../interface/index.js';
import { SnapshotKeys } from '../store/snapshot-rows.js';
import { VolumeKeys } from '../store/volume-store.js';
import type { Replica } from '../volume/replica.js';
import { pathOf } from './examine.js';
import { keyOf, remediesFor, type Finding, type Found, type Remedy } from './finding.js';
import type { Look } from './look.js';
import { disagreements } from './peer-comparison.js';
import { savedFaultsOf, type SavedFault } from './saved-rows.js';
import type { ScrubNotes } from './scrub-notes.js';
import type { ScrubWorld } from './scrub-world.js';

const order: readonly Remedy[] = ['fetch', 'recount', 'resolve', 'search'];
const unchanged = 'what was tried did not help';

export class Cure {
  readonly #world: ScrubWorld;
  readonly #notes: ScrubNotes;
  readonly #look: Look;
  readonly #signal: AbortSignal;

  constructor(world: ScrubWorld, notes: ScrubNotes, look: Look, signal: AbortSignal) {
    this.#world = world;
    this.#notes = notes;
    this.#look = look;
    this.#signal = signal;
  }

  /** What is wrong with one object; the answer is how many of these faults are healed. */
  async object(replica: Replica, fid: Fid, faults: readonly Found[]): Promise<number> {
    let left = faults;
    let reason = unchanged;
    for (const remedy of order) {
      const fitting = left.filter(({ fault }) => remediesFor(fault).includes(remedy));
      if (fitting.length === 0) continue;
      reason = (await this.#tried(() => this.#apply(remedy, replica, fid, fitting))) ?? reason;
      left = await this.#look.object(replica, fid);
    }
    for (const found of left) await this.#keep(found, replica.volume, reason);
    const remaining = new Set(left.map((found) => keyOf(found, replica.volume)));
    return this.#healed(faults.filter((found) => !remaining.has(keyOf(found, replica.volume))));
  }

  /** Contents that cannot be read whole; `volumes` name them. */
  async contents(found: Found, volumes: readonly VolumeId[]): Promise<number> {
    const { digest } = found;
    if (digest === null) return 0;
    const reason = (await this.#tried(() => this.#fetch(digest))) ?? unchanged;
    const again = await this.#look.contents(digest, () => undefined);
    if (again === undefined) return this.#healed([found]);
    // What it was first says more: what was damaged is missing now, as it has been set aside.
    for (const volume of volumes) await this.#keep(found, volume, reason);
    return 0;
  }

  /** What is wrong with rows of snapshots. `hopeless`: snapshots that could not be put right before. */
  async snapshots(
    replica: Replica,
    faults: readonly SavedFault[],
    hopeless: Map<string, string>,
  ): Promise<number> {
    let healed = 0;
    const keys = new SnapshotKeys(replica.volume);
    const nameOf = ({ snapshot }: SavedFault): string => `${snapshot.time} ${snapshot.name}`;
    for (const found of faults) {
      const key = keyOf(found, replica.volume);
      const look = (): SavedFault | undefined =>
        savedFaultsOf(this.#world.store, keys, found.fid).find((each) => keyOf(each, replica.volume) === key);
      // Healed with another fault of its snapshot, perhaps; and behind it an earlier snapshot may have it, too.
      let left = look();
      while (left !== undefined && !hopeless.has(nameOf(left))) {
        const { snapshot } = left;
        const reason = await this.#tried(() => this.#world.renew(replica, snapshot));
        const before = nameOf(left);
        left = look();
        if (left !== undefined && nameOf(left) === before) hopeless.set(before, reason ?? unchanged);
      }
      if (left === undefined) healed += this.#healed([found]);
      else await this.#keep(found, replica.volume, hopeless.get(nameOf(left)) ?? unchanged);
    }
    return healed;
  }

  /** Objects that are held differently by the replica at `peer` although both know the same. */
  async disagreements(replica: Replica, peer: string): Promise<number> {
    const link = this.#linkTo(replica, peer);
    if (link === undefined) return 0;
    const fids = await disagreements(replica, link, this.#signal);
    if (fids.length === 0) return 0;
    const reason = (await this.#tried(() => this.#world.resolve(replica, fids))) ?? unchanged;
    const left = new Set(await disagreements(replica, link, this.#signal));
    const found = (fid: Fid): Found => ({ fault: 'replicas-differ', fid, digest: null, peer });
    for (const fid of left) await this.#keep(found(fid), replica.volume, reason);
    return this.#healed(fids.filter((fid) => !left.has(fid)).map(found));
  }

  /** Looks again at something that was kept; the answer is 1 if it is no longer so. */
  async again(finding: Finding): Promise<number> {
    const replica = this.#world.replicas().find(({ volume }) => volume === finding.volume);
    if (replica === undefined) return this.#drop(finding);
    const key = keyOf(finding, finding.volume);
    if (await this.#isStill(replica, finding, key)) return 0;
    return this.#drop(finding);
  }

  async #isStill(replica: Replica, finding: Finding, key: string): Promise<boolean> {
    const { fault, fid, digest, peer } = finding;
    if (digest !== null && remediesFor(fault).includes('fetch')) {
      if (!replica.names(digest)) return false;
      const found = await this.#look.contents(digest, () => undefined);
      if (found === undefined) return false;
      return (await this.contents({ ...finding, fid }, [replica.volume])) === 0;
    }
    if (fid === null) return false;
    if (remediesFor(fault).includes('renew')) {
      const keys = new SnapshotKeys(replica.volume);
      const faults = savedFaultsOf(this.#world.store, keys, fid);
      const fitting = faults.filter((found) => keyOf(found, replica.volume) === key).slice(0, 1);
      return fitting.length > 0 && (await this.snapshots(replica, fitting, new Map())) === 0;
    }
    if (peer !== null) {
      const link = this.#linkTo(replica, peer);
      if (link === undefined) return this.#world.peers(replica).some(({ server }) => server === peer);
      await this.#tried(() => this.#world.resolve(replica, [fid]));
      return (await disagreements(replica, link, this.#signal)).includes(fid);
    }
    const isIt = (found: Found): boolean => keyOf(found, replica.volume) === key;
    const looked = finding.entry?.directory ?? fid;
    const faults = await this.#look.object(replica, looked);
    if (!faults.some(isIt)) return false;
    await this.object(replica, looked, faults);
    return (await this.#look.object(replica, looked)).some(isIt);
  }

  async #drop(finding: Finding): Promise<number> {
    if (!(await this.#notes.drop(finding))) return 0;
    const { fault, volume, fid, digest, path } = finding;
    this.#world.log.info('scrub: no longer wrong', { fault, volume, fid, digest, path });
    return 1;
  }

  #linkTo(replica: Replica, peer: string) {
    return this.#world.peers(replica).find(({ server }) => server === peer)?.link;
  }

  async #apply(remedy: Remedy, replica: Replica, fid: Fid, faults: readonly Found[]): Promise<void> {
    switch (remedy) {
      case 'fetch':
        for (const { digest } of faults) if (digest !== null) await this.#fetch(digest);
        return;
      case 'recount':
        return replica.mending.object(fid);
      case 'resolve':
        // Of a name without an object it is the object that is asked for.
        return this.#world.resolve(replica, [
          ...new Set([fid, ...faults.flatMap((found) => found.fid ?? [])]),
        ]);
      case 'search':
        return void (await replica.mending.search(fid));
      case 'renew':
        throw new Error('scrub: no object is put right by renewing a snapshot');
    }
  }

  /** Held, so that nothing removes it between its arrival and the look at it. */
  async #fetch(digest: string): Promise<void> {
    const release = this.#world.references.hold(digest);
    try {
      await this.#world.fetch(digest);
    } finally {
      release();
    }
  }

  /** What hinders, in words. */
  async #tried(work: () => Promise<void>): Promise<string | undefined> {
    try {
      await work();
      return undefined;
    } catch (error) {
      this.#signal.throwIfAborted();
      if (!isFailure(error)) throw error;
      return error.message;
    }
  }

  #healed(faults: readonly Found[]): number {
    for (const { fault, fid, digest, peer } of faults) {
      this.#world.log.warn('scrub: healed', { fault, fid, digest, peer });
    }
    return faults.length;
  }

  #pathOf({ fid, entry }: Found, volume: VolumeId): string | null {
    const keys = new VolumeKeys(volume);
    const above = entry && pathOf(this.#world.store, keys, entry.directory);
    if (entry !== undefined)
      return above === null || above === undefined ? null : `${above === '/' ? '' : above}/${entry.name}`;
    return fid === null ? null : pathOf(this.#world.store, keys, fid);
  }

  async #keep(found: Found, volume: VolumeId, reason: string): Promise<void> {
    const { fault, fid, digest, peer } = found;
    const path = this.#pathOf(found, volume);
    const since = this.#world.clock.wall();
    const isNews = await this.#notes.add({ ...found, volume, path, since, reason });
    if (isNews)
      this.#world.log.error('scrub: not healed', { fault, volume, fid, digest, path, peer, reason });
  }
}
