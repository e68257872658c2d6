/**
 * Drains the modify log into the servers: one batch at a time per volume, to the whole AVSG at once (COP1). Connected,
 * each caller is answered when at least one replica has its change on disk and this gateway's disk or a second
 * replica has it too; a log that drains at once. Otherwise the log itself answers, and is replayed when servers
 * return (design.md 2).
 *
 * RI-1  Nobody waits for a server longer than `patienceMs`: then the log answers, whatever becomes of the change.
 * RI-2  An entry that cannot be sent steps aside with those that may not overtake it (HL-1, HL-2); the others go on.
 * RI-3  An acknowledged entry that servers refuse for good is kept, with those that build on it (ML-5). What others did
 *       meanwhile is no reason: it goes out `settled`, and is merged. What is left are rights, quota, nonsense.
 */
import {
  Failure,
  fidsOf,
  ifFailed,
  isFailure,
  type Mutation,
  type UpdateSet,
  type VolumeId,
} from '../../vice/interface/index.js';
import type { Clock } from '../../vice/seam/clock.js';
import type { Log } from '../../vice/seam/log.js';
import type { Random } from '../../vice/seam/random.js';
import type { ContainerCache } from '../cache/container-cache.js';
import type { ObjectCache } from '../cache/object-cache.js';
import type { LogEntry, ModifyLog } from '../log/modify-log.js';
import type { Identity } from '../store/identity.js';
import { collateUpdate, type CollatedUpdate, type UpdateReply } from '../volume/collate.js';
import { resolveAt } from '../volume/resolve-call.js';
import type { Member, Volume } from '../volume/volume.js';
import { acknowledgedBy } from '../volume/volume-state.js';
import { abandon } from './abandoned.js';
import { entryAt, recordsOf, sentFrom } from './batch.js';
import { BatchSender, type Transfers } from './batch-sender.js';
import { applyToCache } from './cache-update.js';
import { DrainRuns } from './drain-runs.js';
import { Forgotten } from './forgotten.js';
import type { UploadDifferences } from '../difference/upload-differences.js';
import type { Logins } from '../people/logins.js';
import { LocalLog } from './local-log.js';
import { LogBounds } from './log-bounds.js';
import { lostContents } from './lost-contents.js';
import { isPassing, passing, undecided } from './refusal.js';
import { regroup } from './regroup.js';
import { Replay, type Authors } from './replay.js';
import { secondPhase } from './second-phase.js';
import type { Submission } from './submission.js';
import type { TrickleGate } from './trickle-gate.js';
import { Untaken } from './untaken.js';
import { Waiters, type Committed } from './waiters.js';

/** How long a change waits for a server to come back before the log answers in its place. */
const patienceMs = 2000;
/** A change that one server has and another refuses is left to resolution; so often it is offered before it is kept. */
const refusalsMost = 10;

export interface ReintegratorWorld {
  readonly modifyLog: ModifyLog;
  readonly cache: ObjectCache;
  readonly containers: ContainerCache;
  readonly identity: Identity;
  readonly bounds: LogBounds;
  readonly gate: TrickleGate;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly differences?: UploadDifferences | undefined;
  readonly authors: Authors & Pick<Logins, 'doubt' | 'present'>;
}

export class Reintegrator {
  readonly #world: ReintegratorWorld;
  readonly #sender: BatchSender;
  readonly #localLog: LocalLog;
  readonly #forgotten: Forgotten;
  readonly #untaken: Untaken;
  readonly #waiters = new Waiters();
  readonly #replays = new Map<VolumeId, Replay>();
  readonly #runs: DrainRuns;

  constructor(world: ReintegratorWorld) {
    this.#world = world;
    this.#sender = new BatchSender(world);
    this.#localLog = new LocalLog(world);
    this.#forgotten = new Forgotten(world, this.#localLog);
    this.#untaken = new Untaken(world.modifyLog);
    this.#runs = new DrainRuns(world.clock, (volume) => this.#drain(volume));
  }

  /** What is known of the replay of a volume's log. */
  replay(volume: Volume): Replay {
    let replay = this.#replays.get(volume.id);
    if (replay === undefined) this.#replays.set(volume.id, (replay = new Replay(volume, this.#world)));
    return replay;
  }

