/**
 * How a command speaks to a running process of ours.
 *
 * A running realm, server or gateway answers small JSON requests over HTTP on a loopback port of its own; some
 * take or give a stream of bytes instead (control-stream.ts).
 * Port and secret token stand in `control.json` (mode 0600) in its data folder: who can read it may command.
 * (A Unix socket would be simpler, but its path must be shorter than about 107 bytes.)
 */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { z } from 'zod';
import { isFailure } from '../../vice/interface/index.js';
import type { Clock, Timer } from '../../vice/seam/clock.js';
import { commandName, shellQuoted } from '../config/command-name.js';
import { messageOf, OperatorError, systemCode, type OperatorErrorKind } from '../config/operator-error.js';
import {
  ask,
  download,
  readControl,
  standingOf,
  upload,
  type Control,
  type Reply,
  type Standing,
} from './control-call.js';
import { Body, ByteAnswer, sendBytes } from './control-stream.js';
import { claimFolder } from './folder-claim.js';
import { writeWhole } from './whole-file.js';

const replySchema = z.union([
  z.object({ result: z.unknown() }),
  z.object({ error: z.object({ kind: z.enum(['usage', 'unreachable', 'refused']), message: z.string() }) }),
]);

/** Longer than the longest that anybody rightly waits for: a server's start. */
const answerTimeoutMs = 70_000;

/** Whoever asks learns so often that an answer is being worked on. */
const processingMs = 10_000;

/**
 * What a door answers to `METHOD /path`: a JSON value or a ByteAnswer; undefined: no such thing. Expected failures
 * are OperatorErrors or Failures.
 */
export type Answer = (method: string, path: string, body: Body) => Promise<unknown>;

export interface ControlDoor {
  /** Gives the folder free. Idempotent. */
  close(): Promise<void>;
}

/**
 * Claims `folder` for this process and answers there. Waits `patienceMs` for a process that is just ending.
 * @throws OperatorError refused when another process has the folder
 */
export async function openControlDoor(
  folder: string,
  answer: Answer,
  clock: Clock,
  patienceMs: number,
): Promise<ControlDoor> {
  const token = randomBytes(24).toString('base64url');
  let standing: Standing = 'claiming';
  const server = createServer((incoming, outgoing) => {
    const asked = { incoming, outgoing, token, standing };
    void serve(asked, answer, clock);
  });
  // An archive takes as long as it takes; silence is noticed by Body.
  server.requestTimeout = 0;
  const control: Control = { pid: process.pid, port: await listenOnLoopback(server), token };
  const file = join(folder, 'control.json');
  try {
    const release = await claimFolder(folder, control, clock, patienceMs);
    standing = 'holding';
    await writeWhole(file, JSON.stringify(control), 0o600);
    return {
      async close() {
        if ((await readControl(file))?.token === token) await rm(file, { force: true });
        await release();
        server.close();
        server.closeAllConnections();
      },
    };
  } catch (error) {
    server.close();
    throw error;
  }
}

/** Whether a living process has `folder`. */
export async function isClaimed(folder: string): Promise<boolean> {
  const control = await readControl(join(folder, 'control.json'));
  return control !== undefined && (await standingOf(control)) !== 'dead';
}

/**
 * Asks the process that has `folder`; `body` goes along as JSON.
 * @throws OperatorError unreachable when there is none, or what it answered
 */
export async function callControlDoor(
  folder: string,
  method: string,
  path: string,
  body?: unknown,
): Promise<unknown> {
  const control = await controlOf(folder);
  const reply = ask(control, method, path, answerTimeoutMs, body);
  return resultOf(
    folder,
    `${method} ${path}`,
    await reply.catch((error: unknown) => silent(folder, control, error)),
  );
}

/**
 * The bytes that the process that has `folder` answers to `POST path`.
 * @throws OperatorError as callControlDoor; while reading, when they are not whole
 */
export async function downloadFromDoor(
  folder: string,
  path: string,
  body: unknown,
  clock: Clock,
): Promise<AsyncIterable<Uint8Array>> {
  const control = await controlOf(folder);
  const answer = await download(control, path, body, clock).catch((error: unknown) =>
    silent(folder, control, error),
  );
  if ('bytes' in answer) return answer.bytes;
  resultOf(folder, `POST ${path}`, answer.refused);
  throw new Error(`${folder} answered POST ${path} without bytes`);
}

