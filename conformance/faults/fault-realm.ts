/** Three servers and two gateways as processes, each with a network, a clock and a small disk of its own. */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { SmallDisk } from '../clients/small-disk.js';
import { KillingGround } from '../crash/killing-ground.js';
import type { RoleProcess } from '../crash/role-process.js';
import { conflictSchema, type ConflictOf } from '../../gateway/realm/conflict-report.js';
import { pendingChangeSchema, type Change } from '../../gateway/realm/pending-change.js';
import type { GatewayName, Stage } from '../semantics/stage.js';
import { statusSchema, type VolumeStatus } from '../volume-status.js';
import type { WebdavClient } from '../webdav-client.js';
import { hasLoopDevices, LoopDisk } from './loop-disk.js';
import { gateways, roles, servers, type Fault } from './schedule.js';
import { Switchboard } from './switchboard.js';

const diskBytes = 96 * 1024 * 1024;

/** Gives a program another time; Debian's libfaketime. */
export const clockLibrary = ['x86_64', 'aarch64']
  .map((architecture) => `/usr/lib/${architecture}-linux-gnu/faketime/libfaketimeMT.so.1`)
  .find((path) => existsSync(path));

export class FaultRealm implements Stage {
  readonly #base: string;
  readonly #board: Switchboard;
  readonly #disks: ReadonlyMap<string, Disk>;
  readonly #ground: KillingGround;
  readonly #clients = new Map<string, WebdavClient>();
  /** What has been broken for a while and is being mended. */
  readonly #mending = new Set<Promise<void>>();
  /** Roles that are being killed, frozen or filled: one thing at a time. */
  readonly #busy = new Set<string>();

  private constructor(
    base: string,
    board: Switchboard,
    disks: ReadonlyMap<string, Disk>,
    ground: KillingGround,
  ) {
    this.#base = base;
    this.#board = board;
    this.#disks = disks;
    this.#ground = ground;
  }

  static async open(): Promise<FaultRealm> {
    const base = await mkdtemp(join(tmpdir(), 'coda-faults-'));
    const data = join(base, 'realm');
    const disks = new Map<string, Disk>();
    const board = await Switchboard.make(roles);
    try {
      for (const name of gateways) disks.set(name, SmallDisk.mount(folderOf(data, name), diskBytes));
      for (const name of hasLoopDevices() ? servers : []) {
        disks.set(name, await LoopDisk.mount(join(base, `${name}.disk`), folderOf(data, name)));
      }
      await mkdir(join(base, 'clocks'));
      for (const name of roles) await writeFile(join(base, 'clocks', name), '+0');
      const placeOf = (name: string) => ({
        host: board.address(name),
        through: [...board.through(name), ...clockOf(join(base, 'clocks', name))],
      });
      const ground = await KillingGround.open(data, { gateways: gateways.length, placeOf });
      return new FaultRealm(base, board, disks, ground);
    } catch (error) {
      for (const disk of disks.values()) await disk.unmount();
      await board.remove();
      await rm(base, { recursive: true, force: true });
      throw error;
    }
  }

  get data(): string {
    return this.#ground.data;
  }

