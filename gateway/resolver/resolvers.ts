/**
 * Application-specific resolvers (Coda: ASR): for a file that was changed apart and that a rule of the operator is
 * about, a command makes one version of all. It acts in the name of whoever has made the version that is shown, and
 * takes exactly those versions away that it was given.
 */
import {
  administrators,
  isFailure,
  type Caller,
  type ConflictReport,
  type ConflictVersion,
  type Fid,
  type OpenFile,
  type Venus,
} from '../../venus/interface.js';
import type { Clock, Timer } from '../../vice/seam/clock.js';
import type { Log } from '../../vice/seam/log.js';
import type { ResolverOutcome, ResolverRun } from './resolver-run.js';
import { ruleFor, type ResolverRule } from './rules.js';
import { isDue, rankOf, seen, tried, type Memory } from './schedule.js';

const lookEveryMs = 1_000;
/** To list all conflicts is a call to each server: not every second where nothing waits for its turn. */
const listEveryMs = 5_000;
/** Larger files are left to people. */
const versionMost = 64 * 1024 * 1024;

export interface ResolversWorld {
  readonly venus: Venus;
  readonly clock: Clock;
  readonly log: Log;
  /** Name of this gateway. */
  readonly gateway: string;
  readonly rules: readonly ResolverRule[];
  readonly run: ResolverRun;
  /** Whether any is to be run now. */
  readonly isOn: () => boolean;
}

export class Resolvers {
  readonly #world: ResolversWorld;
  readonly #memories = new Map<Fid, Memory>();
  readonly #failures = new Map<Fid, string>();
  #timer: Timer | undefined;
  #looking: Promise<void> = Promise.resolve();
  readonly #ending = new AbortController();
  #listed = -Infinity;

  constructor(world: ResolversWorld) {
    this.#world = world;
    this.#next();
  }

  /** Which resolver could do nothing for this file, and why; null: none has failed for it. */
  failureOf(fid: Fid): string | null {
    return this.#failures.get(fid) ?? null;
  }

  /** Files for which one has failed. */
  get failures(): number {
    return this.#failures.size;
  }

  async close(): Promise<void> {
    this.#ending.abort();
    this.#timer?.cancel();
    await this.#looking;
  }

  #next(): void {
    if (this.#ending.signal.aborted) return;
    this.#timer = this.#world.clock.after(lookEveryMs, () => {
      this.#looking = this.#look()
        .catch((error: unknown) => {
          if (!isFailure(error)) throw error;
          this.#world.log.warn('conflicts not listed for resolvers', { message: error.message });
        })
        .then(() => this.#next());
    });
  }

  async #look(): Promise<void> {
    const { venus, clock, gateway, rules, isOn } = this.#world;
    if (!isOn()) return;
    const there = new Set<Fid>();
    const isWaiting = [...this.#memories.values()].some(({ isTried }) => !isTried);
    if (!isWaiting && clock.monotonic() < this.#listed + listEveryMs) return;
    this.#listed = clock.monotonic();
    if ((venus.conflicts.count()['versions'] ?? 0) > 0) {
      for await (const reports of venus.conflicts.list({ user: administrators })) {
        for (const report of reports) {
          const rule = report.path === null ? undefined : ruleFor(rules, report.path);
          if (report.kind !== 'versions' || rule === undefined || !this.#goesOn) continue;
          there.add(report.fid);
          const memory = seen(this.#memories.get(report.fid), report, clock.monotonic());
          this.#memories.set(report.fid, memory);
          const rank = rankOf(report, gateway);
          if (isDue(memory, rank, rule.timeLimitMs, clock.monotonic()))
            await this.#resolve(report, rule, memory);
        }
      }
    }
    for (const fid of this.#failures.keys()) if (!there.has(fid)) this.#failures.delete(fid);
    for (const fid of this.#memories.keys()) if (!there.has(fid)) this.#memories.delete(fid);
  }

  get #goesOn(): boolean {
    return this.#world.isOn() && !this.#ending.signal.aborted;
  }

  async #resolve(report: ConflictReport, rule: ResolverRule, memory: Memory): Promise<void> {
    const { clock, log } = this.#world;
    const path = `/${report.path?.join('/') ?? ''}`;
    const [program = ''] = rule.command;
    const failure = await this.#attempt(report, rule, path);
    this.#memories.set(report.fid, tried(memory, failure !== null, clock.monotonic()));
    if (failure === null) {
      this.#failures.delete(report.fid);
      log.info('resolved', { path, command: program, versions: report.versions.length });
      return;
    }
    this.#failures.set(report.fid, `${program} ${failure}`);
    log.warn('resolver failed', { path, command: program, why: failure });
  }

  /** Why nothing was changed; null: it is done. */
  async #attempt(report: ConflictReport, rule: ResolverRule, path: string): Promise<string | null> {
    const [shown] = report.versions;
    if (shown === undefined) return 'has nothing to choose from';
    if (report.versions.some(({ size }) => size > versionMost)) return 'was not run: a version is too large';
    const caller: Caller = { user: shown.author };
    const files: OpenFile[] = [];
    let outcome: ResolverOutcome;
    try {
      for (const { fid } of report.versions) files.push(await this.#world.venus.open(caller, fid));
      const versions = files.map((file) => file.read());
      outcome = await this.#world.run({ rule, path, versions, signal: this.#ending.signal });
      if ('failure' in outcome) return outcome.failure;
      if (!this.#world.isOn()) return 'was switched off meanwhile';
      await this.#store(caller, report, shown, outcome.contents);
      return null;
    } catch (error) {
      if (!isFailure(error)) throw error;
      return `could not be of use: ${error.message}`;
    } finally {
      for (const file of files) await file.close();
    }
  }

  async #store(
    caller: Caller,
    { fid, path, versions }: ConflictReport,
    shown: ConflictVersion,
    contents: Uint8Array,
  ): Promise<void> {
    const { venus } = this.#world;
    const { parent, name } = await venus.lookup(caller, path ?? []);
    if (parent === null) return;
    const writer = await venus.write(caller, contents.length, { into: parent });
    try {
      await writer.write(contents);
      await writer.close({ parent, name, expect: { version: shown.storeId } });
    } finally {
      await writer.abort();
    }
    // Not all but one: what somebody adds meanwhile the resolver has not seen.
    for (const { storeId } of versions.slice(1)) {
      await venus.conflicts.repair(caller, fid, { giveUp: storeId }).catch((error: unknown) => {
        if (!isFailure(error, 'not-found', 'access-denied')) throw error;
      });
    }
  }
}
