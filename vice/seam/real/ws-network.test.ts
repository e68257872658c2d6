/** What only the network of sockets must stand: hostile bytes, slow peers, resets, wrong credentials. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import t, { type Test } from 'tap';
import { WebSocket } from 'ws';
import { EchoService } from '../../../conformance/suites/echo-service.js';
import { SocketsUnderTest } from '../../../conformance/suites/sockets-under-test.js';
import { decode, encode, type FailureKind } from '../../interface/index.js';
import { frameBytes, linkTiming, type DialOptions } from '../network.js';

const dialOptions: DialOptions = { credential: () => 'good', onPush: () => undefined };

function failure(kind: FailureKind): { readonly name: 'Failure'; readonly kind: FailureKind } {
  return { name: 'Failure', kind };
}

interface SocketServer {
  readonly net: SocketsUnderTest;
  readonly service: EchoService;
  /** `127.0.0.1:port` */
  readonly place: string;
}

async function socketServer(test: Test): Promise<SocketServer> {
  const net = new SocketsUnderTest();
  const service = new EchoService();
  const listener = await net.server.listen(net.address, service);
  test.teardown(async () => {
    await listener.close();
    await net.close();
  });
  return { net, service, place: listener.address.slice('ws://'.length) };
}

/** A client of our own making, which need not keep to the protocol. */
async function rawClient(place: string): Promise<{ socket: WebSocket; closed: Promise<number> }> {
  const socket = new WebSocket(`ws://${place}/link`, { headers: { authorization: 'Bearer good' } });
  const closed = new Promise<number>((resolve) => socket.once('close', resolve));
  await new Promise((resolve) => socket.once('message', resolve));
  return { socket, closed };
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

function http(
  place: string,
  path: string,
  method = 'GET',
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const receive = (response: IncomingMessage): void => {
      let body = '';
      response.on('data', (chunk: Buffer) => (body += chunk.toString()));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
    };
    httpRequest(`http://${place}${path}`, { method, headers }, receive).on('error', reject).end();
  });
}

async function turns(net: SocketsUnderTest, what: string, condition: () => boolean): Promise<void> {
  for (let turn = 0; !condition(); turn += 1) {
    if (turn > 100_000) throw new Error(`it did not come to this: ${what}`);
    await net.turn();
  }
}

t.test('whatever a client sends, only its own session ends', async (test) => {
  const { net, service, place } = await socketServer(test);
  const good = await net.client.dial(`ws://${place}`, dialOptions);
  const call = { frame: 'call', id: 1, name: 'never', argument: null };
  const deep = Buffer.alloc(1_000_000, 0x91);
  const faults: Readonly<Record<string, readonly (Uint8Array | string)[]>> = {
    text: ['{"frame":"beat"}'],
    'no MessagePack': [Buffer.from([0xc1, 0xff, 0x00])],
    nothing: [new Uint8Array()],
    'a million nested arrays': [deep],
    'an array of four billion': [Buffer.from([0xdd, 0xff, 0xff, 0xff, 0xff, 0xc0])],
    'no frame': [encode([1, 2, 3])],
    'an unknown frame': [encode({ frame: 'shutdown' })],
    'a frame of the server': [encode({ frame: 'reply', id: 1, result: 0 })],
    'a call without an id': [encode({ ...call, id: 'x' })],
    'a call without a name': [encode({ ...call, name: 5 })],
    'two calls with one id': [encode(call), encode(call)],
    'a frame that is too large': [encode({ ...call, argument: new Uint8Array(frameBytes) })],
  };
  for (const [fault, messages] of Object.entries(faults)) {
    const { socket, closed } = await rawClient(place);
    for (const message of messages) socket.send(message);
    test.type(await closed, 'number', fault);
    test.equal(await good.call('echo', fault), fault, 'the other session stands');
  }
  await turns(net, 'all but one session are closed', () => service.open.size === 1);

  const { socket } = await rawClient(place);
  socket.send(encode({ frame: 'cancel', id: 77 }));
  socket.send(encode({ ...call, name: 'echo' }));
  const reply = await new Promise<Uint8Array>((resolve) => socket.once('message', resolve));
  test.match(decode(reply), { frame: 'reply', id: 1 }, 'a cancel of an unknown call is no fault');
  socket.terminate();
  await turns(net, 'an early close ends the session', () => service.open.size === 1);
  good.close();
});

