/**
 * What a client says its body is: checksums and lengths, compared with what has arrived (RFC 1864, RFC 9530,
 * OwnCloud).
 */
import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { DavError } from './exchange.js';

/** One checksum under way. */
interface Check {
  readonly header: string;
  /** As the header has it. */
  readonly expected: string;
  update(chunk: Uint8Array): void;
  /** In the spelling of `expected`. */
  result(): string;
}

export interface BodyCheck {
  update(chunk: Uint8Array): void;
  /** @throws DavError 400 when the `length` bytes that came are not what was announced */
  verify(length: number): void;
}

/** The checks that `headers` ask for. @throws DavError 400 (malformed) */
export function bodyCheckOf(headers: IncomingHttpHeaders): BodyCheck {
  const checks = [...contentMd5(headers), ...ocChecksum(headers), ...reprDigest(headers)];
  const announced = announcedLengths(headers);
  return {
    update: (chunk) => {
      for (const check of checks) check.update(chunk);
    },
    verify: (length) => {
      for (const expected of announced) {
        if (expected !== length) {
          throw new DavError(
            400,
            `${length} bytes came of the ${expected} that were announced; nothing is changed`,
          );
        }
      }
      for (const check of checks) {
        if (check.result() !== check.expected) {
          throw new DavError(400, `The contents do not match their ${check.header}; nothing is changed`);
        }
      }
    },
  };
}

/** The most bytes that any header announces, 0 if none does. @throws DavError 400 */
export function announcedLength(headers: IncomingHttpHeaders): number {
  return Math.max(0, ...announcedLengths(headers));
}

/**
 * Finder announces a chunked body in a header of its own, Nextcloud's clients the length of the whole file.
 */
function announcedLengths(headers: IncomingHttpHeaders): readonly number[] {
  return ['content-length', 'x-expected-entity-length', 'oc-total-length'].flatMap((name) => {
    const value = headers[name];
    if (value === undefined) return [];
    if (typeof value !== 'string' || !/^\d{1,15}$/.test(value.trim())) {
      throw new DavError(400, `${name} is no length`);
    }
    return [Number(value)];
  });
}

function contentMd5(headers: IncomingHttpHeaders): readonly Check[] {
  const expected = headers['content-md5'];
  return typeof expected === 'string' ? [hashed('Content-MD5', 'md5', 'base64', expected.trim())] : [];
}

/** `SHA1:<hex>`, `MD5:<hex>`, `ADLER32:<hex>`; an algorithm that we do not know is not checked. */
function ocChecksum(headers: IncomingHttpHeaders): readonly Check[] {
  const header = headers['oc-checksum'];
  const match = /^([A-Za-z0-9]+):([0-9a-fA-F]+)$/.exec(typeof header === 'string' ? header.trim() : '');
  if (match === null) return [];
  const [, name = '', digits = ''] = match;
  const expected = digits.toLowerCase();
  switch (name.toUpperCase()) {
    case 'SHA1':
      return [hashed('OC-Checksum', 'sha1', 'hex', expected)];
    case 'SHA256':
      return [hashed('OC-Checksum', 'sha256', 'hex', expected)];
    case 'MD5':
      return [hashed('OC-Checksum', 'md5', 'hex', expected)];
    case 'ADLER32':
      return [adler32(expected)];
    default:
      return [];
  }
}

function reprDigest(headers: IncomingHttpHeaders): readonly Check[] {
  const header = headers['repr-digest'];
  const match = /(?:^|,)\s*sha-256=:([A-Za-z0-9+/]+=*):/.exec(typeof header === 'string' ? header : '');
  return match?.[1] === undefined ? [] : [hashed('Repr-Digest', 'sha256', 'base64', match[1])];
}

function hashed(header: string, algorithm: string, encoding: 'hex' | 'base64', expected: string): Check {
  const hash = createHash(algorithm);
  return {
    header,
    expected,
    update: (chunk) => void hash.update(chunk),
    result: () => hash.digest(encoding),
  };
}

/** RFC 1950 section 9. */
function adler32(expected: string): Check {
  const modulus = 65_521;
  // So many bytes keep both sums below 2^32 (zlib's NMAX).
  const stride = 5552;
  let a = 1;
  let b = 0;
  return {
    header: 'OC-Checksum',
    expected: expected.padStart(8, '0'),
    update: (chunk) => {
      for (let start = 0; start < chunk.length; start += stride) {
        for (const byte of chunk.subarray(start, start + stride)) {
          a += byte;
          b += a;
        }
        a %= modulus;
        b %= modulus;
      }
    },
    result: () => (b * 65_536 + a).toString(16).padStart(8, '0'),
  };
}
