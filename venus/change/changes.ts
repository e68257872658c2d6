/**
 * The changes of a user: each is checked against a valid view, becomes one log entry, and is done when the
 * reintegrator says so. A change that the servers refuse because somebody else was faster is checked again against
 * what they have now: it then succeeds, or fails for the reason that its author should see.
 */
import {
  Failure,
  isFailure,
  volumeOf,
  type Fid,
  type Mutation,
  type StoreId,
  type StoreIdVector,
} from '../../vice/interface/index.js';
import type { Clock } from '../../vice/seam/clock.js';
import type { CachedObject } from '../cache/cached-object.js';
import type { ObjectCache } from '../cache/object-cache.js';
import type {
  Caller,
  Expectation,
  Name,
  ObjectStatus,
  PropertyChanges,
  ReplaceOptions,
  WriteOutcome,
  WriteTarget,
} from '../interface.js';
import type { Reintegrator } from '../reintegration/reintegrator.js';
import type { Committed } from '../reintegration/waiters.js';
import type { Transfer } from '../reintegration/staging.js';
import type { Identity } from '../store/identity.js';
import type { Fetcher } from '../volume/fetch.js';
import type { Volume } from '../volume/volume.js';
import { copyRecords, type Common, type MakeCommon } from './copying.js';
import {
  attempts,
  changed,
  crossVolume,
  exists,
  expect,
  isDirectory,
  isOutdated,
  retrying,
} from './expectation.js';
import { inside, Latches, named, whole, type LatchRequest } from './latches.js';
import { checkName, findEntry } from './namespace.js';
import { subtreeRecords } from './subtree.js';

/** A tree up to this many objects is replaced in one entry of the log, so in one transaction. */
const atomicObjects = 90;
const removalsAtOnce = 64;

export interface ChangesWorld {
  readonly cache: ObjectCache;
  readonly fetcher: Fetcher;
  readonly reintegrator: Reintegrator;
  readonly identity: Identity;
  readonly clock: Clock;
  readonly volume: (fid: Fid) => Volume;
}

/** Contents that are in the cache and, for large ones, on their way to the servers. */
export interface Body {
  readonly digest: string;
  readonly length: number;
  readonly transfers: readonly Transfer[];
}

export interface Stored extends WriteOutcome {
  readonly committed: Committed;
}

export class Changes {
  readonly #world: ChangesWorld;
  readonly #latches = new Latches();

  constructor(world: ChangesWorld) {
    this.#world = world;
  }

