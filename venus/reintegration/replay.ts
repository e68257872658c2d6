/**
 * The replay of one volume's log: which entries go next and to whom, which wait and why, and how far it has come.
 */
import { gatewayOf, limits } from '../../vice/interface/index.js';
import type { Clock } from '../../vice/seam/clock.js';
import type { Replay as Progress } from '../interface.js';
import { isLocal, type LogEntry, type ModifyLog } from '../log/modify-log.js';
import type { Member, Volume } from '../volume/volume.js';
import { nextBatch } from './batch.js';
import { Held } from './held.js';
import { ReplayMeter } from './replay-meter.js';

/** How old a change is, write-disconnected, before it is sent: what is soon cancelled never is (Coda: cfs wd -age). */
const agingMs = 30_000;
/** How long a call that nobody answered is not repeated. */
const pauseMs = 200;

/** Whose changes servers take from here. */
export interface Authors {
  /** Whether any author must be logged in. */
  readonly isKept: boolean;
  isLoggedIn(user: string): boolean;
}

export interface ReplayWorld {
  readonly modifyLog: ModifyLog;
  readonly clock: Clock;
  readonly authors: Authors;
}

/** What a drain does next. */
export interface Step {
  /** Nothing can be sent now: empty. */
  readonly batch: readonly LogEntry[];
  readonly targets: readonly Member[];
  /** Entries that wait because others do. */
  readonly blocked: readonly LogEntry[];
  /** Milliseconds after which to look again; Infinity: when something happens. */
  readonly nextMs: number;
}

export class Replay {
  readonly #volume: Volume;
  readonly #world: ReplayWorld;
  readonly #held: Held;
  readonly #meter: ReplayMeter;
  #lastError: string | null = null;
  /** Nothing is sent before this monotonic time. */
  #pausedUntil = 0;
  /** So many of the next batches have one entry each. */
  #singles = 0;

  constructor(volume: Volume, world: ReplayWorld) {
    this.#volume = volume;
    this.#world = world;
    this.#held = new Held(world.clock);
    this.#meter = new ReplayMeter(world.clock);
  }

  get progress(): Progress | null {
    return this.#volume.state === 'reintegrating' || this.#volume.state === 'write-disconnected'
      ? this.#meter.progress
      : null;
  }

  get lastError(): string | null {
    return this.#lastError;
  }

  /** The next entries that go to the same members: new ones to all, others to those that lack them. */
  next(): Step {
    const { modifyLog, clock } = this.#world;
    const { writable, id } = this.#volume;
    const now = clock.monotonic();
    // One reading of the clock: what waits at it is tried again after it, not in between.
    const waiting = this.#held.waiting(modifyLog.of(id), now, this.#awaits);
    const blocked: LogEntry[] = [];
    const chosen: LogEntry[] = [];
    let targets: readonly Member[] = [];
    let nextMs = this.#held.nextMs(now);
    if (now < this.#pausedUntil) nextMs = Math.min(nextMs, this.#pausedUntil - now);
    if (writable.length === 0 || now < this.#pausedUntil) {
      return { batch: [], targets, blocked, nextMs };
    }
    for (const entry of modifyLog.of(id)) {
      if (waiting.has(entry.sequence)) {
        if (!entry.acknowledged) blocked.push(entry);
        continue;
      }
      const lacking = writable.filter(({ replica }) => !entry.appliedBy.includes(replica));
      if (lacking.length === 0) continue;
      const age = clock.wall() - (entry.records[0]?.time ?? 0);
      if (this.#isYoung(entry, age)) {
        nextMs = Math.min(nextMs, agingMs - age);
        break;
      }
      const [first] = chosen;
      if (first === undefined) targets = lacking;
      else if (!sameMembers(lacking, targets) || !isOneGateway(entry, first)) break;
      chosen.push(entry);
      if (chosen.length >= limits.batchRecords) break;
    }
    if (this.#singles > 0) this.#singles -= 1;
    const isAlone = this.#singles > 0;
    return { batch: isAlone ? chosen.slice(0, 1) : nextBatch(chosen), targets, blocked, nextMs };
  }

  /** Puts entries aside for a while. */
  hold(entries: readonly LogEntry[], why: string): void {
    for (const entry of entries) this.#held.hold(entry);
    if (entries.length > 0) this.note(why);
  }

  tries({ sequence }: LogEntry): number {
    return this.#held.tries(sequence);
  }

  /** The next attempt waits a moment. */
  pause(): void {
    this.#pausedUntil = this.#world.clock.monotonic() + pauseMs;
  }

  /** A batch failed as a whole: which of its entries is to blame shows when each goes alone. */
  singly(batch: readonly LogEntry[]): void {
    this.#singles = batch.length + 1;
  }

  /** At least one more server has `entry` now. */
  delivered(entry: LogEntry): void {
    this.#held.release(entry.sequence);
    if (isLocal(entry)) this.#meter.done(entry);
  }

  forget({ sequence }: LogEntry): void {
    this.#held.release(sequence);
  }

  /** What went wrong, for the status. */
  note(error: string): void {
    this.#lastError = error;
  }

  /** Servers have come or gone: what waits is worth another try. */
  retry(): void {
    this.#held.releaseAll();
    this.#pausedUntil = 0;
  }

  /** Nothing more can be sent now: tells the volume whether anything of ours still waits for its turn. */
  settle(): void {
    const { modifyLog } = this.#world;
    const { records, local } = modifyLog.pending(this.#volume.id);
    const held = local === 0 ? 0 : this.#heldLocal();
    if (records === 0) this.#lastError = null;
    if (local - held > 0) {
      this.#volume.signal('logged');
      return;
    }
    this.#volume.signal('drained');
    if (local === 0) this.#meter.finish();
  }

  /** Users whose changes wait for them to log in again. */
  awaited(): readonly string[] {
    const awaits = this.#awaits;
    if (awaits === null) return [];
    const authors = new Set<string>();
    for (const { records } of this.#world.modifyLog.of(this.#volume.id))
      authors.add(records[0]?.author ?? '');
    return [...authors].filter(awaits).sort();
  }

  get #awaits(): ((author: string) => boolean) | null {
    const { authors } = this.#world;
    return authors.isKept ? (author) => !authors.isLoggedIn(author) : null;
  }

  #heldLocal(): number {
    const { modifyLog, clock } = this.#world;
    let held = 0;
    const entries = modifyLog.of(this.#volume.id);
    for (const sequence of this.#held.waiting(entries, clock.monotonic(), this.#awaits)) {
      const entry = modifyLog.get(sequence);
      if (entry !== undefined && isLocal(entry)) held += 1;
    }
    return held;
  }

  #isYoung(entry: LogEntry, age: number): boolean {
    // A clock that was set back must not keep a change here.
    const young = age >= 0 && age < agingMs;
    return young && this.#volume.state === 'write-disconnected' && isLocal(entry) && !entry.offered;
  }
}

/** Servers take a batch of one gateway's changes. A former VenusId of this one is another. */
function isOneGateway(one: LogEntry, other: LogEntry): boolean {
  const [its, others] = [one.records[0]?.storeId, other.records[0]?.storeId];
  return its !== undefined && others !== undefined && gatewayOf(its) === gatewayOf(others);
}

function sameMembers(a: readonly Member[], b: readonly Member[]): boolean {
  return a.length === b.length && a.every((member) => b.includes(member));
}
