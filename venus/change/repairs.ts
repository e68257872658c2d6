/**
 * What a person has decided about an object in conflict, as one entry of the log: so it works while disconnected, and
 * another decision made apart is a conflict again.
 */
import {
  conflictsOf,
  Failure,
  isFailure,
  siblingsOf,
  type AccessVersion,
  type ConflictKind,
  type Fid,
  type FileData,
  type Mutation,
  type Placement,
  type StoreId,
  type VnodeStatus,
} from '../../vice/interface/index.js';
import { fileOf, seenVersions } from '../conflict/sibling.js';
import { nameBorne, siblingsBeside, type NamedSibling } from '../conflict/siblings.js';
import type { CachedObject } from '../cache/cached-object.js';
import type { Caller, Decision, Keep } from '../interface.js';
import type { Contents } from './contents.js';
import { copyRecords } from './copying.js';
import type { Draft, Drafting } from './drafting.js';
import { exists, undecided } from './expectation.js';
import { inside, named, type LatchRequest } from './latches.js';
import { asFile } from './names.js';
import { mustBeMovable } from './subtree.js';
import { acceptance, dismissal, storeOverAll, unknownVersions } from './version-records.js';

/** Versions that become files of their own in one entry of the log, so in one transaction. */
const atomicVersions = 30;

/** An object with the name that it bears (null: the root), and what is to be decided about it. */
export interface Undecided {
  readonly object: CachedObject;
  readonly name: string | null;
  readonly kinds: readonly ConflictKind[];
}

export class Repairs {
  readonly #drafting: Drafting;
  readonly #contents: Contents;

  constructor(drafting: Drafting, contents: Contents) {
    this.#drafting = drafting;
    this.#contents = contents;
  }

