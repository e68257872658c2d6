/**
 * Objects of which two replicas know the same updates, and which they hold differently all the same. Replicas that are
 * merely behind each other are the resolver's business.
 */
import { isFailure, limits, relate, type Fid, type VnodeStatus } from '../interface/index.js';
import { ask } from '../resolution/ask.js';
import { differing } from '../resolution/differing.js';
import type { Link } from '../seam/network.js';
import type { Replica } from '../volume/replica.js';

/** Found by digests of fewer and fewer objects: equal replicas are known to be equal after one call. */
export async function disagreements(
  replica: Replica,
  link: Link,
  signal: AbortSignal,
): Promise<readonly Fid[]> {
  const first = await differing(replica, link, signal).next();
  const fids = first.done === true ? [] : first.value;
  const found: Fid[] = [];
  for (let from = 0; from < fids.length; from += limits.batchRecords) {
    const some = fids.slice(from, from + limits.batchRecords);
    const { statuses } = await ask(link, 'status', { volume: replica.volume, fids: some, cop2: [] }, signal);
    for (const [index, fid] of some.entries()) {
      if (isDisagreement(heldBy(replica, fid), statuses[index])) found.push(fid);
    }
  }
  return found;
}

/** Their digests differ already: with equal vectors they should not. */
function isDisagreement(own: VnodeStatus | undefined, theirs: VnodeStatus | null | undefined): boolean {
  if (own === undefined || theirs === undefined || theirs === null) return false;
  return relate(own, theirs) === 'equal';
}

/** One that cannot be read here is another fault. */
function heldBy(replica: Replica, fid: Fid): VnodeStatus | undefined {
  try {
    return replica.held(fid);
  } catch (error) {
    if (!isFailure(error, 'damaged')) throw error;
    return undefined;
  }
}
