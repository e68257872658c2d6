/**
 * Drains the modify log into the servers: one batch at a time per volume, to the whole AVSG at once (COP1), each
 * caller answered when at least one replica has its change on disk and this gateway's disk or a second replica has
 * it too. Connected operation is a log that drains at once (design.md 2).
 */
import PQueue from 'p-queue';
import {
  Failure,
  isFailure,
  limits,
  fidsOf,
  type Fid,
  type Mutation,
  type StoreId,
  type UpdateSet,
  type VolumeId,
} from '../../vice/interface/index.js';
import type { Clock } from '../../vice/seam/clock.js';
import type { Log } from '../../vice/seam/log.js';
import type { Random } from '../../vice/seam/random.js';
import type { ContainerCache } from '../cache/container-cache.js';
import type { ObjectCache } from '../cache/object-cache.js';
import { logBound, type LogEntry, type ModifyLog } from '../log/modify-log.js';
import type { Identity } from '../store/identity.js';
import { collateUpdate, type CollatedUpdate, type UpdateReply } from '../volume/collate.js';
import type { Member, Volume } from '../volume/volume.js';
import { nextBatch, threaded } from './batch.js';
import { BatchSender, type Transfers } from './batch-sender.js';
import { applyToCache } from './cache-update.js';

/** How long a change waits for a server to come back before its author is told that nobody answers. */
const patienceMs = 2000;
const staleAttempts = 3;
/** How long an entry that nobody waits for steps aside when a member cannot take it. */
const deferMs = 2000;
/** COP2 messages that found no call to ride on are sent alone after this time. */
const cop2Ms = 500;

export interface Submission {
  /**
   * Makes the records. It runs in the same turn in which they enter the log: a StoreId that was taken earlier could
   * fall below the watermark that other changes send meanwhile, and servers would take it for applied.
   */
  readonly records: (newStoreId: () => StoreId) => readonly Mutation[];
  /** Bodies under way, by digest. */
  readonly transfers?: Transfers;
}

export interface Committed {
  /** Names of the servers that have it on disk. */
  readonly servers: readonly string[];
}

export interface ReintegratorWorld {
  readonly modifyLog: ModifyLog;
  readonly cache: ObjectCache;
  readonly containers: ContainerCache;
  readonly identity: Identity;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

interface Waiter {
  readonly transfers: Transfers;
  readonly resolve: (committed: Committed) => void;
  readonly reject: (failure: Failure) => void;
  /** Monotonic time at which it gives up; set when nobody answers. */
  deadline: number | undefined;
  staleLeft: number;
}

export class Reintegrator {
  readonly #world: ReintegratorWorld;
  readonly #sender: BatchSender;
  readonly #waiters = new Map<number, Waiter>();
  /** One queue per volume: batches of a volume never overlap (ML-2). */
  readonly #queues = new Map<VolumeId, PQueue>();
  /** Acknowledged entries that a member could not take yet: tried again at this monotonic time. */
  readonly #deferred = new Map<number, number>();
  #closed = false;

  constructor(world: ReintegratorWorld) {
    this.#world = world;
    this.#sender = new BatchSender(world);
  }

  /**
   * Logs `records` as one entry and waits until the servers have them.
   * @throws Failure unreachable, busy, no-space, stale, or why the servers refused them
   */
  async submit(volume: Volume, submission: Submission): Promise<Committed> {
    const { modifyLog } = this.#world;
    if (volume.avsg.length === 0) throw nobodyAnswers(volume);
    if (modifyLog.size >= logBound)
      throw new Failure('busy', 'venus.log', 'too many changes wait for servers');
    const records = submission.records(() => this.#world.identity.newStoreId());
    const { entry, durable } = modifyLog.append(volume.id, records);
    const committed = new Promise<Committed>((resolve, reject) => {
      this.#waiters.set(entry.sequence, {
        transfers: submission.transfers ?? new Map(),
        resolve,
        reject,
        deadline: undefined,
        staleLeft: staleAttempts,
      });
    });
    this.kick(volume);
    const [result] = await Promise.all([committed, durable]);
    return result;
  }

  /**
   * After a restart nobody knows any more whose author was answered: what the log has is part of this gateway's view,
   * as it will be part of the servers' (a user who was answered reads what he wrote; another may find it done).
   */
  restore(volume: Volume): void {
    const { modifyLog, identity, cache } = this.#world;
    for (const entry of [...modifyLog.of(volume.id)]) {
      if (entry.acknowledged) continue;
      const records = threaded([entry], identity.venus, (fid) => cache.status(fid)?.known);
      applyToCache(cache, volume, records, new Map());
      modifyLog.note({ ...entry, records }, entry.appliedBy, true);
    }
  }

