/**
 * The changes of a user: each is checked against a valid view, becomes one log entry, and is done when the
 * reintegrator says so. A change that the servers refuse because somebody else was faster is checked again against
 * what they have now: it then succeeds, or fails for the reason that its author should see.
 */
import { Failure, isFailure, type Fid, type Mutation, type VnodeStatus } from '../../vice/interface/index.js';
import { fileOf } from '../conflict/sibling.js';
import { objectOrSibling } from '../conflict/siblings.js';
import type {
  AccessList,
  Caller,
  Expectation,
  Name,
  ObjectStatus,
  PropertyChanges,
  ReplaceOptions,
  WriteOutcome,
  WriteTarget,
} from '../interface.js';
import type { Committed } from '../reintegration/waiters.js';
import type { Transfer } from '../reintegration/staging.js';
import { acknowledgedBy } from '../volume/volume-state.js';
import type { Contents } from './contents.js';
import { copyRecords } from './copying.js';
import type { Common, Draft, Drafting } from './drafting.js';
import {
  attempts,
  changed,
  exists,
  expect,
  isDirectory,
  isOutdated,
  retrying,
  undecided,
} from './expectation.js';
import { inside, named, whole } from './latches.js';
import { checkName } from './namespace.js';
import { asFile, isSame, isVersion, type Bound } from './names.js';
import { mustBeMovable, mustNotContain, subtreeRecords } from './subtree.js';
import { dismissal, firstStore, overwrittenMost, storeOver } from './version-records.js';
import { replacedVersion, VersionMoves } from './version-moves.js';

/** A tree up to this many objects is replaced in one entry of the log, so in one transaction. */
const atomicObjects = 90;
const removalsAtOnce = 64;

/** Contents that are in the cache and, for large ones, on their way to the servers. */
export interface Body {
  readonly digest: string;
  readonly length: number;
  readonly transfers: readonly Transfer[];
}

export interface Stored extends WriteOutcome {
  readonly committed: Committed;
}

interface Removal {
  readonly expect?: Expectation | undefined;
  /** Of a file in conflict all versions. */
  readonly whole?: boolean;
}

export class Changes {
  readonly #drafting: Drafting;
  readonly #contents: Contents;
  readonly #versionMoves: VersionMoves;

  constructor(drafting: Drafting, contents: Contents) {
    this.#drafting = drafting;
    this.#contents = contents;
    const remove = (caller: Caller, where: Name): Promise<void> =>
      this.remove(caller, where.parent, where.name);
    this.#versionMoves = new VersionMoves(drafting, contents, remove);
  }

  /** The close of a written file. @see Writer.close */
  store(caller: Caller, target: WriteTarget, body: Body): Promise<Stored> {
    checkName(target.name);
    const { world, names } = this.#drafting;
    return this.#drafting.change([inside(target.parent), named(target)], async () => {
      const existing = await names.find(target);
      expect(target.expect, existing);
      if (existing !== undefined && existing.view.kind !== 'file') throw isDirectory(existing.view.fid);
      const file = writtenOver(existing);
      const fid = file?.fid ?? this.#drafting.newFid(target.parent);
      const { digest, length, transfers } = body;
      const contents = { digest, length, modified: target.modified ?? world.clock.wall() };
      const records = (draft: Draft): readonly Mutation[] => {
        const { make, seen } = draft;
        const most = this.#besideMost(target.parent);
        if (file !== undefined) return [storeOver(file, contents, make({ [fid]: file.known }), most)];
        const { parent } = target;
        const made = { ...make(seen(parent)), parent, name: existing?.name ?? target.name, fid, mode: 0o644 };
        const created = firstStore(fid, contents, make({ [fid]: {} }));
        return [{ op: 'create', ...made }, created, ...replacedVersion(existing, draft)];
      };
      const committed = await this.#drafting.submit(
        target.parent,
        caller,
        records,
        new Map([[digest, transfers]]),
      );
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
  remove(caller: Caller, parent: Fid, name: string, expectation?: Expectation): Promise<void> {
    return this.#remove(caller, { parent, name }, { expect: expectation });
  }

