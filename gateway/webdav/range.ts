/** Byte ranges (RFC 7233), decided from headers and the version that was opened. */
import type { IncomingHttpHeaders } from 'node:http';
import { parseHttpDate } from './http-date.js';

/** Bytes from `start` up to but not including `end`. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

export type Selection =
  | { readonly kind: 'whole' }
  /** Not empty, in order, none touching another. */
  | { readonly kind: 'ranges'; readonly ranges: readonly ByteRange[] }
  | { readonly kind: 'unsatisfiable' };

export interface Selected {
  readonly etag: string | null;
  /** Milliseconds since 1970. */
  readonly modified: number;
  /** Bytes. */
  readonly length: number;
}

/** More than these are a denial of service, not a need (CVE-2011-3192): the whole file is sent. */
const maxRanges = 16;
const whole: Selection = { kind: 'whole' };

/** Which bytes of the version a GET shall send. A malformed header counts as none (RFC 7233 section 3.1). */
export function selectRange(headers: IncomingHttpHeaders, version: Selected): Selection {
  const set = /^bytes=(.*)$/i.exec(headers.range?.trim() ?? '')?.[1];
  if (set === undefined || !ifRangeHolds(headers['if-range'], version)) return whole;
  const specs = set
    .split(',')
    .map((spec) => spec.trim())
    .filter((spec) => spec !== '');
  if (specs.length === 0 || specs.length > maxRanges) return whole;
  const ranges: ByteRange[] = [];
  for (const spec of specs) {
    const range = parseSpec(spec, version.length);
    if (range === 'malformed') return whole;
    if (range !== 'outside') ranges.push(range);
  }
  return ranges.length === 0 ? { kind: 'unsatisfiable' } : { kind: 'ranges', ranges: merged(ranges) };
}

function parseSpec(spec: string, length: number): ByteRange | 'malformed' | 'outside' {
  const match = /^(\d*)-(\d*)$/.exec(spec);
  if (match === null || spec === '-') return 'malformed';
  const [, first = '', last = ''] = match;
  if (first === '') {
    const suffix = Number(last);
    return suffix === 0 || length === 0 ? 'outside' : { start: Math.max(0, length - suffix), end: length };
  }
  const start = Number(first);
  if (last !== '' && Number(last) < start) return 'malformed';
  if (start >= length) return 'outside';
  return { start, end: last === '' ? length : Math.min(length, Number(last) + 1) };
}

/** Overlapping and touching ranges become one, so that no byte is sent twice. */
function merged(ranges: readonly ByteRange[]): readonly ByteRange[] {
  const result: ByteRange[] = [];
  for (const range of ranges.toSorted((a, b) => a.start - b.start)) {
    const last = result.at(-1);
    if (last === undefined || range.start > last.end) result.push(range);
    else result[result.length - 1] = { start: last.start, end: Math.max(last.end, range.end) };
  }
  return result;
}

/** RFC 7233 section 3.2: the strong tag or the exact date of what the client already has a part of. */
function ifRangeHolds(header: string | string[] | undefined, version: Selected): boolean {
  if (header === undefined) return true;
  if (typeof header !== 'string') return false;
  const validator = header.trim();
  if (validator.startsWith('"')) return validator === version.etag;
  const date = parseHttpDate(validator);
  return date !== undefined && date === Math.floor(version.modified / 1000) * 1000;
}
