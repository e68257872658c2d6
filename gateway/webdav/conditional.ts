/**
 * Preconditions of HTTP (RFC 7232), decided from headers and the object as it is now. WebDAV's If:
 * if-header.ts.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { parseHttpDate } from './http-date.js';

/** What the preconditions are compared with. */
export interface Current {
  /** Strong, with quotes; null if the object has none. */
  readonly etag: string | null;
  /** Milliseconds since 1970. */
  readonly modified: number;
  readonly exists: boolean;
}

export type Verdict = 'proceed' | 304 | 412;

/** Whether the request may go on, in the order of RFC 7232 section 6. */
export function checkConditions(headers: IncomingHttpHeaders, method: string, current: Current): Verdict {
  const ifMatch = headers['if-match'];
  if (ifMatch !== undefined) {
    if (!matches(ifMatch, current, 'strong')) return 412;
  } else if (isModifiedSince(headers['if-unmodified-since'], current)) {
    return 412;
  }

  const reads = method === 'GET' || method === 'HEAD';
  const ifNoneMatch = headers['if-none-match'];
  if (ifNoneMatch !== undefined) {
    if (matches(ifNoneMatch, current, 'weak')) return reads ? 304 : 412;
    return 'proceed';
  }
  return reads && isUnmodifiedSince(headers['if-modified-since'], current) ? 304 : 'proceed';
}

/** Whether the request says anything about the state that it expects. */
export function hasCondition(headers: IncomingHttpHeaders): boolean {
  return (
    headers['if-match'] !== undefined ||
    headers['if-none-match'] !== undefined ||
    headers['if-unmodified-since'] !== undefined
  );
}

/** RFC 7232 section 2.3.2: a weak tag never matches strongly; ours are all strong. */
function matches(header: string, current: Current, comparison: 'strong' | 'weak'): boolean {
  if (header.trim() === '*') return current.exists;
  if (!current.exists || current.etag === null) return false;
  for (const [, weak, tag] of header.matchAll(/(W\/)?("[\x21\x23-\x7e\x80-\xff]*")/g)) {
    if (tag === current.etag && (weak === undefined || comparison === 'weak')) return true;
  }
  return false;
}

/** An unreadable date counts as no header (RFC 7232 sections 3.3 and 3.4). */
function isModifiedSince(header: string | undefined, current: Current): boolean {
  const since = header === undefined ? undefined : parseHttpDate(header);
  return since !== undefined && current.exists && wholeSeconds(current.modified) > since;
}

/**
 * Exactly the date that was sent with the contents. A client may set a file's time back (X-OC-Mtime), so an
 * earlier date does not say that its contents are the older ones; to send them once more is always right.
 */
function isUnmodifiedSince(header: string | undefined, current: Current): boolean {
  const since = header === undefined ? undefined : parseHttpDate(header);
  return since !== undefined && current.exists && wholeSeconds(current.modified) === since;
}

function wholeSeconds(time: number): number {
  return Math.floor(time / 1000) * 1000;
}
