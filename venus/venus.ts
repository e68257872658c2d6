/** Venus assembled: the caching client behind the door of interface.ts. */
import {
  Failure,
  isFailure,
  realmRoot,
  volumeOf,
  type Fid,
  type RealmDocument,
  type VolumeId,
} from '../vice/interface/index.js';
import { sleep, type Clock } from '../vice/seam/clock.js';
import type { Containers } from '../vice/seam/containers.js';
import type { Log } from '../vice/seam/log.js';
import type { Network } from '../vice/seam/network.js';
import type { Random } from '../vice/seam/random.js';
import type { Store } from '../vice/seam/store.js';
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
  Place,
  Space,
  Venus,
  VenusState,
  Writer,
} from './interface.js';
import { ModifyLog } from './log/modify-log.js';
import { Reintegrator } from './reintegration/reintegrator.js';
import { ServerLink } from './remote/server-link.js';
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
  readonly #config: VenusConfig;
  readonly #world: VenusWorld;
  readonly #parts: Parts;
  readonly #cache: ObjectCache;
  readonly #fetcher: Fetcher;
  readonly #changes: Changes;
  readonly #contents: Contents;
  readonly #reintegrator: Reintegrator;
  readonly #servers = new Map<string, ServerLink>();
  readonly #volumes = new Map<VolumeId, Volume>();
  readonly #joining = new Set<Promise<void>>();
  readonly #root: Fid;
  #space: { readonly space: Space; readonly at: number } | undefined;

  constructor(config: VenusConfig, world: VenusWorld, parts: Parts) {
    this.#config = config;
    this.#world = world;
    this.#parts = parts;
    const { buffer, identity, modifyLog, containers } = parts;
    const { clock, random, log } = world;
    this.leases = new LeaseTable(buffer);
    this.#cache = new ObjectCache(buffer);
    const cache = this.#cache;
    const volume = (fid: Fid): Volume => this.#volumeOf(fid);
    this.#fetcher = new Fetcher({ cache, log, volume, pause: () => sleep(clock, 0) });
    this.#reintegrator = new Reintegrator({ modifyLog, cache, containers, identity, clock, random, log });
    this.#changes = new Changes({
      cache,
      fetcher: this.#fetcher,
      reintegrator: this.#reintegrator,
      identity,
      clock,
      volume,
    });
    this.#contents = new Contents(containers, log);
    this.#root = realmRoot(config.realm);
    this.#connect();
  }

  /** Waits until every server has been asked once, but not long for one that does not answer. */
  async started(): Promise<void> {
    const asked = Promise.all([...this.#servers.values()].map(({ tried }) => tried)).then(() =>
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
        return object === undefined ? [] : [{ name, status: object.view }];
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
    return FileWriter.open({ containers, changes: this.#changes, random, log, volume }, caller, announced);
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
    const { identity, modifyLog, containers } = this.#parts;
    return {
      venus: identity.venus,
      servers: [...this.#servers.values()].map((server) => ({
        name: server.name,
        address: server.address,
        reachable: server.reachable,
        silence: server.silence(),
      })),
      volumes: [...this.#volumes.values()].map((volume) => {
        const pending = [...modifyLog.of(volume.id)].flatMap(({ records }) => records);
        const bytes = pending.reduce((sum, record) => sum + (record.op === 'store' ? record.length : 0), 0);
        return {
          id: volume.id,
          name: volume.name,
          state: volume.avsg.length === 0 ? 'emulating' : 'hoarding',
          vsg: volume.members.map(({ server }) => server.name),
          avsg: volume.avsg.map(({ server }) => server.name),
          preferred: volume.preferred?.server.name ?? null,
          pendingRecords: pending.length,
          pendingBytes: bytes,
        };
      }),
      cache: { objects: this.#cache.hotCount, containers: containers.count, bytes: containers.bytes },
    };
  }

  async close(): Promise<void> {
    await this.#reintegrator.close();
    for (const server of this.#servers.values()) server.close();
    await this.#parts.buffer.close();
    await this.#world.containers.close();
  }

  #volumeOf(fid: Fid): Volume {
    const volume = this.#volumes.get(volumeOf(fid));
    if (volume !== undefined) return volume;
    throw new Failure('not-found', 'venus.volume', 'the realm has no such volume', { fid });
  }

  #connect(): void {
    const { realm, realmKey, name } = this.#config;
    const { identity, buffer } = this.#parts;
    const { log } = this.#world;
    for (const server of realm.servers) {
      this.#servers.set(
        server.name,
        new ServerLink(
          {
            server,
            realm: realm.realm,
            realmKey,
            name: `${name}/${identity.venus}`,
            onUp: (link) => this.#forMembers(link, (volume, member) => this.#join(volume, member)),
            onDown: (link) => this.#forMembers(link, (volume, member) => volume.leave(member)),
            onPush: (link, push) => {
              if (push.push === 'realm') return log.info('realm changed', { version: push.version });
              this.#forMembers(
                link,
                (volume, member) => volume.id === push.volume && volume.broken(member, push),
              );
            },
          },
          this.#world,
        ),
      );
    }
    for (const entry of realm.volumes) {
      const volume = new Volume(entry, (server) => this.#servers.get(server), {
        cache: this.#cache,
        buffer,
        log,
        onChange: (changed) => this.#reintegrator.kick(changed),
      });
      this.#volumes.set(entry.id, volume);
      this.#reintegrator.restore(volume);
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
      log.warn('join failed', { server: member.server.name, kind: error.kind, message: error.message });
      if (isFailure(error, 'unreachable')) return;
      clock.after(1000, () => {
        if (member.server.reachable && !member.watched) this.#join(volume, member);
      });
    });
    this.#joining.add(joining);
    void joining.finally(() => this.#joining.delete(joining));
  }
}