  /**
   * Logs `records` as one entry; resolves when the servers have them, or the log answers for them.
   * @throws Failure no-space (the log is full, or the gateway's disk), or why the servers refused them
   */
  async submit(volume: Volume, submission: Submission): Promise<Committed> {
    const { modifyLog, identity, bounds } = this.#world;
    if (volume.fault !== null) throw new Failure('damaged', 'venus.log', volume.fault);
    const byLog = acknowledgedBy(volume.state) === 'log';
    if (byLog) this.#answerFromLog(volume, Infinity);
    const records = submission.records((author) => identity.newStoreId(author));
    bounds.check(volume.id, records, byLog);
    if (byLog) {
      this.#localLog.append(volume, records);
      volume.signal('logged');
      await modifyLog.durable();
      this.kick(volume);
      return { servers: [] };
    }
    const entry = modifyLog.append(volume.id, records, false);
    const logging = Promise.allSettled([modifyLog.durable()]);
    const committed = this.#waiters.add(entry, submission.transfers);
    const impatient = this.#world.clock.after(patienceMs, () => this.#losePatience(volume, entry.sequence));
    this.kick(volume);
    try {
      const [result, [logged]] = await Promise.all([committed, logging]);
      // Where two servers have it, nothing depends on this gateway's disk: what is done is not called refused.
      const least = Math.min(2, volume.members.length);
      if (logged.status === 'rejected' && result.servers.length < least) throw logged.reason;
      return result;
    } catch (error) {
      // What its author is told has not been done must not come back after a power cut.
      await modifyLog.durable().catch(ifFailed(undefined));
      throw error;
    } finally {
      impatient.cancel();
    }
  }

