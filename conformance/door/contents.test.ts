/** PUT and GET over real HTTP: whole, in part, cut off, wrong, overtaken. */
import type http from 'node:http';
import { Failure } from '../../venus/interface.js';
import { authorization, caller, root, story } from './share.js';

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
  t.match(got, {
    status: 200,
    body: 'other',
    headers: { etag: replaced.headers.etag, 'content-length': '5' },
  });
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
  t.equal(
    (await ask('PUT', '/a%20b.txt', { body: 'x', headers: { 'content-range': 'bytes 0-0/9' } })).status,
    400,
  );
  t.equal(
    (await ask('PUT', '/a%20b.txt', { body: 'x', headers: { 'content-encoding': 'gzip' } })).status,
    415,
  );
  t.equal(await contents('a b.txt'), 'other');
});

story('PUT takes bodies of every form, large ones too', async (t, { ask, raw, contents }) => {
  const chunked = { 'transfer-encoding': 'chunked' };
  const expected = (length: number) => ({ ...chunked, 'x-expected-entity-length': String(length) });
  t.equal((await ask('PUT', '/chunked', { body: 'abc', headers: chunked })).status, 201);
  t.equal((await ask('PUT', '/finder', { body: 'abc', headers: expected(3) })).status, 201);
  const auth = `Host: x\r\nAuthorization: ${authorization}\r\n`;
  const bodyless = await raw(`PUT /zero HTTP/1.1\r\n${auth}Connection: close\r\n\r\n`);
  t.match(bodyless, /^HTTP\/1\.1 201 /, 'no length and no body: empty');
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

story(
  'a body that is cut off, short, long or wrong changes nothing',
  async (t, { ask, rawAndGone, contents, names }) => {
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
  },
);

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
  t.match(await get({ range: 'bytes=0-0' }), {
    status: 206,
    body: '0',
    headers: { 'content-range': 'bytes 0-0/10' },
  });
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
