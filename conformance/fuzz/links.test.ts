/**
 * Whatever comes over a socket to a server, before the handshake, in the place of frames or in well-formed calls: it
 * costs at most the connection that it came on. The server answers or hangs up, serves its other clients as before, and
 * none of its handlers fails in a way that it was not meant to (link-failure.ts, `handler failed`).
 */
import { once } from 'node:events';
import { connect } from 'node:net';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { WebSocket } from 'ws';
import {
  calls,
  decode,
  encode,
  onlyKey,
  signCredential,
  type CallName,
  type RealmDocument,
  type Role,
} from '../../vice/interface/index.js';
import { isRecord, parseFrame, type Frame } from '../../vice/seam/link-frame.js';
import { silentLog, type LogFields } from '../../vice/seam/log.js';
import { frameBytes, type Link } from '../../vice/seam/network.js';
import type { Clock } from '../../vice/seam/clock.js';
import { systemClock } from '../../vice/seam/real/system-clock.js';
import { wsNetwork } from '../../vice/seam/real/ws-network.js';
import { MemoryContainers } from '../../vice/seam/twin/memory-containers.js';
import { MemoryStore } from '../../vice/seam/twin/memory-store.js';
import { PlainPasswords } from '../../vice/seam/twin/plain-passwords.js';
import { seededRandom } from '../../vice/seam/twin/seeded-random.js';
import { startServer } from '../../vice/server/vice-server.js';
import { garbageFrames } from './hostile-frames.js';
import { alteredValue, harmed, runs } from './hostile.js';
import { batches, replica, sampleCalls, volume } from './sample-calls.js';

const realmKey = new Uint8Array(32).fill(7);
const realm: RealmDocument = {
  format: 1,
  version: 1,
  realm: 'office',
  name: 'office',
  servers: [{ name: 's1', address: 'ws://127.0.0.1:1' }],
  volumes: [{ id: volume, name: 'root', replicas: [{ id: replica, server: 's1' }] }],
  rootVolume: volume,
};
const clock = systemClock();
/** Of links: no time passes, so nobody is hung up on because he was not heard for a while on a slow machine. */
const still: Clock = {
  ...clock,
  wall: () => clock.wall(),
  after: (ms, action) => clock.after(ms, action),
  monotonic: () => 0,
};
const roles: readonly Role[] = ['gateway', 'server', 'operator'];

interface UnderFire {
  /** `127.0.0.1:port` */
  readonly place: string;
  /** Another client, that behaves. */
  readonly good: Link;
  /** What needs a person. */
  readonly errors: { readonly event: string; readonly fields: LogFields | undefined }[];
  /** Sessions that are open, as the server counts them. */
  sessions(): Promise<number>;
}

function credential(role: Role): string {
  const name = role === 'gateway' ? `gateway/${'a'.repeat(16)}` : 's2';
  return signCredential(realmKey, realm.realm, { role, name }, clock.wall() + 600_000);
}

async function underFire(t: Test): Promise<UnderFire> {
  const errors: UnderFire['errors'] = [];
  const log = {
    ...silentLog,
    error: (event: string, fields?: LogFields) => void errors.push({ event, fields }),
  };
  const network = wsNetwork({ clock: still, log });
  const random = seededRandom(1);
  const server = await startServer(
    { name: 's1', realm, realmKeys: onlyKey(realmKey), listen: 'ws://127.0.0.1:0' },
    {
      clock,
      random,
      network,
      log,
      store: new MemoryStore({}),
      containers: new MemoryContainers({}),
      passwords: new PlainPasswords(random),
    },
  );
  const good = await network.dial(server.address, { credential: () => credential('gateway'), onPush() {} });
  t.teardown(async () => {
    good.close();
    await server.close();
  });
  return {
    place: server.address.slice('ws://'.length),
    good,
    errors,
    async sessions() {
      const page = await (await fetch(`${server.address.replace('ws:', 'http:')}/metrics`)).text();
      const counted = page.matchAll(/^vice_sessions\{role="\w+"\} (\d+)$/gm);
      return [...counted].reduce((sum, [, count]) => sum + Number(count), 0);
    },
  };
}

