/**
 * The true history of a schedule: what was acknowledged, and what its authors had seen. What no later author gave up
 * knowingly must be on every replica in the end; what nothing was made of since must be gone.
 */
import {
  isRemoved,
  knows,
  versionsOf,
  type Fid,
  type Mutation,
  type StoreId,
  type VnodeStatus,
} from '../../vice/interface/index.js';

export class Ledger {
  readonly #records: Mutation[] = [];

  /** Updates acknowledged. */
  get size(): number {
    return this.#records.length;
  }

  enter(record: Mutation): void {
    this.#records.push(record);
  }

  /** What `held`, all objects of a replica by Fid, lacks or should not have. */
  *faults(held: ReadonlyMap<Fid, VnodeStatus>): Generator<string> {
    for (const record of this.#records) {
      const status = held.get(record.fid);
      if (status === undefined) {
        yield `${record.fid} (${record.op} ${record.storeId}) is nowhere`;
        continue;
      }
      if (!knows(status.known, record.storeId)) yield `${record.op} ${record.storeId} is not known`;
      if (placesIt(record) && !this.#isOverruled(record, movesAgain)) {
        if (isRemoved(status))
          yield `${record.fid} is removed, but ${record.op} ${record.storeId} was not seen`;
        const isThere = status.places.some(({ storeId }) => storeId === record.storeId);
        if (!isThere) yield `the place of ${record.fid} by ${record.storeId} is lost`;
      }
      if (record.op === 'store' && !this.#isOverruled(record, writesAgain)) {
        if (isRemoved(status)) yield `${record.fid} is removed, but ${record.storeId} was not seen`;
        const isThere = versionsOf(status).some(({ storeId }) => storeId === record.storeId);
        if (!isThere) yield `the contents of ${record.fid} by ${record.storeId} are lost`;
      }
    }
    for (const [fid, status] of held) {
      if (status.kind === 'directory' || isRemoved(status)) continue;
      const made = this.#records.filter((record) => record.fid === fid && keepsIt(record));
      const isGone = made.every((record) => this.#isOverruled(record, removesKnowingly(record)));
      if (isGone && made.length > 0) yield `${fid} lives, but all there is of it was removed`;
    }
  }

  /** Whether somebody who knew of `update` did with the object what `does` says. */
  #isOverruled(update: Mutation, does: (record: Mutation, update: StoreId) => boolean): boolean {
    const { fid, storeId } = update;
    return this.#records.some((record) => {
      if (record.fid !== fid || !does(record, storeId)) return false;
      return knows(record.base[fid] ?? {}, storeId) || isByName(record, update);
    });
  }
}

/** For a removal that a server could still refuse the name decides, not who has moved the object to and fro. */
function isByName(record: Mutation, update: Mutation): boolean {
  return removes(record) && record.settled !== true && update.op !== 'store';
}

/** Whether the object lives by it, if nobody removes it knowingly. */
function keepsIt(record: Mutation): boolean {
  return placesIt(record) || record.op === 'store' || record.op === 'repair';
}

function placesIt(record: Mutation): boolean {
  const { op } = record;
  if (op === 'repair') return record.accept !== null;
  return op === 'create' || op === 'mkdir' || op === 'symlink' || op === 'rename';
}

function removes({ op }: Mutation): boolean {
  return op === 'remove' || op === 'rmdir';
}

/** The removal has seen the update: whether it also came by its name nobody can tell afterwards. */
function removesKnowingly({ fid, storeId }: Mutation): (record: Mutation) => boolean {
  return (record) => removes(record) && knows(record.base[fid] ?? {}, storeId);
}

function movesAgain(record: Mutation): boolean {
  return record.op === 'rename' || removes(record) || (record.op === 'repair' && record.accept !== null);
}

function writesAgain(record: Mutation, update: StoreId): boolean {
  if (record.op === 'store') return record.beside?.includes(update) !== true;
  return removes(record) || (record.op === 'repair' && record.dismiss.includes(update));
}
