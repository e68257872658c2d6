/**
 * The changes of a user: each is checked against a valid view, becomes one log entry, and is done when the
 * reintegrator says so. A change that the servers refuse because somebody else was faster is checked again against
 * what they have now: it then succeeds, or fails for the reason that its author should see.
 */
import {
  Failure,
  volumeOf,
  type Fid,
  type Mutation,
  type StoreRecord,
  type VnodeStatus,
} from '../../vice/interface/index.js';
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
import { changed, crossVolume, exists, expect, isDirectory, retrying, undecided } from './expectation.js';
import { Look } from './look.js';
import { inside, named } from './latches.js';
import { checkName } from './namespace.js';
import { asFile, isSame, isVersion, type Bound } from './names.js';
import { Removals, replacing } from './removals.js';
import { mustBeMovable, mustNotContain } from './subtree.js';
import { firstStore, overwrittenMost, storeOver } from './version-records.js';
import { replacedVersion, VersionMoves } from './version-moves.js';

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
  readonly #drafting: Drafting;
  readonly #contents: Contents;
  readonly #removals: Removals;
  readonly #versionMoves: VersionMoves;

  constructor(drafting: Drafting, contents: Contents) {
    this.#drafting = drafting;
    this.#contents = contents;
    this.#removals = new Removals(drafting);
    this.#versionMoves = new VersionMoves(drafting, contents, this.#removals);
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
      let stored: StoreRecord | undefined;
      const records = (draft: Draft): readonly Mutation[] => {
        const { make, seen, lookedAt } = draft;
        const most = this.#besideMost(target.parent);
        if (file !== undefined) return [(stored = storeOver(file, contents, make(lookedAt(file)), most))];
        const { parent } = target;
        const made = { ...make(seen(parent)), parent, name: existing?.name ?? target.name, fid, mode: 0o644 };
        stored = firstStore(fid, contents, make({ [fid]: {} }));
        return [{ op: 'create', ...made }, stored, ...replacedVersion(existing, draft)];
      };
      const committed = await this.#drafting.submit(
        target.parent,
        caller,
        records,
        new Map([[digest, transfers]]),
      );
      return { created: existing === undefined, status: this.#written(fid, stored), committed };
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
    return this.#removals.remove(caller, { parent, name }, expectation);
  }

  /** @see Venus.rename */
  rename(
    caller: Caller,
    from: Name,
    to: Name,
    options: ReplaceOptions,
  ): Promise<{ readonly replaced: boolean }> {
    const look = new Look();
    return retrying(() => this.#rename(caller, from, to, options, look));
  }

  async #rename(
    caller: Caller,
    from: Name,
    to: Name,
    options: ReplaceOptions,
    look: Look,
  ): Promise<{ readonly replaced: boolean }> {
    checkName(to.name);
    const { names } = this.#drafting;
    const source = await names.existing(from);
    if (volumeOf(source.object.status.fid) !== volumeOf(to.parent)) throw crossVolume(source.view.fid);
    const target = await names.find(to);
    await this.#drafting.world.guard.prepare(from.parent);
    const isReplaced = target !== undefined && !isSame(target, source);
    if (source.version !== null || (isReplaced && this.#takesContents(source, target))) {
      return this.#versionMoves.move(caller, from, to, options, look);
    }
    if (isReplaced) mustNotContain(this.#drafting.world.cache, target.view.fid, from.parent);
    const clears = isReplaced && options.replace;
    const tree = clears ? await this.#removals.tree(caller, to, target, look) : undefined;
    const latches = [inside(from.parent), inside(to.parent), named(from), named(to)];
    if (source.view.kind === 'directory') latches.push({ key: 'a/rename', mode: 'exclusive' });
    if (isReplaced) latches.push(...replacing(target));
    return this.#drafting.holding(latches, async () => {
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
        const removals = replaced ? (tree?.(draft) ?? []) : [];
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
  copy(caller: Caller, source: Fid, to: Name, options: ReplaceOptions): Promise<WriteOutcome> {
    checkName(to.name);
    const look = new Look();
    return retrying(() => this.#copy(caller, source, to, options, look));
  }

  /** What is replaced goes in the entry of the copy: it stays where the source has gone meanwhile, or is refused. */
  async #copy(
    caller: Caller,
    source: Fid,
    to: Name,
    options: ReplaceOptions,
    look: Look,
  ): Promise<WriteOutcome> {
    const { names, world } = this.#drafting;
    const original = await objectOrSibling(world.fetcher, source);
    await world.guard.mayRead(caller, original.object.status);
    const { kind } = original.object.status;
    const target = await names.find(to);
    if (target !== undefined && !options.replace) throw exists(to);
    const cleared =
      target === undefined || (target.view.kind === 'file' && kind === 'file') ? undefined : target;
    if (cleared !== undefined && isVersion(cleared) && !this.#drafting.hidesVersions(to.parent))
      throw undecided(cleared.view.fid, 'only a file can take the place of a version');
    const latches = [inside(to.parent), named(to)];
    let tree: (draft: Draft) => readonly Mutation[] = () => [];
    if (cleared !== undefined) {
      expect(options.expect, target);
      mustNotContain(world.cache, cleared.view.fid, original.object.status.parent);
      tree = await this.#removals.tree(caller, to, cleared, look);
      latches.push(...replacing(cleared));
    }
    return this.#drafting.holding(latches, async () => {
      const found = await names.find(to);
      expect(options.expect, found);
      const from = await objectOrSibling(world.fetcher, source);
      if (cleared !== undefined && found?.view.fid !== cleared.view.fid) throw changed(cleared.view.fid);
      const existing = cleared === undefined ? found : undefined;
      if (existing !== undefined && (!options.replace || existing.view.kind !== 'file')) throw exists(to);
      if (existing !== undefined && kind !== 'file') throw exists(to);
      const over = writtenOver(existing) === undefined ? undefined : existing;
      const fid = over?.object.status.fid ?? this.#drafting.newFid(to.parent);
      const name = found?.name ?? to.name;
      const most = this.#besideMost(to.parent);
      const release = await this.#hold(from, to.parent);
      let stored: StoreRecord | undefined;
      try {
        await this.#drafting.submit(to.parent, caller, (draft) => {
          const removals = tree(draft);
          const copyTo = { parent: to.parent, name, fid, existing: over, most };
          const copied = copyRecords(asFile(from), copyTo, draft);
          stored = copied.find((record) => record.op === 'store');
          return [...removals, ...copied, ...replacedVersion(existing, draft)];
        });
      } finally {
        release();
      }
      return { created: target === undefined, status: this.#written(fid, stored) };
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

  /**
   * Keeps the contents of a version beside a file here, whatever becomes of it at the servers; of any file for another
   * volume, whose servers are others; and where the log may come to answer: by the time that it is replayed, servers
   * may have let go of contents that were replaced. With all servers there it seldom does (RI-1), so large contents
   * that are not here do not come for that alone.
   */
  async #hold({ object, version }: Pick<Bound, 'object' | 'version'>, target: Fid): Promise<() => void> {
    const { fid, data } = object.status;
    const volume = this.#drafting.world.volume(fid);
    const isNeeded =
      acknowledgedBy(volume.state) === 'log' ||
      volume.avsg.length < volume.members.length ||
      volume.id !== volumeOf(target) ||
      (data !== null && this.#contents.isNear(data));
    const wanted = version ?? (isNeeded ? data : null);
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

  /** Also of a file that somebody has removed since, or given another name: it was written all the same. */
  #written(fid: Fid, stored: StoreRecord | undefined): ObjectStatus {
    if (stored === undefined) return this.#view(fid);
    return asWritten(this.#drafting.world.cache.get(fid)?.view ?? asMade(stored), stored);
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

/** A new file with these contents. */
function asMade({ fid, storeId: version, length, digest, modified, author }: StoreRecord): ObjectStatus {
  const file = {
    fid,
    version,
    length,
    digest,
    modified,
    author,
    kind: 'file',
    created: modified,
    mode: 0o644,
  } as const;
  return Object.freeze({ ...file, owner: author, properties: {}, target: null, conflict: null });
}

/**
 * What the author of `stored` has written, whatever others have made of the file since: by the version of theirs he
 * would take it for his own, and replace it unseen.
 */
function asWritten(view: ObjectStatus, stored: StoreRecord | undefined): ObjectStatus {
  if (stored === undefined || view.version === stored.storeId) return view;
  const { storeId: version, length, digest, modified, author } = stored;
  return Object.freeze({ ...view, version, length, digest, modified, author });
}
