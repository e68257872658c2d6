/**
 * The log as it would be without some of its records: what their going means for the others. Pure.
 *
 * The chain. `base[fid][VenusId of its author]` of a record is the counter of this author's previous record of that
 * object, so his records of an object hang together in the order of the log, and a server that lacks one refuses
 * the next as `stale`. A record that goes without having been applied is taken out of every chain it is in
 * (one for each object it touches): the records that named it (the next one of its author, and those of others who had
 * seen it) name its predecessor, or nothing of his when it was the first.
 */
import {
  counterOf,
  fidsOf,
  gatewayOf,
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
   * Objects of which somebody's latest update in the log goes: the counters that the cache shall know for them, by the
   * VenusIds of the authors, instead (0: none), if what it knows now is one of `gone`. Objects that are gone altogether
   * are not in it.
   */
  readonly known: ReadonlyMap<Fid, StoreIdVector>;
  /** The records that go. Where held entries were overtaken, the cache may know a later one that stays. */
  readonly gone: ReadonlySet<StoreId>;
}

/** A record that stands in the draft, and its entry; null: the new one. */
export interface Standing {
  readonly record: Mutation;
  readonly entry: Logged | null;
}

export class Draft {
  readonly #log: LogView;
  /** The new entry, with the records that go. */
  readonly #added: Mutation[] = [];
  readonly #gone = new Map<StoreId, Mutation>();
  /** Entries that lose records, or one of whose records must name another predecessor. */
  readonly #affected = new Map<number, Logged>();
  readonly #touching = new Map<Fid, readonly Logged[]>();

  constructor(log: LogView) {
    this.#log = log;
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
   * be lost with it.
   */
  mayDrop(earlier: Standing, canceller: Mutation): boolean {
    const { record, entry } = earlier;
    if (isFrozen(entry) || record.author !== canceller.author) return false;
    if (gatewayOf(record.storeId) !== gatewayOf(canceller.storeId)) return false;
    for (const fid of fidsOf(record)) {
      for (const { record: naming, entry: its } of this.#naming(earlier, fid)) {
        // What a repair has seen it writes into the versions that it gives up: then there must be such an update.
        const isKept = naming.op === 'repair' && naming.author !== record.author;
        if (isKept || isFrozen(its)) return false;
      }
    }
    return true;
  }

  drop(standing: Standing): void {
    const { record, entry } = standing;
    this.#gone.set(record.storeId, record);
    if (entry !== null) this.#affected.set(entry.sequence, entry);
    for (const fid of fidsOf(record)) {
      for (const { entry: naming } of this.#naming(standing, fid)) {
        if (naming !== null) this.#affected.set(naming.sequence, naming);
      }
    }
  }

  plan(): Plan {
    const rewritten = new Map<number, readonly Mutation[]>();
    for (const [sequence, { records }] of this.#affected) rewritten.set(sequence, this.#remaining(records));
    const gone = new Set(this.#gone.keys());
    return { rewritten, records: this.#remaining(this.#added), known: this.#known(), gone };
  }

  #remaining(records: readonly Mutation[]): readonly Mutation[] {
    return records.filter(({ storeId }) => !this.#gone.has(storeId)).map((record) => this.#relinked(record));
  }

  #relinked(record: Mutation): Mutation {
    const changes: [string, StoreIdVector][] = [];
    for (const [fid, seen] of Object.entries(record.base)) {
      const relinked: Record<string, number> = {};
      let isChanged = false;
      for (const [venus, counter] of Object.entries(seen)) {
        const before = this.#before(fid as Fid, makeStoreId(venus as VenusId, counter));
        isChanged ||= before !== counter;
        if (before > 0) relinked[venus] = before;
      }
      // An empty vector stays: it says that the author saw an object there (certify.ts).
      if (isChanged) changes.push([fid, relinked]);
    }
    if (changes.length === 0) return record;
    return { ...record, base: { ...record.base, ...Object.fromEntries(changes) } };
  }

  /** The counter of this update of `fid`, or if it goes, of its author's last one before it that does not; 0: none. */
  #before(fid: Fid, update: StoreId): number {
    const venus = venusOf(update);
    let counter = counterOf(update);
    for (let steps = 0; counter > 0; steps += 1) {
      const record = this.#gone.get(makeStoreId(venus, counter));
      if (record === undefined) return counter;
      // Rows are read with that checked (earlier-record.ts).
      if (steps > this.#gone.size) throw new Error(`the log's records of ${fid} name each other in a circle`);
      counter = record.base[fid]?.[venus] ?? 0;
    }
    return 0;
  }

  #known(): ReadonlyMap<Fid, StoreIdVector> {
    const known = new Map<Fid, Record<string, number>>();
    const unmade = new Set<Fid>();
    for (const record of this.#gone.values()) if (isCreation(record)) unmade.add(record.fid);
    const seen = new Set<string>();
    for (const record of this.#gone.values()) {
      const venus = venusOf(record.storeId);
      for (const fid of fidsOf(record)) {
        const key = `${venus} ${fid}`;
        if (unmade.has(fid) || seen.has(key)) continue;
        seen.add(key);
        const latest = this.#latest(fid, venus);
        if (latest === undefined || !this.#gone.has(latest)) continue;
        known.set(fid, { ...known.get(fid), [venus]: this.#before(fid, latest) });
      }
    }
    return known;
  }

  /** The latest update of `fid` under this VenusId, whether it stands or not. */
  #latest(fid: Fid, venus: VenusId): StoreId | undefined {
    const isOne = (record: Mutation): boolean =>
      venusOf(record.storeId) === venus && fidsOf(record).includes(fid);
    const added = this.#added.findLast(isOne);
    if (added !== undefined) return added.storeId;
    const entry = this.#entries(fid).findLast(({ records }) => records.some(isOne));
    return entry?.records.findLast(isOne)?.storeId;
  }

  /**
   * The records that name this one as the latest of its author that they had seen of `fid`. They stand before his next
   * one of `fid`, or are that: so a folder of thousands of changes is not looked through.
   */
  *#naming({ record, entry }: Standing, fid: Fid): Generator<Standing> {
    const [venus, counter] = [venusOf(record.storeId), counterOf(record.storeId)];
    const names = ({ base }: Mutation): boolean => base[fid]?.[venus] === counter;
    const isHis = (each: Mutation): boolean => venusOf(each.storeId) === venus && fidsOf(each).includes(fid);
    if (entry !== null) {
      const entries = this.#entries(fid);
      for (let at = placeOf(entry.sequence, entries); at < entries.length; at += 1) {
        const later = entries[at];
        if (later === undefined) continue;
        for (const naming of later.records) if (names(naming)) yield { record: naming, entry: later };
        if (later.sequence > entry.sequence && later.records.some(isHis)) return;
      }
    }
    for (const naming of this.#added) if (names(naming)) yield { record: naming, entry: null };
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
