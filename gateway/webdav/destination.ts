/** URLs inside headers: Destination (RFC 4918 section 10.3) and the tags of If (section 10.4). */
import { requireOutside } from './coda-path.js';
import { DavError, type Exchange, type Share } from './exchange.js';
import { belowPrefix, parsePath, withoutQuery } from './path.js';

// KIO sends the scheme that its user typed.
const schemes = new Set(['http', 'https', 'dav', 'davs', 'webdav', 'webdavs']);

/**
 * The names below the share that `url` means: an absolute URI of this gateway, or an absolute path.
 * `requestHost` is the Host header of the request: behind a proxy it is the name by which clients know this
 * gateway. @throws DavError 400 (malformed), 414, 502 (another server, or outside the share)
 */
export function parseOwnUrl(share: Share, url: string, requestHost?: string): string[] {
  const below = belowPrefix(share.prefix, parsePath(ownRawPath(share, url, requestHost)));
  if (below === undefined) throw new DavError(502, 'The destination is outside the share');
  return below.path;
}

/** Where COPY or MOVE shall put it. @throws DavError as parseOwnUrl, 400 also when there is none, 403 in /.coda */
export function destinationOf(exchange: Exchange): string[] {
  const header = exchange.headers['destination'];
  if (typeof header !== 'string' || header.trim() === '') {
    throw new DavError(400, `${exchange.method} needs a Destination header`);
  }
  const path = parseOwnUrl(exchange.share, header, exchange.headers.host);
  requireOutside(path);
  return path;
}

/**
 * The path of `url` as it is written, without its query.
 *
 * Nothing is normalised: WHATWG's URL would resolve dot segments and turn backslashes before they can be
 * seen. User name, password and port are left behind.
 * @throws DavError 400 (neither an absolute URI nor an absolute path), 502 (another server)
 */
export function ownRawPath(share: Share, url: string, requestHost = ''): string {
  const text = url.trim();
  if (text.startsWith('/') && !text.startsWith('//')) return withoutQuery(text);
  const match = /^([a-z][a-z0-9+.-]{0,20}):\/\/([^/?#\\\s]+)(\/[^?]*)?(?:\?.*)?$/i.exec(text);
  if (match === null) throw new DavError(400, 'Neither an absolute URI nor an absolute path');
  const [, scheme = '', authority = '', path = '/'] = match;
  const host = hostOf(authority.slice(authority.lastIndexOf('@') + 1));
  if (host === '') throw new DavError(400, 'The URI has no host');
  const isOwn = host === hostOf(requestHost) || share.isOwnHost(host);
  if (!isOwn || !schemes.has(scheme.toLowerCase()))
    throw new DavError(502, 'The URI is one of another server');
  return path;
}

/** `host[:port]` in lower case without its port and without the brackets of IPv6; '' when malformed. */
function hostOf(hostAndPort: string): string {
  const match = /^(?:\[([0-9a-f:.]+)\]|([^:[\]\s]+))(?::\d*)?$/i.exec(hostAndPort);
  return (match?.[1] ?? match?.[2] ?? '').toLowerCase();
}
