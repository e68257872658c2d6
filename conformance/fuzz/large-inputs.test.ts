/**
 * However much hostile clients send, and however much they ask for and do not read, it takes little memory, and work
 * that is counted: bytes taken of a body, elements, ranges, bytes of an answer. All in a process whose heap is too
 * small for a parser that keeps what comes (large-inputs.ts).
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { door, type Memory, type ParserReport } from './large-inputs.js';

const kib = 1024;
const mib = kib * kib;
/** Of what is left when it is over, and of the most that there was: buffers and code, too. */
const growth = { left: 64 * mib, most: 320 * mib } as const;
const bodyLimit = 256 * kib;

function started(...what: readonly string[]): ChildProcess {
  const program = fileURLToPath(new URL('large-inputs.js', import.meta.url));
  const options = ['--max-old-space-size=96', '--expose-gc', program, ...what];
  return spawn(process.execPath, options, { stdio: ['pipe', 'pipe', 'inherit'] });
}

function isBounded(t: Test, before: Memory, after: Memory): void {
  t.ok(after.heap - before.heap < growth.left, `heap: ${before.heap} bytes before, ${after.heap} after`);
  t.ok(
    after.external - before.external < growth.left,
    `buffers: ${before.external} before, ${after.external} after`,
  );
  t.ok(after.most - before.most < growth.most, `at most ${after.most} bytes, ${before.most} before`);
}

t.test('parsers of bodies and headers', async (t) => {
  const child = started('parsers');
  const [printed] = await Promise.all([text(child.stdout ?? process.stdin), once(child, 'exit')]);
  t.equal(child.exitCode, 0, 'its heap was large enough');
  const { before, after, outcomes } = JSON.parse(printed) as ParserReport;
  isBounded(t, before, after);
  t.ok(outcomes.length > 90, `${outcomes.length} inputs`);
  for (const { name, status, work } of outcomes) {
    const step = Number(/, (\d+) at a time$/.exec(name)?.[1] ?? NaN);
    if (name.startsWith('Range')) t.ok(work <= 16, `${name}: ${work} ranges`);
    else if (name === 'as much as may be') t.same({ status, work }, { status: null, work: 3_001 }, name);
    else if (Number.isNaN(step)) t.ok([null, 400, 414, 502].includes(status), `${name}: ${status}`);
    else {
      t.ok(status !== null && [400, 403, 413].includes(status), `${name}: ${status}`);
      // What its stream has read ahead was not asked for.
      t.ok(work <= bodyLimit + 2 * Math.max(step, 16 * kib) + kib, `${name}: ${work} bytes taken`);
    }
  }
});

interface Door {
  readonly host: string;
  readonly port: number;
  memory(): Promise<Memory>;
  close(): Promise<void>;
}

async function openDoor(t: Test): Promise<Door> {
  const child = started('door', t.testdir());
  const exited = once(child, 'exit');
  if (child.stdout === null || child.stdin === null) throw new Error('no pipes');
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const { stdin } = child;
  const next = async (): Promise<string> => String((await lines.next()).value);
  const { hostname, port } = new URL(await next());
  return {
    host: hostname,
    port: Number(port),
    async memory() {
      stdin.write('memory\n');
      return JSON.parse(await next()) as Memory;
    },
    async close() {
      stdin.end();
      await exited;
      t.equal(child.exitCode, 0, 'its heap was large enough');
    },
  };
}

const authorization = `Basic ${Buffer.from(`${door.user}:${door.password}`).toString('base64')}`;
const head = (line: string, more = ''): string =>
  `${line} HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\n${more}\r\n`;

/** The status of the answer to `start` and as many of `piece` as are taken before it, at most 64 MiB. */
async function statusOf({ host, port }: Door, start: string, piece = ''): Promise<number> {
  const socket = connect(port, host);
  socket.on('error', () => undefined);
  let heard = '';
  const answered = new Promise<void>((resolve) => {
    socket.on('data', (chunk: Buffer) => {
      heard += chunk.toString('latin1');
      resolve();
    });
    socket.on('close', () => resolve());
  });
  let isOver = false;
  void answered.then(() => (isOver = true));
  socket.write(start);
  for (let sent = 0; piece !== '' && !isOver && sent < 64 * mib; sent += piece.length) {
    if (!socket.write(piece)) await Promise.race([once(socket, 'drain').catch(() => undefined), answered]);
  }
  await answered;
  socket.destroy();
  return Number(/^HTTP\/1\.1 (\d{3}) /.exec(heard)?.[1] ?? NaN);
}

