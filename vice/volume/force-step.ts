/**
 * Installs what resolution has decided, inside one transaction (Coda: ForceFile, ForceVV, ForceDir in
 * resforce.cc). Resolution decided on what it had read; here, under the transaction, every object is compared
 * again.
 *
 * FS-1  An update that is here and that the decision did not know of is never overwritten.
 * FS-2  No object becomes unreachable: a name goes only with its object, or when another directory names that
 *       now.
 * FS-3  Every object has at most one name, and no directory is its own ancestor, whatever the steps and their
 *       order.
 * FS-4  Counts never decrease (VV-1).
 */
import {
  compare,
  Failure,
  isFailure,
  isWithin,
  maximum,
  nameFault,
  relate,
  rootFid,
  unionOf,
  type DirectoryEntry,
  type Fid,
  type VnodeStatus,
  type VolumeId,
} from '../interface/index.js';
import type { ObjectRow } from '../store/volume-store.js';
import { mustBeIn, type VolumeTransaction } from '../store/volume-transaction.js';
import type { Held } from './certify.js';
import type { ForcedObject, ForceStep } from './replica.js';

/**
 * What to do with a decided object: `install` it, take only its `counts`, or `keep` what is here.
 *
 * Of objects that have known the same updates in another order (two gateways' updates crossed) the greater
 * StoreId wins, so that all replicas end with the same one.
 */
export function judge(here: Held | undefined, decided: VnodeStatus): 'install' | 'counts' | 'keep' {
  if (here === undefined) return 'install';
  // Removed here: only somebody who knew of the removal can have decided that the object lives.
  if (here.removed) {
    const news = !isWithin(decided.known, here.status.known);
    return news && isWithin(here.status.known, decided.known) ? 'install' : 'keep';
  }
  switch (relate(decided, here.status)) {
    case 'dominant':
      return 'install';
    case 'submissive':
    case 'inconsistent':
      return 'keep';
    case 'equal':
    case 'weakly-equal': {
      const mine = here.status.storeId ?? '';
      const theirs = decided.storeId ?? '';
      if (theirs > mine) return 'install';
      const counted = compare(maximum(here.status.vv, decided.vv), here.status.vv);
      return theirs === mine && counted === 'dominant' ? 'counts' : 'keep';
    }
  }
}

/** @throws Failure invalid, cross-volume: then nothing of the step must be kept */
export function applyForceStep(
  transaction: VolumeTransaction,
  step: ForceStep,
  volume: VolumeId,
): { readonly installed: Fid[]; readonly skipped: Fid[] } {
  mustBeSound(step, volume);
  const after = new AfterStep(transaction);
  const installed: Fid[] = [];
  for (const object of step.objects) {
    if (considerObject(transaction, after, object) === 'counted') installed.push(object.status.fid);
  }
  for (const status of step.removed) considerTombstone(transaction, after, status);
  after.settle();
  install(transaction, [...after.installable.values()]);
  installed.push(...after.installable.keys());
  const done = new Set(installed);
  const fids = [...step.objects.map(({ status }) => status.fid), ...step.removed.map(({ fid }) => fid)];
  return { installed, skipped: fids.filter((fid) => !done.has(fid)) };
}

/** What may change here, taken by itself; whether it may together with the rest, AfterStep finds out. */
interface Installable {
  readonly fid: Fid;
  readonly status: VnodeStatus;
  readonly removed: boolean;
  /** Names that go and come with it; an unreadable name has no entry. */
  readonly gone: readonly { readonly name: string; readonly entry: DirectoryEntry | undefined }[];
  readonly come: readonly DirectoryEntry[];
  /** All names that it has afterwards. Null: it has no names, or they stay as they are. */
  readonly entries: readonly DirectoryEntry[] | null;
}

