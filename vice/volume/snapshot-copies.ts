/**
 * Snapshots of a replica that another one took: given page by page, and put here page by page. What their rows are says
 * vice/store/snapshot-rows.ts, how they travel vice/resolution/snapshot-copying.ts.
 *
 * A copy takes its number when it begins, so that from then on all that is changed here is put aside for it (SN-1).
 * What comes from the other replica is held against that, and only what differs becomes a row: a copy of a volume that
 * has not changed much costs little.
 *
 * SC-1  Up to its mark a copy is what the other replica has. Rows and mark are put in one transaction: cut short
 *       anywhere it goes on there.
 * SC-2  A copy is of one snapshot of one replica. When that one cannot go on, it begins anew with another one.
 * SC-3  Until all of it is here nobody reads it or hears of it, but for those who ask what is coming.
 * SC-4  Other snapshots of this replica stay as they are: a row that one before it reads, and that is not the copy's,
 *       is put aside for that one first.
 */
import { isDeepStrictEqual } from 'node:util';
import {
  Failure,
  intact,
  nameFault,
  seal,
  volumeOf,
  type Fid,
  type VnodeStatus,
  type VolumeId,
} from '../interface/index.js';
import { packContents } from '../seam/packed-containers.js';
import type { Store, StoreTransaction } from '../seam/store.js';
import { countReferences, type ContainerReferences } from '../store/container-references.js';
import { droppedOf, forgetDropped, noteDropped, wasDropped } from '../store/dropped-snapshots.js';
import {
  absent,
  addSnapshot,
  digestsOf,
  isTombstone,
  removeSnapshot,
  rowIn,
  savedUnder,
  snapshotsMost,
  snapshotsOf,
  wholeOf,
  type CopyMark,
  type NumberedSnapshot,
  type Snapshot,
  type SnapshotKeys,
} from '../store/snapshot-rows.js';
import type { EntryRow, ObjectRow } from '../store/volume-store.js';
import type { CopyUnderWay, CopiedEntry, SnapshotPage, VolumeCopies } from './copied-snapshots.js';
import { byBytes, rowsAfter } from './snapshot-pages.js';
import { mustBeThere, mustTakeChanges } from './standing.js';
import { sizeOf } from './status-size.js';

const operation = 'vice.snapshot';
const pageBytes = 1024 * 1024;

export interface SnapshotCopiesWorld {
  readonly store: Store;
  readonly references: ContainerReferences;
  /** Looked at in one transaction, or for one page. */
  readonly pageRows?: number;
}

type Standing = Parameters<typeof mustTakeChanges>[0];
type Wanted = ObjectRow | EntryRow | undefined;

export class SnapshotCopies implements VolumeCopies {
  readonly #rows: SnapshotKeys;
  readonly #world: SnapshotCopiesWorld;
  readonly #replica: Standing;

  constructor(rows: SnapshotKeys, world: SnapshotCopiesWorld, replica: Standing) {
    this.#rows = rows;
    this.#world = world;
    this.#replica = replica;
  }