t.test('bytes that are no HTTP, or half of it, harm nobody', async (test) => {
  const { net, place } = await socketServer(test);
  const [host = '', port = ''] = place.split(':');
  const upload = 'PUT /bulk/x?start=0 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer good\r\n';
  const chunked = `${upload}Transfer-Encoding: chunked\r\n\r\n5\r\nha`;
  for (const bytes of ['\0\0\0\0', 'GET /link HTTP/1.1\r\nUpg', `${upload}\r\n`, chunked]) {
    const socket = connect(Number(port), host);
    await new Promise((resolve) => socket.end(bytes, () => resolve(undefined)));
    socket.on('error', () => undefined).resume();
  }
  const link = await net.client.dial(`ws://${place}`, dialOptions);
  test.equal(await link.call('echo', 1), 1);
  link.close();
});

t.test('pages need no credential, links and transfers do', async (test) => {
  const { net, service, place } = await socketServer(test);
  test.same(await http(place, '/healthz'), { status: 200, body: 'well' });
  test.equal((await http(place, '/nothing')).status, 404);
  test.equal((await http(place, '/broken')).status, 500);
  test.equal((await http(place, '/healthz', 'POST')).status, 405);

  const upgrade = { connection: 'upgrade', upgrade: 'websocket' };
  test.equal((await http(place, '/link', 'GET', upgrade)).status, 401, 'refused before the upgrade');
  test.equal((await http(place, '/link', 'GET', { ...upgrade, authorization: 'Bearer bad' })).status, 401);
  test.equal((await http(place, '/other', 'GET', { ...upgrade, authorization: 'Bearer good' })).status, 404);
  test.match(await http(place, '/bulk/10?start=0'), { status: 401, body: /not-authenticated/ });
  test.equal((await http(place, '/bulk/10?start=0', 'PUT', { authorization: 'Basic good' })).status, 401);

  const headers = { authorization: 'Bearer good' };
  for (const path of ['/10', '/?start=0', '/10?start=-1', '/%zz?start=0', '/1?start=1e3']) {
    test.match(await http(place, `/bulk${path}`, 'GET', headers), { status: 400, body: /invalid/ }, path);
  }
  const link = await net.client.dial(`ws://${place}`, dialOptions);
  service.accepts = false;
  await test.rejects(link.download('10', 0), failure('not-authenticated'), 'the credential has lapsed');
  link.close();
});

t.test('an address in use is told with what to do', async (test) => {
  const { net, service, place } = await socketServer(test);
  const message = new RegExp(`${place} is in use: stop .* or configure another port`);
  await test.rejects(net.server.listen(`ws://${place}`, service), { ...failure('invalid'), message });
  const elsewhere = { ...failure('invalid'), message: /192\.0\.2\.1/ };
  await test.rejects(net.server.listen('ws://192.0.2.1:0', service), elsewhere);
});

t.test('a client that says nothing gets beats, and after silenceMs its end', async (test) => {
  const { net, service, place } = await socketServer(test);
  const { socket, closed } = await rawClient(place);
  let beats = 0;
  socket.on('message', (message: Buffer) => {
    if ((decode(message) as { frame: string }).frame === 'beat') beats += 1;
  });
  for (let beat = 1; beat <= 4; beat += 1) {
    await net.clock.advance(linkTiming.beatMs);
    await turns(net, `beat ${beat}`, () => beats === beat);
  }
  test.equal(service.open.size, 1);
  await net.clock.advance(linkTiming.beatMs);
  test.equal(service.open.size, 0);
  test.type(await closed, 'number');
});

t.test('a frame on its way is a sign of life', async (test) => {
  const { net, service, place } = await socketServer(test);
  const { socket } = await rawClient(place);
  const call = encode({ frame: 'call', id: 1, name: 'echo', argument: new Uint8Array(1000) });
  const reply = new Promise<Uint8Array>((resolve) => {
    socket.on('message', (message: Buffer) => {
      if ((decode(message) as { frame: string }).frame === 'reply') resolve(message);
    });
  });
  for (let at = 0; at < call.length; at += 100) {
    socket.send(call.subarray(at, at + 100), { binary: true, fin: at + 100 >= call.length });
    await net.pass(1000);
  }
  test.match(decode(await reply), { frame: 'reply', id: 1 }, 'after 11 s');
  test.equal(service.open.size, 1);
  socket.terminate();
});

t.test('when the peer is killed, everything under way fails at once', async (test) => {
  const { net, service, place } = await socketServer(test);
  const link = await net.client.dial(await net.route(`ws://${place}`), dialOptions);
  const call = test.rejects(link.call('never', null), failure('unreachable'));
  const source = await link.download(String(500e6), 0);
  const download = test.rejects(drained(source), failure('unreachable'));
  net.cut();
  await Promise.all([call, download, link.closed]);
  await turns(net, 'the server has noticed', () => service.open.size === 0 && service.ended === 'returned');
});

