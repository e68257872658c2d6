/**
 * An address that stays while the machine behind it comes and goes. A machine without power says nothing, and whoever
 * waits for it waits long; here its connections break at the moment at which its power is cut.
 */
import { createConnection, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

export class Outlet {
  readonly #server: Server;
  readonly #near = new Set<Socket>();
  #behind: { readonly host: string; readonly port: number } | undefined;

  private constructor() {
    this.#server = createServer((near) => this.#join(near));
  }

  static async open(): Promise<Outlet> {
    const outlet = new Outlet();
    await new Promise<void>((listening) => outlet.#server.listen(0, '127.0.0.1', listening));
    return outlet;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  plugIn(host: string, port: number): void {
    this.#behind = { host, port };
  }

  /** What came out of the machine until now still arrives; nothing else does. */
  pullOut(): void {
    this.#behind = undefined;
    for (const socket of this.#near) socket.destroy();
  }

  async close(): Promise<void> {
    this.pullOut();
    await new Promise((closed) => this.#server.close(closed));
  }

  #join(near: Socket): void {
    if (this.#behind === undefined) {
      near.destroy();
      return;
    }
    const far = createConnection(this.#behind.port, this.#behind.host);
    this.#near.add(near);
    near.on('error', () => far.destroy()).on('close', () => this.#end(near, far));
    far.on('error', () => near.destroy()).on('close', () => near.destroy());
    near.pipe(far).pipe(near);
  }

  #end(near: Socket, far: Socket): void {
    this.#near.delete(near);
    far.destroy();
  }
}
