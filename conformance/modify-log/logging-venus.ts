/**
 * A Venus without servers, disk or callers: a cached tree, and a log that is optimized as it grows. Beside it
 * the log as it would be unoptimized.
 */
import {
  counterOf,
  fidsOf,
  makeFid,
  makeStoreId,
  noNames,
  rootFid,
  toggledName,
  venusOfAuthor,
  type Fid,
  type FileData,
  type Mutation,
  type StoreIdVector,
  type VenusId,
  type VnodeStatus,
  type VolumeId,
} from '../../vice/interface/index.js';
import type { LogEntry } from '../../venus/log/modify-log.js';
import { optimize, withdraw, type LogView, type Plan } from '../../venus/log/optimize.js';
import { ownCounter, PlainTree } from './plain-tree.js';

export const venus = '9c3e5d7b01f2a4c6' as VenusId;
/** All but bob are who they were before a gateway had a VenusId for each user. */
export const bobsVenus = venusOfAuthor(venus, 'bob');
export const otherVenus = '00000000000000ff' as VenusId;
export const volume = '7f000001' as VolumeId;
export const root = rootFid(volume);

/** What the log gives a record: identity, time, author, and what has been seen of its objects. */
export type GivenByLog = 'storeId' | 'time' | 'author' | 'host' | 'settled' | 'base';
/** A record without that. */
export type Change = Mutation extends infer M ? (M extends Mutation ? Omit<M, GivenByLog> : never) : never;

/** A digest for contents that nobody has to bring. */
export function digestFor(number: number): string {
  return number.toString(16).padStart(64, '0');
}

export class LoggingVenus implements LogView {
  readonly cache: PlainTree;
  readonly log = new Map<number, LogEntry>();
  /** Every record ever logged, as its author had made it. */
  readonly unoptimized: Mutation[] = [];
  #byFid = new Map<Fid, Set<number>>();
  #counter = 0;
  #vnodes = 0;
  #sequence = 0;
  #time = 1_000_000;

  constructor(start: PlainTree) {
    this.cache = start;
    for (const { known } of start.statuses.values()) {
      this.#counter = Math.max(this.#counter, known[venus] ?? 0);
    }
  }

  newFid(): Fid {
    this.#vnodes += 1;
    return makeFid(volume, this.#vnodes + 1000, venus);
  }

  /**
   * One operation of a user.
   * @throws Failure when the cached tree does not take its first record; Error when the plan breaks a rule
   */
  change(author: string, changes: readonly Change[]): Plan {
    const records: Mutation[] = [];
    this.#time += 1;
    for (const change of changes) {
      const storeId = makeStoreId(author === 'bob' ? bobsVenus : venus, this.#counter + 1);
      const common = { storeId, time: this.#time, author, host: 'gateway', base: this.#seen(change) };
      const record: Mutation = { ...change, ...common };
      this.cache.apply(record);
      this.#counter += 1;
      records.push(record);
    }
    this.unoptimized.push(...records);
    const plan = optimize(records, this);
    this.#check(plan);
    this.#carryOut(plan);
    if (plan.records.length > 0) this.#append(plan.records);
    return plan;
  }

  /** What reintegration does with entries that were refused. */
  withdraw(entries: readonly LogEntry[]): void {
    const plan = withdraw(entries, this);
    for (const entry of entries) this.#remove(entry);
    this.#carryOut(plan);
  }

  /** Marks an entry as one that a server may have applied. */
  freeze(sequence: number, how: 'offered' | 'applied'): void {
    const entry = this.log.get(sequence);
    if (entry === undefined) return;
    this.#put(how === 'offered' ? { ...entry, offered: true } : { ...entry, appliedBy: ['replica'] });
  }

  /** Lets the oldest entry go: enough servers have it. */
  take(): LogEntry | undefined {
    const [oldest] = this.log.values();
    if (oldest !== undefined) this.#remove(oldest);
    return oldest;
  }

  touching(fid: Fid): readonly LogEntry[] {
    const sequences = [...(this.#byFid.get(fid) ?? [])].sort((a, b) => a - b);
    return sequences.flatMap((sequence) => this.log.get(sequence) ?? []);
  }

  records(): readonly Mutation[] {
    return [...this.log.values()].flatMap(({ records }) => records);
  }

  /** Rules that the final tree does not show. */
  #check({ rewritten, gone }: Plan): void {
    for (const sequence of rewritten.keys()) {
      const entry = this.log.get(sequence);
      if (entry === undefined) throw new Error(`there is no entry ${sequence} to rewrite`);
      if (entry.offered || entry.appliedBy.length > 0) throw new Error(`entry ${sequence} is frozen`);
    }
    for (const update of gone) {
      const place = this.unoptimized.findIndex(({ storeId }) => storeId === update);
      const record = this.unoptimized[place];
      const isRemoval = record?.op === 'remove' || record?.op === 'rmdir';
      const later = this.unoptimized.slice(isRemoval ? place : place + 1);
      if (later.some(({ fid, author }) => fid === record?.fid && author === record.author)) continue;
      throw new Error(`${record?.op} ${update} of ${record?.author} was not cancelled by its author`);
    }
  }

  #seen(change: Change): Record<Fid, StoreIdVector> {
    const base: Record<Fid, StoreIdVector> = {};
    const common = { storeId: makeStoreId(venus, 1), time: 0, author: '', host: '', base };
    for (const fid of fidsOf({ ...change, ...common })) {
      const status = this.cache.status(fid);
      if (status !== undefined) base[fid] = status.known;
    }
    return base;
  }

  #append(records: readonly Mutation[]): void {
    this.#sequence += 1;
    this.#put({
      sequence: this.#sequence,
      volume,
      records,
      appliedBy: [],
      acknowledged: true,
      offered: false,
    });
  }

