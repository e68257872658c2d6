/** A server for tests of one network: it echoes, counts, and says what has happened. */
import { isFailure } from '../../vice/interface/index.js';
import type { Service, Session } from '../../vice/seam/network.js';

export class EchoService implements Service {
  readonly hello = { protocol: 1, server: 's1', realm: 'test' };
  readonly open = new Set<Session>();
  calls = 0;
  accepts = true;
  /** Bytes that the source of a download has been asked for, or that an upload has taken. */
  moved = 0;
  ended: unknown;
  /** An upload takes its next chunk when this has resolved. */
  gate: Promise<void> = Promise.resolve();

  authenticate(credential: string): { role: 'gateway'; name: string } | undefined {
    return this.accepts && credential === 'good' ? { role: 'gateway', name: 'g1' } : undefined;
  }

  opened(session: Session): void {
    this.open.add(session);
  }

  closed(session: Session): void {
    this.open.delete(session);
  }

  async call(_session: Session, name: string, argument: unknown): Promise<unknown> {
    this.calls += 1;
    return name === 'never' ? new Promise(() => undefined) : argument;
  }

  async download(_peer: unknown, path: string, start: number): Promise<AsyncIterable<Uint8Array>> {
    return this.#read(Number(path) - start);
  }

  async upload(
    _peer: unknown,
    _path: string,
    _start: number,
    source: AsyncIterable<Uint8Array>,
  ): Promise<void> {
    try {
      for await (const chunk of source) {
        this.moved += chunk.length;
        await this.gate;
      }
      this.ended = 'whole';
    } catch (error) {
      this.ended = isFailure(error) ? error.kind : error;
      throw error;
    }
  }

  async page(path: string): Promise<{ type: string; body: string } | undefined> {
    if (path === '/broken') throw new Error('no page');
    return path === '/healthz' ? { type: 'text/plain', body: 'well' } : undefined;
  }

  async *#read(length: number): AsyncGenerator<Uint8Array> {
    try {
      for (let left = length; left > 0; left -= 65_536) {
        this.moved += Math.min(left, 65_536);
        yield Buffer.alloc(Math.min(left, 65_536), left / 65_536);
      }
      this.ended = 'whole';
    } finally {
      this.ended ??= 'returned';
    }
  }
}
