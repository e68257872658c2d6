/** Venus assembled: the caching client behind the door of interface.ts. */
import {
  isFailure,
  right,
  volumeOf,
  type ConflictKind,
  type Fid,
  type VolumeId,
} from '../vice/interface/index.js';
import { sleep } from '../vice/seam/clock.js';
import { AccessGuard } from './access/access-guard.js';
import { restoreTargetOf } from './archive/restore-venus.js';
import { decidable } from './cache/cached-object.js';
import { ObjectCache } from './cache/object-cache.js';
import { Changes } from './change/changes.js';
import { Contents } from './change/contents.js';
import { Drafting } from './change/drafting.js';
import { FileWriter } from './change/file-writer.js';
import { listing, type ListingWorld } from './change/listing.js';
import { walk } from './change/namespace.js';
import { Repairs } from './change/repairs.js';
import { Announcer } from './conflict/announcer.js';
import { KnownConflicts } from './conflict/conflicts.js';
import { cachedPath } from './conflict/paths.js';
import { fileOf, siblingView } from './conflict/sibling.js';
import { objectOrSibling } from './conflict/siblings.js';
import { DeletedVolumes } from './deleted-volumes.js';
import { Differences, replacedFile } from './difference/differences.js';
import type { Hoard } from './hoard/hoard.js';
import { hoardOf } from './hoard/hoard-parts.js';
import type {
  Access,
  Caller,
  Conflicts,
  Entry,
  ExpectedTarget,
  ObjectStatus,
  OpenFile,
  PendingLog,
  Place,
  Space,
  Venus,
  VenusState,
  VolumeMode,
  Writer,
} from './interface.js';
import type { LogEntry } from './log/modify-log.js';
import { HandledLog } from './log/handled-log.js';
import { LogBounds, type Bounds } from './reintegration/log-bounds.js';
import { Reintegrator } from './reintegration/reintegrator.js';
import { Logins } from './people/logins.js';
import { openParts, type Parts, type VenusConfig, type VenusWorld } from './parts.js';
import { Realm } from './realm.js';
import { PastTrees } from './snapshot/past-trees.js';
import { LeaseTable } from './store/lease-table.js';
import { Fetcher } from './volume/fetch.js';
import { Mounts } from './volume/mounts.js';
import { ownNames } from './volume/overlay.js';
import { VolumeSpace } from './volume/volume-space.js';
import { volumeReport } from './volume-report.js';
import { NamelessObjects } from './volume/nameless-objects.js';
import type { Volume } from './volume/volume.js';

/** How long the start waits for servers before it serves what it has. */
const startMs = 3000;
/** So often a file is opened anew that is replaced all the time. */
const opensMost = 5;
/** Changes that may wait in one volume's log. */
const logRecords = 100_000;
/** Characters of this gateway's name in records. */
const hostMost = 64;
/** Part of the cache that contents waiting for servers may take. */
const logShare = 0.75;

/**
 * Opens the cache and log in `world.store` and `world.containers` and connects to the realm's servers.
 * @throws Failure damaged, incompatible, no-space
 */
export async function openVenus(config: VenusConfig, world: VenusWorld): Promise<Venus> {
  const venus = new CachingClient(config, world, await openParts(config, world));
  await venus.started();
  return venus;
}

class CachingClient implements Venus {
  readonly leases: LeaseTable;
  readonly log: PendingLog;
  readonly conflicts: Conflicts;
  readonly hoard: Hoard;
  readonly people: Logins;
  readonly snapshots: PastTrees;
  readonly #world: VenusWorld;
  readonly #parts: Parts;
  readonly #cache: ObjectCache;
  readonly #fetcher: Fetcher;
  readonly #nameless: NamelessObjects;
  readonly #guard: AccessGuard;
  readonly #changes: Changes;
  readonly #contents: Contents;
  readonly #reintegrator: Reintegrator;
  readonly #realm: Realm;
  readonly #bounds: LogBounds;
  readonly #differences: Differences;
  readonly #space: VolumeSpace;
  readonly #mounts: Mounts;
  readonly #deleted: DeletedVolumes;
  readonly #listingWorld: ListingWorld;

