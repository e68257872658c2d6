/**
 * The log of a MemoryVenus: what was changed while nothing was sent. Its archives are JSON and hold no contents;
 * they are good enough to be carried through a door.
 */
import { Failure, type Fid, type Mutation } from '../../vice/interface/index.js';
import type { PendingChange, PendingLog, PendingRecord, Restored } from '../interface.js';

/** Bytes of a chunk of an archive. */
const chunkBytes = 64 * 1024;

export class MemoryLog implements PendingLog {
  readonly #pathOf: (fid: Fid) => string | null;
  readonly #changes = new Map<number, PendingChange>();
  readonly #records = new Map<number, readonly Mutation[]>();
  #sequence = 0;

  constructor(pathOf: (fid: Fid) => string | null) {
    this.#pathOf = pathOf;
  }

  /** Logs one operation. */
  add(volume: string, records: readonly Mutation[]): void {
    const [first] = records;
    if (first === undefined) return;
    const { author, time } = first;
    const sequence = (this.#sequence += 1);
    this.#records.set(sequence, records);
    const shown = records.map((record) => this.#shown(record));
    this.#changes.set(sequence, {
      sequence,
      volume,
      author,
      time,
      state: 'pending',
      reason: null,
      records: shown,
    });
  }

  /** The records of a change that has ever been logged. */
  recordsOf(sequence: number): readonly Mutation[] {
    return this.#records.get(sequence) ?? [];
  }

  /** As if the servers had refused it for good. */
  keep(sequence: number, reason: string): void {
    this.#changes.set(sequence, { ...this.#mustHave(sequence), state: 'kept', reason });
  }

  /** As if everything that is not kept had been sent. */
  drain(): void {
    for (const { sequence, state } of this.#changes.values())
      if (state !== 'kept') this.#changes.delete(sequence);
  }

  changes(): readonly PendingChange[] {
    return [...this.#changes.values()];
  }

  async *checkpoint(sequences?: readonly number[]): AsyncGenerator<Uint8Array> {
    const chosen = sequences?.map((sequence) => this.#mustHave(sequence)) ?? this.changes();
    const bytes = Buffer.from(JSON.stringify(chosen));
    for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
  }

  async restore(archive: AsyncIterable<Uint8Array>): Promise<Restored> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of archive) chunks.push(chunk);
    const changes = parsed(Buffer.concat(chunks).toString());
    if (Array.isArray(changes)) return { restored: changes.length, present: 0, notes: [] };
    throw new Failure('invalid', 'memory.log.restore', 'this is no archive of a log');
  }

  async discard(sequences: readonly number[]): Promise<readonly number[]> {
    for (const sequence of sequences) this.#mustHave(sequence);
    for (const sequence of sequences) this.#changes.delete(sequence);
    return [...sequences].sort((a, b) => a - b);
  }

  #shown(record: Mutation): PendingRecord {
    const store = record.op === 'store' ? record : { length: null, digest: null };
    const parent = 'parent' in record ? this.#pathOf(record.parent) : null;
    const was =
      'parent' in record && parent !== null ? `${parent === '/' ? '' : parent}/${record.name}` : null;
    return {
      op: record.op,
      fid: record.fid,
      version: record.storeId,
      path: this.#pathOf(record.fid) ?? was,
      length: store.length,
      digest: store.digest,
    };
  }

  #mustHave(sequence: number): PendingChange {
    const change = this.#changes.get(sequence);
    if (change !== undefined) return change;
    throw new Failure('not-found', 'memory.log', `there is no pending change ${sequence}`);
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
