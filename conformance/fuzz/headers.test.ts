/**
 * Whatever stands in a header, its parser ends, in a value within its bounds or in a DavError of the client's (4xx; 502
 * for another server's URL). Whole requests with such headers are asked in conformance/door/requests.test.ts.
 */
import fc from 'fast-check';
import t from 'tap';
import { announcedLength, bodyCheckOf } from '../../gateway/webdav/body-digest.js';
import { checkConditions } from '../../gateway/webdav/conditional.js';
import { ownRawPath } from '../../gateway/webdav/destination.js';
import { DavError, type Share } from '../../gateway/webdav/exchange.js';
import { parseHttpDate } from '../../gateway/webdav/http-date.js';
import { parseIf } from '../../gateway/webdav/if-header.js';
import { timeoutOf } from '../../gateway/webdav/lock.js';
import { modificationTimeOf } from '../../gateway/webdav/modification-time.js';
import { parsePath } from '../../gateway/webdav/path.js';
import { selectRange } from '../../gateway/webdav/range.js';
import { depthOf } from '../../gateway/webdav/target.js';
import type { Exchange } from '../../gateway/webdav/exchange.js';
import { runs, textOf } from './hostile.js';

/** `holds` of what `parse` made of a text, unless it refused it as it may. */
function survives<T>(
  texts: fc.Arbitrary<string>,
  parse: (text: string) => T,
  holds: (value: T) => boolean,
): void {
  const property = fc.property(texts, (text) => {
    let value;
    try {
      value = parse(text);
    } catch (error) {
      return (
        error instanceof DavError && ((error.status >= 400 && error.status < 500) || error.status === 502)
      );
    }
    return holds(value);
  });
  fc.assert(property, { numRuns: runs });
}

const version = { etag: '"v-2"', modified: Date.UTC(2024, 0, 2), length: 1_000 };
const isSafe = (name: string): boolean => !/^\.{0,2}$|[/\\\u0000-\u001f\u007f]/.test(name);

t.test('request paths and Destination', async () => {
  const pieces = [
    '/',
    '..',
    '.',
    '%2e',
    '%2F',
    '%5c',
    '%00',
    '%',
    '%c3%a9',
    '%ff',
    'a',
    '?',
    '#',
    '\\',
    ' ',
    '//',
  ];
  survives(
    textOf(...pieces),
    (text) => parsePath(`/${text}`).path,
    (path) => path.every(isSafe),
  );
  const share = { prefix: '/share', isOwnHost: (host: string) => host === 'own' } as unknown as Share;
  const urls = [
    'http://',
    'davs://',
    'own',
    'other',
    '@',
    ':',
    '8080',
    '[',
    ']',
    '::1',
    'alice:pass',
    ...pieces,
  ];
  survives(
    textOf(...urls),
    (text) => ownRawPath(share, text, 'own:80'),
    (path) => path.startsWith('/') && !path.includes('?'),
  );
});

t.test('Range and If-Range', async () => {
  const specs = textOf(
    '0',
    '9',
    '0-9',
    '-5',
    '7-',
    ',',
    '-',
    ' ',
    '999',
    '990-2000',
    '1'.repeat(400),
    '5-2',
    '\t',
    'x',
  );
  const texts = fc
    .tuple(fc.constantFrom('bytes=', 'bytes=', 'BYTES =', ''), specs)
    .map((parts) => parts.join(''));
  survives(
    texts,
    (range) => selectRange({ range }, version),
    (selection) => {
      if (selection.kind !== 'ranges') return true;
      let before = -1;
      return selection.ranges.every(({ start, end }) => {
        const isSound = start > before && start >= 0 && end > start && end <= version.length;
        before = end;
        return isSound;
      });
    },
  );
  survives(
    textOf('"', 'W/', 'v-2', 'Tue, 02 Jan 2024 00:00:00 GMT', ' ', '\\'),
    (text) => selectRange({ range: 'bytes=0-0', 'if-range': text }, version).kind,
    (kind) => kind !== 'unsatisfiable',
  );
});

t.test('If, If-Match, If-None-Match and dates', async () => {
  const tags = [
    '"',
    'W/',
    '*',
    ',',
    ' ',
    'v-2',
    '\\',
    '<',
    '>',
    '(',
    ')',
    '[',
    ']',
    'Not',
    'urn:uuid:1',
    'http://own/',
  ];
  survives(textOf(...tags), parseIf, (lists) => lists.length > 0);
  for (const name of ['if-match', 'if-none-match', 'if-modified-since', 'if-unmodified-since']) {
    survives(
      textOf(...tags, 'Tue, 02 Jan 2024 00:00:00 GMT'),
      (text) => checkConditions({ [name]: text }, 'GET', { exists: true, ...version }),
      (verdict) => verdict === 'proceed' || verdict === 304 || verdict === 412,
    );
  }
  const dates = ['Tue', ', ', '02', ' ', 'Jan', '2024', '00:00:00', '24:61:61', ' GMT', '-', 'Tuesday', '99'];
  survives(textOf(...dates), parseHttpDate, (time) => time === undefined || Number.isFinite(time));
});

t.test('Depth, Timeout and lengths', async () => {
  const exchangeOf = (depth: string): Exchange => ({ headers: { depth } }) as unknown as Exchange;
  survives(
    textOf('0', '1', 'infinity', ',', 'noroot', ' ', '-'),
    (text) => depthOf(exchangeOf(text), ['0', 'infinity'], 'infinity'),
    (depth) => depth === '0' || depth === 'infinity',
  );
  survives(
    textOf('Second-', 'Infinite', ',', ' ', '1', '9'.repeat(13), '-', '0'),
    timeoutOf,
    (seconds) => seconds >= 180 && seconds <= 3_600,
  );
  for (const name of ['content-length', 'x-expected-entity-length', 'oc-total-length']) {
    survives(
      textOf('1', '0', '-', '+', 'e', '.', ' ', '9'.repeat(20)),
      (text) => announcedLength({ [name]: text }),
      (length) => Number.isSafeInteger(length) && length >= 0,
    );
  }
  survives(
    textOf('1', '.', '9'.repeat(12), '-', 'e', ' ', '0x'),
    (text) => modificationTimeOf({ 'x-oc-mtime': text }),
    (time) => time === undefined || (Number.isSafeInteger(time) && time >= 0),
  );
});

t.test('checksums of bodies', async () => {
  for (const name of ['content-md5', 'oc-checksum', 'repr-digest']) {
    const texts = textOf(
      'SHA1:',
      'MD5:',
      'ADLER32:',
      'sha-256=:',
      ':',
      ',',
      ' ',
      'ab',
      '=',
      'AAAA',
      '0'.repeat(64),
    );
    survives(
      texts,
      (text) => {
        const check = bodyCheckOf({ [name]: text });
        check.update(Buffer.from('body'));
        check.verify(4);
      },
      () => true,
    );
  }
});
