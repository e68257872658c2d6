/**
 * The realm's servers. Planned disconnection from some of them is kept over restarts (rows `d/<name>`): who has
 * switched a gateway off the network wants it off until he says otherwise.
 */
import { Failure, seal, type ServerEntry } from '../../vice/interface/index.js';
import type { ServerState } from '../interface.js';
import type { WriteBuffer } from '../store/write-buffer.js';
import { ServerLink, type ServerLinkOptions, type ServerLinkWorld } from './server-link.js';

export interface ServersWorld extends ServerLinkWorld {
  readonly buffer: WriteBuffer;
}

export class Servers {
  readonly #links = new Map<string, ServerLink>();
  readonly #options: Omit<ServerLinkOptions, 'server' | 'suspended'>;
  readonly #world: ServersWorld;

  constructor(
    servers: readonly ServerEntry[],
    options: Omit<ServerLinkOptions, 'server' | 'suspended'>,
    world: ServersWorld,
  ) {
    this.#options = options;
    this.#world = world;
    this.follow(servers);
  }

  /** These are the realm's servers from now on: links to new ones and new addresses, none to those that are gone. */
  follow(servers: readonly ServerEntry[]): void {
    for (const link of this.all) {
      if (servers.some(({ name, address }) => name === link.name && address === link.address)) continue;
      this.#links.delete(link.name);
      link.close();
    }
    for (const server of servers) {
      if (this.#links.has(server.name)) continue;
      const suspended = this.#world.buffer.get(rowOf(server.name)) !== undefined;
      this.#links.set(server.name, new ServerLink({ ...this.#options, server, suspended }, this.#world));
    }
  }

  get all(): readonly ServerLink[] {
    return [...this.#links.values()];
  }

  get(name: string): ServerLink | undefined {
    return this.#links.get(name);
  }

  states(): readonly ServerState[] {
    return this.all.map((server) => ({
      name: server.name,
      address: server.address,
      reachable: server.reachable,
      silence: server.silence(),
      planned: server.suspended,
    }));
  }

  /** Disconnects from the named servers, or all. @throws Failure not-found */
  async suspend(names: readonly string[]): Promise<void> {
    for (const server of this.#chosen(names)) {
      this.#world.buffer.put(rowOf(server.name), seal(true));
      server.suspend();
    }
    await this.#world.buffer.flush();
  }

  /** @throws Failure not-found */
  async resume(names: readonly string[]): Promise<void> {
    for (const server of this.#chosen(names)) {
      this.#world.buffer.remove(rowOf(server.name));
      server.resume();
    }
    await this.#world.buffer.flush();
  }

  #chosen(names: readonly string[]): readonly ServerLink[] {
    if (names.length === 0) return this.all;
    return names.map((name) => {
      const server = this.#links.get(name);
      if (server !== undefined) return server;
      const known = [...this.#links.keys()].join(', ');
      throw new Failure('not-found', 'venus.disconnect', `there is no server ${name}; there are: ${known}`);
    });
  }
}

function rowOf(server: string): string {
  return `d/${server}`;
}