function considerObject(
  transaction: VolumeTransaction,
  after: AfterStep,
  { status, entries }: ForcedObject,
): 'counted' | undefined {
  const { fid } = status;
  const here = transaction.objectToReplace(fid, status.parent);
  if (here !== undefined && here.status.kind !== status.kind) {
    throw invalid(fid, 'an object never changes its kind');
  }
  const verdict = judge(here, status);
  if (verdict === 'keep') return undefined;
  if (verdict === 'counts' && here !== undefined) {
    transaction.putCounts(here, maximum(here.status.vv, status.vv), true);
    return 'counted';
  }
  const next = merged(here, status);
  const plain = { fid, status: next, removed: false, gone: [], come: [], entries: null };
  if (status.kind !== 'directory') after.add(plain);
  else if (entries !== null) after.add({ ...plain, ...namesChanged(transaction, fid, entries), entries });
  // A directory without its names must not be said to know what they are the outcome of (VR-4). As a runt its
  // own parent can name it, and a later step fill it.
  else if (here === undefined) after.add({ ...plain, status: { ...next, vv: {}, storeId: null, known: {} } });
  return undefined;
}

function considerTombstone(transaction: VolumeTransaction, after: AfterStep, status: VnodeStatus): void {
  const { fid } = status;
  const here = transaction.objectToReplace(fid, status.parent);
  if (here !== undefined && here.removed && isWithin(status.known, here.status.known)) return;
  if (here !== undefined && !isWithin(here.status.known, status.known)) return;
  const { gone, come } = namesChanged(transaction, fid, []);
  after.add({ fid, status: merged(here, status), removed: true, gone, come, entries: [] });
}

/** Compared, not rewritten: of a large directory only what differs is touched. */
function namesChanged(
  transaction: VolumeTransaction,
  directory: Fid,
  entries: readonly DirectoryEntry[],
): Pick<Installable, 'gone' | 'come'> {
  const wanted = new Map(entries.map((entry) => [entry.name, entry]));
  const gone: { readonly name: string; readonly entry: DirectoryEntry | undefined }[] = [];
  for (const { name, entry } of transaction.entries(directory)) {
    if (entry !== undefined && wanted.get(name)?.fid === entry.fid) wanted.delete(name);
    else gone.push({ name, entry });
  }
  return { gone, come: [...wanted.values()] };
}

/**
 * How the tree will be after the step. Starts from everything that may change and takes out what does not
 * fit, until the rest fits together: so objects that need each other (two directories that change places)
 * come together.
 */
class AfterStep {
  readonly installable = new Map<Fid, Installable>();
  readonly #transaction: VolumeTransaction;
  /** Which directory of the step names an object. */
  readonly #claims = new Map<Fid, Fid>();

  constructor(transaction: VolumeTransaction) {
    this.#transaction = transaction;
  }

  add(object: Installable): void {
    this.installable.set(object.fid, object);
    for (const { fid } of object.entries ?? []) this.#claims.set(fid, object.fid);
  }

  settle(): void {
    for (let before = Infinity; this.installable.size < before;) {
      before = this.installable.size;
      for (const object of [...this.installable.values()]) {
        if (!this.#fits(object)) this.installable.delete(object.fid);
      }
    }
  }

  #fits({ fid, entries, gone, come }: Installable): boolean {
    // FS-2: who loses this name is removed or gets another one.
    for (const { entry } of gone) {
      if (entry === undefined || this.#status(entry.fid) === undefined) continue;
      if (this.#namedBy(entry.fid) === undefined) return false;
    }
    const changing = entries?.filter((entry) => this.installable.has(entry.fid)) ?? [];
    for (const entry of [...come, ...changing]) {
      if (!this.#isChild(entry.fid, fid) || this.#status(entry.fid)?.kind !== entry.kind) return false;
    }
    const above = come.some(({ kind }) => kind === 'directory') ? this.#pathOf(fid) : undefined;
    return above === undefined || !come.some((entry) => above.has(entry.fid));
  }

  #isChild(fid: Fid, directory: Fid): boolean {
    return this.#status(fid)?.parent === directory;
  }

  #status(fid: Fid): VnodeStatus | undefined {
    const object = this.installable.get(fid);
    if (object !== undefined) return object.removed ? undefined : object.status;
    const row = this.#here(fid);
    return row?.removed === false ? row.status : undefined;
  }

  /** `fid` and all directories above it, by their names. */
  #pathOf(fid: Fid): ReadonlySet<Fid> {
    const path = new Set<Fid>();
    for (let next: Fid | undefined = fid; next !== undefined && !path.has(next); next = this.#namedBy(next)) {
      path.add(next);
    }
    return path;
  }

