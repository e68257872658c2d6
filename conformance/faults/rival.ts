/** Somebody at one gateway who reads, replaces and removes files that others change too, one after the other. */
import { createHash } from 'node:crypto';
import type { Seeded } from '../crash/seeded.js';
import type { Reply, WebdavClient } from '../webdav-client.js';
import type { History, Outcome } from './history.js';

const names = ['one.txt', 'two.bin', 'three', 'vier-ä', 'five'];
/** Nobody waits longer, whatever fails: with room for a process that is frozen for a while. */
const patienceMs = 45_000;
const pauseMs = 30;

interface Seen {
  readonly etag: string;
  readonly digest: string;
}

export class Rival {
  readonly #client: WebdavClient;
  readonly #gateway: string;
  readonly #seeded: Seeded;
  readonly #history: History;
  #stopping = false;

  constructor(client: WebdavClient, gateway: string, seeded: Seeded, history: History) {
    this.#client = client;
    this.#gateway = gateway;
    this.#seeded = seeded;
    this.#history = history;
  }

  /** Works until `stop`. */
  async run(): Promise<void> {
    while (!this.#stopping) {
      await this.#step();
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }

  stop(): void {
    this.#stopping = true;
  }

  async #step(): Promise<void> {
    const name = this.#seeded.pick(names) ?? 'one.txt';
    const seen = await this.#look(name);
    if (seen === 'unknown') return;
    const removes = seen !== undefined && this.#seeded.fraction() < 0.15;
    const body = removes ? undefined : this.#contents();
    const digest = body === undefined ? undefined : digestOf(body);
    const condition: Record<string, string> =
      seen === undefined ? { 'if-none-match': '*' } : { 'if-match': seen.etag };
    const reply = await this.#ask(body === undefined ? 'DELETE' : 'PUT', name, condition, body);
    const attempt = { gateway: this.#gateway, name, digest, base: seen?.digest };
    this.#history.attempts.push({ ...attempt, outcome: outcomeOf(reply) });
  }

  async #look(name: string): Promise<Seen | undefined | 'unknown'> {
    const reply = await this.#ask('GET', name);
    if (reply?.status === 404) return undefined;
    const etag = reply?.headers['etag'];
    if (reply?.status !== 200 || typeof etag !== 'string') return 'unknown';
    const digest = digestOf(reply.body);
    this.#history.saw(this.#gateway, name, etag, digest);
    return { etag, digest };
  }

  /** Undefined: no answer. */
  async #ask(
    method: string,
    name: string,
    headers: Readonly<Record<string, string>> = {},
    body?: Buffer,
  ): Promise<Reply | undefined> {
    try {
      const options = { headers, timeoutMs: patienceMs, ...(body !== undefined && { body }) };
      return await this.#client.request(method, `/${encodeURIComponent(name)}`, options);
    } catch (error) {
      if (error instanceof Error && error.name === 'TimeoutError') {
        this.#history.faults.push(`${method} ${name} at ${this.#gateway} had no answer in ${patienceMs} ms`);
      }
      return undefined;
    }
  }

  /** Mostly small; all different. */
  #contents(): Buffer {
    const length = this.#seeded.fraction() < 0.8 ? 2 * 1024 : 200 * 1024;
    return this.#seeded.bytes(16 + this.#seeded.below(length));
  }
}

/** 507 is an answer too: there was no space, and nothing was done. */
function outcomeOf(reply: Reply | undefined): Outcome {
  if (reply === undefined) return 'unknown';
  if (reply.status < 300) return 'done';
  return reply.status < 500 || reply.status === 507 ? 'refused' : 'unknown';
}

function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
