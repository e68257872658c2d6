/**
 * The log optimizer: what a later record makes void never travels. Pure; the optimized log ends in the same
 * tree as the whole one, directories' times aside. (Of a file that survives its removal, because of what others did,
 * what was done to it here before the removal does not travel.) Coda: vol_cml.cc; Kistler's thesis, chapter 6.
 *
 *   new record               cancels, of the same object
 *   store                    utimes; store and repair as far as isReplaced allows
 *   utimes, chmod, chown,    its own kind
 *   setacl
 *   setprops                 setprops: what it overrides goes, the rest moves into it (mergeProperties)
 *   remove                   store, utimes, chmod, chown, setprops, repair
 *   rmdir                    utimes, chmod, chown, setprops, setacl, repair
 *   remove, rmdir            all, itself included, if the log has made the object (identity cancellation)
 *
 * What an attribute record sets is read by no other record, and the last one wins, so whatever lies between
 * may stay. Coda spares a store before a chown and a chmod before a store, since they bear on rights and
 * quota there; here rights belong to directories. Versions are read: by a store that leaves some of them beside it,
 * and by a repair, which vouches anew for what it finds. So no store or repair goes over a repair that stays.
 *
 * Not cancelled: what draft.ts, `mayDrop`, spares (frozen records, other users' records); a repair within an
 * operation of several records, which must not be done without the others (versions that become files of their
 * own); a rename of an object that stays or was there before; the removal of a replaced target, which rides in
 * the rename's entry; what a directory has seen while records that stay still use it as a parent, of whatever
 * object and however long ago.
 */
import {
  isCreation,
  knows,
  type Fid,
  type Mutation,
  type SetPropertiesRecord,
} from '../../vice/interface/index.js';
import { directoriesOf } from './dependence.js';
import { Draft, type Logged, type LogView, type Plan, type Standing } from './draft.js';

export { dependsOn } from './dependence.js';
export type { Logged, LogView, Plan } from './draft.js';

type Op = Mutation['op'];

const voidedBy: Partial<Record<Op, readonly Op[]>> = {
  store: ['store', 'utimes', 'repair'],
  utimes: ['utimes'],
  chmod: ['chmod'],
  chown: ['chown'],
  setacl: ['setacl'],
  remove: ['store', 'utimes', 'chmod', 'chown', 'setprops', 'repair'],
  rmdir: ['utimes', 'chmod', 'chown', 'setprops', 'setacl', 'repair'],
};

/** Names that one record may remove (mutationSchema). */
const removedNamesMost = 1000;

/** What appending `records` (one operation of a user, bases threaded) does to the log. */
export function optimize(records: readonly Mutation[], log: LogView): Plan {
  const draft = new Draft(log);
  for (const record of records) {
    draft.add(record);
    if (record.op === 'setprops') mergeProperties(draft, record, records.length === 1);
    else if (!isRemoval(record) || !cancelIdentity(draft, record)) cancelVoid(draft, record);
  }
  return draft.plan();
}

/**
 * What taking `entries` out of the log without their having been applied does to the rest: relinking only,
 * frozen entries included; `records` is empty.
 */
export function withdraw(entries: readonly Logged[], log: LogView): Plan {
  const draft = new Draft(log);
  for (const entry of entries) for (const record of entry.records) draft.drop({ record, entry });
  const { rewritten, ...plan } = draft.plan();
  const rest = new Map(rewritten);
  for (const { sequence } of entries) rest.delete(sequence);
  return { ...plan, rewritten: rest };
}

function cancelVoid(draft: Draft, record: Mutation): void {
  const ops = voidedBy[record.op];
  if (ops === undefined) return;
  let versionsAreRead = false;
  for (const earlier of draft.backwards(record.fid)) {
    const { op } = earlier.record;
    if (earlier.record === record) continue;
    const isOfVersions = op === 'store' || op === 'repair';
    const isVoid = ops.includes(op) && (!isOfVersions || (!versionsAreRead && isReplaced(earlier, record)));
    if (isVoid && draft.mayDrop(earlier, record)) draft.drop(earlier);
    else if (op === 'repair') versionsAreRead = true;
  }
}

/**
 * Whether nothing that a store or repair has done to the versions of a file outlasts `later`. Versions that it made,
 * replaced, gave up or vouched for are all known to the author of `later`, so a store replaces them, with it or
 * without it, unless it leaves one of them beside itself.
 */
function isReplaced({ record, entry }: Standing, later: Mutation): boolean {
  if (record.op === 'repair' && entry !== null && entry.records.length > 1) return false;
  if (later.op !== 'store') return true;
  if (record.op === 'repair' && record.accept !== null) return false;
  const left = record.op === 'store' ? (record.beside ?? []) : [];
  const seen = record.base[record.fid] ?? {};
  const { beside = [] } = later;
  return beside.every((mark) => mark !== record.storeId && (left.includes(mark) || !knows(seen, mark)));
}

/**
 * Where the log has made what `removal` (in the draft) removes, and all its records may go: nothing ever was.
 * A name that an object of ours has never borne is free for whoever comes later in the log, and a directory
 * that nothing else uses is nobody's ancestor.
 */
function cancelIdentity(draft: Draft, removal: Mutation): boolean {
  const life: Standing[] = [];
  for (const standing of draft.backwards(removal.fid)) {
    if (standing.record.fid !== removal.fid || !draft.mayDrop(standing, removal)) return false;
    life.push(standing);
  }
  const first = life.at(-1);
  if (first === undefined || !isCreation(first.record)) return false;
  for (const standing of life) draft.drop(standing);
  for (const { record } of life) {
    for (const directory of directoriesOf(record)) cancelEmptied(draft, directory);
  }
  return true;
}

/** A directory whose removal had to be logged may now have lost the last record that used it. */
function cancelEmptied(draft: Draft, directory: Fid): void {
  const [latest] = draft.backwards(directory);
  if (latest?.record.op === 'rmdir' && latest.record.fid === directory) cancelIdentity(draft, latest.record);
}

/**
 * Takes earlier records of properties into `record`, the latest first, as long as none that stays lies
 * between: else the limit of an object's properties could be exceeded on the way. What is not overridden
 * moves only between entries of one record each: the records of an entry stay together.
 */
function mergeProperties(draft: Draft, record: SetPropertiesRecord, isAlone: boolean): void {
  let merged = record;
  for (const earlier of draft.backwards(record.fid)) {
    if (earlier.record.op !== 'setprops' || earlier.record.storeId === record.storeId) continue;
    const both = mergedProperties(earlier.record, merged);
    const mayMove = earlier.entry === null || (isAlone && earlier.entry.records.length === 1);
    if (both !== merged && (!mayMove || both.remove.length > removedNamesMost)) break;
    if (!draft.mayDrop(earlier, record)) break;
    draft.drop(earlier);
    merged = both;
  }
  if (merged !== record) draft.replace(merged);
}

/** `later`, doing what `earlier` did before it as well; the same object if it overrides all of that. */
function mergedProperties(earlier: SetPropertiesRecord, later: SetPropertiesRecord): SetPropertiesRecord {
  const overridden = new Set([...later.remove, ...Object.keys(later.set)]);
  const kept = Object.entries(earlier.set).filter(([name]) => !overridden.has(name));
  const removed = earlier.remove.filter((name) => !overridden.has(name));
  if (kept.length === 0 && removed.length === 0) return later;
  const set = Object.fromEntries([...kept, ...Object.entries(later.set)]);
  return { ...later, set, remove: [...new Set([...removed, ...later.remove])] };
}

function isRemoval(record: Mutation): boolean {
  return record.op === 'remove' || record.op === 'rmdir';
}