  constructor(config: VenusConfig, world: VenusWorld, parts: Parts) {
    this.#world = world;
    this.#parts = parts;
    const { buffer, identity, modifyLog, containers, gate, fetches } = parts;
    const { clock, random, log } = world;
    this.#space = new VolumeSpace(clock);
    this.#mounts = new Mounts(config.realm);
    this.#bounds = new LogBounds(boundsOf(containers.limit), modifyLog);
    this.leases = new LeaseTable(buffer, clock);
    const announcer = this.#announcer();
    const hidesVersions = (fid: Fid): boolean => this.#hidesVersions(fid);
    const changed = (fid: Fid, before: readonly ConflictKind[]): void =>
      announcer.changed(fid, decidable(before, this.#hidesVersions(fid)));
    const { cacheBytes, differences: mode } = config;
    this.#differences = new Differences({ containers, cacheBytes, mode, log });
    this.#cache = new ObjectCache(buffer, changed, hidesVersions, this.#differences.stale);
    const cache = this.#cache;
    cache.onDamaged = (key) => void log.warn('damaged row of the cache forgotten', { key });
    cache.ownName = (directory, name) => ownNames(directory, modifyLog.touching(directory), cache).get(name);
    const volume = (fid: Fid): Volume => this.#realm.volumeOf(fid);
    const mounts = this.#mounts;
    const shared = { ...parts, cache, clock, random, log, volume, mounts };
    const fetcher = new Fetcher({ ...shared, pause: () => sleep(clock, 0) });
    this.#fetcher = fetcher;
    this.#nameless = new NamelessObjects({ ...shared, fetcher, pause: () => sleep(clock, 0) });
    const differences = this.#differences.uploads;
    this.people = this.#logins();
    const authors = this.people;
    const reintegrator = new Reintegrator({ ...shared, bounds: this.#bounds, differences, authors });
    this.#reintegrator = reintegrator;
    const guard = new AccessGuard({ cache, fetcher, groups: () => this.#realm.groups });
    this.#guard = guard;
    this.#listingWorld = { ...shared, fetcher, guard, hidesVersions, pause: () => sleep(clock, 0) };
    const host = config.name.slice(0, hostMost);
    const drafting = new Drafting({ ...shared, guard, fetcher, reintegrator, host, authors });
    const contents = new Contents(containers, fetches, gate, log, this.#differences.fetches);
    this.#contents = contents;
    this.#changes = new Changes(drafting, contents);
    const repairs = new Repairs(drafting, contents);
    const volumes = (): readonly Volume[] => this.#realm.volumes;
    this.conflicts = new KnownConflicts({ ...shared, guard, fetcher, repairs, volumes });
    this.hoard = hoardOf({
      ...shared,
      contents,
      guard,
      documents: world.hoard,
      limitBytes: config.cacheBytes,
      onLimit: (bytes) => (this.#bounds.limits = boundsOf(bytes)),
    });
    this.snapshots = new PastTrees({ ...shared, contents, volumes, groups: () => this.#realm.groups });
    const pause = (): Promise<void> => sleep(clock, 0);
    this.#deleted = new DeletedVolumes({ buffer, cache, modifyLog, containers, log, pause });
    this.log = this.#handledLog(config);
    this.#realm = new Realm(config, {
      ...world,
      cache,
      buffer,
      identity,
      mounts,
      deleted: this.#deleted,
      onLink: (link) => this.people.present(link),
      onOpen: (opened) => this.#reintegrator.restore(opened),
      onDelete: (volume) => this.#reintegrator.abandon(volume),
      onChange: (changed) => this.#reintegrator.changed(changed),
    });
    cache.recover();
    // What was read while the volumes were opened did not know their policies.
    cache.forgetViews();
  }

  /** Waits until every server has been asked once, but not long for one that does not answer. */
  async started(): Promise<void> {
    this.hoard.start();
    this.#nameless.start();
    await Promise.race([this.#realm.asked(), sleep(this.#world.clock, startMs)]);
  }

  async lookup(caller: Caller, path: readonly string[]): Promise<Place> {
    return walk(this.#listingWorld, caller, path);
  }

  async status(caller: Caller, fid: Fid): Promise<ObjectStatus> {
    const { object, version } = await objectOrSibling(this.#fetcher, fid);
    await this.#guard.mayLookAt(caller, object.status);
    return version === null ? object.view : siblingView(object, version);
  }

  async *list(caller: Caller, directory: Fid): AsyncGenerator<readonly Entry[]> {
    await this.#fetcher.directory(directory, true);
    await this.#guard.require(caller, directory, right.lookup);
    yield* listing(this.#listingWorld, directory);
  }

  async open(caller: Caller, fid: Fid): Promise<OpenFile> {
    const volume = this.#realm.volumeOf(fid);
    let found = await objectOrSibling(this.#fetcher, fid);
    for (let attempt = 1; ; attempt += 1) {
      const { object, version } = found;
      const { status } = object;
      await this.#guard.mayRead(caller, status);
      const view = version === null ? object.view : siblingView(object, version);
      try {
        const file = await this.#contents.open(volume, fid, view, version ?? status.data);
        this.hoard.opened(caller.user, status.fid);
        const { parent } = status;
        this.#differences.lately.used(caller.user, { fid: status.fid, parent, length: view.length });
        return file;
      } catch (error) {
        // Replaced or removed before its contents were fetched, nobody has them any more: what is it now?
        const isOut = volume.avsg.length === 0 || !isFailure(error, 'damaged', 'unreachable');
        if (isOut || attempt === opensMost) throw error;
        volume.doubt(status.fid);
        found = await objectOrSibling(this.#fetcher, fid);
        if ((found.version ?? found.object.status.data)?.digest === view.digest) throw error;
      }
    }
  }

  async write(caller: Caller, announced?: number, expected: ExpectedTarget = {}): Promise<Writer> {
    const { containers } = this.#parts;
    const { random, log } = this.#world;
    const { into = this.#mounts.root } = expected;
    const volume = this.#realm.volumeOf(into);
    const [cache, guard] = [this.#cache, this.#guard];
    const { uploads: differences, lately } = this.#differences;
    const replaced = await replacedFile({ cache, guard, lately }, caller, expected, announced);
    const [changes, bounds] = [this.#changes, this.#bounds];
    const world = { containers, changes, random, log, volume, bounds, differences, lately };
    return FileWriter.open(world, caller, { length: announced, replaced });
  }

  makeDirectory: Venus['makeDirectory'] = (...args) => this.#changes.makeDirectory(...args);
  makeSymlink: Venus['makeSymlink'] = (...args) => this.#changes.makeSymlink(...args);
  remove: Venus['remove'] = (...args) => this.#changes.remove(...args);
  rename: Venus['rename'] = (...args) => this.#changes.rename(...args);
  copy: Venus['copy'] = (...args) => this.#changes.copy(...args);
  setModified: Venus['setModified'] = (...args) => this.#changes.setModified(...args);
  setMode: Venus['setMode'] = (...args) => this.#changes.setMode(...args);
  setProperties: Venus['setProperties'] = (...args) => this.#changes.setProperties(...args);
  setAccess: Venus['setAccess'] = (...args) => this.#changes.setAccess(...args);

  async access(caller: Caller, fid: Fid): Promise<Access> {
    const { status } = (await objectOrSibling(this.#fetcher, fid)).object;
    await this.#guard.mayLookAt(caller, status);
    return this.#guard.access(caller, status);
  }

  isLocked(fid: Fid): boolean {
    return this.#realm.get(volumeOf(fid))?.isLocked === true;
  }

  async space(_: Caller, directory: Fid): Promise<Space> {
    return this.#space.ask(this.#realm.volumeOf(directory));
  }

  state(): VenusState {
    const { identity, containers, modifyLog } = this.#parts;
    const [cache, mounts, { limits }] = [this.#cache, this.#mounts, this.#bounds];
    const world = { modifyLog, cache, mounts, limits };
    return {
      venus: identity.venus,
      servers: this.#realm.servers.states(),
      volumes: this.#realm.volumes.map((volume) =>
        volumeReport(volume, world, this.#reintegrator.replay(volume)),
      ),
      deletedVolumes: this.#deleted.kept,
      cache: { objects: this.#cache.hotCount, containers: containers.count, bytes: containers.bytes },
    };
  }

  async disconnect(servers: readonly string[]): Promise<void> {
    await this.#realm.servers.suspend(servers);
  }

  async reconnect(servers: readonly string[]): Promise<void> {
    await this.#realm.servers.resume(servers);
  }

  async setVolumeMode(name: string | null, mode: VolumeMode): Promise<void> {
    for (const volume of this.#realm.named(name)) {
      volume.setMode(mode);
      this.#reintegrator.changed(volume);
    }
    await this.#parts.buffer.flush();
  }

  async close(): Promise<void> {
    this.hoard.stop();
    this.#nameless.stop();
    await this.#reintegrator.close();
    await this.#parts.fetches.close();
    await this.#parts.containers.close();
    this.#realm.close();
    await this.#deleted.cleared();
    await this.hoard.ended();
    await this.#parts.buffer.close();
    await this.#world.containers.close();
    await this.#world.hoard.close();
  }

  #hidesVersions(fid: Fid): boolean {
    // The cache asks while the realm is being opened.
    return (this.#realm as Realm | undefined)?.get(volumeOf(fid))?.hidesVersions === true;
  }

  #announcer(): Announcer {
    return new Announcer({
      log: this.#world.log,
      kindsOf: (fid) => decidable(this.#cache.conflicts.get(fid)?.kinds ?? [], this.#hidesVersions(fid)),
      pathOf: (fid) => cachedPath(this.#cache, this.#mounts, fid),
    });
  }

  #logins(): Logins {
    return new Logins({
      buffer: this.#parts.buffer,
      clock: this.#world.clock,
      log: this.#world.log,
      servers: () => this.#realm.servers.all,
      // The log is opened before the realm is.
      people: () => (this.#realm as Realm | undefined)?.people,
      onLogin: () => this.#realm.volumes.forEach((volume) => this.#reintegrator.retry(volume)),
    });
  }

  #handledLog(config: VenusConfig): HandledLog {
    const { modifyLog, containers } = this.#parts;
    const { clock } = this.#world;
    return new HandledLog({
      modifyLog,
      cache: this.#cache,
      mounts: this.#mounts,
      volumeName: (id) => this.#realm.get(id)?.name ?? this.#deleted.nameOf(id) ?? id,
      discard: (id, entries) => this.#discard(id, entries),
      awaits: (author) => !this.people.isLoggedIn(author),
      target: restoreTargetOf(this, {
        realm: config.realm.realm,
        known: async (fid) => (await this.#fetcher.fresh(fileOf(fid))).status.known,
        pause: () => sleep(clock, 0),
      }),
      contents: (digest, length) => containers.read(digest, 0, length),
      realm: config.realm.realm,
      gateway: config.name,
      clock,
    });
  }

  async #discard(id: VolumeId, entries: readonly LogEntry[]): Promise<readonly number[]> {
    const volume = this.#realm.get(id);
    // Of a volume that is no more nobody has anything to show, or to take back.
    if (volume === undefined) entries.forEach((entry) => this.#parts.modifyLog.remove(entry));
    if (volume === undefined) return entries.map(({ sequence }) => sequence);
    return this.#reintegrator.discard(volume, entries);
  }
}

/** What may wait in the log beside a cache of `cacheBytes`. */
function boundsOf(cacheBytes: number): Bounds {
  return { records: logRecords, bytes: Math.floor(cacheBytes * logShare) };
}
