/** Whether somebody has locked (WebDAV) a folder of the share, or one above it: `coda import` writes nothing there. */
import type { Clock } from '../../vice/seam/clock.js';
import { Failure, type Caller, type Fid, type Venus } from '../../venus/interface.js';
import { lockOf } from '../webdav/lock-note.js';

/**
 * `path`: the folder `fid`, in names from the root of the share. @throws Failure busy: it is locked; changed: it is
 * somewhere else now
 */
export async function mustBeUnlocked(
  venus: Venus,
  caller: Caller,
  { path, fid }: { readonly path: readonly string[]; readonly fid: Fid },
  clock: Clock,
): Promise<void> {
  const now = clock.monotonic();
  // Of a lock that cannot be read the widest is taken: a refusal too many, until it lapses.
  const held = venus.leases.all().filter((lease) => lease.ends > now);
  const deep = held.filter((lease) => lockOf(lease)?.depth !== '0');
  if (deep.length === 0) return;
  const { object, ancestors } = await venus.lookup(caller, path);
  if (object?.fid !== fid) throw new Failure('changed', 'gateway.tree', 'the folder was moved meanwhile');
  const above = new Set<Fid>([...ancestors, fid]);
  const lease = deep.find((each) => above.has(each.fid));
  if (lease !== undefined)
    throw new Failure('busy', 'gateway.tree', `${lease.holder} has locked a folder above it`);
}
