/** Slow lines from one gateway to its servers: proxies that pass so many bytes a second on, and count them. */
import { readFile, writeFile } from 'node:fs/promises';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { z } from 'zod';
import { realmDocumentSchema } from '../vice/interface/index.js';

export class SlowLine {
  /** The server at its end. */
  readonly server: string;
  /** Bytes of the server that the gateway was given. */
  bytes = 0;
  bytesPerSecond: number;
  readonly #listener: Server;
  readonly #sockets = new Set<Socket>();
  /** When the line has carried all that it was given. */
  #free = 0;

  private constructor(server: string, target: URL, bytesPerSecond: number) {
    this.server = server;
    this.bytesPerSecond = bytesPerSecond;
    this.#listener = createServer((near) => this.#carry(near, Number(target.port), target.hostname));
  }

  static async open(server: string, address: string, bytesPerSecond: number): Promise<SlowLine> {
    const line = new SlowLine(server, new URL(address), bytesPerSecond);
    await new Promise<void>((resolve) => line.#listener.listen(0, '127.0.0.1', resolve));
    return line;
  }

  get address(): string {
    return `ws://127.0.0.1:${(this.#listener.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#listener.close(() => resolve()));
  }

  #carry(near: Socket, port: number, host: string): void {
    const far = connect(port, host);
    for (const socket of [near, far]) {
      this.#sockets.add(socket);
      socket.setNoDelay(true).on('error', () => undefined);
      socket.once('close', () => {
        this.#sockets.delete(socket);
        near.destroy();
        far.destroy();
      });
    }
    near.pipe(far);
    far.on('data', (chunk: Buffer) => {
      const now = performance.now();
      this.#free = Math.max(this.#free, now) + (chunk.length * 1000) / this.bytesPerSecond;
      far.pause();
      setTimeout(() => {
        this.bytes += chunk.length;
        if (near.destroyed || near.write(chunk)) far.resume();
        else near.once('drain', () => far.resume());
      }, this.#free - now);
    });
    far.once('end', () => near.end());
  }
}

/** Puts lines between the gateway `name` of the realm in `data`, which does not run, and all servers. */
export async function slowLines(
  data: string,
  name: string,
  bytesPerSecond: number,
): Promise<readonly SlowLine[]> {
  const file = join(data, 'config', `${name}.json`);
  const config = z.record(z.string(), z.unknown()).parse(JSON.parse(await readFile(file, 'utf8')));
  const realm = realmDocumentSchema.parse(JSON.parse(await readFile(join(data, 'realm.json'), 'utf8')));
  const lines = await Promise.all(
    realm.servers.map((server) => SlowLine.open(server.name, server.address, bytesPerSecond)),
  );
  // Of the same version: the servers have nothing newer to tell.
  const servers = lines.map(({ server, address }) => ({ name: server, address }));
  await writeFile(join(data, 'config', `realm-${name}.json`), JSON.stringify({ ...realm, servers }));
  await writeFile(file, JSON.stringify({ ...config, realm: `realm-${name}.json` }));
  return lines;
}

/** Bytes that all lines have carried. */
export function carried(lines: readonly SlowLine[]): number {
  return lines.reduce((sum, { bytes }) => sum + bytes, 0);
}
