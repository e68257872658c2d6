/** The pure half of the door: what a path, a header or a failure means. */
import fc from 'fast-check';
import t from 'tap';
import { MemoryVenus } from '../../venus/twin/memory-venus.js';
import {
  Failure,
  isFailure,
  type ConflictReport,
  type FailureKind,
  type Fid,
  type StoreId,
} from '../../venus/interface.js';
import { failureKinds } from '../../vice/interface/index.js';
import { silentLog } from '../../vice/seam/log.js';
import { bodyCheckOf } from './body-digest.js';
import { clientOf } from './client.js';
import { conflictMembers } from './conflict-member.js';
import { checkConditions } from './conditional.js';
import { parseOwnUrl } from './destination.js';
import { DavError, type Share } from './exchange.js';
import { formatHttpDate, parseHttpDate } from './http-date.js';
import { hrefOf } from './href.js';
import { mediaTypeOf } from './media-type.js';
import { modificationTimeOf } from './modification-time.js';
import { belowPrefix, parsePath } from './path.js';
import { selectRange } from './range.js';
import { failureAnswer, reasonPhrase } from './status.js';

const venus = new MemoryVenus();

function shareAt(prefix: string): Share {
  return {
    venus,
    locks: {
      covering: () => [],
      guard: async () => {},
      dropAll: async () => {},
      adopt: async () => {},
      mayShowToken: () => false,
    },
    clock: { wall: () => 0, monotonic: () => 0, after: () => ({ cancel() {} }) },
    random: { bytes: (count) => new Uint8Array(count), fraction: () => 0 },
    log: silentLog,
    prefix,
    isOwnHost: (host) => host === 'files.example' || host === '::1',
  };
}

/** The status of the DavError that `work` throws, or what it returns. */
function outcome<T>(work: () => T): T | number {
  try {
    return work();
  } catch (error) {
    if (error instanceof DavError) return error.status;
    throw error;
  }
}

t.test('a path is split, then decoded once, then checked', async (t) => {
  const pathOf = (raw: string): unknown => outcome(() => parsePath(raw).path);
  const cases: readonly (readonly [string, unknown])[] = [
    ['/', []],
    ['/a', ['a']],
    ['/a/', ['a']],
    ['/a/b%20c', ['a', 'b c']],
    ['/a%23b+c;d&e%3Ff', ['a#b+c;d&e?f']],
    ['/100%25', ['100%']],
    ['/%2541', ['%41']],
    ['/%e2%82%ac', ['\u20ac']],
    ['/u%CC%88', ['u\u0308']],
    ['/%F0%9F%98%80', ['\u{1f600}']],
    ['/\u00c3\u00a9', ['\u00e9']],
    [`/${'a'.repeat(255)}`, ['a'.repeat(255)]],
    [`/${'a'.repeat(256)}`, 414],
    [`/${'%c3%a9'.repeat(128)}`, 414],
    ['a', 400],
    ['', 400],
    ['//', 400],
    ['/a//b', 400],
    ['/.', 400],
    ['/..', 400],
    ['/a/../b', 400],
    ['/a/%2e%2e/b', 400],
    ['/a/%2E./b', 400],
    ['/a%2fb', 400],
    ['/a%5cb', 400],
    ['/a\\b', 400],
    ['/%00', 400],
    ['/a%0ab', 400],
    ['/%7f', 400],
    ['/%c0%af', 400],
    ['/%ff', 400],
    ['/%ed%a0%80', 400],
    ['/%', 400],
    ['/%4', 400],
    ['/%zz', 400],
    ['/a/#b', 400],
  ];
  for (const [raw, expected] of cases) t.same(pathOf(raw), expected, raw.slice(0, 40));
  t.equal(parsePath('/a/').trailingSlash, true);
  t.equal(parsePath('/a').trailingSlash, false);
  t.equal(belowPrefix('/share', parsePath('/share_evil/a')), undefined, 'names are compared whole');
  t.same(belowPrefix('/share', parsePath('/sh%61re/a'))?.path, ['a']);
  t.same(belowPrefix('/share', parsePath('/share'))?.path, []);
});

