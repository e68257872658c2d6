/**
 * A whole realm in one process: servers and gateways on the twins of the seams. Time moves only when the test moves
 * it, every choice comes from one seed, so the same seed gives the same run.
 */
import { CountingNetwork } from './counting-network.js';
import { dumpReplica, type ReplicaDump } from './replica-dump.js';
import {
  administrators,
  type ConflictPolicy,
  type PeopleDocument,
  type RealmDocument,
  onlyKey,
  type VolumeId,
} from '../../vice/interface/index.js';
import type { Containers } from '../../vice/seam/containers.js';
import { silentLog, type Log } from '../../vice/seam/log.js';
import { MemoryContainers } from '../../vice/seam/twin/memory-containers.js';
import { MemoryDocuments } from '../../vice/seam/twin/memory-documents.js';
import { MemoryNetwork } from '../../vice/seam/twin/memory-network.js';
import { endOf } from '../../vice/seam/store.js';
import { MemoryStore } from '../../vice/seam/twin/memory-store.js';
import { PlainPasswords } from '../../vice/seam/twin/plain-passwords.js';
import { seededRandom } from '../../vice/seam/twin/seeded-random.js';
import { SimulatedClock } from '../../vice/seam/twin/simulated-clock.js';
import { startServer, type ViceServer } from '../../vice/server/vice-server.js';
import type { Venus } from '../../venus/interface.js';
import { openVenus } from '../../venus/venus.js';
import type { DifferenceMode } from '../../venus/difference/worth.js';
import type { Random } from '../../vice/seam/random.js';

export const rootVolume = '7f000001' as VolumeId;
export const realmKey = new Uint8Array(32).fill(7);
/** Contents of simulated files are some 10 to 30 bytes: of both kinds there are many. */
const packedBytes = 16;

export interface Disk {
  store: MemoryStore;
  containers: MemoryContainers;
  /** Of a gateway: what people want hoarded. */
  hoard: MemoryDocuments;
}

/** What a process finds on `disk` that starts over it; at another `place`: over a copy of it. */
export function reopened({ store, containers, hoard }: Disk, place?: string): Disk {
  return { store: store.reopen(place), containers: containers.reopen(), hoard: hoard.reopen() };
}

export interface SimulatedRealmOptions {
  readonly seed: number;
  readonly servers?: number;
  /** How many of them hold the root volume; all by default. */
  readonly holding?: number;
  readonly gateways?: number;
  /** Milliseconds that a flush takes; 1 of a store and none of containers by default. */
  readonly flushMs?: number;
  /** As in ServerConfig. */
  readonly graceMs?: number;
  readonly log?: Log;
  /** Of the root volume. */
  readonly conflicts?: ConflictPolicy;
  /** What else is in the realm document, as further volumes. */
  readonly change?: (document: RealmDocument) => RealmDocument;
  /** Of the gateways: whether new versions move as what is new in them. */
  readonly differences?: DifferenceMode;
  /** The log of the process on a host; `log` where it is not given. */
  readonly logOf?: (host: string) => Log;
  /** Told of each fault of a disk, or a reply, that was asked for when it strikes. */
  readonly onFault?: (fault: string) => void;
  /** Of a gateway's cache; 1e9 by default. */
  readonly cacheBytes?: number;
  /** The servers keep these people. */
  readonly people?: PeopleDocument;
  /** How long a login is good. */
  readonly tokenSeconds?: number;
  /** Told of the network of each gateway before it starts. */
  readonly onTraffic?: (gateway: string, traffic: CountingNetwork) => void;
  /** The same of each server. */
  readonly onServerTraffic?: (server: string, traffic: CountingNetwork) => void;
}

/** How a process dies. */
export interface Death {
  /** The machine loses its power: peers are told nothing, connections stay half open. */
  readonly silent?: boolean;
  /** A flush that was under way has reached the disk. */
  readonly keepsRunning?: boolean;
}

export class SimulatedRealm {
  readonly clock = new SimulatedClock();
  readonly random: Random;
  readonly network: MemoryNetwork;
  readonly document: RealmDocument;
  /** Of the servers. */
  readonly passwords = new PlainPasswords(seededRandom(1));
  readonly #people: PeopleDocument | undefined;
  readonly #flushMs: number | undefined;
  readonly #graceMs: number | undefined;
  readonly #cacheBytes: number;
  readonly #onFault: SimulatedRealmOptions['onFault'];
  readonly #differences: DifferenceMode | undefined;
  readonly #onTraffic: NonNullable<SimulatedRealmOptions['onTraffic']>;
  readonly #onServerTraffic: SimulatedRealmOptions['onServerTraffic'];
  readonly #logOf: (host: string) => Log;
  readonly #disks = new Map<string, Disk>();
  readonly #servers = new Map<string, ViceServer>();
  readonly #gateways = new Map<string, Venus>();
  /** What each gateway has called. */
  readonly traffic = new Map<string, CountingNetwork>();