  /**
   * After a restart nobody knows any more whose author was answered: what the log has is part of this gateway's view,
   * as it will be part of the servers' (a user who was answered reads what he wrote; another may find it done). They
   * may have it, and have told of what others did on top of it, when there was nothing here to mark.
   */
  restore(volume: Volume): void {
    for (const entry of [...this.#world.modifyLog.of(volume.id)].filter((each) => !each.acknowledged)) {
      this.#localLog.acknowledge(volume, entry);
      for (const fid of entry.records.flatMap(fidsOf)) volume.doubt(fid);
    }
    if (this.#world.modifyLog.pending(volume.id).local > 0) volume.signal('logged');
  }

  /** The group or the AVSG has changed. */
  changed(volume: Volume): void {
    regroup(this.#world.modifyLog, volume);
    this.retry(volume);
  }

  /** The volume is deleted: whose change is under way is told so, and nothing is sent any more. */
  abandon(volume: Volume): void {
    abandon(this.#world.modifyLog, this.#waiters, volume);
    this.#replays.delete(volume.id);
  }

  /** What waits is worth another try at once: somebody has logged in, say. */
  retry(volume: Volume): void {
    this.replay(volume).retry();
    if (this.#world.modifyLog.pending(volume.id).local > 0) volume.signal('logged');
    this.kick(volume);
  }

  /** Something may have become possible. */
  kick(volume: Volume): void {
    this.#runs.kick(volume);
  }

  /**
   * Gives up entries of the log, and those that build on them.
   * @throws Failure busy (a server may have one of them already)
   */
  async discard(volume: Volume, entries: readonly LogEntry[]): Promise<readonly number[]> {
    const sent = entries.find((entry) => entry.offered || entry.appliedBy.length > 0);
    if (sent !== undefined) {
      const message = `change ${sent.sequence} may have reached a server: it cannot be taken back any more`;
      throw new Failure('busy', 'venus.log', message);
    }
    const given = this.#localLog.discard(volume, entries);
    this.replay(volume).settle();
    await this.#world.modifyLog.durable();
    this.kick(volume);
    return given.map(({ sequence }) => sequence);
  }

  /** Waits until what can be sent is sent. */
  async close(): Promise<void> {
    await this.#runs.close();
    const stopping = new Failure('cancelled', 'venus.log', 'the gateway is stopping');
    for (const sequence of this.#waiters.sequences) this.#waiters.reject(sequence, stopping);
  }

  async #drain(volume: Volume): Promise<void> {
    const { modifyLog, identity } = this.#world;
    const replay = this.replay(volume);
    while (!this.#runs.isClosed) {
      // What others would take for seen is safe in the log alone, from where a person saves it.
      if (volume.fault !== null || volume.isDeleted) return;
      if (volume.avsg.length === 0) this.#answerFromLog(volume, Infinity);
      const { batch, targets, blocked, nextMs } = replay.next();
      const unsent = this.#untaken.fresh(blocked);
      for (const { sequence } of blocked) this.#answerFromLog(volume, sequence);
      modifyLog.withdraw(unsent);
      if (batch.length === 0) {
        replay.settle();
        if (nextMs < Infinity) this.#runs.lookAgain(volume, nextMs);
        return;
      }
      const fresh = this.#untaken.fresh(batch);
      if (!(await modifyLog.offer(batch))) {
        replay.hold(batch, "the gateway's disk does not take what is about to be sent");
        continue;
      }
      const entries = batch.flatMap(({ sequence }) => modifyLog.get(sequence) ?? []);
      const records = recordsOf(entries, modifyLog, sentFrom(this.#world));
      const watermark = modifyLog.oldestCounter(records) ?? identity.nextCounter;
      const transfers = (entry: LogEntry): Transfers | undefined => this.#waiters.transfers(entry);
      const sending = { volume, batch: entries, records, watermark, transfers };
      const release = volume.breaks.hold();
      const replies = await this.#sender.sendToAll(targets, sending);
      await this.#settle(volume, entries, records, replies, collateUpdate(replies)).finally(release);
      this.#untaken.answered(entries, fresh, replies);
    }
  }

  /** Carries out what the replies mean. */
  async #settle(
    volume: Volume,
    batch: readonly LogEntry[],
    records: readonly Mutation[],
    replies: readonly UpdateReply<Member>[],
    collated: CollatedUpdate<Member>,
  ): Promise<void> {
    switch (collated.outcome) {
      case 'applied':
        for (const item of replies) {
          if ('reply' in item && item.reply.outcome === 'applied') {
            volume.updated(item.member, item.reply.stamp);
          }
        }
        return this.#applied(volume, batch, records, collated);
      case 'refused':
        return this.#refused(volume, batch, records, collated);
      case 'stale':
        return this.#stale(volume, batch, collated);
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
    const { modifyLog, cache, clock } = this.#world;
    const replay = this.replay(volume);
    let index = 0;
    const updates: UpdateSet[] = [];
    for (const { sequence, records: own } of batch) {
      const sent = records.slice(index, (index += own.length));
      const entry = modifyLog.get(sequence);
      if (entry === undefined) continue;
      const appliedBy = [...new Set([...entry.appliedBy, ...by.map(({ replica }) => replica)])];
      if (!entry.acknowledged) applyToCache(cache, volume, sent, vectors);
      replay.delivered(entry);
      if (volume.isEnough(appliedBy)) modifyLog.remove(entry);
      else {
        const kept = entry.acknowledged ? entry.records : sent;
        modifyLog.update({ ...entry, records: kept, appliedBy, acknowledged: true });
      }
      for (const { storeId } of sent) updates.push({ storeId, replicas: appliedBy });
      this.#waiters.resolve(sequence, { servers: by.map(({ server }) => server.name) });
    }
    for (const fid of ahead) volume.doubt(fid);
    secondPhase(volume, by, updates, clock);
    if (behind.length > 0) void resolveAt(volume, behind, [...new Set(records.flatMap(fidsOf))]);
  }

  #refused(
    volume: Volume,
    batch: readonly LogEntry[],
    records: readonly Mutation[],
    { index, kind, message, fid, isOpen }: Extract<CollatedUpdate<Member>, { outcome: 'refused' }>,
  ): void {
    const { modifyLog } = this.#world;
    const culprit = entryAt(batch, index);
    if (kind === 'logged-out') return this.#loggedOut(volume, culprit, message);
    for (const record of culprit.records) for (const touched of fidsOf(record)) volume.doubt(touched);
    // What is not there any more has left its directory: until that is listed anew its name leads there again.
    if (kind === 'not-found' && fid !== null) volume.doubt(this.#world.cache.status(fid)?.parent ?? fid);
    const entry = modifyLog.get(culprit.sequence);
    if (entry === undefined) return;
    // Answered by the log while it was under way: the servers judged a change whose author could look again. He cannot
    // any more, so it goes out again at once, settled.
    if (entry.acknowledged && records[index]?.settled !== true) return;
    const replay = this.replay(volume);
    const elsewhere = entry.appliedBy.length > 0 && replay.tries(entry) < refusalsMost;
    const refusal = new Failure(kind, 'vice.mutate', message, { fid: fid ?? undefined });
    if (!entry.acknowledged) {
      modifyLog.remove(entry);
      this.#waiters.reject(entry.sequence, isOpen ? undecided(message) : refusal);
    } else if (elsewhere || isPassing(kind, entry, modifyLog.of(volume.id))) {
      replay.hold([entry], message);
    } else this.#keep(volume, entry, refusal);
  }

  /** RI-3. */
  #keep(volume: Volume, entry: LogEntry, { kind, message, fid }: Failure): void {
    const replay = this.replay(volume);
    const kept = this.#localLog.keep(volume, entry, `${kind}: ${message}`);
    for (const each of kept) replay.forget(each);
    replay.note(`a change was refused and is kept: ${message}`);
    const told = { volume: volume.name, sequence: entry.sequence, kept: kept.length };
    this.#world.log.error('change refused', { ...told, kind, message, fid: fid ?? null });
  }

  /** LG-2. His login may count and a server not know it yet: it is shown again. */
  #loggedOut(volume: Volume, entry: LogEntry, message: string): void {
    this.#answerFromLog(volume, entry.sequence);
    this.replay(volume).hold([entry], message);
    this.#world.authors.doubt(entry.records[0]?.author ?? '');
    for (const { server } of volume.avsg) this.#world.authors.present(server);
  }

  /** Those that the servers lack something for step aside; the rest of the batch is sent again at once. */
  async #stale(
    volume: Volume,
    batch: readonly LogEntry[],
    { behind, indexes }: Extract<CollatedUpdate<Member>, { outcome: 'stale' }>,
  ): Promise<void> {
    const fids = batch.flatMap(({ records }) => records.flatMap(fidsOf));
    await resolveAt(volume, behind, [...new Set(fids)]);
    if (volume.isDeleted) return;
    const aside = new Set<LogEntry>();
    for (const index of indexes) {
      const entry = entryAt(batch, index);
      if (this.#waiters.isPatient(entry.sequence)) continue;
      this.#answerFromLog(volume, entry.sequence);
      aside.add(entry);
    }
    const replay = this.replay(volume);
    replay.hold([...aside], 'the servers that answer lack changes that these build on');
    await this.#forgotten.look(volume, replay, aside, behind);
  }

  /** Nobody took the batch: it is tried again, after a while, unless the AVSG is known to be gone by then. */
  #unreachable(volume: Volume, batch: readonly LogEntry[], replies: readonly UpdateReply<Member>[]): void {
    const isFull = replies.every((item) => 'failure' in item && isFailure(item.failure, 'no-space', 'quota'));
    // Nobody has it, and patience does not help its author.
    const lasting = isFull
      ? replies[0]
      : replies.find((item) => 'failure' in item && !isFailure(item.failure, ...passing));
    const replay = this.replay(volume);
    if (lasting === undefined || !('failure' in lasting)) {
      const waits = batch.filter(({ sequence }) => !this.#waiters.has(sequence));
      replay.hold(waits, 'no server answers');
      if (waits.length < batch.length && volume.avsg.length > 0) replay.pause();
      return;
    }
    // It answered, with a failure of the call itself: the batch as a whole makes no sense to it.
    if (batch.length > 1) return replay.singly(batch);
    for (const { sequence } of batch) {
      const entry = this.#world.modifyLog.get(sequence);
      if (entry === undefined) continue;
      const lost = lostContents(entry, replay.tries(entry), volume, replies, this.#world.containers);
      if (lost !== undefined) this.#keep(volume, entry, lost);
      else if (entry.acknowledged) replay.hold([entry], lasting.failure.message);
      else {
        this.#world.modifyLog.remove(entry);
        this.#waiters.reject(sequence, lasting.failure);
      }
    }
  }

  /** RI-1. */
  #losePatience(volume: Volume, sequence: number): void {
    if (!this.#waiters.has(sequence)) return;
    this.#answerFromLog(volume, sequence);
    this.replay(volume).settle();
  }

  /**
   * The log answers the authors of all entries up to this one that still wait. In order: an entry that entered the
   * cache before an earlier one of the same object would be what that one builds on, and no server could take either.
   */
  #answerFromLog(volume: Volume, last: number): void {
    for (const sequence of this.#waiters.sequences) {
      const entry = this.#world.modifyLog.get(sequence);
      if (entry?.volume !== volume.id || sequence > last) continue;
      if (!entry.acknowledged) this.#localLog.acknowledge(volume, entry);
      volume.signal('logged');
      this.#waiters.resolve(sequence, { servers: [] });
    }
  }
}
