/**
 * When a server scrubs: some days after the last time, when it is asked to, and on where it was after a restart. One
 * pass at a time. What is not healed is tried again every minute: a server that was down may have what is missing.
 */
import { isFailure, type ScrubReport } from '../interface/index.js';
import { sleep } from '../seam/clock.js';
import { Cure } from './cure.js';
import { adviceFor } from './finding.js';
import { Look } from './look.js';
import { Pace } from './pace.js';
import { Pass } from './pass.js';
import { ScrubNotes, type PassRow } from './scrub-notes.js';
import type { ScrubWorld } from './scrub-world.js';

/** Milliseconds after the start, and between two looks whether something is to be done. */
const startMs = 10_000;
const lookMs = 60_000;
const dayMs = 24 * 60 * 60 * 1000;
/** Findings tried again at one look, the next ones at the next. */
const againAtOnce = 50;
const listedMost = 200;

export class Scrubber {
  readonly #world: ScrubWorld;
  readonly #notes: ScrubNotes;
  readonly #stop = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #pass: Pass | undefined;
  /** A pass is asked for and has not begun. */
  #isAsked = false;
  /** Ends the wait for the next look. */
  #wake: () => void = () => undefined;
  /** How many findings have been tried again, so that all of them are in turn. */
  #tried = 0;

  constructor(world: ScrubWorld) {
    this.#world = world;
    this.#notes = new ScrubNotes(world.store, world.log);
  }

  start(): void {
    this.#running = this.#rounds().catch((error: unknown) => {
      if (!this.#stop.signal.aborted) throw error;
    });
  }

  /** A pass begins now, unless one runs. */
  begin(): void {
    if (this.#pass !== undefined || this.#stop.signal.aborted) return;
    this.#isAsked = true;
    this.#wake();
  }

  /** Faults that are not healed. */
  get open(): number {
    return this.#notes.findings().length;
  }

  report(): ScrubReport {
    const { pass } = this.#notes;
    const row = this.#isAsked ? undefined : (this.#pass?.row ?? pass);
    const running = this.#pass !== undefined || this.#isAsked;
    const findings = this.#notes.findings();
    const replicas = this.#world.replicas();
    const used = replicas.map((replica) => replica.usedBytes);
    return {
      running,
      startedAt: row?.startedAt ?? null,
      endedAt: running ? null : (row?.endedAt ?? null),
      dueAt: running ? null : this.#dueAt(),
      phase: this.#pass?.row.position.phase ?? null,
      objects: row?.objects ?? 0,
      containers: row?.containers ?? 0,
      bytes: row?.bytes ?? 0,
      // With the root of each volume.
      allObjects: replicas.reduce((sum, { objects }) => sum + objects + 1, 0),
      allBytes: used.reduce((sum, bytes) => sum + bytes, 0),
      bytesPerSecond: this.#pass?.bytesPerSecond ?? 0,
      healed: row?.healed ?? 0,
      open: findings.length,
      findings: findings
        .slice(0, listedMost)
        .map(({ entry: _entry, ...finding }) => ({ ...finding, advice: adviceFor(finding.fault) })),
    };
  }

  async close(): Promise<void> {
    this.#stop.abort(new Error('the server closes'));
    this.#wake();
    await this.#running;
  }

  async #rounds(): Promise<void> {
    const { clock } = this.#world;
    for (let waitMs = startMs; ; waitMs = lookMs) {
      await this.#waitFor(waitMs);
      try {
        const { pass } = this.#notes;
        if (this.#isAsked) await this.#run(undefined);
        else if (pass === undefined) await this.#notes.save(neverYet(clock.wall()));
        else if (pass.endedAt === null) await this.#run(pass);
        else if (this.#isDue()) await this.#run(undefined);
        else await this.#tryAgain();
      } catch (error) {
        this.#stop.signal.throwIfAborted();
        if (!isFailure(error)) throw error;
        this.#world.log.warn('scrub: interrupted', { kind: error.kind, reason: error.message });
      }
    }
  }

  async #run(interrupted: PassRow | undefined): Promise<void> {
    const { log } = this.#world;
    const room = this.#room();
    const pass = new Pass({ ...room, world: this.#world, notes: this.#notes }, interrupted);
    this.#pass = pass;
    this.#isAsked = false;
    try {
      log.info('scrub: begins', { from: pass.row.position });
      const { objects, containers, bytes, healed } = await pass.run();
      log.info('scrub: done', { objects, containers, bytes, healed, open: this.open });
    } finally {
      this.#pass = undefined;
    }
  }

  async #tryAgain(): Promise<void> {
    const findings = this.#notes.findings();
    if (findings.length === 0) return;
    const { cure, pace } = this.#room();
    const from = this.#tried % findings.length;
    for (const finding of findings.slice(from, from + againAtOnce)) {
      if (this.#isAsked) return;
      this.#tried = (await cure.again(finding)) === 0 ? this.#tried + 1 : this.#tried;
      await pace.spend(0);
    }
  }

  #room(): { look: Look; cure: Cure; pace: Pace; signal: AbortSignal } {
    const { clock, settings, isBusy } = this.#world;
    const { signal } = this.#stop;
    const pace = new Pace({ clock, bytesPerSecond: settings.bytesPerSecond, isBusy, signal });
    const look = new Look(this.#world, pace);
    return { look, cure: new Cure(this.#world, this.#notes, look, signal), pace, signal };
  }

  #dueAt(): number | null {
    const { everyDays } = this.#world.settings;
    const endedAt = this.#notes.pass?.endedAt ?? null;
    return everyDays === 0 || endedAt === null ? null : endedAt + everyDays * dayMs;
  }

  /** A clock that was put back by more than a day is no reason to wait for ever. */
  #isDue(): boolean {
    const now = this.#world.clock.wall();
    const dueAt = this.#dueAt();
    return dueAt !== null && (now >= dueAt || now < (this.#notes.pass?.endedAt ?? 0) - dayMs);
  }

  async #waitFor(ms: number): Promise<void> {
    this.#stop.signal.throwIfAborted();
    if (this.#isAsked) return;
    const woken = new AbortController();
    this.#wake = () => woken.abort(new Error('woken'));
    await sleep(this.#world.clock, ms, woken.signal).catch(() => undefined);
    this.#wake = () => undefined;
    this.#stop.signal.throwIfAborted();
  }
}

/** The first pass is due some days after the first start. */
function neverYet(now: number): PassRow {
  const position = { phase: 'contents', volume: '', after: '' } as const;
  return { startedAt: null, endedAt: now, position, objects: 0, containers: 0, bytes: 0, healed: 0 };
}