  constructor(options: SimulatedRealmOptions) {
    this.random = seededRandom(options.seed);
    this.#people = options.people;
    this.#flushMs = options.flushMs;
    this.#graceMs = options.graceMs;
    this.#cacheBytes = options.cacheBytes ?? 1e9;
    this.#onFault = options.onFault;
    this.#differences = options.differences;
    this.#onTraffic = options.onTraffic ?? (() => undefined);
    this.#onServerTraffic = options.onServerTraffic;
    this.#logOf = options.logOf ?? (() => options.log ?? silentLog);
    this.network = new MemoryNetwork({
      clock: this.clock,
      random: seededRandom(options.seed + 1),
      latency: [0, 3],
      onFault: options.onFault,
    });
    const names = Array.from({ length: options.servers ?? 3 }, (_, index) => `s${index + 1}`);
    const { change = (document: RealmDocument) => document } = options;
    this.document = change({
      format: 1,
      version: 1,
      realm: 'simulated',
      name: 'simulated',
      servers: names.map((name) => ({ name, address: `ws://${name}:1` })),
      volumes: [
        {
          id: rootVolume,
          name: 'root',
          replicas: names.slice(0, options.holding).map((name) => ({ id: name, server: name })),
          conflicts: options.conflicts,
        },
      ],
      rootVolume,
      groups: { [administrators]: ['ann'] },
      ...(options.people !== undefined && {
        people: { version: options.people.version, tokenSeconds: options.tokenSeconds },
      }),
    });
  }

  get serverNames(): readonly string[] {
    return this.document.servers.map(({ name }) => name);
  }

  get gatewayNames(): readonly string[] {
    return [...this.#gateways.keys()];
  }

  isUp(name: string): boolean {
    return this.#servers.has(name) || this.#gateways.has(name);
  }

  gateway(name: string): Venus {
    const venus = this.#gateways.get(name);
    if (venus === undefined) throw new Error(`${name} is down`);
    return venus;
  }

  /** With another realm document than its own, where it is given. */
  async startServer(name: string, document = this.document): Promise<void> {
    const disk = this.disk(name);
    let network = this.network.host(name);
    if (this.#onServerTraffic !== undefined) {
      const counting = new CountingNetwork(network);
      this.#onServerTraffic(name, counting);
      network = counting;
    }
    const server = await this.finish(
      startServer(
        {
          name,
          realm: document,
          people: this.#people,
          realmKeys: onlyKey(realmKey),
          listen: `ws://${name}:1`,
          packedBytes,
          graceMs: this.#graceMs,
        },
        {
          clock: this.network.clock(name),
          random: seededRandom(this.random.fraction() * 2 ** 31),
          network,
          store: disk.store,
          containers: disk.containers,
          passwords: this.passwords,
          log: this.#logOf(name),
        },
      ),
    );
    this.#servers.set(name, server);
  }

  /** `called`: the name that it bears in the realm. */
  async startGateway(name: string, document = this.document, called = name): Promise<Venus> {
    const disk = this.disk(name);
    const network = new CountingNetwork(this.network.host(name));
    this.traffic.set(name, network);
    this.#onTraffic(name, network);
    const venus = await this.finish(
      openVenus(
        {
          name: called,
          realm: document,
          realmKeys: onlyKey(realmKey),
          cacheBytes: this.#cacheBytes,
          packedBytes,
          differences: this.#differences,
        },
        {
          clock: this.network.clock(name),
          random: seededRandom(this.random.fraction() * 2 ** 31),
          network,
          store: disk.store,
          containers: disk.containers,
          hoard: disk.hoard,
          log: this.#logOf(name),
        },
      ),
    );
    this.#gateways.set(name, venus);
    return venus;
  }

  server(name: string): ViceServer {
    const server = this.#servers.get(name);
    if (server === undefined) throw new Error(`${name} is down`);
    return server;
  }

  /** Kills a process: what it had not flushed is gone, its links break. */
  kill(name: string, { silent = false, keepsRunning = false }: Death = {}): void {
    this.network.kill(name, silent);
    this.#servers.delete(name);
    this.#gateways.delete(name);
    const { store, containers, hoard } = this.disk(name);
    this.#disks.set(name, {
      store: store.crash(keepsRunning),
      containers: containers.crash(keepsRunning, silent, silent ? this.random : undefined),
      hoard: hoard.crash(),
    });
  }

  /** The disk of a dead process is replaced by an empty one. */
  wipe(name: string): void {
    this.#disks.delete(name);
  }

  /**
   * What the disk of a dead process holds, for a later `replaceDisk`: a backup. It comes back as the folder that it was
   * or, at another `place`, as a copy of it.
   */
  copyDisk(name: string, place?: string): Disk {
    return reopened(this.disk(name), place);
  }

  replaceDisk(name: string, disk: Disk): void {
    this.#disks.set(name, disk);
  }

  /** Moves time until `promise` settles. @throws Error after an hour of simulated time */
  async finish<T>(promise: Promise<T>): Promise<T> {
    return this.clock.until(promise);
  }

  /** Everything that a server's replica holds, read from its disk; contents from `containers` where they are given. */
  dump(
    name: string,
    containers: Containers = this.disk(name).containers,
    volume = rootVolume,
  ): Promise<ReplicaDump> {
    // What is opened may have to be mended (KT-1): of a copy, so that looking changes nothing.
    const rows = this.disk(name).store.range({ start: '', end: endOf('') });
    const store = new MemoryStore(
      {},
      [...rows].map(({ key, value }) => [key, value] as const),
    );
    return dumpReplica({
      store,
      containers,
      clock: this.clock,
      random: this.random,
      volume,
      id: name,
    });
  }

  disk(name: string): Disk {
    let disk = this.#disks.get(name);
    if (disk === undefined) {
      const { clock } = this;
      const [flushMs, onFault] = [this.#flushMs, this.#onFault];
      disk = {
        store: new MemoryStore({ clock, flushMs: flushMs ?? 1, onFault }),
        containers: new MemoryContainers({ onFault, ...(flushMs !== undefined && { clock, flushMs }) }),
        hoard: new MemoryDocuments({ clock, flushMs: flushMs ?? 1 }),
      };
      this.#disks.set(name, disk);
    }
    return disk;
  }
}
