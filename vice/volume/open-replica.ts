/** The volume replica over a store and containers. What it means is in replica.ts; the decisions are elsewhere. */
import {
  emptyDigest,
  Failure,
  isFailure,
  seal,
  type Fid,
  type History,
  type Mark,
  type Result,
  type UpdateSet,
  type VnodeStatus,
  type VolumeId,
} from '../interface/index.js';
import type { Clock } from '../seam/clock.js';
import type { Containers } from '../seam/containers.js';
import { putTwice } from '../seam/kept-twice.js';
import type { Log } from '../seam/log.js';
import { randomHex, type Random } from '../seam/random.js';
import { packContents } from '../seam/packed-containers.js';
import type { Store, StoreTransaction } from '../seam/store.js';
import { ContainerReferences } from '../store/container-references.js';
import { RowCache } from '../store/row-cache.js';
import { SavingTransaction } from '../store/snapshot-rows.js';
import { VolumeKeys, VolumeReader, type MetaRow, type ObjectRow } from '../store/volume-store.js';
import { VolumeTransaction, type Finished } from '../store/volume-transaction.js';
import { Announcements } from './announcements.js';
import { applyBatch, BatchRefused, type AppliedBatch } from './apply-batch.js';
import { spaceWithin, type Bounds } from './bounds.js';
import { applyCop2, PendingUpdates } from './cop2.js';
import { afterRestart, historyOf, openMeta } from './first-records.js';
import { DirectoryListing } from './directory-listing.js';
import { dropRemoved, forgetRemoved } from './forgetting.js';
import { RowMending } from './mending.js';
import { applyMergeStep, contentsNeededFor } from './merge-step.js';
import { changePage, conflictCount, conflictPage } from './pages.js';
import type {
  Change,
  ChangePage,
  Listing,
  Merged,
  MergeStep,
  MutateArgument,
  Mutated,
  Replica,
  Speaker,
  Standing,
} from './replica.js';
import { VolumeSnapshots } from './snapshots.js';
import { mustBeThere, mustTakeChanges } from './standing.js';

/** More changed objects than this are not worth naming: the caller looks at everything. */
const changedMost = 10_000;
/** Names read in one turn of the event loop. */
const turnNames = 500;

export interface ReplicaOptions {
  readonly volume: VolumeId;
  /** Slot in version vectors. */
  readonly id: string;
  readonly group: readonly string[];
  /** Of the server: all its volumes share it. */
  readonly store: Store;
  readonly containers: Containers;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** Opens the replica, or makes an empty one (with its root directory) when the store does not have it. */
export async function openReplica(options: ReplicaOptions): Promise<Replica> {
  const keys = new VolumeKeys(options.volume);
  const { meta, isNew } = await openMeta(options, keys);
  return new StoredReplica(options, keys, meta.incarnation, isNew);
}

type ChangeWork = (volume: VolumeTransaction, transaction: StoreTransaction) => void;

class StoredReplica implements Replica {
  readonly volume: VolumeId;
  readonly id: string;
  readonly incarnation: string;
  group: readonly string[];
  keepsRemoved = false;
  standing: Standing = 'member';
  bounds: Bounds = {};
  readonly snapshots: VolumeSnapshots;
  readonly mending: RowMending;
  /** What mending and forgetting are given. */
  readonly #rows;
  readonly #store: Store;
  readonly #containers: Containers;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #keys: VolumeKeys;
  readonly #reader: VolumeReader;
  readonly #references: ContainerReferences;
  readonly #cache = new RowCache();
  readonly #pending = new PendingUpdates();
  readonly #announcements = new Announcements();
  /** Settled once stamps may be given out; undefined before the first change. */
  #stamps: Promise<void> | undefined;