  /** The close of a written file. @see Writer.close */
  store(caller: Caller, target: WriteTarget, body: Body): Promise<Stored> {
    checkName(target.name);
    return this.#change([inside(target.parent), named(target)], async () => {
      const { existing, volume } = await this.#target(target);
      expect(target.expect, existing);
      if (existing !== undefined && existing.status.kind !== 'file') throw isDirectory(existing.status.fid);
      const fid = existing?.status.fid ?? this.#world.identity.newFid(volume.id);
      const modified = target.modified ?? this.#world.clock.wall();
      const committed = await this.#world.reintegrator.submit(volume, {
        transfers: new Map([[body.digest, body.transfers]]),
        records: (newStoreId) => {
          const common = this.#common(caller);
          const stored = (base: StoreIdVector): Mutation => ({
            op: 'store',
            ...common(newStoreId(), { [fid]: base }),
            fid,
            length: body.length,
            digest: body.digest,
            modified,
          });
          if (existing !== undefined) return [stored(existing.status.known)];
          const create: Mutation = {
            op: 'create',
            ...common(newStoreId(), this.#known(target.parent)),
            parent: target.parent,
            name: target.name,
            fid,
            mode: 0o644,
          };
          return [create, stored({})];
        },
      });
      return { created: existing === undefined, status: this.#view(fid), committed };
    });
  }

  makeDirectory(caller: Caller, parent: Fid, name: string): Promise<ObjectStatus> {
    return this.#make(caller, { parent, name }, (fid, common) => ({
      op: 'mkdir',
      ...common,
      parent,
      name,
      fid,
      mode: 0o755,
    }));
  }

  makeSymlink(caller: Caller, parent: Fid, name: string, target: string): Promise<ObjectStatus> {
    return this.#make(caller, { parent, name }, (fid, common) => ({
      op: 'symlink',
      ...common,
      parent,
      name,
      fid,
      target,
    }));
  }

  /** @see Venus.remove */
  async remove(caller: Caller, parent: Fid, name: string, expectation?: Expectation): Promise<void> {
    const where = { parent, name };
    for (let attempt = 1; ; attempt += 1) {
      const found = await this.#existing(where);
      expect(expectation, found);
      if (found.status.kind !== 'directory') return this.#removeObject(caller, where, found, expectation);
      try {
        return await this.#removeTree(caller, where, found);
      } catch (error) {
        // Somebody put something into it meanwhile, or took something out.
        if (attempt >= attempts || !isOutdated(error)) throw error;
      }
    }
  }

  /** @see Venus.rename */
  async rename(
    caller: Caller,
    from: Name,
    to: Name,
    options: ReplaceOptions,
  ): Promise<{ readonly replaced: boolean }> {
    checkName(to.name);
    const source = await this.#existing(from);
    const target = (await this.#target(to)).existing;
    const isReplaced = target !== undefined && target.status.fid !== source.status.fid;
    const stored = { parent: to.parent, name: await this.#entryName(to) };
    const tree = isReplaced ? await this.#subtree(caller, stored, target, options) : undefined;
    const latches = [inside(from.parent), inside(to.parent), named(from), named(to)];
    if (source.status.kind === 'directory') latches.push({ key: 'a/rename', mode: 'exclusive' });
    if (isReplaced && target.status.kind === 'directory') latches.push(whole(target.status.fid));
    return this.#change(latches, async () => {
      const moved = await this.#existing(from);
      const { existing, volume } = await this.#target(to);
      const replaced = existing !== undefined && existing.status.fid !== moved.status.fid;
      if (replaced && existing.status.fid !== target?.status.fid) throw changed(existing.status.fid);
      expect(options.expect, replaced ? existing : undefined);
      if (replaced && !options.replace) throw exists(to);
      if (from.parent === to.parent && from.name === to.name) return { replaced: false };
      if (volumeOf(from.parent) !== volumeOf(to.parent)) throw crossVolume(moved.status.fid);
      const entry = await this.#entryName(from);
      await this.#world.reintegrator.submit(volume, {
        records: (newStoreId) => {
          const common = this.#common(caller);
          const removals = replaced ? (tree ?? (() => []))(newStoreId) : [];
          const { fid } = moved.status;
          const base = { ...this.#known(from.parent), ...this.#known(to.parent), ...this.#known(fid) };
          const rename: Mutation = {
            op: 'rename',
            ...common(newStoreId(), base),
            fromParent: from.parent,
            fromName: entry,
            toParent: to.parent,
            toName: to.name,
            fid,
          };
          return [...removals, rename];
        },
      });
      return { replaced };
    });
  }

  /** @see Venus.copy */
  async copy(caller: Caller, source: Fid, to: Name, options: ReplaceOptions): Promise<WriteOutcome> {
    checkName(to.name);
    const original = await this.#world.fetcher.fresh(source);
    const { status } = original;
    const target = (await this.#target(to)).existing;
    if (target !== undefined && !options.replace) throw exists(to);
    const sameKind = target === undefined || (target.status.kind === 'file' && status.kind === 'file');
    if (!sameKind) await this.remove(caller, to.parent, to.name, options.expect);
    const expectation = sameKind ? options.expect : undefined;
    return this.#change([inside(to.parent), named(to)], async () => {
      const { existing, volume } = await this.#target(to);
      expect(expectation, existing);
      await this.#world.fetcher.fresh(source);
      if (existing !== undefined && (!options.replace || existing.status.kind !== 'file')) throw exists(to);
      const fid = existing?.status.fid ?? this.#world.identity.newFid(volume.id);
      await this.#world.reintegrator.submit(volume, {
        records: (newStoreId) => {
          const common = this.#common(caller);
          const make: MakeCommon = (base) => common(newStoreId(), base);
          const { status: from } = this.#world.cache.get(source) ?? original;
          return copyRecords(from, { ...to, fid, existing }, this.#known(to.parent), make);
        },
      });
      return { created: target === undefined, status: this.#view(fid) };
    });
  }

  setModified(caller: Caller, fid: Fid, modified: number): Promise<ObjectStatus> {
    return this.#update(caller, fid, (common) => ({ op: 'utimes', ...common, fid, modified }));
  }

  setMode(caller: Caller, fid: Fid, mode: number): Promise<ObjectStatus> {
    return this.#update(caller, fid, (common) => ({ op: 'chmod', ...common, fid, mode }));
  }

  setProperties(caller: Caller, fid: Fid, changes: PropertyChanges): Promise<ObjectStatus> {
    const { set, remove } = changes;
    return this.#update(caller, fid, (common) => ({
      op: 'setprops',
      ...common,
      fid,
      set,
      remove: [...remove],
    }));
  }

  /** Holds the latches; where the servers refuse what the cache allowed, looks again. */
  async #change<T>(latches: readonly LatchRequest[], work: () => Promise<T>): Promise<T> {
    return this.#latches.with(latches, () => retrying(work));
  }

  #make(caller: Caller, where: Name, record: (fid: Fid, common: Common) => Mutation): Promise<ObjectStatus> {
    checkName(where.name);
    return this.#change([inside(where.parent), named(where)], async () => {
      const { existing, volume } = await this.#target(where);
      if (existing !== undefined) throw exists(where);
      const fid = this.#world.identity.newFid(volume.id);
      await this.#world.reintegrator.submit(volume, {
        records: (newStoreId) => [record(fid, this.#common(caller)(newStoreId(), this.#known(where.parent)))],
      });
      return this.#view(fid);
    });
  }

  #update(caller: Caller, fid: Fid, record: (common: Common) => Mutation): Promise<ObjectStatus> {
    return retrying(async () => {
      await this.#world.fetcher.fresh(fid);
      await this.#world.reintegrator.submit(this.#world.volume(fid), {
        records: (newStoreId) => [record(this.#common(caller)(newStoreId(), this.#known(fid)))],
      });
      return this.#view(fid);
    });
  }

  async #removeMembers(caller: Caller, directory: Fid): Promise<void> {
    await this.#world.fetcher.directory(directory);
    const names = [...(this.#world.cache.names(directory)?.keys() ?? [])];
    for (let start = 0; start < names.length; start += removalsAtOnce) {
      await Promise.all(
        names.slice(start, start + removalsAtOnce).map((name) =>
          this.remove(caller, directory, name).catch((error: unknown) => {
            // Gone is what we wanted.
            if (!isFailure(error, 'not-found')) throw error;
          }),
        ),
      );
    }
  }

  /** Removes one file or link that bears `where`. */
  #removeObject(caller: Caller, where: Name, seen: CachedObject, expectation?: Expectation): Promise<void> {
    const { fid } = seen.status;
    return this.#change([inside(where.parent), named(where)], async () => {
      const found = await this.#existing(where);
      expect(expectation, found);
      if (found.status.fid !== fid) throw changed(found.status.fid);
      const name = await this.#entryName(where);
      await this.#world.reintegrator.submit(this.#world.volume(where.parent), {
        records: (newStoreId) => [
          {
            op: 'remove',
            ...this.#common(caller)(newStoreId(), { ...this.#known(where.parent), ...this.#known(fid) }),
            parent: where.parent,
            name,
            fid,
          },
        ],
      });
    });
  }

  /** Removes a directory with all that is below it: in one entry, so whole or not at all, if it is small enough. */
  async #removeTree(caller: Caller, where: Name, seen: CachedObject): Promise<void> {
    const { fid } = seen.status;
    const stored = { parent: where.parent, name: await this.#entryName(where) };
    const removals = await this.#subtree(caller, stored, seen, { replace: true });
    await this.#latches.with([inside(where.parent), named(where), whole(fid)], async () => {
      const found = await this.#existing(where);
      if (found.status.fid !== fid) throw changed(found.status.fid);
      await this.#world.reintegrator.submit(this.#world.volume(where.parent), { records: removals });
    });
  }

  /** Makes the removal of what goes or is replaced: all of it in the rename's own entry where it is small enough. */
  async #subtree(
    caller: Caller,
    where: Name,
    target: CachedObject,
    options: ReplaceOptions,
  ): Promise<(newStoreId: () => StoreId) => readonly Mutation[]> {
    if (!options.replace) return () => [];
    const found = await subtreeRecords(this.#world, where, target, atomicObjects);
    if (found !== undefined) {
      return (newStoreId) => {
        const common = this.#common(caller);
        return found.map(({ parent, name, status }) => ({
          op: status.kind === 'directory' ? ('rmdir' as const) : ('remove' as const),
          ...common(newStoreId(), { ...this.#known(parent), ...this.#known(status.fid) }),
          parent,
          name,
          fid: status.fid,
        }));
      };
    }
    await this.#removeMembers(caller, target.status.fid);
    return this.#subtree(caller, where, target, options);
  }

  /** What bears a name now. @throws Failure not-found, not-directory, unreachable (the parent) */
  async #target(
    where: Name,
  ): Promise<{ readonly existing: CachedObject | undefined; readonly volume: Volume }> {
    await this.#world.fetcher.directory(where.parent);
    const names = this.#world.cache.names(where.parent);
    const entry = names === undefined ? undefined : findEntry(names, where.name);
    const volume = this.#world.volume(where.parent);
    if (entry === undefined) return { existing: undefined, volume };
    return { existing: await this.#world.fetcher.fresh(entry.fid), volume };
  }

  /** As #target, for a name that must exist. */
  async #existing(where: Name): Promise<CachedObject> {
    const { existing } = await this.#target(where);
    if (existing !== undefined) return existing;
    throw new Failure('not-found', 'venus.lookup', `there is no ${where.name}`, { fid: where.parent });
  }

  /** The name as it is stored, under whichever Unicode form it was asked for. */
  async #entryName(where: Name): Promise<string> {
    await this.#world.fetcher.directory(where.parent);
    const names = this.#world.cache.names(where.parent);
    return (names === undefined ? undefined : findEntry(names, where.name))?.name ?? where.name;
  }

  #known(fid: Fid): Readonly<Record<Fid, StoreIdVector>> {
    return { [fid]: this.#world.cache.status(fid)?.known ?? {} };
  }

  #common(caller: Caller): (storeId: StoreId, base: Common['base']) => Common {
    const time = this.#world.clock.wall();
    return (storeId, base) => ({ storeId, time, author: caller.user, base });
  }

  #view(fid: Fid): ObjectStatus {
    const object = this.#world.cache.get(fid);
    if (object === undefined)
      throw new Failure('not-found', 'venus.status', 'somebody removed it meanwhile', { fid });
    return object.view;
  }
}
