/** DELETE: an object, of a directory all that is below it (RFC 4918 section 9.6). */
import type { Answer, Exchange } from './exchange.js';
import { ifExpectation } from './if-expectation.js';
import { depthOf, existingTarget, nameOf, refuseBody, requireConditions, requireUnlocked } from './target.js';

export async function remove(exchange: Exchange): Promise<Answer> {
  refuseBody(exchange);
  const { share, caller, path } = exchange;
  const place = await existingTarget(exchange);
  const { parent, name } = nameOf(place);
  if (place.object.kind === 'directory') depthOf(exchange, ['infinity'], 'infinity');
  requireUnlocked(exchange, place);
  const expectation =
    requireConditions(exchange, place.object) ?? ifExpectation(exchange, path, place.object);
  await share.locks.guard(exchange, [{ place, path, kind: 'tree' }]);
  await share.venus.remove(caller, parent, name, expectation);
  await share.locks.dropAll([place.object.fid]);
  return { status: 204 };
}