  /** @see Venus.rename */
  async rename(
    caller: Caller,
    from: Name,
    to: Name,
    options: ReplaceOptions,
  ): Promise<{ readonly replaced: boolean }> {
    checkName(to.name);
    const { names } = this.#drafting;
    const source = await names.existing(from);
    const target = await names.find(to);
    await this.#drafting.world.guard.prepare(from.parent);
    const isReplaced = target !== undefined && !isSame(target, source);
    if (source.version !== null || (isReplaced && this.#takesContents(source, target))) {
      return this.#versionMoves.move(caller, from, to, options);
    }
    if (isReplaced) mustNotContain(this.#drafting.world.cache, target.view.fid, from.parent);
    const tree = isReplaced ? await this.#subtree(caller, to, target, options) : undefined;
    const latches = [inside(from.parent), inside(to.parent), named(from), named(to)];
    if (source.view.kind === 'directory') latches.push({ key: 'a/rename', mode: 'exclusive' });
    if (isReplaced && target.view.kind === 'directory') latches.push(whole(target.view.fid));
    return this.#drafting.change(latches, async () => {
      const moved = await names.existing(from);
      const existing = await names.find(to);
      const replaced = existing !== undefined && !isSame(existing, moved);
      if (moved.version !== null) throw changed(moved.view.fid);
      if (replaced && (existing.view.fid !== target?.view.fid || this.#takesContents(moved, existing))) {
        throw changed(existing.view.fid);
      }
      expect(options.expect, replaced ? existing : undefined);
      if (replaced && !options.replace) throw exists(to);
      if (from.parent === to.parent && moved.name === to.name) return { replaced: false };
      const { fid } = moved.view;
      await mustBeMovable(this.#drafting.world, fid, to.parent);
      await this.#drafting.submit(to.parent, caller, (draft) => {
        const removals = replaced ? (tree ?? (() => []))(draft) : [];
        const rename: Mutation = {
          op: 'rename',
          ...draft.make(draft.seenMoving(moved.object.status, from.parent, to.parent)),
          fromParent: from.parent,
          fromName: moved.name,
          toParent: to.parent,
          toName: to.name,
          fid,
        };
        return [...removals, rename];
      });
      return { replaced };
    });
  }

  /** @see Venus.copy */
  async copy(caller: Caller, source: Fid, to: Name, options: ReplaceOptions): Promise<WriteOutcome> {
    checkName(to.name);
    const { names, world } = this.#drafting;
    const original = await objectOrSibling(world.fetcher, source);
    await world.guard.mayRead(caller, original.object.status);
    const { kind } = original.object.status;
    const target = await names.find(to);
    if (target !== undefined && !options.replace) throw exists(to);
    const sameKind = target === undefined || (target.view.kind === 'file' && kind === 'file');
    if (!sameKind && isVersion(target) && !this.#drafting.hidesVersions(to.parent))
      throw undecided(target.view.fid, 'only a file can take the place of a version');
    if (!sameKind) {
      mustNotContain(world.cache, target.view.fid, original.object.status.parent);
      await this.remove(caller, to.parent, to.name, options.expect);
    }
    const expectation = sameKind ? options.expect : undefined;
    return this.#drafting.change([inside(to.parent), named(to)], async () => {
      const existing = await names.find(to);
      expect(expectation, existing);
      const from = await objectOrSibling(world.fetcher, source);
      if (existing !== undefined && (!options.replace || existing.view.kind !== 'file')) throw exists(to);
      if (existing !== undefined && kind !== 'file') throw exists(to);
      const over = writtenOver(existing) === undefined ? undefined : existing;
      const fid = over?.object.status.fid ?? this.#drafting.newFid(to.parent);
      const name = existing?.name ?? to.name;
      const most = this.#besideMost(to.parent);
      const release = await this.#hold(from);
      try {
        await this.#drafting.submit(to.parent, caller, (draft) => [
          ...copyRecords(asFile(from), { parent: to.parent, name, fid, existing: over, most }, draft),
          ...replacedVersion(existing, draft),
        ]);
      } finally {
        release();
      }
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

  /** @see Venus.setAccess */
  async setAccess(caller: Caller, fid: Fid, list: AccessList | null): Promise<void> {
    await this.#update(caller, fid, (common) => ({ op: 'setacl', ...common, fid, list }));
  }

