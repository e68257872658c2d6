/** Snapshots as trees that people walk (`Snapshots` in venus/interface.ts). */
import {
  denied,
  Failure,
  identityOf,
  ifFailed,
  right,
  rightsIn,
  rootFid,
  volumeOf,
  type Fid,
  type Groups,
  type Rights,
  type VnodeStatus,
} from '../../vice/interface/index.js';
import { viewOf } from '../cache/cached-object.js';
import { findEntry } from '../cache/find-entry.js';
import type { Contents } from '../change/contents.js';
import type { Caller, Entry, ObjectStatus, OpenFile, Snapshots, SnapshotSeen } from '../interface.js';
import type { Mounts } from '../volume/mounts.js';
import type { Volume } from '../volume/volume.js';
import { HeldSnapshots, type HeldSnapshot, type HeldSnapshotsWorld } from './held-snapshots.js';
import { PastObjects, type PastEntry } from './past-objects.js';

export interface PastTreesWorld extends HeldSnapshotsWorld {
  readonly contents: Contents;
  readonly mounts: Mounts;
  readonly volumes: () => readonly Volume[];
  /** Of the realm as it is now. */
  readonly groups: () => Groups | undefined;
}

/** An object of a snapshot, with what decides who may read it. */
interface Found {
  readonly volume: Volume;
  readonly snapshot: HeldSnapshot;
  readonly status: VnodeStatus;
  /** It, and the directories above it in its volume. */
  readonly above: ReadonlyMap<Fid, VnodeStatus>;
}

/** No volume covers the whole: it has a folder for each that has a snapshot of the name. */
interface Volumes {
  readonly volumes: readonly { readonly volume: Volume; readonly snapshot: HeldSnapshot }[];
}

export class PastTrees implements Snapshots {
  readonly #world: PastTreesWorld;
  readonly #held: HeldSnapshots;
  readonly #objects = new PastObjects();

  constructor(world: PastTreesWorld) {
    this.#world = world;
    this.#held = new HeldSnapshots(world);
  }

