/**
 * What this replica has forgotten as removed, and a peer has again: the peer's disk was put back as it was some time
 * ago (Coda starts such a server empty; invariant I27 of the reference).
 *
 * FG-1  What the peer has changed last where this replica had read its changes (history.ts), and this replica has no
 *       record of, was here, was removed, and all had heard of that (graves.ts). It is remembered anew as removed,
 *       which the peer then reads like any removal.
 * FG-2  The removal covers what the peer has of the object now, and nothing that anybody adds: how the object is, is
 *       asked before when it was changed. One that was changed since its disk was put back is new, and is taken.
 * FG-3  Not so an empty directory that has been in the one above it here: what has changed it since is that what was in
 *       it has gone, and with it goes nothing of anybody's.
 */
import {
  hasRead,
  isFailure,
  isRemoved,
  noNames,
  unionOf,
  type Fid,
  type VnodeStatus,
} from '../interface/index.js';
import { sleep, type Clock } from '../seam/clock.js';
import type { Log } from '../seam/log.js';
import type { Link } from '../seam/network.js';
import type { Replica } from '../volume/replica.js';
import { ask } from './ask.js';
import { hasBeenIn } from './decide.js';

export interface ForgottenWorld {
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** Objects asked for in one call, and remembered in one transaction. */
const stepObjects = 100;

/**
 * Of `fids`, which differ here and at the replica `peer` behind `link`, those that were forgotten here: they are
 * remembered when it resolves. @throws Failure unreachable, timeout
 */
export async function rememberForgotten(
  replica: Replica,
  peer: string,
  link: Link,
  fids: readonly Fid[],
  { clock, log, signal }: ForgottenWorld,
): Promise<ReadonlySet<Fid>> {
  const { volume } = replica;
  const mark = replica.caughtUp(peer);
  const unknown = mark === undefined ? [] : fids.filter((fid) => isUnknown(replica, fid));
  const remembered = new Set<Fid>();
  for (let start = 0; mark !== undefined && start < unknown.length; start += stepObjects) {
    const asked = unknown.slice(start, start + stepObjects);
    const { statuses } = await ask(link, 'status', { volume, fids: asked, cop2: [] }, signal);
    const { epochs, stamps } = await ask(link, 'stamps', { volume, fids: asked }, signal);
    const objects = statuses.flatMap((status, index) => {
      const stamp = stamps[index] ?? null;
      if (status === null || isRemoved(status) || stamp === null) return [];
      if (!hasRead(mark, epochs, stamp) && !isEmptyFromHere(replica, status)) return [];
      const removed = { ...status, gone: unionOf(status.gone, status.known) };
      return isRemoved(removed) && isUnknown(replica, status.fid) ? [removed] : [];
    });
    if (objects.length > 0) await replica.merge({ objects, withoutKnown: false });
    for (const { fid } of objects) remembered.add(fid);
    await sleep(clock, 0, signal);
  }
  if (remembered.size > 0) log.warn('old disk of a peer', { volume, peer, forgotten: remembered.size });
  return remembered;
}

/** FG-3 */
function isEmptyFromHere(replica: Replica, status: VnodeStatus): boolean {
  const [place] = status.places;
  if (place === undefined || status.kind !== 'directory' || status.names !== noNames) return false;
  const above = heldHere(replica, place.parent);
  return above !== undefined && above !== null && hasBeenIn(above, status);
}

function isUnknown(replica: Replica, fid: Fid): boolean {
  return heldHere(replica, fid) === undefined;
}

/** Undefined: there is no record of it. Null: there is one, and it is damaged. */
function heldHere(replica: Replica, fid: Fid): VnodeStatus | null | undefined {
  try {
    return replica.held(fid);
  } catch (error) {
    if (!isFailure(error, 'damaged')) throw error;
    return null;
  }
}
