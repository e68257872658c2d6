/**
 * Failures to HTTP answers: the one table, and what particular clients must be told instead (each quirk is a
 * row of the clients' own sources: webdavfs' errno map, KIO's listDir, gvfs' reason phrases).
 */
import { isFailure, type FailureKind } from '../../venus/interface.js';
import { DavError, type Answer, type Client } from './exchange.js';
import { errorElement, xmlContentType, xmlDeclaration } from './xml-writer.js';

/** Status for each kind of Venus' failures. Methods decide before where a status depends on the method. */
const statusOfKind: Readonly<Record<FailureKind, number>> = {
  unreachable: 503,
  timeout: 504,
  'not-found': 404,
  exists: 409,
  'not-directory': 409,
  'is-directory': 405,
  'not-empty': 409,
  'access-denied': 403,
  // The realm does not admit this gateway: another password would not help the user.
  'not-authenticated': 503,
  // Each request logs in anew by itself where a server can be asked: the next one may succeed.
  'logged-out': 503,
  'no-space': 507,
  quota: 507,
  changed: 412,
  conflict: 409,
  stale: 503,
  loop: 403,
  'cross-volume': 502,
  invalid: 400,
  'too-large': 413,
  busy: 503,
  refused: 409,
  damaged: 500,
  incompatible: 500,
  cancelled: 503,
};

/**
 * What a person reads where Venus' own words would not help; gvfs shows the reason phrase, others the body.
 */
const sentences: Partial<Record<FailureKind, string>> = {
  unreachable: 'File server unreachable and the file is not cached; try again later',
  timeout: 'The file server did not answer in time; try again',
  'access-denied': 'You have no right to do this',
  'not-authenticated': 'The file servers do not admit this gateway; tell its operator',
  'logged-out': 'Your login is over; try again',
  'no-space': 'The disk is full',
  quota: 'The quota of the volume is exceeded',
  stale: 'The file servers are bringing each other up to date; try again',
  busy: 'The gateway is busy; try again',
  damaged: 'The stored contents are damaged; the gateway looks for another copy',
  incompatible: 'The file servers speak another version; tell the operator',
};

/** Seconds. */
const retryAfter = 30;

/** The status that `error` means to clients in general; undefined for a broken invariant. */
export function statusOf(error: unknown): number | undefined {
  if (error instanceof DavError) return error.status;
  return isFailure(error) ? statusOfKind[error.kind] : undefined;
}

/** The answer for `error` to a request of `method` by `client`; a broken invariant is a bare 500. */
export function failureAnswer(error: unknown, method: string, client: Client): Answer {
  const general = statusOf(error) ?? 500;
  const status = quirkOf(general, method, client);
  const headers: Record<string, string> = {
    'Content-Type': 'text/plain; charset=utf-8',
    'X-Content-Type-Options': 'nosniff',
    ...microsoftError(status),
  };
  if (general === 503 || general === 504) headers['Retry-After'] = String(retryAfter);
  if (error instanceof DavError && error.condition !== undefined && client.kind !== 'kio') {
    headers['Content-Type'] = xmlContentType;
    return { status, headers, body: errorDocument(error.condition, error.hrefs) };
  }
  return { status, headers, body: `${sentenceOf(error)}\n` };
}

function errorDocument(condition: string, hrefs: readonly string[]): string {
  return xmlDeclaration + errorElement(condition, hrefs).replace('<D:error>', '<D:error xmlns:D="DAV:">');
}

/** A reason phrase for `status`: the first line of a plain body, else undefined for the standard one. */
export function reasonPhrase({ status, headers, body }: Answer): string | undefined {
  if (status < 400 || typeof body !== 'string') return undefined;
  if (headers?.['Content-Type']?.startsWith('text/plain') !== true) return undefined;
  const [line = ''] = body.split('\n', 1);
  return line.length > 0 && line.length <= 120 && /^[\x20-\x7e]*$/.test(line) ? line : undefined;
}

/**
 * macOS turns every 5xx but 507 into "no such file" and forgets the file; 423 is the only other status that
 * it takes for what it is, a file that cannot be used now (webdavfs, webdav_network.c).
 */
function quirkOf(status: number, method: string, client: Client): number {
  const onOneFile = method === 'GET' || method === 'HEAD' || method === 'LOCK' || method === 'PUT';
  return client.kind === 'macos' && onOneFile && (status === 503 || status === 504) ? 423 : status;
}

/** What Office shows instead of a bare number (MS-WDVME; the codes are those of Windows' own errors). */
function microsoftError(status: number): Readonly<Record<string, string>> {
  if (status === 507) return { 'X-MSDAVEXT_ERROR': '589923; The%20share%20is%20full' };
  if (status === 423) return { 'X-MSDAVEXT_ERROR': '589838; The%20file%20is%20in%20use' };
  return {};
}

function sentenceOf(error: unknown): string {
  if (error instanceof DavError) return error.message;
  if (isFailure(error)) return sentences[error.kind] ?? error.message;
  return 'The gateway failed; its log says why';
}
