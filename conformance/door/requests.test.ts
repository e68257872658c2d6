/** The door over real HTTP: who gets in, what may be asked, and what nobody should ask. */
import fc from 'fast-check';
import { Failure } from '../../venus/interface.js';
import { authorization, caller, root, story } from './share.js';

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

story(
  'a share under a prefix answers on the way down to it, and nowhere else',
  async (t, { ask }) => {
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
  },
  { prefix: '/files/share' },
);

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

story(
  'hostile and broken requests are answered, and the next one is served',
  async (t, { raw, ask, names, lines }) => {
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
    t.same(
      lines.filter(({ event }) => /failed/.test(event)),
      [],
      'none of it was a surprise',
    );
  },
);

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

story(
  'a failure is answered with its status, and one in the middle never looks whole',
  async (t, { ask, venus, raw }) => {
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
  },
);

story(
  'what will be refused is refused before 100 Continue',
  async (t, { rawUntilAnswered, ask, contents, venus }) => {
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
    const nobody = await rawUntilAnswered(
      'PUT /f HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n',
    );
    t.match(nobody, /^HTTP\/1\.1 401 /);
    for (const name of ['x-expected-entity-length', 'oc-total-length']) {
      const headers = { 'transfer-encoding': 'chunked', [name]: '2000000' };
      t.equal((await ask('PUT', '/f', { headers, body: 'x' })).status, 507, name);
    }
    t.equal(await contents('f'), 'new');
    for (const bytes of [800_000, 900_000]) {
      const body = Buffer.alloc(bytes);
      const { status } = await ask('PUT', '/large', { body });
      t.ok(status < 300, `${status}: what a file frees is its own to use`);
    }
    t.equal((await ask('PUT', '/small', { body: Buffer.alloc(60_000) })).status, 201);
    t.equal((await ask('PUT', '/large', { body: Buffer.alloc(950_000) })).status, 507);
    venus.failNext('space', new Failure('unreachable', 'test', 'words'));
    t.equal(
      (await ask('PUT', '/g', { body: Buffer.alloc(70_000) })).status,
      507,
      'refused at the close then',
    );
  },
  { quota: 1_000_000 },
);

story(
  'a client that stops in the middle is hung up on, one that waits for us is not',
  async (t, { raw, venus, contents }) => {
    const auth = `Host: x\r\nAuthorization: ${authorization}\r\nConnection: close\r\n`;
    await raw(`PUT /half HTTP/1.1\r\n${auth}Content-Length: 9\r\n\r\n`, 'half');
    t.equal(await contents('half'), undefined);
    t.match(await raw('GET / HTTP/1.1\r\nHost'), /^$|^HTTP\/1\.1 408/, 'not even a head');
    venus.beforeNext('makeDirectory', async () => {
      // As long as three idle clients last.
      for (let idle = 0; idle < 3; idle += 1) await raw('');
    });
    t.match(await raw(`MKCOL /slow HTTP/1.1\r\n${auth}\r\n`), /^HTTP\/1\.1 201 /);
  },
  { idleMs: 60 },
);

story('no header and no body brings the door down', async (t, { ask, lines }) => {
  const token = fc.constantFrom(
    '(',
    ')',
    '<',
    '>',
    '[',
    ']',
    '"',
    'Not',
    'W/',
    'urn:uuid:a',
    '/f',
    'DAV:no-lock',
    ' ',
  );
  const garbled = fc
    .array(fc.oneof(token, fc.string({ maxLength: 5 })), { maxLength: 12 })
    .map((parts) => parts.join(''));
  const header = garbled.map((text) => text.replace(/[^\x20-\x7e]/g, '~'));
  const name = fc.constantFrom(
    'if',
    'destination',
    'range',
    'if-match',
    'if-none-match',
    'depth',
    'overwrite',
    'timeout',
  );
  const method = fc.constantFrom(
    'GET',
    'PUT',
    'COPY',
    'MOVE',
    'LOCK',
    'UNLOCK',
    'PROPFIND',
    'PROPPATCH',
    'DELETE',
    'MKCOL',
  );
  await ask('PUT', '/f', { body: 'x' });
  await fc.assert(
    fc.asyncProperty(
      method,
      fc.dictionary(name, header, { maxKeys: 3 }),
      garbled,
      async (method, headers, body) => {
        const { status } = await ask(method, '/f', { headers, ...(method.startsWith('P') ? { body } : {}) });
        return status < 500 || status === 502;
      },
    ),
    { numRuns: 300 },
  );
  t.same(
    lines.filter(({ event }) => /failed/.test(event)),
    [],
  );
});
