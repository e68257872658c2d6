/** What users did and were told: the history that the laws are judged by. */
import { fidsOf, type Fid, type Mutation, type StoreId } from '../../../vice/interface/index.js';
import { digestOf } from '../../../vice/seam/block-digests.js';
import { atomicObjects } from '../../../venus/change/removals.js';
import type { ObjectStatus, PendingChange } from '../../../venus/interface.js';
import { begun, type Attempt, type Outcome } from './attempt.js';
import type { VolumeOrder } from './orders.js';
import { lastNameOf, type Deed, type VolumeName } from './scenario.js';

/** Refusals that say for sure that nothing was done. */
const certain: readonly Outcome[] = [
  ...([
    'nothing',
    'changed',
    'exists',
    'not-found',
    'not-directory',
    'is-directory',
    'not-empty',
    'loop',
  ] as const),
  ...(['invalid', 'access-denied', 'too-large', 'cross-volume', 'refused', 'quota'] as const),
];

/** Of contents put in a directory before its removal was begun the removal may know although a listing did not. */
const newsMs = 40_000;

/** From when it was wanted, and set, to when the next one was wanted. */
export interface Quota {
  readonly volume: VolumeName;
  readonly bytes: number | null;
  readonly asked: number;
  readonly begin: number;
  end: number;
}

/** An object that has come from another volume: where, its contents, by which attempt, and when. */
export interface Copied {
  readonly fid: Fid;
  readonly text: string | undefined;
  readonly parent: Fid;
  readonly name: string;
  readonly by: number;
  readonly at: number;
}

export class Ledger {
  readonly attempts: Attempt[] = [];
  /** By version. */
  readonly texts = new Map<StoreId, string>();
  /** By file in conflict: versions that were moved over it, and have become versions of it that nobody is told of. */
  readonly #over = new Map<Fid, Set<StoreId>>();
  /** Directories in which an object was ever put. */
  readonly parents = new Map<Fid, Set<Fid>>();
  /** Digests and objects of what waited in the log of a gateway whose disk was replaced by an old copy. */
  readonly forgiven = new Set<string>();
  /** Digests of what servers had no room for, until it was restored: meanwhile there was what was before. */
  readonly roomless = new Set<string>();
  /** Gateways whose disks were replaced. */
  readonly renewed = new Set<string>();
  /** What has come from another volume. */
  readonly #copies: Copied[] = [];
  /** By object: StoreIds of all records that any gateway has sent of it. */
  readonly sent = new Map<Fid, Set<StoreId>>();
  /** By version of contents: since when which servers have had it on their disks. */
  readonly held = new Map<StoreId, Map<string, number>>();
  /** When the second volume was to be seen elsewhere, or nowhere: from the order to when it was done. */
  readonly remounts: { readonly begin: number; end: number }[] = [];
  /** From when to when a volume was locked for sure: after the order was done, and before the next one. */
  readonly locked: { readonly volume: VolumeName; readonly begin: number; end: number }[] = [];
  /** What was allowed from when to when, for sure. */
  readonly quotas: Quota[] = [];
  /** Directories in whose places it was to be seen: who renames one means it, and is shown the volume. */
  readonly mountedOn = new Set<Fid>();
  /** When a host was stopped, or its disk slow. */
  readonly halts: { readonly at: string; readonly begin: number; end: number }[] = [];
  /** Spans of simulated time in which something was wrong: [begin, end). */
  readonly troubles: { readonly begin: number; end: number }[] = [];

  begin(deed: Deed, gateway: string, begin: number, generation = 0): Attempt {
    const attempt = begun(this.attempts.length, deed, { gateway, begin, generation });
    this.attempts.push(attempt);
    return attempt;
  }

  sentRecords(records: readonly Mutation[]): void {
    for (const record of records) {
      for (const fid of fidsOf(record)) {
        let ids = this.sent.get(fid);
        if (ids === undefined) this.sent.set(fid, (ids = new Set()));
        ids.add(record.storeId);
      }
    }
  }

  /** Servers may know nothing of a removal any more, or have not the contents of what was removed: new replicas. */
  mayForget = false;

  /** Whether a change that was acknowledged may be refused for this reason, itself or what it builds on. */
  explains(reason: string | null): boolean {
    const isBounded = this.quotas.some(({ bytes }) => bytes !== null);
    return (
      (this.mayForget && reason?.includes('removed by others long ago') === true) ||
      (this.hasLists && reason?.includes('access-denied') === true) ||
      (isBounded && reason?.includes('quota') === true)
    );
  }

