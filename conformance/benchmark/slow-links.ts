/**
 * Links that the kernel makes slow (tc tbf, a network of the servers' own): what a user's fetch waits for beside what
 * runs in the background, and how soon a slow server is left for a faster one. Needs root, `ip`, `tc` and `nsenter`.
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { callControlDoor, downloadFromDoor } from '../../gateway/realm/control-door.js';
import { systemClock } from '../../vice/seam/real/system-clock.js';
import { KillingGround, type Place } from '../crash/killing-ground.js';
import { SeparateNetwork, skipWithoutNetworks } from '../semantics/separate-network.js';
import { skipWithout } from '../program.js';
import type { WebdavClient } from '../webdav-client.js';
import { median, say, shown, type Row, type Table } from './report.js';

export interface SlowLinksScale {
  /** Kilobits a second, each the double of the one before. */
  readonly rates: readonly number[];
  readonly letters: number;
}

const letterBytes = 128 * 1024;
/** What is walked, and what trickles: more than passes while the letters are read. */
const besideBytes = 1024 * 1024;
const besideFiles = 24;
const here: Place = { host: '127.0.0.1', through: [] };

export async function slowLinks({ rates, letters }: SlowLinksScale): Promise<Table[]> {
  const missing = skipWithout('tc') || (await skipWithoutNetworks());
  if (missing !== false) throw new Error(missing);
  const columns = rates.map((rate) => `${rate.toLocaleString('en')} kbit/s`);
  const behind: Measured[] = [];
  const beside: Measured[] = [];
  for (const rate of rates) {
    behind.push(await allBehindOneCable(rate, letters));
    beside.push(await oneSlowServer(rate, letters));
  }
  const size = `${letterBytes / 1024} KiB`;
  return [
    {
      title: `A cold file of ${size} from three servers behind one slow cable, in brackets the ratio to it alone`,
      columns: Object.keys(behind[0] ?? {}),
      base: 'nothing beside it',
      rows: behind.map((figures, index) => ({ what: columns[index] ?? '', unit: 'ms, median', figures })),
    },
    {
      title: `Cold files of ${size}, one of three servers behind a slow cable, in brackets the ratio to before`,
      columns: Object.keys(beside[0] ?? {}),
      base: 'no slow server',
      rows: beside.map((figures, index): Row => ({ what: columns[index] ?? '', unit: 'ms', figures })),
    },
  ];
}

type Measured = Record<string, number | undefined>;

class Stage {
  readonly ground: KillingGround;
  readonly network: SeparateNetwork;
  readonly #base: string;
  readonly #clients: readonly WebdavClient[];

  private constructor(base: string, ground: KillingGround, network: SeparateNetwork) {
    this.#base = base;
    this.ground = ground;
    this.network = network;
    this.#clients = ground.gateways.map(({ url }) => ground.client(url));
  }

  /** `isAway`: which servers are at the other end of the cable. */
  static async open(isAway: (server: string) => boolean): Promise<Stage> {
    const base = await mkdtemp(join(tmpdir(), 'coda-slow-'));
    const network = await SeparateNetwork.make();
    try {
      const placeOf = (name: string): Place => (isAway(name) ? network : here);
      const ground = await KillingGround.open(join(base, 'realm'), { gateways: 2, placeOf });
      await ground.calm();
      return new Stage(base, ground, network);
    } catch (error) {
      await network.remove();
      throw error;
    }
  }

  /** Who reads. */
  get reader(): WebdavClient {
    return this.#client(0);
  }

  get door(): string {
    return join(this.ground.data, 'gateways', 'g1');
  }