/** A client of our own making, which need not keep to the protocol. */
/** Reset or not: `once` would fail with the reset. */
function ended(socket: NodeJS.EventEmitter): Promise<void> {
  return new Promise((resolve) => {
    socket.once('close', () => resolve());
  });
}

interface RawClient {
  readonly socket: WebSocket;
  /** Ends when the connection does. */
  readonly closed: Promise<unknown>;
  /** Resolves with the frame that ends the call; never if the connection ends before. */
  answer(id: number): Promise<Frame>;
}

async function rawClient(place: string, role: Role): Promise<RawClient> {
  const socket = new WebSocket(`ws://${place}/link`, {
    headers: { authorization: `Bearer ${credential(role)}` },
  });
  const answers = new Map<number, (frame: Frame) => void>();
  socket.on('error', () => undefined);
  socket.on('message', (message: Buffer) => {
    const frame = decode(message) as Frame;
    if (frame.frame === 'reply' || frame.frame === 'failed') answers.get(frame.id)?.(frame);
  });
  const closed = ended(socket);
  await once(socket, 'message');
  return {
    socket,
    closed,
    answer: (id) => new Promise((resolve) => answers.set(id, resolve)),
  };
}

async function isServing({ good, errors }: UnderFire): Promise<boolean> {
  const located = await good.call('locate', {});
  const [error] = errors;
  if (error !== undefined) throw new Error(`${error.event}`, { cause: error.fields?.['error'] });
  return isRecord(located) && located['realm'] === realm.realm;
}

/** All but the good client's. */
async function areGone({ sessions }: UnderFire): Promise<boolean> {
  for (let look = 0; look < 2_000; look += 1) if ((await sessions()) === 1) return true;
  return false;
}

const probe = 2 ** 40;

/** A client may send this; what is in it is another matter. */
function isLawful(message: Uint8Array | string): boolean {
  if (typeof message === 'string') return false;
  try {
    return ['call', 'cancel', 'beat'].includes(parseFrame(message).frame);
  } catch {
    return false;
  }
}

t.test('messages that are no frames, or those of somebody else', async (t) => {
  const server = await underFire(t);
  const text = fc.constantFrom('', '{"frame":"beat"}', 'x'.repeat(100_000), '\u0000');
  const messages = fc.array(fc.oneof({ weight: 4, arbitrary: garbageFrames }, text), {
    minLength: 1,
    maxLength: 6,
  });
  const property = fc.asyncProperty(messages, fc.constantFrom(...roles), async (sent, role) => {
    const { socket, closed, answer } = await rawClient(server.place, role);
    for (const message of sent) socket.send(message, () => undefined);
    const answered = answer(probe).then(() => 'answered');
    socket.send(encode({ frame: 'call', id: probe, name: 'locate', argument: {} }), () => undefined);
    const outcome = await Promise.race([closed.then(() => 'closed'), answered]);
    socket.terminate();
    // Of lawful frames one may still say twice what calls the same.
    const isRight = outcome === 'closed' || sent.every(isLawful);
    return isRight && (await isServing(server));
  });
  await fc.assert(property, { numRuns: runs });
  const huge = encode({ frame: 'call', id: 1, name: 'locate', argument: new Uint8Array(frameBytes) });
  const { socket, closed } = await rawClient(server.place, 'gateway');
  socket.send(huge, () => undefined);
  await closed;
  t.ok(await isServing(server), 'a frame that is too large');
  t.ok(await areGone(server), 'every one of these sessions has ended');
});

const alteredCalls = fc.oneof(
  fc.constantFrom(...batches).chain((batch) => fc.tuple(fc.constant('mutate'), alteredValue(batch))),
  fc
    .constantFrom(...(Object.keys(sampleCalls) as CallName[]))
    .chain((name) => fc.tuple(fc.constant(name), alteredValue(sampleCalls[name]))),
  fc.tuple(fc.constantFrom('', '__proto__', 'toString', 'x'.repeat(100)), fc.constant({})),
);

