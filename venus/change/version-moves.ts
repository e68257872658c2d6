/**
 * Moves that have to do with one of several versions of a file: from under a sibling's name, or over a name under which
 * a version is seen. Over the file's own name what moves brings its contents, as one update of the file; over a
 * sibling's name, or elsewhere, it is a file of its own. The versions that it has nothing to do with stay.
 */
import { siblingsOf, volumeOf, type Fid, type FileData, type Mutation } from '../../vice/interface/index.js';
import type { Caller, Name, ReplaceOptions } from '../interface.js';
import type { Contents } from './contents.js';
import { copyRecords } from './copying.js';
import type { Draft, Drafting } from './drafting.js';
import { crossVolume, exists, expect, undecided } from './expectation.js';
import { inside, named } from './latches.js';
import { asFile, isSame, isVersion, type Bound } from './names.js';
import { dismissal, overwrittenMost, storeOver } from './version-records.js';

export class VersionMoves {
  readonly #drafting: Drafting;
  readonly #contents: Contents;
  /** Removes what is in the way. */
  readonly #remove: (caller: Caller, where: Name) => Promise<void>;

  constructor(
    drafting: Drafting,
    contents: Contents,
    remove: (caller: Caller, where: Name) => Promise<void>,
  ) {
    this.#drafting = drafting;
    this.#contents = contents;
    this.#remove = remove;
  }

  async move(
    caller: Caller,
    from: Name,
    to: Name,
    options: ReplaceOptions,
  ): Promise<{ readonly replaced: boolean }> {
    const { names } = this.#drafting;
    const before = await names.find(to);
    // A whole tree is not replaced in the same step: no program moves one version of a file over a folder.
    if (before !== undefined && !isVersion(before) && before.view.kind !== 'file') {
      if (!options.replace) throw exists(to);
      expect(options.expect, before);
      await this.#remove(caller, to);
    }
    const latches = [inside(from.parent), inside(to.parent), named(from), named(to)];
    return this.#drafting.change(latches, async () => {
      const source = await names.existing(from);
      const target = await names.find(to);
      if (target !== undefined && isSame(source, target)) return { replaced: false };
      if (target !== undefined && !options.replace) throw exists(to);
      expect(options.expect, target);
      mustBeOneVersion(source, target);
      if (volumeOf(from.parent) !== volumeOf(to.parent)) throw crossVolume(source.view.fid);
      await this.#submit(caller, from, source, to, target);
      return { replaced: before !== undefined };
    });
  }

  async #submit(
    caller: Caller,
    from: Name,
    source: Bound,
    to: Name,
    target: Bound | undefined,
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
        if (source.version === null) return [...replaced, renaming(source, from, to, draft)];
        const created = copyRecords(moved, { ...to, fid: made, existing: undefined }, draft);
        return [...replaced, ...created, ...leaving(source, from, draft, target)];
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
  { make, seen }: Draft,
  before?: Bound,
): readonly Mutation[] {
  if (found === undefined || found.version === null) return [];
  const { status } = found.object;
  const given = before?.object.status.fid === status.fid ? (before.version ?? undefined) : undefined;
  return [dismissal(status, found.version, make(seen(status.fid)), given)];
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
  const stored = storeOver(status, contents, draft.make(draft.seen(status.fid)), besideMost);
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

function removal({ parent }: Name, { object, name }: Bound, { make, seen }: Draft): Mutation {
  const { fid } = object.status;
  return { op: 'remove', ...make(seen(parent, fid)), parent, name, fid };
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
