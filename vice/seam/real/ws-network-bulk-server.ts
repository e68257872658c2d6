/** Bulk transfers at the server: GET and PUT under /bulk/, bodies streamed with back-pressure both ways. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Failure, type FailureKind, type Peer } from '../../interface/index.js';
import type { Clock } from '../clock.js';
import { failureRecord } from '../link-failure.js';
import type { Log } from '../log.js';
import type { Service } from '../network.js';
import { parseBulkTarget, type BulkTarget } from './ws-network-address.js';
import { IdleWatch } from './ws-network-idle.js';

/** The trailer in which a download that has begun tells why it ends early. */
export const failureTrailer = 'x-failure';

/** After a refusal the rest of a body is read away this long, so that the refusal is not lost to a reset. */
const lingerMs = 5000;

const statusOf: Partial<Record<FailureKind, number>> = {
  'not-authenticated': 401,
  'access-denied': 403,
  'not-found': 404,
  invalid: 400,
  timeout: 408,
  changed: 409,
  'too-large': 413,
  busy: 503,
  'no-space': 507,
  quota: 507,
};

interface BulkWorld {
  readonly clock: Clock;
  readonly log: Log;
  readonly service: Service;
  /** Who asks. @throws Failure not-authenticated */
  readonly peerOf: (request: IncomingMessage, operation: string) => Peer;
  /** As many transfers are under way as the server allows. */
  readonly isFull: boolean;
}

/** Answers one request under /bulk/. Never rejects. */
export async function serveBulk(
  request: IncomingMessage,
  response: ServerResponse,
  world: BulkWorld,
): Promise<void> {
  const operation = request.method === 'PUT' ? 'network.upload' : 'network.download';
  try {
    const peer = world.peerOf(request, operation);
    if (world.isFull) throw new Failure('busy', operation, 'too many transfers are under way: try again');
    const target = parseBulkTarget(request.url ?? '');
    if (target === undefined) throw new Failure('invalid', operation, 'no path and start of a transfer');
    if (request.method === 'GET') return await sendBody(response, peer, target, world);
    if (request.method !== 'PUT') throw new Failure('invalid', operation, 'a transfer is a GET or a PUT');
    await world.service.upload(peer, target.path, target.start, bodyOf(request, world.clock));
    response.writeHead(200).end();
  } catch (error) {
    refuse(response, error, operation, world);
  }
  if (!request.complete) readAway(request, world.clock);
}

async function sendBody(
  response: ServerResponse,
  peer: Peer,
  target: BulkTarget,
  world: BulkWorld,
): Promise<void> {
  const source = (await world.service.download(peer, target.path, target.start))[Symbol.asyncIterator]();
  const stop = (): void => {
    void source.return?.().catch((error: unknown) => world.log.warn('download not closed', { error }));
  };
  if (response.destroyed) return stop();
  response.once('close', stop);
  const idle = new IdleWatch(world.clock, () => response.destroy());
  try {
    // The first read may fail: as long as nothing is sent, that is still an ordinary refusal.
    for (let next = await source.next(); next.done !== true; next = await source.next()) {
      if (response.destroyed) return;
      if (!response.headersSent) {
        response.writeHead(200, { 'content-type': 'application/octet-stream', trailer: failureTrailer });
      }
      if (response.write(next.value)) continue;
      idle.waiting();
      await drained(response);
      idle.stop();
    }
    response.end();
  } finally {
    idle.stop();
  }
}

/** Resolves when more can be written, or nothing any more. */
function drained(response: ServerResponse): Promise<void> {
  if (response.destroyed || !response.writableNeedDrain) return Promise.resolve();
  return new Promise((resolve) => {
    const go = (): void => {
      response.off('drain', go).off('close', go);
      resolve();
    };
    response.on('drain', go).on('close', go);
  });
}

/** The body of an upload; fails unless it arrives whole. Left early, it does not destroy the connection. */
async function* bodyOf(request: IncomingMessage, clock: Clock): AsyncGenerator<Uint8Array, void, undefined> {
  let idled = false;
  const idle = new IdleWatch(clock, () => {
    idled = true;
    request.destroy();
  });
  try {
    idle.waiting();
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      idle.stop();
      yield chunk as Uint8Array;
      idle.waiting();
    }
  } catch (cause) {
    if (idled) throw new Failure('timeout', 'network.upload', 'the sender stood still', { cause });
    throw new Failure('unreachable', 'network.upload', 'the sender went away', { cause });
  } finally {
    idle.stop();
  }
}

function refuse(response: ServerResponse, error: unknown, operation: string, world: BulkWorld): void {
  if (response.destroyed) {
    world.log.debug('transfer ended', { operation, error });
    return;
  }
  const record = failureRecord(error, operation, world.log);
  const body = JSON.stringify(record);
  if (response.headersSent) {
    response.addTrailers({ [failureTrailer]: Buffer.from(body).toString('base64') });
    response.end();
    return;
  }
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
  response.writeHead(statusOf[record.kind] ?? 500, headers).end(body);
}

/** Closing a connection on which something unread arrives would reset it, and the answer with it. */
function readAway(request: IncomingMessage, clock: Clock): void {
  const timer = clock.after(lingerMs, () => request.destroy());
  request.once('close', () => timer.cancel());
  request.resume();
}
