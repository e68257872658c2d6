/** A large file that grows in its middle, people who save and read it, and what moves at the servers meanwhile. */
import { createCipheriv, createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { request } from 'undici';
import { KillingGround } from '../crash/killing-ground.js';
import type { RoleProcess } from '../crash/role-process.js';
import { until } from '../program.js';
import { isDrained } from '../volume-status.js';

export const insertedBytes = 1_000_000;

const answerWithinMs = 600_000;
const pieceBytes = 1024 * 1024;

/** Bytes that look like chance, the same for the same name. */
function* noise(name: string, bytes: number): Generator<Buffer> {
  const key = createHash('sha256').update(name).digest();
  const cipher = createCipheriv('aes-256-ctr', key, Buffer.alloc(16));
  for (let left = bytes; left > 0; left -= pieceBytes)
    yield cipher.update(Buffer.alloc(Math.min(left, pieceBytes)));
}

/** A file of `fileBytes`, after so many insertions in its middle. */
function* version(fileBytes: number, insertions: number): Generator<Buffer> {
  yield* noise('first half', fileBytes / 2);
  for (let index = 0; index < insertions; index += 1) yield* noise(`insertion ${index}`, insertedBytes);
  yield* noise('second half', fileBytes / 2);
}

/** What `Person.read` answers when all is well. */
export function digestOf(fileBytes: number, insertions: number): string {
  const hash = createHash('sha256');
  for (const piece of version(fileBytes, insertions)) hash.update(piece);
  return hash.digest('hex');
}

/** Somebody at a gateway. */
export class Person {
  readonly #url: string;
  readonly #authorization: string;

  constructor(gateway: RoleProcess, { user, password }: KillingGround['login']) {
    this.#url = new URL('large', gateway.url).href;
    this.#authorization = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
  }

  async save(fileBytes: number, insertions: number): Promise<void> {
    const length = fileBytes + insertions * insertedBytes;
    const { statusCode, body } = await request(this.#url, {
      method: 'PUT',
      headers: { authorization: this.#authorization, 'content-length': `${length}` },
      body: Readable.from(version(fileBytes, insertions), { objectMode: false }),
      headersTimeout: answerWithinMs,
    });
    await body.dump();
    if (statusCode >= 300) throw new Error(`PUT answered ${statusCode}`);
  }

  /** The digest of what comes. */
  async read(): Promise<string> {
    const { statusCode, body } = await request(this.#url, {
      headers: { authorization: this.#authorization },
      headersTimeout: answerWithinMs,
      bodyTimeout: answerWithinMs,
    });
    if (statusCode !== 200) throw new Error(`GET answered ${statusCode}`);
    const hash = createHash('sha256');
    for await (const piece of body) hash.update(piece as Buffer);
    return hash.digest('hex');
  }
}

/** Bytes of uploads and downloads at one server. */
export interface Moved {
  readonly in: number;
  readonly out: number;
}

/** A realm of three servers with two gateways, and somebody at each. */
export class LargeFileStage {
  readonly people: readonly [Person, Person];
  readonly #ground: KillingGround;
  readonly #base: string;

  private constructor(ground: KillingGround, base: string) {
    this.#ground = ground;
    this.#base = base;
    const [one, two] = ground.gateways.map((gateway) => new Person(gateway, ground.login));
    if (one === undefined || two === undefined) throw new Error('there are two gateways');
    this.people = [one, two];
  }

  /** `settings` of the gateways. */
  static async open(settings: Readonly<Record<string, unknown>>): Promise<LargeFileStage> {
    const base = await mkdtemp(join(tmpdir(), 'coda-difference-'));
    const ground = await KillingGround.open(join(base, 'realm'), { gateways: 2, settings });
    await ground.calm();
    return new LargeFileStage(ground, base);
  }

  /** Until every server has what was saved. */
  async drained(): Promise<void> {
    for (const { name } of this.#ground.gateways) {
      const isEmpty = async (): Promise<true | undefined> =>
        isDrained(await this.#ground.volume(name)) ? true : undefined;
      await until(`${name} to have an empty log`, answerWithinMs, isEmpty, 100);
    }
  }

  /** What moved at each server while `work` was done. */
  async moved(work: () => Promise<void>): Promise<readonly Moved[]> {
    const before = await Promise.all(this.#ground.servers.map(movedAt));
    await work();
    const after = await Promise.all(this.#ground.servers.map(movedAt));
    return after.map((at, index) => {
      const { in: received, out: sent } = before[index] ?? { in: 0, out: 0 };
      return { in: at.in - received, out: at.out - sent };
    });
  }

  logs(): string {
    return this.#ground.all.map(({ log }) => log).join('\n');
  }

  async close(): Promise<void> {
    await Promise.all(this.#ground.all.map((role) => role.kill()));
    await rm(this.#base, { recursive: true, force: true });
  }
}

async function movedAt(server: RoleProcess): Promise<Moved> {
  const page = new URL('/metrics', server.url.replace(/^ws/, 'http'));
  const { statusCode, body } = await request(page);
  const text = await body.text();
  if (statusCode !== 200) throw new Error(`${page.href} answered ${statusCode}`);
  const count = (direction: string): number => {
    const pattern = `^vice_transfer_bytes_total\\{direction="${direction}"\\} (\\d+)`;
    // What has not been counted yet is not told of.
    return Number(new RegExp(pattern, 'm').exec(text)?.[1] ?? 0);
  };
  return { in: count('in'), out: count('out') };
}
