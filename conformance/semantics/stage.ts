/** A realm of three servers and two gateways, g1 and g2, whose servers can all be lost at once and return. */
import type { Share } from '../clients/davfs2-mount.js';
import { until } from '../program.js';
import { Realm, type RealmOptions } from '../realm.js';
import { isDrained, statusSchema, type VolumeStatus } from '../volume-status.js';
import type { WebdavClient } from '../webdav-client.js';

export const serverNames = ['s1', 's2', 's3'] as const;
export type GatewayName = 'g1' | 'g2';

export interface Stage {
  /** Folder of the realm. */
  readonly data: string;
  /** Of gateway g1. */
  readonly share: Share;
  client(gateway: GatewayName): WebdavClient;
  /** The gateway's view of the root volume. */
  volume(gateway: GatewayName): Promise<VolumeStatus>;
  /** Takes all servers away from both gateways. */
  loseServers(): Promise<void>;
  regainServers(): Promise<void>;
  /** Ends and starts the servers' processes, in order, so that their folders can be looked into. */
  stopServers(): Promise<void>;
  startServers(): Promise<void>;
  logs(): Promise<string>;
  close(): Promise<void>;
}

const settleWithinMs = 240_000;

/** Waits until a gateway's view of the volume is as `wanted` says; the last view is told when it is not. */
export async function untilVolume(
  stage: Stage,
  gateway: GatewayName,
  what: string,
  wanted: (volume: VolumeStatus) => boolean,
): Promise<VolumeStatus> {
  let seen: unknown = 'nothing';
  const ask = async (): Promise<VolumeStatus | undefined> => {
    // A gateway that does not answer has no volumes: it is asked again.
    const volume = await stage.volume(gateway).catch((error: unknown) => void (seen = error));
    if (volume !== undefined) seen = JSON.stringify(volume);
    return volume !== undefined && wanted(volume) ? volume : undefined;
  };
  try {
    return await until(`${gateway}: ${what}`, settleWithinMs, ask, 500);
  } catch (cause) {
    throw new Error(`${String(cause)}; last seen: ${String(seen)}\n${await stage.logs()}`, { cause });
  }
}

/** Every server is reached by both gateways, and nothing waits to be sent. */
export async function untilDrained(stage: Stage): Promise<void> {
  for (const gateway of ['g1', 'g2'] as const) {
    await untilVolume(stage, gateway, 'all servers, and an empty log', isDrained);
  }
}

/** How the servers of a RealmStage get lost. */
export type Loss = 'killed' | 'frozen';

/** On `coda up`. Killed servers stay dead until they are started; frozen ones keep sockets open, in silence. */
export class RealmStage implements Stage {
  readonly data: string;
  readonly share: Share;
  readonly realm: Realm;
  readonly #loss: Loss;
  #frozen: readonly number[] = [];

  constructor(realm: Realm, loss: Loss) {
    this.realm = realm;
    this.data = realm.data;
    this.share = realm.ready;
    this.#loss = loss;
  }

  static async open(loss: Loss = 'killed', options: RealmOptions = {}): Promise<RealmStage> {
    return new RealmStage(await Realm.start({ servers: serverNames.length, gateways: 2, ...options }), loss);
  }

  /**
   * The same servers, but no replica is one of the first: the group has shrunk to one server, grown again, and moved
   * away from that one and back.
   */
  static async openResized(): Promise<RealmStage> {
    const stage = await RealmStage.open();
    try {
      const replica = async (...order: readonly string[]): Promise<void> => {
        const [what = '', ...servers] = order;
        await stage.coda('volume', 'replica', what, 'root', ...servers);
      };
      await replica('remove', 's2');
      await replica('remove', 's3');
      await replica('add', 's2');
      await replica('add', 's3');
      await stage.coda('server', 'add', 's4');
      await replica('move', 's1', 's4');
      await replica('move', 's4', 's1');
      await stage.coda('server', 'remove', 's4');
      return stage;
    } catch (error) {
      await stage.close();
      throw error;
    }
  }

  client(gateway: GatewayName): WebdavClient {
    return this.realm.client(gateway);
  }

  async volume(gateway: GatewayName): Promise<VolumeStatus> {
    const { gateways } = statusSchema.parse(JSON.parse(await this.coda('status', '--json')));
    const volume = gateways.find(({ name }) => name === gateway)?.volumes[0];
    if (volume === undefined) throw new Error(`${gateway} does not answer`);
    return volume;
  }

  /** Runs a command that must succeed. @returns what it printed */
  async coda(...args: readonly string[]): Promise<string> {
    const { code, stdout, output } = await this.realm.coda(...args);
    if (code !== 0) throw new Error(`coda ${args.join(' ')} ended with exit code ${code}:\n${output}`);
    return stdout;
  }

  async loseServers(): Promise<void> {
    const signal = this.#loss === 'killed' ? 'SIGKILL' : 'SIGSTOP';
    const pids = await Promise.all(serverNames.map((name) => this.realm.kill(name, signal)));
    if (this.#loss === 'frozen') this.#frozen = pids;
    // Their supervisor would start them again.
    else await this.stopServers();
  }

  async regainServers(): Promise<void> {
    if (this.#loss === 'killed') return this.startServers();
    for (const pid of this.#frozen) process.kill(pid, 'SIGCONT');
    this.#frozen = [];
  }

  async stopServers(): Promise<void> {
    await Promise.all(serverNames.map((name) => this.coda('servers', 'stop', name)));
  }

  async startServers(): Promise<void> {
    await Promise.all(serverNames.map((name) => this.coda('servers', 'start', name)));
  }

  logs(): Promise<string> {
    return this.realm.logs();
  }

  async close(): Promise<void> {
    // A frozen process cannot end in order.
    await this.regainServers().catch(() => undefined);
    await this.realm.stop();
  }
}
