/** A realm whose servers and gateway are started and killed one by one, on real files. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { callControlDoor } from '../../gateway/realm/control-door.js';
import { until } from '../program.js';
import { Realm } from '../realm.js';
import { WebdavClient } from '../webdav-client.js';
import { RoleProcess } from './role-process.js';

const statusSchema = z.object({
  gateways: z.array(
    z.object({
      volumes: z.array(
        z.object({ vsg: z.array(z.string()), avsg: z.array(z.string()), pendingRecords: z.number() }),
      ),
    }),
  ),
});

export class KillingGround {
  readonly servers: readonly RoleProcess[];
  readonly gateway: RoleProcess;
  readonly #data: string;
  readonly #user: string;
  readonly #password: string;

  private constructor(data: string, servers: readonly string[], user: string, password: string) {
    this.#data = data;
    this.#user = user;
    this.#password = password;
    this.servers = servers.map((name) => new RoleProcess('vice', name, this.#config(name)));
    this.gateway = new RoleProcess('gateway', 'g1', this.#config('g1'));
  }

  /** `coda up` makes the realm in `data` and its configuration files; then the roles are ours. */
  static async open(data: string): Promise<KillingGround> {
    const realm = await Realm.start({ data });
    const { servers, user, password } = realm.ready;
    await realm.stop();
    const names = servers.map(({ name }) => name);
    const ground = new KillingGround(data, names, user, password);
    await ground.start(ground.all);
    return ground;
  }

  get all(): readonly RoleProcess[] {
    return [...this.servers, this.gateway];
  }

  client(url: string): WebdavClient {
    return new WebdavClient(url, this.#user, this.#password);
  }

  async kill(victims: readonly RoleProcess[]): Promise<void> {
    await Promise.all(victims.map((victim) => victim.kill()));
  }

  async start(victims: readonly RoleProcess[]): Promise<void> {
    await Promise.all(victims.map((victim) => victim.start()));
  }

  /** A gateway with an empty cache: what it shows, the servers have. */
  async freshGateway(): Promise<RoleProcess> {
    const config: unknown = JSON.parse(await readFile(this.#config('g1'), 'utf8'));
    const fresh = {
      ...z.record(z.string(), z.unknown()).parse(config),
      name: 'fresh',
      data: '../gateways/fresh',
    };
    const port = Number(new URL(this.gateway.url).port) + 1;
    await writeFile(this.#config('fresh'), JSON.stringify({ ...fresh, listen: `127.0.0.1:${port}` }));
    const gateway = new RoleProcess('gateway', 'fresh', this.#config('fresh'));
    await gateway.start();
    return gateway;
  }

  /** Waits until the gateway reaches every server; with `drained`, also until its log is empty. */
  async calm(drained = false): Promise<void> {
    let seen = '';
    const ask = async (): Promise<true | undefined> => {
      // What `coda status` asks; asked hundreds of times, a process for each would cost more than the kills.
      const answer = await callControlDoor(join(this.#data, 'gateways/g1'), 'GET', '/status');
      seen = JSON.stringify(answer);
      const volumes = statusSchema.parse(answer).gateways.flatMap((gateway) => gateway.volumes);
      const reached = volumes.length > 0 && volumes.every(({ vsg, avsg }) => avsg.length === vsg.length);
      return reached && (!drained || volumes.every(({ pendingRecords }) => pendingRecords === 0))
        ? true
        : undefined;
    };
    const what = `the gateway to reach all servers${drained ? ' and to drain its log' : ''}`;
    await until(what, 60_000, ask, 100).catch((cause: unknown) => {
      throw new Error(`${String(cause)}; its status is ${seen}\n${this.gateway.log}`, { cause });
    });
  }

  async close(): Promise<void> {
    await this.gateway.stop();
    await Promise.all(this.servers.map((server) => server.stop()));
  }

  #config(name: string): string {
    return join(this.#data, 'config', `${name}.json`);
  }
}
