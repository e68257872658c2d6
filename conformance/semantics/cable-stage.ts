/** A stage whose servers are in a network of their own: losing them is pulling out a cable. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Share } from '../clients/davfs2-mount.js';
import { KillingGround, type Place } from '../crash/killing-ground.js';
import type { VolumeStatus } from '../volume-status.js';
import type { WebdavClient } from '../webdav-client.js';
import { SeparateNetwork } from './separate-network.js';
import type { GatewayName, Stage } from './stage.js';

export class CableStage implements Stage {
  readonly share: Share;
  readonly #ground: KillingGround;
  readonly #network: SeparateNetwork;
  readonly #base: string;

  private constructor(base: string, ground: KillingGround, network: SeparateNetwork) {
    this.#base = base;
    this.#ground = ground;
    this.#network = network;
    this.share = { url: ground.gateway.url, ...ground.login };
  }

  static async open(): Promise<CableStage> {
    const base = await mkdtemp(join(tmpdir(), 'coda-cable-'));
    const network = await SeparateNetwork.make();
    try {
      const placeOf = (name: string): Place =>
        name.startsWith('s') ? network : { host: '127.0.0.1', through: [] };
      const ground = await KillingGround.open(join(base, 'realm'), { gateways: 2, placeOf });
      await ground.calm();
      return new CableStage(base, ground, network);
    } catch (error) {
      await network.remove();
      throw error;
    }
  }

  get data(): string {
    return this.#ground.data;
  }

  client(gateway: GatewayName): WebdavClient {
    const found = this.#ground.gateways.find(({ name }) => name === gateway);
    if (found === undefined) throw new Error(`there is no ${gateway}`);
    return this.#ground.client(found.url);
  }

  volume(gateway: GatewayName): Promise<VolumeStatus> {
    return this.#ground.volume(gateway);
  }

  loseServers(): Promise<void> {
    return this.#network.pullOut();
  }

  regainServers(): Promise<void> {
    return this.#network.plugIn();
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
    await this.#ground.close();
    await this.#network.remove();
    await rm(this.#base, { recursive: true, force: true });
  }
}
