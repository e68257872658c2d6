/** A realm whose servers and gateways are started and killed one by one, on real files. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { callControlDoor, downloadFromDoor } from '../../gateway/realm/control-door.js';
import { realmDocumentSchema } from '../../vice/interface/index.js';
import { systemClock } from '../../vice/seam/real/system-clock.js';
import { until } from '../program.js';
import { freePorts, Realm, type Ready } from '../realm.js';
import { isConnected, isDrained, statusSchema, type VolumeStatus } from '../volume-status.js';
import { WebdavClient } from '../webdav-client.js';
import { RoleProcess, type Role } from './role-process.js';

export interface GroundOptions {
  /** Default: one. */
  readonly gateways?: number;
  /** What the configuration files of the gateways say beside what `coda up` writes. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Default: all on 127.0.0.1, started by this process. */
  readonly placeOf?: (name: string) => Place;
  /** Processes that take the place of killed ones stand by: for tests that kill again and again. */
  readonly spares?: boolean;
}

/** Where a role runs. */
export interface Place {
  /** Where it listens, if it is a server; gateways listen on 127.0.0.1. */
  readonly host: string;
  /** What starts it, as `nsenter --net=FILE`. */
  readonly through: readonly string[];
}

const besideUs: Place = { host: '127.0.0.1', through: [] };

export class KillingGround {
  readonly servers: readonly RoleProcess[];
  readonly gateways: readonly RoleProcess[];
  readonly data: string;
  readonly #login: Ready;
  readonly #spare: boolean;
  /** Gateways with an empty cache that there have been. */
  #freshOnes = 0;

  private constructor(data: string, login: Ready, placeOf: (name: string) => Place, spare: boolean) {
    this.data = data;
    this.#login = login;
    this.#spare = spare;
    this.servers = login.servers.map(({ name }) => this.#role('vice', name, placeOf(name).through));
    this.gateways = login.gateways.map(({ name }) => this.#role('gateway', name, placeOf(name).through));
  }

  /** `coda up` makes the realm in `data` and its configuration files; then the roles are ours. */
  static async open(data: string, options: GroundOptions = {}): Promise<KillingGround> {
    const { gateways = 1, settings = {}, placeOf = () => besideUs, spares = false } = options;
    const realm = await Realm.start({ data, gateways });
    await realm.stop();
    await placeServers(data, placeOf);
    for (const { name } of realm.ready.gateways) await addSettings(configFile(data, name), settings);
    const ground = new KillingGround(data, realm.ready, placeOf, spares);
    await ground.start(ground.all);
    return ground;
  }

  /** The first one. */
  get gateway(): RoleProcess {
    const [gateway] = this.gateways;
    if (gateway === undefined) throw new Error('a realm has a gateway');
    return gateway;
  }

  get all(): readonly RoleProcess[] {
    return [...this.servers, ...this.gateways];
  }

  get login(): { readonly user: string; readonly password: string } {
    return this.#login;
  }

  client(url: string): WebdavClient {
    return new WebdavClient(url, this.#login.user, this.#login.password);
  }

  async kill(victims: readonly RoleProcess[]): Promise<void> {
    await Promise.all(victims.map((victim) => victim.kill()));
  }

  async start(victims: readonly RoleProcess[]): Promise<void> {
    await Promise.all(victims.map((victim) => victim.start()));
  }

  /** A gateway with an empty cache: what it shows, the servers have. One at a time. */
  async freshGateway(): Promise<RoleProcess> {
    this.#freshOnes += 1;
    const name = `fresh-${this.#freshOnes}`;
    const fresh = {
      ...(await readSettings(this.#config('g1'))),
      name,
      data: `../gateways/${name}`,
    };
    const port = Number(new URL(this.gateway.url).port) + this.gateways.length;
    await writeFile(this.#config(name), JSON.stringify({ ...fresh, listen: `127.0.0.1:${port}` }));
    const gateway = new RoleProcess({ role: 'gateway', name, configFile: this.#config(name) });
    await gateway.start();
    return gateway;
  }

  /** How a gateway sees the root volume. What `coda status` asks, without a process for each question. */
  async volume(gateway = this.gateway.name): Promise<VolumeStatus> {
    const answer = await callControlDoor(join(this.data, 'gateways', gateway), 'GET', '/status');
    const volume = statusSchema.parse(answer).gateways[0]?.volumes[0];
    if (volume === undefined) throw new Error(`${gateway} has no volume: ${JSON.stringify(answer)}`);
    return volume;
  }

  /** Waits until the gateway reaches every server; with `drained`, also until its log is empty. */
  async calm(drained = false): Promise<void> {
    const what = `the gateway to reach all servers${drained ? ' and to drain its log' : ''}`;
    await this.untilVolume(what, drained ? isDrained : isConnected);
  }

  /** Waits until the first gateway's view of the volume is as `wanted` says. */
  async untilVolume(what: string, wanted: (volume: VolumeStatus) => boolean, ms = 60_000): Promise<void> {
    let seen = '';
    const ask = async (): Promise<true | undefined> => {
      const volume = await this.volume();
      seen = JSON.stringify(volume);
      return wanted(volume) ? true : undefined;
    };
    await until(what, ms, ask, 100).catch(async (cause: unknown) => {
      const waits = await this.pendingChanges().catch(String);
      const logs = this.all.map(({ log }) => log).join('\n');
      throw new Error(`${String(cause)}; its status is ${seen}; what waits:\n${waits}\n${logs}`, { cause });
    });
  }

  /** What `coda log --json` prints. */
  async pendingChanges(): Promise<string> {
    const folder = join(this.data, 'gateways', this.gateway.name);
    const decoder = new TextDecoder();
    let text = '';
    for await (const chunk of await downloadFromDoor(folder, '/log/changes', {}, systemClock())) {
      text += decoder.decode(chunk, { stream: true });
    }
    return text;
  }

  async close(): Promise<void> {
    await Promise.all(this.gateways.map((gateway) => gateway.stop()));
    await Promise.all(this.servers.map((server) => server.stop()));
  }

  #role(role: Role, name: string, through: readonly string[]): RoleProcess {
    const spare = this.#spare;
    return new RoleProcess({ role, name, configFile: this.#config(name), through, spare });
  }

  #config(name: string): string {
    return configFile(this.data, name);
  }
}

function configFile(data: string, name: string): string {
  return join(data, 'config', `${name}.json`);
}

/**
 * Gives the servers ports that the system does not give to others: some stay dead for long, and whoever asks
 * for any port meanwhile, a client's connection even, may get theirs.
 */
async function placeServers(data: string, placeOf: (name: string) => Place): Promise<void> {
  const file = join(data, 'realm.json');
  const realm = realmDocumentSchema.parse(JSON.parse(await readFile(file, 'utf8')));
  const first = await freePorts(realm.servers.length);
  const servers = realm.servers.map(({ name }, index) => ({
    name,
    address: `ws://${placeOf(name).host}:${first + index}`,
  }));
  await writeFile(file, JSON.stringify({ ...realm, version: realm.version + 1, servers }));
  for (const { name, address } of servers) await addSettings(configFile(data, name), { listen: address });
}

async function readSettings(file: string): Promise<Record<string, unknown>> {
  return z.record(z.string(), z.unknown()).parse(JSON.parse(await readFile(file, 'utf8')));
}

async function addSettings(file: string, settings: Readonly<Record<string, unknown>>): Promise<void> {
  await writeFile(file, JSON.stringify({ ...(await readSettings(file)), ...settings }));
}
