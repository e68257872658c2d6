/**
 * Whether a record may be applied here, given what its author had seen (`base`) and what this replica has
 * known. Pure. Names, kinds and emptiness are not decided here but by applyRecord
 * (vice/interface/semantics.ts).
 *
 * First, and for every object the record touches: this replica must have known all that the author had seen,
 * else it is `stale` and no judge of anything. Then (Coda: codaproc2.cc):
 *
 *   record                      object here has updates unseen by the author      object was removed here
 *   create mkdir symlink        parent: names decide                              parent: not-found
 *   rename                      names decide, and that nobody moved it away and   either: not-found
 *                               back; contents may have changed
 *   remove (file)               contents: conflict. attributes, name: applied     either: not-found
 *   remove (symlink), rmdir     names decide (rmdir: not-empty)                   either: not-found
 *   store                       contents: conflict. attributes, name: applied     not-found
 *   utimes chmod chown          applied: the last one wins, for this attribute    not-found
 *   setprops                    applied: the last one wins, for each property     not-found
 *   setacl                      applied: both hold (vice/interface/access.ts)     not-found
 *
 * A settled record (its author was answered by his gateway's log) is only ever stale: it is merged with what others did
 * (vice/interface/semantics.ts).
 *
 * A move that would make a circle here is stale, too, while a directory above its target is not known here as its
 * author saw it: he may have seen that the way between the two had gone elsewhere, and a broken circle stays broken.
 *
 * Only contents against contents is a conflict of a file: whoever had seen the latest close may replace or
 * remove it, in whatever order the attributes of others arrive. Coda compares the StoreId of the last update
 * of any kind and so makes a chmod the enemy of a store; with several replicas the outcome would depend on
 * which came first.
 */
import {
  Failure,
  fidsOf,
  gatewayOf,
  isCreation,
  isWithin,
  knows,
  limits,
  versionsOf,
  type DirectoryEntry,
  type FailureKind,
  type Fid,
  type Mutation,
  type RenameRecord,
  type StoreIdVector,
  type VnodeStatus,
} from '../interface/index.js';

/** An object as this replica holds it: alive, or remembered as removed. */
export interface Held {
  readonly status: VnodeStatus;
  readonly removed: boolean;
}

export type Look = (fid: Fid) => Held | undefined;

/** Why `record` may not be applied, or undefined when it may (as far as versions go). */
export function certify(record: Mutation, look: Look): Failure | undefined {
  const touched = fidsOf(record).filter((fid) => !isCreation(record) || fid !== record.fid);
  for (const fid of touched) {
    const base = record.base[fid];
    if (base !== undefined && !isWithin(base, look(fid)?.status.known ?? nothing)) {
      return refusal('stale', fid, 'this replica lacks updates that the author has seen');
    }
    // Named as seen although nothing of it is known: still it must have been somewhere.
    if (base !== undefined && look(fid) === undefined) {
      return refusal('stale', fid, 'this replica does not have the object yet');
    }
  }
  for (const fid of touched) {
    if (record.settled === true || look(fid)?.removed !== true) continue;
    return refusal('not-found', fid, 'the object has been removed meanwhile');
  }
  const unseen = record.op === 'rename' ? missedInCircle(record, look) : undefined;
  if (unseen !== undefined) {
    return refusal('stale', unseen, 'this replica lacks moves above that the author has seen');
  }
  const held = look(record.fid);
  if (isCreation(record) && held?.removed === true) {
    return refusal('exists', record.fid, 'the Fid has been used before; a new object needs a new one');
  }
  if (record.settled === true || held === undefined) return undefined;
  const seen = record.base[record.fid] ?? nothing;
  const isPlaceSeen = held.status.places.every(({ storeId }) => knows(seen, storeId));
  // It would be in two places, each of which somebody gave it who knew nothing of the other.
  if (record.op === 'rename' && !isPlaceSeen) {
    return refusal('not-found', record.fid, 'somebody else has moved the object meanwhile');
  }
  if (!replacesContents(record)) return undefined;
  if (versionsOf(held.status).every(({ mark }) => knows(seen, mark))) return undefined;
  return refusal('conflict', record.fid, 'the contents have been changed meanwhile by somebody else');
}

/**
 * Whether the effect of `record` is here already, by an earlier call or by resolution.
 *
 * `partly`: resolution has brought the object but not yet all of its directories, or not yet what it has known; ask
 * again after it. A directory alone proves nothing: updates of one Venus to different names in it may arrive in any
 * order. So a Venus must give a record that it sends again after a refusal a new StoreId once later records of its own
 * have passed.
 */
export function alreadyApplied(
  record: Mutation,
  look: Look,
  entry: (directory: Fid, name: string) => DirectoryEntry | undefined,
): 'yes' | 'no' | 'partly' {
  const directories = fidsOf(record).filter((fid) => fid !== record.fid);
  const hasIt = (fid: Fid): boolean => knows(look(fid)?.status.known ?? nothing, record.storeId);
  if (hasIt(record.fid)) {
    return directories.every((fid) => hasIt(fid) || look(fid)?.removed === true) ? 'yes' : 'partly';
  }
  // Nobody else makes this Fid. Resolution brings a directory before what it has known (`withoutKnown` in replica.ts).
  if (isCreation(record) && look(record.fid)?.removed === false) return 'partly';
  if (directories.length === 0 || !directories.every(hasIt)) return 'no';
  switch (record.op) {
    case 'remove':
    case 'rmdir':
      return entry(record.parent, record.name)?.fid === record.fid ? 'no' : 'yes';
    case 'rename':
      return entry(record.toParent, record.toName)?.fid === record.fid ? 'yes' : 'no';
    default:
      return 'no';
  }
}

/**
 * Whether the object held here has updates that the author of `record` had not seen. Those of his gateway it shows him.
 */
export function isAhead(record: Mutation, held: Held): boolean {
  const base = record.base[held.status.fid] ?? nothing;
  const own = gatewayOf(record.storeId);
  for (const [venus, counter] of Object.entries(held.status.known)) {
    if (counter > (base[venus] ?? 0) && gatewayOf(venus) !== own) return true;
  }
  return false;
}

/**
 * Where a move would put a directory below itself: what its author had seen of the way up, and this replica does not
 * know. Without a circle it does not matter.
 */
function missedInCircle({ fid, toParent, base }: RenameRecord, look: Look): Fid | undefined {
  let above: Fid | null = toParent;
  for (let depth = 0; above !== fid; depth += 1) {
    above = look(above)?.status.parent ?? null;
    if (above === null || depth > limits.depth) return undefined;
  }
  const named = Object.keys(base) as Fid[];
  return named.find((each) => !isWithin(base[each] ?? nothing, look(each)?.status.known ?? nothing));
}

const nothing: StoreIdVector = {};

function replacesContents(record: Mutation): boolean {
  return record.op === 'store' || record.op === 'remove';
}

function refusal(kind: FailureKind, fid: Fid, message: string): Failure {
  return new Failure(kind, 'vice.mutate', message, { fid });
}
