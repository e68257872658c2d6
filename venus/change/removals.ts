/** What goes: a file, one version of it, a whole tree; by itself, or in the same entry as what takes its place. */
import {
  isFailure,
  type DirectoryEntry,
  type Mutation,
  type VnodeStatus,
} from '../../vice/interface/index.js';
import { sleep } from '../../vice/seam/clock.js';
import type { CachedObject } from '../cache/cached-object.js';
import type { ObjectCache } from '../cache/object-cache.js';
import type { Caller, Expectation, Name } from '../interface.js';
import type { Draft, Drafting } from './drafting.js';
import { attempts, changed, expect, isOutdated, notEmpty } from './expectation.js';
import { inside, named, whole, type LatchRequest } from './latches.js';
import { Look, turnMembers } from './look.js';
import { mustHoldNoMount } from './mount-guard.js';
import { isSame, isVersion, type Bound } from './names.js';
import { subtreeRecords } from './subtree.js';
import { dismissal } from './version-records.js';

/** A tree up to this many objects is replaced in one entry of the log, so in one transaction. */
export const atomicObjects = 90;
const removalsAtOnce = 64;

interface Removal {
  readonly expect?: Expectation | undefined;
  /** Of a file in conflict all versions. */
  readonly whole?: boolean;
  /** Of a member of a tree: what there was in its directory. */
  readonly look?: Look;
}

export class Removals {
  readonly #drafting: Drafting;

  constructor(drafting: Drafting) {
    this.#drafting = drafting;
  }

  /** @see Venus.remove */
  remove(caller: Caller, where: Name, expectation?: Expectation): Promise<void> {
    return this.#remove(caller, where, { expect: expectation });
  }

  /**
   * Makes the removal of what goes or is replaced: all of it in one entry where it is small enough, else its members
   * are removed first. So whoever asks must know by then that the rest can be done. Who tries again gives the same
   * `look` (GU-1).
   * @throws Failure refused (a volume is mounted in it), before anything is removed; not-empty
   */
  async tree(
    caller: Caller,
    { parent: top }: Name,
    target: Bound,
    look: Look,
  ): Promise<(draft: Draft) => Mutation[]> {
    const { world } = this.#drafting;
    if (target.view.kind === 'directory') await mustHoldNoMount(world, target.view.fid);
    const where = { parent: top, name: target.name };
    const found = await subtreeRecords(world, where, target.object, atomicObjects);
    if (found !== undefined) {
      const statuses = found.map(({ status }) => status);
      if (target.view.kind === 'directory') look.mustHold(where, statuses);
      return ({ make, seen, lookedAt }) =>
        found.map(({ parent, name, status }) => ({
          op: status.kind === 'directory' ? ('rmdir' as const) : ('remove' as const),
          ...make({ ...seen(parent), ...lookedAt(status) }),
          parent,
          name,
          fid: status.fid,
        }));
    }
    await this.#removeMembers(caller, where, target, look);
    return this.tree(caller, where, target, look);
  }

