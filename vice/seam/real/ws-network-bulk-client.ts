/**
 * Bulk transfers at the client: HTTP beside the link, on connections that are kept alive.
 *
 * Node's own client: undici's parser is WebAssembly, which V8 compiles at the first answer; that takes 35 MiB for the
 * moment and keeps 10 of them.
 */
import { Agent, request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import { Agent as SecureAgent, request as httpsRequest } from 'node:https';
import type { ConnectionOptions } from 'node:tls';
import { Failure, isFailure } from '../../interface/index.js';
import type { Clock } from '../clock.js';
import { transferTiming } from '../link-bounds.js';
import { cancelled, failureFrom } from '../link-failure.js';
import { bulkTarget } from './ws-network-address.js';
import { failureTrailer } from './ws-network-bulk-server.js';
import { IdleWatch } from './ws-network-idle.js';

export const bulkBounds = {
  /** Connections of one link; further transfers wait for one. */
  connections: 64,
  /** Transfers under way or waiting; further ones fail with `busy`. */
  transfers: 256,
  /** Bytes of a refusal that are read. */
  refusalBytes: 64 * 1024,
} as const;

/** Milliseconds that a connection is kept for the next transfer: the server keeps it longer. */
const keptMs = 30_000;

export class BulkClient {
  readonly #agent: Agent;
  readonly #secure: boolean;
  readonly #origin: string;
  readonly #credential: () => string;
  readonly #clock: Clock;
  readonly #trust: () => ConnectionOptions;
  readonly #transfers = new Set<Transfer>();
  #closeReason: string | undefined;

  /** `trust`: options of new connections, asked for each; connections of other options are not used again. */
  constructor(origin: string, credential: () => string, clock: Clock, trust: () => ConnectionOptions) {
    this.#origin = origin;
    this.#credential = credential;
    this.#clock = clock;
    this.#trust = trust;
    this.#secure = origin.startsWith('https:');
    const kept = { keepAlive: true, maxSockets: bulkBounds.connections, timeout: keptMs, noDelay: true };
    // As the server's sockets: with the default a download stops and goes for every chunk.
    const options = { ...kept, readableHighWaterMark: 256 * 1024 };
    // A TLS session taken up again would not be checked again.
    this.#agent = this.#secure ? new SecureAgent({ ...options, maxCachedSessions: 0 }) : new Agent(options);
  }

  /** @throws what Link.download throws */
  async download(path: string, start: number, signal?: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
    const transfer = this.#begin('network.download', signal);
    try {
      transfer.idle.waiting();
      const request = this.#request(transfer, 'GET', bulkTarget(path, start)).end();
      const response = await accepted(transfer, request);
      response.once('end', () => transfer.leaveConnection());
      // Also for a caller that never reads: the error is nobody's surprise, and the transfer is over.
      response.on('error', () => undefined).once('close', () => void this.#ended(transfer, undefined));
      return this.#bytes(transfer, response);
    } catch (error) {
      throw this.#ended(transfer, error);
    }
  }

  /** @throws what Link.upload throws, or what `source` throws */
  async upload(
    path: string,
    start: number,
    source: AsyncIterable<Uint8Array>,
    signal?: AbortSignal,
  ): Promise<void> {
    const transfer = this.#begin('network.upload', signal);
    const request = this.#request(transfer, 'PUT', bulkTarget(path, start));
    let outcome: unknown;
    try {
      const response = await accepted(transfer, request, send(source, request, transfer));
      await response.forEach(() => undefined);
    } catch (error) {
      outcome = error;
    }
    // The server has refused it, or has had enough: the rest is not sent.
    if (!request.writableEnded) request.destroy();
    const failure = this.#ended(transfer, outcome);
    if (outcome !== undefined) throw failure;
  }

  /** Every transfer fails with `unreachable`: the link beside which they run is gone. */
  close(reason: string): void {
    this.#closeReason = reason;
    for (const transfer of [...this.#transfers]) {
      transfer.abort(new Failure('unreachable', transfer.operation, `no link to ${this.#origin}: ${reason}`));
    }
    this.#agent.destroy();
  }

  #begin(operation: string, signal: AbortSignal | undefined): Transfer {
    if (signal?.aborted === true) throw cancelled(signal, operation);
    if (this.#closeReason !== undefined) {
      throw new Failure('unreachable', operation, `no link to ${this.#origin}: ${this.#closeReason}`);
    }
    if (this.#transfers.size >= bulkBounds.transfers) {
      throw new Failure('busy', operation, `${bulkBounds.transfers} transfers are under way: try again`);
    }
    const transfer = new Transfer(operation, this.#clock, signal);
    this.#transfers.add(transfer);
    return transfer;
  }

  #request(transfer: Transfer, method: string, path: string): ClientRequest {
    const request = (this.#secure ? httpsRequest : httpRequest)(this.#origin, {
      ...this.#trust(),
      method,
      path,
      agent: this.#agent,
      headers: { authorization: `Bearer ${this.#credential()}` },
    });
    transfer.begin(request);
    // Whoever waits for the response hears of it; afterwards it is of no interest.
    return request.on('error', () => undefined);
  }

  async *#bytes(transfer: Transfer, response: IncomingMessage): AsyncGenerator<Uint8Array, void, undefined> {
    let failure: unknown;
    try {
      transfer.idle.waiting();
      for await (const chunk of response) {
        transfer.idle.stop();
        yield chunk as Uint8Array;
        transfer.idle.waiting();
      }
      const told = response.trailers[failureTrailer];
      if (told !== undefined) {
        failure = failureFrom(parseJson(Buffer.from(told, 'base64')), transfer.operation);
      }
    } catch (error) {
      failure = error;
    } finally {
      const ended = this.#ended(transfer, failure);
      if (failure !== undefined) throw ended;
    }
  }

  /** Ends a transfer; says what `error` was in the words of the contract. */
  #ended(transfer: Transfer, error: unknown): unknown {
    this.#transfers.delete(transfer);
    transfer.end();
    if (transfer.failure !== undefined) return transfer.failure;
    if (isFailure(error) || error === transfer.sourceError) return error;
    const why = error instanceof Error ? error.message : String(error);
    const message = `the connection to ${this.#origin} broke: ${why}`;
    return new Failure('unreachable', transfer.operation, message, { cause: error });
  }
}

