/** A realm of three servers and a gateway in a machine whose power is cut; its disk stays between two boots. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { run, until } from '../program.js';
import { Realm, type Ready } from '../realm.js';
import { volumeSchema, type VolumeStatus } from '../volume-status.js';
import { WebdavClient } from '../webdav-client.js';
import { sharePort, type Order } from './agent.js';
import { Cable } from './cable.js';
import { Machine, makeDisk, type Build } from './machine.js';
import { Outlet } from './outlet.js';

const diskMebibytes = 4_096;

export class Laboratory {
  readonly client: WebdavClient;
  readonly servers: readonly string[];
  readonly #base: string;
  readonly #cable: Cable;
  readonly #outlet: Outlet;
  #machine: Machine | undefined;

  private constructor(base: string, cable: Cable, outlet: Outlet, login: Ready) {
    this.#base = base;
    this.#cable = cable;
    this.#outlet = outlet;
    this.servers = login.servers.map(({ name }) => name);
    this.client = new WebdavClient(outlet.url, login.user, login.password);
  }

  /** `coda up` makes the realm on this machine; then its folder becomes the other one's disk. */
  static async open(): Promise<Laboratory> {
    const base = await mkdtemp(join(tmpdir(), 'coda-power-'));
    const data = join(base, 'realm');
    const realm = await Realm.start({ data });
    await realm.stop();
    await configureFresh(data);
    await mkdir(join(base, 'machine'));
    await makeDisk(join(base, 'machine'), diskMebibytes, data);
    await rm(data, { recursive: true });
    await mkdir(data);
    return new Laboratory(base, await Cable.lay(), await Outlet.open(), realm.ready);
  }

  /** The machine comes up, with nothing of the realm running. */
  async boot(build: Build): Promise<void> {
    const { cable, folder, mountedAt } = {
      cable: this.#cable,
      folder: join(this.#base, 'machine'),
      mountedAt: join(this.#base, 'realm'),
    };
    this.#machine = await Machine.boot({ cable, folder, mountedAt }, build);
  }

  async startServers(): Promise<void> {
    await this.order({ order: 'servers', names: [...this.servers] });
  }

  /** All end; resolves when the gateway knows. */
  async stopServers(): Promise<void> {
    await this.order({ order: 'no-servers' });
    await this.untilVolume('no server to be left', ({ avsg }) => avsg.length === 0);
  }

  /** Another one than the one that runs: `fresh` has an empty cache. */
  async startGateway(name: 'g1' | 'fresh' = 'g1'): Promise<void> {
    await this.order({ order: 'gateway', names: [name] });
    this.#outlet.plugIn(this.#running.host, sharePort);
  }

  /** The machine is off; whoever waits for an answer learns that there is none. */
  async cutPower(): Promise<void> {
    await this.#machine?.cutPower();
    this.#outlet.pullOut();
    this.#machine = undefined;
  }

  order(order: Order): Promise<unknown> {
    return this.#running.order(order);
  }

  async untilVolume(what: string, wanted: (volume: VolumeStatus) => boolean, ms = 120_000): Promise<void> {
    let seen = '';
    const ask = async (): Promise<true | undefined> => {
      const volume = volumeSchema.parse(await this.order({ order: 'volume' }));
      seen = JSON.stringify(volume);
      return wanted(volume) ? true : undefined;
    };
    await until(what, ms, ask, 100).catch((cause: unknown) => {
      throw new Error(`${String(cause)}; its status is ${seen}\n${this.#running.console}`, { cause });
    });
  }

  /** What is on the disk after the file system's own repair, copied out. The machine must be off. */
  async takeDisk(): Promise<string> {
    const disk = join(this.#base, 'machine', 'disk');
    const folder = join(this.#base, 'copy');
    await mkdir(folder, { recursive: true });
    const check = await run('e2fsck', ['-fp', disk], { timeoutMs: 300_000 });
    // 1: something was put right, as the journal.
    if (check.code === null || check.code > 1) throw new Error(`e2fsck: ${check.output}`);
    const dump = await run('debugfs', ['-R', `rdump / ${folder}`, disk], { timeoutMs: 300_000 });
    if (dump.code !== 0) throw new Error(`debugfs: ${dump.output}`);
    return folder;
  }

  async close(): Promise<void> {
    await this.cutPower();
    await this.client.close();
    await this.#outlet.close();
    await this.#cable.remove();
    if (process.env['CODA_CRASH_KEEP'] !== 'yes') await rm(this.#base, { recursive: true, force: true });
  }

  get #running(): Machine {
    if (this.#machine === undefined) throw new Error('the machine is off');
    return this.#machine;
  }
}

async function configureFresh(data: string): Promise<void> {
  const file = (name: string): string => join(data, 'config', `${name}.json`);
  const own: unknown = JSON.parse(await readFile(file('g1'), 'utf8'));
  const fresh = { ...z.record(z.string(), z.unknown()).parse(own), name: 'fresh', data: '../gateways/fresh' };
  await writeFile(file('fresh'), JSON.stringify(fresh));
}
