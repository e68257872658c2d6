/**
 * Which object bears which name in a directory. Of objects that want one name the one that was there first keeps it,
 * the others bear `NAME (conflict ...)` beside it until it is free (name/name).
 *
 * NM-1  The names follow from the objects alone, whatever came first here, so replicas with the same objects have the
 *       same names: what is wanted goes before what is borne beside, and of names beside the earlier place chooses
 *       first.
 */
import {
  comparePlaces,
  isBeside,
  namesBeside,
  type Fid,
  type Placement,
  type VnodeStatus,
} from '../interface/index.js';
import type { VolumeTransaction } from '../store/volume-transaction.js';

/** Names the object by its place. The names of others may change with it: their directories are in `disturbed`. */
export function nameByPlace(transaction: VolumeTransaction, status: VnodeStatus, disturbed: Set<Fid>): void {
  const [place] = status.places;
  const directory = status.parent;
  if (place === undefined || directory === null) return;
  release(transaction, status.fid, disturbed);
  const other = bearer(transaction, directory, place.name);
  if (other === undefined) return bind(transaction, status, directory, place.name);
  disturbed.add(directory);
  const [otherPlace] = other.places;
  if (otherPlace?.name === place.name && comparePlaces(otherPlace, place) < 0) {
    return bindBeside(transaction, status, directory, place);
  }
  transaction.unbind(other.fid);
  bind(transaction, status, directory, place.name);
  if (otherPlace !== undefined) bindBeside(transaction, other, directory, otherPlace);
}

/**
 * An object that can be read and whose name another object bears, or that has none, as damage may leave it: it is named
 * by its place, as if it had come now.
 */
export function nameAgain(transaction: VolumeTransaction, fid: Fid): void {
  const status = transaction.status(fid);
  if (status === undefined) return;
  const disturbed = new Set<Fid>();
  release(transaction, fid, disturbed);
  nameByPlace(transaction, status, disturbed);
}

/** Takes the object's name away; who wanted it and was there first among those gets it. */
export function release(transaction: VolumeTransaction, fid: Fid, disturbed: Set<Fid>): void {
  const bound = transaction.object(fid)?.bound ?? null;
  if (bound === null) return;
  const { directory, name, wanted } = bound;
  transaction.unbind(fid);
  freeName(transaction, directory, name, disturbed, wanted === name);
}

/** Nobody bears the name any more: who wanted it and was there first gets it. */
export function freeName(
  transaction: VolumeTransaction,
  directory: Fid,
  name: string,
  disturbed: Set<Fid>,
  isGiven = true,
): void {
  const [first] = isGiven ? inOrder(transaction, transaction.besides(directory, name)) : [];
  if (first !== undefined) {
    disturbed.add(directory);
    transaction.unbind(first.fid);
    bind(transaction, first, directory, name);
  }
  // Somebody may bear a worse name because this one was taken, or the one that was given up for it.
  if (isBeside(name) || first !== undefined) nameBesides(transaction, directory, disturbed);
}

/** The object that has the name; an entry that nobody answers for (its row was damaged) is put away. */
function bearer(transaction: VolumeTransaction, directory: Fid, name: string): VnodeStatus | undefined {
  const entry = transaction.entryToReplace(directory, name);
  if (entry === undefined) return undefined;
  const row = transaction.object(entry.fid);
  if (row?.bound?.directory === directory && row.bound.name === name) return row.status;
  transaction.removeEntry(directory, name);
  return undefined;
}

function bindBeside(
  transaction: VolumeTransaction,
  status: VnodeStatus,
  directory: Fid,
  place: Placement,
): void {
  const [name = place.name, ...others] = namesBeside(status.fid, place);
  if (bearer(transaction, directory, name) === undefined) {
    return bind(transaction, status, directory, name, place.name);
  }
  const free = others.find((other) => bearer(transaction, directory, other) === undefined);
  if (free === undefined) throw new Error(`no name is free for ${status.fid} in ${directory}`);
  bind(transaction, status, directory, free, place.name);
  nameBesides(transaction, directory, new Set());
}

/** NM-1 for the names beside: few, and seldom asked for. */
function nameBesides(transaction: VolumeTransaction, directory: Fid, disturbed: Set<Fid>): void {
  const besides = inOrder(transaction, transaction.besides(directory));
  const fids = new Set(besides.map(({ fid }) => fid));
  const due = new Map<string, VnodeStatus>();
  const isFree = (name: string): boolean => {
    const entry = due.has(name) ? undefined : transaction.entryToReplace(directory, name);
    return !due.has(name) && (entry === undefined || fids.has(entry.fid));
  };
  for (const status of besides) {
    const [place] = status.places;
    const name = place === undefined ? undefined : namesBeside(status.fid, place).find(isFree);
    if (name !== undefined) due.set(name, status);
  }
  const wrong = [...due].filter(([name, { fid }]) => transaction.object(fid)?.bound?.name !== name);
  if (wrong.length > 0) disturbed.add(directory);
  for (const [, { fid }] of wrong) transaction.unbind(fid);
  for (const [name, status] of wrong) bind(transaction, status, directory, name, status.places[0]?.name);
}

function bind(
  transaction: VolumeTransaction,
  { fid, kind }: VnodeStatus,
  directory: Fid,
  name: string,
  wanted = name,
): void {
  transaction.bind(directory, { name, fid, kind }, wanted);
}

/** Living objects, the one that was there first first. */
function inOrder(transaction: VolumeTransaction, fids: readonly Fid[]): readonly VnodeStatus[] {
  return fids.flatMap((fid) => transaction.status(fid) ?? []).sort(byPlace);
}

function byPlace(a: VnodeStatus, b: VnodeStatus): number {
  const [first, second] = [a.places[0], b.places[0]];
  return first === undefined || second === undefined ? 0 : comparePlaces(first, second);
}
