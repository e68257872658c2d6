import t from 'tap';
import { Failure } from '../../venus/interface.js';
import { MemoryVenus } from '../../venus/twin/memory-venus.js';
import { DavError } from './exchange.js';
import { lockDiscovery } from './lock-discovery.js';
import { lock, timeoutOf } from './lock.js';
import type { Intent } from './exchange.js';
import { Rehearsal, type RehearsedRequest, type Reply } from './rehearsal.js';
import { unlock } from './unlock.js';

const second = 1000;

class Bench extends Rehearsal {
  readonly venus: MemoryVenus;

  constructor() {
    const venus = new MemoryVenus();
    super(venus);
    this.venus = venus;
  }

  /** LOCK without a body. */
  refresh(path: string, request?: RehearsedRequest): Promise<Reply> {
    return this.send(lock, 'LOCK', path, request);
  }

  unlock(path: string, token?: string, user = 'ann'): Promise<Reply> {
    return this.send(unlock, 'UNLOCK', path, {
      user,
      headers: token === undefined ? {} : { 'lock-token': token },
    });
  }

  /** What the locks say to a change: 'ok', or the status and the hrefs of the refusal. */
  async change(kind: Intent['kind'], path: string, request: RehearsedRequest = {}): Promise<string> {
    const exchange = this.exchange('PUT', path, request);
    const place = await this.place(path);
    try {
      await this.locks.guard(exchange, [{ place, path: exchange.path, kind }]);
      return 'ok';
    } catch (error) {
      if (!(error instanceof DavError)) throw error;
      return [error.status, error.condition, ...error.hrefs].filter((part) => part !== undefined).join(' ');
    }
  }

  async discovery(path: string, request: RehearsedRequest = {}): Promise<string> {
    const exchange = this.exchange('PROPFIND', path, request);
    return lockDiscovery(exchange, await this.place(path), exchange.path);
  }
}

const holds = (token: string): RehearsedRequest => ({ headers: { if: `(${token})` } });

t.test('a lock from its beginning to its end', async (t) => {
  const bench = new Bench();
  await bench.tree('a.doc');
  const owner = '<D:owner xmlns:D="DAV:">Ann &amp; <D:href>mailto:ann@h</D:href></D:owner>';
  const headers = { timeout: 'Infinite, Second-4100000000', depth: '0' };
  const granted = await bench.lock('a.doc', { owner, headers });
  t.equal(granted.status, 200);
  t.match(granted.token, /^<urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}>$/);
  t.equal(
    granted.text,
    '<?xml version="1.0" encoding="utf-8"?><D:prop xmlns:D="DAV:"><D:lockdiscovery><D:activelock>' +
      '<D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype><D:depth>0</D:depth>' +
      '<D:owner>Ann &amp; <D:href xmlns:D="DAV:">mailto:ann@h</D:href></D:owner>' +
      '<D:timeout>Second-3600</D:timeout>' +
      `<D:locktoken><D:href>${granted.token.slice(1, -1)}</D:href></D:locktoken>` +
      '<D:lockroot><D:href>/s/a.doc</D:href></D:lockroot></D:activelock></D:lockdiscovery></D:prop>',
  );
  t.equal(
    await bench.change('content', 'a.doc'),
    '423 lock-token-submitted /s/a.doc',
    'its owner too must show it',
  );
  t.equal(await bench.change('content', 'a.doc', holds(granted.token)), 'ok');
  t.equal(
    await bench.change('content', 'a.doc', { headers: { 'lock-token': granted.token } }),
    'ok',
    'as Word does',
  );
  t.equal(
    await bench.change('content', 'a.doc', { user: 'bob', ...holds(granted.token) }),
    '423 lock-token-submitted /s/a.doc',
    'a token is of use only to its own principal',
  );
  const refused = await bench.lock('a.doc', { user: 'bob' });
  t.match(refused, { status: 423, condition: 'no-conflicting-lock', hrefs: ['/s/a.doc'] });

  t.notMatch(await bench.discovery('a.doc', { user: 'bob' }), 'locktoken', 'others do not see the token');
  t.match(await bench.discovery('a.doc', { user: 'bob' }), 'lockroot');
  t.notMatch(
    await bench.discovery('a.doc', { client: 'macos' }),
    'href',
    'no href for webdavfs to stumble over',
  );

  bench.now += 3000 * second;
  t.match(await bench.discovery('a.doc'), 'Second-600<', 'what is left is shown');
  const renewed = await bench.refresh('a.doc', {
    headers: { if: `(${granted.token})`, timeout: 'Second-200' },
  });
  t.match(renewed, { status: 200, token: '' });
  t.match(renewed.text, 'Second-200<');
  bench.now += 199 * second;
  t.equal((await bench.lock('a.doc', { user: 'bob' })).status, 423);

  const bare = granted.token.slice(1, -1);
  t.match(await bench.unlock('a.doc'), { status: 400 });
  t.match(await bench.unlock('a.doc', bare, 'bob'), {
    status: 403,
  });
  t.match(await bench.unlock('a.doc', '<urn:uuid:0>'), {
    status: 409,
    condition: 'lock-token-matches-request-uri',
  });
  t.match(await bench.unlock('a.doc', bare), { status: 204 }, 'bare, as Windows');
  t.match(await bench.unlock('a.doc', granted.token), { status: 409 });
  t.equal(await bench.change('content', 'a.doc', { user: 'bob' }), 'ok');
  t.same(bench.venus.leases.all(), []);
});