  underWay(): readonly CopyUnderWay[] {
    mustBeThere(this.#replica);
    return snapshotsOf(this.#world.store, this.#rows).flatMap(({ name, time, copy }) =>
      copy === undefined ? [] : [{ name, time, copy }],
    );
  }

  dropped(): readonly Snapshot[] {
    mustBeThere(this.#replica);
    return droppedOf(this.#world.store, this.#rows);
  }

  hear(dropped: readonly Snapshot[]): Promise<readonly Snapshot[]> {
    return this.#transact((transaction) => {
      const found = snapshotsOf(transaction, this.#rows).filter((each) =>
        dropped.some((one) => same(one, each)),
      );
      for (const each of found) removeSnapshot(transaction, this.#rows, each);
      for (const each of dropped) {
        if (!wasDropped(transaction, this.#rows, each)) noteDropped(transaction, this.#rows, each);
      }
      return found;
    });
  }

  forget(dropped: readonly Snapshot[]): Promise<void> {
    return this.#transact((transaction) => {
      for (const each of dropped) forgetDropped(transaction, this.#rows, each);
    });
  }

  begin({ name, time }: Snapshot, from: string): Promise<CopyUnderWay | string | undefined> {
    return this.#transact((transaction) => {
      mustTakeChanges(this.#replica);
      const all = snapshotsOf(transaction, this.#rows);
      const known = all.find((each) => each.name === name);
      if (wasDropped(transaction, this.#rows, { name, time })) return undefined;
      if (known !== undefined && known.time !== time)
        return `there is another snapshot "${name}"; delete one`;
      if (known !== undefined && known.copy === undefined) return undefined;
      if (known?.copy?.from === from) return { name, time, copy: known.copy };
      const begun = { name, time, copy: markOf(known, from, '') };
      if (known !== undefined) transaction.put(this.#rows.snapshot(known.number), seal(begun));
      else if (all.length >= snapshotsMost) return `there are ${snapshotsMost} snapshots; delete some`;
      else addSnapshot(transaction, this.#rows, begun);
      return begun;
    });
  }

  cancel(snapshot: Snapshot): Promise<void> {
    return this.#transact((transaction) => {
      const found = snapshotsOf(transaction, this.#rows).find((each) => same(each, snapshot));
      if (found?.copy === undefined) return;
      const { name, time } = found;
      if (found.copy.heals === true) transaction.put(this.#rows.snapshot(found.number), seal({ name, time }));
      else removeSnapshot(transaction, this.#rows, found);
    });
  }

  renew(snapshot: Snapshot, from: string): Promise<CopyUnderWay | undefined> {
    return this.#transact((transaction) => {
      mustTakeChanges(this.#replica);
      const found = wholeOf(transaction, this.#rows).find((each) => same(each, snapshot));
      if (found === undefined) return undefined;
      const copy = { from, after: '', heals: true } as const;
      const begun = { name: found.name, time: found.time, copy };
      transaction.put(this.#rows.snapshot(found.number), seal(begun));
      return begun;
    });
  }

  differing({ copy, ...snapshot }: CopyUnderWay, objects: readonly VnodeStatus[]): readonly VnodeStatus[] {
    const { store } = this.#world;
    const found = snapshotsOf(store, this.#rows).find((each) => same(each, snapshot));
    if (found?.copy?.from !== copy.from) return [];
    return objects.filter((status) => {
      const current = this.#current(store, found.number, `object/${status.fid}`);
      return !isSame(current, rowOf(status));
    });
  }

  async put(
    { copy: { from }, ...snapshot }: CopyUnderWay,
    page: SnapshotPage,
    packed: ReadonlyMap<string, Uint8Array>,
  ): Promise<CopyMark | undefined> {
    const wanted = wantedIn(page, this.#rows.volume);
    const unnamed: string[] = [];
    const mark = await this.#transact((transaction) => {
      mustTakeChanges(this.#replica);
      const all = snapshotsOf(transaction, this.#rows);
      const found = all.find((each) => same(each, snapshot));
      if (found?.copy?.from !== from) return undefined;
      const { after } = found.copy;
      const here = rowsAfter(transaction, this.#rows, after, this.#world.pageRows);
      const isWhole = byBytes(page.upTo, here.upTo) <= 0;
      const upTo = isWhole ? page.upTo : here.upTo;
      const isInside = (row: string): boolean => byBytes(row, after) > 0 && byBytes(row, upTo) <= 0;
      const before = all.findLast(({ number }) => number < found.number)?.number;
      for (const [digest, bytes] of packed) packContents(transaction, digest, bytes);
      const saving = { transaction, before, number: found.number, unnamed };
      for (const row of new Set([...here.rows, ...wanted.keys()])) {
        if (isInside(row)) this.#save(saving, row, wanted.get(row));
      }
      const { name, time } = found;
      const row = isWhole && !page.more ? { name, time } : { name, time, copy: markOf(found, from, upTo) };
      transaction.put(this.#rows.snapshot(found.number), seal(row));
      return { from, after: upTo };
    });
    this.#world.references.collect([...unnamed, ...packed.keys()]);
    return mark;
  }

  page(snapshot: Snapshot, after: string): SnapshotPage {
    mustBeThere(this.#replica);
    const { store } = this.#world;
    const found = wholeOf(store, this.#rows).find((each) => same(each, snapshot));
    if (found === undefined) throw new Failure('not-found', operation, 'this server has no such snapshot');
    const { rows, upTo, isLast } = rowsAfter(store, this.#rows, after, this.#world.pageRows);
    const objects: VnodeStatus[] = [];
    const entries: CopiedEntry[] = [];
    let bytes = 0;
    for (const row of rows) {
      const current = this.#current(store, found.number, row);
      if (current === 'damaged')
        throw new Failure('damaged', operation, `${row} of a snapshot is damaged here`);
      if (current === undefined) continue;
      if ('status' in current) {
        objects.push(current.status);
        bytes += sizeOf(current.status);
      } else {
        const [, directory = '', ...name] = row.split('/');
        entries.push({
          directory: directory as Fid,
          name: name.join('/'),
          fid: current.fid,
          kind: current.kind,
        });
      }
      if (bytes >= pageBytes) return { objects, entries, upTo: row, more: true };
    }
    return { objects, entries, upTo, more: !isLast };
  }

  #transact<T>(work: (transaction: StoreTransaction) => T): Promise<T> {
    return this.#world.store.transact((transaction) => {
      mustBeThere(this.#replica);
      return work(transaction);
    });
  }

  /** SC-4. */
  #save({ transaction, before, number, unnamed }: Saving, row: string, wanted: Wanted): void {
    const current = this.#current(transaction, number, row);
    if (isSame(current, wanted)) return;
    const saved = `${this.#rows.savedPrefix}${row}\u0001`;
    const count = (value: Uint8Array, change: number): void => {
      for (const digest of digestsOf(value)) {
        if (countReferences(transaction, this.#rows.volume, digest, change)) unnamed.push(digest);
      }
    };
    const put = (key: string, value: Uint8Array): void => {
      const old = transaction.get(key);
      transaction.put(key, value);
      count(value, 1);
      if (old !== undefined) count(old, -1);
    };
    if (before !== undefined) {
      const range = {
        start: savedUnder(saved, before),
        end: savedUnder(saved, number),
        reverse: true,
        limit: 1,
      };
      const [nearest] = [...transaction.range(range)];
      const living = rowIn(transaction, this.#rows, number, `${this.#rows.volume}/${row}`);
      const isThere = living !== undefined && !isTombstone(living);
      // Of what is damaged nothing is kept: one before it that reads this row is put right with it.
      if (nearest === undefined) {
        if (current !== 'damaged') put(savedUnder(saved, before), isThere ? living : seal(absent));
      } else if (isSame(decoded(nearest.value), wanted)) {
        // One row for both: those before read the first one behind them.
        transaction.remove(nearest.key);
        count(nearest.value, -1);
      }
    }
    put(savedUnder(saved, number), seal(wanted ?? absent));
  }

  #current(reader: Pick<Store, 'get' | 'range'>, number: number, row: string): Wanted | 'damaged' {
    const value = rowIn(reader, this.#rows, number, `${this.#rows.volume}/${row}`);
    return value === undefined ? undefined : decoded(value);
  }
}

interface Saving {
  readonly transaction: StoreTransaction;
  /** The snapshot whose number is the next smaller one. */
  readonly before: number | undefined;
  readonly number: number;
  /** Contents that nobody needs any more. */
  readonly unnamed: string[];
}

function same(one: Snapshot, other: Snapshot): boolean {
  return one.name === other.name && one.time === other.time;
}

function markOf(known: NumberedSnapshot | undefined, from: string, after: string): CopyMark {
  return { from, after, ...(known?.copy?.heals === true && { heals: true }) };
}

/** By row. @throws Failure incompatible: what came is of no snapshot of this volume */
function wantedIn({ objects, entries }: SnapshotPage, volume: VolumeId): ReadonlyMap<string, Wanted> {
  const wanted = new Map<string, Wanted>();
  for (const status of objects) wanted.set(`object/${status.fid}`, rowOf(status));
  for (const { directory, name, fid, kind } of entries) {
    const fault = nameFault(name);
    if (fault !== undefined) throw new Failure('incompatible', operation, `a peer has the name ${fault}`);
    wanted.set(`entry/${directory}/${name}`, { fid, kind });
  }
  const fids = [
    ...objects.map(({ fid }) => fid),
    ...entries.flatMap(({ directory, fid }) => [directory, fid]),
  ];
  if (fids.every((fid) => volumeOf(fid) === volume)) return wanted;
  throw new Failure(
    'incompatible',
    operation,
    `a peer has objects of another volume in a snapshot of ${volume}`,
  );
}

/** In a snapshot nobody asks for more than the status. */
function rowOf(status: VnodeStatus): ObjectRow {
  return { status, removed: false, stamp: 0, forced: 0, bound: null };
}

function decoded(value: Uint8Array): Wanted | 'damaged' {
  const row = intact<ObjectRow | EntryRow | null>(value);
  if (row === undefined) return 'damaged';
  return row === null || ('removed' in row && row.removed) ? undefined : row;
}

/** Counts are of each replica: they say nothing about what a person would see. */
function isSame(one: Wanted | 'damaged', other: Wanted): boolean {
  if (one === 'damaged') return false;
  if (one === undefined || other === undefined) return one === other;
  if ('status' in one && 'status' in other) {
    return isDeepStrictEqual({ ...one.status, vv: null }, { ...other.status, vv: null });
  }
  return 'fid' in one && 'fid' in other && one.fid === other.fid && one.kind === other.kind;
}
