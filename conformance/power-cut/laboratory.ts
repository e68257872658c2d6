/** A realm of three servers and a gateway in a machine whose power is cut; its disk stays between two boots. */
import { mkdir, mkdtemp, readdir, readFile, rm, stat, statfs, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { openUsers } from '../../gateway/access/users.js';
import { scryptPasswords } from '../../vice/seam/real/scrypt-passwords.js';
import { run, until } from '../program.js';
import { Realm, type Ready } from '../realm.js';
import { volumeSchema, type VolumeStatus } from '../volume-status.js';
import { WebdavClient } from '../webdav-client.js';
import { sharePort, type Order } from './agent.js';
import { Cable } from './cable.js';
import { Machine, makeDisk, type Hardware } from './machine.js';
import { Outlet } from './outlet.js';

const diskMebibytes = 4_096;
/**
 * What a flush inside comes to is a flush of the disk's file here, which proves nothing: no power is cut here. In
 * memory it takes no time, and waits for nobody who keeps the real disk busy.
 */
const memory = '/dev/shm';
const diskMark = 'coda-disk-';
/** A run writes to its disk all the time. */
const forgottenMs = 6 * 3_600_000;
const roomInMemory = 2 * diskMebibytes * 1024 * 1024;

export interface Build {
  /** Options of the disk's file system. */
  readonly mount: string;
  /** As `Machine.boot` has it. */
  readonly preload?: string;
}

export class Laboratory {
  readonly client: WebdavClient;
  readonly servers: readonly string[];
  readonly #base: string;
  readonly #disk: string;
  /** The one in use is the first. */
  #cables: readonly Cable[];
  readonly #outlet: Outlet;
  #machine: Machine | undefined;
  /** Comes up while another one works; with the last of the cables. */
  #spare: Promise<Machine> | undefined;

  private constructor(base: string, disk: string, cables: readonly Cable[], outlet: Outlet, login: Ready) {
    this.#base = base;
    this.#disk = disk;
    this.#cables = cables;
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
    await makeLoginCheap(data, realm.ready);
    await mkdir(join(base, 'machine'));
    const disk = join(await folderForDisk(), 'disk');
    await makeDisk(disk, diskMebibytes, data);
    await rm(data, { recursive: true });
    await mkdir(data);
    const cables = [await Cable.lay(0), await Cable.lay(1)];
    return new Laboratory(base, disk, cables, await Outlet.open(), realm.ready);
  }

  /** The machine comes up, with nothing of the realm running. */
  async boot({ mount, preload }: Build): Promise<void> {
    const spare = preload === undefined ? this.#spare : undefined;
    if (spare !== undefined) {
      this.#spare = undefined;
      this.#cables = [...this.#cables].reverse();
    }
    this.#machine = await (spare ?? Machine.boot(this.#hardware(0), preload));
    await this.#machine.mount(mount);
  }

  /** The machine of the next boot gets ready, while this one works. */
  standBy(): void {
    this.#spare ??= Machine.boot(this.#hardware(-1));
    // Who needs it is told.
    this.#spare.catch(() => undefined);
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
    const machine = this.#machine;
    this.#machine = undefined;
    await machine?.cutPower();
    this.#outlet.pullOut();
  }

  get isOff(): boolean {
    return this.#machine === undefined;
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
    const disk = this.#disk;
    const folder = join(this.#base, 'copy');
    await mkdir(folder, { recursive: true });
    const check = await run('e2fsck', ['-fp', disk], { timeoutMs: 300_000 });
    // 1: something was put right, as the journal.
    if (check.code === null || check.code > 1) throw new Error(`e2fsck: ${check.output}`);
    const dump = await run('debugfs', ['-R', `rdump / ${folder}`, disk], { timeoutMs: 300_000 });
    if (dump.code !== 0) throw new Error(`debugfs: ${dump.output}`);
    return folder;
  }

  /** @param keep leaves the disk where the system does not forget it, and says where */
  async close(keep = false): Promise<void> {
    await this.cutPower();
    const spare = await this.#spare?.catch(() => undefined);
    await spare?.cutPower();
    await this.client.close();
    await this.#outlet.close();
    for (const cable of this.#cables) await cable.remove();
    if (keep) await this.#keep();
    for (const folder of [this.#base, dirname(this.#disk)])
      await rm(folder, { recursive: true, force: true });
  }

  async #keep(): Promise<void> {
    const kept = await mkdtemp(join(tmpdir(), 'coda-power-kept-'));
    await run('cp', ['--sparse=always', this.#disk, kept], { timeoutMs: 300_000 });
    console.error(`power-cut: its disk is in ${kept}`);
  }

  /** With the cable number `at`. */
  #hardware(at: number): Hardware {
    const cable = this.#cables.at(at);
    if (cable === undefined) throw new Error('there is no such cable');
    const [folder, mountedAt] = [join(this.#base, 'machine'), join(this.#base, 'realm')];
    return { cable, folder, disk: this.#disk, mountedAt };
  }

  get #running(): Machine {
    if (this.#machine === undefined) throw new Error('the machine is off');
    return this.#machine;
  }
}

/** In memory, if there is room. What a killed process left there long ago goes: nobody else would ever give it free. */
async function folderForDisk(): Promise<string> {
  const names = await readdir(memory).catch(() => []);
  for (const name of names.filter((each) => each.startsWith(diskMark))) {
    const { mtimeMs } = await stat(join(memory, name, 'disk')).catch(() => ({ mtimeMs: Date.now() }));
    if (Date.now() - mtimeMs > forgottenMs) await rm(join(memory, name), { recursive: true, force: true });
  }
  const { bavail, bsize } = await statfs(memory).catch(() => ({ bavail: 0, bsize: 0 }));
  return mkdtemp(join(bavail * bsize > roomInMemory ? memory : tmpdir(), diskMark));
}

async function configureFresh(data: string): Promise<void> {
  const file = (name: string): string => join(data, 'config', `${name}.json`);
  const own: unknown = JSON.parse(await readFile(file('g1'), 'utf8'));
  const fresh = { ...z.record(z.string(), z.unknown()).parse(own), name: 'fresh', data: '../gateways/fresh' };
  await writeFile(file('fresh'), JSON.stringify(fresh));
}

/** A usual hash takes 0.2 s of a processor, in there three times as long, at the first request of each boot. */
async function makeLoginCheap(data: string, { user, password }: Ready): Promise<void> {
  const users = await openUsers(join(data, 'users'), scryptPasswords({ ln: 10, r: 8, p: 1 }));
  await users.setPassword(user, password);
}
