/** A realm with everything that is noted while a scenario is played on it: what laws and faults need to know. */
import {
  isFailure,
  isRemoved,
  versionsOf,
  type Argument,
  type Fid,
  type RealmDocument,
  type Result,
  type VnodeStatus,
} from '../../../vice/interface/index.js';
import type { PendingChange } from '../../../venus/interface.js';
import type { CountingNetwork } from '../counting-network.js';
import { VolumeKeys, VolumeReader } from '../../../vice/store/volume-store.js';
import { rootVolume, SimulatedRealm, type Death } from '../simulated-realm.js';
import type { Replica } from '../../../vice/volume/replica.js';
import { GroupOrders } from './group-orders.js';
import { Ledger } from './ledger.js';
import type { Regression } from './outcome.js';
import { Orders } from './orders.js';
import type { Scenario, VolumeName } from './scenario.js';
import { Situations } from './situations.js';
import { countCertified, countResolved } from './tables.js';
import { annexVolume, idOf, nameOf, serversOf, volumesOf } from './volumes.js';
import { Ways } from './ways.js';

const keysOf = { root: new VolumeKeys(rootVolume), annex: new VolumeKeys(annexVolume) } as const;
/** As long as a message is under way: a crash often comes before the flush. */
const slowFlushMs = 4;

export class Stage {
  readonly realm: SimulatedRealm;
  readonly ledger = new Ledger();
  readonly ways = new Ways();
  readonly situations = new Situations();
  readonly trace: string[] = [];
  /** Errors that no caller was told of. */
  readonly accidents: string[] = [];
  readonly regressions: Regression[] = [];
  readonly #scenario: Scenario;
  readonly orders: Orders;
  /** Of a root volume whose group changes. */
  readonly group: GroupOrders | undefined;
  isHealed = false;
  readonly #watched = new WeakSet<Replica>();
  /** Which replicas have applied which records. */
  readonly #applied = new Set<string>();
  readonly servers: readonly string[];
  readonly gateways: readonly string[];
  /** How often the disk of a gateway was replaced. */
  readonly generations = new Map<string, number>();
  /** The logs of gateways when they died. */
  readonly atDeath = new Map<string, readonly PendingChange[]>();
  /** Gateways that were ever given an old copy of their disk. */
  readonly restored = new Set<string>();
  /** Gateways on a copy of another one's disk, and what they call themselves. */
  readonly clones = new Map<string, string>();
  /** When each host last started. */
  readonly startedAt = new Map<string, number>();
  /** Servers with damaged containers. */
  readonly spoilt = new Set<string>();
  /** Servers with damaged rows, and the objects that these were about: a scrub finds them. */
  readonly rotten = new Map<string, Set<Fid>>();
  /** Servers whose disk was lost: what the others counted at them is not there any more. */
  readonly wiped = new Set<string>();
  /** Once removed: a server may have forgotten them, and have them again from an old disk, removed or changed there. */
  readonly #forgettable = new Set<Fid>();
  /** By replica: every object as it was when its server last told of it. */
  readonly told = new Map<string, Map<Fid, VnodeStatus>>();
  /** Digests of containers of which one copy was damaged. */
  readonly flipped = new Set<string>();

  constructor(scenario: Scenario) {
    this.#scenario = scenario;
    const { volumes } = scenario;
    this.realm = new SimulatedRealm({
      seed: scenario.seed + 77_000,
      servers: scenario.servers,
      ...(scenario.holding === undefined ? {} : { holding: scenario.holding }),
      ...(volumes === undefined ? {} : { holding: volumes.root.length, change: withAnnex(volumes.annex) }),
      flushMs: slowFlushMs,
      ...(scenario.graceMs === undefined ? {} : { graceMs: scenario.graceMs }),
      logOf: () => this.situations.log(),
      onFault: (fault) => this.situations.count(`struck: ${fault}`),
      onTraffic: (_gateway, traffic) => this.#watchTraffic(traffic),
      onServerTraffic: (server, traffic) => this.#watchServer(server, traffic),
    });
    this.ledger.mayForget = scenario.holding !== undefined || scenario.graceMs !== undefined;
    this.servers = this.realm.serverNames;
    this.orders = new Orders(this.realm, () => this.isHealed);
    this.group = scenario.holding === undefined ? undefined : new GroupOrders(this.orders);
    this.gateways = Array.from({ length: scenario.gateways }, (_, index) => `g${index + 1}`);
  }

