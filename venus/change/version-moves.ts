/**
 * Moves that have to do with one of several versions of a file: from under a sibling's name, or over a name under which
 * a version is seen. Over the file's own name what moves brings its contents, as one update of the file; over a
 * sibling's name, or elsewhere, it is a file of its own. The versions that it has nothing to do with stay. All is in
 * one volume.
 */
import { siblingsOf, type Fid, type FileData, type Mutation } from '../../vice/interface/index.js';
import type { Caller, Name, ReplaceOptions } from '../interface.js';
import type { Contents } from './contents.js';
import { copyRecords } from './copying.js';
import type { Draft, Drafting } from './drafting.js';
import { changed, exists, expect, undecided } from './expectation.js';
import { inside, named } from './latches.js';
import type { Look } from './look.js';
import { asFile, isSame, isVersion, type Bound } from './names.js';
import { replacing, type Removals } from './removals.js';
import { mustNotContain } from './subtree.js';
import { dismissal, overwrittenMost, storeOver } from './version-records.js';

/** What is in the way. */
interface Replaced {
  readonly target: Bound | undefined;
  /** Makes the removal of a directory or link. */
  readonly tree: (draft: Draft) => readonly Mutation[];
}

export class VersionMoves {
  readonly #drafting: Drafting;
  readonly #contents: Contents;
  readonly #removals: Removals;

  constructor(drafting: Drafting, contents: Contents, removals: Removals) {
    this.#drafting = drafting;
    this.#contents = contents;
    this.#removals = removals;
  }

  /** @throws Failure conflict: look again */
  async move(
    caller: Caller,
    from: Name,
    to: Name,
    options: ReplaceOptions,
    look: Look,
  ): Promise<{ readonly replaced: boolean }> {
    const { names } = this.#drafting;
    const before = await names.find(to);
    const cleared = before === undefined || before.view.kind === 'file' ? undefined : before;
    const latches = [inside(from.parent), inside(to.parent), named(from), named(to)];
    let tree: (draft: Draft) => readonly Mutation[] = () => [];
    if (cleared !== undefined) {
      if (!options.replace) throw exists(to);
      expect(options.expect, before);
      mustNotContain(this.#drafting.world.cache, cleared.view.fid, from.parent);
      tree = await this.#removals.tree(caller, to, cleared, look);
      latches.push(...replacing(cleared));
    }
    return this.#drafting.holding(latches, async () => {
      const source = await names.existing(from);
      const found = await names.find(to);
      if (cleared !== undefined && found?.view.fid !== cleared.view.fid) throw changed(cleared.view.fid);
      const target = cleared === undefined ? found : undefined;
      if (target !== undefined && isSame(source, target)) return { replaced: false };
      if (target !== undefined && !options.replace) throw exists(to);
      expect(options.expect, found);
      mustBeOneVersion(source, target);
      await this.#submit(caller, from, source, to, { target, tree });
      return { replaced: before !== undefined };
    });
  }

  async #submit(
    caller: Caller,
    from: Name,
    source: Bound,
    to: Name,
    { target, tree }: Replaced,
  ): Promise<void> {
    const { fid } = source.object.status;
    const moved = asFile(source);
    const { data } = moved;
    if (data === null) throw notAVersion(source.view.fid);
    const release = await this.#contents.hold(this.#drafting.world.volume(fid), fid, data);
    const made = this.#drafting.newFid(to.parent);
    const besideMost = this.#drafting.hidesVersions(to.parent) ? overwrittenMost : Infinity;
    try {
      await this.#drafting.submit(to.parent, caller, (draft) => {
        if (target?.version === null && isVersion(target))
          return intoRecords(source, data, from, target, draft, besideMost);
        const replaced =
          target?.version === null ? [removal(to, target, draft)] : replacedVersion(target, draft);
        if (source.version === null) return [...tree(draft), ...replaced, renaming(source, from, to, draft)];
        const created = copyRecords(moved, { ...to, fid: made, existing: undefined }, draft);
        return [...tree(draft), ...replaced, ...created, ...leaving(source, from, draft, target)];
      });
    } finally {
      release();
    }
  }
}

/**
 * The version beside a file that gives way to what is put under its name, if `found` is one; `before`: that another of
 * the same file has given way already.
 */
export function replacedVersion(
  found: Bound | undefined,
  { make, lookedAt }: Draft,
  before?: Bound,
): readonly Mutation[] {
  if (found === undefined || found.version === null) return [];
  const { status } = found.object;
  const given = before?.object.status.fid === status.fid ? (before.version ?? undefined) : undefined;
  return [dismissal(status, found.version, make(lookedAt(status)), given)];
}

/** `source`, with contents `data`, takes the place of the version that `target`'s own name shows. */
function intoRecords(
  source: Bound,
  data: FileData,
  from: Name,
  target: Bound,
  draft: Draft,
  besideMost: number,
): readonly Mutation[] {
  const { status } = target.object;
  const contents = { ...data, modified: source.view.modified };
  const stored = storeOver(status, contents, draft.make(draft.lookedAt(status)), besideMost);
  const isOwn = source.object.status.fid === status.fid;
  return isOwn ? [stored] : [stored, ...leaving(source, from, draft)];
}

/** What moves away is no more where it was. */
function leaving(source: Bound, from: Name, draft: Draft, before?: Bound): readonly Mutation[] {
  return source.version === null ? [removal(from, source, draft)] : replacedVersion(source, draft, before);
}

function renaming(source: Bound, from: Name, to: Name, { make, seen }: Draft): Mutation {
  const { fid } = source.object.status;
  const common = make(seen(from.parent, to.parent, fid));
  const places = { fromParent: from.parent, fromName: source.name, toParent: to.parent, toName: to.name };
  return { op: 'rename', ...common, ...places, fid };
}

function removal({ parent }: Name, { object, name }: Bound, { make, seen, lookedAt }: Draft): Mutation {
  const { status } = object;
  const base = { ...seen(parent), ...lookedAt(status) };
  return { op: 'remove', ...make(base), parent, name, fid: status.fid };
}

/** @throws Failure access-denied where moving `source` would take with it what nobody has decided about */
function mustBeOneVersion(source: Bound, target: Bound | undefined): void {
  if (source.view.kind !== 'file') throw notAVersion(source.view.fid);
  if (source.version !== null || siblingsOf(source.object.status).length === 0) return;
  const what = 'both have versions that nobody has decided about: decide about one of them first';
  throw undecided(target?.view.fid ?? source.view.fid, what);
}

function notAVersion(fid: Fid): Error {
  return undecided(fid, 'only a file can take the place of a version of a file in conflict');
}