  /** Whether somebody may have set an access list: what a person may do then, he may be refused later. */
  get hasLists(): boolean {
    return this.attempts.some((attempt) => attempt.deed.do === 'setacl' && this.mayHaveHappened(attempt));
  }

  /** An administrator wants something: until it is done nobody knows what holds. */
  ordered(order: VolumeOrder, span: { readonly begin: number; end: number }): void {
    if (order.do === 'mount' || order.do === 'unmount') {
      this.remounts.push(span);
      return;
    }
    for (const each of order.do === 'quota' ? this.quotas : this.locked)
      if (each.volume === order.volume) each.end = Math.min(each.end, span.begin);
  }

  isDone(order: VolumeOrder, { begin: asked, end: begin }: { readonly begin: number; end: number }): void {
    if (order.do === 'lock-volume') this.locked.push({ volume: order.volume, begin, end: Infinity });
    if (order.do !== 'quota') return;
    this.quotas.push({ volume: order.volume, bytes: order.bytes, asked, begin, end: Infinity });
  }

  /** The disk of `server` has these contents from now on, if it had them not. */
  holds(server: string, version: StoreId, now: number): void {
    let servers = this.held.get(version);
    if (servers === undefined) this.held.set(version, (servers = new Map()));
    if (!servers.has(server)) servers.set(server, now);
  }

  /** Its disk is lost. */
  holdsNothing(server: string): void {
    for (const servers of this.held.values()) servers.delete(server);
  }

  /** Nobody can expect these changes any more: their gateway has lost them. `isRestored`: but for their contents. */
  forgive(changes: readonly PendingChange[], isRestored = false): void {
    for (const { digest, fid } of changes.flatMap(({ records }) => records)) {
      this.forgiven.add(fid);
      if (digest !== null) (isRestored ? this.roomless : this.forgiven).add(digest);
    }
  }

  /** Contents of a file take the place of a version of another one, which is in conflict. */
  movedOver(over: Fid, version: StoreId | null): void {
    if (version === null) return;
    const versions = this.#over.get(over);
    if (versions === undefined) this.#over.set(over, new Set([version]));
    else versions.add(version);
  }

  /** What may be a version of the file `over` since. */
  textsOver(over: Fid): readonly string[] {
    return [...(this.#over.get(over) ?? [])].flatMap((version) => this.texts.get(version) ?? []);
  }

  /** An object is a copy of what somebody wrote, or of a directory. */
  copied(
    { fid, version, digest }: ObjectStatus,
    { parent, name, by, at }: Omit<Copied, 'fid' | 'text'>,
  ): void {
    this.put(fid, parent);
    const { text } =
      this.attempts.findLast((each) => each.text && digestOf(Buffer.from(each.text)) === digest) ?? {};
    if (version !== null && text !== undefined) this.texts.set(version, text);
    this.#copies.push({ fid, text, parent, name, by, at });
  }

  /** Whether somebody was told that the object is made, or it came with what he was told is made. */
  isAnsweredFor(fid: Fid): boolean {
    const isMade = this.attempts.some(({ outcome, made }) => outcome === 'ok' && made === fid);
    return isMade || this.#copies.some((copy) => copy.fid === fid);
  }

  /** The last directory that was made under this path. */
  madeAt(path: string): Fid | undefined {
    return this.attempts.findLast(({ deed, made }) => deed.do === 'mkdir' && deed.path === path && made)
      ?.made;
  }

  put(fid: Fid, parent: Fid): void {
    const parents = this.parents.get(fid);
    if (parents === undefined) this.parents.set(fid, new Set([parent]));
    else parents.add(parent);
  }

  /** Whether it, or a part of it, may have happened, for all that its author knows. */
  mayHaveHappened(attempt: Attempt): boolean {
    return !certain.includes(attempt.outcome) || this.isInPieces(attempt);
  }

  /** A large tree goes in pieces before its name does (venus/change/removals.ts): what is refused may be the rest. */
  isInPieces({ removes }: Attempt): boolean {
    return removes.size >= atomicObjects;
  }

  /** `fid` and every directory that it was ever in, however deep. */
  wasIn(fid: Fid): ReadonlySet<Fid> {
    const found = new Set<Fid>([fid]);
    for (const at of found) for (const parent of this.parents.get(at) ?? []) found.add(parent);
    return found;
  }

  /** When all is over: what was at the names that somebody cleared without saying what he expected there. */
  complete(): void {
    for (const attempt of this.attempts) {
      const { blind, end = Infinity } = attempt;
      if (blind === undefined) continue;
      const placed = this.attempts.flatMap((other) =>
        other.placed === undefined || other.begin > end ? [] : [other.placed],
      );
      const copied = this.#copies.filter(({ by, at }) => by !== attempt.number && at <= end);
      const there = [...placed, ...copied].filter(
        ({ parent, name }) => parent === blind.parent && name === blind.name,
      );
      for (const { fid } of there) attempt.removes.add(fid);
      for (const { deed, into, made, begin, text } of this.attempts) {
        if (text === undefined || begin > end) continue;
        // What was gone before anybody saw it was put under the name that its author gave.
        const isBorne = deed.do === 'put' && into === blind.parent && lastNameOf(deed.path) === blind.name;
        const isThere = made === undefined ? isBorne : there.some(({ fid }) => fid === made);
        if (isThere) attempt.givesUp.add(text);
      }
      for (const { text, fid } of copied)
        if (text !== undefined && there.some((each) => each.fid === fid)) attempt.givesUp.add(text);
    }
  }

  /** Contents that were acknowledged and that nobody has given up: they must be there. */
  standing(): ReadonlyMap<string, Attempt> {
    const standing = new Map<string, Attempt>();
    for (const attempt of this.attempts) {
      if (attempt.outcome === 'ok' && attempt.text !== undefined && attempt.text !== '')
        standing.set(attempt.text, attempt);
    }
    return this.#without(standing, ({ givesUp, givesUpVersions }) => {
      const later = [...givesUpVersions].flatMap((version) => this.texts.get(version) ?? []);
      return later.length === 0 ? givesUp : new Set([...givesUp, ...later]);
    });
  }

