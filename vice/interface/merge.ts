/**
 * The state of an object that replicas, having changed it apart, come to by themselves. Pure.
 *
 * What can differ is kept as a set of alternatives, each under the StoreId of the update that made it: versions of a
 * file's contents, places of an object in the tree. An update replaces the alternatives that its author had seen.
 * Two replicas keep an alternative that both have, or that one has and the other has never known; any other was
 * replaced by somebody who knew it (design.md 4; Almeida et al., "dotted version vectors").
 *
 * MG-1  `mergeStatus` is commutative, associative and idempotent, so replicas end the same whoever asks whom first.
 * MG-2  An alternative disappears only by an update that replaces it and whose author had seen it.
 * MG-3  A removal covers what its author had seen (`gone`). An object lives while it has an alternative that no
 *       removal covers: the update survives the removal that did not know of it.
 * MG-4  A version that a repair gives up, or a removal covers, is set aside, not dropped: which ones are seen follows
 *       from all that is known, not from who met whom first. Given up counts only if that repair's author had seen
 *       everybody who vouches for the version; if none is left, those that were given up are seen after all.
 * MG-5  Of alternatives of two sides each of which knows that the other's were replaced, the last one stays, not none.
 *       A gateway whose machine lost power may have forgotten an update that it had sent and nobody had an answer for;
 *       who knows a later one of it passes for knowing that one, too.
 */
import type { AccessVersion } from './access-list.js';
import { contents, isLater, mergedAttributes, setBy } from './attributes.js';
import { Failure } from './failure.js';
import type { Fid } from './fid.js';
import {
  compareStoreIds,
  isEmptyVector,
  isWithin,
  knows,
  unionOf,
  type StoreId,
  type StoreIdVector,
} from './store-id.js';
import { maximum } from './version-vector.js';
import { byVersion, divided, isCovered, joinedVersion, versionsOf } from './versions.js';
import type { FileData, Placement, VnodeStatus } from './vnode.js';

/**
 * `a` and `b`, two replicas of one object, as one. Of a directory's `names` nothing is said: they follow from the
 * objects that have their place in it.
 * @throws Failure invalid when they cannot be the same object, or have no contents
 */
export function mergeStatus(a: VnodeStatus, b: VnodeStatus): VnodeStatus {
  if (a.fid !== b.fid || a.kind !== b.kind || (a.parent === null) !== (b.parent === null)) {
    throw new Failure('invalid', 'vice.merge', 'two objects that cannot be one', { fid: a.fid });
  }
  const knowing = { a: a.known, b: b.known };
  const versions = remaining(versionsOf(a), versionsOf(b), knowing, {
    join: joinedVersion,
    order: byVersion,
  });
  const places = remaining(a.places, b.places, knowing, { join: joinedPlace, order: byPlace });
  if (a.kind === 'file' && versions.length === 0)
    throw new Failure('invalid', 'vice.merge', 'a file without contents', { fid: a.fid });
  const merged: VnodeStatus = {
    ...last(a, b),
    vv: maximum(a.vv, b.vv),
    known: unionOf(a.known, b.known),
    gone: unionOf(a.gone, b.gone),
    revived: unionOf(a.revived, b.revived),
    created: Math.min(a.created, b.created),
    ...mergedLists(a, b),
    ...mergedAttributes(a, b),
  };
  return arranged(merged, versions, places);
}

/** Whether a removal covers all there is of the object (MG-3). */
export function isRemoved(status: VnodeStatus): boolean {
  const { gone, revived, places } = status;
  if (isEmptyVector(gone) || isWithin(gone, revived)) return false;
  return (
    places.every(({ storeId }) => knows(gone, storeId)) &&
    versionsOf(status).every((version) => isCovered(version, gone))
  );
}

/**
 * `status` with these alternatives, in the order that is the same on every replica: what is shown, and where the
 * object is, comes first.
 */
export function arranged(
  status: VnodeStatus,
  versions: readonly FileData[],
  places: readonly Placement[],
): VnodeStatus {
  const { seen, setAside } = divided(versions, status.gone);
  const [data = null, ...siblings] = seen;
  const [place, ...others] = [...places].sort(byPlace);
  if ((data === null) === (status.kind === 'file'))
    throw new Error(`contents of ${status.fid}: exactly files have them`);
  return {
    ...(status.setAside === undefined ? status : withoutSetAside(status)),
    data,
    siblings,
    ...(setAside.length > 0 && { setAside }),
    places: place === undefined ? [] : [place, ...others],
    parent: place === undefined ? null : parentOf(status.fid, place),
    // What only a change of contents has set goes with the contents that are shown.
    modified: data === null || isModifiedSet(status) ? status.modified : data.modified,
  };
}

function withoutSetAside({ setAside: _setAside, ...rest }: VnodeStatus): VnodeStatus {
  return rest;
}

/** The directory that `place` means: where following it would make a circle, the volume's root. */
export function parentOf(fid: Fid, place: Placement): Fid {
  return place.isBroken ? (`${fid.slice(0, 8)}.1.1` as Fid) : place.parent;
}

/** Which of two objects keeps a name that both want: who was there first. */
export function comparePlaces(a: Placement, b: Placement): number {
  return a.time - b.time || compareStoreIds(a.storeId, b.storeId);
}

