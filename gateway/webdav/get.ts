/**
 * GET and HEAD: a file from the version that was opened, whatever happens meanwhile; a directory as a page.
 */
import type { ObjectStatus, OpenFile } from '../../venus/interface.js';
import { checkConditions } from './conditional.js';
import { directoryPage } from './directory-page.js';
import { etagOf } from './etag.js';
import type { Answer, Exchange } from './exchange.js';
import { DavError } from './exchange.js';
import { formatHttpDate } from './http-date.js';
import { mediaTypeOf } from './media-type.js';
import { selectRange, type ByteRange } from './range.js';
import { currentOf, existingTarget, preconditionFailed } from './target.js';

export async function get(exchange: Exchange): Promise<Answer> {
  const { object, name } = await existingTarget(exchange);
  if (object.kind === 'directory') return directoryPage(exchange, object);
  if (object.kind === 'symlink') throw new DavError(403, 'A symbolic link cannot be read through this share');
  const answered = conditionAnswer(exchange, object);
  if (answered !== undefined) return answered;
  if (exchange.method === 'HEAD') {
    return {
      status: 200,
      headers: { ...contentHeaders(object, name), 'Content-Length': String(object.length) },
    };
  }
  const file = await exchange.share.venus.open(exchange.caller, object.fid);
  try {
    // Another version may have been opened than was looked up.
    const outdated =
      file.status.version === object.version ? undefined : conditionAnswer(exchange, file.status);
    if (outdated === undefined) return contentAnswer(exchange, file, name);
    await file.close();
    return outdated;
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** 304, or undefined to go on. @throws DavError 412 */
function conditionAnswer(exchange: Exchange, object: ObjectStatus): Answer | undefined {
  const verdict = checkConditions(exchange.headers, exchange.method, currentOf(object));
  if (verdict === 412) throw preconditionFailed();
  return verdict === 304 ? { status: 304, headers: validators(object) } : undefined;
}

function contentAnswer(exchange: Exchange, file: OpenFile, name: string): Answer {
  const { length, modified } = file.status;
  const headers = contentHeaders(file.status, name);
  const selection = selectRange(exchange.headers, { etag: etagOf(file.status), modified, length });
  if (selection.kind === 'unsatisfiable') {
    return {
      status: 416,
      headers: { ...headers, 'Content-Range': `bytes */${length}` },
      body: closing(file),
    };
  }
  const ranges = selection.kind === 'whole' ? [{ start: 0, end: length }] : selection.ranges;
  const [first, ...others] = ranges;
  if (first === undefined) throw new Error('a selection of ranges is empty');
  if (others.length > 0) return multipartAnswer(exchange, file, ranges, headers);
  const one = { ...headers, 'Content-Length': String(first.end - first.start) };
  if (selection.kind === 'whole') return { status: 200, headers: one, body: reading(file, first) };
  return {
    status: 206,
    headers: { ...one, 'Content-Range': contentRange(first, length) },
    body: reading(file, first),
  };
}

/** RFC 7233 appendix A. */
function multipartAnswer(
  exchange: Exchange,
  file: OpenFile,
  ranges: readonly ByteRange[],
  headers: Readonly<Record<string, string>>,
): Answer {
  const boundary = Buffer.from(exchange.share.random.bytes(12)).toString('hex');
  const type = headers['Content-Type'] ?? 'application/octet-stream';
  const head = (range: ByteRange): string => {
    const place = contentRange(range, file.status.length);
    return `\r\n--${boundary}\r\nContent-Type: ${type}\r\nContent-Range: ${place}\r\n\r\n`;
  };
  const tail = `\r\n--${boundary}--\r\n`;
  const bytes = ranges.reduce(
    (sum, range) => sum + head(range).length + range.end - range.start,
    tail.length,
  );
  async function* body(): AsyncIterable<string | Uint8Array> {
    try {
      for (const range of ranges) yield* part(head(range), file.read(range.start, range.end));
      yield tail;
    } finally {
      await file.close();
    }
  }
  const multipart = {
    'Content-Type': `multipart/byteranges; boundary=${boundary}`,
    'Content-Length': String(bytes),
  };
  return { status: 206, headers: { ...headers, ...multipart }, body: body() };
}

/** Bytes behind their head; its first bytes are here before anything is sent: what fails at once has its own status. */
async function* part(
  head: string,
  source: AsyncIterable<Uint8Array>,
): AsyncGenerator<string | Uint8Array, void, undefined> {
  const chunks = source[Symbol.asyncIterator]();
  try {
    let next = await chunks.next();
    yield head;
    for (; next.done !== true; next = await chunks.next()) yield next.value;
  } finally {
    await chunks.return?.();
  }
}

async function* reading(file: OpenFile, { start, end }: ByteRange): AsyncIterable<Uint8Array> {
  try {
    if (end > start) yield* file.read(start, end);
  } finally {
    await file.close();
  }
}

async function* closing(file: OpenFile): AsyncIterable<Uint8Array> {
  await file.close();
}

function contentRange({ start, end }: ByteRange, length: number): string {
  return `bytes ${start}-${end - 1}/${length}`;
}

function validators(object: ObjectStatus): Record<string, string> {
  const etag = etagOf(object);
  return {
    ...(etag === null ? {} : { ETag: etag }),
    'Last-Modified': formatHttpDate(object.modified),
    // May be kept, but every use asks: another gateway may have changed it.
    'Cache-Control': 'private, no-cache',
  };
}

function contentHeaders(object: ObjectStatus, name: string): Record<string, string> {
  const type = mediaTypeOf(name);
  return {
    ...validators(object),
    'Content-Type': type,
    'Accept-Ranges': 'bytes',
    'X-Content-Type-Options': 'nosniff',
    ...(isActive(type) ? { 'Content-Disposition': 'attachment', 'Content-Security-Policy': 'sandbox' } : {}),
  };
}

/** What a browser would run in the name of the share. */
function isActive(type: string): boolean {
  return (
    /html|svg|xml|javascript|ecmascript|x-shockwave|x-java|wasm/i.test(type) &&
    !type.includes('officedocument')
  );
}
