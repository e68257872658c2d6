/**
 * The log as it would be without some of its records: what their going means for the others. Pure.
 *
 * The chain. `base[fid][own venus]` of a record is the counter of this Venus' previous record of that object,
 * so the own records of an object hang together in the order of the log, and a server that lacks one refuses
 * the next as `stale`. A record that goes without having been applied is taken out of every chain it is in
 * (one for each object it touches): the record that named it names its predecessor, or nothing of ours when
 * it was the first.
 */
import {
  counterOf,
  fidsOf,
  isCreation,
  makeStoreId,
  venusOf,
  type Fid,
  type Mutation,
  type StoreId,
  type StoreIdVector,
  type VenusId,
} from '../../vice/interface/index.js';

/** An entry as far as it matters here (LogEntry of modify-log.ts is one). */
export interface Logged {
  readonly sequence: number;
  readonly records: readonly Mutation[];
  readonly appliedBy: readonly string[];
  readonly offered: boolean;
}

export interface LogView {
  /** Entries still in the log that touch `fid` (fidsOf of one of their records), oldest first. */
  touching(fid: Fid): readonly Logged[];
}

/** What becomes of the log. */
export interface Plan {
  /** New records of older entries, by sequence; an empty list: the entry goes. */
  readonly rewritten: ReadonlyMap<number, readonly Mutation[]>;
  /** What of the new entry is to be logged, in order; may be empty (identity cancellation). */
  readonly records: readonly Mutation[];
  /**
   * Objects whose latest own update in the log goes: the own counter that the cache shall know for them
   * instead (0: none), if what it knows now is one of `gone`. Objects that are gone altogether are not in it.
   */
  readonly known: ReadonlyMap<Fid, number>;
  /**
   * Counters of the records that go. Where held entries were overtaken, the cache may know a later one that
   * stays.
   */
  readonly gone: ReadonlySet<number>;
}

/** A record that stands in the draft, and its entry; null: the new one. */
export interface Standing {
  readonly record: Mutation;
  readonly entry: Logged | null;
}

export class Draft {
  readonly #log: LogView;
  readonly #venus: VenusId;
  /** The new entry, with the records that go. */
  readonly #added: Mutation[] = [];
  readonly #gone = new Map<StoreId, Mutation>();
  /** Entries that lose records, or one of whose records must name another predecessor. */
  readonly #affected = new Map<number, Logged>();
  readonly #touching = new Map<Fid, readonly Logged[]>();

  constructor(log: LogView, venus: VenusId) {
    this.#log = log;
    this.#venus = venus;
  }

  /** Adds a record to the new entry. */
  add(record: Mutation): void {
    this.#added.push(record);
  }

  /** Puts `record` into the place of the one of the same StoreId in the new entry. */
  replace(record: Mutation): void {
    const place = this.#added.findIndex(({ storeId }) => storeId === record.storeId);
    this.#added[place] = record;
  }

