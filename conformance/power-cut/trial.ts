/** The writers of conformance/crash at work in a laboratory, and what was seen of them. */
import { until } from '../program.js';
import { judgeReplica } from '../crash/replica-verdict.js';
import { mixedLengths, type Lengths } from '../crash/generator.js';
import { Seeded } from '../crash/seeded.js';
import { judgeFolder } from '../crash/verdict.js';
import { Writer } from '../crash/writer.js';
import { isConnected, isDrained } from '../volume-status.js';
import type { Laboratory } from './laboratory.js';

const writerCount = 5;
const drainMs = 240_000;

/**
 * How the disk's file system is told to work: as Debian mounts it; and so that it does as little as it may unasked. By
 * itself ext4 flushes what a rename replaces (auto_da_alloc), and everything each five seconds.
 */
export const mounts = ['defaults', 'noauto_da_alloc,commit=300', 'noauto_da_alloc,commit=300,data=writeback'];

export class Trial {
  readonly writers: readonly Writer[];
  readonly seeded: Seeded;
  readonly faultsSeen: string[] = [];
  readonly #laboratory: Laboratory;
  readonly #running: readonly Promise<void>[];

  constructor(laboratory: Laboratory, seed: number, lengths: Lengths = mixedLengths) {
    this.#laboratory = laboratory;
    this.seeded = new Seeded(seed);
    this.writers = Array.from({ length: writerCount }, (_, index) => {
      return new Writer(laboratory.client, `w${index}`, new Seeded(seed * 1_000 + index), lengths);
    });
    // They rest from the beginning.
    for (const writer of this.writers) void writer.pause();
    this.#running = this.writers.map((writer) => writer.run());
  }

  get acknowledged(): number {
    return this.writers.reduce((sum, writer) => sum + writer.acknowledged, 0);
  }

  get faults(): string[] {
    const own = this.writers.flatMap((writer) => [...writer.faults, ...writer.unavailable]);
    return [...this.faultsSeen, ...own];
  }

  /**
   * The writers work until `changes` are acknowledged; then an administrator begins something `beside` them, and the
   * power goes at a drawn moment of the next `within` ms: of those after he was answered, or of those after he asked.
   */
  async workAndCut(changes: number, beside?: () => Promise<void>, within = 150): Promise<void> {
    const before = this.acknowledged;
    for (const writer of this.writers) writer.resume();
    await until(
      `${changes} changes to be acknowledged`,
      120_000,
      () => (this.acknowledged >= before + changes || this.faults.length > 0 ? true : undefined),
      5,
    );
    const answered = beside?.().catch((error: unknown) => {
      if (!this.#laboratory.isOff) this.faultsSeen.push(`the administrator was answered: ${String(error)}`);
    });
    if (this.seeded.fraction() < 0.5) await answered;
    await passing(this.seeded.below(within));
    await this.cut();
    await answered;
  }

  async cut(): Promise<void> {
    const resting = this.writers.map((writer) => writer.pause());
    await this.#laboratory.cutPower();
    await Promise.all(resting);
  }

  boot(): Promise<void> {
    return this.#laboratory.boot({ mount: this.seeded.pick(mounts) ?? 'defaults' });
  }

  /** The gateway reaches all servers and knows the top folder: without them it could not say what it has not seen. */
  async connected(): Promise<void> {
    await this.#laboratory.untilVolume('the gateway to reach all servers', isConnected);
    await this.#laboratory.client.list('/');
  }

  async drained(): Promise<void> {
    await this.#laboratory.untilVolume('the log to be empty', isDrained, drainMs);
  }

  /** What the writers have just worked on must be as they know it, and some older folders too. Writers must rest. */
  async look(): Promise<void> {
    const last = this.writers.flatMap((writer) => writer.folders.slice(-2));
    const older = this.writers.flatMap((writer) => writer.folders.slice(0, -2));
    for (const folder of [...last, ...(older.length > 0 ? [older[this.seeded.below(older.length)]] : [])]) {
      if (folder !== undefined) this.faultsSeen.push(...(await judgeFolder(this.#laboratory.client, folder)));
    }
  }

  /** Every folder, as the gateway that runs shows it; the first folders with faults are enough. */
  async judgeAll(enough = 10): Promise<string[]> {
    const faults: string[] = [];
    for (const folder of this.#folders) {
      if (faults.length < enough) faults.push(...(await judgeFolder(this.#laboratory.client, folder)));
    }
    return faults;
  }

  /** Every folder, on the disk of `server`, in what `Laboratory.takeDisk` gave. */
  judgeDisk(copy: string, server: string): Promise<string[]> {
    return judgeReplica(copy, server, this.#folders);
  }

  /** The writers make no further change. The machine must be off, or they would wait for their last answers. */
  async end(): Promise<void> {
    for (const writer of this.writers) writer.stop();
    await Promise.all(this.#running);
  }

  get #folders() {
    return this.writers.flatMap((writer) => writer.folders);
  }
}

export function passing(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
