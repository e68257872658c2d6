/**
 * What the If header says about the contents of a file that is about to be changed: Venus must find it so still at the
 * moment of the change. Checked before alone, another save in between would be lost (RFC 4918 section 10.4).
 */
import type { Expectation, ObjectStatus } from '../../venus/interface.js';
import { parseOwnUrl } from './destination.js';
import { DavError, type Exchange } from './exchange.js';
import { ifListsOf, samePath } from './lock-guard.js';

/** `object` is what was found at `path`; undefined: the header has no entity tag for it. @throws DavError 400 */
export function ifExpectation(
  exchange: Exchange,
  path: readonly string[],
  object: ObjectStatus | null,
): Expectation | undefined {
  const isMeant = ifListsOf(exchange).some(
    ({ tag, conditions }) => conditions.some(({ kind }) => kind === 'etag') && isOf(exchange, tag, path),
  );
  if (!isMeant) return undefined;
  if (object === null) return { version: null };
  return object.version === null ? undefined : { version: object.version };
}

function isOf({ share, path: own, headers }: Exchange, tag: string | null, path: readonly string[]): boolean {
  try {
    return samePath(tag === null ? own : parseOwnUrl(share, tag, headers.host), path);
  } catch (error) {
    // Of another server: it says nothing here.
    if (error instanceof DavError) return false;
    throw error;
  }
}