  #make(caller: Caller, where: Name, record: (fid: Fid, common: Common) => Mutation): Promise<ObjectStatus> {
    checkName(where.name);
    return this.#drafting.change([inside(where.parent), named(where)], async () => {
      if ((await this.#drafting.names.find(where)) !== undefined) throw exists(where);
      const fid = this.#drafting.newFid(where.parent);
      await this.#drafting.submit(where.parent, caller, ({ make, seen }) => [
        record(fid, make(seen(where.parent))),
      ]);
      return this.#view(fid);
    });
  }

  #update(caller: Caller, fid: Fid, record: (common: Common) => Mutation): Promise<ObjectStatus> {
    if (fileOf(fid) !== fid) {
      const what =
        'this is one version of a file in conflict: decide which one is to be, then change the file';
      throw undecided(fid, what);
    }
    return retrying(async () => {
      await this.#drafting.world.fetcher.fresh(fid);
      await this.#drafting.submit(fid, caller, ({ make, seen }) => [record(make(seen(fid)))]);
      return this.#view(fid);
    });
  }

  async #remove(caller: Caller, where: Name, removal: Removal): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      const found = await this.#drafting.names.existing(where);
      expect(removal.expect, found);
      if (found.view.kind !== 'directory') return this.#removeObject(caller, where, found, removal);
      try {
        return await this.#removeTree(caller, where, found);
      } catch (error) {
        // Somebody put something into it meanwhile, or took something out.
        if (attempt >= attempts || !isOutdated(error)) throw error;
      }
    }
  }

  async #removeMembers(caller: Caller, directory: Fid): Promise<void> {
    const { fetcher, cache } = this.#drafting.world;
    await fetcher.directory(directory);
    const names = [...(cache.names(directory)?.keys() ?? [])];
    for (let start = 0; start < names.length; start += removalsAtOnce) {
      await Promise.all(
        names.slice(start, start + removalsAtOnce).map((name) =>
          this.#remove(caller, { parent: directory, name }, { whole: true }).catch((error: unknown) => {
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
      const isWhole = removal.whole === true || this.#drafting.hidesVersions(fid);
      const given = isVersion(found) && !isWhole ? (version ?? data) : null;
      // Another version than the one that was seen is not given up with it.
      if (given !== null && given.storeId !== seen.view.version) throw changed(found.view.fid);
      await this.#drafting.submit(where.parent, caller, ({ make, seen: known }) =>
        given !== null
          ? [dismissal(object.status, given, make(known(fid)))]
          : [{ op: 'remove', ...make(known(where.parent, fid)), parent: where.parent, name, fid }],
      );
    });
  }

  /** Removes a directory with all that is below it: in one entry, so whole or not at all, if it is small enough. */
  async #removeTree(caller: Caller, where: Name, seen: Bound): Promise<void> {
    const { fid } = seen.view;
    const removals = await this.#subtree(caller, where, seen, { replace: true });
    await this.#drafting.holding([inside(where.parent), named(where), whole(fid)], async () => {
      const found = await this.#drafting.names.existing(where);
      if (found.view.fid !== fid) throw changed(found.view.fid);
      await this.#drafting.submit(where.parent, caller, removals);
    });
  }

  /** Makes the removal of what goes or is replaced: all of it in the rename's own entry where it is small enough. */
  async #subtree(
    caller: Caller,
    { parent: top }: Name,
    target: Bound,
    options: ReplaceOptions,
  ): Promise<(draft: Draft) => readonly Mutation[]> {
    if (!options.replace) return () => [];
    const { world } = this.#drafting;
    const where = { parent: top, name: target.name };
    const found = await subtreeRecords(world, where, target.object, atomicObjects);
    if (found !== undefined) {
      return ({ make, seen }) =>
        found.map(({ parent, name, status }) => ({
          op: status.kind === 'directory' ? ('rmdir' as const) : ('remove' as const),
          ...make(seen(parent, status.fid)),
          parent,
          name,
          fid: status.fid,
        }));
    }
    await this.#removeMembers(caller, target.view.fid);
    return this.#subtree(caller, where, target, options);
  }

  /**
   * Keeps the contents of a version beside a file here, whatever becomes of it at the servers; of any file when the log
   * is going to answer: by the time that it is replayed, servers may have let go of contents that were replaced.
   */
  async #hold({ object, version }: Pick<Bound, 'object' | 'version'>): Promise<() => void> {
    const { fid, data } = object.status;
    const volume = this.#drafting.world.volume(fid);
    const wanted = version ?? (acknowledgedBy(volume.state) === 'log' ? data : null);
    return wanted === null ? () => undefined : this.#contents.hold(volume, fid, wanted);
  }

  /** Whether what moves over `target` becomes its contents and leaves the versions beside it; else it replaces all. */
  #takesContents(source: Bound, target: Bound): boolean {
    return isVersion(target) && !(isVersion(source) && this.#drafting.hidesVersions(target.view.fid));
  }

  /** Versions that are kept beside what is stored over a file in `directory`. */
  #besideMost(directory: Fid): number {
    return this.#drafting.hidesVersions(directory) ? overwrittenMost : Infinity;
  }

  #view(fid: Fid): ObjectStatus {
    const object = this.#drafting.world.cache.get(fid);
    if (object !== undefined) return object.view;
    throw new Failure('not-found', 'venus.status', 'somebody removed it meanwhile', { fid });
  }
}

/** The file that what is written under its name becomes the contents of; undefined: that becomes a new file. */
function writtenOver(found: Bound | undefined): VnodeStatus | undefined {
  return found === undefined || found.version !== null ? undefined : found.object.status;
}
