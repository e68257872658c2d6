/** The least of a WebDAV client: requests with a password, bodies in memory, no retries, no redirects. */
import { Agent, type Dispatcher } from 'undici';

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

export interface RequestOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** Default half a minute. */
  readonly timeoutMs?: number;
}

export class WebdavClient {
  readonly url: URL;
  readonly #agent: Agent;
  readonly #authorization: string;

  constructor(url: string, user: string, password: string, connections = 16) {
    this.url = new URL(url);
    this.#agent = new Agent({ connections, pipelining: 1 });
    this.#authorization = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
  }

  /**
   * @param path from the share's root, its names already percent-encoded. @throws Error when there is no
   * answer
   */
  async request(method: string, path: string, options: RequestOptions = {}): Promise<Reply> {
    const { headers = {}, body, timeoutMs = 30_000 } = options;
    const reply = await this.#agent.request({
      origin: this.url.origin,
      path: this.#pathOf(path),
      method: method as Dispatcher.HttpMethod,
      headers: { authorization: this.#authorization, ...headers },
      body: body ?? null,
      signal: AbortSignal.timeout(timeoutMs),
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
    });
    return {
      status: reply.statusCode,
      headers: reply.headers,
      body: Buffer.from(await reply.body.arrayBuffer()),
    };
  }

  /** For the Destination header. */
  absolute(path: string): string {
    return `${this.url.origin}${this.#pathOf(path)}`;
  }

  /**
   * Paths of a collection's members, percent-encoded, from the share's root, folders with a slash at the end.
   */
  async list(path: string): Promise<string[]> {
    const reply = await this.request('PROPFIND', path, { headers: { depth: '1' } });
    if (reply.status !== 207)
      throw new Error(`PROPFIND ${path} answered ${reply.status}: ${reply.body.toString()}`);
    const base = this.url.pathname.replace(/\/$/, '');
    const hrefs = [...reply.body.toString().matchAll(/<[^<>/]*\bhref>([^<]*)</gi)].map(
      ([, href = '']) => href,
    );
    const paths = hrefs.map((href) => new URL(href, this.url).pathname.slice(base.length));
    const own = path.replace(/\/$/, '');
    return paths.filter((member) => member.replace(/\/$/, '') !== own);
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  #pathOf(path: string): string {
    return `${this.url.pathname.replace(/\/$/, '')}${path}`;
  }
}
