/** What a share has said yes to: after whatever was refused meanwhile, it holds exactly that. */
import type { WebdavClient } from '../webdav-client.js';

export class Ledger {
  readonly #client: WebdavClient;
  readonly #files = new Map<string, Buffer>();

  constructor(client: WebdavClient) {
    this.#client = client;
  }

  /** Paths of the files that are there, in order. */
  get paths(): readonly string[] {
    return [...this.#files.keys()].sort();
  }

  /** @returns the status of the answer. @throws Error when none comes */
  async put(path: string, body: Buffer): Promise<number> {
    const { status } = await this.#client.request('PUT', path, { body });
    if (status < 300) this.#files.set(path, body);
    return status;
  }

  /** @see put */
  async remove(path: string): Promise<number> {
    const { status } = await this.#client.request('DELETE', path);
    if (status < 300) this.#files.delete(path);
    return status;
  }

  /** @see put */
  async move(path: string, to: string): Promise<number> {
    const headers = { destination: this.#client.absolute(to) };
    const { status } = await this.#client.request('MOVE', path, { headers });
    const body = this.#files.get(path);
    if (status < 300 && body !== undefined) {
      this.#files.delete(path);
      this.#files.set(to, body);
    }
    return status;
  }

  /** In words, what `client` finds otherwise than it should be. */
  async differences(client: WebdavClient = this.#client): Promise<readonly string[]> {
    const found: string[] = [];
    const listed = (await client.list('/')).sort();
    if (listed.join() !== this.paths.join()) found.push(`listed are ${listed.join(', ')}`);
    for (const [path, body] of this.#files) {
      const reply = await client.request('GET', path);
      if (reply.status !== 200) found.push(`${path} answers ${reply.status}`);
      else if (!reply.body.equals(body)) found.push(`${path} has other bytes`);
    }
    return found;
  }
}
