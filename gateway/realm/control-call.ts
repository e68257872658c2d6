/** The asking side of a control door: where one is, how it is asked, whether anybody is still behind it. */
import { request, type ClientRequest, type IncomingMessage } from 'node:http';
import { z } from 'zod';
import type { Clock } from '../../vice/seam/clock.js';
import { messageOf, OperatorError, systemCode } from '../config/operator-error.js';
import { Body, requireWhole, sendBody, silenceMs } from './control-stream.js';
import { readIfThere } from './whole-file.js';

const controlSchema = z.object({
  pid: z.number().int(),
  port: z.number().int(),
  token: z.string(),
});

/** Where a process answers, and the secret that opens the door. */
export type Control = z.infer<typeof controlSchema>;

const pingSchema = z.object({ result: z.object({ standing: z.enum(['claiming', 'holding']) }) });

/** Towards its folder: a process wants it, has it, or is no more. */
export type Standing = z.infer<typeof pingSchema>['result']['standing'];

export interface Reply {
  readonly status: number;
  /** Undefined when it is no JSON. */
  readonly body: unknown;
}

const pingTimeoutMs = 2_000;
const replyBytes = 4 * 1024 * 1024;

/** Undefined when there is no such file, or a torn one. @throws OperatorError refused: it cannot be read */
export async function readControl(file: string): Promise<Control | undefined> {
  const text = await readIfThere(file).catch((cause: unknown) => {
    throw new OperatorError('refused', `${file} cannot be read: ${messageOf(cause)}`, { cause });
  });
  if (text === undefined) return undefined;
  try {
    return controlSchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/**
 * Whether the process behind `control` lives. Its port dies with it, and another's that has the number now
 * does not know the token: so no process id, which may be another process' by now, has to be trusted.
 */
export async function standingOf(control: Control): Promise<Standing | 'dead'> {
  try {
    const { status, body } = await ask(control, 'GET', '/ping', pingTimeoutMs);
    const ping = pingSchema.safeParse(body);
    return status === 200 && ping.success ? ping.data.result.standing : 'dead';
  } catch (error) {
    // A stopped or overloaded process does not answer but lives; only a closed port proves the contrary.
    return systemCode(error) === 'ECONNREFUSED' ? 'dead' : 'holding';
  }
}

/** @throws Error of the connection, or when `timeoutMs` have passed */
export async function ask(
  control: Control,
  method: string,
  path: string,
  timeoutMs: number,
  body?: unknown,
): Promise<Reply> {
  const outgoing = start(control, method, path, AbortSignal.timeout(timeoutMs));
  const answer = answerTo(outgoing);
  outgoing.end(body === undefined ? undefined : JSON.stringify(body));
  return replyOf(await answer);
}

/** What a streaming answer is: the reply that refuses it, or its bytes. */
export type Download = { readonly refused: Reply } | { readonly bytes: AsyncIterable<Uint8Array> };

/** @throws Error of the connection; the bytes throw OperatorError when they are not whole */
export async function download(
  control: Control,
  path: string,
  body: unknown,
  clock: Clock,
): Promise<Download> {
  const outgoing = start(control, 'POST', path);
  const answer = answerTo(outgoing);
  outgoing.end(JSON.stringify(body));
  const incoming = await answer;
  const isBytes = incoming.headers['content-type'] === 'application/octet-stream';
  return isBytes ? { bytes: bytesOf(incoming, clock) } : { refused: await replyOf(incoming) };
}

/** @throws Error of the connection, or what `bytes` fail with; then the other side knows that it is not whole */
export async function upload(
  control: Control,
  path: string,
  bytes: AsyncIterable<Uint8Array>,
): Promise<Reply> {
  const outgoing = start(control, 'POST', path);
  const answer = answerTo(outgoing);
  let answered = false;
  const settled = (): void => {
    answered = true;
  };
  answer.then(settled, settled);
  await sendBody(outgoing, bytes, () => answered);
  return replyOf(await answer);
}

function start(control: Control, method: string, path: string, signal?: AbortSignal): ClientRequest {
  const { port, token } = control;
  const headers = { authorization: `Bearer ${token}` };
  const options = { host: '127.0.0.1', port, method, path, agent: false, headers };
  const outgoing = request(signal === undefined ? options : { ...options, signal });
  // While it works, the other side says so from time to time (control-door.ts).
  const silence = new Error(`it was silent for ${silenceMs / 1000} seconds`);
  outgoing.setTimeout(silenceMs, () => outgoing.destroy(silence));
  return outgoing;
}

function answerTo(outgoing: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    outgoing.on('response', resolve);
    outgoing.on('error', reject);
  });
}

async function replyOf(incoming: IncomingMessage): Promise<Reply> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > replyBytes) throw new Error('the answer is too long');
    chunks.push(chunk);
  }
  return { status: incoming.statusCode ?? 0, body: parseJson(Buffer.concat(chunks).toString()) };
}

async function* bytesOf(incoming: IncomingMessage, clock: Clock): AsyncGenerator<Uint8Array> {
  try {
    yield* new Body(incoming, clock);
    requireWhole(incoming);
  } finally {
    incoming.destroy();
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
