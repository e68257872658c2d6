/** Bulk transfers of the memory network: a connection each, a few chunks ahead of the receiver. */
import { decode, encode, Failure } from '../../interface/index.js';
import type { Clock, Timer } from '../clock.js';
import { transferTiming } from '../link-bounds.js';
import { cancelled, failureFrom, failureRecord, type FailureRecord } from '../link-failure.js';
import type { WireEnd } from '../link-wire.js';
import type { Log } from '../log.js';
import type { Service } from '../network.js';
import type { MemoryConnection, MemoryWire } from './memory-connection.js';

/** Chunks that may be under way before the receiver has taken them. */
const window = 4;

export interface BulkRequest {
  readonly method: 'get' | 'put';
  readonly credential: string;
  readonly path: string;
  readonly start: number;
}

/** `done` ends both a download and a successful upload; `end` is the end of an upload's body. */
type Message =
  | { readonly bulk: 'chunk'; readonly chunk: Uint8Array }
  | { readonly bulk: 'taken' | 'end' | 'done' }
  | { readonly bulk: 'failed'; readonly failure: FailureRecord };

export class MemoryBulkClient {
  readonly #address: string;
  readonly #credential: () => string;
  readonly #clock: Clock;
  readonly #open: (request: BulkRequest) => MemoryConnection;
  /** Transfers under way, each with what stops listening to its caller's signal. */
  readonly #channels = new Map<Channel, () => void>();
  #closeReason: string | undefined;

  constructor(
    address: string,
    credential: () => string,
    clock: Clock,
    open: (request: BulkRequest) => MemoryConnection,
  ) {
    this.#address = address;
    this.#credential = credential;
    this.#clock = clock;
    this.#open = open;
  }

  /** @see Link.download */
  async download(path: string, start: number, signal?: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
    const channel = this.#channel('network.download', { method: 'get', path, start }, signal);
    try {
      return this.#chunks(channel, await channel.receive());
    } catch (error) {
      this.#end(channel);
      throw error;
    }
  }

  /** @see Link.upload */
  async upload(
    path: string,
    start: number,
    source: AsyncIterable<Uint8Array>,
    signal?: AbortSignal,
  ): Promise<void> {
    const channel = this.#channel('network.upload', { method: 'put', path, start }, signal);
    try {
      if (await sendAll(channel, source)) channel.send({ bulk: 'end' });
      while ((await channel.receive(transferTiming.outcomeMs)).bulk !== 'done') continue;
    } finally {
      this.#end(channel);
    }
  }

  /** The link beside which the transfers run is gone. */
  close(reason: string): void {
    this.#closeReason = reason;
    for (const channel of [...this.#channels.keys()]) {
      channel.fail(this.#unreachable(channel.operation, reason));
    }
  }

  async *#chunks(channel: Channel, first: Message): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for (let message = first; message.bulk !== 'done'; message = await channel.receive()) {
        if (message.bulk !== 'chunk') continue;
        channel.send({ bulk: 'taken' });
        yield message.chunk;
      }
    } finally {
      this.#end(channel);
    }
  }

  #channel(
    operation: string,
    request: Omit<BulkRequest, 'credential'>,
    signal: AbortSignal | undefined,
  ): Channel {
    if (signal?.aborted === true) throw cancelled(signal, operation);
    if (this.#closeReason !== undefined) throw this.#unreachable(operation, this.#closeReason);
    const { client } = this.#open({ ...request, credential: this.#credential() });
    const channel = new Channel(client, operation, this.#clock);
    const abort = (): void => {
      if (signal !== undefined) channel.fail(cancelled(signal, operation));
    };
    signal?.addEventListener('abort', abort, { once: true });
    this.#channels.set(channel, () => signal?.removeEventListener('abort', abort));
    return channel;
  }

  #end(channel: Channel): void {
    this.#channels.get(channel)?.();
    this.#channels.delete(channel);
    channel.close();
  }

  #unreachable(operation: string, reason: string): Failure {
    return new Failure('unreachable', operation, `no link to ${this.#address}: ${reason}`);
  }
}

interface BulkWorld {
  readonly clock: Clock;
  readonly log: Log;
  readonly service: Service;
}

