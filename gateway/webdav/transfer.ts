/**
 * What COPY and MOVE have in common: source, destination, and everything that is refused (RFC 4918 9.8, 9.9).
 */
import type { Expectation, Fid, Place, ReplaceOptions } from '../../venus/interface.js';
import { destinationOf } from './destination.js';
import { DavError, type Exchange, type Share } from './exchange.js';
import { ifExpectation } from './if-expectation.js';
import {
  existingTarget,
  refuseBody,
  requireConditions,
  requireUnlocked,
  writableTarget,
  type FoundPlace,
} from './target.js';

export interface Transfer {
  readonly source: FoundPlace;
  readonly target: Place;
  readonly targetPath: readonly string[];
  /** Where the object is to appear. */
  readonly to: { readonly parent: Fid; readonly name: string };
  /** Whether an object is there that must go; only with `overwrite`. */
  readonly replaces: boolean;
  readonly overwrite: boolean;
  /** What the client says it has seen at the destination. */
  readonly expect: Expectation | undefined;
}

/** @throws DavError 400, 403 (a locked volume, too), 404, 409, 412, 415, 502; Failure of Venus.lookup */
export async function transferOf(exchange: Exchange): Promise<Transfer> {
  refuseBody(exchange);
  const overwrite = overwriteOf(exchange);
  const targetPath = destinationOf(exchange);
  const source = await existingTarget(exchange);
  const asked = targetPath.at(-1);
  if (source.parent === null || asked === undefined)
    throw new DavError(403, 'The root of the share stays where it is');
  const target = await writableTarget(exchange, targetPath);
  if (target.parent === null) throw new Error('a name has no directory');
  const isSame = target.object?.fid === source.object.fid;
  // The same name in the other Unicode form finds the object itself: to MOVE, a change of its spelling.
  const respells =
    isSame && exchange.method === 'MOVE' && (asked !== source.name || target.parent !== source.parent);
  if (isSame && !respells) throw new DavError(403, 'Source and destination are the same');
  if (target.ancestors.includes(source.object.fid))
    throw new DavError(403, 'A folder cannot be put into itself');
  if (target.object !== null && source.ancestors.includes(target.object.fid)) {
    throw new DavError(403, 'A folder cannot be replaced by what is in it');
  }
  requireConditions(exchange, source.object);
  requireUnlocked(exchange, target);
  if (exchange.method === 'MOVE') requireUnlocked(exchange, source);
  const replaces = target.object !== null && !isSame;
  if (replaces && !overwrite) throw occupied();
  const name = replaces ? target.name : asked;
  const to = { parent: target.parent, name };
  const expect = isSame ? undefined : ifExpectation(exchange, targetPath, target.object);
  return { source, target, targetPath, to, replaces, overwrite, expect };
}

/** Of what is under way: no one else's, and told as such. */
export function ownName({ random }: Share, what: 'copying' | 'moving' | 'moved'): string {
  return `.${what}-${Buffer.from(random.bytes(8)).toString('hex')}`;
}

/** For Venus. */
export function replacing({ overwrite, expect }: Pick<Transfer, 'overwrite' | 'expect'>): ReplaceOptions {
  return { replace: overwrite, ...(expect !== undefined && { expect }) };
}

export function occupied(): DavError {
  return new DavError(412, 'There is something of this name at the destination');
}

/** RFC 4918 section 10.6: missing means T; webdavfs renames without it. */
function overwriteOf({ headers }: Exchange): boolean {
  const value = String(headers['overwrite'] ?? 'T')
    .trim()
    .toUpperCase();
  if (value !== 'T' && value !== 'F') throw new DavError(400, 'Overwrite is T or F');
  return value === 'T';
}
