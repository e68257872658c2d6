/** A realm with everything that is noted while a scenario is played on it: what laws and faults need to know. */
import { isFailure, type Fid, type VnodeStatus } from '../../../vice/interface/index.js';
import type { PendingChange } from '../../../venus/interface.js';
import type { CountingNetwork } from '../counting-network.js';
import { rootVolume, SimulatedRealm, type Death } from '../simulated-realm.js';
import { Ledger } from './ledger.js';
import type { Regression } from './outcome.js';
import type { Scenario } from './scenario.js';
import { Situations } from './situations.js';

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
  /** Digests in the logs of gateways when they died. */
  readonly atDeath = new Map<string, readonly string[]>();
  /** By server: every object as it was when the server last told of it. */
  readonly told = new Map<string, Map<Fid, Pick<VnodeStatus, 'vv' | 'known'>>>();
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
      this.atDeath.set(
        name,
        pending.flatMap(({ records }) => records.flatMap(({ digest }) => digest ?? [])),
      );
      if (pending.length > 0) this.situations.count('log pending at kill');
    }
    this.realm.kill(name, death);
  }

  logOf(gateway: string): readonly PendingChange[] {
    return this.realm.gateway(gateway).log.changes();
  }

  async start(name: string): Promise<void> {
    if (this.realm.isUp(name)) return;
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

  /** What a replica has flushed and told never goes back, also over a crash: no count, no known update. */
  #watchReplica(server: string): void {
    const replica = this.realm.server(server).replica(rootVolume);
    if (replica === undefined) return;
    let told = this.told.get(server);
    if (told === undefined) this.told.set(server, (told = new Map()));
    const before = told;
    const compare = (fid: Fid): void => {
      const status = replica.held(fid);
      const old = before.get(fid);
      for (const what of ['vv', 'known'] as const) {
        if (old === undefined || contains(status?.[what] ?? {}, old[what])) continue;
        const text = `${what} ${JSON.stringify(old[what])} became ${JSON.stringify(status?.[what])}`;
        this.regressions.push({ server, fid, what: text });
      }
      if (status !== undefined) before.set(fid, status);
    };
    for (const fid of before.keys()) compare(fid);
    replica.onChange(({ fids }) => fids.forEach(compare));
  }
}

function contains(now: Readonly<Record<string, number>>, before: Readonly<Record<string, number>>): boolean {
  return Object.entries(before).every(([key, count]) => (now[key] ?? 0) >= count);
}
