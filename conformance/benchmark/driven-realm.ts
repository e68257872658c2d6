/** A realm of real processes that loses servers and links and gets them back, and what it tells of itself. */
import { callControlDoor } from '../../gateway/realm/control-door.js';
import { realmPaths } from '../../gateway/realm/realm-folder.js';
import { statusSchema, type GatewayStatus, type VolumeStatus } from '../../gateway/realm/status.js';
import { until } from '../program.js';
import { Realm } from '../realm.js';
import { isConnected, isDrained } from '../volume-status.js';
import { drive, type Target } from './generator.js';

/** Calls that servers were asked for, by server and name. */
export type Calls = ReadonlyMap<string, ReadonlyMap<string, number>>;

/** Each question costs the gateway some time itself. */
const askEveryMs = 25;
const reconnectWithinMs = 60_000;
const drainWithinMs = 300_000;

export class DrivenRealm {
  readonly realm: Realm;

  private constructor(realm: Realm) {
    this.realm = realm;
  }

  static async start(servers: number): Promise<DrivenRealm> {
    const driven = new DrivenRealm(await Realm.start({ servers }));
    // What has never been read cannot be changed while no server is reached.
    await drive(driven.target, { method: 'PROPFIND', paths: ['/'], connections: 1 });
    return driven;
  }

  stop(): Promise<void> {
    return this.realm.stop();
  }

  get target(): Target {
    return this.realm.ready;
  }

  get #gateway(): string {
    const [gateway] = this.realm.ready.gateways;
    if (gateway === undefined) throw new Error('a realm has a gateway');
    return gateway.name;
  }

  async gatewayStatus(): Promise<GatewayStatus> {
    const status = statusSchema.parse(await this.#ask('GET', '/status'));
    const [gateway] = status.gateways;
    if (gateway === undefined) throw new Error(`${this.#gateway} does not answer`);
    return gateway;
  }

  async volume(): Promise<VolumeStatus> {
    const [volume] = (await this.gatewayStatus()).volumes;
    if (volume === undefined) throw new Error('a realm has a volume');
    return volume;
  }

  /** Kills the gateway's process with SIGKILL; it is started again by `coda up`. */
  killGateway(): Promise<number> {
    return this.realm.kill(this.#gateway);
  }

  /** All servers, really: their processes end. */
  async stopServers(): Promise<void> {
    await this.#orderServers('stop');
    await this.#until('the loss of all servers to be noticed', ({ avsg }) => avsg.length === 0);
  }

  async startServers(): Promise<void> {
    await this.#orderServers('start');
  }

  /** `coda disconnect`. */
  async disconnect(): Promise<void> {
    await this.#ask('POST', '/disconnect', { servers: [] });
    await this.#until('the disconnection', ({ avsg }) => avsg.length === 0);
  }

  /** `coda reconnect`. */
  async reconnect(): Promise<void> {
    await this.#ask('POST', '/reconnect', { servers: [] });
  }

  /** `coda write-disconnected` and `coda write-through`. */
  async setMode(mode: 'write-through' | 'write-disconnected'): Promise<void> {
    await this.#ask('POST', '/volume-mode', { volume: null, mode });
  }

  /** Waits until every server is reached. */
  async connected(): Promise<void> {
    await this.#until('all servers to be reached', isConnected, reconnectWithinMs);
  }

  /**
   * Waits until every server is reached and nothing waits to be sent; `look` sees each state on the way.
   * @throws Error when changes were refused, or the log is not empty in time
   */
  async drained(look: (volume: VolumeStatus) => void = () => undefined): Promise<void> {
    const isDone = (volume: VolumeStatus): boolean => {
      look(volume);
      return isDrained(volume);
    };
    await this.#until('the log to be empty', isDone, drainWithinMs);
    const { keptRecords, lastError } = await this.volume();
    if (keptRecords > 0) throw new Error(`${keptRecords} records were refused: ${lastError ?? 'no reason'}`);
  }

  /** Waits until servers are asked nothing any more: COP2 messages and resolution come a moment later. */
  async quiet(): Promise<Calls> {
    let before = await this.calls();
    return until(
      'the servers to be left alone',
      reconnectWithinMs,
      async () => {
        const now = await this.calls();
        const isQuiet = total(now) === total(before);
        before = now;
        return isQuiet ? now : undefined;
      },
      1_000,
    );
  }

  /** From each server's /metrics. */
  async calls(): Promise<Calls> {
    const calls = new Map<string, ReadonlyMap<string, number>>();
    for (const { name, url } of this.realm.ready.servers) {
      const reply = await fetch(new URL('/metrics', url));
      calls.set(name, callsIn(await reply.text()));
    }
    return calls;
  }

  async #orderServers(order: 'stop' | 'start'): Promise<void> {
    const { servers } = this.realm.ready;
    await Promise.all(
      servers.map(({ name }) => callControlDoor(this.realm.data, 'POST', `/servers/${name}/${order}`)),
    );
  }

  #ask(method: 'GET' | 'POST', path: string, body?: unknown): Promise<unknown> {
    return callControlDoor(realmPaths(this.realm.data).gateway(this.#gateway), method, path, body);
  }

  async #until(what: string, is: (volume: VolumeStatus) => boolean, ms = reconnectWithinMs): Promise<void> {
    const question = async (): Promise<true | undefined> => (is(await this.volume()) ? true : undefined);
    await until(what, ms, question, askEveryMs);
  }
}

/** What `after` counts more than `before`, by server and name. */
export function callsBetween(before: Calls, after: Calls): Calls {
  const between = new Map<string, ReadonlyMap<string, number>>();
  for (const [server, counts] of after) {
    const more = [...counts].map(
      ([name, count]) => [name, count - (before.get(server)?.get(name) ?? 0)] as const,
    );
    between.set(server, new Map(more.filter(([, count]) => count > 0)));
  }
  return between;
}

export function total(calls: Calls): number {
  let sum = 0;
  for (const counts of calls.values()) for (const count of counts.values()) sum += count;
  return sum;
}

function callsIn(metrics: string): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const [, name = '', count = ''] of metrics.matchAll(/^vice_calls_total\{name="(\w+)".*\} (\d+)$/gm)) {
    counts.set(name, (counts.get(name) ?? 0) + Number(count));
  }
  return counts;
}
