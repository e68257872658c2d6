/** A share over real HTTP on a Venus in memory, for one test, and ways to ask it: well, badly, half. */
import http from 'node:http';
import net from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import t, { type Test } from 'tap';
import { MemoryVenus, type MemoryVenusOptions } from '../../venus/twin/memory-venus.js';
import type { Fid } from '../../venus/interface.js';
import type { LogFields } from '../../vice/seam/log.js';
import { silentLog } from '../../vice/seam/log.js';
import { systemClock } from '../../vice/seam/real/system-clock.js';
import { seededRandom } from '../../vice/seam/twin/seeded-random.js';
import { openUsers } from '../../gateway/access/users.js';
import { scryptPasswords } from '../../vice/seam/real/scrypt-passwords.js';
import { startWebdav } from '../../gateway/webdav/host.js';
import { createLocks } from '../../gateway/webdav/lock-table.js';

const modified = Date.UTC(2024, 0, 2, 3, 4, 5);
/** Who asks, unless a test says otherwise. */
export const caller = { user: 'alice' };
export const authorization = `Basic ${Buffer.from('alice:sesame').toString('base64')}`;

export interface Reply {
  readonly status: number;
  readonly reason: string;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

export interface Asked {
  readonly headers?: http.OutgoingHttpHeaders;
  readonly body?: string | Buffer;
}

export interface World {
  readonly venus: MemoryVenus;
  readonly url: URL;
  readonly lines: { event: string; fields: LogFields | undefined }[];
  close(): Promise<void>;
  /** Sends `body` with its length, or chunked when headers say so. */
  ask(method: string, path: string, asked?: Asked): Promise<Reply>;
  /** Sends `bytes` as they are and reads until the server closes. */
  raw(...bytes: readonly (string | Buffer)[]): Promise<string>;
  /** The same, but hangs up once the final answer has begun. */
  rawUntilAnswered(...bytes: readonly (string | Buffer)[]): Promise<string>;
  /** Sends `bytes` and hangs up. */
  rawAndGone(...bytes: readonly (string | Buffer)[]): Promise<string>;
  /** What the file holds, or undefined. */
  contents(path: string): Promise<string | undefined>;
  names(path?: string): Promise<readonly string[]>;
}

type WorldOptions = MemoryVenusOptions & { readonly prefix?: string; readonly idleMs?: number };

/** A test with a share of its own, of which nothing may be left open at the end. */
export function story(
  name: string,
  tell: (t: Test, world: World) => Promise<void>,
  options: WorldOptions = {},
): void {
  t.test(name, async (t) => {
    const world = await openWorld(t, options);
    try {
      await tell(t, world);
    } finally {
      await world.close();
    }
    t.equal(world.venus.openWriters, 0, 'no spool is left');
    t.equal(world.venus.openFiles, 0, 'no file is left open');
  });
}

async function openWorld(t: Test, options: WorldOptions): Promise<World> {
  const venus = new MemoryVenus({ wall: () => modified, ...options });
  const clock = systemClock();
  const lines: World['lines'] = [];
  const say = (event: string, fields?: LogFields): void => void lines.push({ event, fields });
  const log = { ...silentLog, info: say, warn: say, error: say };
  const random = seededRandom(1);
  const users = await openUsers(join(t.testdir(), 'users'), scryptPasswords({ ln: 10, r: 8, p: 1 }));
  for (const name of ['alice', 'bob']) await users.add(name, 'sesame');
  const locks = createLocks({ venus, clock, random, log });
  const isOwnHost = (host: string): boolean => host === 'files.example';
  const share = { venus, locks, clock, random, log, prefix: options.prefix ?? '', isOwnHost };
  const { idleMs = 120_000 } = options;
  const listen = { host: '127.0.0.1', port: 0 };
  const webdav = await startWebdav({ listen, share, users, log, clock, idleMs });
  const url = new URL(webdav.url);
  const agent = new http.Agent({ keepAlive: true });
  return {
    close: async () => {
      agent.destroy();
      await webdav.close();
    },
    venus,
    url,
    lines,
    ask: (method, path, asked = {}) => ask(url, agent, method, path, asked),
    raw: (...bytes) => raw(url, bytes, 'closed'),
    rawUntilAnswered: (...bytes) => raw(url, bytes, 'answered'),
    rawAndGone: (...bytes) => raw(url, bytes, 'sent'),
    contents: async (path) => {
      const { object } = await venus.lookup(caller, path.split('/'));
      if (object === null) return undefined;
      const file = await venus.open(caller, object.fid);
      const held = await text(file.read());
      await file.close();
      return held;
    },
    names: async (path) => {
      const { object } = await venus.lookup(caller, path === undefined ? [] : path.split('/'));
      const names: string[] = [];
      if (object === null) return names;
      for await (const batch of venus.list(caller, object.fid)) names.push(...batch.map(({ name }) => name));
      return names;
    },
  };
}

function ask(url: URL, agent: http.Agent, method: string, path: string, asked: Asked): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const headers = { authorization, ...asked.headers };
    const { hostname, port } = url;
    const request = http.request({ hostname, port, agent, method, path, headers }, (response) => {
      text(response).then((body) => {
        const { statusCode: status = 0, statusMessage: reason = '' } = response;
        resolve({ status, reason, headers: response.headers, body });
      }, reject);
    });
    request.on('error', reject);
    request.end(asked.body);
  });
}

function raw(
  url: URL,
  bytes: readonly (string | Buffer)[],
  until: 'closed' | 'answered' | 'sent',
): Promise<string> {
  return new Promise((resolve) => {
    const socket = net.connect(Number(url.port), url.hostname);
    let received = '';
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1');
      if (until === 'answered' && /(^|\n)HTTP\/1\.1 [2-5]/.test(received)) socket.end();
    });
    socket.on('error', () => undefined).on('close', () => resolve(received));
    for (const piece of bytes) socket.write(piece);
    if (until === 'sent') socket.end();
  });
}

/** The Fid of the root. */
export async function root(venus: MemoryVenus): Promise<Fid> {
  const { object } = await venus.lookup(caller, []);
  if (object === null) throw new Error('there is no root');
  return object.fid;
}
