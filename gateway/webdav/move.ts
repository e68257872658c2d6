/** MOVE: one rename, also over what bears the name at the destination (RFC 4918 section 9.9); see move-across.ts. */
import { isFailure, type Fid, type Name } from '../../venus/interface.js';
import type { Answer, Exchange } from './exchange.js';
import { DavError } from './exchange.js';
import type { Intent } from './exchange.js';
import { partialAnswer } from './member-failures.js';
import { modificationTimeOf } from './modification-time.js';
import { moveAcross } from './move-across.js';
import { depthOf, preconditionFailed } from './target.js';
import { occupied, replacing, transferOf, type Transfer } from './transfer.js';

export async function move(exchange: Exchange): Promise<Answer> {
  const { share, path } = exchange;
  const transfer = await transferOf(exchange);
  const { source, target, targetPath } = transfer;
  if (source.object.kind === 'directory') depthOf(exchange, ['infinity'], 'infinity');
  if (source.parent === null) throw new Error('the root has no name to move');
  const intents: Intent[] = [
    { place: source, path, kind: 'tree' },
    { place: target, path: targetPath, kind: transfer.replaces ? 'tree' : 'membership' },
  ];
  await share.locks.guard(exchange, intents);
  const from = { parent: source.parent, name: source.name };
  const replaced = await rename(exchange, from, transfer);
  const former = transfer.replaces && target.object !== null ? [target.object.fid] : [];
  if (replaced === 'cross-volume') return across(exchange, transfer, former);
  // RFC 4918 section 7.7: a lock does not move with its object.
  await share.locks.dropAll([source.object.fid, ...former]);
  const modified = modificationTimeOf(exchange.headers);
  if (modified !== undefined) await setModified(exchange, transfer, modified);
  return moved(replaced, modified);
}

async function across(exchange: Exchange, transfer: Transfer, former: readonly Fid[]): Promise<Answer> {
  const { share, caller } = exchange;
  const { fid, replaced, gone, failures } = await moveAcross(exchange, transfer);
  await share.locks.dropAll([...gone, ...former]);
  if (failures.length > 0) return partialAnswer(exchange, failures, 'Not all of it could be moved');
  const modified = modificationTimeOf(exchange.headers);
  if (modified !== undefined) await share.venus.setModified(caller, fid, modified);
  return moved(replaced, modified);
}

function moved(replaced: boolean, modified: number | undefined): Answer {
  return {
    status: replaced ? 204 : 201,
    ...(modified === undefined ? {} : { headers: { 'X-OC-Mtime': 'accepted' } }),
  };
}

/** What was a version in conflict is another object now. */
async function setModified(
  { share, caller }: Exchange,
  { source, targetPath }: Transfer,
  modified: number,
): Promise<void> {
  const isSibling = source.object.conflict?.kind === 'sibling';
  const moved = isSibling ? (await share.venus.lookup(caller, targetPath)).object : source.object;
  if (moved !== null) await share.venus.setModified(caller, moved.fid, modified);
}

async function rename(
  { share, caller }: Exchange,
  from: Name,
  transfer: Transfer,
): Promise<boolean | 'cross-volume'> {
  try {
    return (await share.venus.rename(caller, from, transfer.to, replacing(transfer))).replaced;
  } catch (error) {
    if (isFailure(error, 'cross-volume')) return 'cross-volume';
    if (isFailure(error, 'exists')) throw occupied();
    if (isFailure(error, 'changed') && transfer.expect !== undefined) throw preconditionFailed();
    if (isFailure(error, 'changed')) throw new DavError(409, 'Another change came in between; try again');
    throw error;
  }
}
