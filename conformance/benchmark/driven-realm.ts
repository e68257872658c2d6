/** A realm of real processes that loses servers and links and gets them back, and what it tells of itself. */
import { callControlDoor } from '../../gateway/realm/control-door.js';
import { realmPaths } from '../../gateway/realm/realm-folder.js';
import { statusSchema, type GatewayStatus, type VolumeStatus } from '../../gateway/realm/status.js';
import { until } from '../program.js';
import { Realm, type RealmOptions } from '../realm.js';
import { isDrained } from '../volume-status.js';
import { drive, type Target } from './generator.js';
import { processorSecondsOf } from './processor-time.js';

/** Calls that servers were asked for, by server and name. */
export type Calls = ReadonlyMap<string, ReadonlyMap<string, number>>;

/** Each question costs the gateway some time itself. */
const askEveryMs = 25;
const reconnectWithinMs = 60_000;
const drainWithinMs = 300_000;

export class DrivenRealm {
  readonly realm: Realm;
  /** Processes that stand still, by server. */
  readonly #frozen = new Map<string, number>();

  private constructor(realm: Realm) {
    this.realm = realm;
  }

  static async start(
    servers: number,
    gateways = 1,
    options: Pick<RealmOptions, 'environment' | 'data'> = {},
  ): Promise<DrivenRealm> {
    const driven = new DrivenRealm(await Realm.start({ servers, gateways, ...options }));
    // What has never been read cannot be changed while no server is reached.
    for (const { url } of driven.realm.ready.gateways) {
      await drive({ ...driven.target, url }, { method: 'PROPFIND', paths: ['/'], connections: 1 });
    }
    return driven;
  }

  stop(): Promise<void> {
    // What stands still cannot end in order.
    this.letBack(this.serverNames);
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

  async gatewayStatus(name = this.#gateway): Promise<GatewayStatus> {
    const status = statusSchema.parse(await this.#ask('GET', '/status', undefined, name));
    const [gateway] = status.gateways;
    if (gateway === undefined) throw new Error(`${name} does not answer`);
    return gateway;
  }

  async volume(gateway = this.#gateway): Promise<VolumeStatus> {
    const [volume] = (await this.gatewayStatus(gateway)).volumes;
    if (volume === undefined) throw new Error('a realm has a volume');
    return volume;
  }

  /** Kills the gateway's process with SIGKILL; it is started again by `coda up`. */
  killGateway(): Promise<number> {
    return this.realm.kill(this.#gateway);
  }

  /** All servers, or those of `names`, really: their processes end. */
  async stopServers(names: readonly string[] = this.serverNames): Promise<void> {
    await this.#orderServers('stop', names);
    for (const { name } of this.realm.ready.gateways) {
      await this.#until('the loss of servers to be noticed', lacks(names), name);
    }
  }

  async startServers(names: readonly string[] = this.serverNames): Promise<void> {
    await this.#orderServers('start', names);
  }

  /**
   * Cuts servers off: their processes stand still (SIGSTOP), so that nothing passes and what they know stays warm, as
   * behind a network that is broken.
   */
  async cutOff(names: readonly string[]): Promise<void> {
    for (const name of names) this.#frozen.set(name, await this.realm.kill(name, 'SIGSTOP'));
    for (const { name } of this.realm.ready.gateways) {
      await this.#until('the loss of servers to be noticed', lacks(names), name);
    }
  }

  /** Lets servers that were cut off go on. */
  letBack(names: readonly string[]): void {
    for (const name of names) {
      const pid = this.#frozen.get(name);
      if (pid !== undefined) process.kill(pid, 'SIGCONT');
      this.#frozen.delete(name);
    }
  }

  get serverNames(): readonly string[] {
    return this.realm.ready.servers.map(({ name }) => name);
  }

  /** `coda disconnect`, of one gateway. */
  async disconnect(gateway = this.#gateway): Promise<void> {
    await this.#ask('POST', '/disconnect', { servers: [] }, gateway);
    await this.#until('the disconnection', lacks(this.serverNames), gateway);
  }

  /** `coda reconnect`. */
  async reconnect(gateway = this.#gateway): Promise<void> {
    await this.#ask('POST', '/reconnect', { servers: [] }, gateway);
  }

  /** `coda write-disconnected` and `coda write-through`. */
  async setMode(mode: 'write-through' | 'write-disconnected'): Promise<void> {
    await this.#ask('POST', '/volume-mode', { volume: null, mode });
  }

  /** Waits until every server is reached, or those of `names` alone. */
  async connected(gateway = this.#gateway, names = this.serverNames): Promise<void> {
    const is = ({ avsg }: VolumeStatus): boolean => [...avsg].sort().join() === [...names].sort().join();
    await this.#until(`${names.join()} to be reached`, is, gateway);
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
    await this.#until('the log to be empty', isDone, this.#gateway, drainWithinMs);
    const { keptRecords, lastError } = await this.volume();
    if (keptRecords > 0) throw new Error(`${keptRecords} records were refused: ${lastError ?? 'no reason'}`);
  }

  /** Waits until servers are asked nothing any more: COP2 messages and resolution come a moment later. */
  async quiet(names = this.serverNames): Promise<Calls> {
    let before: Calls | undefined;
    return until(
      'the servers to be left alone',
      reconnectWithinMs,
      async () => {
        const now = await this.calls(names);
        const isQuiet = before !== undefined && total(now) === total(before);
        before = now;
        return isQuiet ? now : undefined;
      },
      1_000,
    );
  }

  /** From each server's /metrics. */
  async calls(names = this.serverNames): Promise<Calls> {
    const calls = new Map<string, ReadonlyMap<string, number>>();
    for (const { name, url } of this.realm.ready.servers) {
      if (!names.includes(name)) continue;
      const reply = await fetch(new URL('/metrics', url));
      calls.set(name, callsIn(await reply.text()));
    }
    return calls;
  }

  /** Processor seconds that each server's process has used since it began. */
  async processorSeconds(): Promise<ReadonlyMap<string, number>> {
    const { servers } = statusSchema.parse(await callControlDoor(this.realm.data, 'GET', '/status'));
    const used = new Map<string, number>();
    for (const { name, pid } of servers) if (pid !== null) used.set(name, await processorSecondsOf(pid));
    return used;
  }

  async #orderServers(order: 'stop' | 'start', names: readonly string[]): Promise<void> {
    await Promise.all(
      names.map((name) => callControlDoor(this.realm.data, 'POST', `/servers/${name}/${order}`)),
    );
  }

  #ask(method: 'GET' | 'POST', path: string, body?: unknown, gateway = this.#gateway): Promise<unknown> {
    return callControlDoor(realmPaths(this.realm.data).gateway(gateway), method, path, body);
  }

  async #until(
    what: string,
    is: (volume: VolumeStatus) => boolean,
    gateway: string,
    ms = reconnectWithinMs,
  ): Promise<void> {
    const question = async (): Promise<true | undefined> => {
      return is(await this.volume(gateway)) ? true : undefined;
    };
    await until(what, ms, question, askEveryMs);
  }
}

function lacks(names: readonly string[]): (volume: VolumeStatus) => boolean {
  return ({ avsg }) => !avsg.some((name) => names.includes(name));
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