  #carryOut({ rewritten, known, gone }: Plan): void {
    for (const [sequence, records] of rewritten) {
      const entry = this.log.get(sequence);
      if (entry === undefined) throw new Error(`there is no entry ${sequence} to rewrite`);
      this.#remove(entry, records.length > 0);
      if (records.length > 0) this.#put({ ...entry, records });
    }
    for (const [fid, counters] of known) {
      for (const [author, counter] of Object.entries(counters) as [VenusId, number][]) {
        const status = this.cache.status(fid);
        const now = ownCounter(this.cache, fid, author);
        if (status === undefined || now === 0 || !gone.has(makeStoreId(author, now))) continue;
        const { [author]: _own, ...others } = status.known;
        this.cache.put({ ...status, known: counter === 0 ? others : { ...others, [author]: counter } });
      }
    }
  }

  /** A place in the order of the map is kept for what is rewritten. */
  #remove(entry: LogEntry, keepPlace = false): void {
    if (!keepPlace) this.log.delete(entry.sequence);
    for (const record of entry.records) {
      for (const fid of fidsOf(record)) {
        const sequences = this.#byFid.get(fid);
        sequences?.delete(entry.sequence);
        if (sequences?.size === 0) this.#byFid.delete(fid);
      }
    }
  }

  #put(entry: LogEntry): void {
    this.log.set(entry.sequence, entry);
    for (const record of entry.records) {
      for (const fid of fidsOf(record)) {
        const sequences = this.#byFid.get(fid);
        if (sequences === undefined) this.#byFid.set(fid, new Set([entry.sequence]));
        else sequences.add(entry.sequence);
      }
    }
  }
}

export interface Planted {
  readonly fid: Fid;
  readonly parent: Fid | null;
  readonly name: string;
  readonly kind: VnodeStatus['kind'];
  readonly properties?: Readonly<Record<string, string>>;
  /** This Venus' last update of it before the log begins; none: another Venus has made it all. */
  readonly own?: number;
  /** How many versions of the file stand beside the shown one. */
  readonly siblings?: number;
}

/** A tree that servers have, as this Venus has cached it. */
export function planted(objects: readonly Planted[]): PlainTree {
  const tree = new PlainTree();
  for (const object of objects) {
    const { fid, parent, name, kind, properties = {}, own } = object;
    const storeId = own === undefined ? theirs : makeStoreId(venus, own);
    const inside = objects.filter((other) => other.parent === fid);
    const [data = null, ...siblings] = kind === 'file' ? plantedVersions(object) : [];
    const place = { name, storeId: theirs, time: 1, author: 'root', host: 'theirs', isBroken: false };
    const status: VnodeStatus = {
      fid,
      kind,
      parent,
      vv: {},
      storeId,
      known: { [otherVenus]: 7, ...(own === undefined ? {} : { [venus]: counterOf(storeId) }) },
      data,
      siblings,
      places: parent === null ? [] : [{ parent, ...place }],
      gone: {},
      revived: {},
      names:
        kind === 'directory'
          ? inside.reduce((all, each) => toggledName(all, each.fid, each.name), noNames)
          : '',
      target: kind === 'symlink' ? 'elsewhere' : null,
      created: 1,
      modified: 1,
      mode: 0o644,
      owner: 'root',
      author: 'root',
      properties,
      setters: {},
    };
    tree.put(status, parent === null ? undefined : { name, fid, kind });
  }
  return tree;
}

const theirs = makeStoreId(otherVenus, 7);

/** The shown one first: it was saved last. */
function plantedVersions({ siblings = 0 }: Planted): readonly FileData[] {
  return Array.from({ length: siblings + 1 }, (_, index) => {
    const storeId = makeStoreId(otherVenus, 7 - index);
    const common = { length: 1, modified: 1, author: 'root', host: 'theirs', saved: 1 };
    return { ...common, storeId, mark: storeId, digest: digestFor(index + 1) };
  });
}
