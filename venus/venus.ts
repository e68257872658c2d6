/** Venus assembled: the caching client behind the door of interface.ts. */
import {
  Failure,
  isFailure,
  realmRoot,
  volumeOf,
  type Fid,
  type Push,
  type RealmDocument,
  type VolumeId,
} from '../vice/interface/index.js';
import { sleep, type Clock } from '../vice/seam/clock.js';
import type { Containers } from '../vice/seam/containers.js';
import type { Log } from '../vice/seam/log.js';
import type { Network } from '../vice/seam/network.js';
import type { Random } from '../vice/seam/random.js';
import type { Store } from '../vice/seam/store.js';
import { restoreTargetOf } from './archive/restore-venus.js';
import { ContainerCache } from './cache/container-cache.js';
import { ObjectCache } from './cache/object-cache.js';
import { Changes } from './change/changes.js';
import { Contents } from './change/contents.js';
import { FileWriter } from './change/file-writer.js';
import { walk } from './change/namespace.js';
import type {
  Caller,
  Entry,
  ObjectStatus,
  OpenFile,
  PendingLog,
  Place,
  Space,
  Venus,
  VenusState,
  VolumeMode,
  VolumeState,
  Writer,
} from './interface.js';
import { ModifyLog, type LogEntry } from './log/modify-log.js';
import { HandledLog } from './log/handled-log.js';
import { LogBounds } from './reintegration/log-bounds.js';
import { Reintegrator } from './reintegration/reintegrator.js';
import { TrickleGate } from './reintegration/trickle-gate.js';
import type { ServerLink } from './remote/server-link.js';
import { Servers } from './remote/servers.js';
import { Identity } from './store/identity.js';
import { LeaseTable } from './store/lease-table.js';
import { WriteBuffer } from './store/write-buffer.js';
import { Fetcher } from './volume/fetch.js';
import { Volume, type Member } from './volume/volume.js';

export interface VenusConfig {
  /** Of the gateway. */
  readonly name: string;
  readonly realm: RealmDocument;
  readonly realmKey: Uint8Array;
  /** Contents that the cache may hold on the gateway's disk. */
  readonly cacheBytes: number;
}

export interface VenusWorld {
  readonly clock: Clock;
  readonly random: Random;
  readonly network: Network;
  readonly store: Store;
  readonly containers: Containers;
  readonly log: Log;
}

/** How long the start waits for servers before it serves what it has. */
const startMs = 3000;
/** Names in one batch of a listing. */
const listBatch = 500;
const spaceAgeMs = 5000;
/** Changes that may wait in one volume's log. */
const logRecords = 100_000;
/** Part of the cache that contents waiting for servers may take. */
const logShare = 0.75;

/**
 * Opens the cache and log in `world.store` and `world.containers` and connects to the realm's servers.
 * @throws Failure damaged, incompatible, no-space
 */
export async function openVenus(config: VenusConfig, world: VenusWorld): Promise<Venus> {
  const buffer = new WriteBuffer(world.store);
  const identity = await Identity.open(buffer, world.random);
  const modifyLog = new ModifyLog(buffer);
  const containers = await ContainerCache.open({
    containers: world.containers,
    limitBytes: config.cacheBytes,
    isNeeded: (digest) => modifyLog.needs(digest),
    log: world.log,
  });
  const venus = new CachingClient(config, world, { buffer, identity, modifyLog, containers });
  await venus.started();
  return venus;
}

interface Parts {
  readonly buffer: WriteBuffer;
  readonly identity: Identity;
  readonly modifyLog: ModifyLog;
  readonly containers: ContainerCache;
}

class CachingClient implements Venus {
  readonly leases: LeaseTable;
  readonly log: PendingLog;
  readonly #config: VenusConfig;
  readonly #world: VenusWorld;
  readonly #parts: Parts;
  readonly #cache: ObjectCache;
  readonly #fetcher: Fetcher;
  readonly #changes: Changes;
  readonly #contents: Contents;
  readonly #reintegrator: Reintegrator;
  readonly #servers: Servers;
  readonly #volumes = new Map<VolumeId, Volume>();
  readonly #joining = new Set<Promise<void>>();
  readonly #bounds: LogBounds;
  readonly #root: Fid;
  #space: { readonly space: Space; readonly at: number } | undefined;

