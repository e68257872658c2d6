/** LOCK: a new lock, or with an empty body the refresh of one (RFC 4918 section 9.10). */
import { isFailure, type Place } from '../../venus/interface.js';
import { DavError, type Answer, type Exchange, type Method } from './exchange.js';
import { submittedTokens } from './if-header.js';
import { lockDiscovery } from './lock-discovery.js';
import { ifListsOf, lockTokenOf } from './lock-guard.js';
import { lockTableOf, type LockRequest } from './lock-table.js';
import {
  depthOf,
  existingTarget,
  nameOf,
  requireConditions,
  requireUnlocked,
  writableTarget,
} from './target.js';
import { childOf, elementsOf, readXml, standaloneContent, type Element } from './xml-reader.js';
import { xmlContentType, xmlDeclaration } from './xml-writer.js';

/**
 * Seconds. Office loses a lock that lives less than three minutes; a crashed client's lock should not live
 * long.
 */
const timeouts = { shortest: 180, longest: 3600, default: 600 } as const;
const maxOwner = 2048;

export const lock: Method = async (exchange) => {
  const timeout = timeoutOf(exchange.headers['timeout']);
  const info = await readXml(exchange.body);
  // The Depth of a refresh means nothing (RFC 4918 section 9.10.2).
  if (info === undefined) return refresh(exchange, timeout);
  const depth = depthOf(exchange, ['0', 'infinity'], 'infinity');
  return create(exchange, { principal: exchange.caller.user, depth, timeout, ...lockInfo(info) });
};

/** Seconds granted for a Timeout header: the first of its wishes that can be read (RFC 4918 section 10.7). */
export function timeoutOf(header: string | string[] | undefined): number {
  for (const wish of String(header ?? '').split(',')) {
    if (/^\s*infinite\s*$/i.test(wish)) return timeouts.longest;
    const seconds = /^\s*second-(\d{1,12})\s*$/i.exec(wish)?.[1];
    if (seconds !== undefined) {
      return Math.min(Math.max(Number(seconds), timeouts.shortest), timeouts.longest);
    }
  }
  return timeouts.default;
}

/** @throws DavError 400 */
function lockInfo(info: Element): Pick<LockRequest, 'scope' | 'owner'> {
  if (info.name !== '{DAV:}lockinfo') throw new DavError(400, 'The body of LOCK is a DAV:lockinfo');
  const type = childOf(info, '{DAV:}locktype');
  if (type === undefined || childOf(type, '{DAV:}write') === undefined) {
    throw new DavError(400, 'The only lock type is DAV:write');
  }
  const scopes = elementsOf(childOf(info, '{DAV:}lockscope') ?? type).map((element) => element.name);
  const exclusive = scopes.includes('{DAV:}exclusive');
  if (exclusive === scopes.includes('{DAV:}shared')) {
    throw new DavError(400, 'The scope of a lock is either DAV:exclusive or DAV:shared');
  }
  const ownerElement = childOf(info, '{DAV:}owner');
  const owner = ownerElement === undefined ? '' : standaloneContent(ownerElement);
  if (owner.length > maxOwner) {
    throw new DavError(400, `The owner of a lock has more than ${maxOwner} characters`);
  }
  return { scope: exclusive ? 'exclusive' : 'shared', owner };
}

async function create(exchange: Exchange, request: LockRequest): Promise<Answer> {
  const { share, caller, path } = exchange;
  const table = lockTableOf(share.locks);
  let place = await writableTarget(exchange, path);
  requireConditions(exchange, place.object);
  await share.locks.guard(exchange, place.object === null ? [{ place, path, kind: 'membership' }] : []);
  let created = false;
  if (place.object === null) {
    requireUnlocked(exchange, place);
    // Before the file is made, so that a refusal leaves nothing behind.
    table.refuseConflict(exchange, place, request.scope);
    created = await createEmpty(exchange, place);
    place = await share.venus.lookup(caller, path);
    if (place.object === null) throw new DavError(409, 'Another client has removed the file meanwhile');
  }
  const granted = await table.grant(exchange, place, request);
  return discovery(exchange, place, created ? 201 : 200, { 'Lock-Token': `<${granted.token}>` });
}

/**
 * A lock on a free name makes an empty file (RFC 4918 section 7.3): LibreOffice, Office and davfs2 look at it
 * next. Returns whether it did: someone else may have taken the name meanwhile, then theirs is locked.
 */
async function createEmpty({ share, caller }: Exchange, place: Place): Promise<boolean> {
  const target = nameOf(place);
  const writer = await share.venus.write(caller, 0, { into: target.parent });
  try {
    const { created } = await writer.close({ ...target, expect: { version: null } });
    return created;
  } catch (error) {
    if (isFailure(error, 'changed', 'exists', 'is-directory')) return false;
    throw error;
  } finally {
    await writer.abort();
  }
}

/**
 * Also through a member of a locked folder. Answers 412 for a token that is not here, which is what
 * Office's first LOCK may be: without a body and with a token of the past.
 */
async function refresh(exchange: Exchange, timeout: number): Promise<Answer> {
  const { share, caller } = exchange;
  const tokens = submittedTokens(ifListsOf(exchange));
  const bare = lockTokenOf(exchange);
  if (bare !== undefined) tokens.add(bare);
  if (tokens.size === 0) {
    throw new DavError(400, 'LOCK without a body refreshes a lock: name it in an If header');
  }
  const place = await existingTarget(exchange);
  const table = lockTableOf(share.locks);
  const held = table.covering(place).filter((candidate) => tokens.has(candidate.token));
  const [first] = held;
  if (first === undefined) {
    throw new DavError(412, 'No such lock on this resource', 'lock-token-matches-request-uri');
  }
  const own = held.find((candidate) => candidate.principal === caller.user);
  if (own === undefined) throw new DavError(403, `The lock belongs to ${first.principal}`);
  await share.locks.guard(exchange, []);
  await table.refresh(own, timeout);
  return discovery(exchange, place, 200);
}

function discovery(
  exchange: Exchange,
  place: Place,
  status: number,
  headers: Readonly<Record<string, string>> = {},
): Answer {
  const found = lockDiscovery(exchange, place, exchange.path);
  const body = `${xmlDeclaration}<D:prop xmlns:D="DAV:">${found}</D:prop>`;
  return { status, headers: { 'Content-Type': xmlContentType, ...headers }, body };
}