  /** Something may have become possible: entries waiting, or a server has come back. */
  kick(volume: Volume): void {
    if (this.#closed) return;
    let queue = this.#queues.get(volume.id);
    if (queue === undefined) {
      queue = new PQueue({ concurrency: 1 });
      this.#queues.set(volume.id, queue);
    }
    // One waiting run sees everything that is in the log when it starts.
    if (queue.size === 0) void queue.add(() => this.#drain(volume));
  }

  /** Waits until what can be sent is sent. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#queues.values()].map((queue) => queue.onIdle()));
    for (const [sequence, { reject }] of this.#waiters) {
      this.#waiters.delete(sequence);
      reject(new Failure('cancelled', 'venus.log', 'the gateway is stopping'));
    }
  }

  async #drain(volume: Volume): Promise<void> {
    for (;;) {
      const { batch, targets } = this.#next(volume);
      if (batch.length === 0) return;
      if (targets.length === 0) {
        this.#giveUpLate(volume);
        return;
      }
      const records = threaded(
        batch,
        this.#world.identity.venus,
        (fid) => this.#world.cache.status(fid)?.known,
      );
      const watermark = this.#watermark();
      const transfers = (entry: LogEntry): Transfers | undefined =>
        this.#waiters.get(entry.sequence)?.transfers;
      const replies = await Promise.all(
        targets.map((member) => this.#sender.send({ volume, member, batch, records, watermark, transfers })),
      );
      const collated = collateUpdate(replies);
      if (!(await this.#settle(volume, batch, records, replies, collated))) return;
    }
  }

  /** The next entries that go to the same members: new ones to all, acknowledged ones to those that lack them. */
  #next(volume: Volume): { readonly batch: readonly LogEntry[]; readonly targets: readonly Member[] } {
    const { avsg } = volume;
    let targets: readonly Member[] = avsg;
    const chosen: LogEntry[] = [];
    const now = this.#world.clock.monotonic();
    for (const entry of this.#world.modifyLog.of(volume.id)) {
      if ((this.#deferred.get(entry.sequence) ?? 0) > now) continue;
      const lacking = avsg.filter(({ replica }) => !entry.appliedBy.includes(replica));
      if (entry.acknowledged && lacking.length === 0) continue;
      if (chosen.length === 0) targets = lacking;
      else if (lacking.length !== targets.length || lacking.some((member) => !targets.includes(member)))
        break;
      chosen.push(entry);
      if (chosen.length >= limits.batchRecords) break;
    }
    return { batch: nextBatch(chosen), targets };
  }

  /** Carries out what the replies mean. Resolves with whether the drain shall go on. */
  async #settle(
    volume: Volume,
    batch: readonly LogEntry[],
    records: readonly Mutation[],
    replies: readonly UpdateReply<Member>[],
    collated: CollatedUpdate<Member>,
  ): Promise<boolean> {
    switch (collated.outcome) {
      case 'applied':
        for (const item of replies) {
          if ('reply' in item && item.reply.outcome === 'applied')
            volume.updated(item.member, item.reply.stamp);
        }
        this.#applied(volume, batch, records, collated);
        return true;
      case 'refused':
        this.#refused(volume, batch, collated);
        return true;
      case 'stale':
        return this.#stale(volume, batch, collated.behind);
      case 'unreachable':
        return this.#unreachable(volume, batch, replies);
    }
  }

  #applied(
    volume: Volume,
    batch: readonly LogEntry[],
    records: readonly Mutation[],
    { by, vectors, ahead, behind }: Extract<CollatedUpdate<Member>, { outcome: 'applied' }>,
  ): void {
    const { modifyLog } = this.#world;
    let index = 0;
    const updates: UpdateSet[] = [];
    for (const entry of batch) {
      const sent = records.slice(index, (index += entry.records.length));
      const appliedBy = [...new Set([...entry.appliedBy, ...by.map(({ replica }) => replica)])];
      if (!entry.acknowledged) applyToCache(this.#world.cache, volume, sent, vectors);
      this.#deferred.delete(entry.sequence);
      if (appliedBy.length >= Math.min(2, volume.members.length)) modifyLog.remove(entry);
      else modifyLog.note({ ...entry, records: sent }, appliedBy, true);
      for (const { storeId } of sent) updates.push({ storeId, replicas: appliedBy });
      const waiter = this.#waiters.get(entry.sequence);
      this.#waiters.delete(entry.sequence);
      waiter?.resolve({ servers: by.map(({ server }) => server.name) });
    }
    for (const fid of ahead) volume.doubt(fid);
    for (const member of volume.members) {
      if (by.includes(member)) volume.addCop2(member, updates);
    }
    this.#world.clock.after(cop2Ms, () => this.#flushCop2(volume));
    if (behind.length > 0) {
      const fids = [...new Set(records.flatMap(fidsOf))];
      void this.#resolve(volume, behind, fids);
    }
  }

  #refused(
    volume: Volume,
    batch: readonly LogEntry[],
    { index, kind, message, fid }: Extract<CollatedUpdate<Member>, { outcome: 'refused' }>,
  ): void {
    let first = 0;
    const entry = batch.find(({ records }) => index < (first += records.length));
    if (entry === undefined) throw new Error(`venus: a server refused record ${index} of a shorter batch`);
    for (const record of entry.records) for (const touched of fidsOf(record)) volume.doubt(touched);
    if (entry.acknowledged) {
      // One replica has it, this one does not want it: divergence, which resolution settles, not the log.
      this.#world.log.error('replica refuses an acknowledged change', {
        volume: volume.name,
        kind,
        message,
        fid,
      });
    }
    this.#deferred.delete(entry.sequence);
    this.#world.modifyLog.remove(entry);
    this.#reject(entry, new Failure(kind, 'vice.mutate', message, { fid: fid ?? undefined }));
  }

  async #stale(volume: Volume, batch: readonly LogEntry[], behind: readonly Member[]): Promise<boolean> {
    await this.#resolve(volume, behind, [
      ...new Set(batch.flatMap(({ records }) => records.flatMap(fidsOf))),
    ]);
    this.#defer(volume, batch);
    for (const entry of batch) {
      const waiter = this.#waiters.get(entry.sequence);
      if (waiter === undefined) continue;
      if ((waiter.staleLeft -= 1) > 0) continue;
      this.#world.modifyLog.remove(entry);
      for (const record of entry.records) for (const fid of fidsOf(record)) volume.doubt(fid);
      const message = 'the servers that answer lack earlier changes; try again when the others are back';
      this.#reject(entry, new Failure('stale', 'vice.mutate', message));
    }
    return true;
  }

  /** What nobody waits for steps aside for a while: it never holds up the entries behind it. */
  #defer(volume: Volume, batch: readonly LogEntry[]): void {
    const until = this.#world.clock.monotonic() + deferMs;
    const idle = batch.filter(({ sequence }) => !this.#waiters.has(sequence));
    for (const { sequence } of idle) this.#deferred.set(sequence, until);
    if (idle.length > 0) this.#world.clock.after(deferMs, () => this.kick(volume));
  }

  /** Nobody answered: an entry whose author waits is tried again for a while, then dropped and its author told. */
  #unreachable(volume: Volume, batch: readonly LogEntry[], replies: readonly UpdateReply<Member>[]): boolean {
    const lasting = replies.find(
      (item) => 'failure' in item && !isFailure(item.failure, 'unreachable', 'timeout'),
    );
    if (lasting !== undefined && 'failure' in lasting) {
      // It answered, with a failure of the call itself: the batch as a whole makes no sense to it.
      for (const entry of batch) {
        if (entry.acknowledged) continue;
        this.#world.modifyLog.remove(entry);
        this.#reject(entry, lasting.failure);
      }
      this.#defer(volume, batch);
      return true;
    }
    this.#defer(volume, batch);
    return this.#giveUpLate(volume);
  }

  /** Resolves false: the next run comes with the next change of the AVSG, or when somebody's patience ends. */
  #giveUpLate(volume: Volume): boolean {
    const now = this.#world.clock.monotonic();
    for (const entry of [...this.#world.modifyLog.of(volume.id)]) {
      const waiter = this.#waiters.get(entry.sequence);
      if (waiter === undefined || entry.acknowledged) continue;
      if (waiter.deadline === undefined) {
        waiter.deadline = now + patienceMs;
        this.#world.clock.after(patienceMs, () => this.kick(volume));
      } else if (now >= waiter.deadline) {
        this.#world.modifyLog.remove(entry);
        for (const record of entry.records) for (const fid of fidsOf(record)) volume.doubt(fid);
        this.#reject(entry, nobodyAnswers(volume));
      }
    }
    if (volume.avsg.length > 0) this.#world.clock.after(100, () => this.kick(volume));
    return false;
  }

  #reject(entry: LogEntry, failure: Failure): void {
    const waiter = this.#waiters.get(entry.sequence);
    this.#waiters.delete(entry.sequence);
    waiter?.reject(failure);
  }

  async #resolve(volume: Volume, members: readonly Member[], fids: readonly Fid[]): Promise<void> {
    await Promise.all(
      members.map(({ server }) =>
        server.call('resolve', { volume: volume.id, fids: fids.slice(0, 1000) }).catch((error: unknown) => {
          if (!isFailure(error)) throw error;
        }),
      ),
    );
  }

  #flushCop2(volume: Volume): void {
    for (const member of volume.avsg) {
      const cop2 = volume.takeCop2(member);
      if (cop2.length === 0) continue;
      member.server.call('cop2', { volume: volume.id, cop2 }).catch((error: unknown) => {
        if (!isFailure(error)) throw error;
      });
    }
  }

  /** No counter below it is still under way (see rpc.ts, mutate). */
  #watermark(): number {
    return this.#world.modifyLog.oldestCounter() ?? this.#world.identity.nextCounter;
  }
}

function nobodyAnswers(volume: Volume): Failure {
  const servers = volume.members.map(({ server }) => server.name).join(', ');
  return new Failure('unreachable', 'venus.write', `none of the servers ${servers} answers`);
}