/** The server's side of one transfer. Never rejects. */
export async function serveBulk(wire: MemoryWire, request: BulkRequest, world: BulkWorld): Promise<void> {
  const { service, log } = world;
  const operation = request.method === 'get' ? 'network.download' : 'network.upload';
  const channel = new Channel(wire, operation, world.clock);
  try {
    const peer = service.authenticate(request.credential);
    if (peer === undefined) {
      throw new Failure('not-authenticated', operation, 'the credential proves nobody here');
    }
    if (request.method === 'get') {
      await sendAll(channel, await service.download(peer, request.path, request.start));
    } else {
      await service.upload(peer, request.path, request.start, body(channel));
    }
    channel.send({ bulk: 'done' });
  } catch (error) {
    channel.send({ bulk: 'failed', failure: failureRecord(error, operation, log) });
  }
  channel.close();
}

/** Sends what `source` yields at the receiver's pace; false when the receiver has enough before the end. */
async function sendAll(channel: Channel, source: AsyncIterable<Uint8Array>): Promise<boolean> {
  const iterator = source[Symbol.asyncIterator]();
  const stop = (): void => void iterator.return?.().catch(() => undefined);
  let ahead = 0;
  try {
    for (;;) {
      // Also while the source is waited for, a receiver that hangs up ends it.
      const next = await channel.unlessFailed(iterator.next());
      if (next.done === true) return true;
      channel.send({ bulk: 'chunk', chunk: next.value });
      ahead += 1;
      for (; ahead >= window; ahead -= 1) {
        if ((await channel.receive()).bulk !== 'done') continue;
        stop();
        channel.unreceive({ bulk: 'done' });
        return false;
      }
    }
  } catch (error) {
    stop();
    throw error;
  }
}

async function* body(channel: Channel): AsyncGenerator<Uint8Array, void, undefined> {
  for (let message = await channel.receive(); message.bulk !== 'end'; message = await channel.receive()) {
    if (message.bulk !== 'chunk') continue;
    channel.send({ bulk: 'taken' });
    yield message.chunk;
  }
}

/** One end of a transfer's connection: messages to be waited for, with the idle timeout. */
class Channel implements WireEnd {
  readonly operation: string;
  readonly #wire: MemoryWire;
  readonly #clock: Clock;
  readonly #inbox: Message[] = [];
  #failure: Failure | undefined;
  readonly #failed: Promise<never>;
  #reject: (failure: Failure) => void = () => undefined;
  #wake: () => void = () => undefined;

  constructor(wire: MemoryWire, operation: string, clock: Clock) {
    this.#wire = wire;
    this.operation = operation;
    this.#clock = clock;
    this.#failed = new Promise((_resolve, reject) => {
      this.#reject = reject;
    });
    this.#failed.catch(() => undefined);
    wire.attach(this);
  }

  send(message: Message): void {
    this.#wire.send(encode(message));
  }

  /** The next message. @throws Failure what the peer told, timeout, unreachable, or what `fail` was given */
  async receive(limitMs: number = transferTiming.idleMs): Promise<Message> {
    while (this.#inbox.length === 0 && this.#failure === undefined) await this.#arrival(limitMs);
    const message = this.#inbox.shift();
    if (message?.bulk === 'failed') throw failureFrom(message.failure, this.operation);
    if (message !== undefined) return message;
    throw this.#failure ?? new Error('woken for nothing');
  }

  /** What `promise` comes to, unless the transfer fails before. */
  unlessFailed<T>(promise: Promise<T>): Promise<T> {
    return Promise.race([promise, this.#failed]);
  }

  unreceive(message: Message): void {
    this.#inbox.unshift(message);
  }

  /** Ends the transfer at this side; whoever waits gets `failure`. */
  fail(failure: Failure): void {
    this.#inbox.length = 0;
    this.#end(failure);
    this.close();
  }

  close(): void {
    this.#wire.close('the transfer has ended');
  }

  heard(): void {}

  received(message: Uint8Array): void {
    this.#inbox.push(decode(message) as Message);
    this.#wake();
  }

  broken(reason: string): void {
    this.#end(new Failure('unreachable', this.operation, `the connection broke: ${reason}`));
  }

  #end(failure: Failure): void {
    if (this.#failure !== undefined) return;
    this.#failure = failure;
    this.#reject(failure);
    this.#wake();
  }

  #arrival(limitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer: Timer = this.#clock.after(limitMs, () => {
        this.fail(new Failure('timeout', this.operation, 'the peer stood still: resume the transfer'));
      });
      this.#wake = () => {
        timer.cancel();
        resolve();
      };
    });
  }
}