  async list(): Promise<readonly SnapshotSeen[]> {
    const times = new Map<string, number>();
    for (const volume of this.#world.volumes()) {
      for (const { name, time } of await this.#of(volume))
        times.set(name, Math.max(time, times.get(name) ?? 0));
    }
    return [...times].map(([name, time]) => ({ name, time })).sort((a, b) => a.time - b.time);
  }

  async status(caller: Caller, snapshot: string, path: readonly string[]): Promise<ObjectStatus | null> {
    const found = await this.#walk(caller, snapshot, path);
    if (found === undefined) return null;
    return 'volumes' in found ? folderOf(found) : viewIn(found.status);
  }

  async entries(caller: Caller, snapshot: string, path: readonly string[]): Promise<readonly Entry[]> {
    const found = await this.#walk(caller, snapshot, path);
    if (found === undefined) throw nothing();
    if ('volumes' in found) {
      const roots = found.volumes.map(async ({ volume, snapshot: held }) => {
        return { name: volume.name, status: viewIn(await this.#objects.root(volume, held)) };
      });
      return Promise.all(roots);
    }
    const names = await this.#namesIn(caller, found);
    const shown = [...names.values()].map(async ({ name, status }) => {
      const mounted = await this.#mountedOn(snapshot, status);
      return { name, status: viewIn(mounted?.status ?? status) };
    });
    return Promise.all(shown);
  }

  async open(caller: Caller, snapshot: string, path: readonly string[]): Promise<OpenFile> {
    const found = await this.#walk(caller, snapshot, path);
    if (found === undefined) throw nothing();
    if ('volumes' in found) throw new Failure('is-directory', 'venus.snapshots', 'it is no file');
    const { volume, status } = found;
    this.#require(caller, found, status.parent ?? status.fid, right.read);
    // Not the living object's Fid: what is fetched is no version of what that may hold by now.
    const fid = `${status.fid}@${found.snapshot.time}` as Fid;
    return this.#world.contents.open(volume, fid, viewIn(status), status.data);
  }

  async #walk(caller: Caller, name: string, path: readonly string[]): Promise<Found | Volumes | undefined> {
    let found = await this.#top(name);
    for (const [depth, each] of path.entries()) {
      if (found === undefined) return undefined;
      if ('volumes' in found) {
        const volume = found.volumes.find(({ volume: { name: known } }) => known === each);
        found = volume && (await this.#rootOf(volume.volume, volume.snapshot));
        continue;
      }
      if (found.status.kind !== 'directory') throw notDirectory(path.slice(0, depth));
      const entry: PastEntry | undefined = findEntry(await this.#namesIn(caller, found), each);
      if (entry === undefined) return undefined;
      const { status } = entry;
      const above = new Map(found.above).set(status.fid, status);
      found = (await this.#mountedOn(name, status)) ?? { ...found, status, above };
    }
    return found;
  }

  async #top(name: string): Promise<Found | Volumes | undefined> {
    const root = volumeOf(this.#world.mounts.root);
    const having: Volumes['volumes'][number][] = [];
    // The root's first: where that has one, servers of the others are not asked.
    const volumes = this.#world.volumes().toSorted((a, b) => Number(b.id === root) - Number(a.id === root));
    for (const volume of volumes) {
      const snapshot = (await this.#of(volume)).findLast((each) => each.name === name);
      if (snapshot === undefined) continue;
      if (volume.id === root) return this.#rootOf(volume, snapshot);
      having.push({ volume, snapshot });
    }
    return having.length === 0 ? undefined : { volumes: having };
  }

  async #rootOf(volume: Volume, snapshot: HeldSnapshot): Promise<Found> {
    const status = await this.#objects.root(volume, snapshot);
    return { volume, snapshot, status, above: new Map([[status.fid, status]]) };
  }

  /** The root of the volume that is mounted on a directory now, if that has a snapshot of this name. */
  async #mountedOn(name: string, { fid, kind }: VnodeStatus): Promise<Found | undefined> {
    const root = kind === 'directory' ? this.#world.mounts.over(fid) : fid;
    if (root === fid) return undefined;
    const volume = this.#world.volumes().find(({ id }) => rootFid(id) === root);
    const snapshot = volume && (await this.#held.named(volume, name).catch(ifFailed(undefined)));
    return volume && snapshot && this.#rootOf(volume, snapshot);
  }

  /** Of a volume none of whose servers can be asked there is nothing to show; the root volume's are not left out. */
  async #of(volume: Volume): Promise<readonly HeldSnapshot[]> {
    const held = this.#held.of(volume);
    return volume.id === volumeOf(this.#world.mounts.root) ? held : held.catch(ifFailed([]));
  }

  async #namesIn(caller: Caller, found: Found): Promise<ReadonlyMap<string, PastEntry>> {
    const { volume, snapshot, status } = found;
    if (status.kind !== 'directory') throw notDirectory([]);
    this.#require(caller, found, status.fid, right.lookup);
    return this.#objects.names(volume, snapshot, status.fid);
  }

  #require({ user }: Caller, { above }: Found, directory: Fid, needed: Rights): void {
    const identity = identityOf(user, this.#world.groups());
    const missing = needed & ~(rightsIn((fid) => above.get(fid), directory, identity) ?? 0);
    if (missing !== 0) throw denied(user, missing, directory);
  }
}

/** As it was, but that nothing of it can be changed, and nothing decided. */
function viewIn(status: VnodeStatus): ObjectStatus {
  const view = viewOf(status);
  return { ...view, mode: view.mode & 0o555, conflict: null };
}

function folderOf({ volumes }: Volumes): ObjectStatus {
  const times = volumes.map(({ snapshot: { time } }) => time);
  const modified = Math.max(...times);
  const nobody = { owner: '', author: '', properties: {}, target: null, conflict: null, version: null, digest: null };
  const fid = rootFid(volumes[0]?.volume.id ?? ('' as never));
  return { ...nobody, fid, kind: 'directory', length: 0, created: modified, modified, mode: 0o555 };
}

function nothing(): Failure {
  return new Failure('not-found', 'venus.snapshots', 'there was nothing of this name');
}

function notDirectory(path: readonly string[]): Failure {
  return new Failure('not-directory', 'venus.snapshots', `${path.join('/')} was no directory`);
}
