/**
 * The snapshots of one replica: taken, read, deleted. What their rows are, and why they stay true, says
 * vice/store/snapshot-rows.ts.
 *
 * A snapshot is of one replica at one moment, between two transactions; those that other replicas took under the same
 * name may differ in what had not come to all of them. Nothing in it ever changes, so whoever has read something of it
 * may keep that for as long as there is such a snapshot.
 */
import {
  Failure,
  isFailure,
  isRunt as isUntouched,
  unseal,
  type Fid,
  type VnodeStatus,
} from '../interface/index.js';
import { sleep, type Clock } from '../seam/clock.js';
import { endOf, type Store, type StoreTransaction } from '../seam/store.js';
import { countReferences, type ContainerReferences } from '../store/container-references.js';
import { forgetDropped, noteDropped } from '../store/dropped-snapshots.js';
import {
  counterOf,
  digestsOf,
  isAbsent,
  partsOf,
  addSnapshot,
  putCounter,
  removeSnapshot,
  rowIn,
  snapshotsMost,
  snapshotsOf,
  SnapshotKeys,
  wholeOf,
  type Snapshot,
} from '../store/snapshot-rows.js';
import type { EntryRow, ObjectRow, VolumeKeys } from '../store/volume-store.js';
import { SnapshotCopies } from './snapshot-copies.js';
import { fidsAfter } from './snapshot-fids.js';
import type { ListedEntry, Snapshots } from './replica.js';
import { mustBeThere, mustTakeChanges } from './standing.js';

const slice = { rows: 1000, pauseMs: 20 } as const;
/** Names read in one turn of the event loop: some milliseconds. */
const turnNames = 500;
const operation = 'vice.snapshot';

export interface VolumeSnapshotsWorld {
  readonly store: Store;
  readonly references: ContainerReferences;
  readonly clock: Clock;
  /** Saved rows swept in one transaction; others have their turn in between. */
  readonly sliceRows?: number;
}

type Standing = Parameters<typeof mustBeThere>[0];

export class VolumeSnapshots implements Snapshots {
  readonly rows: SnapshotKeys;
  readonly copies: SnapshotCopies;
  readonly #keys: VolumeKeys;
  readonly #world: VolumeSnapshotsWorld;
  readonly #replica: Standing;
  #sweeping: Promise<void> | undefined;

  constructor(keys: VolumeKeys, world: VolumeSnapshotsWorld, replica: Standing) {
    this.#keys = keys;
    this.#world = world;
    this.#replica = replica;
    this.rows = new SnapshotKeys(keys.volume);
    this.copies = new SnapshotCopies(this.rows, world, replica);
  }

