/**
 * The memory twin of the network: any number of hosts in one process, on one clock, and all that can go wrong
 * between them. Messages are encoded and decoded: nothing is shared. Order and delays depend only on the seed
 * and the clock. The ends of links are those of the real network (vice/seam/link-*): calls, beats, silence,
 * bounds are the same code.
 */
import { Failure, type Peer } from '../../interface/index.js';
import type { Clock } from '../clock.js';
import { silentLog, type Log } from '../log.js';
import type { DialOptions, Link, Listener, Network, Service } from '../network.js';
import { ClientEnd } from '../link-client.js';
import { addressInUse } from '../link-failure.js';
import { ServerEnd } from '../link-server.js';
import { MemoryBulkClient, serveBulk, type BulkRequest } from './memory-bulk.js';
import { MemoryConnection, type MemoryWire } from './memory-connection.js';
import { Mishaps } from './memory-mishaps.js';
import { UnheardEnd } from './memory-unheard.js';
import { Ways, type WaysOptions } from './memory-path.js';

export interface MemoryNetworkOptions extends WaysOptions {
  readonly log?: Log;
  /** Told of each fault that was asked for when it strikes. */
  readonly onFault?: ((fault: string) => void) | undefined;
}

/** One process on a host, from its start to its kill. */
interface Life {
  readonly host: string;
  readonly clock: Clock;
  alive: boolean;
  /** What has fallen due since the process was paused, in order; undefined: it runs. */
  waiting: (() => void)[] | undefined;
}

interface MemoryListener {
  readonly address: string;
  readonly life: Life;
  readonly service: Service;
  readonly sessions: Set<ServerEnd>;
  readonly connections: Set<MemoryConnection>;
}

/** As what a link was dialled. */
interface Dialled {
  readonly address: string;
  readonly credential: () => string;
}

interface RepeatedRequest extends Dialled {
  readonly message: Uint8Array;
  readonly laterMs: number;
}

const refused = 'connection refused: no server listens there';

/** Used as a Network itself, it is the host `local`. */
export class MemoryNetwork implements Network {
  readonly #ways: Ways;
  readonly #log: Log;
  readonly #onFault: MemoryNetworkOptions['onFault'];
  readonly #lives = new Map<string, Life>();
  readonly #listeners = new Map<string, MemoryListener>();
  /** Which host an address belongs to, also while nobody listens there. */
  readonly #owners = new Map<string, string>();
  readonly #links = new Set<MemoryConnection>();
  readonly #transfers = new Set<MemoryConnection>();
  readonly #mishaps = new Mishaps();
  /** By host: how far its wall clock is ahead. */
  readonly #wallOffsets = new Map<string, number>();
  #sessions = 0;
  #lastPort = 0;

  constructor(options: MemoryNetworkOptions) {
    this.#ways = new Ways(options);
    this.#log = options.log ?? silentLog;
    this.#onFault = options.onFault;
  }

  /**
   * The network as the process on `name` sees it. After `kill(name)` a new process needs a new view: with an
   * old one nothing settles any more, as nothing happens to a dead process.
   */
  host(name: string): Network {
    const life = this.#life(name);
    return {
      dial: (address, options) => this.#dial(life, address, options),
      listen: (address, service) => this.#listen(life, address, service),
    };
  }

  /** The clock of the process on `name`: dead, it runs nothing any more; paused, it runs nothing for a while. */
  clock(name: string): Clock {
    return this.#life(name).clock;
  }

  dial(address: string, options: DialOptions): Promise<Link> {
    return this.#dial(this.#life('local'), address, options);
  }

  listen(address: string, service: Service): Promise<Listener> {
    return this.#listen(this.#life('local'), address, service);
  }

  /** Nothing passes between `a` and `b`, in both directions. Links notice by silence; what is sent waits. */
  cut(a: string, b: string): void {
    this.cutOneWay(a, b);
    this.cutOneWay(b, a);
  }

  /** Nothing passes from `from` to `to`; the other direction works. */
  cutOneWay(from: string, to: string): void {
    this.#ways.cut(from, to);
  }

  /** Both directions work again; what has waited on connections that still stand arrives. */
  heal(a: string, b: string): void {
    this.healOneWay(a, b);
    this.healOneWay(b, a);
  }

  healOneWay(from: string, to: string): void {
    this.#ways.heal(from, to);
  }

  /** The next `count` replies to calls that server `from` sends to `to` are lost, each with its link. */
  loseReplies(from: string, to: string, count: number): void {
    this.#mishaps.ask('reply lost', from, to, count);
  }

  /** The next `count` calls of `from` to server `to` are lost, each with all that follows on its link. */
  loseRequests(from: string, to: string, count: number): void {
    this.#mishaps.ask('request lost', from, to, count);
  }