t.test('every name comes back from its href, and no raw path breaks out', async (t) => {
  const name = fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
    .filter((text) => !/[/\\\u0000-\u001f\u007f]/.test(text) && text !== '.' && text !== '..');
  fc.assert(
    fc.property(fc.array(name, { maxLength: 5 }), fc.boolean(), (path, isCollection) => {
      const href = hrefOf('/share', path, isCollection);
      const parsed = belowPrefix('/share', parsePath(href));
      if (!/^[\x21-\x7e]+$/.test(href) || /%[0-9A-F]?[a-f]/.test(href)) return false;
      return JSON.stringify(parsed?.path) === JSON.stringify(path);
    }),
  );
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 40 }), (raw) => {
      const parsed = outcome(() => parsePath(`/${raw}`));
      return typeof parsed === 'number' || parsed.path.every((part) => !/^\.{0,2}$|[/\\\0]/.test(part));
    }),
  );
  t.equal(hrefOf('', [], false), '/', 'the root is a collection');
  t.equal(hrefOf('/share', ['a b', '\u00e9'], true), '/share/a%20b/%C3%A9/');
});

t.test('a Destination is ours under any of our names, ports, schemes and users', async (t) => {
  const pathOf = (url: string, prefix = '/share'): unknown =>
    outcome(() => parseOwnUrl(shareAt(prefix), url, 'proxy.example:8443'));
  for (const url of [
    '/share/a%20b',
    'http://files.example/share/a%20b',
    'https://FILES.example:8443/share/a%20b',
    'http://proxy.example/share/a%20b',
    'webdavs://files.example/share/a%20b/',
    'dav://alice:p%40ss@files.example:1/share/a%20b',
    'http://a@b@files.example/share/a%20b',
    'http://[::1]:80/share/a%20b',
    ' /share/a%20b?x=1 ',
  ]) {
    t.same(pathOf(url), ['a b'], url);
  }
  const refused: readonly (readonly [string, number])[] = [
    ['http://other.example/share/a', 502],
    ['http://files.example@other.example/share/a', 502],
    ['http://other.example\\@files.example/share/a', 400],
    ['ftp://files.example/share/a', 502],
    ['/elsewhere/a', 502],
    ['/share_evil/a', 502],
    ['/share/../a', 400],
    ['/share/%2e%2e/a', 400],
    ['/share/a%2f..', 400],
    ['/share/%5c', 400],
    ['/share/%00', 400],
    ['/share/%ff', 400],
    ['http://files.example/share/%2e%2e/%2e%2e/etc', 400],
    ['//files.example/share/a', 400],
    ['share/a', 400],
    ['http:///share/a', 400],
    ['', 400],
  ];
  for (const [url, status] of refused) t.equal(pathOf(url), status, url);
});