  constructor(options: ReplicaOptions, keys: VolumeKeys, incarnation: string, isNew: boolean) {
    this.volume = options.volume;
    this.id = options.id;
    this.group = options.group;
    this.incarnation = incarnation;
    this.#store = options.store;
    this.#containers = options.containers;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#keys = keys;
    this.#reader = new VolumeReader(options.store, keys);
    this.#references = ContainerReferences.of(options);
    this.snapshots = new VolumeSnapshots(keys, { ...options, references: this.#references }, this);
    this.#rows = {
      ...options,
      keys,
      reader: this.#reader,
      row: (fid: Fid) => this.#readable(fid),
      change: (work: ChangeWork) => this.#change(undefined, work),
      transact: (work: (transaction: StoreTransaction) => void) => this.#transact(work),
    };
    this.mending = new RowMending(this.#rows);
    if (isNew) this.#stamps = Promise.resolve();
    for (const storeId of this.#reader.awaitingCop2()) this.#pending.add(storeId, options.clock.monotonic());
  }

  get stamp(): number {
    return this.#meta().stamp;
  }

  get history(): History {
    return historyOf(this.#meta());
  }

  stampOf(fid: Fid): number | undefined {
    return this.#object(fid)?.stamp;
  }

  status(fid: Fid): VnodeStatus | undefined {
    const row = this.#object(fid);
    return row?.removed === false ? row.status : undefined;
  }

  held(fid: Fid): VnodeStatus | undefined {
    return this.#object(fid)?.status;
  }

  isFlushed(fid: Fid): boolean {
    return this.#announcements.isFlushed(fid);
  }

  list(fid: Fid): Listing | undefined {
    const directory = (): { row: ObjectRow; digest: string } | undefined => {
      const row = this.#object(fid);
      if (row?.removed !== false || row.status.kind !== 'directory') return undefined;
      return { row, digest: this.mending.childrenDigest(fid) };
    };
    const found = directory();
    if (found === undefined) return undefined;
    const object = (child: Fid): ObjectRow | undefined => {
      mustBeThere(this);
      return this.#cache.get(child) ?? this.#reader.object(child);
    };
    const { news } = this.#cache;
    return new DirectoryListing(fid, { reader: this.#reader, news, directory, object }, found);
  }

  *fidsIn(directory: Fid): Generator<Fid | undefined> {
    let turn = 0;
    for (const { entry } of this.#reader.entries(directory)) {
      if (entry !== undefined) yield entry.fid;
      if ((turn += 1) % turnNames === 0) yield undefined;
    }
  }

  async mutate(argument: MutateArgument, speaker: Speaker): Promise<Mutated> {
    const digests = argument.records.flatMap((record) => (record.op === 'store' ? [record.digest] : []));
    const releases = digests.map((digest) => this.#references.hold(digest));
    try {
      const { packed } = argument;
      const lengths = await this.#references.lengthsOf(digests, packed);
      const context = { volume: this.volume, replica: this.id, lengths, groups: speaker.groups };
      const { result, stamp } = await this.#change(speaker, (transaction, store) => {
        mustTakeChanges(this);
        const applied = applyBatch(transaction, argument, { ...context, bounds: this.bounds });
        for (const [digest, bytes] of packed ?? []) packContents(store, digest, bytes);
        for (const storeId of this.#expired(applied)) transaction.updates.forgetCop2(storeId);
        return applied;
      });
      for (const storeId of result.storeIds) this.#pending.add(storeId, this.#clock.monotonic());
      return { outcome: 'applied', replica: this.id, stamp, versions: result.versions, ahead: result.ahead };
    } catch (error) {
      if (!(error instanceof BatchRefused)) throw error;
      const { kind, message, fid } = error.failure;
      return { outcome: 'refused', index: error.index, failure: { kind, message, fid: fid ?? null } };
    } finally {
      for (const release of releases) release();
    }
  }

  async cop2(updates: readonly UpdateSet[]): Promise<void> {
    const pending = updates.filter(({ storeId }) => this.#reader.cop2(storeId) !== undefined);
    if (pending.length === 0) return;
    await this.#change(undefined, (transaction) => {
      for (const update of pending) applyCop2(transaction, update, this.id, this.group);
    });
    for (const { storeId } of pending) this.#pending.delete(storeId);
  }

  changedSince(since: number, incarnation: string | null): readonly Fid[] | null {
    if (incarnation !== this.incarnation || since > this.stamp) return null;
    const fids: Fid[] = [];
    for (const { fid } of this.#reader.changedAfter(since)) {
      if (fids.push(fid) > changedMost) return null;
    }
    return fids;
  }

  seenOf(venus: string): readonly number[] {
    return this.#reader.seenOf(venus);
  }

  changes(since: number, limit: number): ChangePage {
    return changePage(this.#reader, (fid) => this.#object(fid), { since, limit, ...this.#meta() });
  }

  async merge(step: MergeStep): Promise<Merged> {
    const contents = contentsNeededFor(step, (fid) => this.#readable(fid)?.status, this.volume);
    const releases = contents.map(({ digest }) => this.#references.hold(digest));
    try {
      const { packed = new Map<string, Uint8Array>() } = step;
      const digests = contents.map(({ digest }) => digest);
      const lengths = await this.#references.lengthsOf(digests, packed);
      const missing = contents.find(({ digest, length }) => lengths.get(digest) !== length);
      if (missing !== undefined) {
        const message = `${missing.length} bytes of contents ${missing.digest} must be fetched first`;
        throw new Failure('not-found', 'vice.merge', message);
      }
      const { result } = await this.mending.around(step.objects, () => {
        return this.#change(undefined, (transaction, store) => {
          for (const [digest, bytes] of packed) packContents(store, digest, bytes);
          return applyMergeStep(transaction, step, this.volume);
        });
      });
      // Of an object that was left out, nobody names the contents.
      this.#references.collect(packed.keys());
      return result;
    } finally {
      for (const release of releases) release();
    }
  }

  dropRemoved(stamp: number): Promise<number> {
    return dropRemoved(this.#rows, stamp);
  }

  async forgetRemoved(stamp: number): Promise<number> {
    await this.dropRemoved(stamp);
    const forgotten = await forgetRemoved(this.#rows, stamp);
    // The cache may have shown one of them in between.
    this.#cache.clear();
    return forgotten;
  }

  digests(prefix: string): ReadonlyMap<string, string> {
    return this.#reader.digests(prefix);
  }

  conflictCount(): number {
    return conflictCount(this.#reader);
  }

  conflicts(after: Fid | null, limit: number): Result<'conflicts'> {
    return conflictPage(this.#reader, (fid) => this.#readable(fid), after, limit);
  }

  caughtUp(peer: string): Mark | undefined {
    return this.#reader.peer(peer);
  }

  async setCaughtUp(peer: string, mark: Mark): Promise<void> {
    const row = seal({ stamp: mark.stamp, epochs: mark.epochs });
    await this.#transact((transaction) => transaction.put(this.#keys.peer(peer), row));
  }

  names(digest: string): boolean {
    return digest === emptyDigest || this.#references.isNamedBy(this.volume, digest);
  }

  hold(digest: string): () => void {
    return this.#references.hold(digest);
  }

  async space(): Promise<Result<'space'>> {
    return spaceWithin(this.bounds, this.#meta().used, await this.#containers.space());
  }

  get objects(): number {
    return this.#meta().objects ?? 0;
  }

  get usedBytes(): number {
    return this.#meta().used;
  }

  onChange(listener: (change: Change) => void): void {
    this.#announcements.onChange(listener);
  }

  /**
   * Runs `work` in a transaction and resolves once it is flushed, listeners have heard of it, and what it
   * made useless is on its way out.
   */
  async #change<T>(
    speaker: Speaker | undefined,
    work: (transaction: VolumeTransaction, store: StoreTransaction) => T,
  ): Promise<{ readonly result: T; readonly stamp: number }> {
    await (this.#stamps ??= this.#leaveRestartGap());
    let finished: Finished | undefined;
    let change: Change | undefined;
    try {
      const result = await this.#transact((transaction) => {
        const volume = new VolumeTransaction(transaction, this.#keys, this.#cache, {
          keepsRemoved: this.keepsRemoved,
          damage: this.mending.damage,
        });
        const value = work(volume, transaction);
        finished = volume.finish();
        const { stamp, changed } = finished;
        this.mending.recounts.hear(finished);
        // Readers see the transaction from here on, flushed or not (ST-3).
        this.#cache.update(finished.rows, finished.renamed);
        if (changed.length > 0) this.#announcements.add((change = { stamp, fids: changed, speaker }));
        return { result: value, stamp };
      });
      if (change !== undefined) this.#announcements.flushed(change);
      this.#references.collect(finished?.unnamed ?? []);
      return result;
    } catch (error) {
      // The store may have taken back what the cache shows already.
      if (finished !== undefined) this.#cache.clear();
      this.mending.recounts.spoil();
      this.#announcements.drop(change);
      throw error;
    }
  }

  /** Whatever is changed in it, snapshots keep what they need. */
  #transact<T>(work: (transaction: StoreTransaction) => T): Promise<T> {
    return this.#store.transact((transaction) => {
      mustBeThere(this);
      return work(new SavingTransaction(transaction, this.snapshots.rows));
    });
  }

  async #leaveRestartGap(): Promise<void> {
    try {
      await this.#transact((transaction) => {
        putTwice(transaction, this.#keys.meta, afterRestart(this.#meta(), randomHex(this.#random, 8)));
      });
    } catch (error) {
      this.#stamps = undefined;
      throw error;
    }
  }

  #expired({ storeIds }: AppliedBatch): ReturnType<PendingUpdates['takeExpired']> {
    // More than come in, so that a backlog ends; few, so that no caller pays for it all.
    return this.#pending.takeExpired(this.#clock.monotonic(), storeIds.length + 20);
  }

  #meta(): MetaRow {
    const meta = this.#reader.meta();
    if (meta !== undefined) return meta;
    mustBeThere(this);
    throw new Error(`volume ${this.volume} has no meta record`);
  }

  #object(fid: Fid): ObjectRow | undefined {
    mustBeThere(this);
    const cached = this.#cache.get(fid);
    if (cached !== undefined) return cached;
    const row = this.#reader.object(fid);
    if (row !== undefined) this.#cache.add(row);
    return row;
  }

  /** A damaged object is left out: resolution finds that this replica cannot show it. */
  #readable(fid: Fid): ObjectRow | undefined {
    try {
      return this.#object(fid);
    } catch (error) {
      if (!isFailure(error, 'damaged')) throw error;
      return undefined;
    }
  }
}
