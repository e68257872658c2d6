/** The door over real HTTP, on a Venus in memory: every method as clients send it, and as nobody should. */
import http from 'node:http';
import net from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import t, { type Test } from 'tap';
import { MemoryVenus, type MemoryVenusOptions } from '../../venus/twin/memory-venus.js';
import { Failure } from '../../venus/interface.js';
import type { LogFields } from '../../vice/seam/log.js';
import { silentLog } from '../../vice/seam/log.js';
import { systemClock } from '../../vice/seam/real/system-clock.js';
import { seededRandom } from '../../vice/seam/twin/seeded-random.js';
import { openUsers } from '../access/users.js';
import { startWebdav } from './host.js';
import { createLocks } from './lock-table.js';

const modified = Date.UTC(2024, 0, 2, 3, 4, 5);
const caller = { user: 'alice' };
const authorization = `Basic ${Buffer.from('alice:sesame').toString('base64')}`;

interface Reply {
  readonly status: number;
  readonly reason: string;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

interface Asked {
  readonly headers?: http.OutgoingHttpHeaders;
  readonly body?: string | Buffer;
}

interface World {
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

type WorldOptions = MemoryVenusOptions & { readonly prefix?: string };

/** A test with a share of its own, of which nothing may be left open at the end. */
function story(name: string, tell: (t: Test, world: World) => Promise<void>, options: WorldOptions = {}): void {
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
  const users = await openUsers(join(t.testdir(), 'users'), { ln: 10, r: 8, p: 1 });
  for (const name of ['alice', 'bob']) await users.add(name, 'sesame');
  const locks = createLocks({ venus, clock, random, log });
  const isOwnHost = (host: string): boolean => host === 'files.example';
  const share = { venus, locks, clock, random, log, prefix: options.prefix ?? '', isOwnHost };
  const webdav = await startWebdav({ listen: { host: '127.0.0.1', port: 0 }, share, users, log, clock });
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

function raw(url: URL, bytes: readonly (string | Buffer)[], until: 'closed' | 'answered' | 'sent'): Promise<string> {
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

story('OPTIONS tells every client that it may lock and write', async (t, { ask, raw, venus }) => {
  await venus.makeDirectory(caller, await root(venus), 'd');
  for (const path of ['/', '/d', '/d/', '/nothing/here.docx']) {
    const { status, headers, body } = await ask('OPTIONS', path);
    t.equal(status, 200, path);
    t.same(headers['dav'], '1, 2, 3');
    t.equal(headers['ms-author-via'], 'DAV');
    t.equal(headers['content-length'], '0');
    t.equal(headers['accept-ranges'], 'bytes');
    t.match(headers.allow, /LOCK/);
    t.equal(headers['access-control-allow-origin'], undefined, 'no page of another origin may ask');
    t.equal(body, '');
  }
  t.match(await raw('OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'), /^HTTP\/1\.1 200 /);
});

async function root(venus: MemoryVenus) {
  const { object } = await venus.lookup(caller, []);
  if (object === null) throw new Error('there is no root');
  return object.fid;
}

story('a share under a prefix answers on the way down to it, and nowhere else', async (t, { ask }) => {
  for (const path of ['/', '/files', '/files/', '/files/share', '/files/share/', '/elsewhere']) {
    t.equal((await ask('OPTIONS', path)).status, 200, `OPTIONS ${path}`);
  }
  const above = await ask('PROPFIND', '/', { headers: { depth: '1' } });
  t.equal(above.status, 207);
  t.match(above.body, /<D:href>\/<\/D:href>.*<D:href>\/files\/<\/D:href>/);
  t.equal((await ask('PROPFIND', '/files/', { headers: { depth: '0' } })).status, 207);
  t.equal((await ask('PROPFIND', '/files/share/', { headers: { depth: '0' } })).status, 207);
  t.equal((await ask('PROPFIND', '/elsewhere', { headers: { depth: '0' } })).status, 404);
  t.equal((await ask('GET', '/')).status, 200);
  t.equal((await ask('PUT', '/x', { body: 'x' })).status, 404);
  t.equal((await ask('PUT', '/files/x', { body: 'x' })).status, 404);
  t.equal((await ask('DELETE', '/files')).status, 405);
  t.equal((await ask('PUT', '/files/share_evil', { body: 'x' })).status, 404);
  t.equal((await ask('PUT', '/files/share/a', { body: 'x' })).status, 201);
  const out = { destination: '/files/share_evil/a' };
  t.equal((await ask('MOVE', '/files/share/a', { headers: out })).status, 502);
  t.equal((await ask('GET', '/healthz', { headers: { authorization: '' } })).body, 'ok\n');
  t.match((await ask('GET', '/metrics')).body, /coda_webdav_requests_total\{method="PUT",status="201"\} 1/);
}, { prefix: '/files/share' });

story('nobody gets in without a password, whatever is asked', async (t, { ask, raw, contents }) => {
  for (const method of ['OPTIONS', 'GET', 'PUT', 'PROPFIND', 'DELETE', 'BREW']) {
    if (method === 'BREW') continue;
    const { status, headers } = await ask(method, '/x', { headers: { authorization: '' } });
    t.equal(status, 401, method);
    t.match(headers['www-authenticate'], /^Basic realm="[^"]+", charset="UTF-8"$/);
  }
  const login = async (value: string): Promise<number> =>
    (await ask('OPTIONS', '/', { headers: { authorization: value } })).status;
  const basic = (pair: string, encoding: BufferEncoding = 'utf8'): string =>
    `Basic ${Buffer.from(pair, encoding).toString('base64')}`;
  t.equal(await login('Bearer'), 401, 'as Office begins');
  t.equal(await login('Basic ###'), 401);
  t.equal(await login(basic('alice')), 401);
  t.equal(await login(basic('alice:wrong')), 401);
  t.equal(await login(basic('nobody:sesame')), 401);
  t.equal(await login(basic('OFFICE\\alice:sesame')), 200, 'as Windows begins');

  // KIO and LibreOffice send the whole body before they look at the answer.
  const large = Buffer.alloc(8 * 1024 * 1024, 'x');
  const head = `PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: ${large.length}\r\n\r\n`;
  const next = `GET /x HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\nConnection: close\r\n\r\n`;
  const both = await raw(head, large, next);
  t.match(both, /^HTTP\/1\.1 401 [^]*HTTP\/1\.1 404 /, 'and the connection goes on');
  t.equal(await contents('x'), undefined);
});

story('PUT makes and replaces, and the answer tells the version', async (t, { ask, contents, lines }) => {
  const made = await ask('PUT', '/a%20b.txt', { body: 'first' });
  t.equal(made.status, 201);
  t.match(made.headers.etag, /^"[^"]+"$/);
  t.equal(made.headers['last-modified'], 'Tue, 02 Jan 2024 03:04:05 GMT');
  t.ok(made.headers.date);
  t.equal(made.headers.location, undefined);
  const replaced = await ask('PUT', '/a%20b.txt', { body: 'other' });
  t.equal(replaced.status, 204);
  t.not(replaced.headers.etag, made.headers.etag, 'same length, same second, other version');
  const got = await ask('GET', '/a%20b.txt');
  t.match(got, { status: 200, body: 'other', headers: { etag: replaced.headers.etag, 'content-length': '5' } });
  t.equal(await contents('a b.txt'), 'other');

  const close = lines.filter(({ event }) => event === 'close').at(-1);
  t.match(close?.fields, { user: 'alice', bytes: 5, created: false, fid: String, version: String });
  t.notMatch(JSON.stringify(lines), /sesame|Basic/);

  t.equal((await ask('PUT', '/no/such/folder', { body: 'x' })).status, 409);
  t.equal((await ask('PUT', '/a%20b.txt/below', { body: 'x' })).status, 409);
  t.equal((await ask('PUT', '/', { body: 'x' })).status, 405);
  t.equal((await ask('MKCOL', '/d')).status, 201);
  t.equal((await ask('PUT', '/d', { body: 'x' })).status, 405);
  t.equal((await ask('PUT', '/d/', { body: 'x' })).status, 405);
  t.equal((await ask('PUT', '/new/', { body: 'x' })).status, 409);
  t.equal((await ask('PUT', '/a%20b.txt', { body: 'x', headers: { 'content-range': 'bytes 0-0/9' } })).status, 400);
  t.equal((await ask('PUT', '/a%20b.txt', { body: 'x', headers: { 'content-encoding': 'gzip' } })).status, 415);
  t.equal(await contents('a b.txt'), 'other');
});

story('PUT takes bodies of every form, large ones too', async (t, { ask, raw, contents }) => {
  const chunked = { 'transfer-encoding': 'chunked' };
  const expected = (length: number) => ({ ...chunked, 'x-expected-entity-length': String(length) });
  t.equal((await ask('PUT', '/chunked', { body: 'abc', headers: chunked })).status, 201);
  t.equal((await ask('PUT', '/finder', { body: 'abc', headers: expected(3) })).status, 201);
  const head = `PUT /zero HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\nConnection: close\r\n\r\n`;
  t.match(await raw(head), /^HTTP\/1\.1 201 /, 'no length and no body: empty');
  t.equal(await contents('zero'), '');
  t.match(await ask('GET', '/zero'), { status: 200, body: '', headers: { 'content-length': '0' } });

  const large = Buffer.from(Array.from({ length: 3_000_000 }, (_, index) => (index * 7) % 251));
  t.equal((await ask('PUT', '/large', { body: large })).status, 201);
  t.equal((await ask('PUT', '/large', { body: large, headers: chunked })).status, 204);
  t.equal(await contents('large'), large.toString('utf8'));
  const time = { 'x-oc-mtime': '1700000000' };
  const kept = await ask('PUT', '/kept', { body: 'x', headers: time });
  t.match(kept.headers, { 'x-oc-mtime': 'accepted', 'last-modified': 'Tue, 14 Nov 2023 22:13:20 GMT' });
});

story('a body that is cut off, short, long or wrong changes nothing', async (t, { ask, rawAndGone, contents, names }) => {
  const before = await ask('PUT', '/f', { body: 'old contents' });
  const auth = `Host: x\r\nAuthorization: ${authorization}\r\n`;
  const cut = (head: string, body: string): Promise<string> =>
    rawAndGone(`PUT /f HTTP/1.1\r\n${auth}${head}\r\n\r\n`, body);
  await cut('Content-Length: 100000', 'half of it');
  await cut('Transfer-Encoding: chunked', '5\r\nhello\r\n');
  await cut('Transfer-Encoding: chunked', '5\r\nhello\r\nzz\r\n');
  await cut('Content-Length: 3\r\nTransfer-Encoding: chunked', '3\r\nabc\r\n0\r\n\r\n');
  await cut('Content-Length: 3\r\nContent-Length: 4', 'abcd');
  await cut('Content-Length: -1', 'abcd');
  const chunked = { 'transfer-encoding': 'chunked' };
  const wrong: readonly http.OutgoingHttpHeaders[] = [
    { ...chunked, 'x-expected-entity-length': '4' },
    { ...chunked, 'x-expected-entity-length': '2' },
    { ...chunked, 'oc-total-length': '9' },
    { 'content-md5': 'AAAAAAAAAAAAAAAAAAAAAA==' },
    { 'oc-checksum': 'SHA1:0000000000000000000000000000000000000000' },
    { 'oc-checksum': 'ADLER32:00000001' },
    { 'repr-digest': 'sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:' },
  ];
  for (const headers of wrong) {
    const { status, body } = await ask('PUT', '/f', { body: 'abc', headers });
    t.equal(status, 400, JSON.stringify(headers));
    t.match(body, /nothing is changed/);
  }
  const after = await ask('GET', '/f');
  t.equal(after.body, 'old contents');
  t.equal(after.headers.etag, before.headers.etag);
  t.same(await names(), ['f']);
  t.equal(await contents('f'), 'old contents');
});

story('what will be refused is refused before 100 Continue', async (t, { rawUntilAnswered, ask, contents }) => {
  await ask('PUT', '/f', { body: 'old' });
  const put = (head: string, ...body: readonly string[]): Promise<string> => {
    const common = `Host: x\r\nAuthorization: ${authorization}\r\nExpect: 100-continue\r\n`;
    return rawUntilAnswered(`PUT /f HTTP/1.1\r\n${common}${head}\r\n\r\n`, ...body);
  };
  const good = await put('Content-Length: 3\r\nConnection: close', 'new');
  t.match(good, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 204 /);
  t.equal(await contents('f'), 'new');
  const full = await put('Content-Length: 2000000');
  t.match(full, /^HTTP\/1\.1 507 /);
  t.match(full, /X-MSDAVEXT_ERROR: 589923/);
  t.match(full, /Connection: close/i, 'the body may come or not: the connection cannot go on');
  t.match(await put('Content-Length: 5\r\nIf-Match: "other"'), /^HTTP\/1\.1 412 /);
  t.match(await put('Content-Length: 5\r\nIf: (<urn:uuid:none>)'), /^HTTP\/1\.1 412 /);
  const impatient = await put('Content-Length: 1500000', 'x'.repeat(1_500_000));
  t.match(impatient, /^HTTP\/1\.1 507 /, 'who does not wait can still read the answer');
  const nobody = await rawUntilAnswered('PUT /f HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n');
  t.match(nobody, /^HTTP\/1\.1 401 /);
  for (const name of ['x-expected-entity-length', 'oc-total-length']) {
    const headers = { 'transfer-encoding': 'chunked', [name]: '2000000' };
    t.equal((await ask('PUT', '/f', { headers, body: 'x' })).status, 507, name);
  }
  t.equal(await contents('f'), 'new');
}, { capacity: 1_000_000 });

story('conditions hold at the moment of the change', async (t, { ask, venus, contents }) => {
  const overtaken = async (): Promise<void> => {
    const writer = await venus.write(caller);
    await writer.write(Buffer.from('overtaken'));
    await writer.close({ parent: await root(venus), name: 'f' });
  };
  const put = (headers: http.OutgoingHttpHeaders) => ask('PUT', '/f', { body: 'mine', headers });
  t.equal((await put({ 'if-match': '*' })).status, 412);
  const made = await put({ 'if-none-match': '*' });
  t.equal(made.status, 201);
  const etag = String(made.headers.etag);
  t.equal((await put({ 'if-none-match': '*' })).status, 412);
  t.equal((await put({ overwrite: 'F' })).status, 412, 'as gvfs asks');
  t.equal((await put({ 'if-match': `W/${etag}` })).status, 412);
  const second = await put({ 'if-match': etag });
  t.equal(second.status, 204);
  t.equal((await put({ 'if-match': etag })).status, 412);

  venus.beforeNext('writer.close', overtaken);
  t.equal((await put({ 'if-match': String(second.headers.etag) })).status, 412);
  t.equal(await contents('f'), 'overtaken');
  t.equal((await ask('DELETE', '/f', { headers: { 'if-match': etag } })).status, 412);
  const now = String((await ask('HEAD', '/f')).headers.etag);
  venus.beforeNext('remove', overtaken);
  t.equal((await ask('DELETE', '/f', { headers: { 'if-match': now } })).status, 412);
  t.equal((await ask('DELETE', '/f')).status, 204);
  venus.beforeNext('writer.close', overtaken);
  t.equal((await put({ 'if-none-match': '*' })).status, 412);
  venus.failNext('writer.close', new Failure('conflict', 'test', 'words'));
  t.equal((await put({})).status, 409, 'who stated no condition is not told that one failed');
});

story('GET sends the version that it opened, whole, in part or not at all', async (t, { ask, venus }) => {
  const put = await ask('PUT', '/f.txt', { body: '0123456789' });
  const etag = String(put.headers.etag);
  const get = (headers: http.OutgoingHttpHeaders, method = 'GET') => ask(method, '/f.txt', { headers });
  const head = await get({}, 'HEAD');
  t.match(head, {
    status: 200,
    body: '',
    headers: {
      etag,
      'content-length': '10',
      'last-modified': 'Tue, 02 Jan 2024 03:04:05 GMT',
      'accept-ranges': 'bytes',
      'content-type': 'text/plain',
      'x-content-type-options': 'nosniff',
    },
  });
  t.match(await get({ 'if-none-match': etag }), { status: 304, body: '', headers: { etag } });
  t.equal((await get({ 'if-none-match': '"x"' })).status, 200);
  t.equal((await get({ 'if-match': '"x"' }, 'HEAD')).status, 412);
  t.match(await get({ range: 'bytes=0-0' }), { status: 206, body: '0', headers: { 'content-range': 'bytes 0-0/10' } });
  t.match(await get({ range: 'bytes=7-' }), { status: 206, body: '789', headers: { 'content-length': '3' } });
  t.match(await get({ range: 'bytes=-2' }), { status: 206, body: '89' });
  const beyond = await get({ range: 'bytes=10-' });
  t.match(beyond, { status: 416, headers: { 'content-range': 'bytes */10' } });
  t.match(await get({ range: 'bytes=0-0', 'if-range': etag }), { status: 206 });
  t.match(await get({ range: 'bytes=0-0', 'if-range': '"x"' }), { status: 200, body: '0123456789' });
  const parts = await get({ range: 'bytes=0-1,8-9' });
  t.equal(parts.status, 206);
  const boundary = /^multipart\/byteranges; boundary=(\w+)$/.exec(String(parts.headers['content-type']))?.[1];
  const part = (range: string, bytes: string): string =>
    `\r\n--${boundary}\r\nContent-Type: text/plain\r\nContent-Range: bytes ${range}/10\r\n\r\n${bytes}`;
  t.equal(parts.body, `${part('0-1', '01')}${part('8-9', '89')}\r\n--${boundary}--\r\n`);
  t.equal(parts.headers['content-length'], String(parts.body.length));

  venus.beforeNext('open', async () => {
    const writer = await venus.write(caller);
    await writer.close({ parent: await root(venus), name: 'f.txt' });
  });
  const newer = await get({ 'if-match': etag });
  t.equal(newer.status, 412, 'another version was opened than was looked up');
  t.equal((await ask('GET', '/none')).status, 404);
  t.equal((await ask('GET', '/f.txt/below')).status, 404);
  for (const name of ['page.html', 'drawing.svg', 'script.js']) {
    await ask('PUT', `/${name}`, { body: '<script>' });
    const { headers } = await ask('GET', `/${name}`);
    t.match(headers, { 'content-disposition': 'attachment', 'content-security-policy': 'sandbox' }, name);
  }
});

story('a failure is answered with its status, and one in the middle never looks whole', async (t, { ask, venus, raw }) => {
  await ask('PUT', '/f', { body: Buffer.alloc(300_000, 'x') });
  const away = new Failure('unreachable', 'venus.open', 'no server');
  venus.failNext('open', away);
  const refused = await ask('GET', '/f');
  t.equal(refused.status, 503);
  t.equal(refused.headers['retry-after'], '30');
  t.match(refused.reason, /unreachable/, 'gvfs shows the reason phrase');
  t.match(refused.headers['content-type'], /^text\/plain/);
  venus.failNext('lookup', away);
  const mac = { 'user-agent': 'WebDAVFS/3.0.0 (03008000) Darwin/21.6.0 (x86_64)' };
  t.equal((await ask('GET', '/f', { headers: mac })).status, 423);
  venus.failNext('list', away);
  t.equal((await ask('GET', '/')).status, 503, 'not an empty folder');
  venus.failNext('read', new Failure('damaged', 'venus.read', 'bad block'));
  const head = `GET /f HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\n\r\n`;
  const cut = await raw(head);
  t.match(cut, /Content-Length: 300000/);
  t.ok(cut.length < 300_000, 'the connection ends before the length is reached');
  for (const [operation, kind, status] of [
    ['write', 'no-space', 507],
    ['writer.write', 'no-space', 507],
    ['writer.close', 'quota', 507],
    ['writer.close', 'access-denied', 403],
    ['writer.close', 'not-found', 409],
    ['writer.close', 'unreachable', 503],
  ] as const) {
    venus.failNext(operation, new Failure(kind, 'test', 'words'));
    t.equal((await ask('PUT', '/f', { body: 'new' })).status, status, `${operation} ${kind}`);
  }
  t.equal((await ask('GET', '/f')).body.length, 300_000, 'and the old contents stand');
});

story('a folder is a page with its names, asked with and without its slash', async (t, { ask }) => {
  await ask('MKCOL', '/d');
  await ask('PUT', '/d/%3Cscript%3E%22%26.txt', { body: 'x' });
  for (const path of ['/d', '/d/']) {
    t.match(await ask('HEAD', path), { status: 200, body: '', headers: { 'content-location': '/d/' } });
    const { status, headers, body } = await ask('GET', path, { headers: { range: 'bytes=0-0' } });
    t.equal(status, 200);
    t.match(headers, { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': /default-src 'none'/ });
    t.notMatch(body, /<script>/);
    t.match(body, /href="\/d\/%3Cscript%3E%22%26\.txt">&lt;script&gt;"&amp;\.txt</);
  }
});

story('MKCOL and DELETE', async (t, { ask, names }) => {
  for (const path of ['/d', '/d/e/']) t.equal((await ask('MKCOL', path)).status, 201, path);
  t.equal((await ask('MKCOL', '/d')).status, 405);
  t.equal((await ask('MKCOL', '/no/d')).status, 409);
  t.equal((await ask('MKCOL', '/x', { body: '<x/>' })).status, 415);
  await ask('PUT', '/d/e/f', { body: 'x' });
  t.equal((await ask('MKCOL', '/d/e/f')).status, 405);
  t.equal((await ask('MKCOL', '/d/e/f/g')).status, 409);
  t.equal((await ask('DELETE', '/d', { headers: { depth: '0' } })).status, 400);
  t.equal((await ask('DELETE', '/d/#e')).status, 400, 'a fragment does not delete what is before it');
  t.equal((await ask('DELETE', '/d', { body: 'x', headers: { 'content-length': '1' } })).status, 415);
  t.equal((await ask('DELETE', '/')).status, 403);
  t.same(await names(), ['d']);
  t.equal((await ask('DELETE', '/d/', { headers: { depth: 'infinity' } })).status, 204);
  t.equal((await ask('DELETE', '/d')).status, 404);
  t.same(await names(), []);
});

story('MOVE renames in one step, over what is there unless told not to', async (t, { ask, contents, names, url, venus }) => {
  await ask('PUT', '/a', { body: 'A' });
  await ask('PUT', '/b', { body: 'B' });
  await ask('MKCOL', '/d');
  await ask('PUT', '/d/inner', { body: 'I' });
  const fidOf = async (path: string): Promise<unknown> => (await venus.lookup(caller, path.split('/'))).object?.fid;
  const move = async (from: string, to: string, headers: http.OutgoingHttpHeaders = {}): Promise<number> =>
    (await ask('MOVE', from, { headers: { destination: to, ...headers } })).status;
  t.equal(await move('/a', '/b', { overwrite: 'F' }), 412);
  const fid = await fidOf('a');
  t.equal(await move('/a', '/b'), 204, 'webdavfs sends no Overwrite');
  t.equal(await contents('b'), 'A');
  t.equal(await fidOf('b'), fid, 'it is the same object');
  t.equal(await move('/b', '/B', { overwrite: 'F' }), 201, 'a change of case is a change');
  t.same(await names(), ['d', 'B']);
  t.equal(await move('/B', '/B'), 403);
  t.equal(await move('/B', '/no/b'), 409);
  t.equal(await move('/none', '/x'), 404);
  t.equal(await move('/', '/x'), 403);
  t.equal(await move('/d', '/d/below'), 403);
  t.equal(await move('/d/inner', '/d'), 403);
  t.equal(await move('/d', '/e', { depth: '0' }), 400);
  t.equal(await move('/B', '/e', { overwrite: 'maybe' }), 400);
  t.equal((await ask('MOVE', '/B')).status, 400);
  t.equal((await ask('MOVE', '/B', { headers: { destination: '/e', 'content-length': '1' }, body: 'x' })).status, 415);
  for (const [index, destination] of [
    `http://alice:sesame@files.example:99/n0`,
    `${url.origin}/n1`,
    'webdavs://FILES.example/n2/',
    '/n3',
  ].entries()) {
    t.equal(await move(index === 0 ? '/B' : `/n${index - 1}`, destination), 201, destination);
  }
  t.equal(await move('/n3', 'http://elsewhere.example/x'), 502);
  for (const destination of ['/..', '/%2e%2e/x', '/a%2fb', '/a%5cb', '/%00', '/%ff', 'x']) {
    t.equal(await move('/n3', destination), 400, destination);
  }
  t.equal(await move('/n3', `/${'n'.repeat(256)}`), 414);
  t.equal(await move('/d', '/n3', { 'x-oc-mtime': '1700000000' }), 204, 'a folder over a file');
  t.equal((await ask('HEAD', '/n3')).headers['last-modified'], 'Tue, 14 Nov 2023 22:13:20 GMT');
  await ask('MKCOL', '/full');
  await ask('PUT', '/full/old', { body: 'x' });
  t.equal(await move('/n3', '/full/'), 204);
  t.same(await names('full'), ['inner'], 'nothing of the old folder is left');
  await ask('PUT', '/u%CC%88', { body: 'x' });
  t.equal(await move('/u%CC%88', '/%C3%BC'), 201, 'the other Unicode form is a new spelling');
  t.same((await names()).includes('\u00fc'), true);
  t.equal((await ask('GET', '/u%CC%88')).body, 'x', 'found under either');
});

story('COPY makes an equal tree, and keeps the old one until the new one is whole', async (t, { ask, contents, names, venus }) => {
  await ask('MKCOL', '/d');
  await ask('MKCOL', '/d/e');
  for (const name of ['f1', 'f2', 'e/f3']) await ask('PUT', `/d/${name}`, { body: name });
  const copy = (from: string, to: string, headers: http.OutgoingHttpHeaders = {}) =>
    ask('COPY', from, { headers: { destination: to, ...headers } });
  t.equal((await copy('/d', '/twin')).status, 201);
  t.same([...(await names('twin')), ...(await names('twin/e'))].sort(), ['e', 'f1', 'f2', 'f3']);
  t.equal(await contents('twin/e/f3'), 'e/f3');
  t.equal((await copy('/d', '/shallow', { depth: '0' })).status, 201);
  t.same(await names('shallow'), []);
  t.equal((await copy('/d', '/x', { depth: '1' })).status, 400);
  t.equal((await copy('/d', '/d')).status, 403);
  t.equal((await copy('/d', '/d/e/f')).status, 403);
  t.equal((await copy('/d/e', '/d')).status, 403);
  t.equal((await copy('/d/f1', '/twin', { overwrite: 'F' })).status, 412);
  t.equal((await copy('/d/f1', '/no/x')).status, 409);
  t.equal((await copy('/d/f1', '/twin/f2')).status, 204);
  t.equal(await contents('twin/f2'), 'f1');

  await ask('PUT', '/shallow/old', { body: 'old' });
  venus.beforeNext('copy', async () => {
    venus.beforeNext('copy', async () => venus.failNext('copy', new Failure('unreachable', 'test', 'words')));
  });
  const partial = await copy('/d', '/shallow');
  t.equal(partial.status, 207);
  t.match(partial.body, /<D:href>\/shallow\/[^<]+<\/D:href><D:status>HTTP\/1\.1 503/);
  t.same(await names('shallow'), ['old'], 'the old tree stands');
  t.same(await names(), ['d', 'twin', 'shallow'], 'and nothing is left beside it');
  t.equal((await copy('/d', '/shallow')).status, 204);
  t.same([...(await names('shallow'))].sort(), ['e', 'f1', 'f2']);
  venus.beforeNext('copy', async () => {
    venus.beforeNext('copy', async () => venus.failNext('copy', new Failure('unreachable', 'test', 'words')));
  });
  const mac = { 'user-agent': 'WebDAVFS/3.0.0 (03008000) Darwin/21.6.0 (x86_64)' };
  t.equal((await copy('/d', '/mac', mac)).status, 423, 'webdavfs would read a 207 as one more folder');
});

story('a lock stands in the way of all but its owner', async (t, { ask, contents }) => {
  const bob = { authorization: `Basic ${Buffer.from('bob:sesame').toString('base64')}` };
  const info =
    '<D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope>' +
    '<D:locktype><D:write/></D:locktype></D:lockinfo>';
  const lock = async (path: string): Promise<string> =>
    String((await ask('LOCK', path, { body: info })).headers['lock-token']);
  await ask('PUT', '/f', { body: 'old' });
  await ask('PUT', '/g', { body: 'other' });
  const token = await lock('/f');
  const refused = await ask('PUT', '/f', { body: 'new', headers: bob });
  t.equal(refused.status, 423);
  t.match(refused.body, /lock-token-submitted.*<D:href>\/f</);
  t.notMatch(refused.body, token.slice(1, -1), 'the token is no business of others');
  t.equal((await ask('DELETE', '/f', { headers: bob })).status, 423);
  t.equal((await ask('MOVE', '/f', { headers: { ...bob, destination: '/h' } })).status, 423);
  t.equal((await ask('MOVE', '/g', { headers: { ...bob, destination: '/f' } })).status, 423);
  t.equal((await ask('COPY', '/g', { headers: { ...bob, destination: '/f' } })).status, 423);
  t.equal((await ask('COPY', '/f', { headers: { ...bob, destination: '/h' } })).status, 201);
  t.equal((await ask('PUT', '/f', { body: 'new', headers: { ...bob, if: `(${token})` } })).status, 423);
  t.equal((await ask('PUT', '/f', { body: 'new', headers: { if: `(${token})` } })).status, 204);
  t.equal((await ask('PUT', '/f', { body: 'newer', headers: { 'lock-token': token } })).status, 204);
  t.equal(await contents('f'), 'newer');
  t.equal((await ask('MOVE', '/f', { headers: { destination: '/moved', if: `(${token})` } })).status, 201);
  t.equal((await ask('PUT', '/moved', { body: 'free', headers: bob })).status, 204, 'a lock does not move along');
  const again = await lock('/moved');
  t.equal((await ask('DELETE', '/moved', { headers: { if: `(${again})` } })).status, 204);
  t.equal((await ask('PUT', '/moved', { body: 'free', headers: bob })).status, 201, 'nor outlive its object');
  const folder = '/locked';
  await ask('MKCOL', folder);
  await lock(folder);
  t.equal((await ask('MKCOL', `${folder}/x`, { headers: bob })).status, 423);
  t.equal((await ask('PUT', `${folder}/x`, { body: 'x', headers: bob })).status, 423);
});

story('a lock that comes while a body arrives is respected', async (t, { ask, venus }) => {
  await ask('PUT', '/f', { body: 'old' });
  const bob = { authorization: `Basic ${Buffer.from('bob:sesame').toString('base64')}` };
  venus.beforeNext('writer.write', async () => {
    const body =
      '<lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope><locktype><write/></locktype></lockinfo>';
    t.equal((await ask('LOCK', '/f', { body, headers: bob })).status, 200);
  });
  t.equal((await ask('PUT', '/f', { body: 'new' })).status, 423);
  t.equal((await ask('GET', '/f')).body, 'old');
});

story('hostile and broken requests are answered, and the next one is served', async (t, { raw, ask, names, lines }) => {
  const auth = `Host: x\r\nAuthorization: ${authorization}\r\nConnection: close\r\n`;
  const statusOf = async (line: string, headers = ''): Promise<string> =>
    (await raw(`${line} HTTP/1.1\r\n${auth}${headers}\r\n`)).slice(9, 12);
  for (const target of [
    '/..',
    '/a/../../b',
    '/%2e%2e/%2e%2e/etc/passwd',
    '/..%2f..%2fetc',
    '/..%5c..%5cetc',
    '/a%5Cb',
    '/%00',
    '/a%00b',
    '/%E0%A4%A',
    '/%ff%fe',
    '/%c0%ae%c0%ae/',
    '//etc/passwd',
    '/a//b',
    '/x#y',
  ]) {
    for (const method of ['GET', 'PUT', 'DELETE', 'MKCOL', 'PROPFIND', 'LOCK', 'OPTIONS']) {
      t.equal(await statusOf(`${method} ${target}`), '400', `${method} ${target}`);
    }
  }
  t.equal(await statusOf(`GET /${'a'.repeat(256)}`), '414');
  t.equal(await statusOf('GET http://[bad/x'), '400');
  t.equal(await statusOf('GET http://elsewhere.example/x'), '502');
  t.equal(await statusOf('GET http://files.example/x'), '404');
  t.equal(await statusOf('GET *'), '400');
  t.equal(await statusOf('GET /', `X: ${'x'.repeat(17_000)}\r\n`), '431');
  t.equal(await statusOf('BREW /'), '400');
  t.equal(await statusOf('POST /'), '405');
  t.equal(await statusOf('PATCH /'), '405');
  t.equal(await statusOf('REPORT /'), '405');
  t.equal(await statusOf('SUBSCRIBE /'), '501');
  t.match(await raw(`PURGE / HTTP/1.1\r\n${auth}\r\n`), /501 [^]*Allow: OPTIONS, GET/);
  t.equal(await statusOf('PUT /x', 'Content-Length: 3\r\nTransfer-Encoding: chunked\r\n'), '400');
  t.equal(await statusOf('PUT /x', 'If: (((\r\nContent-Length: 0\r\n'), '400');
  t.equal(await statusOf('PROPFIND /', 'Depth: 7\r\n'), '400');
  t.equal(await statusOf('GET /', 'Expect: magic\r\n'), '417');
  t.match(await raw('GET / HTTP/1.1\r\nHost: x\r\nCookie\r\n\r\n'), /^HTTP\/1\.1 400 /);
  t.equal((await ask('PROPFIND', '/', { headers: { depth: '0' } })).status, 207);
  t.same(await names(), []);
  t.same(lines.filter(({ event }) => /failed/.test(event)), [], 'none of it was a surprise');
});

story('no method but GET and HEAD needs a slash or a redirect', async (t, { ask }) => {
  t.equal((await ask('MKCOL', '/d')).status, 201);
  for (const [method, headers] of [
    ['PROPFIND', { depth: '0' }],
    ['OPTIONS', {}],
    ['GET', {}],
    ['COPY', { destination: '/e' }],
    ['MOVE', { destination: '/e' }],
    ['DELETE', {}],
  ] as const) {
    const { status } = await ask(method, method === 'DELETE' ? '/e' : '/d', { headers });
    t.ok(status >= 200 && status < 300, `${method} ${status}`);
  }
});
