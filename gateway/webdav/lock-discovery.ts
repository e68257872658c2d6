/** Locks as clients see them: DAV:lockdiscovery and DAV:activelock (RFC 4918 sections 14.1 and 15.8). */
import type { Place } from '../../venus/interface.js';
import type { Exchange } from './exchange.js';
import { rootOf } from './held-lock.js';
import { hrefOf } from './href.js';
import type { Lock } from './exchange.js';
import { escapeXml } from './xml-writer.js';

/** Office 2000 to 2003 refuses a lock whose description has a lockroot. */
const confusedByLockRoot =
  /Microsoft Office\/(?:9|10|11)\b|Microsoft Data Access Internet Publishing Provider/;

/** The DAV:lockdiscovery element of the resource at `path`. */
export function lockDiscovery(exchange: Exchange, place: Place, path: readonly string[]): string {
  const locks = exchange.share.locks.covering(place);
  if (locks.length === 0) return '<D:lockdiscovery/>';
  const active = locks.map((lock) => activeLock(exchange, lock, rootHref(exchange, lock, place, path)));
  return `<D:lockdiscovery>${active.join('')}</D:lockdiscovery>`;
}

function rootHref(exchange: Exchange, lock: Lock, place: Place, path: readonly string[]): string {
  const isCollection = place.object?.fid !== lock.fid || place.object.kind === 'directory';
  return hrefOf(exchange.share.prefix, rootOf(lock, place, path), isCollection);
}

function activeLock({ method, client, share, caller }: Exchange, lock: Lock, root: string): string {
  const seconds = Math.max(0, Math.ceil((lock.ends - share.clock.monotonic()) / 1000));
  let xml = `<D:activelock><D:lockscope><D:${lock.scope}/></D:lockscope><D:locktype><D:write/></D:locktype>`;
  xml += `<D:depth>${lock.depth}</D:depth>`;
  // webdavfs takes any href in a listing, however deep, for one more member of it.
  const nested = !(client.kind === 'macos' && method === 'PROPFIND');
  if (nested && lock.owner !== '') xml += `<D:owner>${lock.owner}</D:owner>`;
  xml += `<D:timeout>Second-${seconds}</D:timeout>`;
  if (nested && share.locks.mayShowToken(caller, lock)) {
    xml += `<D:locktoken><D:href>${escapeXml(lock.token)}</D:href></D:locktoken>`;
  }
  if (nested && !confusedByLockRoot.test(client.userAgent)) {
    xml += `<D:lockroot><D:href>${escapeXml(root)}</D:href></D:lockroot>`;
  }
  return `${xml}</D:activelock>`;
}
