/** Two hosts on real sockets, for tests of the real network. */
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { NetworkUnderTest } from './network-fixture.js';
import type { Network } from '../../vice/seam/network.js';
import { silentLog } from '../../vice/seam/log.js';
import type { CertificateSet } from '../../vice/seam/real/realm-certificates.js';
import { wsNetwork } from '../../vice/seam/real/ws-network.js';
import { SimulatedClock } from '../../vice/seam/twin/simulated-clock.js';

/** Real sockets, a clock that only the test moves, and between the hosts a wire that can be pulled. */
export class SocketsUnderTest implements NetworkUnderTest {
  readonly clock = new SimulatedClock();
  readonly client: Network;
  readonly server: Network;
  readonly address: string;
  readonly #scheme: 'ws' | 'wss';
  readonly #cables: Cable[] = [];

  /** With certificates of both ends all is TLS. */
  constructor(certificates?: { readonly client: CertificateSet; readonly server: CertificateSet }) {
    const network = (set: CertificateSet | undefined): Network =>
      wsNetwork({ clock: this.clock, log: silentLog, certificates: set && { current: () => set } });
    this.client = network(certificates?.client);
    this.server = network(certificates?.server);
    this.#scheme = certificates === undefined ? 'ws' : 'wss';
    this.address = `${this.#scheme}://127.0.0.1:0`;
  }

  async route(address: string): Promise<string> {
    const cable = new Cable(Number(new URL(address).port));
    this.#cables.push(cable);
    return `${this.#scheme}://127.0.0.1:${await cable.lay()}`;
  }

  /** In small steps, and between them what the sockets have to do. */
  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 50) {
      await this.clock.advance(Math.min(50, left));
      for (let turn = 0; turn < 20; turn += 1) await this.turn();
    }
  }

  /** One turn of the event loop. */
  turn(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }

  settle<T>(promise: Promise<T>): Promise<T> {
    return promise;
  }

  mute(): void {
    for (const cable of this.#cables) cable.pull();
  }

  /** The peer was killed: all connections are reset. */
  cut(): void {
    for (const cable of this.#cables) cable.cut();
  }

  async close(): Promise<void> {
    for (const cable of this.#cables) await cable.close();
  }
}

/** Forwards connections to a port until it is pulled; then it takes everything and gives nothing. */
class Cable {
  readonly #port: number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #pulled = false;

  constructor(port: number) {
    this.#port = port;
    this.#server = createServer({ noDelay: true }, (socket) => this.#forward(socket));
  }

  lay(): Promise<number> {
    return new Promise((resolve) => {
      this.#server.listen(0, '127.0.0.1', () => {
        const address = this.#server.address();
        resolve(typeof address === 'object' && address !== null ? address.port : 0);
      });
    });
  }

  pull(): void {
    this.#pulled = true;
  }

  /** Every connection is reset. */
  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  #forward(near: Socket): void {
    this.#sockets.add(near);
    if (this.#pulled) return;
    const far = connect({ port: this.#port, host: '127.0.0.1', noDelay: true });
    this.#sockets.add(far);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.on('data', (bytes) => {
        if (this.#pulled || to.destroyed || to.write(bytes)) return;
        from.pause();
        to.once('drain', () => from.resume());
      });
      from.on('error', () => undefined);
      from.on('close', () => {
        this.#sockets.delete(from);
        if (!this.#pulled) to.destroy();
      });
    }
  }
}
