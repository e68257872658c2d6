/** Bulk transfers at the client: HTTP beside the link, on connections that are kept alive. */
import { Readable } from 'node:stream';
import { Pool, type Dispatcher } from 'undici';
import { Failure, isFailure } from '../../interface/index.js';
import type { Clock } from '../clock.js';
import { transferTiming } from '../link-bounds.js';
import { cancelled, failureFrom } from '../link-failure.js';
import { linkTiming } from '../network.js';
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

export class BulkClient {
  readonly #pool: Pool;
  readonly #origin: string;
  readonly #credential: string;
  readonly #clock: Clock;
  readonly #transfers = new Set<Transfer>();
  #closeReason: string | undefined;

  constructor(origin: string, credential: string, clock: Clock) {
    this.#origin = origin;
    this.#credential = credential;
    this.#clock = clock;
    // The two idle timeouts are ours, by the seam's clock; undici's own are switched off.
    this.#pool = new Pool(origin, {
      connections: bulkBounds.connections,
      pipelining: 1,
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: 30_000,
      connect: { timeout: linkTiming.dialMs },
    });
  }

  /** @throws what Link.download throws */
  async download(path: string, start: number, signal?: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
    const transfer = this.#begin('network.download', signal);
    try {
      const response = await this.#request(transfer, { method: 'GET', path: bulkTarget(path, start) });
      // Also for a caller that never reads: the error is nobody's surprise, and the transfer is over.
      response.body.on('error', () => undefined).once('close', () => void this.#ended(transfer, undefined));
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
    let outcome: unknown;
    try {
      const body = Readable.from(sending(source, transfer), { highWaterMark: 1 });
      const response = await this.#request(transfer, { method: 'PUT', path: bulkTarget(path, start), body });
      await response.body.dump();
    } catch (error) {
      outcome = error;
    }
    const failure = this.#ended(transfer, outcome);
    if (outcome !== undefined) throw failure;
  }

  /** Every transfer fails with `unreachable`: the link beside which they run is gone. */
  close(reason: string): void {
    this.#closeReason = reason;
    for (const transfer of [...this.#transfers]) {
      transfer.abort(new Failure('unreachable', transfer.operation, `no link to ${this.#origin}: ${reason}`));
    }
    void this.#pool.destroy();
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

  /** The successful response, or the server's refusal thrown. */
  async #request(
    transfer: Transfer,
    what: Pick<Dispatcher.RequestOptions, 'method' | 'path' | 'body'>,
  ): Promise<Dispatcher.ResponseData> {
    if (what.body === undefined) transfer.idle.waiting();
    const response = await this.#pool.request({
      ...what,
      headers: { authorization: `Bearer ${this.#credential}` },
      signal: transfer.signal,
    });
    transfer.idle.stop();
    if (response.statusCode === 200) return response;
    throw await refusal(response, transfer.operation);
  }

  async *#bytes(
    transfer: Transfer,
    response: Dispatcher.ResponseData,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    let failure: unknown;
    try {
      transfer.idle.waiting();
      for await (const chunk of response.body) {
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
  readonly #controller = new AbortController();
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

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  abort(failure: Failure): void {
    this.failure ??= failure;
    this.#controller.abort(failure);
  }

  end(): void {
    this.idle.end();
    this.#stopListening();
  }
}

/** The body of an upload. The server is waited for while it takes a chunk, the source as long as it likes. */
async function* sending(
  source: AsyncIterable<Uint8Array>,
  transfer: Transfer,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    for await (const chunk of source) {
      transfer.idle.waiting();
      yield chunk;
      transfer.idle.stop();
    }
  } catch (error) {
    transfer.sourceError = error;
    throw error;
  }
  transfer.idle.waiting(transferTiming.outcomeMs);
}

async function refusal(response: Dispatcher.ResponseData, operation: string): Promise<Failure> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body) {
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