  list(): readonly Snapshot[] {
    mustBeThere(this.#replica);
    const all = wholeOf(this.#world.store, this.rows).map(({ name, time }) => ({ name, time }));
    // Those that were brought came later than they were taken.
    return all.sort((a, b) => a.time - b.time);
  }

  take({ name, time }: Snapshot): Promise<boolean> {
    return this.#world.store.transact((transaction) => {
      mustBeThere(this.#replica);
      mustTakeChanges(this.#replica);
      const all = snapshotsOf(transaction, this.rows);
      const same = all.find((snapshot) => snapshot.name === name);
      const isHere = same !== undefined && (same.copy === undefined || same.copy.heals === true);
      if (same !== undefined && (isHere || same.time !== time)) {
        if (same.time === time) return false;
        throw new Failure('exists', operation, `there is another snapshot ${name}; delete it first`);
      }
      // What this replica is now is as true as what another one was, and is here at once.
      if (same !== undefined) removeSnapshot(transaction, this.rows, same);
      else if (all.length >= snapshotsMost) {
        const message = `a volume has at most ${snapshotsMost} snapshots; delete some first`;
        throw new Failure('refused', operation, message);
      }
      forgetDropped(transaction, this.rows, { name, time });
      addSnapshot(transaction, this.rows, { name, time });
      return true;
    });
  }

  drop(name: string): Promise<boolean> {
    return this.#world.store.transact((transaction) => {
      mustBeThere(this.#replica);
      const found = snapshotsOf(transaction, this.rows).find((snapshot) => snapshot.name === name);
      if (found === undefined) return false;
      removeSnapshot(transaction, this.rows, found);
      noteDropped(transaction, this.rows, found);
      return true;
    });
  }

  sweep(): Promise<void> {
    this.#sweeping ??= this.#sweep().finally(() => (this.#sweeping = undefined));
    return this.#sweeping;
  }

  status(snapshot: Snapshot, fid: Fid): VnodeStatus | undefined {
    const row = this.#object(this.#numberOf(snapshot), fid);
    return row?.removed === false ? row.status : undefined;
  }

  *entries(snapshot: Snapshot, directory: Fid): Generator<ListedEntry | undefined> {
    const number = this.#numberOf(snapshot);
    const names = yield* this.#names(number, directory);
    for (const [name, fid] of names) {
      const row = this.#object(number, fid);
      if (row?.removed === false) yield { name, status: row.status };
    }
  }

  *objects(snapshot: Snapshot, after: Fid | null): Generator<VnodeStatus | undefined> {
    const number = this.#numberOf(snapshot);
    for (let last = after; ;) {
      this.#mustHave(number);
      const { fids, isLast } = fidsAfter(this.#world.store, this.rows, this.#keys, last);
      // Read in the same turn: what changes later is saved, and found by the next look.
      const rows = fids.map((fid) => this.#object(number, fid));
      for (const row of rows) if (row?.removed === false && !isUntouched(row.status)) yield row.status;
      if (isLast) return;
      last = fids.at(-1) ?? last;
      yield undefined;
    }
  }

  /**
   * The names that are as they were, then those that are not: one that changes between two turns is found among the
   * latter, as it was.
   */
  *#names(number: number, directory: Fid): Generator<undefined, ReadonlyMap<string, Fid>> {
    const { store } = this.#world;
    const names = new Map<string, Fid>();
    const living = this.#keys.entry(directory, '');
    for (const page of this.#pages(number, living)) {
      for (const { key, value } of page) {
        const row = this.rows.savedRow(key) ?? key;
        const saved = store.range({ ...this.rows.savedFrom(row, number), limit: 1 });
        if ([...saved].length === 0) names.set(key.slice(living.length), this.#entry(value, directory).fid);
      }
      yield undefined;
    }
    const prefix = `${this.rows.savedPrefix}${living.slice(this.#keys.volume.length + 1)}`;
    let decided = '';
    for (const page of this.#pages(number, prefix)) {
      for (const { key, value } of page) {
        const { row, number: saved } = partsOf(key);
        if (saved < number || row === decided) continue;
        decided = row;
        const name = row.slice(prefix.length, -1);
        if (!isAbsent(value)) names.set(name, this.#entry(value, directory).fid);
      }
      yield undefined;
    }
    return names;
  }

  /** Rows under `prefix` (which ends with a slash), each page of one turn. */
  *#pages(number: number, prefix: string): Generator<readonly Row[]> {
    // '0' is the character after '/'.
    const end = `${prefix.slice(0, -1)}0`;
    for (let start: string | undefined = prefix; start !== undefined;) {
      this.#mustHave(number);
      const page: Row[] = [...this.#world.store.range({ start, end, limit: turnNames })];
      yield page;
      start = page.length < turnNames ? undefined : `${page.at(-1)?.key}\0`;
    }
  }

  async #sweep(): Promise<void> {
    const { store, references, clock } = this.#world;
    while (counterOf(store, this.rows).unswept > 0) {
      let position: Position | undefined = { key: this.rows.savedPrefix, row: '', number: 0 };
      const { unswept } = counterOf(store, this.rows);
      while (position !== undefined) {
        const from: Position = position;
        const unnamed: string[] = [];
        position = await store.transact((transaction) =>
          this.#sweepSome(transaction, from, unswept, unnamed),
        );
        references.collect(unnamed);
        if (position !== undefined) await sleep(clock, slice.pauseMs);
      }
    }
  }

  /** SN-3. @returns where to go on; undefined: it was the end */
  #sweepSome(
    transaction: StoreTransaction,
    from: Position,
    unswept: number,
    unnamed: string[],
  ): Position | undefined {
    mustBeThere(this.#replica);
    const numbers = snapshotsOf(transaction, this.rows).map(({ number }) => number);
    const { sliceRows: limit = slice.rows } = this.#world;
    const range = { start: from.key, end: endOf(this.rows.savedPrefix), limit };
    const saved = [...transaction.range(range)];
    let { row: before, number: previous } = from;
    for (const { key, value } of saved) {
      const { row, number } = partsOf(key);
      const after = row === before ? previous : 0;
      [before, previous] = [row, number];
      if (numbers.some((each) => each > after && each <= number)) continue;
      transaction.remove(key);
      for (const digest of digestsOf(value)) {
        if (countReferences(transaction, this.rows.volume, digest, -1)) unnamed.push(digest);
      }
    }
    const last = saved.at(-1);
    if (last !== undefined && saved.length === limit) {
      return { key: `${last.key}\0`, row: before, number: previous };
    }
    const counter = counterOf(transaction, this.rows);
    // One that was deleted meanwhile may have left rows where this has been.
    if (counter.unswept === unswept) putCounter(transaction, this.rows, { ...counter, unswept: 0 });
    return undefined;
  }

  #numberOf({ name, time }: Snapshot): number {
    mustBeThere(this.#replica);
    const found = wholeOf(this.#world.store, this.rows).find(
      (snapshot) => snapshot.name === name && snapshot.time === time,
    );
    if (found === undefined) throw gone();
    return found.number;
  }

  #mustHave(number: number): void {
    mustBeThere(this.#replica);
    if (this.#world.store.get(this.rows.snapshot(number)) === undefined) throw gone();
  }

  #object(number: number, fid: Fid): ObjectRow | undefined {
    this.#mustHave(number);
    const value = rowIn(this.#world.store, this.rows, number, this.#keys.object(fid));
    return value === undefined ? undefined : read<ObjectRow>(value, fid);
  }

  #entry(value: Uint8Array, directory: Fid): EntryRow {
    return read<EntryRow>(value, directory);
  }
}

interface Row {
  readonly key: string;
  readonly value: Uint8Array;
}

/** How far a sweep has come: the last row that it has looked at, and where the next begins. */
interface Position {
  readonly key: string;
  readonly row: string;
  readonly number: number;
}

function gone(): Failure {
  return new Failure('not-found', operation, 'this server has no such snapshot');
}

function read<Row>(value: Uint8Array, fid: Fid): Row {
  try {
    return unseal(value) as Row;
  } catch (cause) {
    if (!isFailure(cause, 'damaged')) throw cause;
    throw new Failure('damaged', operation, 'a record of a snapshot is damaged here', { fid, cause });
  }
}