  #client(index: number): WebdavClient {
    const client = this.#clients[index];
    if (client === undefined) throw new Error('there are two gateways');
    return client;
  }

  /** By the other gateway; the reader knows their names. */
  async write(folder: string, files: number, bytes: number): Promise<void> {
    const writer = this.#client(1);
    await succeed(writer, 'MKCOL', `/${folder}/`);
    for (let index = 0; index < files; index += 1) {
      await succeed(writer, 'PUT', `/${folder}/${index}`, randomBytes(bytes));
    }
    await succeed(this.reader, 'PROPFIND', `/${folder}/`);
  }

  /** Milliseconds that each of `files` takes. */
  async read(folder: string, from: number, files: number): Promise<number[]> {
    const spent: number[] = [];
    for (let index = from; index < from + files; index += 1) {
      const started = performance.now();
      await succeed(this.reader, 'GET', `/${folder}/${index}`);
      spent.push(performance.now() - started);
    }
    return spent;
  }

  async close(): Promise<void> {
    await Promise.all(this.ground.all.map((role) => role.kill()));
    await Promise.all(this.#clients.map((client) => client.close()));
    await this.network.remove();
    await rm(this.#base, { recursive: true, force: true });
  }
}

/** Alone; while the hoard is walked; while a log trickles. */
async function allBehindOneCable(rate: number, letters: number): Promise<Measured> {
  const stage = await Stage.open(() => true);
  const { ground, door, network } = stage;
  try {
    await stage.write('letters', 3 * letters + 1, letterBytes);
    await stage.write('hoarded', besideFiles, besideBytes);
    await network.slowDown(`${rate}kbit`, `${rate}kbit`);
    // The first one finds out that the link is weak.
    await stage.read('letters', 3 * letters, 1);
    const alone = median(await stage.read('letters', 0, letters));
    const add = { command: 'add', path: '/hoarded', priority: 100, attributes: 'd' };
    await callControlDoor(door, 'POST', '/hoard/apply', { user: ground.login.user, commands: [add] });
    const walk = await downloadFromDoor(door, '/hoard/walk', {}, systemClock());
    const lines = walk[Symbol.asyncIterator]();
    await lines.next();
    const walking = median(await stage.read('letters', letters, letters));
    await lines.return?.();
    await callControlDoor(door, 'POST', '/hoard/apply', {
      user: ground.login.user,
      commands: [{ command: 'clear' }],
    });
    await callControlDoor(door, 'POST', '/disconnect', { servers: [] });
    await ground.untilVolume('no server', ({ avsg }) => avsg.length === 0);
    for (let index = 0; index < besideFiles; index += 1) {
      await succeed(stage.reader, 'PUT', `/log-${index}`, randomBytes(besideBytes));
    }
    await callControlDoor(door, 'POST', '/reconnect', { servers: [] });
    await ground.untilVolume('all servers', ({ vsg, avsg }) => avsg.length === vsg.length);
    const trickling = median(await stage.read('letters', 2 * letters, letters));
    const figures = {
      'nothing beside it': alone,
      'a walk of the hoard': walking,
      'a log that trickles': trickling,
    };
    say(
      `${rate} kbit/s: ${Object.entries(figures)
        .map(([name, ms]) => `${name} ${shown(ms)} ms`)
        .join(', ')}`,
    );
    return figures;
  } finally {
    await stage.close();
  }
}

/** The first server, which a gateway asks as soon as any other, becomes slow. */
async function oneSlowServer(rate: number, letters: number): Promise<Measured> {
  const stage = await Stage.open((name) => name === 's1');
  try {
    await stage.write('letters', 4 * letters, letterBytes);
    const before = median(await stage.read('letters', 0, letters));
    await stage.network.slowDown(`${rate}kbit`, `${rate}kbit`);
    const after = await stage.read('letters', letters, 3 * letters);
    const figures = {
      'no slow server': before,
      'the slowest of all': Math.max(...after),
      'the first ones, median': median(after.slice(0, letters)),
      'the last ones, median': median(after.slice(-letters)),
    };
    say(
      `s1 at ${rate} kbit/s: ${Object.entries(figures)
        .map(([name, ms]) => `${name} ${shown(ms)} ms`)
        .join(', ')}`,
    );
    return figures;
  } finally {
    await stage.close();
  }
}

async function succeed(client: WebdavClient, method: string, path: string, body?: Buffer): Promise<void> {
  const depth = method === 'PROPFIND' ? { headers: { depth: '1' } } : {};
  const options = { ...depth, ...(body !== undefined && { body }), timeoutMs: 300_000 };
  const { status } = await client.request(method, path, options);
  if (status >= 300) throw new Error(`${method} ${path} answered ${status}`);
}
