import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { z } from 'zod';
import { systemClock } from '../../vice/seam/real/system-clock.js';
import { OperatorError } from '../config/operator-error.js';
import { Failure, type Caller, type Fid } from '../../venus/interface.js';
import { MemoryVenus } from '../../venus/twin/memory-venus.js';
import {
  callControlDoor,
  downloadFromDoor,
  isClaimed,
  openControlDoor,
  uploadToDoor,
  type Answer,
} from './control-door.js';
import { ByteAnswer } from './control-stream.js';
import { freePort } from './port.js';
import { venusAnswer } from './venus-answer.js';

const clock = systemClock();
const controlSchema = z.object({ pid: z.number(), port: z.number(), token: z.string() });

const answer: Answer = async (method, path) => {
  if (path === '/refuse') throw new OperatorError('usage', 'not so');
  return path === '/echo' ? { method } : undefined;
};

t.test('a door answers whoever can read the folder, and nobody when it is closed', async (t) => {
  const folder = t.testdir({});
  const nobody = { kind: 'unreachable', message: /Nothing is running/ };
  await t.rejects(callControlDoor(folder, 'GET', '/echo'), nobody);
  const door = await openControlDoor(folder, answer, clock, 0);
  t.same(await callControlDoor(folder, 'POST', '/echo'), { method: 'POST' });
  await t.rejects(callControlDoor(folder, 'GET', '/refuse'), new OperatorError('usage', 'not so'));
  await t.rejects(callControlDoor(folder, 'GET', '/nothing'), { message: /no GET \/nothing here/ });

  const control = controlSchema.parse(JSON.parse(readFileSync(join(folder, 'control.json'), 'utf8')));
  const url = `http://127.0.0.1:${control.port}/echo`;
  t.equal((await fetch(url)).status, 401);
  t.equal((await fetch(url, { headers: { authorization: `Bearer ${control.token}x` } })).status, 401);

  await door.close();
  await door.close();
  await t.rejects(callControlDoor(folder, 'GET', '/echo'), nobody);
  t.same(readdirSync(folder), []);
});

t.test('of many who claim a folder at once one gets it, also from a dead process', async (t) => {
  const dead = JSON.stringify({ pid: process.pid, port: await freePort('127.0.0.1'), token: 'gone' });
  for (const left of [undefined, dead, 'torn']) {
    const folder = t.testdir({});
    if (left !== undefined) {
      writeFileSync(join(folder, 'control.json'), left);
      writeFileSync(join(folder, 'claim.gone'), left);
    }
    t.notOk(await isClaimed(folder));
    const claims = await Promise.allSettled(
      Array.from({ length: 8 }, () => openControlDoor(folder, answer, clock, 0)),
    );
    const doors = claims.flatMap((claim) => (claim.status === 'fulfilled' ? claim.value : []));
    t.equal(doors.length, 1, `left behind: ${left ?? 'nothing'}`);
    t.ok(await isClaimed(folder));
    for (const claim of claims) {
      if (claim.status === 'rejected') t.match(claim.reason, { kind: 'refused', message: /is in use/ });
    }
    for (const door of doors) await door.close();
    t.same(readdirSync(folder), []);
  }
});

t.test('who waits gets the folder when it is given free', async (t) => {
  const folder = t.testdir({});
  const first = await openControlDoor(folder, answer, clock, 0);
  const second = openControlDoor(folder, answer, clock, 30_000);
  await first.close();
  await (await second).close();
});

/** `count` chunks of 64 KiB, then perhaps a failure; knows how many were taken. */
class Chunks {
  taken = 0;
  ended = false;
  readonly bytes: AsyncIterable<Uint8Array>;

  constructor(count: number, failure?: Error) {
    this.bytes = this.#make(count, failure);
  }

  async *#make(count: number, failure: Error | undefined): AsyncGenerator<Uint8Array> {
    try {
      for (; this.taken < count; this.taken += 1) yield Buffer.alloc(64 * 1024, this.taken % 251);
      if (failure !== undefined) throw failure;
    } finally {
      this.ended = true;
    }
  }
}

