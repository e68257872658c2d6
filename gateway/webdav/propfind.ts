/**
 * PROPFIND (RFC 4918 section 9.1). The answer is streamed: a folder's listing is never in memory as a
 * whole.
 */
import { sleep } from '../../vice/seam/clock.js';
import type { ObjectStatus, Place, Space } from '../../venus/interface.js';
import { DavError, type Answer, type Exchange, type Method } from './exchange.js';
import { acceptsGzip, gzipped } from './gzip.js';
import { encodeName, hrefOf } from './href.js';
import { lockDiscoveryName } from './live-properties.js';
import { lockDiscovery } from './lock-discovery.js';
import { privilegeSet, privilegesName } from './privileges.js';
import { emptyOf, RenderedCache } from './property-rendering.js';
import { propertyRequest, type PropertyRequest } from './property-request.js';
import { existingTarget } from './target.js';
import { readXml } from './xml-reader.js';
import { escapeXml, multistatusEnd, multistatusStart, propstat, xmlContentType } from './xml-writer.js';

/** Characters that are collected before they are sent. */
const chunkSize = 32 * 1024;
/** Names after which other requests have their turn: about 2 ms. */
const namesPerTurn = 500;
/** Windows shows nothing of a folder that has one such name. */
const unfitForWindows = /[<>:"\\|?*]|[. ]$/;

const cache = new RenderedCache();

/** What is the same for all resources of one answer. */
interface Listing {
  readonly exchange: Exchange;
  readonly request: PropertyRequest;
  /** Whether properties that do not exist are left out (Brief, and Prefer of RFC 8144). */
  readonly minimal: boolean;
  /** Only when the quota was asked for. */
  readonly space: Space | undefined;
}

export const propfind: Method = async (exchange) => {
  const { share, caller, headers, client } = exchange;
  const depth = depthOf(headers['depth']);
  const body = await readXml(exchange.body);
  const request = cache.intern(propertyRequest(body, client.kind === 'windows'));
  const place = await existingTarget(exchange);
  const wantsSpace =
    request.kind !== 'names' && request.computed.some((name) => name.startsWith('{DAV:}quota-'));
  const space = wantsSpace ? await share.venus.space(caller) : undefined;
  const listing = { exchange, request, minimal: isMinimal(exchange), space };
  return answer(exchange, responses(listing, place, place.object, depth));
};

/** @throws DavError 400, 403 for a whole tree (RFC 4918 section 9.1: a server may refuse) */
function depthOf(header: string | string[] | undefined): 0 | 1 {
  const depth = String(header ?? 'infinity')
    .replace(/\s/g, '')
    .toLowerCase();
  if (depth === '0') return 0;
  if (depth === '1' || depth === '1,noroot') return 1;
  if (depth.startsWith('infinity')) {
    throw new DavError(403, 'List one folder at a time, with Depth: 0 or 1', 'propfind-finite-depth');
  }
  throw new DavError(400, 'The Depth of PROPFIND is 0 or 1');
}

function isMinimal({ headers }: Exchange): boolean {
  return (
    /^t/i.test(String(headers['brief'] ?? '')) ||
    /\breturn[=-]minimal\b/i.test(String(headers['prefer'] ?? ''))
  );
}

/** The first chunk is awaited, so that a folder that cannot be read is an error, never a short listing. */
async function answer(exchange: Exchange, chunks: AsyncGenerator<string, string>): Promise<Answer> {
  const first = await chunks.next();
  const headers: Record<string, string> = {
    'Content-Type': xmlContentType,
    Vary: 'Accept-Encoding, Brief, Prefer',
  };
  if (isMinimal(exchange)) headers['Preference-Applied'] = 'return=minimal';
  if (first.done === true) return { status: 207, headers, body: first.value };
  const all = resumed(first.value, chunks);
  if (!acceptsGzip(exchange)) return { status: 207, headers, body: all };
  return { status: 207, headers: { ...headers, 'Content-Encoding': 'gzip' }, body: gzipped(all) };
}

async function* resumed(first: string, chunks: AsyncGenerator<string, string>): AsyncGenerator<string> {
  try {
    yield first;
    for (let next = await chunks.next(); ; next = await chunks.next()) {
      yield next.value;
      if (next.done === true) return;
    }
  } finally {
    await chunks.return('');
  }
}

/** The multistatus in chunks; the last one is returned. */
async function* responses(
  listing: Listing,
  place: Place,
  self: ObjectStatus,
  depth: 0 | 1,
): AsyncGenerator<string, string> {
  const { exchange, request } = listing;
  const { share, caller, path } = exchange;
  let text = multistatusStart;
  const selfHref = hrefOf(share.prefix, path, self.kind === 'directory');
  text += response(listing, selfHref, place, self, path, await rightsOn(listing, self));
  if (depth === 0 || self.kind !== 'directory') return text + multistatusEnd;
  const ancestors = [...place.ancestors, self.fid];
  let names = 0;
  let unfit = 0;
  for await (const batch of share.venus.list(caller, self.fid)) {
    for (const { name, status } of batch) {
      if (request.forWindows && unfitForWindows.test(name)) {
        unfit += 1;
        continue;
      }
      const href = selfHref + encodeName(name) + (status.kind === 'directory' ? '/' : '');
      const member = { parent: self.fid, name, object: status, ancestors };
      text += response(listing, href, member, status, path, await rightsOn(listing, status));
      names += 1;
      if (names % namesPerTurn === 0) await sleep(share.clock, 0);
      if (text.length < chunkSize) continue;
      yield text;
      text = '';
    }
  }
  if (unfit > 0) share.log.info('propfind.unfit-names', { path: path.join('/'), leftOut: unfit });
  return text + multistatusEnd;
}

/** Letters of rlidwka, where they were asked for. */
function rightsOn({ exchange, request }: Listing, { fid }: ObjectStatus): Promise<string> | string {
  if (request.kind === 'names' || !request.computed.includes(privilegesName)) return '';
  return exchange.share.venus.access(exchange.caller, fid).then(({ rights }) => rights);
}

function response(
  listing: Listing,
  href: string,
  place: Place,
  status: ObjectStatus,
  listed: readonly string[],
  rights: string,
): string {
  const { request, minimal } = listing;
  let { found, missing } = cache.render(request, status, place.name);
  for (const name of request.computed) {
    const xml =
      name === privilegesName
        ? privilegeSet(status.kind === 'directory', rights)
        : computed(listing, name, place, status, listed);
    if (xml !== undefined) found += request.kind === 'names' ? emptyOf(name) : xml;
    else if (request.kind === 'some') missing += emptyOf(name);
  }
  const none = missing === '' || minimal;
  // A response must have a propstat, even an empty one.
  const first = found !== '' || none ? propstat(found, 200) : '';
  const second = none ? '' : propstat(missing, 404);
  return `<D:response><D:href>${escapeXml(href)}</D:href>${first}${second}</D:response>`;
}

/**
 * The properties that change without the object. Quota is RFC 4331's: of folders, and only when asked by
 * name.
 */
function computed(
  { exchange, request, space }: Listing,
  name: string,
  place: Place,
  status: ObjectStatus,
  listed: readonly string[],
): string | undefined {
  if (name === lockDiscoveryName) {
    const isSelf = place.ancestors.length === listed.length;
    return lockDiscovery(exchange, place, isSelf ? listed : [...listed, place.name]);
  }
  if (status.kind !== 'directory') return undefined;
  if (request.kind === 'names') return '';
  if (space === undefined) return undefined;
  const bytes = name === '{DAV:}quota-used-bytes' ? space.usedBytes : space.availableBytes;
  const local = name.slice('{DAV:}'.length);
  return Number.isFinite(bytes) ? `<D:${local}>${Math.max(0, Math.floor(bytes))}</D:${local}>` : undefined;
}
