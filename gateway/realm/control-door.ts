/**
 * How a command speaks to a running process of ours, and how a data folder gets exactly one process.
 *
 * A running realm, server or gateway answers small JSON requests over HTTP on a loopback port of its own.
 * Port and secret token stand in `control.json` (mode 0600) in its data folder: who can read it may command.
 * (A Unix socket would be simpler, but its path must be shorter than about 107 bytes.)
 *
 * The same file is the folder's claim: it is made with link(2), which fails if another one has it, and a file
 * left by a dead process is known by nobody answering on its port with its token. The port dies with the
 * process, so no process id, which may be another process' by now, has to be trusted.
 */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { link, rename, rm, writeFile } from 'node:fs/promises';
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { z } from 'zod';
import { commandName, shellQuoted } from '../config/command-name.js';
import { messageOf, OperatorError, systemCode, type OperatorErrorKind } from '../config/operator-error.js';
import { readIfThere } from './whole-file.js';
import { sleep, type Clock } from '../../vice/seam/clock.js';

const controlSchema = z.object({
  pid: z.number().int(),
  port: z.number().int(),
  token: z.string(),
});
type Control = z.infer<typeof controlSchema>;

const replySchema = z.union([
  z.object({ result: z.unknown() }),
  z.object({ error: z.object({ kind: z.enum(['usage', 'unreachable', 'refused']), message: z.string() }) }),
]);

/** Longer than the longest that anybody rightly waits for: a server's start. */
const answerTimeoutMs = 70_000;
const probeTimeoutMs = 2_000;
const replyBytes = 4 * 1024 * 1024;

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
  const server = createServer((incoming, outgoing) => {
    void serve(incoming, outgoing, token, answer);
  });
  const port = await listenOnLoopback(server);
  const file = join(folder, 'control.json');
  try {
    await claim(file, { pid: process.pid, port, token }, clock, patienceMs);
  } catch (error) {
    server.close();
    throw error;
  }
  return {
    async close() {
      if ((await readControl(file))?.token === token) await rm(file, { force: true });
      server.close();
      server.closeAllConnections();
    },
  };
}

/** Whether a living process has `folder`. */
export async function isClaimed(folder: string): Promise<boolean> {
  const control = await readControl(join(folder, 'control.json'));
  return control !== undefined && isAlive(control);
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
    reply = await exchange(control, method, path, answerTimeoutMs);
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

async function claim(file: string, control: Control, clock: Clock, patienceMs: number): Promise<void> {
  const deadline = clock.monotonic() + patienceMs;
  const own = `${file}.${control.token.slice(0, 8)}`;
  await writeFile(own, JSON.stringify(control), { mode: 0o600 });
  try {
    for (;;) {
      try {
        return await link(own, file);
      } catch (error) {
        if (systemCode(error) !== 'EEXIST') throw error;
      }
      const holder = await readControl(file);
      if (holder === undefined || !(await isAlive(holder))) {
        await removeStale(file, holder);
      } else if (clock.monotonic() >= deadline) {
        throw new OperatorError(
          'refused',
          `${file.slice(0, -'/control.json'.length)} is in use: process ${holder.pid} runs on it. ` +
            'Stop that one first, or give another folder.',
        );
      } else {
        await sleep(clock, 100);
      }
    }
  } finally {
    await rm(own, { force: true });
  }
}

/** Removes the claim of a dead process; the claim of one that has come meanwhile stays. */
async function removeStale(file: string, stale: Control | undefined): Promise<void> {
  const aside = `${file}.${randomBytes(6).toString('hex')}`;
  try {
    await rename(file, aside);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return;
    throw error;
  }
  const taken = await readControl(aside);
  if (taken !== undefined && taken.token !== stale?.token) {
    await link(aside, file).catch(() => undefined);
  }
  await rm(aside, { force: true });
}

async function isAlive(control: Control): Promise<boolean> {
  try {
    return (await exchange(control, 'GET', '/ping', probeTimeoutMs)).status === 200;
  } catch (error) {
    // A stopped or overloaded process does not answer but lives; only a closed port proves the contrary.
    return systemCode(error) !== 'ECONNREFUSED';
  }
}

async function readControl(file: string): Promise<Control | undefined> {
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

function exchange(control: Control, method: string, path: string, timeout: number) {
  return new Promise<{ status: number; body: unknown }>((resolve, reject) => {
    const outgoing = request(
      {
        host: '127.0.0.1',
        port: control.port,
        method,
        path,
        agent: false,
        headers: { authorization: `Bearer ${control.token}` },
        signal: AbortSignal.timeout(timeout),
      },
      (incoming) => {
        const chunks: Buffer[] = [];
        let length = 0;
        incoming.on('data', (chunk: Buffer) => {
          length += chunk.length;
          if (length > replyBytes) incoming.destroy(new Error('the answer is too long'));
          chunks.push(chunk);
        });
        incoming.on('error', reject);
        incoming.on('end', () => {
          try {
            resolve({ status: incoming.statusCode ?? 0, body: JSON.parse(Buffer.concat(chunks).toString()) });
          } catch {
            resolve({ status: incoming.statusCode ?? 0, body: undefined });
          }
        });
      },
    );
    outgoing.on('error', reject);
    outgoing.end();
  });
}

async function serve(incoming: IncomingMessage, outgoing: ServerResponse, token: string, answer: Answer) {
  incoming.resume();
  const reply = (status: number, body: object): void => {
    outgoing.writeHead(status, { 'content-type': 'application/json', connection: 'close' });
    outgoing.end(JSON.stringify(body));
  };
  if (!authorized(incoming.headers.authorization ?? '', token)) {
    return reply(401, { error: { kind: 'refused', message: 'wrong token' } });
  }
  const method = incoming.method ?? 'GET';
  const path = incoming.url ?? '/';
  if (path === '/ping') return reply(200, { result: {} });
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