t.test('calls that are well-formed, and in them what nobody meant', async (t) => {
  const server = await underFire(t);
  const clients = await Promise.all(roles.map((role) => rawClient(server.place, role)));
  let id = 0;
  const property = fc.asyncProperty(alteredCalls, fc.nat(roles.length - 1), async (call, speaker) => {
    const [name, argument] = call;
    const client = clients[speaker];
    if (client === undefined) return false;
    id += 1;
    const answered = client.answer(id);
    client.socket.send(encode({ frame: 'call', id, name, argument }));
    const outcome = await Promise.race([answered, client.closed.then(() => 'closed')]);
    return isRecord(outcome) && (await isServing(server));
  });
  await fc.assert(property, { numRuns: runs * 2 });
  for (const { socket } of clients) socket.terminate();
  t.ok(await areGone(server), 'every one of these sessions has ended');
});

t.test('the calls that are altered are those of a good peer', async (t) => {
  for (const [name, argument] of Object.entries(sampleCalls)) {
    t.ok(calls[name as CallName].argument.safeParse(argument).success, name);
  }
  for (const batch of batches)
    t.ok(calls.mutate.argument.safeParse(batch).success, batch.records.map(({ op }) => op).join(', '));
});

/** One message in a frame of RFC 6455, masked with nothing; `length` is what it announces. */
function socketFrame(opcode: number, payload: Uint8Array, length = payload.length): Buffer {
  const head = Buffer.alloc(length > 65_535 ? 14 : length > 125 ? 8 : 6);
  head[0] = 0x80 | opcode;
  if (length > 65_535) {
    head[1] = 0x80 | 127;
    head.writeBigUInt64BE(BigInt(length), 2);
  } else if (length > 125) {
    head[1] = 0x80 | 126;
    head.writeUInt16BE(length, 2);
  } else head[1] = 0x80 | length;
  return Buffer.concat([head, payload]);
}

const upgrade = Buffer.from(
  [
    'GET /link HTTP/1.1',
    'Host: x',
    `Authorization: Bearer ${credential('gateway')}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
    '\r\n',
  ].join('\r\n'),
);
const beat = encode({ frame: 'beat' });
const locate = encode({ frame: 'call', id: 1, name: 'locate', argument: {} });
const socketFrames = Buffer.concat([socketFrame(2, beat), socketFrame(9, beat), socketFrame(2, locate)]);

/** Sends `bytes`, then nothing more, and reads until the server hangs up: what has come by then. */
async function rawBytes(place: string, ...bytes: readonly Uint8Array[]): Promise<string> {
  const [host = '', port = ''] = place.split(':');
  const socket = connect(Number(port), host);
  let heard = '';
  socket.on('data', (chunk: Buffer) => (heard += chunk.toString('latin1')));
  socket.on('error', () => undefined);
  const closed = ended(socket);
  for (const each of bytes) socket.write(each);
  socket.end();
  await closed;
  return heard;
}

t.test('bytes in the place of a handshake, and of frames behind it', async (t) => {
  const server = await underFire(t);
  t.match(
    await rawBytes(server.place, upgrade, socketFrames),
    /^HTTP\/1\.1 101 [^]*hello[^]*office/,
    'as it should be',
  );
  const announced = fc
    .constantFrom(126, 65_536, frameBytes, frameBytes + 1, 2 ** 31, 2 ** 53 - 1)
    .map((length) => socketFrame(2, beat, length));
  const opcodes = fc.tuple(fc.nat(15), fc.uint8Array({ maxLength: 200 })).map(([code, payload]) => {
    return socketFrame(code, payload);
  });
  const unmasked = fc
    .uint8Array({ maxLength: 60 })
    .map((payload) => Buffer.concat([Buffer.from([0x82, payload.length]), payload]));
  const part = fc.nat(socketFrames.length).map((length) => socketFrames.subarray(0, length));
  const pings = fc.constant(Buffer.concat(Array.from({ length: 5_000 }, () => socketFrame(9, beat))));
  const noise = fc.uint8Array({ maxLength: 300 });
  const behind = fc.oneof(harmed(socketFrames), announced, opcodes, unmasked, part, noise, pings);
  const ways = fc.oneof(
    fc.tuple(fc.oneof(harmed(upgrade), noise), behind),
    fc.tuple(fc.constant(upgrade), behind, fc.oneof(behind, noise)),
  );
  const property = fc.asyncProperty(ways, async (bytes) => {
    await rawBytes(server.place, ...bytes);
    return isServing(server);
  });
  await fc.assert(property, { numRuns: runs });
  t.ok(await areGone(server), 'every one of these sessions has ended');
});