  /** The standing records that touch `fid`, newest first. Dropping what it has yielded is allowed. */
  *backwards(fid: Fid): Generator<Standing> {
    for (const record of this.#added.toReversed()) {
      if (this.#stands(record, fid)) yield { record, entry: null };
    }
    const entries = this.#entries(fid);
    for (let at = entries.length - 1; at >= 0; at -= 1) {
      const entry = entries[at];
      for (const record of entry?.records.toReversed() ?? []) {
        if (entry !== undefined && this.#stands(record, fid)) yield { record, entry };
      }
    }
  }

  /**
   * Whether `canceller` may make `earlier` void. Not a frozen record, nor one that a frozen one names: a
   * server may have it. Not another user's: if this one's record is refused in the end, the other's must not
   * be lost with it (Coda has one log for each user).
   */
  mayDrop(earlier: Standing, canceller: Mutation): boolean {
    const { record, entry } = earlier;
    if (isFrozen(entry) || record.author !== canceller.author) return false;
    if (venusOf(record.storeId) !== this.#venus) return false;
    return fidsOf(record).every((fid) => !isFrozen(this.#successor(earlier, fid)?.entry ?? null));
  }

  drop(standing: Standing): void {
    const { record, entry } = standing;
    this.#gone.set(record.storeId, record);
    if (entry !== null) this.#affected.set(entry.sequence, entry);
    for (const fid of fidsOf(record)) {
      const next = this.#successor(standing, fid)?.entry ?? null;
      if (next !== null) this.#affected.set(next.sequence, next);
    }
  }

  plan(): Plan {
    const rewritten = new Map<number, readonly Mutation[]>();
    for (const [sequence, { records }] of this.#affected) rewritten.set(sequence, this.#remaining(records));
    const gone = new Set([...this.#gone.keys()].map(counterOf));
    return { rewritten, records: this.#remaining(this.#added), known: this.#known(), gone };
  }

  #remaining(records: readonly Mutation[]): readonly Mutation[] {
    return records.filter(({ storeId }) => !this.#gone.has(storeId)).map((record) => this.#relinked(record));
  }

  #relinked(record: Mutation): Mutation {
    const changes: [string, StoreIdVector][] = [];
    for (const fid of Object.keys(record.base) as Fid[]) {
      const own = record.base[fid]?.[this.#venus] ?? 0;
      const before = this.#before(fid, own);
      if (before === own) continue;
      const { [this.#venus]: _own, ...others } = record.base[fid] ?? {};
      // An empty vector stays: it says that the author saw an object there (certify.ts).
      changes.push([fid, before === 0 ? others : { ...others, [this.#venus]: before }]);
    }
    if (changes.length === 0) return record;
    return { ...record, base: { ...record.base, ...Object.fromEntries(changes) } };
  }

  /** Own update `counter` of `fid`, or if that goes, the last one before it that does not; 0: none. */
  #before(fid: Fid, counter: number): number {
    let own = counter;
    for (let steps = 0; own > 0; steps += 1) {
      const record = this.#gone.get(makeStoreId(this.#venus, own));
      if (record === undefined) return own;
      if (steps > this.#gone.size) throw new Error(`the log's records of ${fid} name each other in a circle`);
      own = record.base[fid]?.[this.#venus] ?? 0;
    }
    return 0;
  }

  #known(): ReadonlyMap<Fid, number> {
    const known = new Map<Fid, number>();
    const seen = new Set<Fid>();
    for (const record of this.#gone.values()) if (isCreation(record)) seen.add(record.fid);
    for (const record of this.#gone.values()) {
      for (const fid of fidsOf(record)) {
        if (seen.has(fid)) continue;
        seen.add(fid);
        const latest = this.#latest(fid);
        if (latest === undefined || !this.#gone.has(latest.storeId)) continue;
        known.set(fid, this.#before(fid, counterOf(latest.storeId)));
      }
    }
    return known;
  }

  /** The latest record of `fid`, whether it stands or not. */
  #latest(fid: Fid): Mutation | undefined {
    const touches = (record: Mutation): boolean => fidsOf(record).includes(fid);
    return this.#added.findLast(touches) ?? this.#entries(fid).at(-1)?.records.findLast(touches);
  }

  /** The record that names this one as its predecessor in the chain of `fid`. */
  #successor({ record, entry }: Standing, fid: Fid): Standing | undefined {
    const counter = counterOf(record.storeId);
    const names = ({ base }: Mutation): boolean => base[fid]?.[this.#venus] === counter;
    if (entry !== null) {
      const entries = this.#entries(fid);
      // In an exact chain it is in the first entry that is looked at.
      for (let at = placeOf(entry.sequence, entries); at < entries.length; at += 1) {
        const later = entries[at];
        const next = later?.records.find(names);
        if (later !== undefined && next !== undefined) return { record: next, entry: later };
      }
    }
    const next = this.#added.find(names);
    return next === undefined ? undefined : { record: next, entry: null };
  }

  #stands(record: Mutation, fid: Fid): boolean {
    return !this.#gone.has(record.storeId) && fidsOf(record).includes(fid);
  }

  #entries(fid: Fid): readonly Logged[] {
    let entries = this.#touching.get(fid);
    if (entries === undefined) {
      entries = this.#log.touching(fid);
      this.#touching.set(fid, entries);
    }
    return entries;
  }
}

/** Whether a server may have applied it, so that nothing of it may be cancelled. */
function isFrozen(entry: Logged | null): boolean {
  return entry !== null && (entry.offered || entry.appliedBy.length > 0);
}

/** Where `sequence` is in `entries`, which are in order: a directory may have very many. */
function placeOf(sequence: number, entries: readonly Logged[]): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((entries[middle]?.sequence ?? Infinity) < sequence) low = middle + 1;
    else high = middle;
  }
  return low;
}
