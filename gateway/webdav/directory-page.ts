/**
 * GET on a directory: a plain page for browsers. LibreOffice and Office only ask whether there is one (2xx).
 */
import type { Entry, ObjectStatus } from '../../venus/interface.js';
import { checkConditions } from './conditional.js';
import type { Answer, Exchange } from './exchange.js';
import { hrefOf } from './href.js';
import { formatHttpDate } from './http-date.js';
import { currentOf, preconditionFailed } from './target.js';
import { escapeAttribute, escapeXml } from './xml-writer.js';

export function directoryPage(exchange: Exchange, directory: ObjectStatus): Answer {
  // A directory has no validator: its page is never "not modified".
  const { 'if-modified-since': _, ...headers } = exchange.headers;
  if (checkConditions(headers, 'PROPFIND', currentOf(directory)) === 412) throw preconditionFailed();
  return {
    status: 200,
    headers: {
      'Content-Type': 'text/html; charset=utf-8',
      'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
      'X-Content-Type-Options': 'nosniff',
      'Referrer-Policy': 'no-referrer',
      'Last-Modified': formatHttpDate(directory.modified),
      'Cache-Control': 'private, no-cache',
      // RFC 4918 section 5.2: served where it was asked for, never by a redirect.
      'Content-Location': hrefOf(exchange.share.prefix, exchange.path, true),
    },
    ...(exchange.method === 'HEAD' ? {} : { body: page(exchange, directory) }),
  };
}

async function* page(exchange: Exchange, directory: ObjectStatus): AsyncIterable<string> {
  const { share, path, caller } = exchange;
  const title = escapeXml(`/${path.join('/')}`);
  const meta = `<meta charset="utf-8"><title>${title}</title>`;
  const head = `<!DOCTYPE html><html><head>${meta}</head><body><h1>${title}</h1><ul>\n`;
  const up =
    path.length === 0 ? '' : `<li><a href="${hrefOf(share.prefix, path.slice(0, -1), true)}">..</a></li>\n`;
  let before = head + up;
  // Nothing is sent before the first names are there: a listing that fails must not look like an empty
  // directory.
  for await (const batch of share.venus.list(caller, directory.fid)) {
    yield before + batch.map((entry) => line(exchange, entry)).join('');
    before = '';
  }
  yield `${before}</ul></body></html>\n`;
}

function line({ share, path }: Exchange, { name, status }: Entry): string {
  const isDirectory = status.kind === 'directory';
  const href = escapeAttribute(hrefOf(share.prefix, [...path, name], isDirectory));
  const size = isDirectory ? '' : ` (${status.length} bytes)`;
  return `<li><a href="${href}">${escapeXml(name)}${isDirectory ? '/' : ''}</a>${size}</li>\n`;
}