/** Asks, and reads nothing. */
async function deaf({ host, port }: Door, request: string): Promise<Socket> {
  const socket = connect(port, host);
  socket.on('error', () => undefined);
  socket.pause();
  await new Promise<void>((resolve) => socket.write(request, () => resolve()));
  return socket;
}

/** Bytes of the body of the answer. */
async function answerBytes({ host, port }: Door, range: string): Promise<{ status: number; bytes: number }> {
  const headers = { authorization, range };
  const request = http.get({ host, port, path: `/${door.file}`, headers, agent: false });
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  let bytes = 0;
  for await (const chunk of response) bytes += (chunk as Buffer).length;
  return { status: response.statusCode ?? 0, bytes };
}

t.test('a door', async (t) => {
  const server = await openDoor(t);
  const before = await server.memory();
  const refusals = new Set<number>();
  for (let time = 0; time < 20; time += 1) {
    refusals.add(await statusOf(server, head('GET /', `X: ${'x'.repeat(mib)}\r\n`)));
    refusals.add(await statusOf(server, 'GET / HTTP/1.1\r\nHost: x\r\n', 'X: y\r\n'.repeat(1_000)));
    refusals.add(await statusOf(server, `GET /${'a'.repeat(mib)} HTTP/1.1\r\nHost: x\r\n\r\n`));
  }
  // It hangs up before all has been sent, by which now and then its answer is lost.
  refusals.delete(NaN);
  t.same([...refusals], [431], 'headers of a megabyte, headers without an end, a long target');
  const chunk = (piece: string): string =>
    `${(16 * kib).toString(16)}\r\n${piece.repeat(16 * kib).slice(0, 16 * kib)}\r\n`;
  for (const method of ['PROPFIND', 'PROPPATCH', 'LOCK']) {
    for (const piece of ['<a>', 'x', '<b/>', '&lol;', ' ']) {
      const start = head(`${method} /${door.file}`, 'Transfer-Encoding: chunked\r\n') + '3\r\n<a>\r\n';
      const status = await statusOf(server, start, chunk(piece));
      t.ok([400, 403, 413].includes(status), `${method} with an endless body of ${piece}: ${status}`);
    }
  }
  const everyByte = Array.from({ length: 1_000 }, (_, at) => `${at * 2}-${at * 2}`).join(',');
  for (const range of [
    `bytes=${'0-,'.repeat(4_000)}`,
    `bytes=${everyByte}`,
    `bytes=${'-1,'.repeat(4_000)}`,
  ]) {
    const { status, bytes } = await answerBytes(server, range);
    t.ok(status === 200 && bytes === door.fileBytes, `${range.slice(0, 20)}...: ${status}, ${bytes} bytes`);
  }
  const few = Array.from({ length: 16 }, (_, at) => `${at * 10_000}-${at * 10_000 + 9_000}`).join(',');
  const parts = await answerBytes(server, `bytes=${few}`);
  t.ok(parts.status === 206 && parts.bytes <= door.fileBytes, `16 ranges: ${parts.bytes} bytes`);
  isBounded(t, before, await server.memory());
  await server.close();
});

t.test('a door whose answers nobody reads', async (t) => {
  const server = await openDoor(t);
  const before = await server.memory();
  // Of each of 300 members 256 properties with long names, which none has: 30 MB.
  const names = Array.from({ length: 256 }, (_, at) => `<n${'x'.repeat(400)}${at} xmlns="u"/>`).join('');
  const asked = `<propfind xmlns="DAV:"><prop>${names}</prop></propfind>`;
  const request =
    head(`PROPFIND /${door.folder}/`, `Depth: 1\r\nContent-Length: ${asked.length}\r\n`) + asked;
  const sockets = await Promise.all(Array.from({ length: 8 }, () => deaf(server, request)));
  const headers = { authorization, depth: '1', 'content-length': asked.length };
  const reader = http.request({
    host: server.host,
    port: server.port,
    path: `/${door.folder}/`,
    method: 'PROPFIND',
    headers,
  });
  reader.end(asked);
  const [response] = (await once(reader, 'response')) as [http.IncomingMessage];
  let bytes = 0;
  for await (const chunk of response) bytes += (chunk as Buffer).length;
  t.ok(bytes > 20 * mib, `who reads gets all of it: ${bytes} bytes`);
  isBounded(t, before, await server.memory());
  for (const socket of sockets) socket.destroy();
  await server.close();
});
