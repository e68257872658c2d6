/**
 * Servers of one realm on the memory twins, without any Venus: tests speak to them by calls, and look into
 * their disks. Time moves only when the test moves it.
 */
import {
  conflictsOf,
  emptyDigest,
  Failure,
  isFailure,
  isRemoved,
  rootFid,
  onlyKey,
  signCredential,
  versionsOf,
  volumeOf,
  type Argument,
  type CallName,
  type ConflictKind,
  type Fid,
  type FailureKind,
  type RealmDocument,
  type Result,
  type Role,
  type VnodeStatus,
  type VolumeId,
} from '../../vice/interface/index.js';
import { blockDigest, containerDigest } from '../../vice/seam/block-digests.js';
import { blockBytes } from '../../vice/seam/containers.js';
import { silentLog } from '../../vice/seam/log.js';
import type { Link, Network } from '../../vice/seam/network.js';
import { MemoryContainers } from '../../vice/seam/twin/memory-containers.js';
import { MemoryNetwork } from '../../vice/seam/twin/memory-network.js';
import { MemoryStore } from '../../vice/seam/twin/memory-store.js';
import { PlainPasswords } from '../../vice/seam/twin/plain-passwords.js';
import { seededRandom } from '../../vice/seam/twin/seeded-random.js';
import { SimulatedClock } from '../../vice/seam/twin/simulated-clock.js';
import { defaultScrub, type ScrubSettings } from '../../vice/scrub/scrub-world.js';
import { startServer, type ViceServer } from '../../vice/server/vice-server.js';
import type { SnapshotSchedule } from '../../vice/volume/snapshots-due.js';
import { heldBy } from './bare-replica.js';

export const volume = '7f000001' as VolumeId;
export const root = rootFid(volume);
export const realmKey = new Uint8Array(32).fill(7);
export const names = ['s1', 's2', 's3'] as const;
export const document: RealmDocument = {
  format: 1,
  version: 1,
  realm: 'office',
  name: 'office',
  servers: names.map((name) => ({ name, address: `ws://${name}:1` })),
  volumes: [{ id: volume, name: 'root', replicas: names.map((name) => ({ id: `r-${name}`, server: name })) }],
  rootVolume: volume,
};

export interface Dumped extends VnodeStatus {
  readonly contents: string;
  /** Of the versions that are not shown. */
  readonly versions: readonly string[];
  readonly conflicts: readonly ConflictKind[];
}

interface Disk {
  store: MemoryStore;
  containers: MemoryContainers;
}

/** What a server has asked of its peers, and one fault: a download that breaks after so many bytes. */
export class Watched implements Network {
  readonly downloads: { readonly path: string; readonly start: number }[] = [];
  readonly changesSince: number[] = [];
  /** In each of these calls: up to where the server said that it has all. */
  readonly changesSettled: (number | undefined)[] = [];
  breakAfter = Infinity;
  /** What anybody may read of the server, such as `/metrics`. */
  page: (path: string) => Promise<string | undefined> = () => Promise.resolve(undefined);
  /** Runs before the changes of a peer are asked for. */
  beforeChanges: () => Promise<void> = () => Promise.resolve();
  readonly #network: Network;

  constructor(network: Network) {
    this.#network = network;
  }

  listen: Network['listen'] = (address, service) => {
    this.page = async (path) => (await service.page?.(path))?.body;
    return this.#network.listen(address, service);
  };

  dial: Network['dial'] = async (address, options) => {
    const link = await this.#network.dial(address, options);
    return {
      hello: link.hello,
      closed: link.closed,
      silence: () => link.silence(),
      close: () => link.close(),
      upload: (path, start, source, signal) => link.upload(path, start, source, signal),
      call: async (name, argument, callOptions) => {
        if (name === 'changes') {
          await this.beforeChanges();
          const { since, settled } = argument as Argument<'changes'>;
          this.changesSince.push(since.stamp);
          this.changesSettled.push(settled?.stamp);
        }
        return link.call(name, argument, callOptions);
      },
      download: async (path, start, signal) => {
        this.downloads.push({ path, start });
        return this.#broken(await link.download(path, start, signal));
      },
    };
  };

  async *#broken(source: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
    let passed = 0;
    for await (const chunk of source) {
      yield chunk;
      passed += chunk.length;
      if (passed < this.breakAfter) continue;
      this.breakAfter = Infinity;
      throw new Failure('unreachable', 'test', 'the transfer broke');
    }
  }
}

export class BareRealm {
  readonly clock = new SimulatedClock();
  readonly network = new MemoryNetwork({ clock: this.clock, random: seededRandom(1), latency: [1, 1] });
  readonly servers = new Map<string, ViceServer>();
  readonly disks = new Map<string, Disk>();
  readonly asked = new Map<string, Watched>();
  realm = document;
  /** As in ServerConfig: contents of at most so many bytes go into the store. */
  packedBytes = 0;
  scrub: ScrubSettings = defaultScrub;
  snapshots: SnapshotSchedule | undefined;
  #starts = 1;

  /** Lets time pass until `promise` settles. */
  run<T>(promise: Promise<T>): Promise<T> {
    return this.clock.until(promise);
  }

