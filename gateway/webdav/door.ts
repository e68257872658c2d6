/**
 * One HTTP request from socket to socket: who asks, for what, the method, the answer, and the rest of the
 * body.
 *
 * DO-1  Nothing but an Answer or a closed connection leaves here: no error of a request reaches the host.
 * DO-2  `100 Continue` is sent when a method first reads the body, so after everything it refuses without it.
 * DO-3  What is left of a body is read and thrown away, up to `maxDrained` bytes: KIO and LibreOffice read an
 *       answer only after they have sent everything; a reset in between loses it.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import type { Authenticate } from '../access/basic-authentication.js';
import { answerAbove } from './above-share.js';
import { sendAnswer } from './answer.js';
import { clientOf } from './client.js';
import { ownRawPath } from './destination.js';
import { DavError, type Answer, type Client, type Method, type Share } from './exchange.js';
import { optionsAnswer } from './options.js';
import { belowPrefix, parsePath } from './path.js';
import { failureAnswer, statusOf } from './status.js';

/** Bytes of an unwanted body that are read before the connection is cut. */
const maxDrained = 256 * 1024 * 1024;
/** Milliseconds that a client, told no instead of 100 Continue, has to read that. */
const lingerMs = 2000;

export interface DoorOptions {
  readonly share: Share;
  readonly authenticate: Authenticate;
  /** Runs the method of an exchange. */
  readonly dispatch: Method;
  /** Called when a method starts to work on `request` and when its answer is there. */
  readonly onWork: (request: IncomingMessage, isWorking: boolean) => void;
  /** Called once for each answer. */
  readonly onAnswer?: (method: string, status: number, seconds: number) => void;
}

export interface Arrival {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Whether the client waits for `100 Continue`. */
  readonly expectsContinue: boolean;
}

export type Door = (arrival: Arrival) => Promise<void>;

export function createDoor(options: DoorOptions): Door {
  const { share, onWork, onAnswer } = options;
  return async (arrival) => {
    const { request, response } = arrival;
    const method = request.method ?? '';
    const client = clientOf(request.headers['user-agent']);
    const started = share.clock.monotonic();
    const state = { continued: !arrival.expectsContinue };
    // A connection that breaks is seen where the body is read; here it must only not count as unhandled.
    request.on('error', () => undefined);
    let answer: Answer;
    onWork(request, true);
    try {
      answer = await answerOf(options, arrival, client, state);
    } catch (error) {
      answer = explained(share, error, method, client);
    }
    onWork(request, false);
    try {
      await send(share, arrival, answer, state.continued);
    } catch (error) {
      answer = explained(share, error, method, client);
      if (!response.headersSent) await send(share, arrival, answer, state.continued);
    }
    drain(request, response);
    onAnswer?.(method, answer.status, (share.clock.monotonic() - started) / 1000);
  };
}

async function answerOf(
  { share, authenticate, dispatch }: DoorOptions,
  { request, response, expectsContinue }: Arrival,
  client: Client,
  state: { continued: boolean },
): Promise<Answer> {
  const { method = '', headers } = request;
  if (request.url === '*') return optionsOfServer(method);
  // RFC 7230 section 5.3: an absolute path, or an absolute URI of this gateway.
  const requested = parsePath(ownRawPath(share, request.url ?? '', headers.host));
  const target = belowPrefix(share.prefix, requested);
  if (target === undefined) {
    const depth = headers['depth'];
    return answerAbove(share.prefix, method, requested.path, typeof depth === 'string' ? depth : undefined);
  }
  const login = await authenticate(headers.authorization, request.socket.remoteAddress ?? '');
  if (!('user' in login)) return refusal(login.status, login.headers);
  const body = expectsContinue ? continuing(request, response, state) : request;
  return dispatch({ method, headers, ...target, body, caller: { user: login.user }, client, share });
}

function optionsOfServer(method: string): Answer {
  if (method !== 'OPTIONS') throw new DavError(400, '* is a target for OPTIONS only');
  return optionsAnswer;
}

function refusal(status: 401 | 429 | 503, headers: Readonly<Record<string, string>>): Answer {
  const body = {
    401: 'This share needs a user name and a password\n',
    429: 'Too many attempts with a wrong password; try again later\n',
    503: 'Too many people are logging in; try again\n',
  }[status];
  return { status, headers: { ...headers, 'Content-Type': 'text/plain; charset=utf-8' }, body };
}

/** The body of a request that waits for permission to send it. */
function continuing(
  request: IncomingMessage,
  response: ServerResponse,
  state: { continued: boolean },
): Readable {
  async function* body(): AsyncIterable<Buffer> {
    state.continued = true;
    response.writeContinue();
    yield* request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
  }
  return Readable.from(body(), { objectMode: false });
}

/** An answer for what a method threw; what no client has caused is logged with its stack. */
function explained(share: Share, error: unknown, method: string, client: Client): Answer {
  const status = statusOf(error);
  if (status === undefined) {
    share.log.error('request failed', {
      method,
      error: error instanceof Error ? error.stack : String(error),
    });
  } else if (status >= 500 && error instanceof Error) {
    share.log.warn('request refused', { method, status, reason: error.message });
  }
  return failureAnswer(error, method, client);
}

async function send(
  share: Share,
  { request, response }: Arrival,
  answer: Answer,
  continued: boolean,
): Promise<void> {
  if (continued) return sendAnswer(response, answer);
  // RFC 7231 section 5.1.1: the client may send the body or not, so where the next request begins is not
  // known.
  response.shouldKeepAlive = false;
  await sendAnswer(response, answer, () => lingering(share, request));
}

/** Reads what a client sends although it was told no, until it has sent all or hangs up, but not for ever. */
function lingering({ clock }: Share, request: IncomingMessage): Promise<void> {
  return new Promise((resolve) => {
    const timer = clock.after(lingerMs, resolve);
    const end = (): void => {
      timer.cancel();
      resolve();
    };
    request.once('end', end).once('close', end).resume();
  });
}

/** After the answer is out: Node itself reads on from then, without a bound. */
function drain(request: IncomingMessage, response: ServerResponse): void {
  if (request.complete || request.destroyed) return;
  const watch = (): void => {
    let drained = 0;
    request.on('data', (chunk: Buffer) => {
      drained += chunk.length;
      if (drained > maxDrained) request.destroy();
    });
    request.resume();
  };
  if (response.writableFinished) watch();
  else response.once('finish', watch);
}
