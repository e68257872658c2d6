/** All transfers of one file: what is asked of whom, and what becomes of those that are late or break. */
import { isFailure, type Failure, type FileData } from '../../vice/interface/index.js';
import type { Log } from '../../vice/seam/log.js';
import { blockBytes } from '../../vice/seam/containers.js';
import type { BlockSource, Run } from './block-source.js';
import { chosen, replacement } from './choice.js';
import type { Demand } from './demand.js';
import { nextRun } from './plan.js';
import type { RaceBook } from './race-book.js';
import { Transfer, type TransferSink } from './transfer.js';

/** Blocks of one request: of those that give way to users few, as what a server has sent cannot be held back. */
const runBlocks = { urgent: 64, other: 8 } as const;
/** Transfers at the same time, of those that somebody waits for: the next is asked for before one ends. */
const urgentAtOnce = 2;

/** Who keeps what comes. */
export interface Keeper extends TransferSink {
  /** The digests of the blocks are known: blocks can be kept. */
  readonly isBegun: boolean;
  has(block: number): boolean;
  /** Nothing more will come before somebody waits again. */
  failed(error: Error | undefined): void;
  /** A transfer has ended, or somebody waits for what it brings now. */
  changed(): void;
}

export class Transfers {
  readonly #contents: Pick<FileData, 'digest' | 'length'>;
  readonly #keeper: Keeper;
  readonly #log: Log;
  readonly #running = new Map<Transfer, Promise<void>>();
  /** Sources that failed since the last block came, with what they said. */
  readonly #failed = new Map<string, Failure>();
  /** Nobody could give what was wanted. */
  #halted = false;
  /** Sources that were overtaken with this file: others are asked before them. */
  readonly #slow = new Set<string>();
  readonly #races: RaceBook;
  /** Whom to ask, the preferred one first. */
  sources: () => readonly BlockSource[] = () => [];

  constructor(
    contents: Pick<FileData, 'digest' | 'length'>,
    keeper: Keeper,
    { log, races }: { readonly log: Log; readonly races: RaceBook },
  ) {
    this.#contents = contents;
    this.#races = races;
    this.#keeper = keeper;
    this.#log = log;
  }

  /** Somebody waits: a new attempt is made where none was left. */
  resume(): void {
    this.#halted = false;
  }

  /** Asks for what is wanted and neither here nor on its way. `demands` are in order of urgency. */
  pump(demands: readonly Demand[]): void {
    for (const transfer of this.#running.keys()) {
      const was = transfer.urgent;
      // What brings the digests is waited for by all.
      const isWanted = (demand: Demand): boolean => !this.#keeper.isBegun || demand.wants(transfer.run);
      transfer.urgent = demands.some((demand) => demand.urgent && isWanted(demand));
      if (transfer.urgent && !was) this.#keeper.changed();
    }
    for (const isUrgent of [true, false]) {
      const most = isUrgent ? runBlocks.urgent : runBlocks.other;
      const windows = demands.filter(({ urgent }) => urgent === isUrgent).map(({ window }) => window);
      while (!this.#halted && this.#mayAsk(isUrgent)) {
        const run = nextRun(windows, (block) => this.#isMissing(block), most);
        if (run === undefined || !this.#ask(run, isUrgent)) break;
      }
    }
  }

  /** Somebody has waited long for a block: another source may have it sooner. */
  late(block: number): void {
    const slow = [...this.#running.keys()].filter((transfer) => transfer.brings(block));
    const [first] = slow;
    if (first !== undefined && slow.length === 1)
      this.#ask({ first: block, end: first.run.end }, true, first);
  }

  /** A block has come, first by `winner`: who was to bring it, too, need not, and who lost twice is not preferred. */
  came(block: number, winner: Transfer): void {
    this.#failed.clear();
    this.#halted = false;
    for (const other of this.#running.keys()) {
      if (other === winner || !other.brings(block)) continue;
      const overtakes = winner.against === other;
      if (!overtakes && other.against !== winner) continue;
      other.stop();
      if (overtakes) this.#overtaken(other.source, winner.source);
      else this.#races.kept();
    }
  }

  #overtaken(loser: BlockSource, winner: BlockSource): void {
    this.#slow.add(loser.name);
    // Whatever else it was asked for would be late, too.
    for (const transfer of this.#running.keys()) if (transfer.source.name === loser.name) transfer.stop();
    if (this.#races.overtaken(loser.name, winner.name)) winner.prefer();
  }

  stop(): void {
    for (const transfer of this.#running.keys()) transfer.stop();
  }

  /** Resolves when none runs any more. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#running.values());
  }

  /** Nothing is asked for before somebody waits again. */
  fail(error?: Error): void {
    const told = error ?? [...this.#failed.values()].at(-1);
    this.#failed.clear();
    this.#halted = true;
    this.#keeper.failed(told);
  }

  #mayAsk(isUrgent: boolean): boolean {
    // Before the digests are here nothing can be kept: the first request brings them.
    if (!this.#keeper.isBegun) return this.#running.size === 0;
    const running = [...this.#running.keys()].filter(({ urgent }) => urgent === isUrgent).length;
    return running < (isUrgent ? urgentAtOnce : 1);
  }

  #isMissing(block: number): boolean {
    if (this.#keeper.has(block)) return false;
    for (const transfer of this.#running.keys()) if (transfer.brings(block)) return false;
    return true;
  }

  /** Begins a transfer from the best source, of the others than that of `against`; false when there is none. */
  #ask(run: Run, isUrgent: boolean, against?: Transfer): boolean {
    const able = this.sources()
      .filter(({ name }) => !this.#failed.has(name) && name !== against?.source.name)
      .sort((a, b) => Number(this.#slow.has(a.name)) - Number(this.#slow.has(b.name)));
    const busy = new Set([...this.#running.keys()].map(({ source }) => source.name));
    const source = chosen(able, busy, this.#races.ask());
    if (source === undefined) {
      if (against === undefined && this.#running.size === 0) this.fail();
      return false;
    }
    const transfer = new Transfer(source, run, isUrgent, against);
    this.#running.set(transfer, this.#bring(transfer));
    return true;
  }

  async #bring(transfer: Transfer): Promise<void> {
    const { source, run } = transfer;
    try {
      if (!transfer.urgent) await this.#keeper.turn(transfer, blockBytes);
      await transfer.bring(this.#contents, !this.#keeper.isBegun, this.#keeper);
      if (!transfer.stopped) replacement(this.sources())?.prefer();
    } catch (error) {
      // What is wrong here is wrong whomever one asks.
      if (!isFailure(error) || isFailure(error, 'no-space')) this.fail(error as Error);
      else {
        this.#failed.set(source.name, error);
        const { kind, message } = error;
        const { digest } = this.#contents;
        this.#log.warn('fetch broke', { server: source.name, digest, ...run, kind, message });
      }
    } finally {
      this.#running.delete(transfer);
      this.#keeper.changed();
    }
  }
}