  async #remove(caller: Caller, where: Name, removal: Removal): Promise<void> {
    const look = new Look();
    for (let attempt = 1; ; attempt += 1) {
      const found = await this.#drafting.names.existing(where);
      expect(removal.expect, found);
      removal.look?.mustHold(where, [found.object.status]);
      if (found.view.kind !== 'directory') return this.#removeObject(caller, where, found, removal);
      if (removal.expect?.unchanged !== undefined) return this.#removeEmpty(caller, where, removal);
      try {
        return await this.#removeTree(caller, where, found, look);
      } catch (error) {
        // Somebody took something out of it meanwhile, say.
        if (attempt >= attempts || !isOutdated(error)) throw error;
      }
    }
  }

  async #removeMembers(caller: Caller, where: Name, { object }: Bound, look: Look): Promise<void> {
    const { fetcher, cache, clock } = this.#drafting.world;
    const directory = object.status.fid;
    await fetcher.directory(directory, true);
    const entries = [...(cache.names(directory)?.values() ?? [])];
    // What the cache has of them may be older than what whoever asked was shown.
    const pause = (): Promise<void> => sleep(clock, 0);
    for (let start = 0; start < entries.length; start += turnMembers) {
      await fetcher.freshen(entries.slice(start, start + turnMembers).map(({ fid }) => fid));
      await pause();
    }
    await look.mustHoldAll(where, statusesOf(cache, object, entries), pause);
    const names = entries.map(({ name }) => name);
    for (let start = 0; start < names.length; start += removalsAtOnce) {
      await Promise.all(
        names.slice(start, start + removalsAtOnce).map((name) =>
          this.#remove(caller, { parent: directory, name }, { whole: true, look }).catch((error: unknown) => {
            // Gone is what we wanted.
            if (!isFailure(error, 'not-found')) throw error;
          }),
        ),
      );
    }
  }

  /** Removes one file or link that bears `where`; of a file in conflict the version that is seen there. */
  #removeObject(caller: Caller, where: Name, seen: Bound, removal: Removal): Promise<void> {
    return this.#drafting.change([inside(where.parent), named(where)], async () => {
      const found = await this.#drafting.names.existing(where);
      expect(removal.expect, found);
      if (!isSame(found, seen)) throw changed(found.view.fid);
      const { object, version, name } = found;
      const { fid, data } = object.status;
      removal.look?.mustHold(where, [object.status]);
      const isWhole = removal.whole === true || this.#drafting.hidesVersions(fid);
      const given = isVersion(found) && !isWhole ? (version ?? data) : null;
      // Another version than the one that was seen is not given up with it.
      if (given !== null && given.storeId !== seen.view.version) throw changed(found.view.fid);
      await this.#drafting.submit(where.parent, caller, ({ make, seen: known, lookedAt }) => {
        const looked = lookedAt(object.status);
        if (given !== null) return [dismissal(object.status, given, make(looked))];
        const common = make({ ...known(where.parent), ...looked });
        return [{ op: 'remove', ...common, parent: where.parent, name, fid }];
      });
    });
  }

  async #removeEmpty(caller: Caller, where: Name, removal: Removal): Promise<void> {
    const { names, world } = this.#drafting;
    const { fid } = (await names.existing(where)).view;
    return this.#drafting.change([inside(where.parent), named(where), whole(fid)], async () => {
      const found = await names.existing(where);
      expect(removal.expect, found);
      await world.fetcher.directory(fid);
      if ((world.cache.names(fid)?.size ?? 0) > 0) throw notEmpty(where);
      await this.#drafting.submit(where.parent, caller, ({ make, seen }) => {
        const common = make(seen(where.parent, fid));
        return [{ op: 'rmdir', ...common, parent: where.parent, name: found.name, fid }];
      });
    });
  }

  /** Removes a directory with all that is below it: in one entry, so whole or not at all, if it is small enough. */
  async #removeTree(caller: Caller, where: Name, seen: Bound, look: Look): Promise<void> {
    const { fid } = seen.view;
    const removals = await this.tree(caller, where, seen, look);
    await this.#drafting.holding([inside(where.parent), named(where), whole(fid)], async () => {
      const found = await this.#drafting.names.existing(where);
      if (found.view.fid !== fid) throw changed(found.view.fid);
      await this.#drafting.submit(where.parent, caller, removals);
    });
  }
}

/** To replace what bears a name: a directory must stay as it is meanwhile. */
export function replacing(target: Bound): readonly LatchRequest[] {
  return target.view.kind === 'directory' ? [whole(target.view.fid)] : [];
}

/** A directory, and what is in it as far as it is cached. */
function* statusesOf(
  cache: ObjectCache,
  directory: CachedObject,
  entries: readonly DirectoryEntry[],
): Generator<VnodeStatus> {
  yield directory.status;
  for (const { fid } of entries) {
    const status = cache.status(fid);
    if (status !== undefined) yield status;
  }
}