  async start(...started: readonly string[]): Promise<void> {
    for (const name of started) {
      const empty = { store: new MemoryStore({}), containers: new MemoryContainers({}) };
      const disk = this.disks.get(name) ?? empty;
      this.disks.set(name, disk);
      const network = new Watched(this.network.host(name));
      this.asked.set(name, network);
      const random = seededRandom((this.#starts += 1));
      const passwords = new PlainPasswords(random);
      const world = { clock: this.clock, random, network, ...disk, passwords, log: silentLog };
      const { packedBytes, scrub, snapshots } = this;
      const shared = { realm: this.realm, realmKeys: onlyKey(realmKey), packedBytes, scrub, snapshots };
      const config = { name, listen: `ws://${name}:1`, ...shared };
      this.servers.set(name, await this.run(startServer(config, world)));
    }
    await this.clock.advance(6_000);
  }

  /** The process dies, what it had not flushed is gone. */
  kill(name: string): void {
    this.network.kill(name);
    this.servers.delete(name);
    const disk = this.disk(name);
    this.disks.set(name, { store: disk.store.crash(), containers: disk.containers.crash() });
  }

  disk(name: string): Disk {
    const disk = this.disks.get(name);
    if (disk === undefined) throw new Error(`no disk of ${name}`);
    return disk;
  }

  server(name: string): ViceServer {
    const server = this.servers.get(name);
    if (server === undefined) throw new Error(`${name} is down`);
    return server;
  }

  status(name: string, fid: Fid): VnodeStatus | undefined {
    return this.server(name).replica(volumeOf(fid))?.status(fid);
  }

  downloads(name: string): Watched['downloads'] {
    return this.asked.get(name)?.downloads ?? [];
  }

  async dial(server: string, name: string, role: Role = 'gateway'): Promise<Client> {
    const credential = signCredential(realmKey, document.realm, { role, name }, this.clock.wall() + 1e9);
    const pushes: unknown[] = [];
    // A server greets with the version of its realm document; what follows is of interest.
    let isGreeting = true;
    const onPush = (push: unknown): void => {
      if (!isGreeting) pushes.push(push);
      isGreeting = false;
    };
    const link = await this.run(
      this.network.host(name).dial(`ws://${server}:1`, { credential: () => credential, onPush }),
    );
    return new Client(this, link, pushes);
  }

  /** Everything of a replica by path, with the contents of every version; removed objects by their Fids. */
  async dump(name: string, of = volume): Promise<Map<string, Dumped>> {
    const replica = this.server(name).replica(of);
    const found = new Map<string, Dumped>();
    const visit = async (path: string, called: string | null, status: VnodeStatus): Promise<void> => {
      const [contents = '', ...siblings] = await Promise.all(
        versionsOf(status).map(({ digest }) => textOf(this.disk(name).containers, digest)),
      );
      found.set(path, { ...status, contents, versions: siblings, conflicts: conflictsOf(status, called) });
      for (const entry of replica?.list(status.fid)?.entries ?? []) {
        await visit(`${path}/${entry.name}`, entry.name, entry.status);
      }
    };
    const top = replica?.status(rootFid(of));
    if (top !== undefined) await visit('', null, top);
    return found;
  }

  /** The tombstones of a replica. */
  remains(name: string, of = volume): ReadonlyMap<Fid, VnodeStatus> {
    const replica = this.server(name).replica(of);
    if (replica === undefined) return new Map();
    return new Map([...heldBy(replica)].filter(([, status]) => isRemoved(status)).sort());
  }

  async isSame(t: Tap, what: string, compared: readonly string[] = names, of = volume): Promise<void> {
    const [first, ...others] = await Promise.all(compared.map((name) => this.dump(name, of)));
    for (const [index, other] of others.entries()) t.same(other, first, `${what}: ${compared[index + 1]}`);
  }
}

/** What is used of tap. */
interface Tap {
  same(found: unknown, wanted: unknown, message: string): unknown;
}

/** Stands for contents that whoever removed the file has given up. */
export const gone = '(gone)';

async function textOf(containers: MemoryContainers, digest: string): Promise<string> {
  if (digest === emptyDigest) return '';
  if (!(await containers.has(digest))) return gone;
  const chunks: Uint8Array[] = [];
  for await (const chunk of await containers.read(digest)) chunks.push(chunk);
  return Buffer.concat(chunks).toString('latin1');
}

/** One connection to one server. */
export class Client {
  readonly realm: BareRealm;
  readonly link: Link;
  readonly pushes: unknown[];

  constructor(realm: BareRealm, link: Link, pushes: unknown[]) {
    this.realm = realm;
    this.link = link;
    this.pushes = pushes;
  }

  async call<C extends CallName>(name: C, argument: Argument<C>): Promise<Result<C>> {
    return (await this.realm.run(this.link.call(name, argument, { timeoutMs: 120_000 }))) as Result<C>;
  }

  async refusal(name: string, argument: unknown): Promise<FailureKind | 'answered'> {
    return kindOf(this.realm.run(this.link.call(name, argument)));
  }

  upload(path: string, start: number, ...chunks: readonly string[]): Promise<FailureKind | 'answered'> {
    return kindOf(this.realm.run(this.link.upload(path, start, streamOf(chunks))));
  }

  async download(path: string, start = 0): Promise<string> {
    return this.realm.run(gather(await this.realm.run(this.link.download(path, start))));
  }
}

/** How a call fails, or that it does not. */
export async function kindOf(promise: Promise<unknown>): Promise<FailureKind | 'answered'> {
  try {
    await promise;
    return 'answered';
  } catch (error) {
    if (isFailure(error)) return error.kind;
    throw error;
  }
}

async function gather(source: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks).toString('latin1');
}

async function* streamOf(chunks: readonly string[]): AsyncIterable<Uint8Array> {
  for (const chunk of chunks) yield Buffer.from(chunk, 'latin1');
}

/** As the containers name these contents (one Latin-1 character a byte). */
export function digestOf(text: string): string {
  const bytes = Buffer.from(text, 'latin1');
  const blocks: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += blockBytes) {
    blocks.push(blockDigest(bytes.subarray(at, at + blockBytes)));
  }
  return containerDigest(Buffer.concat(blocks));
}
