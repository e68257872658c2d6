/** The authors of changes under way, by the sequence number of their entry. */
import type { Failure } from '../../vice/interface/index.js';
import type { LogEntry } from '../log/modify-log.js';
import type { Transfers } from './batch-sender.js';

export interface Committed {
  /** Names of the servers that have it on disk; none: the log has it. */
  readonly servers: readonly string[];
}

/** How often a change whose author waits is offered to servers that lack what it builds on. */
const staleAttempts = 3;

interface Waiter {
  readonly transfers: Transfers;
  readonly resolve: (committed: Committed) => void;
  readonly reject: (failure: Failure) => void;
  staleLeft: number;
}

export class Waiters {
  readonly #waiters = new Map<number, Waiter>();

  /** The answer to the author of `entry`. */
  add({ sequence }: LogEntry, transfers: Transfers = new Map()): Promise<Committed> {
    return new Promise((resolve, reject) => {
      this.#waiters.set(sequence, { transfers, resolve, reject, staleLeft: staleAttempts });
    });
  }

  has(sequence: number): boolean {
    return this.#waiters.has(sequence);
  }

  get sequences(): readonly number[] {
    return [...this.#waiters.keys()];
  }

  /** Bodies that the author of the entry has under way. */
  transfers({ sequence }: LogEntry): Transfers | undefined {
    return this.#waiters.get(sequence)?.transfers;
  }

  /** Whether its author has been kept waiting often enough for servers that lack something. */
  isPatient(sequence: number): boolean {
    const waiter = this.#waiters.get(sequence);
    if (waiter === undefined) return false;
    waiter.staleLeft -= 1;
    return waiter.staleLeft > 0;
  }

  resolve(sequence: number, committed: Committed): void {
    this.#waiters.get(sequence)?.resolve(committed);
    this.#waiters.delete(sequence);
  }

  reject(sequence: number, failure: Failure): void {
    this.#waiters.get(sequence)?.reject(failure);
    this.#waiters.delete(sequence);
  }
}
