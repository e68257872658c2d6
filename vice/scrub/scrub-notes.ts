/**
 * What a scrub remembers over a restart: where it is, and what nothing helped against.
 *
 *   scrub/pass         the pass that runs, or the last one
 *   scrub/finding/KEY  one finding
 */
import { intact, isFailure, seal, type VolumeId } from '../interface/index.js';
import type { Log } from '../seam/log.js';
import { endOf, type Store } from '../seam/store.js';
import { keyOf, type Finding, type Found } from './finding.js';

/** Phases of a pass, in their order. `objects`, `snapshots` and `peers` are gone through once for each volume. */
export const phases = ['contents', 'objects', 'snapshots', 'peers', 'orphans'] as const;
export type Phase = (typeof phases)[number];

export interface Position {
  readonly phase: Phase;
  /** '' where the phase is of the whole server. */
  readonly volume: VolumeId | '';
  /** What has been looked at, in the order of the rows: a digest, a Fid or a row. */
  readonly after: string;
}

export interface PassRow {
  /** Milliseconds since 1970; null: there was none yet. */
  readonly startedAt: number | null;
  /** Null while it runs, also while its server is down. Before the first pass: when the server was first seen. */
  readonly endedAt: number | null;
  readonly position: Position;
  readonly objects: number;
  readonly containers: number;
  readonly bytes: number;
  readonly healed: number;
}

const passKey = 'scrub/pass';
const findingPrefix = 'scrub/finding/';
/** A disk that is lost as a whole has no use for a longer list. */
const findingsMost = 10_000;

export class ScrubNotes {
  readonly #store: Store;
  readonly #log: Log;
  readonly #findings = new Map<string, Finding>();
  #pass: PassRow | undefined;

  constructor(store: Store, log: Log) {
    this.#store = store;
    this.#log = log;
    this.#pass = intact<PassRow>(store.get(passKey));
    const range = { start: findingPrefix, end: endOf(findingPrefix), limit: findingsMost };
    for (const { key, value } of store.range(range)) {
      const finding = intact<Finding>(value);
      if (finding !== undefined) this.#findings.set(key, finding);
    }
  }

  get pass(): PassRow | undefined {
    return this.#pass;
  }

  /** What is wrong and not healed, the oldest first. */
  findings(): readonly Finding[] {
    return [...this.#findings.values()].sort((a, b) => a.since - b.since);
  }

  /** Of contents, whatever is wrong with them. */
  finding(found: Found, volume: VolumeId): Finding | undefined {
    return this.#findings.get(findingPrefix + keyOf(found, volume));
  }

  save(pass: PassRow): Promise<void> {
    this.#pass = pass;
    return this.#write(passKey, pass);
  }

  /** What is known of it stays known; whether it is news. */
  async add(finding: Finding): Promise<boolean> {
    const key = findingPrefix + keyOf(finding, finding.volume);
    const known = this.#findings.get(key);
    if (known === undefined && this.#findings.size >= findingsMost) return false;
    const kept: Finding = {
      ...finding,
      since: known?.since ?? finding.since,
      fid: finding.fid ?? known?.fid ?? null,
      path: finding.path ?? known?.path ?? null,
    };
    if (known !== undefined && JSON.stringify(known) === JSON.stringify(kept)) return false;
    this.#findings.set(key, kept);
    await this.#write(key, kept);
    return known === undefined;
  }

  /** It is no longer so; whether it was. */
  async drop(finding: Finding): Promise<boolean> {
    const key = findingPrefix + keyOf(finding, finding.volume);
    if (!this.#findings.delete(key)) return false;
    await this.#write(key, null);
    return true;
  }

  /** A full disk forgets where the scrub was, no more. */
  async #write(key: string, row: unknown): Promise<void> {
    try {
      await this.#store.transact((transaction) => {
        if (row === null) transaction.remove(key);
        else transaction.put(key, seal(row));
      });
    } catch (error) {
      if (!isFailure(error, 'no-space', 'damaged')) throw error;
      this.#log.warn('what the scrub found is not kept', { reason: error.message });
    }
  }
}