/** One transfer under way, and everything that may end it. */
class Transfer {
  readonly operation: string;
  readonly idle: IdleWatch;
  /** Why this side ended it, if it did. */
  failure: Failure | undefined;
  /** What the source of an upload threw. */
  sourceError: unknown;
  #request: ClientRequest | undefined;
  readonly #stopListening: () => void;

  constructor(operation: string, clock: Clock, signal: AbortSignal | undefined) {
    this.operation = operation;
    this.idle = new IdleWatch(clock, () => {
      this.abort(new Failure('timeout', operation, 'the server stood still: resume the transfer'));
    });
    const abort = (): void => {
      if (signal !== undefined) this.abort(cancelled(signal, operation));
    };
    signal?.addEventListener('abort', abort, { once: true });
    this.#stopListening = () => signal?.removeEventListener('abort', abort);
  }

  /**
   * `request` is ended with the transfer. (Not by its option `signal`: an agent gives that to the connection, which
   * outlives the request, and whose end would then be another's; or nobody's, and that of the process.)
   */
  begin(request: ClientRequest): void {
    this.#request = request;
    if (this.failure !== undefined) request.destroy();
  }

  abort(failure: Failure): void {
    this.failure ??= failure;
    // Without an error: the response may end in this moment, and then nobody listens to the connection.
    this.#request?.destroy();
  }

  /** All has come: the connection is another's. */
  leaveConnection(): void {
    this.#request = undefined;
  }

  end(): void {
    this.idle.end();
    this.#stopListening();
  }
}

/** The successful response to `request`. @throws the server's refusal, or what ended the request or `sent` */
async function accepted(
  transfer: Transfer,
  request: ClientRequest,
  sent?: Promise<void>,
): Promise<IncomingMessage> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request.once('response', resolve).once('error', reject);
    sent?.catch(reject);
  });
  transfer.idle.stop();
  if (response.statusCode === 200) return response;
  throw await refusal(response, transfer.operation);
}

/**
 * Sends `source` as the body of `request`, until the response comes. The server is waited for while it takes a chunk,
 * the source as long as it likes. @throws what the source throws
 */
async function send(
  source: AsyncIterable<Uint8Array>,
  request: ClientRequest,
  transfer: Transfer,
): Promise<void> {
  const { idle } = transfer;
  let isOver = false;
  request.once('response', () => (isOver = true)).once('close', () => (isOver = true));
  await connection(request);
  try {
    for await (const chunk of source) {
      if (isOver) return;
      idle.waiting();
      if (!request.write(chunk)) await drained(request);
      if (isOver) return;
      idle.stop();
    }
  } catch (error) {
    transfer.sourceError = error;
    request.destroy();
    throw error;
  }
  if (isOver) return;
  idle.waiting(transferTiming.outcomeMs);
  request.end();
}

/** Resolves when `request` has a connection of its own, or is over. */
function connection(request: ClientRequest): Promise<void> {
  return new Promise((resolve) => {
    request.once('socket', () => resolve()).once('close', () => resolve());
  });
}

/** Resolves when more can be written, or nothing need be any more. */
function drained(request: ClientRequest): Promise<void> {
  return new Promise((resolve) => {
    const go = (): void => {
      request.off('drain', go).off('response', go).off('close', go);
      resolve();
    };
    request.on('drain', go).on('response', go).on('close', go);
  });
}

async function refusal(response: IncomingMessage, operation: string): Promise<Failure> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response) {
    chunks.push(chunk as Uint8Array);
    bytes += (chunk as Uint8Array).length;
    if (bytes > bulkBounds.refusalBytes) break;
  }
  return failureFrom(parseJson(Buffer.concat(chunks)), operation);
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString()) as unknown;
  } catch {
    return undefined;
  }
}
