/** MKCOL: a new, empty directory (RFC 4918 section 9.3). */
import { isFailure } from '../../venus/interface.js';
import { DavError, type Answer, type Exchange } from './exchange.js';
import { nameOf, refuseBody, requireConditions, requireUnlocked, writableTarget } from './target.js';

export async function mkcol(exchange: Exchange): Promise<Answer> {
  refuseBody(exchange);
  const { share, caller, path } = exchange;
  const place = await writableTarget(exchange, path);
  requireConditions(exchange, place.object);
  if (place.object !== null) throw taken();
  requireUnlocked(exchange, place);
  const { parent, name } = nameOf(place);
  await share.locks.guard(exchange, [{ place, path, kind: 'membership' }]);
  try {
    await share.venus.makeDirectory(caller, parent, name);
  } catch (error) {
    if (isFailure(error, 'exists')) throw taken();
    if (isFailure(error, 'not-found', 'not-directory'))
      throw new DavError(409, 'The folder for it does not exist');
    throw error;
  }
  return { status: 201 };
}

function taken(): DavError {
  return new DavError(405, 'There is something of this name already');
}