t.test('preconditions, in the order of RFC 7232', async (t) => {
  const modified = Date.UTC(2024, 0, 2, 3, 4, 5, 678);
  const now = { etag: '"v-2"', modified, exists: true };
  const none = { etag: null, modified: 0, exists: false };
  const date = 'Tue, 02 Jan 2024 03:04:05 GMT';
  const before = 'Tue, 02 Jan 2024 03:04:04 GMT';
  const after = 'Tue, 02 Jan 2024 03:04:06 GMT';
  type Case = readonly [string, Record<string, string>, typeof now | typeof none, 'proceed' | 304 | 412];
  const cases: readonly Case[] = [
    ['PUT', {}, now, 'proceed'],
    ['PUT', { 'if-match': '"v-2"' }, now, 'proceed'],
    ['PUT', { 'if-match': '"v-1", "v-2"' }, now, 'proceed'],
    ['PUT', { 'if-match': '"v-1"' }, now, 412],
    ['PUT', { 'if-match': 'W/"v-2"' }, now, 412],
    ['PUT', { 'if-match': '*' }, now, 'proceed'],
    ['PUT', { 'if-match': '*' }, none, 412],
    ['PUT', { 'if-match': '"v-2"' }, none, 412],
    ['PUT', { 'if-none-match': '*' }, now, 412],
    ['PUT', { 'if-none-match': '*' }, none, 'proceed'],
    ['PUT', { 'if-none-match': '"v-2"' }, now, 412],
    ['PUT', { 'if-none-match': '"v-1"' }, now, 'proceed'],
    ['GET', { 'if-none-match': '"v-2"' }, now, 304],
    ['HEAD', { 'if-none-match': 'W/"v-2"' }, now, 304],
    ['GET', { 'if-none-match': '"v-1"', 'if-modified-since': date }, now, 'proceed'],
    ['GET', { 'if-modified-since': date }, now, 304],
    ['GET', { 'if-modified-since': before }, now, 'proceed'],
    // Times can be set back by clients: only the very date that we sent says "not modified".
    ['GET', { 'if-modified-since': after }, now, 'proceed'],
    ['PUT', { 'if-modified-since': date }, now, 'proceed'],
    ['PUT', { 'if-unmodified-since': date }, now, 'proceed'],
    ['PUT', { 'if-unmodified-since': before }, now, 412],
    ['PUT', { 'if-unmodified-since': 'yesterday' }, now, 'proceed'],
    ['PUT', { 'if-match': '"v-2"', 'if-unmodified-since': before }, now, 'proceed'],
    ['GET', { 'if-match': '"v-1"', 'if-none-match': '"v-2"' }, now, 412],
  ];
  for (const [method, headers, current, verdict] of cases) {
    t.equal(checkConditions(headers, method, current), verdict, `${method} ${JSON.stringify(headers)}`);
  }
  for (const text of [date, 'Tuesday, 02-Jan-24 03:04:05 GMT', 'Tue Jan  2 03:04:05 2024']) {
    t.equal(parseHttpDate(text), Date.UTC(2024, 0, 2, 3, 4, 5), text);
  }
  t.equal(parseHttpDate('Tue, 02 Jan 2024 25:04:05 GMT'), undefined);
  t.equal(formatHttpDate(modified), date);
  t.equal(formatHttpDate(Number.NaN), formatHttpDate(0), 'a time out of range is still a date');
});

t.test('a range selects what the bytes of it are', async (t) => {
  const version = { etag: '"v-2"', modified: Date.UTC(2024, 0, 2, 3, 4, 5, 678), length: 10 };
  const of = (range: string, ifRange?: string): unknown => {
    const headers = { range, ...(ifRange === undefined ? {} : { 'if-range': ifRange }) };
    const selection = selectRange(headers, version);
    return selection.kind === 'ranges'
      ? selection.ranges.map(({ start, end }) => [start, end])
      : selection.kind;
  };
  const cases: readonly (readonly [string, unknown])[] = [
    ['bytes=0-0', [[0, 1]]],
    ['bytes=2-4', [[2, 5]]],
    ['bytes=7-', [[7, 10]]],
    ['bytes=7-99', [[7, 10]]],
    ['bytes=-3', [[7, 10]]],
    ['bytes=-99', [[0, 10]]],
    [
      'bytes=0-1,4-5',
      [
        [0, 2],
        [4, 6],
      ],
    ],
    [
      'bytes=4-5, 0-1',
      [
        [0, 2],
        [4, 6],
      ],
    ],
    ['bytes=0-3,2-5,6-6', [[0, 7]]],
    ['bytes=0-1,20-30', [[0, 2]]],
    ['bytes=10-', 'unsatisfiable'],
    ['bytes=20-30', 'unsatisfiable'],
    ['bytes=-0', 'unsatisfiable'],
    ['bytes=5-2', 'whole'],
    ['bytes=-', 'whole'],
    ['bytes=a-b', 'whole'],
    ['bytes=', 'whole'],
    ['lines=0-1', 'whole'],
    [`bytes=${Array.from({ length: 17 }, () => '0-0').join(',')}`, 'whole'],
    [`bytes=${'9'.repeat(400)}-`, 'unsatisfiable'],
  ];
  for (const [range, expected] of cases) t.same(of(range), expected, range.slice(0, 40));
  t.same(of('bytes=0-0', '"v-2"'), [[0, 1]]);
  t.same(of('bytes=0-0', 'Tue, 02 Jan 2024 03:04:05 GMT'), [[0, 1]]);
  for (const other of ['"v-1"', 'W/"v-2"', 'Tue, 02 Jan 2024 03:04:06 GMT', 'x']) {
    t.equal(of('bytes=0-0', other), 'whole', other);
  }
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(30), fc.nat(30)), { minLength: 1, maxLength: 16 }), (pairs) => {
      const specs = pairs.map(([a, b]) => `${Math.min(a, b)}-${Math.max(a, b)}`);
      const selection = selectRange({ range: `bytes=${specs.join(',')}` }, { ...version, length: 20 });
      const asked = new Set(pairs.flatMap(([a, b]) => span(Math.min(a, b), Math.max(a, b) + 1)));
      const wanted = span(0, 20).filter((byte) => asked.has(byte));
      const sent =
        selection.kind === 'ranges' ? selection.ranges.flatMap(({ start, end }) => span(start, end)) : [];
      return JSON.stringify(sent) === JSON.stringify(wanted);
    }),
  );
});