  /** Objects that somebody was told are made, or changed, and that nobody has removed: they must be there. */
  living(): ReadonlyMap<Fid, Attempt> {
    const living = new Map<Fid, Attempt>();
    for (const attempt of this.attempts)
      if (attempt.outcome === 'ok' && attempt.made !== undefined) living.set(attempt.made, attempt);
    return this.#without(living, ({ removes }) => removes);
  }

  #without<T>(all: Map<T, Attempt>, lost: (attempt: Attempt) => ReadonlySet<T>): ReadonlyMap<T, Attempt> {
    for (const attempt of this.attempts) {
      if (!this.mayHaveHappened(attempt)) continue;
      for (const item of lost(attempt)) all.delete(item);
      // Who is refused for what came meanwhile has not removed that (GU-1).
      if (attempt.removes.size === 0 || attempt.seesAll === true || certain.includes(attempt.outcome))
        continue;
      for (const item of this.#news(attempt, all)) all.delete(item);
    }
    return all;
  }

  /** What others put below a directory about when it was removed: the gateway may have heard of it in between. */
  *#news<T>(removal: Attempt, all: ReadonlyMap<T, Attempt>): Generator<T> {
    const { begin, end = Infinity, removes } = removal;
    const wasWithin = (into: Fid): boolean => [...this.wasIn(into)].some((each) => removes.has(each));
    const isIn = (fid: Fid): boolean =>
      [...this.wasIn(fid)].some((directory) => directory !== fid && removes.has(directory));
    for (const [item, put] of all) {
      const fid = put.made ?? put.seen?.fid;
      const isNew = put.begin <= end && (put.end ?? Infinity) >= begin - newsMs;
      // What nobody has seen before it went was in the directory that its author saw.
      const wasBelow = fid !== undefined ? isIn(fid) : put.into !== undefined && wasWithin(put.into);
      if (isNew && wasBelow) yield item;
      for (const copy of this.#copies)
        if (copy.text === item && copy.at <= end && copy.at >= begin - newsMs && isIn(copy.fid)) yield item;
    }
  }

  /** Whether its gateway has other requests under way now. */
  isBusyBeside({ number, gateway }: Attempt): boolean {
    return this.attempts.some(
      (other) => other.gateway === gateway && other.number !== number && other.end === undefined,
    );
  }

  /** Whether nothing was wrong anywhere from `begin` to `end`, nor began at that very moment. */
  wasCalm(begin: number, end: number): boolean {
    return this.troubles.every((trouble) => trouble.end <= begin || trouble.begin > end);
  }
}

/** Contents in a line. */
export function brief(text: string | undefined): string {
  if (text === undefined) return 'nothing';
  const end = text.indexOf('.');
  return text.length <= 24 || end < 0
    ? `"${text.slice(0, 24)}"`
    : `"${text.slice(0, end)}" of ${text.length}`;
}

/** Who a session's deeds are of: a user may have several requests under way at one gateway, `g1/ann` and `g1/ann#2`. */
export function authorOf(by: string): string {
  return by.split('#')[0] ?? by;
}