/** Sends `bytes` with `POST path`. @throws OperatorError as callControlDoor, or what `bytes` fail with */
export async function uploadToDoor(
  folder: string,
  path: string,
  bytes: AsyncIterable<Uint8Array>,
): Promise<unknown> {
  const control = await controlOf(folder);
  let broken: { readonly why: unknown } | undefined;
  const watched = async function* (): AsyncGenerator<Uint8Array> {
    try {
      yield* bytes;
    } catch (why) {
      broken = { why };
      throw why;
    }
  };
  const reply = await upload(control, path, watched()).catch((error: unknown) => {
    if (broken !== undefined) throw broken.why;
    return silent(folder, control, error);
  });
  return resultOf(folder, `POST ${path}`, reply);
}

async function controlOf(folder: string): Promise<Control> {
  const control = await readControl(join(folder, 'control.json'));
  if (control === undefined) throw nothingRuns(folder);
  return control;
}

function nothingRuns(folder: string, cause?: unknown): OperatorError {
  const start = `${commandName()} up --data ${shellQuoted(folder)}`;
  return new OperatorError('unreachable', `Nothing is running on ${folder}. Start it with: ${start}`, {
    cause,
  });
}

function silent(folder: string, { pid }: Control, cause: unknown): never {
  if (systemCode(cause) === 'ECONNREFUSED') throw nothingRuns(folder, cause);
  const message = `The process ${pid} that has ${folder} does not answer (${messageOf(cause)}).`;
  throw new OperatorError('unreachable', message, { cause });
}

function resultOf(folder: string, what: string, reply: Reply): unknown {
  if (reply.status === 401) throw nothingRuns(folder);
  const parsed = replySchema.safeParse(reply.body);
  if (!parsed.success) throw new Error(`${folder} answered ${what} with something unknown`);
  if ('error' in parsed.data) throw new OperatorError(parsed.data.error.kind, parsed.data.error.message);
  return parsed.data.result;
}

interface Asked {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
  readonly token: string;
  readonly standing: Standing;
}

async function serve(
  { incoming, outgoing, token, standing }: Asked,
  answer: Answer,
  clock: Clock,
): Promise<void> {
  const body = new Body(incoming, clock);
  const reply = async (status: number, value: object): Promise<void> => {
    outgoing.writeHead(status, { 'content-type': 'application/json', connection: 'close' });
    outgoing.write(JSON.stringify(value));
    // The end cuts the connection; whoever still sends would be cut off before it has read this.
    await body.drain();
    outgoing.end();
  };
  if (!authorized(incoming.headers.authorization ?? '', token)) {
    return reply(401, { error: { kind: 'refused', message: 'wrong token' } });
  }
  const { method = 'GET', url: path = '/' } = incoming;
  if (path === '/ping') return reply(200, { result: { standing } });
  const working = stillWorking(outgoing, clock);
  try {
    const result = await answer(method, path, body);
    if (result === undefined) throw new OperatorError('refused', `There is no ${method} ${path} here.`);
    if (result instanceof ByteAnswer) await sendBytes(outgoing, result);
    else await reply(200, { result });
  } catch (error) {
    await reply(409, { error: { kind: kindOf(error), message: messageOf(error) } });
  } finally {
    working.cancel();
  }
}

function kindOf(error: unknown): OperatorErrorKind {
  if (error instanceof OperatorError) return error.kind;
  return isFailure(error, 'unreachable') ? 'unreachable' : 'refused';
}

/** Says from time to time, until the answer begins, that there will be one. */
function stillWorking(outgoing: ServerResponse, clock: Clock): Timer {
  let timer: Timer | undefined;
  const next = (): void => {
    timer = clock.after(processingMs, () => {
      if (outgoing.headersSent || outgoing.destroyed) return;
      outgoing.writeProcessing();
      next();
    });
  };
  next();
  return { cancel: () => timer?.cancel() };
}

function authorized(header: string, token: string): boolean {
  const given = Buffer.from(header);
  const expected = Buffer.from(`Bearer ${token}`);
  return given.length === expected.length && timingSafeEqual(given, expected);
}

function listenOnLoopback(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      if (address === null || typeof address === 'string') return reject(new Error('no port'));
      resolve(address.port);
    });
  });
}