  get share() {
    return { url: this.#urlOf('g1'), ...this.#ground.login };
  }

  client(gateway: GatewayName): WebdavClient {
    const known = this.#clients.get(gateway) ?? this.#ground.client(this.#urlOf(gateway));
    this.#clients.set(gateway, known);
    return known;
  }

  async volume(gateway: GatewayName): Promise<VolumeStatus> {
    const { result } = answerSchema.parse(JSON.parse(await this.#ask(gateway, 'GET', '/status')));
    const volume = statusSchema.parse(result).gateways[0]?.volumes[0];
    if (volume === undefined) throw new Error(`${gateway} has no volume: ${JSON.stringify(result)}`);
    return volume;
  }

  /** What has not left its log: changes on their way, and those that servers refused after their author was told. */
  async pending(gateway: GatewayName): Promise<readonly Change[]> {
    const lines = linesOf(await this.#ask(gateway, 'POST', '/log/changes'));
    return lines.map((line) => pendingChangeSchema.parse(JSON.parse(line)));
  }

  async conflicts(gateway: GatewayName): Promise<readonly ConflictOf[]> {
    const order = { user: this.#ground.login.user };
    const lines = linesOf(await this.#ask(gateway, 'POST', '/conflicts/list', order));
    return lines.map((line) => conflictSchema.parse(JSON.parse(line)));
  }

  /** All that there is to choose from is taken, or one version is kept of those that were looked at. */
  async repair(gateway: GatewayName, { fid, versions }: ConflictOf, keep: string | 'all'): Promise<void> {
    const among = versions.map(({ storeId }) => storeId);
    const decision = keep === 'all' ? { keepAll: true } : { keep, among };
    await this.#ask(gateway, 'POST', '/conflicts/repair', { user: this.#ground.login.user, fid, decision });
  }

  /** The gateways stand still, too, so that their folders can be looked into. */
  async stopAll(): Promise<void> {
    await Promise.all(this.#ground.gateways.map((gateway) => gateway.stop()));
    await this.stopServers();
  }

  async startAll(): Promise<void> {
    await this.startServers();
    await this.#ground.start(this.#ground.gateways);
  }

  /** Its control door listens on the loopback of another network. */
  async #ask(gateway: string, method: string, path: string, order: object = {}): Promise<string> {
    const file = join(folderOf(this.data, gateway), 'control.json');
    const { port, token } = controlSchema.parse(JSON.parse(await readFile(file, 'utf8')));
    const reply = await fetch(`http://${this.#board.address(gateway)}:${port}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}` },
      ...(method === 'POST' && { body: JSON.stringify(order) }),
      signal: AbortSignal.timeout(10_000),
    });
    if (!reply.ok) throw new Error(`${gateway} answers ${reply.status} to ${path}: ${await reply.text()}`);
    return reply.text();
  }

  /** Whether it was done: a role that is being mended is left alone. What is broken for a while mends itself. */
  async break(fault: Fault): Promise<boolean> {
    switch (fault.kind) {
      case 'heal':
        await this.#board.heal();
        return true;
      case 'cut':
        for (const [from, to] of fault.pairs) await this.#board.cut(from, to);
        return fault.pairs.length > 0;
      case 'step-clock':
        if (clockLibrary === undefined) return false;
        await writeFile(
          join(this.#base, 'clocks', fault.role),
          `${fault.seconds < 0 ? '' : '+'}${fault.seconds}`,
        );
        return true;
      case 'freeze':
      case 'kill':
      case 'fill':
        if (this.#busy.has(fault.role)) return false;
        if (fault.kind === 'fill' && !this.#disks.has(fault.role)) return false;
        this.#mendLater(fault.role, fault.ms, await this.#strike(fault.kind, fault.role));
        return true;
    }
  }

  /** Nothing is broken any more, and every process runs. */
  async mend(): Promise<void> {
    while (this.#mending.size > 0) await Promise.all(this.#mending);
    await this.#board.heal();
    for (const name of roles) await writeFile(join(this.#base, 'clocks', name), '+0');
  }

  /** Last words of processes that ended by themselves. */
  get died(): readonly string[] {
    return this.#ground.all.filter((role) => role.died).map(({ log }) => log);
  }

  async loseServers(): Promise<void> {
    await this.#ground.kill(this.#ground.servers);
  }

  async regainServers(): Promise<void> {
    await this.startServers();
  }

  async stopServers(): Promise<void> {
    await Promise.all(this.#ground.servers.map((server) => server.stop()));
  }

  startServers(): Promise<void> {
    return this.#ground.start(this.#ground.servers);
  }

  async logs(): Promise<string> {
    return this.#ground.all.map(({ log }) => log).join('\n');
  }

  async close(): Promise<void> {
    while (this.#mending.size > 0) await Promise.all(this.#mending);
    for (const client of this.#clients.values()) await client.close();
    await this.#ground.close();
    for (const disk of this.#disks.values()) await disk.unmount();
    await this.#board.remove();
    await rm(this.#base, { recursive: true, force: true });
  }

  /** @returns how it is mended */
  async #strike(kind: 'freeze' | 'kill' | 'fill', name: string): Promise<() => Promise<void>> {
    const role = this.#role(name);
    const disk = this.#disks.get(name);
    switch (kind) {
      case 'freeze':
        role.freeze();
        return async () => role.thaw();
      case 'kill':
        await role.kill();
        return () => role.start();
      case 'fill':
        await disk?.fill();
        return async () => disk?.free();
    }
  }

  #mendLater(name: string, ms: number, mend: () => Promise<void>): void {
    this.#busy.add(name);
    const mending = new Promise<void>((resolve) => setTimeout(resolve, ms)).then(mend).finally(() => {
      this.#busy.delete(name);
      this.#mending.delete(mending);
    });
    this.#mending.add(mending);
  }

  #role(name: string): RoleProcess {
    const role = this.#ground.all.find((candidate) => candidate.name === name);
    if (role === undefined) throw new Error(`there is no ${name}`);
    return role;
  }

  #urlOf(gateway: GatewayName): string {
    const url = new URL(this.#role(gateway).url);
    url.hostname = this.#board.address(gateway);
    return url.href;
  }
}

/** What a test fills and frees. */
interface Disk {
  fill(): void | Promise<void>;
  free(): void | Promise<void>;
  unmount(): void | Promise<void>;
}

function linesOf(text: string): readonly string[] {
  return text.split('\n').filter((line) => line !== '');
}

const controlSchema = z.object({ port: z.number(), token: z.string() });
const answerSchema = z.object({ result: z.unknown() });

function folderOf(data: string, name: string): string {
  return join(data, name.startsWith('s') ? 'servers' : 'gateways', name);
}

/** Only what people read of a clock is false; how time passes stays true, as on a machine whose clock is set. */
function clockOf(file: string): readonly string[] {
  if (clockLibrary === undefined) return [];
  const settings = ['FAKETIME_NO_CACHE=1', 'FAKETIME_DONT_FAKE_MONOTONIC=1', 'DONT_FAKE_MONOTONIC=1'];
  return ['env', `LD_PRELOAD=${clockLibrary}`, `FAKETIME_TIMESTAMP_FILE=${file}`, ...settings];
}
