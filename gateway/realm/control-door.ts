/**
 * How a command speaks to a running process of ours.
 *
 * A running realm, server or gateway answers small JSON requests over HTTP on a loopback port of its own.
 * Port and secret token stand in `control.json` (mode 0600) in its data folder: who can read it may command.
 * (A Unix socket would be simpler, but its path must be shorter than about 107 bytes.)
 */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { z } from 'zod';
import type { Clock } from '../../vice/seam/clock.js';
import { commandName, shellQuoted } from '../config/command-name.js';
import { messageOf, OperatorError, systemCode, type OperatorErrorKind } from '../config/operator-error.js';
import { ask, readControl, standingOf, type Control, type Standing } from './control-call.js';
import { claimFolder } from './folder-claim.js';
import { writeWhole } from './whole-file.js';

const replySchema = z.union([
  z.object({ result: z.unknown() }),
  z.object({ error: z.object({ kind: z.enum(['usage', 'unreachable', 'refused']), message: z.string() }) }),
]);

/** Longer than the longest that anybody rightly waits for: a server's start. */
const answerTimeoutMs = 70_000;

/** What a door answers to `METHOD /path`; undefined: no such thing. Expected failures are OperatorErrors. */
export type Answer = (method: string, path: string) => Promise<unknown>;

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
    void serve(incoming, outgoing, token, () => standing, answer);
  });
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
 * Asks the process that has `folder`.
 * @throws OperatorError unreachable when there is none, or what it answered
 */
export async function callControlDoor(folder: string, method: string, path: string): Promise<unknown> {
  const control = await readControl(join(folder, 'control.json'));
  const start = `${commandName()} up --data ${shellQuoted(folder)}`;
  const gone = `Nothing is running on ${folder}. Start it with: ${start}`;
  if (control === undefined) throw new OperatorError('unreachable', gone);
  let reply;
  try {
    reply = await ask(control, method, path, answerTimeoutMs);
  } catch (cause) {
    const refused = systemCode(cause) === 'ECONNREFUSED';
    const silent = `The process ${control.pid} that has ${folder} does not answer (${messageOf(cause)}).`;
    throw new OperatorError('unreachable', refused ? gone : silent, { cause });
  }
  if (reply.status === 401) throw new OperatorError('unreachable', gone);
  const parsed = replySchema.safeParse(reply.body);
  if (!parsed.success) throw new Error(`${folder} answered ${method} ${path} with something unknown`);
  if ('error' in parsed.data) throw new OperatorError(parsed.data.error.kind, parsed.data.error.message);
  return parsed.data.result;
}

async function serve(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  token: string,
  standing: () => Standing,
  answer: Answer,
): Promise<void> {
  incoming.resume();
  const reply = (status: number, body: object): void => {
    outgoing.writeHead(status, { 'content-type': 'application/json', connection: 'close' });
    outgoing.end(JSON.stringify(body));
  };
  if (!authorized(incoming.headers.authorization ?? '', token)) {
    return reply(401, { error: { kind: 'refused', message: 'wrong token' } });
  }
  const { method = 'GET', url: path = '/' } = incoming;
  if (path === '/ping') return reply(200, { result: { standing: standing() } });
  try {
    const result = await answer(method, path);
    if (result === undefined) throw new OperatorError('refused', `There is no ${method} ${path} here.`);
    reply(200, { result });
  } catch (error) {
    const kind: OperatorErrorKind = error instanceof OperatorError ? error.kind : 'refused';
    reply(409, { error: { kind, message: messageOf(error) } });
  }
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
