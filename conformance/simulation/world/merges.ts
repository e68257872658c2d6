/** Which rows of the merge (vice/interface/merge.ts, MG-2 to MG-5) come into play where two replicas meet. Pure. */
import {
  isEmptyVector,
  isGivenUp,
  isRemoved,
  isWithin,
  knows,
  mergeStatus,
  versionsOf,
  type StoreId,
  type StoreIdVector,
  type VnodeStatus,
} from '../../../vice/interface/index.js';

interface Alternative {
  readonly storeId: StoreId;
}

/** Of two states of one object, made apart or not; `merge version both kept`, and so on. */
export function rowsOf(a: VnodeStatus, b: VnodeStatus): readonly string[] {
  const merged = mergeStatus(a, b);
  const rows = [
    ...alternatives('version', versionsOf(a), versionsOf(b), a.known, b.known),
    ...alternatives('place', a.places, b.places, a.known, b.known),
    ...alternatives('list', a.access ?? [], b.access ?? [], a.known, b.known),
    ...removals(a, b, merged),
    ...setAside(merged),
    ...attributes(a, b),
  ];
  return [...new Set(rows)].map((row) => `merge ${row}`);
}

/** MG-2, MG-5. */
function alternatives(
  kind: string,
  ...[a, b, knownA, knownB]: readonly [
    readonly Alternative[],
    readonly Alternative[],
    StoreIdVector,
    StoreIdVector,
  ]
): readonly string[] {
  const onlyIn = (items: readonly Alternative[], others: readonly Alternative[]): readonly Alternative[] =>
    items.filter(({ storeId }) => !others.some((other) => other.storeId === storeId));
  const [onlyA, onlyB] = [onlyIn(a, b), onlyIn(b, a)];
  const isNew = (known: StoreIdVector) => (item: Alternative) => !knows(known, item.storeId);
  const [newA, newB] = [onlyA.filter(isNew(knownB)), onlyB.filter(isNew(knownA))];
  const rows: string[] = [];
  if (newA.length > 0 && newB.length > 0) rows.push(`${kind}s made apart`);
  if (newA.length + newB.length > 0) rows.push(`${kind} taken`);
  if (onlyA.length + onlyB.length > newA.length + newB.length) rows.push(`${kind} replaced`);
  const isNoneKept = newA.length + newB.length === 0 && onlyA.length === a.length;
  if (isNoneKept && a.length > 0 && b.length > 0) rows.push(`${kind} of a forgotten update`);
  return rows;
}

/** MG-3. */
function removals(a: VnodeStatus, b: VnodeStatus, merged: VnodeStatus): readonly string[] {
  const rows: string[] = [];
  const [isGoneA, isGoneB] = [isRemoved(a), isRemoved(b)];
  const isOpen = !isEmptyVector(merged.gone) && !isWithin(merged.gone, merged.revived);
  if (isGoneA !== isGoneB) rows.push(isRemoved(merged) ? 'removal learned' : 'update survives removal');
  if (isGoneA && isGoneB && !isWithin(a.gone, b.gone) && !isWithin(b.gone, a.gone))
    rows.push('removed apart');
  if (!isRemoved(merged) && !isEmptyVector(merged.gone) && !isOpen) rows.push('removal taken back');
  return rows;
}

/** MG-4. */
function setAside(merged: VnodeStatus): readonly string[] {
  const rows: string[] = [];
  const hidden = merged.setAside ?? [];
  if (hidden.some(isGivenUp)) rows.push('version given up');
  if (hidden.some((version) => !isGivenUp(version))) rows.push('version hidden by a removal');
  if (merged.data !== null && isGivenUp(merged.data)) rows.push('all versions given up');
  const isSaved = (version: { readonly givenUp?: StoreIdVector | undefined }): boolean =>
    !isEmptyVector(version.givenUp ?? {});
  if (versionsOf(merged).some((version) => isSaved(version) && !isGivenUp(version)))
    rows.push('version given up, and vouched for');
  return rows;
}

/** Who set something last wins, on either side. */
function attributes(a: VnodeStatus, b: VnodeStatus): readonly string[] {
  const names = Object.keys(a.setters).filter((name) => Object.hasOwn(b.setters, name));
  const differ = names.filter((name) => a.setters[name]?.storeId !== b.setters[name]?.storeId);
  return differ.length > 0 ? ['attribute set twice'] : [];
}