  /** The next `count` calls of `from` to server `to` come again, `laterMs` later and on links of their own. */
  repeatRequests(from: string, to: string, count: number, laterMs: number): void {
    this.#mishaps.ask('request repeated', from, to, count, laterMs);
  }

  /** The next `count` pushes of server `from` to `to` come again `laterMs` later, if their links still stand. */
  repeatPushes(from: string, to: string, count: number, laterMs: number): void {
    this.#mishaps.ask('push repeated', from, to, count, laterMs);
  }

  /** All connections between `a` and `b` are reset, as by a firewall; new ones can be opened at once. */
  reset(a: string, b: string): void {
    for (const connection of [...this.#links, ...this.#transfers]) {
      if (connection.touches(a) && connection.touches(b)) connection.reset();
    }
  }

  /** Everything from `from` to `to` takes `ms` longer (0: no longer). */
  delay(from: string, to: string, ms: number): void {
    this.#ways.delay(from, to, ms);
  }

  /** The wall clock of `host` jumps: from now on it is `ms` ahead of the others. */
  setWallOffset(host: string, ms: number): void {
    this.#wallOffsets.set(host, ms);
  }

  /** The process on `host` stands still (SIGSTOP): its timers wait, and what is sent to it waits in its sockets. */
  pause(host: string): void {
    const life = this.#life(host);
    life.waiting ??= [];
    this.#ways.pause(host);
  }

  /** It goes on: what fell due meanwhile runs at once, in order. */
  resume(host: string): void {
    const life = this.#life(host);
    const { waiting = [] } = life;
    life.waiting = undefined;
    for (const task of waiting) task();
    this.#ways.unpause(host);
  }

  /**
   * The process on `host` dies: its listeners are gone, its peers get a reset (if the way is whole), and its
   * own code hears nothing more: no call settles, no session is told closed. What it had sent may be lost.
   * `silent`: the machine lost its power; nobody is told, the connections stay half open at its peers.
   */
  kill(host: string, silent = false): void {
    const life = this.#lives.get(host);
    if (life !== undefined) life.alive = false;
    this.#ways.unpause(host);
    this.#lives.delete(host);
    for (const listener of [...this.#listeners.values()]) {
      if (listener.life === life) this.#listeners.delete(listener.address);
    }
    for (const connections of [this.#links, this.#transfers]) {
      for (const connection of connections) {
        if (connection.touches(host))
          connection.kill(host, silent || this.#ways.random.fraction() < 0.5, silent);
      }
      removeOver(connections);
    }
  }

  async #dial(life: Life, address: string, options: DialOptions): Promise<Link> {
    const { host } = parseAddress(address, 'network.dial');
    if (!life.alive) return new Promise<never>(() => undefined);
    const server = this.#owners.get(address) ?? host;
    const connection = this.#link(life, server, { address, credential: options.credential });
    const world = { clock: life.clock, log: this.#log };
    const end = new ClientEnd(connection.client, address, options.onPush, world);
    connection.client.attach(end);
    connection.client.signal(() => {
      this.#accept(address, connection, options.credential(), () => {
        const message = `${address} does not accept the credential`;
        end.refused(new Failure('not-authenticated', 'network.dial', message));
      });
    });

    const hello = await end.opened;
    const bulk = new MemoryBulkClient(address, options.credential, life.clock, (request) => {
      return this.#openTransfer(life, address, request);
    });
    void end.closed.then((reason) => bulk.close(reason));
    return {
      hello,
      closed: end.closed,
      call: (name, argument, callOptions) => end.call(name, argument, callOptions),
      download: (path, start, signal) => bulk.download(path, start, signal),
      upload: (path, start, source, signal) => bulk.upload(path, start, source, signal),
      silence: () => end.silence(),
      close: () => end.close(),
    };
  }

  /** A dial has arrived at the server's host. `refuse` is called at the client's. */
  #accept(address: string, connection: MemoryConnection, credential: string, refuse: () => void): void {
    const listener = this.#listeners.get(address);
    if (listener === undefined) return connection.server.close(refused);
    const peer: Peer | undefined = listener.service.authenticate(credential);
    if (peer === undefined) {
      connection.server.signal(refuse);
      return connection.server.close('the credential was refused');
    }
    this.#sessions += 1;
    const world = { clock: listener.life.clock, log: this.#log };
    const session = new ServerEnd(this.#sessions, { peer }, connection.server, listener.service, world);
    connection.server.attach(session);
    for (const earlier of listener.sessions) if (earlier.isClosed) listener.sessions.delete(earlier);
    listener.sessions.add(session);
  }

  async #listen(life: Life, address: string, service: Service): Promise<Listener> {
    const { host, port } = parseAddress(address, 'network.listen');
    if (!life.alive) throw new Error(`the process on ${life.host} was killed: a new one needs a new host()`);
    if (port === 0) this.#lastPort += 1;
    const real = port === 0 ? `ws://${host}:${50_000 + this.#lastPort}` : address;
    if (this.#listeners.has(real)) throw addressInUse(host, port);
    const listener: MemoryListener = {
      ...{ address: real, life, service },
      sessions: new Set(),
      connections: new Set(),
    };
    this.#listeners.set(real, listener);
    this.#owners.set(real, life.host);
    return {
      address: real,
      close: async () => {
        if (this.#listeners.get(real) === listener) this.#listeners.delete(real);
        for (const session of listener.sessions) session.close('the server is closing');
        for (const connection of listener.connections) connection.server.abort('the server is closing');
      },
    };
  }

  /** A connection for one transfer; at the server's host `serve` takes it, or it is refused. */
  #openTransfer(life: Life, address: string, request: BulkRequest): MemoryConnection {
    const { host } = parseAddress(address, 'network.dial');
    const server = this.#owners.get(address) ?? host;
    removeOver(this.#transfers);
    const connection = new MemoryConnection(this.#ways, life.host, server);
    this.#transfers.add(connection);
    connection.client.signal(() => {
      const listener = this.#listeners.get(address);
      if (listener === undefined) return connection.server.close(refused);
      removeOver(listener.connections);
      listener.connections.add(connection);
      const world = { clock: listener.life.clock, log: this.#log, service: listener.service };
      void serveBulk(connection.server, request, world);
    });
    return connection;
  }

  /** A connection for one link, on which what was asked for goes wrong. */
  #link(life: Life, server: string, dialled: Dialled): MemoryConnection {
    removeOver(this.#links);
    const connection = new MemoryConnection(this.#ways, life.host, server, (from, message) => {
      const to = from === connection.client ? server : life.host;
      const struck = this.#mishaps.strike(from.host, to, message);
      switch (struck?.mishap) {
        case undefined:
          return 'arrives';
        case 'request repeated':
          this.#repeatRequest(life.host, server, { ...dialled, message, laterMs: struck.laterMs });
          return 'arrives';
        case 'push repeated':
          this.#repeatPush(from, message, struck.laterMs);
          return 'arrives';
        case 'request lost':
        case 'reply lost':
          this.#onFault?.(struck.mishap);
          return struck.mishap === 'reply lost' ? 'reset' : 'swallowed';
      }
    });
    this.#links.add(connection);
    return connection;
  }

  /** What waits in the sockets of a process dies with it: a server that has been started since gets nothing. */
  #repeatRequest(from: string, server: string, request: RepeatedRequest): void {
    const { address, message, laterMs } = request;
    const credential = request.credential();
    const life = this.#lives.get(server);
    this.#ways.clock.after(laterMs, () => {
      if (this.#lives.get(server) !== life) return;
      removeOver(this.#links);
      const connection = new MemoryConnection(this.#ways, from, server);
      this.#links.add(connection);
      const { client } = connection;
      client.attach(new UnheardEnd(client));
      client.signal(() => this.#accept(address, connection, credential, () => undefined));
      client.send(message);
      client.signal(() => this.#onFault?.('request repeated'));
    });
  }

  #repeatPush(server: MemoryWire, message: Uint8Array, laterMs: number): void {
    this.#ways.clock.after(laterMs, () => {
      if (server.closed) return;
      server.sendAgain(message);
      server.signal(() => this.#onFault?.('push repeated'));
    });
  }

  #life(host: string): Life {
    let life = this.#lives.get(host);
    if (life === undefined) {
      const born: Life = { host, clock: this.#clockOf(() => born), alive: true, waiting: undefined };
      life = born;
      this.#lives.set(host, born);
    }
    return life;
  }

  /** The clock of one process: after its death nothing of it happens any more. */
  #clockOf(process: () => Life): Clock {
    const { clock } = this.#ways;
    return {
      wall: () => clock.wall() + (this.#wallOffsets.get(process().host) ?? 0),
      monotonic: () => clock.monotonic(),
      after: (delay, task) => {
        let cancelled = false;
        const run = (): void => {
          const { alive, waiting } = process();
          if (cancelled || !alive) return;
          if (waiting === undefined) task();
          else waiting.push(run);
        };
        const timer = clock.after(delay, run);
        return {
          cancel: () => {
            cancelled = true;
            timer.cancel();
          },
        };
      },
    };
  }
}

function removeOver(connections: Set<MemoryConnection>): void {
  for (const connection of connections) if (connection.over) connections.delete(connection);
}

/** `ws://host:port`; any host name will do. @throws Failure invalid */
function parseAddress(address: string, operation: string): { readonly host: string; readonly port: number } {
  const match = /^wss?:\/\/(.+):(\d{1,5})\/?$/.exec(address);
  if (match === null) {
    throw new Failure('invalid', operation, `"${address}" is no address: write ws://host:port`);
  }
  return { host: match[1] ?? '', port: Number(match[2]) };
}