function span(start: number, end: number): number[] {
  return Array.from({ length: end - start }, (_, index) => start + index);
}

t.test('each failure has one status, but for the clients that would misread it', async (t) => {
  const other = clientOf('rclone/v1.60');
  const statusOf = (kind: FailureKind, method = 'GET', client = other): number =>
    failureAnswer(new Failure(kind, 'test', 'words'), method, client).status;
  for (const kind of failureKinds) t.ok(statusOf(kind) >= 400, kind);
  t.equal(statusOf('no-space', 'PUT'), 507);
  t.equal(statusOf('access-denied'), 403);

  const away = failureAnswer(new Failure('unreachable', 'test', 'words'), 'GET', other);
  t.equal(away.status, 503);
  t.equal(away.headers?.['Retry-After'], '30');
  t.match(reasonPhrase(away), /unreachable.*not cached/);
  const macos = clientOf('WebDAVFS/3.0.0 (03008000) Darwin/21.6.0 (x86_64)');
  for (const method of ['GET', 'HEAD', 'LOCK', 'PUT'])
    t.equal(statusOf('unreachable', method, macos), 423, method);
  t.equal(statusOf('unreachable', 'PROPFIND', macos), 503);

  const locked = new DavError(423, 'locked', 'lock-token-submitted', ['/a&b']);
  const answer = failureAnswer(locked, 'PUT', other);
  t.match(answer.body, /<D:error xmlns:D="DAV:"><D:lock-token-submitted><D:href>\/a&amp;b</);
  t.ok(answer.headers?.['X-MSDAVEXT_ERROR']);
  const kio = clientOf('Mozilla/5.0 (X11; Linux x86_64) KIO/5.103 dolphin/22.12');
  t.match(failureAnswer(locked, 'PROPFIND', kio).headers, { 'Content-Type': /^text\/plain/ });

  const secret = failureAnswer(new Error('at /srv/coda/store'), 'GET', other);
  t.equal(secret.status, 500);
  t.notMatch(secret.body, /srv/, 'a broken invariant tells the client nothing');
  const split = failureAnswer(new DavError(400, 'a\r\nSet-Cookie: x'), 'GET', other);
  t.notMatch(reasonPhrase(split), /\r|\n/);
});

t.test('clients are known by their User-Agent', async (t) => {
  const cases: readonly (readonly [string, string])[] = [
    ['Microsoft-WebDAV-MiniRedir/10.0.19045', 'windows'],
    ['WebDAVFS/3.0.0 (03008000) Darwin/21.6.0 (x86_64)', 'macos'],
    ['Microsoft Office Word 2014', 'office'],
    ['Mozilla/5.0 (X11; Linux) KHTML/5.103.0 (like Gecko) Konqueror/5.103', 'kio'],
    ['gvfs/1.50.3', 'gvfs'],
    ['davfs2/1.7.0 neon/0.32.4', 'davfs2'],
    ['Mozilla/5.0 (X11; Linux) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36', 'other'],
    ['', 'other'],
  ];
  for (const [userAgent, kind] of cases) t.equal(clientOf(userAgent).kind, kind, userAgent);
});