  /** Servers with a replica that must be as the others. */
  membersOf(volume: VolumeName): readonly string[] {
    if (volume === 'root' && this.group !== undefined) return this.group.members;
    return this.volumes.includes(volume) ? serversOf(this.#scenario, volume) : [];
  }

  get volumes(): readonly VolumeName[] {
    return volumesOf(this.#scenario);
  }

  now(): number {
    return this.realm.clock.monotonic();
  }

  note(text: string): void {
    this.trace.push(`${(this.now() / 1000).toFixed(3).padStart(9)} ${text}`);
  }

  accident(error: unknown): void {
    this.accidents.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
  }

  /** The disk of this gateway is not the one that it had. */
  renew(gateway: string): void {
    this.ledger.renewed.add(gateway);
    this.generations.set(gateway, (this.generations.get(gateway) ?? 0) + 1);
  }

  kill(name: string, death: Death): void {
    if (!this.realm.isUp(name)) return;
    if (this.gateways.includes(name)) {
      const pending = this.logOf(name);
      this.atDeath.set(name, pending);
      if (pending.length > 0) this.situations.count('log pending at kill');
    }
    if (death.silent === true && this.realm.disk(name).containers.inPart > 0)
      this.situations.count('contents in part torn');
    this.realm.kill(name, death);
  }

  logOf(gateway: string): readonly PendingChange[] {
    return this.realm.gateway(gateway).log.changes();
  }

  /** What the server says that has most of a volume. */
  usedBytes(volume: VolumeName): number {
    const up = this.membersOf(volume).filter((name) => this.realm.isUp(name));
    return Math.max(0, ...up.map((name) => this.realm.server(name).replica(idOf(volume))?.usedBytes ?? 0));
  }

  async start(name: string): Promise<void> {
    if (this.realm.isUp(name)) return;
    this.startedAt.set(name, this.now());
    try {
      if (this.servers.includes(name)) {
        await this.realm.startServer(name);
        this.watchReplicas();
      } else {
        await this.realm.startGateway(name, undefined, this.clones.get(name));
      }
    } catch (error) {
      if (!isFailure(error)) throw error;
      this.note(`${name} does not start: ${error.kind}`);
      this.situations.count(`start ${error.kind}`);
      this.realm.kill(name);
    }
  }

  #watchTraffic(traffic: CountingNetwork): void {
    traffic.onCall = (name, argument) => {
      if (name === 'mutate') this.ledger.sentRecords((argument as { records: never[] }).records);
    };
    traffic.falsify = (name, reply, argument) => {
      if (name === 'mutate')
        countCertified(
          this.situations,
          argument as Argument<'mutate'>,
          reply as Result<'mutate'>,
          this.#applied,
        );
      return reply;
    };
  }

  #watchServer(server: string, traffic: CountingNetwork): void {
    const own = (fid: Fid): VnodeStatus | undefined => {
      const status = this.#sound(server, fid);
      return status === 'damaged' ? undefined : status;
    };
    traffic.falsify = (name, reply) => {
      if (name === 'changes') countResolved(this.situations, reply as Result<'changes'>, own);
      return reply;
    };
  }

  /** Those that are open now; one may have come with a new document. */
  watchReplicas(): void {
    for (const volume of this.volumes) for (const server of this.servers) this.#watchReplica(server, volume);
  }

  /** A row is damaged: what it said of an object is lost, as with a lost disk, until another server brings it. */
  rot(server: string, fid: Fid | undefined): void {
    const fids = this.rotten.get(server) ?? new Set<Fid>();
    this.rotten.set(server, fids);
    if (fid === undefined) return;
    fids.add(fid);
    this.told.get(`${server} root`)?.delete(fid);
  }