  constructor(config: VenusConfig, world: VenusWorld, parts: Parts) {
    this.#config = config;
    this.#world = world;
    this.#parts = parts;
    const { buffer, identity, modifyLog, containers } = parts;
    const { clock, random, log } = world;
    this.#bounds = new LogBounds(
      { records: logRecords, bytes: Math.floor(config.cacheBytes * logShare) },
      modifyLog,
    );
    this.leases = new LeaseTable(buffer);
    this.#cache = new ObjectCache(buffer);
    const cache = this.#cache;
    const volume = (fid: Fid): Volume => this.#volumeOf(fid);
    const gate = new TrickleGate(clock);
    this.#fetcher = new Fetcher({ cache, modifyLog, gate, log, volume, pause: () => sleep(clock, 0) });
    this.#reintegrator = new Reintegrator({
      modifyLog,
      cache,
      containers,
      identity,
      bounds: this.#bounds,
      gate,
      clock,
      random,
      log,
    });
    this.#changes = new Changes({
      cache,
      fetcher: this.#fetcher,
      reintegrator: this.#reintegrator,
      identity,
      clock,
      volume,
    });
    this.#contents = new Contents(containers, gate, log);
    this.log = new HandledLog({
      modifyLog,
      cache,
      root: realmRoot(config.realm),
      volumeName: (id) => this.#volumes.get(id)?.name ?? id,
      discard: (id, entries) => this.#discard(id, entries),
      target: restoreTargetOf(this, {
        realm: config.realm.realm,
        known: async (fid) => (await this.#fetcher.fresh(fid)).status.known,
        pause: () => sleep(clock, 0),
      }),
      contents: (digest, length) => containers.read(digest, 0, length),
      realm: config.realm.realm,
      gateway: config.name,
      clock,
    });
    this.#root = realmRoot(config.realm);
    this.#servers = this.#connect();
    this.#openVolumes();
  }

  /** Waits until every server has been asked once, but not long for one that does not answer. */
  async started(): Promise<void> {
    const asked = Promise.all(this.#servers.all.map(({ tried }) => tried)).then(() =>
      Promise.all(this.#joining),
    );
    await Promise.race([asked, sleep(this.#world.clock, startMs)]);
  }

  async lookup(_caller: Caller, path: readonly string[]): Promise<Place> {
    return walk(this.#cache, this.#fetcher, this.#root, path);
  }

  async status(_caller: Caller, fid: Fid): Promise<ObjectStatus> {
    return (await this.#fetcher.fresh(fid)).view;
  }

  async *list(_caller: Caller, directory: Fid): AsyncGenerator<readonly Entry[]> {
    await this.#fetcher.directory(directory);
    const entries = [...(this.#cache.names(directory)?.values() ?? [])];
    for (let start = 0; start < entries.length; start += listBatch) {
      const batch = entries.slice(start, start + listBatch);
      await this.#fetcher.freshen(batch.map(({ fid }) => fid));
      yield batch.flatMap(({ name, fid }) => {
        const object = this.#cache.get(fid);
        if (object !== undefined) return [{ name, status: object.view }];
        // Gone meanwhile, if servers can be asked; else a listing is whole or none.
        if (this.#volumeOf(fid).avsg.length > 0) return [];
        throw new Failure('unreachable', 'venus.list', 'not all of this directory is in the cache', { fid });
      });
      await sleep(this.#world.clock, 0);
    }
  }

  async open(_caller: Caller, fid: Fid): Promise<OpenFile> {
    const object = await this.#fetcher.fresh(fid);
    return this.#contents.open(this.#volumeOf(fid), object);
  }

  write(caller: Caller, announced?: number): Promise<Writer> {
    const { containers } = this.#parts;
    const { random, log } = this.#world;
    const volume = this.#volumeOf(this.#root);
    return FileWriter.open(
      { containers, changes: this.#changes, random, log, volume, bounds: this.#bounds },
      caller,
      announced,
    );
  }

  makeDirectory: Venus['makeDirectory'] = (...args) => this.#changes.makeDirectory(...args);
  makeSymlink: Venus['makeSymlink'] = (...args) => this.#changes.makeSymlink(...args);
  remove: Venus['remove'] = (...args) => this.#changes.remove(...args);
  rename: Venus['rename'] = (...args) => this.#changes.rename(...args);
  copy: Venus['copy'] = (...args) => this.#changes.copy(...args);
  setModified: Venus['setModified'] = (...args) => this.#changes.setModified(...args);
  setMode: Venus['setMode'] = (...args) => this.#changes.setMode(...args);
  setProperties: Venus['setProperties'] = (...args) => this.#changes.setProperties(...args);

  async space(): Promise<Space> {
    const now = this.#world.clock.monotonic();
    const { preferred, id } = this.#volumeOf(this.#root);
    const isFresh = this.#space !== undefined && now - this.#space.at < spaceAgeMs;
    if (preferred !== undefined && !isFresh) {
      const reply = await preferred.server.call('space', { volume: id }).catch((error: unknown) => {
        if (!isFailure(error)) throw error;
        return undefined;
      });
      if (reply !== undefined) {
        this.#space = { space: { usedBytes: reply.used, availableBytes: reply.available }, at: now };
      }
    }
    if (this.#space !== undefined) return this.#space.space;
    throw new Failure(
      'unreachable',
      'venus.space',
      'no server answers, and the space was never asked before',
    );
  }

  state(): VenusState {
    const { identity, containers } = this.#parts;
    return {
      venus: identity.venus,
      servers: this.#servers.states(),
      volumes: [...this.#volumes.values()].map((volume) => this.#volumeState(volume)),
      cache: { objects: this.#cache.hotCount, containers: containers.count, bytes: containers.bytes },
    };
  }

  async disconnect(servers: readonly string[]): Promise<void> {
    await this.#servers.suspend(servers);
  }

  async reconnect(servers: readonly string[]): Promise<void> {
    await this.#servers.resume(servers);
  }

  async setVolumeMode(name: string | null, mode: VolumeMode): Promise<void> {
    const volumes = [...this.#volumes.values()].filter((volume) => name === null || volume.name === name);
    if (volumes.length === 0) {
      const names = [...this.#volumes.values()].map((volume) => volume.name).join(', ');
      throw new Failure('not-found', 'venus.mode', `there is no volume ${name}; there are: ${names}`);
    }
    for (const volume of volumes) {
      volume.setMode(mode);
      this.#reintegrator.changed(volume);
    }
    await this.#parts.buffer.flush();
  }

  async close(): Promise<void> {
    await this.#reintegrator.close();
    for (const server of this.#servers.all) server.close();
    await this.#parts.buffer.close();
    await this.#world.containers.close();
  }

  async #discard(id: VolumeId, entries: readonly LogEntry[]): Promise<readonly number[]> {
    const volume = this.#volumes.get(id);
    if (volume === undefined) return [];
    return this.#reintegrator.discard(volume, entries);
  }

  #volumeState(volume: Volume): VolumeState {
    const { modifyLog } = this.#parts;
    const pending = modifyLog.pending(volume.id);
    const { limits } = this.#bounds;
    const replay = this.#reintegrator.replay(volume);
    const [oldest] = modifyLog.of(volume.id);
    return {
      id: volume.id,
      name: volume.name,
      state: volume.state,
      vsg: volume.members.map(({ server }) => server.name),
      avsg: volume.avsg.map(({ server }) => server.name),
      preferred: volume.preferred?.server.name ?? null,
      pendingRecords: pending.records,
      pendingBytes: pending.bytes,
      limitRecords: limits.records,
      limitBytes: limits.bytes,
      oldestPending: oldest?.records[0]?.time ?? null,
      keptRecords: modifyLog.keptCount(volume.id),
      mode: volume.mode,
      weak: volume.weak,
      replay: replay.progress,
      lastError: volume.fault ?? replay.lastError,
    };
  }

  #volumeOf(fid: Fid): Volume {
    const volume = this.#volumes.get(volumeOf(fid));
    if (volume !== undefined) return volume;
    throw new Failure('not-found', 'venus.volume', 'the realm has no such volume', { fid });
  }

  #connect(): Servers {
    const { realm, realmKey, name } = this.#config;
    const { identity, buffer } = this.#parts;
    const options = {
      realm: realm.realm,
      realmKey,
      name: `${name}/${identity.venus}`,
      onUp: (link: ServerLink) => this.#forMembers(link, (volume, member) => this.#join(volume, member)),
      onDown: (link: ServerLink) => this.#forMembers(link, (volume, member) => volume.leave(member)),
      onQuality: (link: ServerLink) => this.#forMembers(link, (volume) => volume.signalWeakness()),
      onPush: (link: ServerLink, push: Push) => this.#pushed(link, push),
    };
    return new Servers(realm.servers, options, { ...this.#world, buffer });
  }

  #openVolumes(): void {
    const { identity, buffer } = this.#parts;
    for (const entry of this.#config.realm.volumes) {
      const volume = new Volume(entry, (server) => this.#servers.get(server), {
        cache: this.#cache,
        buffer,
        identity,
        log: this.#world.log,
        onChange: (changed) => this.#reintegrator.changed(changed),
      });
      this.#volumes.set(entry.id, volume);
      this.#reintegrator.restore(volume);
    }
  }

  #pushed(link: ServerLink, push: Push): void {
    if (push.push === 'realm') this.#world.log.info('realm changed', { version: push.version });
    else {
      this.#forMembers(link, (volume, member) => {
        if (volume.id === push.volume) volume.broken(member, push);
      });
    }
  }

  #forMembers(link: ServerLink, act: (volume: Volume, member: Member) => unknown): void {
    for (const volume of this.#volumes.values()) {
      for (const member of volume.members) if (member.server === link) act(volume, member);
    }
  }

  /** Until its promise stands the member is no part of the AVSG; where it cannot promise, it is asked again. */
  #join(volume: Volume, member: Member): void {
    const { clock, log } = this.#world;
    const joining = volume.join(member).catch((error: unknown) => {
      if (!isFailure(error)) throw error;
      const tell = isFailure(error, 'damaged') ? log.error : log.warn;
      tell.call(log, 'join failed', { server: member.server.name, kind: error.kind, message: error.message });
      if (isFailure(error, 'unreachable', 'damaged')) return;
      clock.after(1000, () => {
        if (member.server.reachable && !member.watched) this.#join(volume, member);
      });
    });
    this.#joining.add(joining);
    void joining.finally(() => this.#joining.delete(joining));
  }
}
