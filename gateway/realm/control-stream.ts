/**
 * Bytes through a control door, in both directions: in order, as fast as the slower side, never kept as a whole.
 *
 * CS-1  A stream that is not known to be whole is an error on both sides: what was sent ends with a trailer that
 *       says so, or with why not; what was received broke off, or nothing came for too long.
 */
import { once } from 'node:events';
import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../../vice/seam/clock.js';
import { messageOf, OperatorError } from '../config/operator-error.js';

/** An answer that is bytes instead of a JSON value. */
export class ByteAnswer {
  readonly bytes: AsyncIterable<Uint8Array>;

  constructor(bytes: AsyncIterable<Uint8Array>) {
    this.bytes = bytes;
  }
}

/** Nothing came for so long: the other side is stuck, or stopped. */
export const silenceMs = 120_000;
const jsonBytes = 8 * 1024 * 1024;
const trailer = 'coda-end';
const whole = 'whole';

/** What comes with a request or a reply. It is iterated at most once; `drain` may follow. */
export class Body implements AsyncIterable<Uint8Array> {
  readonly #message: IncomingMessage;
  readonly #iterator: AsyncIterator<Buffer>;
  readonly #clock: Clock;

  constructor(message: IncomingMessage, clock: Clock) {
    this.#message = message;
    this.#iterator = message[Symbol.asyncIterator]();
    this.#clock = clock;
  }

  /** @throws OperatorError unreachable when the stream breaks off or falls silent */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    // The message's own iterator is not closed when the reader stops early: that would cut the connection.
    for (let chunk = await this.#next(); chunk !== undefined; chunk = await this.#next()) yield chunk;
  }

  /** Reads and forgets what is left, however it ends. */
  async drain(): Promise<void> {
    try {
      while ((await this.#next()) !== undefined);
    } catch {
      // It broke off: nothing is left.
    }
  }

  /** The JSON value that is the whole body; undefined for an empty one. @throws OperatorError usage */
  async json(): Promise<unknown> {
    const chunks: Uint8Array[] = [];
    let length = 0;
    for await (const chunk of this) {
      length += chunk.length;
      if (length > jsonBytes)
        throw new OperatorError('usage', `More than ${jsonBytes} bytes were asked at once.`);
      chunks.push(chunk);
    }
    if (length === 0) return undefined;
    try {
      return JSON.parse(Buffer.concat(chunks).toString()) as unknown;
    } catch (cause) {
      throw new OperatorError('usage', 'The order is no JSON.', { cause });
    }
  }

  async #next(): Promise<Buffer | undefined> {
    const silence = new Error(`nothing came for ${silenceMs / 1000} seconds`);
    const timer = this.#clock.after(silenceMs, () => this.#message.destroy(silence));
    try {
      const { value, done } = await this.#iterator.next();
      return done === true ? undefined : value;
    } catch (cause) {
      throw new OperatorError('unreachable', `The stream broke off (${messageOf(cause)}).`, { cause });
    } finally {
      timer.cancel();
    }
  }
}

/**
 * Sends `answer` and how it ended.
 * @throws what its first chunk failed with; then nothing has been sent yet
 */
export async function sendBytes(outgoing: ServerResponse, { bytes }: ByteAnswer): Promise<void> {
  const iterator = bytes[Symbol.asyncIterator]();
  let next = await iterator.next();
  const head = { 'content-type': 'application/octet-stream', trailer, connection: 'close' };
  outgoing.writeHead(200, head);
  let end = whole;
  try {
    for (; next.done !== true; next = await iterator.next()) {
      if (!outgoing.destroyed && !outgoing.write(next.value)) await drained(outgoing);
      if (outgoing.destroyed) throw new Error('whoever asked has gone');
    }
  } catch (error) {
    if (outgoing.destroyed) await iterator.return?.().catch(() => undefined);
    // Trailers are Latin-1 lines.
    end = encodeURIComponent(messageOf(error));
  }
  outgoing.addTrailers({ [trailer]: end });
  outgoing.end();
}

/** After the last chunk of an answer: was it the last? @throws OperatorError */
export function requireWhole(answer: IncomingMessage): void {
  const end = answer.trailers[trailer];
  if (end === whole) return;
  if (end === undefined) throw new OperatorError('unreachable', 'The answer broke off before its end.');
  throw new OperatorError('refused', decodeURIComponent(end));
}

/** Sends `bytes` as the body of `request` until they end or it has been answered; then nobody reads them. */
export async function sendBody(
  request: ClientRequest,
  bytes: AsyncIterable<Uint8Array>,
  answered: () => boolean,
): Promise<void> {
  try {
    for await (const chunk of bytes) {
      if (answered() || request.destroyed) break;
      if (!request.write(chunk)) await drained(request);
    }
  } catch (error) {
    // Without the end of its body the other side knows that it is not whole.
    request.destroy();
    throw error;
  }
  request.end();
}

/** Resolves when more may be written, also when nobody will read it any more. */
async function drained(stream: NodeJS.EventEmitter): Promise<void> {
  const either = new AbortController();
  const { signal } = either;
  const ignore = (): undefined => undefined;
  const gone = ['close', 'response'].map((event) => once(stream, event, { signal }).catch(ignore));
  await Promise.race([once(stream, 'drain', { signal }).catch(ignore), ...gone]);
  either.abort();
}