  /** Nobody has been told of anything by this server: its disk is lost. */
  forgetTold(server: string): void {
    for (const volume of this.volumes) this.told.delete(`${server} ${volume}`);
  }

  /**
   * What a replica has flushed and told never goes back, also over a crash: no count, no known update. And no replica
   * counts more updates at another one than that one has.
   */
  #watchReplica(server: string, volume: VolumeName): void {
    const replica = this.realm.isUp(server) ? this.realm.server(server).replica(idOf(volume)) : undefined;
    if (replica === undefined || this.#watched.has(replica)) return;
    this.#watched.add(replica);
    const name = `${replica.id} ${volume}`;
    let told = this.told.get(name);
    if (told === undefined) this.told.set(name, (told = new Map()));
    const before = told;
    const compare = (fid: Fid): void => {
      // Not what can be read: that has changes in it which nobody was told of, and which a failed flush takes back.
      const status = this.#sound(server, fid);
      // Until it is healed it says nothing.
      if (status === 'damaged') return;
      const last = before.get(fid);
      if (this.#scenario.graceMs !== undefined && last !== undefined && isRemoved(last))
        this.#forgettable.add(fid);
      const old = this.#forgettable.has(fid) ? undefined : last;
      // All have heard that it was removed, and have forgotten it.
      if (status === undefined && old !== undefined && isRemoved(old)) return void before.delete(fid);
      for (const what of ['vv', 'known'] as const) {
        if (old === undefined || contains(status?.[what] ?? {}, old[what])) continue;
        const text = `${what} ${JSON.stringify(old[what])} became ${JSON.stringify(status?.[what])}`;
        this.regressions.push({ server, fid, what: `went back: ${text}` });
      }
      if (status === undefined) return;
      before.set(fid, status);
      for (const { storeId } of versionsOf(status)) this.ledger.holds(server, storeId, this.now());
      if (!this.#forgettable.has(fid)) this.#compareCounts(server, status);
    };
    for (const fid of before.keys()) compare(fid);
    replica.onChange(({ fids }) => fids.forEach(compare));
  }

  /** As the server's disk has it. @throws Failure damaged */
  durable(server: string, fid: Fid): VnodeStatus | undefined {
    const { durable } = this.realm.disk(server).store;
    return new VolumeReader({ ...durable, range: () => [] }, keysOf[nameOf(fid)]).object(fid)?.status;
  }

  #sound(server: string, fid: Fid): VnodeStatus | 'damaged' | undefined {
    try {
      return this.durable(server, fid);
    } catch (error) {
      if (isFailure(error, 'damaged')) return 'damaged';
      throw error;
    }
  }

  #compareCounts(server: string, { fid, vv }: VnodeStatus): void {
    for (const [id, count] of Object.entries(vv)) {
      const other = this.group === undefined ? id : this.group.replicas.get(id);
      // Of one that has left nobody can tell any more.
      if (other === undefined) continue;
      if (other === server || this.wiped.has(other) || !this.realm.isUp(other)) continue;
      if (this.rotten.get(other)?.has(fid)) continue;
      const own = this.#sound(other, fid);
      if (own === undefined || own === 'damaged' || (own.vv[id] ?? 0) >= count) continue;
      const what = `counts ${count} updates at ${other}, which has ${own.vv[id] ?? 0}`;
      this.regressions.push({ server, fid, what });
    }
  }
}

/** A second volume, in no tree yet. */
function withAnnex(servers: readonly string[]): (document: RealmDocument) => RealmDocument {
  const replicas = servers.map((name) => ({ id: name, server: name }));
  return (document) => ({
    ...document,
    volumes: [...document.volumes, { id: annexVolume, name: 'annex', replicas }],
  });
}

export function contains(
  now: Readonly<Record<string, number>>,
  before: Readonly<Record<string, number>>,
): boolean {
  return Object.entries(before).every(([key, count]) => (now[key] ?? 0) >= count);
}