/** How alternatives of one kind are put together. */
interface Joining<T> {
  /** Two states of the same one. */
  join(one: T, other: T): T;
  /** The last one first. */
  order(one: T, other: T): number;
}

/** MG-2 for one kind of alternatives, and MG-5. */
function remaining<T extends { readonly storeId: StoreId }>(
  a: readonly T[],
  b: readonly T[],
  known: { readonly a: StoreIdVector; readonly b: StoreIdVector },
  { join, order }: Joining<T>,
): readonly T[] {
  const kept: T[] = [];
  for (const item of a) {
    const other = b.find(({ storeId }) => storeId === item.storeId);
    if (other !== undefined) kept.push(item === other ? item : join(item, other));
    else if (!knows(known.b, item.storeId)) kept.push(item);
  }
  for (const item of b) {
    if (!knows(known.a, item.storeId) && !a.some(({ storeId }) => storeId === item.storeId)) kept.push(item);
  }
  if (kept.length > 0 || a.length === 0 || b.length === 0) return kept;
  return [...a, ...b].sort(order).slice(0, 1);
}

/** Lists that were set apart hold both (access.ts, AC-2). */
function mergedLists(a: VnodeStatus, b: VnodeStatus): Pick<VnodeStatus, 'access'> {
  if (a.access === undefined && b.access === undefined) return {};
  const knowing = { a: a.known, b: b.known };
  const lists = remaining(a.access ?? [], b.access ?? [], knowing, { join: (one) => one, order: byList });
  return { access: byStoreId(lists) };
}

/** In an order that is the same everywhere. */
export function byStoreId<T extends { readonly storeId: StoreId }>(items: readonly T[]): readonly T[] {
  return [...items].sort((one, other) => compareStoreIds(one.storeId, other.storeId));
}

/** A circle that somebody has found stays broken. What was accepted where it is replicas may have apart. */
function joinedPlace(one: Placement, other: Placement): Placement {
  const place = one.parent >= other.parent ? one : other;
  return { ...place, isBroken: one.isBroken || other.isBroken };
}

/** Whether somebody has set the time of a file who knew of its last store; of others, it is what its setter says. */
function isModifiedSet(status: VnodeStatus): boolean {
  return isLater(setBy(status, 'modified'), setBy(status, contents));
}

/** Who made the last update of any kind: of updates made apart the same one everywhere. */
function last(a: VnodeStatus, b: VnodeStatus): VnodeStatus {
  if (a.storeId === null || b.storeId === null) return b.storeId === null ? a : b;
  const order = (a.rank ?? 0) - (b.rank ?? 0) || compareStoreIds(a.storeId, b.storeId);
  return order >= 0 ? a : b;
}

/** Of places that an object was given apart, the last one is where it is. */
function byPlace(a: Placement, b: Placement): number {
  return comparePlaces(b, a);
}

/** The list that was set last. */
function byList(a: AccessVersion, b: AccessVersion): number {
  return b.time - a.time || compareStoreIds(b.storeId, a.storeId);
}

/** Whether nothing but `names` can differ between two states of one object. */
export function isSameStatus(a: VnodeStatus, b: VnodeStatus): boolean {
  return (
    a.storeId === b.storeId &&
    (a.rank ?? 0) === (b.rank ?? 0) &&
    a.author === b.author &&
    a.mode === b.mode &&
    a.owner === b.owner &&
    a.modified === b.modified &&
    a.created === b.created &&
    isSameRecord(a.vv, b.vv) &&
    isSameRecord(a.known, b.known) &&
    isSameRecord(a.gone, b.gone) &&
    isSameRecord(a.revived, b.revived) &&
    isSameRecord(a.properties, b.properties) &&
    isSameRecord(
      a.setters,
      b.setters,
      (one, other) => one.storeId === other.storeId && one.rank === other.rank,
    ) &&
    isSameList(versionsOf(a), versionsOf(b), isSameVersion) &&
    isSameList(a.places, b.places, isSamePlace) &&
    isSameList(a.access ?? [], b.access ?? [], (one, other) => one.storeId === other.storeId)
  );
}

function isSameVersion(a: FileData, b: FileData): boolean {
  return (
    a.storeId === b.storeId &&
    isSameRecord(a.vouched ?? {}, b.vouched ?? {}) &&
    isSameRecord(a.givenUp ?? {}, b.givenUp ?? {})
  );
}

function isSamePlace(a: Placement, b: Placement): boolean {
  return a.storeId === b.storeId && a.isBroken === b.isBroken && a.parent === b.parent;
}

function isSameRecord<T>(
  a: Readonly<Record<string, T>>,
  b: Readonly<Record<string, T>>,
  isSame: (one: T, other: T) => boolean = (one, other) => one === other,
): boolean {
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  return keys.every((key) => {
    const [one, other] = [a[key], Object.hasOwn(b, key) ? b[key] : undefined];
    return one !== undefined && other !== undefined && isSame(one, other);
  });
}

function isSameList<T>(a: readonly T[], b: readonly T[], isSame: (one: T, other: T) => boolean): boolean {
  return a.length === b.length && a.every((item, index) => b[index] !== undefined && isSame(item, b[index]));
}