async function drained(source: AsyncIterable<Uint8Array>): Promise<number> {
  let bytes = 0;
  for await (const chunk of source) bytes += chunk.length;
  return bytes;
}

t.test('a slow receiver holds the sender back, and 50 MB arrive', async (test) => {
  const { net, service, place } = await socketServer(test);
  const link = await net.client.dial(`ws://${place}`, dialOptions);
  // What sockets and streams hold between the two; the kernel's buffers are the most of it.
  const between = 16e6;

  const source = (await link.download(String(50e6), 0))[Symbol.asyncIterator]();
  let received = ((await source.next()).value as Uint8Array).length;
  for (let turn = 0; turn < 2000; turn += 1) await net.turn();
  test.ok(service.moved < received + between, `the server has read only ${service.moved} bytes ahead`);
  for (let next = await source.next(); next.done !== true; next = await source.next()) {
    received += next.value.length;
  }
  test.equal(received, 50e6);

  let open: () => void = () => undefined;
  service.gate = new Promise((resolve) => (open = resolve));
  service.moved = 0;
  let sent = 0;
  const chunks = async function* (): AsyncGenerator<Uint8Array> {
    for (; sent < 50e6; sent += 100_000) yield Buffer.alloc(100_000);
  };
  const upload = link.upload('x', 0, chunks());
  for (let turn = 0; turn < 2000; turn += 1) await net.turn();
  test.ok(sent < service.moved + between, `the client has read only ${sent} bytes ahead`);
  open();
  await upload;
  test.equal(service.moved, 50e6);
  link.close();
});

t.test('a download that is given up when all of it has come harms nobody', async (test) => {
  const { net, place } = await socketServer(test);
  const link = await net.client.dial(`ws://${place}`, dialOptions);
  for (const waited of [0, 1, 3, 10, 50]) {
    const stop = new AbortController();
    const source = (await link.download('1000', 0, stop.signal))[Symbol.asyncIterator]();
    for (let received = 0; received < 1000;) received += ((await source.next()).value as Uint8Array).length;
    // Its connection is another's by then; an error on it would be nobody's, and the end of the process.
    for (let turn = 0; turn < waited; turn += 1) await net.turn();
    stop.abort();
    for (let turn = 0; turn < 20; turn += 1) await net.turn();
    await source.return?.();
    test.equal(await drained(await link.download('10', 0)), 10, 'and the next one comes');
  }
  link.close();
});

t.test('transfers, one after another, have one connection', async (test) => {
  const { net, place } = await socketServer(test);
  const link = await net.client.dial(`ws://${place}`, dialOptions);
  let connections = 0;
  const count = (): void => void (connections += 1);
  subscribe('net.client.socket', count);
  test.teardown(() => unsubscribe('net.client.socket', count));
  for (let transfer = 0; transfer < 10; transfer += 1) {
    test.equal(await drained(await link.download('1000', 0)), 1000);
    await link.upload('x', 0, oneChunk());
  }
  test.equal(connections, 1);
  link.close();
});

async function* oneChunk(): AsyncGenerator<Uint8Array> {
  yield Buffer.alloc(1000);
}

t.test('a transfer that stands still is given up, a long one is not', async (test) => {
  const { net, service, place } = await socketServer(test);
  const link = await net.client.dial(`ws://${place}`, dialOptions);

  const source = (await link.download(String(500e6), 0))[Symbol.asyncIterator]();
  await source.next();
  await net.pass(31_000);
  await turns(net, 'the server has ended the source', () => service.ended === 'returned');
  const rest = async (): Promise<void> => {
    while ((await source.next()).done !== true) continue;
  };
  await test.rejects(rest(), failure('unreachable'), 'the reader that slept');

  service.ended = undefined;
  const steps: (() => void)[] = [];
  const slow = async function* (): AsyncGenerator<Uint8Array> {
    for (;;) {
      yield Buffer.alloc(1000);
      await new Promise<void>((resolve) => steps.push(resolve));
    }
  };
  service.moved = 0;
  const upload = test.rejects(link.upload('x', 0, slow()), failure('unreachable'), 'the upload');
  for (const arrived of [1000, 2000, 3000]) {
    await turns(net, `${arrived} bytes have arrived`, () => service.moved === arrived);
    await net.pass(25_000);
    test.equal(service.ended, undefined, 'progress all 25 s will do');
    if (arrived < 3000) steps.pop()?.();
  }
  await net.pass(6000);
  await turns(net, 'the server has given it up', () => service.ended === 'timeout');
  steps.pop()?.();
  await upload;
  link.close();
});
