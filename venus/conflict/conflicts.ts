/** All that a person has to decide about, apart from the tree (venus/interface.ts, Conflicts). */
import {
  ifFailed,
  isFailure,
  volumeOf,
  type ConflictKind,
  type Fid,
  type Result,
} from '../../vice/interface/index.js';
import type { AccessGuard } from '../access/access-guard.js';
import type { ObjectCache } from '../cache/object-cache.js';
import { decidable } from '../cache/cached-object.js';
import type { Repairs, Undecided } from '../change/repairs.js';
import type { Caller, ConflictReport, Conflicts, Decision } from '../interface.js';
import type { Fetcher } from '../volume/fetch.js';
import type { Mounts } from '../volume/mounts.js';
import type { Volume } from '../volume/volume.js';
import { askedPath } from './paths.js';
import { reportOf } from './report.js';
import { siblingsBeside } from './siblings.js';

/** Objects in one reply, and in one batch of reports. */
const pageObjects = 100;

export interface ConflictsWorld {
  readonly cache: ObjectCache;
  readonly fetcher: Fetcher;
  readonly guard: AccessGuard;
  readonly repairs: Repairs;
  readonly mounts: Mounts;
  readonly volumes: () => readonly Volume[];
  readonly volume: (fid: Fid) => Volume;
}

type Page = Result<'conflicts'>;

export class KnownConflicts implements Conflicts {
  readonly #world: ConflictsWorld;

  constructor(world: ConflictsWorld) {
    this.#world = world;
  }

  async *list(caller: Caller): AsyncGenerator<readonly ConflictReport[]> {
    for (const volume of this.#world.volumes()) {
      for await (const reports of this.#all(caller, volume)) {
        const undecided = reports.filter(({ kind }) => decidable([kind], volume.hidesVersions).length > 0);
        if (undecided.length > 0) yield undecided;
      }
    }
  }

  async *overwritten(caller: Caller): AsyncGenerator<readonly ConflictReport[]> {
    for (const volume of this.#world.volumes()) {
      if (!volume.hidesVersions) continue;
      for await (const reports of this.#all(caller, volume)) {
        const versions = reports.filter(({ kind }) => kind === 'versions');
        if (versions.length > 0) yield versions;
      }
    }
  }

  async of(caller: Caller, fid: Fid): Promise<readonly ConflictReport[]> {
    const undecided = await this.#world.repairs.undecided(fid);
    await this.#world.guard.mayLookAt(caller, undecided.object.status);
    return this.#report(undecided);
  }

  repair(caller: Caller, fid: Fid, decision: Decision): Promise<void> {
    return this.#world.repairs.repair(caller, fid, decision);
  }

  count(): Readonly<Partial<Record<ConflictKind, number>>> {
    const { cache, volumes } = this.#world;
    const hides = new Map(volumes().map(({ id, hidesVersions }) => [id, hidesVersions]));
    return cache.conflicts.count((fid) => hides.get(volumeOf(fid)));
  }

  /** Reports of all kinds, each once. */
  async *#all(caller: Caller, volume: Volume): AsyncGenerator<readonly ConflictReport[]> {
    const told = new Set<Fid>();
    for await (const fids of this.#candidates(volume)) {
      const reports = await this.#reports(
        caller,
        fids.filter((fid) => !told.has(fid)),
      );
      for (const fid of fids) told.add(fid);
      yield reports;
    }
  }

  /** What may be in conflict, say servers (they differ until they have resolved each other) or the cache. */
  async *#candidates(volume: Volume): AsyncGenerator<readonly Fid[]> {
    let after: Fid | null = null;
    for (let more = true; more;) {
      const pages = await this.#ask(volume, after);
      const fids = [...new Set(pages.flatMap(({ conflicts }) => conflicts.map(({ status }) => status.fid)))];
      if (fids.length > 0) yield fids;
      // What one of them has not told yet begins behind its own last one.
      const ends: readonly Fid[] = pages.flatMap((page) => (page.more ? (lastOf(page) ?? []) : []));
      const next: Fid | undefined = [...ends].sort()[0];
      more = next !== undefined && next !== after;
      after = next ?? after;
    }
    const own = this.#world.cache.conflicts.all().filter((fid) => volumeOf(fid) === volume.id);
    for (let start = 0; start < own.length; start += pageObjects) yield own.slice(start, start + pageObjects);
  }

  async #ask(volume: Volume, after: Fid | null): Promise<readonly Page[]> {
    const asked = await Promise.all(
      volume.avsg.map(({ server }) =>
        server.call('conflicts', { volume: volume.id, after, limit: pageObjects }).catch((error: unknown) => {
          // The others tell what they know.
          if (!isFailure(error)) throw error;
          return undefined;
        }),
      ),
    );
    return asked.filter((page) => page !== undefined);
  }

  /** Of those that are still in conflict, as far as can be seen from here. */
  async #reports(caller: Caller, fids: readonly Fid[]): Promise<readonly ConflictReport[]> {
    const { fetcher, guard, repairs } = this.#world;
    await fetcher.freshen(fids).catch(ifFailed(undefined));
    const reports: ConflictReport[] = [];
    for (const fid of fids) {
      const found = await repairs.undecided(fid).catch(ifFailed(undefined));
      if (found === undefined) continue;
      const isHidden = guard.mayLookAt(caller, found.object.status).then(() => false);
      if (await isHidden.catch(ifFailed(true))) continue;
      reports.push(...(await this.#report(found)));
    }
    return reports;
  }

  async #report({ object, name, kinds }: Undecided): Promise<readonly ConflictReport[]> {
    if (kinds.length === 0) return [];
    const { cache, mounts, volume } = this.#world;
    const { status } = object;
    const { fid, places, parent } = status;
    const [place] = places;
    const directories = new Map<Fid, readonly string[] | null>();
    for (const directory of new Set([parent, ...places.map((each) => each.parent)])) {
      if (directory !== null) directories.set(directory, await askedPath(this.#world, directory));
    }
    const directory = mounts.above(parent);
    const above = directory === null ? null : (directories.get(directory) ?? null);
    const keeper = place === undefined ? undefined : cache.names(place.parent)?.get(place.name)?.fid;
    const reported = {
      volume: volume(fid).name,
      status,
      path: parent === null ? await askedPath(this.#world, fid) : above && [...above, name ?? ''],
      name: name ?? '',
      siblings: siblingsBeside(cache, object, name ?? ''),
      keeper: keeper === undefined || keeper === fid ? undefined : cache.status(keeper),
      directories,
      hidesVersions: volume(fid).hidesVersions,
    };
    return kinds.map((kind) => reportOf(reported, kind));
  }
}

function lastOf({ conflicts }: Page): Fid | undefined {
  return conflicts.at(-1)?.status.fid;
}
