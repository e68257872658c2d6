/**
 * Puts an object as it shall be into a replica so that the tree stays a tree, whatever the objects came to apart.
 * What has to give way is decided from the objects alone, so every replica comes to the same.
 *
 * ST-1  A directory lives while something lives in it: a removal that did not know of that is taken back.
 * ST-2  No directory is its own ancestor (I6): of the moves that make a circle the last one is broken, and its object
 *       is in the volume's root.
 * ST-3  A living object has exactly one name, in the directory that is its parent (VR-3).
 */
import {
  arranged,
  comparePlaces,
  isRemoved,
  unionOf,
  versionsOf,
  type Fid,
  type VnodeStatus,
} from '../interface/index.js';
import type { VolumeTransaction } from '../store/volume-transaction.js';
import { nameByPlace, release } from './naming.js';

export interface SettleOptions {
  /** Resolution has set its counts (cop2.ts). */
  readonly forced: boolean;
  /** Told of directories whose names have changed beyond what their updates say. */
  readonly disturbed: Set<Fid>;
}

/** Whether it could be: false when its directory is not here. The caller has begun a stamp and read the object. */
export function settle(transaction: VolumeTransaction, wanted: VnodeStatus, options: SettleOptions): boolean {
  let status = wanted;
  const isFull = status.kind === 'directory' && !transaction.isEmpty(status.fid);
  if (isFull && isRemoved(status)) status = takenBack(status);
  if (isRemoved(status)) {
    release(transaction, status.fid, options.disturbed);
    transaction.putTombstone(status, options.forced);
    return true;
  }
  if (status.kind === 'directory') status = withoutCircle(transaction, status, options);
  if (status.parent !== null && !isKeptAlive(transaction, status.parent, options)) return false;
  const isNamed = hasItsName(transaction, status);
  transaction.put(status, options.forced);
  if (!isNamed) nameByPlace(transaction, status, options.disturbed);
  return true;
}

/** Whether the name that the object has here follows from the very place that it shall have. */
function hasItsName(transaction: VolumeTransaction, { fid, parent, places: [place] }: VnodeStatus): boolean {
  const row = transaction.object(fid);
  return (
    row?.bound?.directory === parent &&
    row?.bound?.wanted === place?.name &&
    row?.status.places[0]?.storeId === place?.storeId
  );
}

/** ST-1; whether the directory is here. */
function isKeptAlive(transaction: VolumeTransaction, directory: Fid, options: SettleOptions): boolean {
  const row = transaction.object(directory);
  if (row?.removed !== true) return row !== undefined;
  return settleToo(transaction, takenBack(row.status), options);
}

/** Another object than the one that the caller asked for: he hears of it, and of where its name is. */
function settleToo(transaction: VolumeTransaction, status: VnodeStatus, options: SettleOptions): boolean {
  const { disturbed } = options;
  const before = transaction.object(status.fid)?.bound?.directory;
  for (const fid of [status.fid, before, status.parent]) {
    if (fid !== undefined && fid !== null) disturbed.add(fid);
  }
  return settle(transaction, status, { forced: false, disturbed });
}

function takenBack(status: VnodeStatus): VnodeStatus {
  return { ...status, revived: unionOf(status.revived, status.gone) };
}

/** ST-2. Each round breaks one move, so this ends. */
function withoutCircle(
  transaction: VolumeTransaction,
  directory: VnodeStatus,
  options: SettleOptions,
): VnodeStatus {
  let status = directory;
  for (;;) {
    const circle = circleThrough(transaction, status);
    if (circle === undefined) return status;
    const last = circle.reduce((one, other) => (isLater(other, one) ? other : one));
    if (last.fid === status.fid) status = broken(status);
    else settleToo(transaction, broken(last), options);
  }
}

/** The directories from `status` up to itself, if it would be its own ancestor. */
function circleThrough(
  transaction: VolumeTransaction,
  status: VnodeStatus,
): readonly VnodeStatus[] | undefined {
  const circle = [status];
  const passed = new Set<Fid>([status.fid]);
  for (let next = status.parent; next !== null;) {
    if (next === status.fid) return circle;
    const row = transaction.object(next);
    if (row === undefined || passed.has(next)) return undefined;
    passed.add(next);
    circle.push(row.status);
    next = row.status.parent;
  }
  return undefined;
}

function isLater(a: VnodeStatus, b: VnodeStatus): boolean {
  const [mine, theirs] = [a.places[0], b.places[0]];
  return mine !== undefined && theirs !== undefined && comparePlaces(mine, theirs) > 0;
}

function broken(status: VnodeStatus): VnodeStatus {
  const places = status.places.map((place, index) => (index === 0 ? { ...place, isBroken: true } : place));
  return arranged(status, versionsOf(status), places);
}