t.test('what LOCK refuses, and what it does not', async (t) => {
  const bench = new Bench();
  await bench.tree('a', 'd/');
  const info = (inner: string): RehearsedRequest => ({
    body: `<D:lockinfo xmlns:D="DAV:">${inner}</D:lockinfo>`,
  });
  const write = '<D:locktype><D:write/></D:locktype>';
  const exclusive = '<D:lockscope><D:exclusive/></D:lockscope>';
  const cases: readonly (readonly [string, string, RehearsedRequest, number])[] = [
    ['depth 1', 'a', { ...info(write + exclusive), headers: { depth: '1' } }, 400],
    ['other root', 'a', { body: '<lockinfo/>' }, 400],
    ['no scope', 'a', info(write), 400],
    ['both scopes', 'a', info(`${write}<D:lockscope><D:shared/><D:exclusive/></D:lockscope>`), 400],
    ['no type', 'a', info(exclusive), 400],
    ['other type', 'a', info(`${exclusive}<D:locktype><D:read/></D:locktype>`), 400],
    ['not XML', 'a', { body: 'lock!' }, 400],
    ['long owner', 'a', info(`${write}${exclusive}<D:owner>${'x'.repeat(2049)}</D:owner>`), 400],
    ['no folder', 'no/a', info(write + exclusive), 409],
    ['folder is a file', 'a/b', info(write + exclusive), 409],
    ['exists', 'a', { ...info(write + exclusive), headers: { 'if-none-match': '*' } }, 412],
    ['other version', 'a', { ...info(write + exclusive), headers: { 'if-match': '"x"' } }, 412],
    ['refresh of any depth', 'a', { headers: { depth: '1', if: '(<urn:uuid:0>)' } }, 412],
    ['refresh without a token', 'a', {}, 400],
    ['refresh with a token of the past', 'a', holds('<urn:uuid:0>'), 412],
    ['refresh with a malformed If', 'a', { headers: { if: 'x' } }, 400],
    ['no depth, no owner, as Windows asks', 'a', info(write + exclusive), 200],
    ['unknown elements', 'd', { ...info(`<x/>${write}${exclusive}`), headers: { depth: 'Infinity' } }, 200],
  ];
  for (const [name, path, options, status] of cases) {
    t.equal((await bench.refresh(path, options)).status, status, name);
  }
  for (const [header, granted] of [
    [undefined, 600],
    ['Second-1', 180],
    ['Second-1800', 1800],
    ['Second-999999', 3600],
    ['Infinite', 3600],
    ['Extended, Second-200', 200],
    ['Second-x', 600],
    ['second-99999999999999999999', 600],
  ] as const) {
    t.equal(timeoutOf(header), granted, `Timeout: ${header}`);
  }
});

t.test('a lock on a free name makes an empty file', async (t) => {
  const bench = new Bench();
  await bench.tree('d/');
  const made = await bench.lock('d/new', { headers: { 'if-none-match': '*' } });
  t.equal(made.status, 201);
  t.match(await bench.status('d/new'), { kind: 'file', length: 0 });
  t.equal((await bench.lock('d/new', { headers: { 'if-none-match': '*' } })).status, 412, 'davfs2 asks so');
  t.equal(await bench.change('content', 'd/new', holds(made.token)), 'ok');

  const deep = await bench.lock('d', { user: 'ann', depth: 'infinity' });
  t.equal(deep.status, 423, 'the lock below is in the way');
  await bench.tree('e/');
  const around = await bench.lock('e');
  t.equal((await bench.lock('e/x', { user: 'bob' })).status, 423);
  const tagged = { headers: { if: `</s/e/> (${around.token})` } };
  t.match(
    await bench.lock('e/x', tagged),
    { status: 423, condition: 'no-conflicting-lock' },
    'exclusive already',
  );
  t.equal((await bench.place('e/x')).object, null, 'a refusal leaves no file behind');

  bench.venus.beforeNext('write', () => bench.tree('d/raced'));
  const raced = await bench.lock('d/raced', { user: 'bob' });
  t.equal(raced.status, 200, 'made by another meanwhile: it is locked as it is');
  bench.venus.beforeNext('writer.close', async () => {
    bench.venus.beforeNext('lookup', () => bench.remove('d/gone'));
  });
  t.equal((await bench.lock('d/gone')).status, 409, 'made and removed by another at once');
  t.equal(bench.venus.openWriters, 0);
});