t.test('what a client says of its body is checked against the body', async (t) => {
  const body = Buffer.from('Wikipedia');
  const check = (headers: Record<string, string>): unknown =>
    outcome(() => {
      const bodyCheck = bodyCheckOf(headers);
      bodyCheck.update(body.subarray(0, 4));
      bodyCheck.update(body.subarray(4));
      bodyCheck.verify(body.length);
      return 'fits';
    });
  const good: readonly Record<string, string>[] = [
    {},
    { 'content-length': '9', 'x-expected-entity-length': '9', 'oc-total-length': '9' },
    { 'oc-checksum': 'ADLER32:11e60398' },
    { 'oc-checksum': 'MD5:9C677286866AAD38F8E9B660F5411814' },
    { 'content-md5': 'nGdyhoZqrTj46bZg9UEYFA==' },
    { 'oc-checksum': 'SHA1:664add438097fbd4307f814de8e62a10f8905588' },
    { 'oc-checksum': 'CRC64:1234' },
    { 'repr-digest': 'sha-512=:AAAA:' },
    { 'repr-digest': 'sha-256=:04s4ot1HbgRcKZ6O5dZGaDRFbZe9WSpxdGtCOmoF84Y=:' },
  ];
  for (const headers of good) t.equal(check(headers), 'fits', JSON.stringify(headers));
  for (const headers of [
    { 'x-expected-entity-length': '10' },
    { 'oc-total-length': '8' },
    { 'x-expected-entity-length': 'many' },
    { 'oc-checksum': 'ADLER32:11e60399' },
    { 'oc-checksum': 'MD5:9c677286866aad38f8e9b660f5411810' },
    { 'content-md5': 'AAAA' },
    { 'repr-digest': 'sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:' },
  ]) {
    t.equal(check(headers), 400, JSON.stringify(headers));
  }
  t.equal(modificationTimeOf({ 'x-oc-mtime': '1700000000' }), 1_700_000_000_000);
  t.equal(modificationTimeOf({ 'x-oc-mtime': '1700000000.25' }), 1_700_000_000_250);
  for (const text of ['-1', 'soon', '0x10', ''])
    t.equal(modificationTimeOf({ 'x-oc-mtime': text }), undefined, text);
});

t.test('types are known by endings, and by own ones only', async (t) => {
  t.equal(mediaTypeOf('a.TXT'), 'text/plain');
  for (const name of ['a', 'a.', 'a.constructor', 'a.unknown'])
    t.equal(mediaTypeOf(name), 'application/octet-stream');
  t.ok(isFailure(new Failure('busy', 'x', 'y'), 'busy'));
});

t.test('each conflict has a name of its own, as a person recognises it', async (t) => {
  const report = (counter: number, path: readonly string[] | null, name = 'x'): ConflictReport => {
    const fid = `7f000001.${counter}.00000000000000aa` as Fid;
    const storeId = `00000000000000aa:${counter}` as StoreId;
    const version = { name, path, author: 'ann', host: 'g1', time: 0, size: 0, storeId, fid };
    return { volume: 'root', fid, path, kind: 'place', versions: [version] };
  };
  const names = (...reports: readonly ConflictReport[]): readonly string[] =>
    conflictMembers(reports).map(({ name }) => name);
  t.same(names(report(1, ['docs', '2026', 'plan.txt']), report(2, [])), [
    'docs - 2026 - plan.txt',
    'root of the share',
  ]);
  const alike = names(report(1, ['a', 'b']), report(2, ['a - b']), report(3, ['A - b']), report(4, ['c']));
  t.equal(new Set(alike).size, 4);
  t.match(alike, [/^a - b \([0-9a-f]{6}\)$/, /^a - b \(/, /^A - b \(/, /^c$/]);
  t.match(names(report(1, null, 'lost.txt')), [/^lost\.txt \([0-9a-f]{6}\)$/], 'what cannot be named');
  const [deep = ''] = names(report(1, [...Array<string>(100).fill('Ordner \u{1f600}'), 'end.txt']));
  t.ok(Buffer.byteLength(deep) <= 255 && deep.isWellFormed());
  t.match(deep, /end\.txt \([0-9a-f]{6}\)$/);

  const place = report(1, ['a']);
  const [both, ...more] = conflictMembers([place, { ...place, kind: 'removal' }]);
  t.same(more, [], 'two conflicts of one object are one folder');
  t.match(both?.text, /moved to several places[^]*- \/a, by ann[^]*Somebody removed it[^]*- x, by ann/);
  t.same([...(both?.versions.keys() ?? [])], ['x']);
  t.equal(conflictMembers([{ ...place, kind: 'versions' }])[0]?.text, null, 'versions speak for themselves');
});