/** Asks again until it is so. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await delay(20);
}

async function lengthOf(bytes: AsyncIterable<Uint8Array>): Promise<number> {
  let length = 0;
  for await (const chunk of bytes) length += chunk.length;
  return length;
}

const mebi = 1024 * 1024;

t.test('bytes go through a door in both directions, as fast as the slower side', async (t) => {
  const folder = t.testdir({});
  const given = new Chunks(1600);
  let taken = 0;
  const received: unknown[] = [];
  const door = await openControlDoor(
    folder,
    async (_method, path, body) => {
      if (path === '/echo') return body.json();
      if (path === '/give') return new ByteAnswer(given.bytes);
      if (path === '/fail-late')
        return new ByteAnswer(new Chunks(3, new Failure('damaged', 'x', 'a disk: ü')).bytes);
      if (path === '/fail-first')
        return new ByteAnswer(new Chunks(0, new Failure('not-found', 'x', 'no such')).bytes);
      if (path === '/refuse') throw new Failure('invalid', 'x', 'not this');
      if (path === '/take')
        return { length: await lengthOf(body).catch((error: unknown) => received.push(error)) };
      for await (const chunk of body) {
        taken += chunk.length;
        if (taken > mebi) throw new Failure('invalid', 'x', 'no more of this');
      }
      return undefined;
    },
    clock,
    0,
  );
  t.same(await callControlDoor(folder, 'POST', '/echo', { a: [1] }), { a: [1] });
  await t.rejects(callControlDoor(folder, 'POST', '/echo', 'x'.repeat(9 * mebi)), {
    kind: 'usage',
    message: /at once/,
  });

  const slow = (await downloadFromDoor(folder, '/give', {}, clock))[Symbol.asyncIterator]();
  let length = (await slow.next()).value?.length ?? 0;
  let before = -1;
  // The giver stops when the buffers on the way are full.
  for (; given.taken !== before; await delay(200)) before = given.taken;
  t.ok(given.taken < 800, `${given.taken} of 1600 chunks were taken while nobody read`);
  for (let next = await slow.next(); next.done !== true; next = await slow.next())
    length += next.value.length;
  t.equal(length, 100 * mebi);

  const late = await downloadFromDoor(folder, '/fail-late', {}, clock);
  await t.rejects(lengthOf(late), { kind: 'refused', message: 'a disk: ü' });
  await t.rejects(downloadFromDoor(folder, '/fail-first', {}, clock), {
    kind: 'refused',
    message: 'no such',
  });
  await t.rejects(downloadFromDoor(folder, '/refuse', {}, clock), { kind: 'refused', message: 'not this' });

  t.same(await uploadToDoor(folder, '/take', new Chunks(1600).bytes), { length: 100 * mebi });
  const long = new Chunks(16_000);
  await t.rejects(uploadToDoor(folder, '/half', long.bytes), { kind: 'refused', message: 'no more of this' });
  t.ok(long.ended && long.taken < 16_000, 'the rest was not sent');
  const broken = uploadToDoor(folder, '/take', new Chunks(5, new Error('the file is gone')).bytes);
  await t.rejects(broken, { message: 'the file is gone' });
  await until(() => received.length > 0);
  t.match(
    received,
    [{ kind: 'unreachable', message: /broke off/ }],
    'the other side knows that it was not whole',
  );
  await door.close();
});

t.test('whoever asks goes away, or the process that answers does', async (t) => {
  const folders = t.testdir({ first: {}, second: {} });
  const folder = join(folders, 'first');
  const other = join(folders, 'second');
  const given = new Chunks(100_000);
  const door = await openControlDoor(folder, async () => new ByteAnswer(given.bytes), clock, 0);
  for await (const chunk of await downloadFromDoor(folder, '/give', {}, clock)) {
    t.equal(chunk.length > 0, true);
    break;
  }
  await until(() => given.ended);
  t.ok(given.taken < 100_000, 'the giver is told that nobody reads');

  const second = await openControlDoor(other, async () => new ByteAnswer(new Chunks(1e6).bytes), clock, 0);
  const cut = lengthOf(await downloadFromDoor(other, '/give', {}, clock));
  await second.close();
  await t.rejects(cut, { kind: 'unreachable', message: /broke off/ });
  await t.rejects(uploadToDoor(other, '/take', new Chunks(1).bytes), { message: /Nothing is running/ });

  // Half a request: the connection ends in its body.
  const control = controlSchema.parse(JSON.parse(readFileSync(join(folder, 'control.json'), 'utf8')));
  const socket = connect(control.port, '127.0.0.1');
  socket.write(`POST /x HTTP/1.1\r\nauthorization: Bearer ${control.token}\r\ncontent-length: 10\r\n\r\nabc`);
  socket.resume();
  socket.end();
  await new Promise((resolve) => socket.on('close', resolve));
  await door.close();
});

t.test('orders to a Venus', async (t) => {
  const folder = t.testdir({});
  const venus = new MemoryVenus({ servers: ['s1', 's2'] });
  const door = await openControlDoor(folder, venusAnswer(venus, clock), clock, 0);
  const order = (path: string, body: unknown): Promise<unknown> =>
    callControlDoor(folder, 'POST', path, body);
  const changes = async (): Promise<unknown[]> => {
    const bytes: Uint8Array[] = [];
    for await (const chunk of await downloadFromDoor(folder, '/log/changes', {}, clock)) bytes.push(chunk);
    const lines = Buffer.concat(bytes).toString().split('\n').slice(0, -1);
    return lines.map((line) => JSON.parse(line) as unknown);
  };
  t.same(await changes(), []);
  t.match(await order('/disconnect', { servers: ['s2'] }), {
    servers: [{ planned: false }, { planned: true }],
  });
  t.equal(venus.state().volumes[0]?.state, 'hoarding');
  await t.rejects(order('/disconnect', { servers: ['s7'] }), { kind: 'refused', message: /no server "s7"/ });
  await order('/disconnect', { servers: [] });
  t.equal(venus.state().volumes[0]?.state, 'emulating');
  const ann: Caller = { user: 'ann' };
  const root = (await venus.lookup(ann, [])).object?.fid as Fid;
  for (let index = 0; index < 450; index += 1) await venus.makeDirectory(ann, root, `d${index}`);
  const listed = await changes();
  t.equal(listed.length, 450);
  t.match(listed[449], {
    sequence: 450,
    author: 'ann',
    state: 'pending',
    records: [{ op: 'mkdir', path: '/d449' }],
  });

  const archive: Uint8Array[] = [];
  for await (const chunk of await downloadFromDoor(folder, '/log/checkpoint', {}, clock)) archive.push(chunk);
  t.same(await uploadToDoor(folder, '/log/restore', arrayed(archive)), {
    restored: 450,
    present: 0,
    notes: [],
  });
  const torn = uploadToDoor(folder, '/log/restore', arrayed([Buffer.from('torn')]));
  await t.rejects(torn, { kind: 'refused', message: /no archive/ });
  const unknown = downloadFromDoor(folder, '/log/checkpoint', { sequences: [999] }, clock);
  await t.rejects(unknown, { kind: 'refused', message: /no pending change 999/ });
  t.same(await order('/log/discard', { sequences: [2, 1] }), { discarded: [1, 2] });
  await t.rejects(order('/log/discard', { sequences: [1] }), {
    kind: 'refused',
    message: /no pending change 1/,
  });
  await t.rejects(order('/log/discard', {}), { message: /does not know this order/ });

  t.match(await order('/volume-mode', { volume: null, mode: 'write-disconnected' }), {
    volumes: [{ name: 'root', mode: 'write-disconnected' }],
  });
  await t.rejects(order('/volume-mode', { volume: 'x', mode: 'write-through' }), {
    message: /no volume "x"/,
  });
  await order('/reconnect', { servers: [] });
  t.equal(venus.state().volumes[0]?.state, 'write-disconnected');
  await order('/volume-mode', { volume: 'root', mode: 'write-through' });
  t.same(await changes(), [], 'all is sent');
  await t.rejects(order('/constructor', {}), { message: /no POST \/constructor/ });
  await t.rejects(callControlDoor(folder, 'GET', '/log/discard'), { message: /no GET/ });
  await door.close();
});

async function* arrayed(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
}
