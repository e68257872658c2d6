/**
 * What there was when somebody asked for a tree to be removed or replaced: that is what he gives up.
 *
 * GU-1  What comes into a tree while it is being removed, or is changed in it, stays, and the removal fails: whoever
 *       asked for it has not seen that. So a removal that must look again, because others were faster, goes on only
 *       where nothing has been added. (`rm -r` does not look again, and leaves what has come.) Where a tree is too
 *       large to be removed at once, each of its larger directories is looked at when its turn comes.
 */
import { Failure, versionsOf, type Fid, type VnodeStatus } from '../../vice/interface/index.js';
import type { Name } from '../interface.js';

/** Members of a large directory that are looked at in one turn of the event loop. */
export const turnMembers = 1000;

export class Look {
  /** Versions of each object, or of a directory nothing; undefined: nobody has looked yet. */
  #seen: ReadonlyMap<Fid, string> | undefined;

  /** The first time takes `found` for what is given up. @throws Failure not-empty: there is more now */
  mustHold(where: Name, found: readonly VnodeStatus[]): void {
    this.#seen ??= new Map(found.map((status) => [status.fid, versionsIn(status)]));
    for (const status of found) this.#mustHaveSeen(where, status);
  }

  /** The same for a directory and what is in it, however much that is; others have the event loop at each `pause`. */
  async mustHoldAll(where: Name, found: Iterable<VnodeStatus>, pause: () => Promise<void>): Promise<void> {
    const seen = new Map<Fid, string>();
    let looked = 0;
    for (const status of found) {
      if (this.#seen === undefined) seen.set(status.fid, versionsIn(status));
      else this.#mustHaveSeen(where, status);
      if ((looked += 1) % turnMembers === 0) await pause();
    }
    this.#seen ??= seen;
  }

  #mustHaveSeen({ parent, name }: Name, status: VnodeStatus): void {
    if (this.#seen?.get(status.fid) === versionsIn(status)) return;
    const message = `something was put into ${name}, or changed in it, while it was being removed: look again`;
    throw new Failure('not-empty', 'venus.change', message, { fid: parent });
  }
}

function versionsIn(status: VnodeStatus): string {
  const ids = versionsOf(status).map(({ storeId }) => storeId);
  return ids.sort().join(' ');
}
