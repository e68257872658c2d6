/** A file that is too large to be kept in memory by a test: written and read as a stream, known by its digest. */
import { createHash } from 'node:crypto';
import { request, type IncomingMessage } from 'node:http';

export interface LargeFile {
  readonly length: number;
  /** SHA-256 of all its bytes. */
  readonly digest: string;
}

export interface Login {
  readonly url: string;
  readonly user: string;
  readonly password: string;
}

const chunkBytes = 1024 * 1024;

/** The bytes of a file of this length: another pattern every mebibyte, the same in every run. */
export function* contentsOf(length: number): Generator<Buffer> {
  for (let start = 0; start < length; start += chunkBytes) {
    const chunk = Buffer.alloc(Math.min(chunkBytes, length - start), `${start} of a large file\n`);
    yield chunk;
  }
}

export async function putLarge(login: Login, path: string, length: number): Promise<LargeFile> {
  const hash = createHash('sha256');
  const reply = await new Promise<IncomingMessage>((resolve, reject) => {
    const put = request(new URL(path, login.url), {
      method: 'PUT',
      auth: `${login.user}:${login.password}`,
      headers: { 'content-length': length },
    });
    put.once('response', resolve).once('error', reject);
    void (async () => {
      for (const chunk of contentsOf(length)) {
        hash.update(chunk);
        if (!put.write(chunk)) await new Promise((go) => put.once('drain', go));
      }
      put.end();
    })();
  });
  reply.resume();
  if (reply.statusCode !== 201 && reply.statusCode !== 204)
    throw new Error(`PUT ${path}: ${reply.statusCode}`);
  return { length, digest: hash.digest('hex') };
}

/** A GET that is read a part at a time. */
export class LargeReading {
  readonly status: number;
  bytes = 0;
  readonly #chunks: AsyncIterator<Buffer>;
  readonly #hash = createHash('sha256');
  #over = false;

  private constructor(reply: IncomingMessage) {
    this.status = reply.statusCode ?? 0;
    this.#chunks = reply[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  }

  static async begin(login: Login, path: string, range?: string): Promise<LargeReading> {
    const reply = await new Promise<IncomingMessage>((resolve, reject) => {
      const get = request(new URL(path, login.url), {
        auth: `${login.user}:${login.password}`,
        headers: range === undefined ? {} : { range: `bytes=${range}` },
        agent: false,
      });
      get.once('response', resolve).once('error', reject).end();
    });
    return new LargeReading(reply);
  }

  /** Reads on until so many bytes have come, or all. @throws Error when the connection breaks */
  async until(bytes: number): Promise<void> {
    while (this.bytes < bytes && !this.#over) {
      const next = await this.#chunks.next();
      if (next.done === true) this.#over = true;
      else {
        this.bytes += next.value.length;
        this.#hash.update(next.value);
      }
    }
  }

  /** Reads the rest; what all of it was. */
  async all(): Promise<LargeFile> {
    await this.until(Infinity);
    return { length: this.bytes, digest: this.#hash.digest('hex') };
  }

  /** Hangs up. */
  async end(): Promise<void> {
    await this.#chunks.return?.();
  }
}
