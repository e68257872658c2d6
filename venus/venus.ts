/** Venus assembled: the caching client behind the door of interface.ts. */
import {
  Failure,
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
import { walk } from './change/namespace.js';
import { Repairs } from './change/repairs.js';
import { Announcer } from './conflict/announcer.js';
import { KnownConflicts } from './conflict/conflicts.js';
import { cachedPath } from './conflict/paths.js';
import { fileOf, siblingView } from './conflict/sibling.js';
import { objectOrSibling, siblingsBeside } from './conflict/siblings.js';
import { Differences, replacedFile } from './difference/differences.js';
import type { Hoard } from './hoard/hoard.js';
import { hoardOf } from './hoard/hoard-parts.js';
import type {
  Access,
  Caller,
  Conflicts,
  Entry,
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
import { LeaseTable } from './store/lease-table.js';
import { Fetcher } from './volume/fetch.js';
import { VolumeSpace } from './volume/volume-space.js';
import { volumeReport } from './volume-report.js';
import type { Volume } from './volume/volume.js';

/** How long the start waits for servers before it serves what it has. */
const startMs = 3000;
/** Names in one batch of a listing, by whether its objects are in memory. */
const listBatch = { hot: 500, cold: 100 } as const;
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
  readonly #world: VenusWorld;
  readonly #parts: Parts;
  readonly #cache: ObjectCache;
  readonly #fetcher: Fetcher;
  readonly #guard: AccessGuard;
  readonly #changes: Changes;
  readonly #contents: Contents;
  readonly #reintegrator: Reintegrator;
  readonly #realm: Realm;
  readonly #bounds: LogBounds;
  readonly #differences: Differences;
  readonly #space: VolumeSpace;

  constructor(config: VenusConfig, world: VenusWorld, parts: Parts) {
    this.#world = world;
    this.#parts = parts;
    const { buffer, identity, modifyLog, containers, gate, fetches } = parts;
    const { clock, random, log } = world;
    this.#space = new VolumeSpace(clock);
    this.#bounds = new LogBounds(boundsOf(containers.limit), modifyLog);
    this.leases = new LeaseTable(buffer);
    const announcer = this.#announcer();
    const hidesVersions = (fid: Fid): boolean => this.#hidesVersions(fid);
    const changed = (fid: Fid, before: readonly ConflictKind[]): void =>
      announcer.changed(fid, decidable(before, this.#hidesVersions(fid)));
    const { cacheBytes, differences: mode } = config;
    this.#differences = new Differences({ containers, cacheBytes, mode, log });
    const { stale } = this.#differences;
    this.#cache = new ObjectCache(buffer, changed, hidesVersions, (...statuses) =>
      stale.replaced(...statuses),
    );
    const cache = this.#cache;
    const volume = (fid: Fid): Volume => this.#realm.volumeOf(fid);
    const shared = { cache, modifyLog, containers, identity, buffer, gate, clock, random, log, volume };
    const fetcher = new Fetcher({ ...shared, pause: () => sleep(clock, 0) });
    this.#fetcher = fetcher;
    const differences = this.#differences.uploads;
    this.people = this.#logins();
    const authors = this.people;
    const reintegrator = new Reintegrator({ ...shared, bounds: this.#bounds, differences, authors });
    this.#reintegrator = reintegrator;
    const guard = new AccessGuard({ cache, fetcher, groups: () => this.#realm.groups });
    this.#guard = guard;
    const host = config.name.slice(0, hostMost);
    const drafting = new Drafting({ ...shared, guard, fetcher, reintegrator, host, authors });
    const contents = new Contents(containers, fetches, gate, log, this.#differences.fetches);
    this.#contents = contents;
    this.#changes = new Changes(drafting, contents);
    this.conflicts = new KnownConflicts({
      cache,
      guard: this.#guard,
      fetcher: this.#fetcher,
      repairs: new Repairs(drafting, this.#contents),
      root: () => this.#realm.root,
      volumes: () => this.#realm.volumes,
      volume,
    });
    this.hoard = hoardOf({
      ...shared,
      contents,
      guard,
      documents: world.hoard,
      root: () => this.#realm.root,
      limitBytes: config.cacheBytes,
      onLimit: (bytes) => (this.#bounds.limits = boundsOf(bytes)),
    });
    this.log = this.#handledLog(config);
    this.#realm = new Realm(config, {
      ...world,
      cache,
      buffer,
      identity,
      onLink: (link) => this.people.present(link),
      onOpen: (opened) => this.#reintegrator.restore(opened),
      onChange: (changed) => this.#reintegrator.changed(changed),
    });
    // What was read while the volumes were opened did not know their policies.
    cache.forgetViews();
  }

  /** Waits until every server has been asked once, but not long for one that does not answer. */
  async started(): Promise<void> {
    this.hoard.start();
    await Promise.race([this.#realm.asked(), sleep(this.#world.clock, startMs)]);
  }

  async lookup(caller: Caller, path: readonly string[]): Promise<Place> {
    const [cache, fetcher, guard] = [this.#cache, this.#fetcher, this.#guard];
    const world = { cache, fetcher, guard, hidesVersions: (fid: Fid) => this.#hidesVersions(fid) };
    return walk(world, caller, this.#realm.root, path);
  }

  async status(caller: Caller, fid: Fid): Promise<ObjectStatus> {
    const { object, version } = await objectOrSibling(this.#fetcher, fid);
    await this.#guard.mayLookAt(caller, object.status);
    return version === null ? object.view : siblingView(object, version);
  }

  async *list(caller: Caller, directory: Fid): AsyncGenerator<readonly Entry[]> {
    await this.#fetcher.directory(directory);
    await this.#guard.require(caller, directory, right.lookup);
    const entries = [...(this.#cache.names(directory)?.values() ?? [])];
    for (let start = 0, most = 0; start < entries.length; start += most) {
      most = this.#cache.isHot(entries[start]?.fid ?? directory) ? listBatch.hot : listBatch.cold;
      const batch = entries.slice(start, start + most);
      await this.#fetcher.freshen(batch.map(({ fid }) => fid));
      yield batch.flatMap(({ name, fid }) => {
        const object = this.#cache.get(fid);
        if (object !== undefined) {
          const siblings = this.#hidesVersions(fid) ? [] : siblingsBeside(this.#cache, object, name);
          const shown = siblings.map((each) => ({
            name: each.name,
            status: siblingView(object, each.version),
          }));
          return [{ name, status: object.view }, ...shown];
        }
        // Gone meanwhile, if servers can be asked; else a listing is whole or none.
        if (this.#realm.volumeOf(fid).avsg.length > 0) return [];
        throw new Failure('unreachable', 'venus.list', 'not all of this directory is in the cache', { fid });
      });
      await sleep(this.#world.clock, 0);
    }
  }

  async open(caller: Caller, fid: Fid): Promise<OpenFile> {
    const { object, version } = await objectOrSibling(this.#fetcher, fid);
    await this.#guard.mayRead(caller, object.status);
    const view = version === null ? object.view : siblingView(object, version);
    const data = version ?? object.status.data;
    const file = await this.#contents.open(this.#realm.volumeOf(fid), fid, view, data);
    this.hoard.opened(caller.user, object.status.fid);
    return file;
  }

  async write(caller: Caller, announced?: number, replaces?: Fid): Promise<Writer> {
    const { containers } = this.#parts;
    const { random, log } = this.#world;
    const volume = this.#realm.volumeOf(this.#realm.root);
    const [cache, guard, { uploads: differences }] = [this.#cache, this.#guard, this.#differences];
    const replaced = await replacedFile({ cache, guard }, caller, replaces);
    const [changes, bounds] = [this.#changes, this.#bounds];
    const world = { containers, changes, random, log, volume, bounds, differences };
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

  space(): Promise<Space> {
    return this.#space.ask(this.#realm.volumeOf(this.#realm.root));
  }

  state(): VenusState {
    const { identity, containers, modifyLog } = this.#parts;
    return {
      venus: identity.venus,
      servers: this.#realm.servers.states(),
      volumes: this.#realm.volumes.map((volume) =>
        volumeReport(volume, modifyLog, this.#bounds.limits, this.#reintegrator.replay(volume)),
      ),
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
    await this.#reintegrator.close();
    await this.#parts.fetches.close();
    this.#realm.close();
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
      pathOf: (fid) => cachedPath(this.#cache, this.#realm.root, fid),
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
      root: () => this.#realm.root,
      volumeName: (id) => this.#realm.get(id)?.name ?? id,
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
    if (volume === undefined) return [];
    return this.#reintegrator.discard(volume, entries);
  }
}

/** What may wait in the log beside a cache of `cacheBytes`. */
function boundsOf(cacheBytes: number): Bounds {
  return { records: logRecords, bytes: Math.floor(cacheBytes * logShare) };
}
