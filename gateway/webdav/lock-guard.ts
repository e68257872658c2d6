/**
 * Whether a request may change what it is about to change, as far as locks and its If header say (RFC 4918
 * 7, 10.4).
 */
import { isFailure, type Place } from '../../venus/interface.js';
import { parseOwnUrl } from './destination.js';
import { etagOf } from './etag.js';
import { DavError, type Exchange } from './exchange.js';
import { rootOf, type HeldLock, type HeldLocks, type Obstacle } from './held-lock.js';
import { hrefOf } from './href.js';
import { evaluateIf, parseIf, submittedTokens, type IfList, type ResourceState } from './if-header.js';
import type { Intent } from './exchange.js';

/** Each tag of an If header costs a lookup. */
const maxTags = 64;
const stateless: ResourceState = { tokens: new Set(), etag: null };

/** See Locks.guard. */
export async function guard(table: HeldLocks, exchange: Exchange, intents: readonly Intent[]): Promise<void> {
  const lists = ifListsOf(exchange);
  const submitted = submittedTokens(lists);
  const bare = lockTokenOf(exchange);
  if (bare !== undefined) submitted.add(bare);
  if (lists.length > 0 && !(await ifHolds(table, exchange, intents, lists))) {
    throw new DavError(412, 'No list of the If header holds for the resource as it is now');
  }
  const obstacles: Obstacle[] = [];
  for (const intent of intents) {
    obstacles.push(...(await obstaclesOf(table, exchange, intent, submitted)));
    if (obstacles.length > 0) break;
  }
  const [first] = obstacles;
  if (first === undefined) return;
  const hrefs = obstacles.map(({ lock, path }) => hrefOf(exchange.share.prefix, path, lock.collection));
  const message = `Locked by ${first.lock.principal}: the request must submit the token of the lock`;
  throw new DavError(423, message, 'lock-token-submitted', [...new Set(hrefs)]);
}

/** The lists of the request's If header, none without one. @throws DavError 400 */
export function ifListsOf(exchange: Exchange): readonly IfList[] {
  const header = exchange.headers['if'];
  if (header === undefined) return [];
  return parseIf(Array.isArray(header) ? header.join(' ') : header);
}

/** The token in a Lock-Token header, with or without its angle brackets (Windows leaves them out). */
export function lockTokenOf(exchange: Exchange): string | undefined {
  const header = exchange.headers['lock-token'];
  const text = (Array.isArray(header) ? header[0] : header)?.trim();
  if (text === undefined || text === '') return undefined;
  return text.startsWith('<') && text.endsWith('>') ? text.slice(1, -1) : text;
}

async function ifHolds(
  table: HeldLocks,
  exchange: Exchange,
  intents: readonly Intent[],
  lists: readonly IfList[],
): Promise<boolean> {
  const tags = new Set(lists.map((list) => list.tag));
  if (tags.size > maxTags) throw new DavError(400, `The If header names more than ${maxTags} resources`);
  const states = new Map<string | null, ResourceState>();
  for (const tag of tags) states.set(tag, await stateOf(table, exchange, intents, tag));
  return evaluateIf(lists, (tag) => states.get(tag) ?? stateless);
}

/** A resource that does not exist, or is not ours, is one without any state (RFC 4918 10.4.4): no error. */
async function stateOf(
  table: HeldLocks,
  exchange: Exchange,
  intents: readonly Intent[],
  tag: string | null,
): Promise<ResourceState> {
  try {
    const path = tag === null ? exchange.path : parseOwnUrl(exchange.share, tag, exchange.headers.host);
    const known = intents.find((intent) => samePath(intent.path, path));
    const place = known?.place ?? (await exchange.share.venus.lookup(exchange.caller, path));
    const tokens = new Set(table.covering(place).map((lock) => lock.token));
    return { tokens, etag: place.object === null ? null : etagOf(place.object) };
  } catch (error) {
    if (error instanceof DavError) return stateless;
    if (isFailure(error, 'not-found', 'not-directory', 'access-denied', 'invalid')) return stateless;
    throw error;
  }
}

export function samePath(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((name, index) => name === other[index]);
}

/** The locks in the way of `intent` whose token was not submitted by the lock's own principal. */
async function obstaclesOf(
  table: HeldLocks,
  exchange: Exchange,
  { place, path, kind }: Intent,
  submitted: ReadonlySet<string>,
): Promise<readonly Obstacle[]> {
  const has = (lock: HeldLock): boolean =>
    submitted.has(lock.token) && lock.principal === exchange.caller.user;
  const inTheWay = new Map<string, Obstacle>();
  const groups: (readonly HeldLock[])[] = [];
  if (kind !== 'membership') groups.push(table.covering(place));
  if (kind !== 'content') groups.push(membershipLocks(table, place));
  for (const lock of groups.flatMap((group) => unsatisfied(group, has))) {
    inTheWay.set(lock.token, { lock, path: rootOf(lock, place, path) });
  }
  if (inTheWay.size > 0 || kind !== 'tree' || place.object?.kind !== 'directory')
    return [...inTheWay.values()];
  const matters = (lock: HeldLock): boolean => unsatisfied(table.locksOn(lock.fid), has).includes(lock);
  return table.obstaclesBelow(exchange.caller, place.object.fid, path, matters);
}

/** A lock on a directory, of any depth, protects the names in it (RFC 4918 7.4). */
function membershipLocks(table: HeldLocks, place: Place): readonly HeldLock[] {
  const [parent, ...above] = place.ancestors.toReversed();
  if (parent === undefined) return [];
  const deep = above.flatMap((fid) => table.locksOn(fid)).filter((lock) => lock.depth === 'infinity');
  return [...table.locksOn(parent), ...deep];
}

/**
 * Of the locks that cover one resource, those that stand in the way: every exclusive one whose token is
 * missing, and the shared ones unless one of them was submitted (nobody could hold the tokens of all).
 */
function unsatisfied(locks: readonly HeldLock[], has: (lock: HeldLock) => boolean): readonly HeldLock[] {
  const sharedIsHeld = locks.some((lock) => lock.scope === 'shared' && has(lock));
  return locks.filter((lock) => (lock.scope === 'shared' ? !sharedIsHeld : !has(lock)));
}