  /** @see Conflicts.repair */
  async repair(caller: Caller, fid: Fid, decision: Decision): Promise<void> {
    const before = await this.undecided(fid);
    await this.#drafting.change(latchesOf(before), async () => {
      const now = await this.undecided(fid);
      if (now.kinds.length === 0) throw nothingToDecide(fid);
      if ('keep' in decision) await this.#keep(caller, now, decision);
      else if ('giveUp' in decision) await this.#giveUp(caller, now, decision.giveUp);
      else await this.#keepAll(caller, now);
    });
  }

  /** The object that `fid` means, or is a version of, valid. @throws Failure not-found, unreachable */
  async undecided(fid: Fid): Promise<Undecided> {
    const { cache, fetcher } = this.#drafting.world;
    const file = fileOf(fid);
    const { status } = await fetcher.fresh(file);
    // Its name is known for sure where its directory is; else it is taken to be the one that it was given.
    if (status.parent !== null) await fetcher.directory(status.parent).catch(unlessUnreachable);
    const object = await fetcher.fresh(file);
    const name = object.status.parent === null ? null : nameBorne(cache, object);
    return { object, name, kinds: conflictsOf(object.status, name) };
  }

  /** Of two objects that want one name both stay, whichever of them is named: nobody loses a file by this. */
  async #keep(caller: Caller, what: Undecided, decision: Keep): Promise<void> {
    const { keep } = decision;
    const { status } = what.object;
    const version = seenVersions(status).find(({ storeId }) => storeId === keep);
    const place = status.places.find(({ storeId }) => storeId === keep);
    const access = status.access?.find(({ storeId }) => storeId === keep);
    if (access !== undefined) return this.#keepList(caller, status, access);
    if (version !== undefined) return this.#keepVersion(caller, what, version, decision);
    if (place !== undefined && place !== status.places[0]) return this.#keepPlace(caller, what, place);
    if (place === undefined && keep !== this.#placeOfKeeper(what)) throw noSuchVersion(status.fid);
    await this.#submitRecord(caller, status, (draft) => this.#accept(what, seenVersions(status), draft));
  }

  /** A version that the person who decides has not seen stays: it came while he looked. */
  async #keepVersion(caller: Caller, what: Undecided, version: FileData, { among }: Keep): Promise<void> {
    const { status } = what.object;
    const stay = unknownVersions(status, [version.storeId, ...among]);
    if (version === status.data || siblingsOf(status).length === 0) {
      const kept = status.data === null ? stay : [status.data, ...stay];
      return this.#submitRecord(caller, status, (draft) => this.#accept(what, kept, draft));
    }
    const { fid } = status;
    const release = await this.#contents.hold(this.#drafting.world.volume(fid), fid, version);
    const isMore = what.kinds.some((kind) => kind !== 'versions');
    try {
      await this.#drafting.submit(fid, caller, (draft) => {
        const over = storeOverAll(status, version, draft.make(draft.lookedAt(status)));
        const stored = stay.length === 0 ? over : { ...over, beside: stay.map(({ mark }) => mark) };
        if (!isMore) return [stored];
        // The store has replaced all versions that go: nothing is left to give up.
        return [stored, { ...this.#accept(what, seenVersions(status), draft), dismiss: [] }];
      });
    } finally {
      release();
    }
  }

  /** Of several places another one than that where it is now. */
  async #keepPlace(
    caller: Caller,
    { object, name }: Undecided,
    { parent, name: toName }: Placement,
  ): Promise<void> {
    const { fid, parent: fromParent } = object.status;
    if (fromParent === null || name === null) throw noSuchVersion(fid);
    const there = await this.#drafting.names.find({ parent, name: toName });
    if (there !== undefined && there.view.fid !== fid) throw exists({ parent, name: toName });
    await mustBeMovable(this.#drafting.world, fid, parent);
    await this.#submitRecord(caller, object.status, ({ make, seen }) => ({
      op: 'rename',
      ...make(seen(fromParent, parent, fid)),
      fromParent,
      fromName: name,
      toParent: parent,
      toName,
      fid,
    }));
  }

  /** A list set anew by somebody who has seen all of them is the only one. */
  async #keepList(caller: Caller, status: VnodeStatus, { list }: AccessVersion): Promise<void> {
    await this.#submitRecord(caller, status, ({ make, lookedAt }) => ({
      op: 'setacl',
      ...make(lookedAt(status)),
      fid: status.fid,
      list,
    }));
  }

  async #giveUp(caller: Caller, { object: { status } }: Undecided, storeId: StoreId): Promise<void> {
    const given = seenVersions(status).find((version) => version.storeId === storeId);
    if (given === undefined) throw noSuchVersion(status.fid);
    if (siblingsOf(status).length === 0)
      throw undecided(status.fid, 'it is the only version: remove the file');
    await this.#submitRecord(caller, status, ({ make, lookedAt }) =>
      dismissal(status, given, make(lookedAt(status))),
    );
  }

  /** Versions become files of their own, some at a time; all else stays as it is seen. */
  async #keepAll(caller: Caller, what: Undecided): Promise<void> {
    const { cache, volume } = this.#drafting.world;
    const { object, name, kinds } = what;
    const { fid, parent } = object.status;
    if (kinds.includes('protection')) throw oneList(fid);
    const siblings = parent === null ? [] : siblingsBeside(cache, object, name ?? '');
    const some = siblings.slice(0, atomicVersions);
    const holds: (() => void)[] = [];
    try {
      for (const { version } of some) holds.push(await this.#contents.hold(volume(fid), fid, version));
      await this.#drafting.submit(fid, caller, (draft) => [
        ...some.flatMap((sibling) => this.#ownFile(sibling, draft)),
        this.#acceptWithout(what, some, some.length === siblings.length, draft),
      ]);
    } finally {
      for (const release of holds) release();
    }
    if (some.length < siblings.length) await this.#keepAll(caller, await this.undecided(fid));
  }

  #ownFile({ name, file, version }: NamedSibling, draft: Draft): readonly Mutation[] {
    const { fid, parent } = file.status;
    if (parent === null) return [];
    const made = this.#drafting.newFid(fid);
    return copyRecords(
      asFile({ object: file, version }),
      { parent, name, fid: made, existing: undefined },
      draft,
    );
  }

  /** Gives up the versions of which `some` have become files, with all that are like them. */
  #acceptWithout(what: Undecided, some: readonly NamedSibling[], isLast: boolean, draft: Draft): Mutation {
    const gone = new Set(some.map(({ version }) => version.digest));
    const kept = seenVersions(what.object.status).filter(({ digest }) => !gone.has(digest));
    const record = this.#accept(what, kept, draft);
    return isLast ? record : { ...record, accept: null };
  }

  #accept(
    { object, name }: Undecided,
    kept: readonly FileData[],
    { make, lookedAt }: Draft,
  ): ReturnType<typeof acceptance> {
    return acceptance(object.status, kept, name, make(lookedAt(object.status)));
  }

  /** The update that gave another object the name that this one wants. */
  #placeOfKeeper({ object }: Undecided): StoreId | undefined {
    const { cache } = this.#drafting.world;
    const [place] = object.status.places;
    const keeper = place === undefined ? undefined : cache.names(place.parent)?.get(place.name);
    return keeper === undefined ? undefined : cache.status(keeper.fid)?.places[0]?.storeId;
  }

  async #submitRecord(
    caller: Caller,
    { fid }: Pick<VnodeStatus, 'fid'>,
    record: (draft: Draft) => Mutation,
  ): Promise<void> {
    await this.#drafting.submit(fid, caller, (draft) => [record(draft)]);
  }
}

function latchesOf({ object, name }: Undecided): readonly LatchRequest[] {
  const { parent } = object.status;
  return parent === null || name === null ? [] : [inside(parent), named({ parent, name })];
}

function unlessUnreachable(error: unknown): undefined {
  if (!isFailure(error, 'unreachable', 'not-found', 'timeout')) throw error;
  return undefined;
}

function nothingToDecide(fid: Fid): Failure {
  return new Failure('not-found', 'venus.repair', 'there is no conflict: nothing is to be decided', { fid });
}

function oneList(fid: Fid): Failure {
  const what = 'a directory has one access list: keep one of them, or set another';
  return new Failure('invalid', 'venus.repair', what, { fid });
}

function noSuchVersion(fid: Fid): Failure {
  return new Failure('not-found', 'venus.repair', 'the object has no such version', { fid });
}
