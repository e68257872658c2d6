/** MKCOL, DELETE, MOVE, COPY and folders over real HTTP, with locks in the way. */
import type http from 'node:http';
import { Failure } from '../../venus/interface.js';
import { caller, story } from './share.js';

story('a folder is a page with its names, asked with and without its slash', async (t, { ask }) => {
  await ask('MKCOL', '/d');
  await ask('PUT', '/d/%3Cscript%3E%22%26.txt', { body: 'x' });
  for (const path of ['/d', '/d/']) {
    t.match(await ask('HEAD', path), { status: 200, body: '', headers: { 'content-location': '/d/' } });
    const { status, headers, body } = await ask('GET', path, { headers: { range: 'bytes=0-0' } });
    t.equal(status, 200);
    t.match(headers, {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': /default-src 'none'/,
    });
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

story(
  'MOVE renames in one step, over what is there unless told not to',
  async (t, { ask, contents, names, url, venus }) => {
    await ask('PUT', '/a', { body: 'A' });
    await ask('PUT', '/b', { body: 'B' });
    await ask('MKCOL', '/d');
    await ask('PUT', '/d/inner', { body: 'I' });
    const fidOf = async (path: string): Promise<unknown> =>
      (await venus.lookup(caller, path.split('/'))).object?.fid;
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
    t.equal(
      (await ask('MOVE', '/B', { headers: { destination: '/e', 'content-length': '1' }, body: 'x' })).status,
      415,
    );
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
  },
);

story(
  'COPY makes an equal tree, and keeps the old one until the new one is whole',
  async (t, { ask, contents, names, venus }) => {
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
      venus.beforeNext('copy', async () =>
        venus.failNext('copy', new Failure('unreachable', 'test', 'words')),
      );
    });
    const partial = await copy('/d', '/shallow');
    t.equal(partial.status, 207);
    t.match(partial.body, /<D:href>\/shallow\/[^<]+<\/D:href><D:status>HTTP\/1\.1 503/);
    t.same(await names('shallow'), ['old'], 'the old tree stands');
    t.same(await names(), ['d', 'twin', 'shallow'], 'and nothing is left beside it');
    t.equal((await copy('/d', '/shallow')).status, 204);
    t.same([...(await names('shallow'))].sort(), ['e', 'f1', 'f2']);
    venus.beforeNext('copy', async () => {
      venus.beforeNext('copy', async () =>
        venus.failNext('copy', new Failure('unreachable', 'test', 'words')),
      );
    });
    const mac = { 'user-agent': 'WebDAVFS/3.0.0 (03008000) Darwin/21.6.0 (x86_64)' };
    t.equal((await copy('/d', '/mac', mac)).status, 423, 'webdavfs would read a 207 as one more folder');
  },
);

story('a lock stands in the way of all but its owner', async (t, { ask, contents, venus }) => {
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
  t.equal(
    (await ask('PUT', '/moved', { body: 'free', headers: bob })).status,
    204,
    'a lock does not move along',
  );
  const again = await lock('/moved');
  t.equal((await ask('DELETE', '/moved', { headers: { if: `(${again})` } })).status, 204);
  t.same(venus.leases.all(), [], 'it ends with its object');
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
