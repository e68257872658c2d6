/** A realm with everything that is noted while a scenario is played on it: what laws and faults need to know. */
import { isFailure, isRemoved, type Fid, type VnodeStatus } from '../../../vice/interface/index.js';
import type { PendingChange } from '../../../venus/interface.js';
import type { CountingNetwork } from '../counting-network.js';
import { VolumeKeys, VolumeReader } from '../../../vice/store/volume-store.js';
import { rootVolume, SimulatedRealm, type Death } from '../simulated-realm.js';
import { Ledger } from './ledger.js';
import type { Regression } from './outcome.js';
import type { Scenario } from './scenario.js';
import { Situations } from './situations.js';

const volumeKeys = new VolumeKeys(rootVolume);
/** As long as a message is under way: a crash often comes before the flush. */
const slowFlushMs = 4;

export class Stage {
  readonly realm: SimulatedRealm;
  readonly ledger = new Ledger();
  readonly situations = new Situations();
  readonly trace: string[] = [];
  /** Errors that no caller was told of. */
  readonly accidents: string[] = [];
  readonly regressions: Regression[] = [];
  readonly servers: readonly string[];
  readonly gateways: readonly string[];
  /** How often the disk of a gateway was replaced. */
  readonly generations = new Map<string, number>();
  /** The logs of gateways when they died. */
  readonly atDeath = new Map<string, readonly PendingChange[]>();
  /** Gateways that were ever given an old copy of their disk. */
  readonly restored = new Set<string>();
  /** When each host last started. */
  readonly startedAt = new Map<string, number>();
  /** Servers with damaged containers. */
  readonly spoilt = new Set<string>();
  /** Servers whose disk was lost: what the others counted at them is not there any more. */
  readonly wiped = new Set<string>();
  /** By server: every object as it was when the server last told of it. */
  readonly told = new Map<string, Map<Fid, VnodeStatus>>();
  /** Digests of containers of which one copy was damaged. */
  readonly flipped = new Set<string>();

  constructor(scenario: Scenario) {
    this.realm = new SimulatedRealm({
      seed: scenario.seed + 77_000,
      servers: scenario.servers,
      flushMs: slowFlushMs,
      logOf: () => this.situations.log(),
      onTraffic: (_gateway, traffic) => this.#watchTraffic(traffic),
    });
    this.servers = this.realm.serverNames;
    this.gateways = Array.from({ length: scenario.gateways }, (_, index) => `g${index + 1}`);
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
    this.generations.set(gateway, (this.generations.get(gateway) ?? 0) + 1);
  }

  kill(name: string, death: Death): void {
    if (!this.realm.isUp(name)) return;
    if (this.gateways.includes(name)) {
      const pending = this.logOf(name);
      this.atDeath.set(name, pending);
      if (pending.length > 0) this.situations.count('log pending at kill');
    }
    this.realm.kill(name, death);
  }

  logOf(gateway: string): readonly PendingChange[] {
    return this.realm.gateway(gateway).log.changes();
  }

  async start(name: string): Promise<void> {
    if (this.realm.isUp(name)) return;
    this.startedAt.set(name, this.now());
    try {
      if (this.servers.includes(name)) {
        await this.realm.startServer(name);
        this.#watchReplica(name);
      } else {
        await this.realm.startGateway(name);
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
    traffic.falsify = (name, reply) => {
      if (name === 'mutate') this.#countMutation(reply as { outcome: string; failure?: { kind: string } });
      return reply;
    };
  }

  #countMutation({ outcome, failure }: { outcome: string; failure?: { kind: string } }): void {
    this.situations.count(`mutate ${outcome}${failure === undefined ? '' : ` ${failure.kind}`}`);
  }

  /**
   * What a replica has flushed and told never goes back, also over a crash: no count, no known update. And no replica
   * counts more updates at another one than that one has.
   */
  #watchReplica(server: string): void {
    const replica = this.realm.server(server).replica(rootVolume);
    if (replica === undefined) return;
    let told = this.told.get(server);
    if (told === undefined) this.told.set(server, (told = new Map()));
    const before = told;
    const compare = (fid: Fid): void => {
      // Not what can be read: that has changes in it which nobody was told of, and which a failed flush takes back.
      const status = this.#durable(server, fid);
      const old = before.get(fid);
      // All have heard that it was removed, and have forgotten it.
      if (status === undefined && old !== undefined && isRemoved(old)) return void before.delete(fid);
      for (const what of ['vv', 'known'] as const) {
        if (old === undefined || contains(status?.[what] ?? {}, old[what])) continue;
        const text = `${what} ${JSON.stringify(old[what])} became ${JSON.stringify(status?.[what])}`;
        this.regressions.push({ server, fid, what: `went back: ${text}` });
      }
      if (status === undefined) return;
      before.set(fid, status);
      this.#compareCounts(server, status);
    };
    for (const fid of before.keys()) compare(fid);
    replica.onChange(({ fids }) => fids.forEach(compare));
  }

  /** As the server's disk has it. */
  #durable(server: string, fid: Fid): VnodeStatus | undefined {
    const { durable } = this.realm.disk(server).store;
    return new VolumeReader({ ...durable, range: () => [] }, volumeKeys).object(fid)?.status;
  }

  #compareCounts(server: string, { fid, vv }: VnodeStatus): void {
    for (const [other, count] of Object.entries(vv)) {
      if (other === server || this.wiped.has(other) || !this.realm.isUp(other)) continue;
      const own = this.#durable(other, fid);
      if (own === undefined || (own.vv[other] ?? 0) >= count) continue;
      const what = `counts ${count} updates at ${other}, which has ${own.vv[other] ?? 0}`;
      this.regressions.push({ server, fid, what });
    }
  }
}

function contains(now: Readonly<Record<string, number>>, before: Readonly<Record<string, number>>): boolean {
  return Object.entries(before).every(([key, count]) => (now[key] ?? 0) >= count);
}