t.test('which locks bear with each other', async (t) => {
  const scopes = ['exclusive', 'shared'] as const;
  for (const first of scopes) {
    for (const then of scopes) {
      const both = first === 'shared' && then === 'shared';
      const bench = new Bench();
      await bench.tree('d/', 'd/a', 'd/b', 'd/e/', 'd/e/a');
      await bench.lock('d/a', { scope: first });
      const outcome = async (path: string, options: { depth?: string; user?: string }): Promise<number> =>
        (await bench.lock(path, { scope: then, ...options })).status;
      const name = `${first}, then ${then}`;
      t.equal(await outcome('d/a', { user: 'bob' }), both ? 200 : 423, `${name}, on the same file`);
      t.equal(await outcome('d/a', {}), both ? 200 : 423, `${name}, by the same user`);
      t.equal(await outcome('d/b', {}), 200, `${name}, beside it`);
      t.equal(await outcome('d', { depth: '0' }), 200, `${name}, on its folder alone`);
      t.equal(await outcome('', { depth: 'infinity' }), both ? 200 : 423, `${name}, around it`);
      const inner = new Bench();
      await inner.tree('d/', 'd/e/', 'd/e/a');
      await inner.lock('d', { scope: first });
      const below = await inner.lock('d/e/a', { scope: then, user: 'bob' });
      t.match(below, both ? { status: 200 } : { status: 423, hrefs: ['/s/d/'] }, `${name}, inside of it`);
    }
  }
  const bench = new Bench();
  await bench.tree('a');
  const raced = await Promise.all([bench.lock('a', { user: 'ann' }), bench.lock('a', { user: 'bob' })]);
  t.same(
    raced.map(({ status }) => status),
    [200, 423],
    'two at once',
  );
  const shared = new Bench();
  await shared.tree('a');
  for (let count = 0; count < 32; count += 1) await shared.lock('a', { scope: 'shared' });
  t.equal((await shared.lock('a', { scope: 'shared' })).status, 507, 'a bounded number for one object');
});

t.test('what a lock protects', async (t) => {
  const bench = new Bench();
  await bench.tree('d/', 'd/a', 'd/e/', 'd/e/b');
  const flat = await bench.lock('d', { depth: '0' });
  const d = '423 lock-token-submitted /s/d/';
  const rows: readonly (readonly [Intent['kind'], string, string])[] = [
    ['content', 'd', d],
    ['content', 'd/a', 'ok'],
    ['membership', 'd/new', d],
    ['membership', 'd/e/new', 'ok'],
    ['tree', 'd/a', d],
    ['tree', 'd/e', d],
    ['tree', 'd/e/b', 'ok'],
    ['tree', 'd', d],
  ];
  for (const [kind, path, expected] of rows) {
    t.equal(await bench.change(kind, path), expected, `depth 0: ${kind} of ${path}`);
    const tagged = { headers: { if: `<http://h:8080/s/d/> (${flat.token})` } };
    t.equal(await bench.change(kind, path, tagged), 'ok', `with its token: ${kind} of ${path}`);
  }
  await bench.unlock('d', flat.token);

  const deep = await bench.lock('d');
  await bench.tree('d/later');
  for (const path of ['d', 'd/a', 'd/e/b', 'd/later']) {
    t.equal(await bench.change('content', path), d, `infinity: ${path}`);
    t.equal(await bench.change('content', path, holds(deep.token)), 'ok', `its token does for ${path}`);
    t.match(await bench.discovery(path), '<D:lockroot><D:href>/s/d/</D:href>');
  }
  t.equal(await bench.change('membership', 'd/e/new'), d);
  t.match(await bench.refresh('d/e/b', holds(deep.token)), { status: 200 }, 'refreshed through a member');
  t.match(await bench.unlock('d/e/b', deep.token), { status: 204 });

  await bench.lock('d/a', { scope: 'shared', user: 'bob' });
  t.equal(await bench.change('content', 'd/a'), '423 lock-token-submitted /s/d/a');
  const mine = await bench.lock('d/a', { scope: 'shared' });
  t.equal(
    await bench.change('content', 'd/a', holds(mine.token)),
    'ok',
    'one of several shared tokens is enough',
  );
});

