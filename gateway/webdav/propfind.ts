/**
 * PROPFIND (RFC 4918 section 9.1). The answer is streamed: a folder's listing is never in memory as a
 * whole.
 */
import { sleep } from '../../vice/seam/clock.js';
import { isFailure, volumeOf, type ObjectStatus, type Place, type Space } from '../../venus/interface.js';
import { DavError, type Answer, type Exchange, type Method } from './exchange.js';
import { acceptsGzip, gzipped } from './gzip.js';
import { encodeName, hrefOf } from './href.js';
import { lockDiscoveryName } from './live-properties.js';
import { lockDiscovery } from './lock-discovery.js';
import { isPrincipalName, namedPerson, principalElement } from './principals.js';
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
  /** By volume; only when the quota was asked for. */
  readonly spaces: Map<string, Promise<Space | undefined>> | undefined;
}

/** What is known of one resource beside its status; undefined: it was not asked for, or nobody can tell now. */
interface Told {
  readonly rights: string | undefined;
  readonly space: Space | undefined;
}

export const propfind: Method = async (exchange) => {
  const { headers, client } = exchange;
  const depth = depthOf(headers['depth']);
  const body = await readXml(exchange.body);
  const request = cache.intern(propertyRequest(body, client.kind === 'windows'));
  const place = await existingTarget(exchange);
  const wantsSpace =
    request.kind !== 'names' && request.computed.some((name) => name.startsWith('{DAV:}quota-'));
  const spaces = wantsSpace ? new Map<string, Promise<Space | undefined>>() : undefined;
  const listing = { exchange, request, minimal: isMinimal(exchange), spaces };
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
  text += response(listing, selfHref, place, self, path, await toldOf(listing, self));
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
      const told = toldOf(listing, status);
      text += response(listing, href, member, status, path, told instanceof Promise ? await told : told);
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

const nothing: Told = { rights: undefined, space: undefined };

/** A volume that cannot be reached, mounted in a folder, takes nothing from the folder's listing. */
function toldOf(listing: Listing, status: ObjectStatus): Promise<Told> | Told {
  const { exchange, request, spaces } = listing;
  const wantsRights = request.kind !== 'names' && request.computed.includes(privilegesName);
  const wantsSpace = spaces !== undefined && status.kind === 'directory';
  if (!wantsRights && !wantsSpace) return nothing;
  const { venus } = exchange.share;
  const tell = async (): Promise<Told> => {
    const access = wantsRights ? venus.access(exchange.caller, status.fid) : undefined;
    const rights = access?.then((found) => found.rights).catch(unlessUnreachable);
    const space = wantsSpace ? spaceOn(listing, spaces, status) : undefined;
    const [mayDo, room] = await Promise.all([rights, space]);
    return { rights: mayDo, space: room };
  };
  return tell();
}

function spaceOn(
  { exchange }: Listing,
  spaces: NonNullable<Listing['spaces']>,
  { fid }: ObjectStatus,
): Promise<Space | undefined> {
  const volume = volumeOf(fid);
  let space = spaces.get(volume);
  if (space === undefined) {
    space = exchange.share.venus.space(exchange.caller, fid).catch(unlessUnreachable);
    spaces.set(volume, space);
  }
  return space;
}

function unlessUnreachable(error: unknown): undefined {
  if (!isFailure(error, 'unreachable', 'timeout')) throw error;
}

function response(
  listing: Listing,
  href: string,
  place: Place,
  status: ObjectStatus,
  listed: readonly string[],
  told: Told,
): string {
  const { request, minimal } = listing;
  let { found, missing } = cache.render(request, status, place.name);
  for (const name of request.computed) {
    const xml =
      name === privilegesName
        ? privilegesOf(status, request, told)
        : computed(listing, name, place, status, listed, told.space);
    if (xml !== undefined) found += request.kind === 'names' ? emptyOf(name) : xml;
    else if (request.kind === 'some') missing += emptyOf(name);
  }
  const none = missing === '' || minimal;
  // A response must have a propstat, even an empty one.
  const first = found !== '' || none ? propstat(found, 200) : '';
  const second = none ? '' : propstat(missing, 404);
  return `<D:response><D:href>${escapeXml(href)}</D:href>${first}${second}</D:response>`;
}

function privilegesOf(
  { kind }: ObjectStatus,
  request: PropertyRequest,
  { rights }: Told,
): string | undefined {
  if (rights === undefined && request.kind !== 'names') return undefined;
  return privilegeSet(kind === 'directory', rights ?? '');
}

/**
 * The properties that change without the object. Quota is RFC 4331's: of folders, and only when asked by
 * name.
 */
function computed(
  { exchange, request }: Listing,
  name: string,
  place: Place,
  status: ObjectStatus,
  listed: readonly string[],
  space: Space | undefined,
): string | undefined {
  if (name === lockDiscoveryName) {
    const isSelf = place.ancestors.length === listed.length;
    return lockDiscovery(exchange, place, isSelf ? listed : [...listed, place.name]);
  }
  if (isPrincipalName(name)) {
    const person = namedPerson(name, status, exchange.caller.user);
    return person === undefined ? undefined : principalElement(name, person, exchange.share.prefix);
  }
  if (status.kind !== 'directory') return undefined;
  if (request.kind === 'names') return '';
  if (space === undefined) return undefined;
  const bytes = name === '{DAV:}quota-used-bytes' ? space.usedBytes : space.availableBytes;
  const local = name.slice('{DAV:}'.length);
  return Number.isFinite(bytes) ? `<D:${local}>${Math.max(0, Math.floor(bytes))}</D:${local}>` : undefined;
}