  #namedBy(fid: Fid): Fid | undefined {
    const claim = this.#claims.get(fid);
    if (claim !== undefined && this.installable.has(claim)) return claim;
    const directory = this.#here(fid)?.bound?.directory;
    const changed = directory === undefined ? undefined : this.installable.get(directory);
    return changed === undefined || changed.entries === null ? directory : undefined;
  }

  /** A damaged row is as good as none: its object has to come with a step. */
  #here(fid: Fid): ObjectRow | undefined {
    try {
      return this.#transaction.object(fid);
    } catch (error) {
      if (!isFailure(error, 'damaged')) throw error;
      return undefined;
    }
  }
}

/**
 * Objects first, then the names that go, tombstones, and the names that come: nothing ever has two (FS-3).
 */
function install(transaction: VolumeTransaction, objects: readonly Installable[]): void {
  for (const { status, removed } of objects) {
    if (removed) continue;
    transaction.nextStamp();
    transaction.put(status, true);
  }
  for (const { fid, gone } of objects) {
    for (const { name, entry } of gone) {
      if (entry === undefined) transaction.removeEntry(fid, name);
      else transaction.unbind(entry.fid);
    }
  }
  for (const { fid, status, removed } of objects) {
    if (!removed) continue;
    transaction.nextStamp();
    transaction.unbind(fid);
    transaction.putTombstone(status, true);
  }
  for (const { come } of objects) for (const entry of come) transaction.unbind(entry.fid);
  for (const { fid, come } of objects) for (const entry of come) transaction.bind(fid, entry);
}

/** The decided status with what must not decrease. */
function merged(here: ObjectRow | undefined, decided: VnodeStatus): VnodeStatus {
  if (here === undefined) return decided;
  const { vv, known } = here.status;
  return { ...decided, vv: maximum(vv, decided.vv), known: unionOf(known, decided.known) };
}

/** Never trust a peer: what no correct replica would say is refused whole. */
function mustBeSound({ objects, removed }: ForceStep, volume: VolumeId): void {
  mustBeIn(volume, [...objects.map(({ status }) => status.fid), ...removed.map(({ fid }) => fid)]);
  const root = rootFid(volume);
  for (const { status, entries } of objects) {
    const { fid, kind } = status;
    if ((status.parent === null) !== (fid === root)) throw invalid(fid, 'only the root has no parent');
    if ((status.data === null) === (kind === 'file')) throw invalid(fid, 'exactly files have contents');
    if (entries === null) continue;
    if (kind !== 'directory') throw invalid(fid, 'only a directory has names');
    for (const { name } of entries) {
      const fault = nameFault(name);
      if (fault !== undefined) throw invalid(fid, `a name ${fault}`);
    }
    const names = new Set(entries.map(({ name }) => name));
    const fids = new Set(entries.map((entry) => entry.fid));
    if (names.size < entries.length) throw invalid(fid, 'a name is there twice');
    if (fids.size < entries.length) throw invalid(fid, 'an object has two names');
  }
  if (removed.some(({ fid }) => fid === root)) throw invalid(root, 'the root cannot be removed');
}

function invalid(fid: Fid, message: string): Failure {
  return new Failure('invalid', 'vice.force', message, { fid });
}