t.test('locks below what is removed or moved', async (t) => {
  const bench = new Bench();
  await bench.tree('d/', 'd/e/', 'd/e/f/', 'd/e/f/a', 'd/b');
  const held = await bench.lock('d/e/f/a');
  t.equal(await bench.change('tree', 'd'), '423 lock-token-submitted /s/d/e/f/a');
  const tagged = { headers: { if: `</s/d/e/f/a> (${held.token})` } };
  t.equal(await bench.change('tree', 'd', tagged), 'ok');
  t.equal(await bench.change('tree', 'd/b'), 'ok');

  // Another gateway renames folders: the lock stays with its object, its path becomes stale.
  await bench.rename('d', 'D');
  t.match(
    await bench.discovery('D/e/f/a'),
    '<D:lockroot><D:href>/s/D/e/f/a</D:href>',
    'its root is where it is now',
  );
  t.equal(
    await bench.change('tree', 'D/e'),
    '423 lock-token-submitted /s/D/e/f/a',
    'renamed above: found again',
  );
  t.equal(await bench.change('tree', 'D'), '423 lock-token-submitted /s/D/e/f/a');
  await bench.rename('D/e/f', 'D/e/g');
  t.equal(
    await bench.change('tree', 'D'),
    '423 lock-token-submitted /s/D/e/f/a',
    'renamed between: still refused',
  );
  await bench.rename('D/e/g', 'D/e/f');
  await bench.tree('out/');
  await bench.rename('D/e', 'out/e');
  t.equal(
    await bench.change('content', 'out/e/f/a'),
    '423 lock-token-submitted /s/out/e/f/a',
    'it moved with its file',
  );
  await bench.rename('out/e', 'D/e');

  await bench.remove('D/e/f/a');
  t.equal(await bench.change('tree', 'D'), 'ok', "removed by another gateway: its lock is in nobody's way");
  t.same(bench.venus.leases.all(), [], 'and is dropped');

  await bench.tree('D/e/f/a');
  await bench.lock('D/e/f/a');
  await bench.lock('D', { depth: '0' });
  await bench.lock('D/b');
  await bench.locks.dropAll([(await bench.status('D/e')).fid]);
  t.same(
    new Set(bench.venus.leases.all().map(({ fid }) => fid)),
    new Set([(await bench.status('D')).fid, (await bench.status('D/b')).fid]),
    'a tree that is gone takes the locks inside of it along',
  );
});

t.test('locks outlive a restart and lapse in time', async (t) => {
  const bench = new Bench();
  await bench.tree('d/', 'd/a', 'd/b', 'd/c');
  const owner = '<owner>\u00e4&lt;</owner>';
  const held = await bench.lock('d/a', { owner, headers: { timeout: 'Second-300' } });
  await bench.lock('d/b', { headers: { timeout: 'Second-3600' } });
  const before = await bench.discovery('d/a');
  const [lease] = bench.venus.leases.all();
  if (lease !== undefined) await bench.venus.leases.put({ ...lease, token: 'of another door', note: '{}' });
  bench.restart();
  t.equal(await bench.discovery('d/a'), before, 'nothing of it is lost');
  t.equal(await bench.change('content', 'd/a'), '423 lock-token-submitted /s/d/a');
  t.equal(await bench.change('content', 'd/a', holds(held.token)), 'ok');
  t.equal(await bench.change('tree', 'd'), '423 lock-token-submitted /s/d/a /s/d/b');

  bench.now += 300 * second;
  t.equal(await bench.change('content', 'd/a'), 'ok', 'lapsed');
  t.match(await bench.refresh('d/a', holds(held.token)), { status: 412 }, 'cannot be refreshed any more');
  t.equal(await bench.discovery('d/a'), '<D:lockdiscovery/>');
  t.equal(await bench.change('tree', 'd'), '423 lock-token-submitted /s/d/b');
  t.equal((await bench.lock('d/c')).status, 200);
  t.equal(
    bench.venus.leases.all().filter(({ token }) => token === held.token.slice(1, -1)).length,
    0,
    'swept away',
  );

  const late = new Bench();
  await late.tree('d/', 'd/a', 'b');
  await late.lock('d/a', { headers: { timeout: 'Second-180' } });
  late.now += 179 * second;
  await late.lock('b');
  late.now += 2 * second;
  t.equal((await late.lock('d')).status, 200, "a lapsed lock that is not swept yet is in nobody's way");

  bench.venus.leases.put = () => Promise.reject(new Failure('busy', 'leases.put', 'full'));
  await t.rejects(bench.lock('d/a'), /full/);
  t.equal(await bench.change('content', 'd/a'), 'ok', 'what could not be kept was not granted');
});
