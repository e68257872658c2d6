/**
 * Writes an Answer to the wire: with its length where it is known, with back-pressure where it is streamed.
 */
import type { ServerResponse } from 'node:http';
import type { Answer } from './exchange.js';
import { reasonPhrase } from './status.js';

type Chunk = string | Uint8Array;

/**
 * Sends `answer`; resolves when all of it is with the socket or the client is gone.
 *
 * The first chunk of a streamed body is awaited before the head is sent, so that what fails at once is still
 * answered with its own status. What fails later cuts the connection: a short body must not look whole.
 * `beforeEnd` is awaited when a short answer is whole for the client, but before the connection may be
 * closed.
 * @throws what the body's iterable throws, before anything was sent (then the caller answers) or after (the
 *         connection is closed then, `response.headersSent` tells)
 */
export async function sendAnswer(
  response: ServerResponse,
  answer: Answer,
  beforeEnd?: () => Promise<void>,
): Promise<void> {
  const { status, headers = {}, body } = answer;
  if (body === undefined || typeof body === 'string' || body instanceof Uint8Array) {
    writeHead(response, answer, headers, body ?? '');
    const sent = isBodyless(response, status) ? '' : (body ?? '');
    if (beforeEnd === undefined) {
      response.end(sent);
      return;
    }
    if (sent.length === 0) response.flushHeaders();
    else response.write(sent);
    await beforeEnd();
    response.end();
    return;
  }
  const chunks = body[Symbol.asyncIterator]();
  try {
    let next = await chunks.next();
    response.writeHead(status, headers);
    while (next.done !== true) {
      if (!(await written(response, next.value))) return;
      next = await chunks.next();
    }
    response.end();
  } catch (error) {
    if (response.headersSent) response.destroy();
    throw error;
  } finally {
    await chunks.return?.();
  }
}

function writeHead(
  response: ServerResponse,
  answer: Answer,
  headers: Readonly<Record<string, string>>,
  body: Chunk,
): void {
  const { status } = answer;
  // RFC 7230 section 3.3.2: none in 1xx and 204; in 304 and to HEAD it would speak of the contents.
  const counts = !isBodyless(response, status) && headers['Content-Length'] === undefined;
  const length = typeof body === 'string' ? Buffer.byteLength(body) : body.length;
  const all = counts ? { ...headers, 'Content-Length': String(length) } : headers;
  const reason = reasonPhrase(answer);
  if (reason === undefined) response.writeHead(status, all);
  else response.writeHead(status, reason, all);
}

function isBodyless(response: ServerResponse, status: number): boolean {
  return response.req.method === 'HEAD' || status === 204 || status === 304;
}

/** Whether the client still listens, once there is room for more. */
async function written(response: ServerResponse, chunk: Chunk): Promise<boolean> {
  if (response.destroyed) return false;
  if (chunk.length === 0 || response.write(chunk)) return true;
  await new Promise<void>((resolve) => {
    const go = (): void => {
      response.off('drain', go);
      response.off('close', go);
      resolve();
    };
    response.on('drain', go);
    response.on('close', go);
  });
  return !response.destroyed;
}
