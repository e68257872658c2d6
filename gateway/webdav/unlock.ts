/** UNLOCK (RFC 4918 section 9.11). */
import { DavError, type Method } from './exchange.js';
import { lockTokenOf } from './lock-guard.js';
import { lockTableOf } from './lock-table.js';

export const unlock: Method = async (exchange) => {
  const { share, caller, path } = exchange;
  const token = lockTokenOf(exchange);
  if (token === undefined) throw new DavError(400, 'UNLOCK needs a Lock-Token header');
  const place = await share.venus.lookup(caller, path);
  const lock = share.locks.covering(place).find((candidate) => candidate.token === token);
  if (lock === undefined) {
    throw new DavError(409, 'No such lock on this resource', 'lock-token-matches-request-uri');
  }
  if (lock.principal !== caller.user) throw new DavError(403, `The lock belongs to ${lock.principal}`);
  await lockTableOf(share.locks).release(token);
  return { status: 204 };
};
